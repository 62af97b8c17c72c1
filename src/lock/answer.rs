//! Reads what a publisher says about a moving name: the `.sha256` beside it names the file it stands for today.
//!
//! openSUSE's MirrorCache serves, beside `X-kvm-and-xen.qcow2`, a `.sha256` that names
//! `X-16.0.0-kvm-and-xen-Snapshot20240427.qcow2` (openSUSE/MirrorCache: t/Directory/01-smoke.t, issues 523 and 528), and
//! redirects requests for the image to that name. Others list a whole directory in one file, `SHA256SUMS` or `CHECKSUM`.
//! Touches nothing; the checksum text itself is read by `format::checksums`.

use std::collections::BTreeSet;

use crate::base::image_name::{is_version, split_ending, token};
use crate::base::text::one_line;
use crate::base::{Code, Diagnostic, Digest, Url};
use crate::format::checksums;

/// What a moving name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub digest: Digest,
    /// The immutable file beside the moving one, or the address itself.
    pub resolved: Url,
}

/// The most names told when an answer fits nothing.
const TOLD_NAMES: usize = 5;

/// A checksum file that publishers serve, and the signatures that may lie beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checksums {
    /// Its name; none where it is the image's own with `.sha256` at the end.
    name: Option<&'static str>,
    /// What follows its name in that of a detached signature.
    pub signatures: &'static [&'static str],
}

/// All of them, in the order they are asked for.
///
/// `.sha256` and its `.asc`: openSUSE, with the versioned name of the image in it. `SHA256SUMS` with `.gpg`: Ubuntu; with
/// `.sign`: Debian. `CHECKSUM`: Fedora and its kin, signed inline or with `.asc`.
pub(crate) const CHECKSUMS: [Checksums; 3] = [
    Checksums { name: None, signatures: &[".asc"] },
    Checksums { name: Some("SHA256SUMS"), signatures: &[".gpg", ".asc", ".sign"] },
    Checksums { name: Some("CHECKSUM"), signatures: &[".asc"] },
];

impl Checksums {
    /// Returns the file's name for an image.
    pub(crate) fn file_name(&self, url: &Url) -> String {
        self.name.map_or_else(|| format!("{}.sha256", decoded(url.file_name())), str::to_owned)
    }

    /// Reads the file that came from beside `url`, and takes the entry that speaks of it.
    ///
    /// A list of a whole directory must name it exactly: there a sibling is another file.
    pub(crate) fn read(&self, url: &Url, text: &[u8]) -> Result<Answer, Diagnostic> {
        if self.name.is_none() {
            return read_answer(url, text);
        }
        let here = |name: String| name.strip_prefix("./").map(str::to_owned).unwrap_or(name);
        let sums: Vec<_> = checksums::parse(text)?.into_iter().map(|(digest, name)| (digest, here(name))).collect();
        let asked = decoded(url.file_name());
        // One line may stand twice, as where a list was put together of several.
        let digests: BTreeSet<_> = sums.iter().filter(|(_, name)| *name == asked).map(|(digest, _)| *digest).collect();
        match digests.first() {
            Some(digest) if digests.len() == 1 => Ok(Answer { digest: *digest, resolved: url.clone() }),
            _ => Err(unusable(url, &sums)),
        }
    }
}

/// Returns the immutable file beside `url` that a redirect to a file of this name tells of.
///
/// Only the name is believed, and only when it is the versioned one of the same image: the host is some mirror's.
pub(crate) fn redirected(url: &Url, file_name: &str) -> Option<Url> {
    let name = decoded(file_name);
    is_versioned(&decoded(url.file_name()), &name).then(|| url.sibling(&name).ok()).flatten()
}

