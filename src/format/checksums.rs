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
    #[error("line {line} is not a checksum line: `{text}`")]
    Line { line: usize, text: String },
    #[error("the file holds no checksum")]
    Empty,
}

impl From<ChecksumError> for Diagnostic {
    fn from(error: ChecksumError) -> Self {
        Self::new(Code::Hash, format!("cannot use the checksum file: {error}"))
    }
}

/// Reads a whole checksum file: digests and the names of files as written, paths included. Empty lines and `#` comments are passed over, anything else odd refuses the file.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<(Digest, String)>, ChecksumError> {
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
    let sums: Vec<_> = sums.collect::<Result<_, _>>()?;
    if sums.is_empty() { Err(ChecksumError::Empty) } else { Ok(sums) }
}

fn parse_line(line: &str) -> Option<(Digest, String)> {
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
    is_name.then(|| (digest, name.to_owned()))
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
        ] {
            assert_eq!(found(&text, "x.qcow2"), Ok(vec![A.to_owned()]), "{text}");
        }
    }

    #[test]
    fn sig_1_what_is_not_meant_is_refused() {
        for (text, want) in [
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
    }

    #[test]
    fn sums_are_sorted_and_read_back() {
        let text = sums(&[("b", Digest::of(b"")), ("a", Digest::of(b"test"))]);
        assert_eq!(text, format!("{B}  a\n{A}  b\n"));
        assert_eq!(parse(text.as_bytes()).unwrap().len(), 2);
    }
}
