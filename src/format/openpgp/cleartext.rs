//! A signed text that stays readable: what of it is signed, and the signature below. Touches nothing.
//!
//! Format: RFC 9580, section 7. Read strictly, because a lenient reader shows lines that nobody signed: nothing stands
//! before, after or between, `Hash` is the only header, and a line that begins with a dash is escaped or an intruder.
//! Read next: `verify`, which judges the signature.

use super::armour::{self, ArmourError, Lines};

const BEGIN: &[u8] = b"-----BEGIN PGP SIGNED MESSAGE-----";
const MARKS: [&[u8]; 2] = [b"-----BEGIN PGP ", b"-----END PGP "];

/// Why a document is not one signed text and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CleartextError {
    #[error("there is text before the signed part")]
    Before,
    #[error("there is text after the signature")]
    After,
    #[error("there is more than one signed document")]
    Several,
    #[error("a header other than `Hash` stands above the signed part")]
    Header,
    #[error("a line of the signed part begins with an unescaped dash")]
    Dash,
    #[error("the signed part holds another OpenPGP block")]
    Nested,
    #[error("the signed part holds control characters")]
    Control,
    #[error("the signed part has no signature below it")]
    Unsigned,
    #[error("its signature cannot be read: {0}")]
    Signature(ArmourError),
}

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
pub(crate) fn parse(document: &[u8]) -> Result<Cleartext, CleartextError> {
    let mut lines = armour::lines(document);
    if lines.next().map(<[u8]>::trim_ascii_end) != Some(BEGIN) {
        return Err(CleartextError::Before);
    }
    headers(&mut lines)?;
    let text = signed(&mut lines)?;
    let signature = armour::body(&mut lines, "SIGNATURE").map_err(|error| match error {
        ArmourError::Nested => CleartextError::Nested,
        error => CleartextError::Signature(error),
    })?;
    armour::ended(lines).map_err(|error| match error {
        ArmourError::Several => CleartextError::Several,
        _ => CleartextError::After,
    })?;
    Ok(Cleartext { text, signature })
}

fn headers(lines: &mut Lines<'_>) -> Result<(), CleartextError> {
    for line in lines {
        // Only a line feed, alone or after a carriage return, ends the headers: white space could hide more of them.
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return Ok(());
        }
        let value = line.strip_prefix(b"Hash: ").ok_or(CleartextError::Header)?;
        if !value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-, ".contains(byte)) {
            return Err(CleartextError::Header);
        }
    }
    Err(CleartextError::Unsigned)
}

/// Reads the signed lines, and the line that begins the signature.
fn signed(lines: &mut Lines<'_>) -> Result<Vec<u8>, CleartextError> {
    let mut text: Vec<&[u8]> = vec![];
    for line in lines {
        match armour::begins(line) {
            Some("SIGNATURE") => return Ok(text.join(&b'\n')),
            Some("SIGNED MESSAGE") => return Err(CleartextError::Several),
            _ => text.push(unescaped(line)?),
        }
    }
    Err(CleartextError::Unsigned)
}

/// Returns a line as it was signed.
fn unescaped(line: &[u8]) -> Result<&[u8], CleartextError> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let plain = match (line.strip_prefix(b"- "), line.first()) {
        (Some(plain), _) => plain,
        (None, Some(b'-')) => return Err(CleartextError::Dash),
        (None, _) => line,
    };
    if MARKS.iter().any(|mark| plain.starts_with(mark)) {
        return Err(CleartextError::Nested);
    }
    // A lone carriage return would be a line end to some readers, and none to others.
    if plain.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return Err(CleartextError::Control);
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
        use CleartextError::*;
        let whole = format!("{HEAD}text{TAIL}");
        let in_text = |text: &str| format!("{HEAD}{text}{TAIL}");
        for (document, error) in [
            (format!("x\n{whole}"), Before),
            (format!("\u{feff}{whole}"), Before),
            (format!("{whole}x"), After),
            (format!("{whole}{whole}"), Several),
            (in_text(HEAD), Several),
            (whole.replace("Hash: SHA256", "Hash: SHA256\n \nHash: SHA1"), Header),
            (whole.replace("Hash: SHA256", "Hash: SHA256 = 00  nas.qcow2"), Header),
            (whole.replace("Hash", "Charset"), Header),
            (in_text("-text"), Dash),
            (in_text("-----BEGIN PGP MESSAGE-----"), Dash),
            (in_text("- -----BEGIN PGP MESSAGE-----"), Nested),
            (in_text("- -----END PGP SIGNATURE-----"), Nested),
            (in_text("a\rb"), Control),
            (in_text("a\u{1b}[2Kb"), Control),
            (in_text("a\0b"), Control),
            (HEAD.to_owned(), Unsigned),
            (format!("{HEAD}text\n"), Unsigned),
            (whole.replace("AAAA", "A?AA"), Signature(ArmourError::Base64)),
            (whole.replace("-----END PGP SIGNATURE-----\n", ""), Signature(ArmourError::Truncated)),
            (whole.replace("AAAA", "-----BEGIN PGP SIGNATURE-----"), Nested),
        ] {
            assert_eq!(parse(document.as_bytes()), Err(error), "{document:?}");
        }
    }
}
