//! Checksum files: what publishers put beside an image, and `SHA256SUMS` in a bundle. Touches nothing.
//!
//! Format: GNU coreutils manual, "md5sum invocation" (`<hex>  <name>`, `<hex> *<name>`) and the BSD form
//! `SHA256 (<name>) = <hex>`. A signed file is for whoever checks signatures, never half-read here.

use crate::base::text::one_line;
use crate::base::{Code, Diagnostic, Digest};

/// The largest file read; a real one has a few hundred bytes.
pub(crate) const MAX_LENGTH: usize = 64 << 10;

/// Why a checksum file says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChecksumError {
    #[error("the file has {0} bytes, a checksum file has at most {MAX_LENGTH}")]
    TooLong(usize),
    #[error("the file is not text")]
    NotText,
    /// Whoever reads the digest out of it would trust unsigned lines around the signed ones.
    #[error("the file is signed inline, which is not read; use the plain `.sha256` beside it")]
    Signed,
    #[error("the file is an HTML page")]
    Html,
    #[error("line {line} is no checksum line: `{text}`")]
    Line { line: usize, text: String },
    #[error("the file holds no checksum")]
    Empty,
    /// Nothing says which of them is meant.
    #[error("the file has no checksum for `{0}`")]
    NoMatch(String),
    #[error("the file has more than one checksum for `{0}`")]
    TwoMatches(String),
}

impl From<ChecksumError> for Diagnostic {
    fn from(error: ChecksumError) -> Self {
        Self::new(Code::Hash, format!("cannot use the checksum file: {error}"))
    }
}

/// One line: the digest and the file name as written, path included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sum {
    pub digest: Digest,
    pub name: String,
}

impl Sum {
    /// Returns the name without directories.
    pub(crate) fn base_name(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or_default()
    }
}

/// Reads a whole checksum file; empty lines and `#` comments are passed over, anything else odd refuses the file.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<Sum>, ChecksumError> {
    if bytes.len() > MAX_LENGTH {
        return Err(ChecksumError::TooLong(bytes.len()));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| ChecksumError::NotText)?;
    if text.contains("-----BEGIN PGP") {
        return Err(ChecksumError::Signed);
    }
    let start = text.trim_start().get(..5).unwrap_or_default();
    if start.eq_ignore_ascii_case("<html") || start.eq_ignore_ascii_case("<!doc") {
        return Err(ChecksumError::Html);
    }
    let lines = text.lines().map(str::trim_end).enumerate();
    let lines = lines.filter(|(_, line)| !line.trim_start().is_empty() && !line.starts_with('#'));
    let sums = lines.map(|(index, line)| {
        parse_line(line).ok_or_else(|| ChecksumError::Line { line: index + 1, text: one_line(line, 80) })
    });
    let sums: Vec<Sum> = sums.collect::<Result<_, _>>()?;
    if sums.is_empty() { Err(ChecksumError::Empty) } else { Ok(sums) }
}

fn parse_line(line: &str) -> Option<Sum> {
    let (hex, name) = match line.strip_prefix("SHA256 (") {
        Some(rest) => {
            let (name, hex) = rest.rsplit_once(") = ")?;
            (hex, name)
        }
        None => {
            let (hex, rest) = line.split_at_checked(64)?;
            (hex, rest.strip_prefix("  ").or_else(|| rest.strip_prefix(" *"))?)
        }
    };
    let is_name = !name.is_empty() && !name.starts_with(' ') && !name.chars().any(char::is_control);
    let digest = Digest::parse(&hex.to_ascii_lowercase()).ok()?;
    is_name.then(|| Sum { digest, name: name.to_owned() })
}

/// Finds the checksum of `base_name`: the one line with exactly that name.
///
/// A publisher's moving name stands for a versioned file, and its checksum file names that one: so where the file has
/// a single line, and its name is `base_name` with a version (`-Snapshot…` or `-Build…`) in it, that line is meant.
/// The caller learns the versioned name from the answer.
pub(crate) fn find<'a>(sums: &'a [Sum], base_name: &str) -> Result<&'a Sum, ChecksumError> {
    let shown = || one_line(base_name, 80);
    let mut exact = sums.iter().filter(|sum| sum.base_name() == base_name);
    match (exact.next(), exact.next()) {
        (Some(sum), None) => return Ok(sum),
        (Some(_), Some(_)) => return Err(ChecksumError::TwoMatches(shown())),
        (None, _) => {}
    }
    match sums {
        [only] if is_version_of(only.base_name(), base_name) => Ok(only),
        _ => Err(ChecksumError::NoMatch(shown())),
    }
}

/// Returns whether `versioned` is `moving` with nothing but version parts added, one of them a media version.
fn is_version_of(versioned: &str, moving: &str) -> bool {
    let split = |name: &str| name.rsplit_once('.').map(|(stem, extension)| (stem.to_owned(), extension.to_owned()));
    let (Some((versioned, one)), Some((moving, two))) = (split(versioned), split(moving)) else { return false };
    let mut wanted = moving.split('-').filter(|part| *part != "Current").peekable();
    let added: Vec<&str> = versioned.split('-').filter(|part| wanted.next_if(|want| want == part).is_none()).collect();
    let is_version = |part: &str| part.chars().all(|c| c.is_ascii_digit() || c == '.');
    let is_plain = added.iter().all(|part| is_token(part) || is_version(part) || *part == "Media");
    one == two && wanted.next().is_none() && is_plain && added.iter().any(|part| is_token(part))
}

