//! Checksum files: what publishers put beside an image, and `SHA256SUMS` in a bundle. Touches nothing.
//!
//! Format: GNU coreutils manual, "md5sum invocation" (`<hex>  <name>`, `<hex> *<name>`) and the BSD form
//! `SHA256 (<name>) = <hex>`; openssl-dgst(1) (`SHA2-256(<name>)= <hex>`). A signed file is for whoever checks signatures, never half-read here.

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
    #[error("line {line} is not a checksum line: `{text}`")]
    Line { line: usize, text: String },
    #[error("line {0} is a digest without a file name, which only the single line of a file may be")]
    Nameless(usize),
    #[error("line {0} is a digest of another algorithm, and no line is one of SHA-256")]
    Other(usize),
    #[error("the file holds no checksum")]
    Empty,
}

impl From<ChecksumError> for Diagnostic {
    fn from(error: ChecksumError) -> Self {
        Self::new(Code::Hash, format!("cannot use the checksum file: {error}"))
    }
}

/// Reads a whole checksum file: SHA-256 digests and the names of files as written, paths included.
///
/// Empty lines, comments and lines of other algorithms are passed over, anything else odd refuses the file. Below a comment that
/// names another algorithm, as Flatcar's `# SHA512 HASH`, lines are of that one, whatever their length.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<(Digest, String)>, ChecksumError> {
    let text = text(bytes)?;
    let (mut sums, mut other, mut is_ours) = (vec![], None, true);
    for (line, text) in lines(text) {
        if let Some(comment) = text.strip_prefix('#') {
            is_ours = comment.split_whitespace().next().and_then(algorithm).unwrap_or(is_ours);
            continue;
        }
        match parse_line(text) {
            Some(Line::Sum(digest, name)) if is_ours || text.starts_with("SHA") => sums.push((digest, name)),
            Some(Line::Sum(..) | Line::Other) => other = other.or(Some(line)),
            None if Digest::parse(&text.to_ascii_lowercase()).is_ok() => return Err(ChecksumError::Nameless(line)),
            None => return Err(ChecksumError::Line { line, text: one_line(text, 80) }),
        }
    }
    match other {
        _ if !sums.is_empty() => Ok(sums),
        Some(line) => Err(ChecksumError::Other(line)),
        None => Err(ChecksumError::Empty),
    }
}

/// Reads a file that holds one digest and nothing else, not even the name of what it is of.
pub(crate) fn bare(bytes: &[u8]) -> Option<Digest> {
    let mut lines = lines(text(bytes).ok()?);
    let (_, line) = lines.next()?;
    lines.next().is_none().then(|| Digest::parse(&line.to_ascii_lowercase()).ok())?
}

fn text(bytes: &[u8]) -> Result<&str, ChecksumError> {
    if bytes.len() > MAX_LENGTH {
        return Err(ChecksumError::TooLong(bytes.len()));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| ChecksumError::NotText)?;
    if text.contains("-----BEGIN PGP") {
        return Err(ChecksumError::Signed);
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let start = text.trim_start().get(..5).unwrap_or_default();
    if start.eq_ignore_ascii_case("<html") || start.eq_ignore_ascii_case("<!doc") {
        return Err(ChecksumError::Html);
    }
    Ok(text)
}

/// Returns the lines that are not empty, numbered from 1.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().map(str::trim_end).enumerate().map(|(index, line)| (index + 1, line));
    lines.filter(|(_, line)| !line.trim_start().is_empty())
}

/// What a line says.
enum Line {
    Sum(Digest, String),
    /// The digest of a file by another algorithm.
    Other,
}

/// Returns whether a word names SHA-256, and none where it names no algorithm.
fn algorithm(word: &str) -> Option<bool> {
    let word = word.to_ascii_uppercase().replace(['-', '_'], "");
    let known = ["SHA", "MD", "BLAKE", "B2", "SM3", "RMD", "RIPEMD", "WHIRLPOOL", "CRC", "TIGER", "GOST", "STREEBOG"];
    let is_one = known.iter().any(|name| word.starts_with(name)) && word.contains(|c: char| c.is_ascii_digit());
    is_one.then(|| matches!(word.trim_end_matches(':'), "SHA256" | "SHA2256" | "SHA256SUM" | "SHA256SUMS"))
}