/// Takes the one entry that speaks of the file at `url`: its exact name, else its versioned sibling.
///
/// Nothing else is guessed. A name with a path, several entries that fit, or none are refused with what was said: an
/// entry picked wrongly would pin another file's bytes.
fn answer(url: &Url, sidecar: &[(Digest, String)]) -> Result<Answer, Diagnostic> {
    let asked = decoded(url.file_name());
    let fitting = |fits: &dyn Fn(&str) -> bool| -> Vec<_> {
        let fitting: BTreeSet<_> = sidecar.iter().filter(|(_, name)| fits(name)).collect();
        fitting.into_iter().collect()
    };
    let (exact, versioned) = (fitting(&|name| name == asked), fitting(&|name| is_versioned(&asked, name)));
    match (exact.as_slice(), versioned.as_slice()) {
        ([(digest, _)], _) => Ok(Answer { digest: *digest, resolved: url.clone() }),
        ([], [(digest, name)]) => {
            let resolved = url.sibling(name).map_err(|error| unusable(url, sidecar).cause(error))?;
            Ok(Answer { digest: *digest, resolved })
        }
        _ => Err(unusable(url, sidecar)),
    }
}

/// Reads the `.sha256` file that a publisher serves beside `url`, and takes the entry that speaks of it.
pub(crate) fn read_answer(url: &Url, sidecar: &[u8]) -> Result<Answer, Diagnostic> {
    // It is beside the file that it is of; which one that is, it need not say.
    match checksums::bare(sidecar) {
        Some(digest) => Ok(Answer { digest, resolved: url.clone() }),
        None => answer(url, &checksums::parse(sidecar)?),
    }
}

fn unusable(url: &Url, sidecar: &[(Digest, String)]) -> Diagnostic {
    let asked = one_line(&decoded(url.file_name()), 200);
    let mut names: Vec<String> = sidecar.iter().take(TOLD_NAMES).map(|(_, name)| one_line(name, 200)).collect();
    if sidecar.len() > TOLD_NAMES {
        names.push(format!("{} more", sidecar.len() - TOLD_NAMES));
    }
    let said = if names.is_empty() { "no file".to_owned() } else { names.join(", ") };
    Diagnostic::new(Code::NetProtocol, format!("the publisher's checksums do not name `{asked}` exactly once"))
        .fact("asked", url)
        .fact("named", said)
        .note("nothing was pinned")
        .hint("if you know the right digest, write it as `sha256` into `[base]`")
}

/// Returns whether `name` is the file that the moving name `asked` stands for at some time.
///
/// Both are the same parts between `-`, but that `name` has exactly one `Snapshot…` or `Build…` part more, and may have one
/// version part more. A moving name that ends in `Current` loses that part, and `name` may end in `Media` (openSUSE's DVDs).
fn is_versioned(asked: &str, name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '-');
    let (Some((asked, ending)), Some((stem, other))) = (split_ending(asked), split_ending(name)) else {
        return false;
    };
    if ending != other || !name.chars().all(plain) {
        return false;
    }
    let current = asked.strip_suffix("-Current");
    let stem = if current.is_some() { stem.strip_suffix("-Media").unwrap_or(stem) } else { stem };
    let mut wanted = current.unwrap_or(asked).split('-').peekable();
    let (mut tokens, mut versions) = (0, 0);
    for part in stem.split('-') {
        match part {
            _ if wanted.peek() == Some(&part) => drop(wanted.next()),
            _ if token(part).is_some() => tokens += 1,
            _ if is_version(part) => versions += 1,
            _ => return false,
        }
    }
    wanted.next().is_none() && tokens == 1 && versions <= 1
}