/// MirrorCache's media version: `Snapshot` or `Build` and digits.
fn is_token(part: &str) -> bool {
    let number = part.strip_prefix("Snapshot").or_else(|| part.strip_prefix("Build"));
    number.is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()))
}

/// Writes `SHA256SUMS` as `sha256sum --check` reads it, sorted by name.
pub(crate) fn sums(files: &[(&str, Digest)]) -> String {
    let mut lines: Vec<_> = files.iter().map(|(name, digest)| (*name, format!("{digest}  {name}\n"))).collect();
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const B: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn found(text: &str, name: &str) -> Result<String, ChecksumError> {
        let sums = parse(text.as_bytes())?;
        find(&sums, name).map(|sum| sum.digest.to_string())
    }

    #[test]
    fn sig_1_every_common_form_is_read() {
        let upper = A.to_uppercase();
        for text in [
            format!("{A}  x.qcow2\n"),
            format!("{A} *x.qcow2"),
            format!("{A}  x.qcow2\r\n"),
            format!("# made by hand\n\n{A}  x.qcow2\n"),
            format!("SHA256 (x.qcow2) = {A}\n"),
            format!("{upper}  x.qcow2\n"),
            format!("{A}  ./dir/x.qcow2\n"),
            format!("{B}  x.qcow2.old\n{A}  x.qcow2\n{B}  y\n"),
        ] {
            assert_eq!(found(&text, "x.qcow2").as_deref(), Ok(A), "{text}");
        }
    }

    #[test]
    fn sig_1_what_is_not_meant_is_refused() {
        let moving = "openSUSE-MicroOS.x86_64-kvm.qcow2";
        for (text, want) in [
            (format!("{A}  y\n"), "no checksum for"),
            (format!("{A}  xx.qcow2\n"), "no checksum for"),
            (format!("{A}  x.qcow2\n{B}  dir/x.qcow2\n"), "more than one"),
            (format!("{A}  x.qcow2\n{A}  x.qcow2\n"), "more than one"),
            (String::new(), "no checksum"),
            ("# nothing\n".to_owned(), "no checksum"),
            (format!("{A}\n"), "line 1"),
            (format!("{A} x.qcow2\n"), "line 1"),
            (format!("{}  x.qcow2\n", &A[1..]), "line 1"),
            (format!("\n{A}  x\u{1b}[2J\n"), "line 2"),
            ("d41d8cd98f00b204e9800998ecf8427e  x.qcow2\n".to_owned(), "line 1"),
            (format!("SHA512 (x.qcow2) = {A}\n"), "line 1"),
            ("é".repeat(64), "line 1"),
            (format!("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{A}  x.qcow2\n"), "signed"),
            ("<!DOCTYPE html><p>404".to_owned(), "HTML"),
            (format!("{A}  x.qcow2\n").repeat(2000), "at most"),
        ] {
            let error = found(&text, "x.qcow2").unwrap_err().to_string();
            assert!(error.contains(want) && !error.contains('\u{1b}'), "{want}: {error}");
        }
        assert_eq!(parse(&[0xff, 0xfe]), Err(ChecksumError::NotText));
        assert!(found(&format!("{A}  other-Snapshot20240427.qcow2\n"), moving).is_err());
    }

    #[test]
    fn sig_1_the_one_versioned_name_of_a_moving_name_is_taken() {
        let moving = "openSUSE-MicroOS.x86_64-ContainerHost-kvm-and-xen.qcow2";
        let versioned = "openSUSE-MicroOS.x86_64-16.0.0-ContainerHost-kvm-and-xen-Snapshot20240427.qcow2";
        assert_eq!(found(&format!("{A}  {versioned}\n"), moving).as_deref(), Ok(A));
        assert!(found(&format!("{A}  {versioned}\n{B}  y\n"), moving).is_err(), "one line only");
        let dvd = format!("{A}  openSUSE-MicroOS-DVD-x86_64-Snapshot20240427-Media.iso\n");
        assert!(found(&dvd, "openSUSE-MicroOS-DVD-x86_64-Current.iso").is_ok());
        assert!(found(&dvd, "openSUSE-MicroOS-DVD-aarch64-Current.iso").is_err());
        let other = "openSUSE-MicroOS.x86_64-kvm-and-xen.qcow2";
        assert!(found(&format!("{A}  {versioned}\n"), other).is_err(), "another flavour");
    }

    #[test]
    fn sums_are_sorted_and_read_back() {
        let text = sums(&[("b", Digest::of(b"")), ("a", Digest::of(b"test"))]);
        assert_eq!(text, format!("{B}  a\n{A}  b\n"));
        assert_eq!(parse(text.as_bytes()).unwrap().len(), 2);
    }
}
