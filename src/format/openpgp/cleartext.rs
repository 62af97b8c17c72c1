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
pub enum CleartextError {
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
pub struct Cleartext {
    /// The lines without their escapes and white space at the end, joined by line feeds, none after the last.
    pub text: Vec<u8>,
    /// The packets of the signature.
    pub signature: Vec<u8>,
}

/// Tells whether any line begins a signed text; where text stands before it, the reading refuses.
pub fn is_cleartext(document: &[u8]) -> bool {
    armour::lines(document).any(|line| line.starts_with(BEGIN))
}

/// Takes a document apart.
pub fn parse(document: &[u8]) -> Result<Cleartext, CleartextError> {
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