/// Undoes percent-encoding; what is not UTF-8 then fits no name.
pub(super) fn decoded(name: &str) -> String {
    percent_encoding::percent_decode_str(name).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIR: &str = "https://h/tumbleweed/appliances/";

    fn ask(asked: &str, names: &[&str]) -> Result<(u8, String), Diagnostic> {
        let url = Url::parse(&format!("{DIR}{asked}")).unwrap();
        let sidecar: Vec<_> =
            (0u8..).zip(names).map(|(index, name)| (Digest::from_bytes([index; 32]), (*name).to_owned())).collect();
        let answer = answer(&url, &sidecar)?;
        let name = answer.resolved.expose().strip_prefix(DIR).unwrap().to_owned();
        Ok((answer.digest.as_bytes()[0], name))
    }

    #[test]
    fn a_moving_name_is_resolved_to_the_versioned_one() {
        for (asked, named) in [
            (
                "openSUSE-MicroOS.x86_64-ContainerHost-kvm-and-xen.qcow2",
                "openSUSE-MicroOS.x86_64-16.0.0-ContainerHost-kvm-and-xen-Snapshot20240427.qcow2",
            ),
            (
                "openSUSE-MicroOS.x86_64-ContainerHost-SelfInstall.iso",
                "openSUSE-MicroOS.x86_64-16.0.0-ContainerHost-SelfInstall-Snapshot20240427.iso",
            ),
            ("openSUSE-MicroOS-DVD-x86_64-Current.iso", "openSUSE-MicroOS-DVD-x86_64-Snapshot20240427-Media.iso"),
            ("a-Default-qcow.qcow2", "a-6.2-Default-qcow-Build12.34.qcow2"),
            ("plain.qcow2", "plain.qcow2"),
            ("a%2Bb.qcow2?token=1", "a+b.qcow2"),
        ] {
            let (index, name) = ask(asked, &["other.qcow2", named]).unwrap();
            assert_eq!(index, 1, "{asked}");
            assert!(name == named || name == asked, "{name}");
        }
    }

    #[test]
    fn sig_1_an_answer_that_does_not_fit_exactly_once_is_refused() {
        let asked = "X.x86_64-kvm.qcow2";
        let cases: [(&str, &[&str]); 16] = [
            ("none", &[]),
            ("another name", &["Y.x86_64-kvm.qcow2"]),
            ("two exact", &[asked, asked]),
            ("two versioned", &["X.x86_64-kvm-Snapshot1.qcow2", "X.x86_64-kvm-Snapshot2.qcow2"]),
            ("a path", &["./X.x86_64-kvm.qcow2"]),
            ("a path above", &["../X.x86_64-kvm-Snapshot1.qcow2"]),
            ("no name", &[""]),
            ("another case", &["x.x86_64-kvm.qcow2"]),
            ("another flavour", &["X.x86_64-ContainerHost-kvm-Snapshot1.qcow2"]),
            ("a part fewer", &["X.x86_64-Snapshot1.qcow2"]),
            ("another ending", &["X.x86_64-kvm-Snapshot1.qcow2.asc"]),
            ("no token", &["X.x86_64-16.0.0-kvm.qcow2"]),
            ("two tokens", &["X.x86_64-kvm-Build1-Snapshot1.qcow2"]),
            ("two versions", &["X.x86_64-1-2-kvm-Snapshot1.qcow2"]),
            ("an empty token", &["X.x86_64-kvm-Snapshot.qcow2"]),
            ("odd characters", &["X.x86_64-kvm-Snapshot1\u{1b}.qcow2"]),
        ];
        for (name, names) in cases {
            let problem = ask(asked, names).expect_err(name);
            assert_eq!(problem.code, Code::NetProtocol, "{name}");
            assert!(!format!("{problem:?}").contains('\u{1b}'), "{name}");
        }
    }

    #[test]
    fn the_names_that_publishers_give_are_resolved() {
        let leap = "openSUSE-Leap-Micro.x86_64";
        for (asked, named) in [
            (format!("{leap}-Default-qcow.qcow2"), format!("{leap}-6.2-Default-qcow-Build12.34.qcow2")),
            (format!("{leap}-6.2-Default-qcow.qcow2"), format!("{leap}-6.2-Default-qcow-Build12.34.qcow2")),
            (format!("{leap}-Base-qcow.qcow2"), format!("{leap}-6.2-Base-qcow-Build3.1.qcow2")),
            (format!("{leap}-Default.raw.xz"), format!("{leap}-6.2-Default-Build12.34.raw.xz")),
            (format!("{leap}-Default-encrypted.raw.xz"), format!("{leap}-6.2-Default-encrypted-Build12.34.raw.xz")),
            (format!("{leap}-Default-SelfInstall.iso"), format!("{leap}-6.2-Default-SelfInstall-Build12.34.iso")),
            (
                format!("{leap}-Default-SelfInstall.install.iso"),
                format!("{leap}-6.2-Default-SelfInstall-Build12.34.install.iso"),
            ),
            (
                "openSUSE-MicroOS.aarch64-kvm-sdboot.qcow2".into(),
                "openSUSE-MicroOS.aarch64-16.0.0-kvm-sdboot-Snapshot20261120.qcow2".into(),
            ),
        ] {
            assert_eq!(ask(&asked, &[&named]).map(|(_, name)| name).as_deref(), Ok(named.as_str()));
            let url = Url::parse(&format!("{DIR}{asked}")).unwrap();
            let sibling = redirected(&url, &named).map(|url| url.file_name().to_owned());
            assert_eq!(sibling.as_deref(), Some(named.as_str()), "a redirect tells it too");
        }
    }

    #[test]
    fn of_a_redirect_only_the_name_of_the_same_image_is_believed() {
        let url = Url::parse("https://user:secret@h/d/X.x86_64-kvm.qcow2?token=1").unwrap();
        let resolved = redirected(&url, "X.x86_64-16.0.0-kvm-Snapshot1.qcow2").unwrap();
        assert_eq!(resolved.without_secrets().expose(), "https://h/d/X.x86_64-16.0.0-kvm-Snapshot1.qcow2");
        for other in
            ["X.x86_64-kvm.qcow2", "Y.x86_64-kvm-Snapshot1.qcow2", "X.x86_64-kvm-Snapshot1.iso", "", "a%2F..%2Fb"]
        {
            assert_eq!(redirected(&url, other), None, "{other}");
        }
    }

    #[test]
    fn sig_1_a_list_of_a_directory_names_the_file_exactly_once() {
        let url = Url::parse("https://h/d/jammy-server-cloudimg-amd64.img").unwrap();
        let [_, sums, checksum] = CHECKSUMS;
        let line = |name: &str| format!("{}  {name}\n", Digest::of(name.as_bytes()));
        let mine = "jammy-server-cloudimg-amd64.img";
        for text in [
            line("other.img") + &line(mine),
            format!("{} *{mine}\n", Digest::of(mine.as_bytes())),
            line(&format!("./{mine}")),
            line(mine) + &line(mine),
            line(mine) + &format!("{}  ./{mine}\n", Digest::of(mine.as_bytes())),
            format!("# {mine}: 5 bytes\nSHA256 ({mine}) = {}\n", Digest::of(mine.as_bytes())),
        ] {
            assert_eq!(checksum.read(&url, text.as_bytes()).map(|answer| answer.resolved), Ok(url.clone()), "{text}");
        }
        for text in [
            line("other.img"),
            line(mine) + &line("x").replace("  x", &format!("  {mine}")),
            line(&format!("dir/{mine}")),
            line(mine) + "junk\n",
        ] {
            assert!(sums.read(&url, text.as_bytes()).is_err(), "{text}");
        }
        let moving = Url::parse("https://h/d/X-kvm.qcow2").unwrap();
        assert!(sums.read(&moving, line("X-kvm-Snapshot1.qcow2").as_bytes()).is_err(), "a sibling is another file");
    }

    #[test]
    fn sig_1_a_single_digest_is_of_the_file_it_lies_beside_and_of_no_list() {
        let url = Url::parse("https://h/d/a.qcow2").unwrap();
        let text = format!("{}\n", Digest::of(b"a"));
        assert_eq!(read_answer(&url, text.as_bytes()), Ok(Answer { digest: Digest::of(b"a"), resolved: url.clone() }));
        assert!(CHECKSUMS[1].read(&url, text.as_bytes()).unwrap_err().headline.contains("without a file name"));
        assert!(read_answer(&url, (text.clone() + &text).as_bytes()).is_err());
        let twice = format!("{0}  a.qcow2\n{0}  a.qcow2\n", Digest::of(b"a"));
        assert_eq!(read_answer(&url, twice.as_bytes()).unwrap().digest, Digest::of(b"a"));
    }

    #[test]
    fn an_exact_name_wins_over_versioned_ones() {
        assert_eq!(ask("a-b.iso", &["a-b-Snapshot1.iso", "a-b.iso"]), Ok((1, "a-b.iso".to_owned())));
    }

    #[test]
    fn out_14_what_a_server_said_is_told_in_few_clean_words() {
        let long = "n".repeat(5000);
        let names: Vec<&str> = std::iter::repeat_n(long.as_str(), 200).collect();
        let problem = ask("a.iso", &names).unwrap_err();
        assert!(format!("{problem:?}").len() < 2500);
    }
}
