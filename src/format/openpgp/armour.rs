//! ASCII armour: base64 between `-----BEGIN PGP …-----` and `-----END PGP …-----`. Touches nothing.
//!
//! Format: RFC 9580, section 6.2. The checksum line is passed over, as section 6.1 demands; what is signed is protected
//! by its signature. Read next: `cleartext`, the other frame with dashes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::base::Code;

/// Why a text is not one block, or not one signed text, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("the file ends inside a block")]
    Truncated,
    #[error("a block's header lines are malformed")]
    Headers,
    #[error("a block is not base64")]
    Base64,
    /// A block begins where another should end, or ends under another name.
    #[error("a block begins inside another")]
    Nested,
    #[error("there is text outside the block")]
    Outside,
    #[error("there is more than one block")]
    Several,
    #[error("a block is of another kind than wanted")]
    Kind,
    #[error("there is no OpenPGP block")]
    Missing,
    #[error("a header other than `Hash` stands above the signed part")]
    SignedHeader,
    #[error("a line of the signed part begins with an unescaped dash")]
    Dash,
    #[error("the signed part holds control characters")]
    Control,
    #[error("the signed part has no signature below it")]
    Unsigned,
}

impl FrameError {
    /// Returns the code: nothing there, nothing to be read, or more than what is signed.
    pub(crate) fn code(self) -> Code {
        match self {
            Self::Missing | Self::Unsigned => Code::SigMissing,
            Self::Truncated | Self::Headers | Self::Base64 => Code::SigBad,
            _ => Code::SigScope,
        }
    }
}

/// Where the reading of a text stands.
pub(crate) type Lines<'a> = std::iter::Peekable<std::slice::Split<'a, u8, fn(&u8) -> bool>>;

/// Splits a text into lines, without their line feeds.
pub(crate) fn lines(text: &[u8]) -> Lines<'_> {
    let is_end: fn(&u8) -> bool = |byte| *byte == b'\n';
    text.split(is_end).peekable()
}

/// Returns whether a file is packets rather than text: a packet's first octet has the high bit (section 4.2).
pub(crate) fn is_binary(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| first & 0x80 != 0)
}

/// Returns the kind a line begins a block of, such as `SIGNATURE`.
pub(crate) fn begins(line: &[u8]) -> Option<&str> {
    let kind = line.trim_ascii_end().strip_prefix(b"-----BEGIN PGP ")?.strip_suffix(b"-----")?;
    std::str::from_utf8(kind).ok()
}

/// Reads the one block that a text must consist of, with nothing but white space around it.
pub(crate) fn only(text: &[u8], kind: &str) -> Result<Vec<u8>, FrameError> {
    let mut lines = lines(text);
    while lines.next_if(|line| line.trim_ascii().is_empty()).is_some() {}
    match lines.next().map(begins) {
        None => return Err(FrameError::Missing),
        Some(None) if text.windows(15).any(|part| part == b"-----BEGIN PGP ") => return Err(FrameError::Outside),
        Some(None) => return Err(FrameError::Missing),
        Some(Some(found)) if found != kind => return Err(FrameError::Kind),
        Some(Some(_)) => {}
    }
    let bytes = body(&mut lines, kind)?;
    ended(lines)?;
    Ok(bytes)
}

/// Reads every block of a text, of which each must be of one kind; text between them is passed over.
pub(crate) fn every(text: &[u8], kind: &str) -> Result<Vec<Vec<u8>>, FrameError> {
    let mut lines = lines(text);
    let mut blocks = vec![];
    while let Some(line) = lines.next() {
        match begins(line) {
            Some(found) if found == kind => blocks.push(body(&mut lines, kind)?),
            Some(_) => return Err(FrameError::Kind),
            None => {}
        }
    }
    if blocks.is_empty() { Err(FrameError::Missing) } else { Ok(blocks) }
}

/// Demands that nothing but white space is left.
pub(crate) fn ended(lines: Lines<'_>) -> Result<(), FrameError> {
    for line in lines {
        match begins(line) {
            Some(_) => return Err(FrameError::Several),
            None if line.trim_ascii().is_empty() => {}
            None => return Err(FrameError::Outside),
        }
    }
    Ok(())
}

/// Reads the rest of a block whose first line has been read.
pub(crate) fn body(lines: &mut Lines<'_>, kind: &str) -> Result<Vec<u8>, FrameError> {
    headers(lines)?;
    let end = format!("-----END PGP {kind}-----");
    let mut base64 = vec![];
    let mut has_checksum = false;
    for line in lines {
        let line = line.trim_ascii_end();
        if line == end.as_bytes() {
            return STANDARD.decode(&base64).map_err(|_| FrameError::Base64);
        }
        match line.first() {
            Some(b'-') => return Err(FrameError::Nested),
            _ if has_checksum => return Err(FrameError::Base64),
            Some(b'=') if line.len() == 5 => has_checksum = true,
            _ => base64.extend_from_slice(line),
        }
    }
    Err(FrameError::Truncated)
}

/// Passes over `Name: value` lines up to the empty line.
fn headers(lines: &mut Lines<'_>) -> Result<(), FrameError> {
    for line in lines {
        let line = line.trim_ascii_end();
        if line.is_empty() {
            return Ok(());
        }
        let name = line.iter().position(|byte| *byte == b':').and_then(|colon| line.get(..colon));
        if !name.is_some_and(|name| !name.is_empty() && name.iter().all(u8::is_ascii_alphanumeric)) {
            return Err(FrameError::Headers);
        }
    }
    Err(FrameError::Truncated)
}