/// Reads a line: `<hex>  <name>` with one blank or a tab too, `SHA256 (<name>) = <hex>`, or openssl's `SHA2-256(<name>)= <hex>`.
fn parse_line(line: &str) -> Option<Line> {
    let is_hex =
        |text: &str| text.len() >= 32 && text.len().is_multiple_of(2) && text.chars().all(|c| c.is_ascii_hexdigit());
    let is_name =
        |name: &str| !name.is_empty() && !name.starts_with([' ', '\t']) && !name.chars().any(char::is_control);
    let tagged =
        line.split_once('(').filter(|(tag, _)| !tag.is_empty() && !tag.trim_end().contains(char::is_whitespace));
    let (is_ours, name, hex) = match tagged.and_then(|(tag, rest)| Some((algorithm(tag.trim_end())?, rest))) {
        Some((is_ours, rest)) => {
            let (rest, hex) = rest.rsplit_once("= ")?;
            (is_ours, rest.strip_suffix(") ").or_else(|| rest.strip_suffix(')'))?, hex)
        }
        None => {
            let (hex, rest) = line.split_at_checked(line.find([' ', '\t'])?)?;
            let two = rest.strip_prefix("  ").or_else(|| rest.strip_prefix(" *"));
            (hex.len() == 64, two.or_else(|| rest.strip_prefix([' ', '\t']))?, hex)
        }
    };
    if !is_name(name) || !is_hex(hex) {
        return None;
    }
    match is_ours {
        true => Some(Line::Sum(Digest::parse(&hex.to_ascii_lowercase()).ok()?, name.to_owned())),
        false => Some(Line::Other),
    }
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

    /// Returns the digests of the files of a name, in whatever directory.
    fn found(text: &str, name: &str) -> Result<Vec<String>, ChecksumError> {
        let named = |sum: &(Digest, String)| sum.1.rsplit('/').next() == Some(name);
        let sums = parse(text.as_bytes())?.into_iter().filter(named);
        Ok(sums.map(|(digest, _)| digest.to_string()).collect())
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
            format!("{A} x.qcow2\n"),
            format!("{A}\tx.qcow2\n"),
            format!("\u{feff}{A}  x.qcow2\r\n"),
            format!("\u{feff}SHA256 (x.qcow2) = {A}\r\n"),
            format!("SHA256(x.qcow2)= {A}\n"),
            format!("SHA2-256(x.qcow2)= {upper}\n"),
            format!("SHA2-256(dir/x.qcow2)= {A}\n"),
            format!("MD5 (x.qcow2) = {}\nSHA1 (x.qcow2) = {}\nSHA256 (x.qcow2) = {A}\n", &B[..32], &B[..40]),
            format!("{}  x.qcow2\n{A}  x.qcow2\n{B}{B}  x.qcow2\n", &B[..32]),
            format!(
                "SHA3-256 (x.qcow2) = {B}\nBLAKE2b-256 (x.qcow2) = {B}\nSHA512/256(x.qcow2)= {B}\nSHA256(x.qcow2)= {A}\n"
            ),
            format!("# SHA512/256 HASH\n{B}  x.qcow2\n# SHA256 HASH\n{A}  x.qcow2\n# SHA512 HASH\n{B}{A}  x.qcow2\n"),
        ] {
            assert_eq!(found(&text, "x.qcow2"), Ok(vec![A.to_owned()]), "{text}");
        }
    }

    #[test]
    fn sig_1_what_is_not_meant_is_refused() {
        for (text, want) in [
            (String::new(), "no checksum"),
            ("# nothing\n".to_owned(), "no checksum"),
            (format!("{A}\n"), "line 1 is a digest without a file name"),
            (format!("{B}  y\n{A}\n"), "line 2 is a digest without a file name"),
            (format!("{A}   x.qcow2\n"), "line 1"),
            (format!("{A} \tx.qcow2\n"), "line 1"),
            (format!("{A}\t x.qcow2\n"), "line 1"),
            (format!("\\{A}  x\\ny.qcow2\n"), "line 1"),
            (format!("\n{A}  x.qcow2\nSHA256(x.qcow2) {A}\n"), "line 3"),
            (format!("SHA256 (x.qcow2) = {}\n", &A[2..]), "line 1"),
            (format!("SHA3-256 (x.qcow2) = {A}\n"), "another algorithm"),
            (format!("SHA2-512/256(x.qcow2)= {A}\n"), "another algorithm"),
            (format!("# BLAKE2s256\n{A}  x.qcow2\n"), "line 2 is a digest of another algorithm"),
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
    }

    /// Whatever is done to a good file: what is taken of it is the right digest, or nothing.
    #[test]
    fn sig_1_no_change_of_a_file_makes_another_digest_of_it() {
        let good = format!(
            "# SHA256\n{B}{A}  x.qcow2\n{A}  x.qcow2\nSHA2-256(x.qcow2)= {A}\nSHA512/256 (x.qcow2) = {B}\n{}  x.qcow2\n",
            &B[..40]
        );
        let pieces = ["", " ", "\t", "\n", "#", "(", ")", "= ", "SHA256", "SHA1 (", "\u{feff}", "  x.qcow2", "*"];
        let is_right =
            |text: &str| found(text, "x.qcow2").is_ok_and(|all| !all.is_empty() && all.iter().all(|one| one == A));
        assert!(is_right(&good));
        let mut taken = 0;
        for at in (0..=good.len()).filter(|at| good.is_char_boundary(*at)) {
            for piece in pieces {
                for cut in [0, 1, 7] {
                    let rest = good.get(at + cut..).unwrap_or_default();
                    let changed = format!("{}{piece}{rest}", &good[..at]);
                    let all = found(&changed, "x.qcow2").unwrap_or_default();
                    assert!(all.iter().all(|one| one == A), "{changed}\n{all:?}");
                    taken += usize::from(!all.is_empty());
                }
            }
        }
        assert!(taken > 1000, "{taken}");
    }

    #[test]
    fn a_single_digest_is_taken_alone_only() {
        for text in [format!("{A}\n"), format!("\u{feff}{}\r\n\n", A.to_uppercase()), A.to_owned()] {
            assert_eq!(bare(text.as_bytes()).map(|digest| digest.to_string()).as_deref(), Some(A), "{text}");
        }
        for text in [
            format!("{A}\n{A}\n"),
            format!("{A}  x\n"),
            format!("# y\n{A}\n"),
            A[1..].to_owned(),
            format!("{A}{A}"),
            String::new(),
        ] {
            assert_eq!(bare(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn sums_are_sorted_and_read_back() {
        let text = sums(&[("b", Digest::of(b"")), ("a", Digest::of(b"test"))]);
        assert_eq!(text, format!("{B}  a\n{A}  b\n"));
        assert_eq!(parse(text.as_bytes()).unwrap().len(), 2);
    }
}
