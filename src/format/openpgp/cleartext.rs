//! A signed text that stays readable: what of it is signed, and the signature below. Touches nothing.
//!
//! Format: RFC 9580, section 7. Read strictly, because a lenient reader shows lines that nobody signed: nothing stands
//! before, after or between, `Hash` is the only header, and a line that begins with a dash is escaped or an intruder.
//! Read next: `verify`, which judges the signature.

use super::armour::{self, FrameError, Lines};

const BEGIN: &[u8] = b"-----BEGIN PGP SIGNED MESSAGE-----";
const MARKS: [&[u8]; 2] = [b"-----BEGIN PGP ", b"-----END PGP "];

/// A signed text taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cleartext {
    /// The lines without their escapes and white space at the end, joined by line feeds, none after the last.
    pub text: Vec<u8>,
    /// The packets of the signature.
    pub signature: Vec<u8>,
}

/// Returns whether any line begins a signed text; where text stands before it, the reading refuses.
pub(crate) fn is_cleartext(document: &[u8]) -> bool {
    armour::lines(document).any(|line| line.starts_with(BEGIN))
}

/// Takes a document apart.
pub(crate) fn parse(document: &[u8]) -> Result<Cleartext, FrameError> {
    let mut lines = armour::lines(document);
    if lines.next().map(<[u8]>::trim_ascii_end) != Some(BEGIN) {
        return Err(FrameError::Outside);
    }
    headers(&mut lines)?;
    let text = signed(&mut lines)?;
    let signature = armour::body(&mut lines, "SIGNATURE")?;
    armour::ended(lines)?;
    Ok(Cleartext { text, signature })
}

fn headers(lines: &mut Lines<'_>) -> Result<(), FrameError> {
    for line in lines {
        // Only a line feed, alone or after a carriage return, ends the headers: white space could hide more of them.
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return Ok(());
        }
        let value = line.strip_prefix(b"Hash: ").ok_or(FrameError::SignedHeader)?;
        if !value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-, ".contains(byte)) {
            return Err(FrameError::SignedHeader);
        }
    }
    Err(FrameError::Unsigned)
}

/// Reads the signed lines, and the line that begins the signature.
fn signed(lines: &mut Lines<'_>) -> Result<Vec<u8>, FrameError> {
    let mut text: Vec<&[u8]> = vec![];
    for line in lines {
        match armour::begins(line) {
            Some("SIGNATURE") => return Ok(text.join(&b'\n')),
            Some("SIGNED MESSAGE") => return Err(FrameError::Several),
            _ => text.push(unescaped(line)?),
        }
    }
    Err(FrameError::Unsigned)
}

/// Returns a line as it was signed.
fn unescaped(line: &[u8]) -> Result<&[u8], FrameError> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let plain = match (line.strip_prefix(b"- "), line.first()) {
        (Some(plain), _) => plain,
        (None, Some(b'-')) => return Err(FrameError::Dash),
        (None, _) => line,
    };
    if MARKS.iter().any(|mark| plain.starts_with(mark)) {
        return Err(FrameError::Nested);
    }
    // A lone carriage return would be a line end to some readers, and none to others.
    if plain.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return Err(FrameError::Control);
    }
    let length = plain.iter().rposition(|byte| !b" \t".contains(byte)).map_or(0, |last| last + 1);
    Ok(plain.get(..length).unwrap_or(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n";
    const TAIL: &str = "\n-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----\n";

    #[test]
    fn sig_2_the_signed_lines_are_taken_as_they_were_signed() {
        for (lines, text) in [
            ("one\ntwo", "one\ntwo"),
            ("- -dash\n- From", "-dash\nFrom"),
            ("- - twice", "- twice"),
            ("end \t ", "end"),
            ("\r\n\r", "\n"),
            ("", ""),
        ] {
            let parts = parse(format!("{HEAD}{lines}{TAIL}").as_bytes()).unwrap();
            assert_eq!(String::from_utf8(parts.text).unwrap(), text, "{lines:?}");
            assert_eq!(parts.signature, [0, 0, 0]);
        }
    }

    #[test]
    fn sig_2_whatever_else_stands_in_the_document_is_named_and_refused() {
        use FrameError::*;
        let whole = format!("{HEAD}text{TAIL}");
        let in_text = |text: &str| format!("{HEAD}{text}{TAIL}");
        for (document, error) in [
            (format!("x\n{whole}"), Outside),
            (format!("\u{feff}{whole}"), Outside),
            (format!("{whole}x"), Outside),
            (format!("{whole}{whole}"), Several),
            (in_text(HEAD), Several),
            (whole.replace("Hash: SHA256", "Hash: SHA256\n \nHash: SHA1"), SignedHeader),
            (whole.replace("Hash: SHA256", "Hash: SHA256 = 00  nas.qcow2"), SignedHeader),
            (whole.replace("Hash", "Charset"), SignedHeader),
            (in_text("-text"), Dash),
            (in_text("-----BEGIN PGP MESSAGE-----"), Dash),
            (in_text("- -----BEGIN PGP MESSAGE-----"), Nested),
            (in_text("- -----END PGP SIGNATURE-----"), Nested),
            (in_text("a\rb"), Control),
            (in_text("a\u{1b}[2Kb"), Control),
            (in_text("a\0b"), Control),
            (HEAD.to_owned(), Unsigned),
            (format!("{HEAD}text\n"), Unsigned),
            (whole.replace("AAAA", "A?AA"), Base64),
            (whole.replace("-----END PGP SIGNATURE-----\n", ""), Truncated),
            (whole.replace("AAAA", "-----BEGIN PGP SIGNATURE-----"), Nested),
        ] {
            assert_eq!(parse(document.as_bytes()), Err(error), "{document:?}");
        }
    }
}
