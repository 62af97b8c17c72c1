//! Certificates in PEM (RFC 7468), and whether what is in them has a certificate's outer shape. Touches nothing.
//!
//! Text around the blocks is allowed, as RFC 7468 §2 says and `openssl x509 -text` writes. Of a certificate only the frame is
//! read (RFC 5280 §4.1: a sequence of a sequence, a sequence and a bit string; X.690 §8.1): enough to tell a certificate from
//! a cut or mangled one, which a trust store would pass over without a word.

use base64::Engine as _;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";

/// Why a file is not a list of certificates; lines count from 1. Nothing of a block's content is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PemError {
    /// Not UTF-8, such as a certificate in DER.
    #[error("this is not text; a certificate in DER becomes PEM by `openssl x509 -inform der`")]
    Text,
    #[error("no block begins with `-----BEGIN CERTIFICATE-----`")]
    None,
    #[error("a private key stands in line {0}")]
    Private(usize),
    #[error("the block in line {0} is not a certificate")]
    Other(usize),
    #[error("the block in line {0} does not end with `-----END CERTIFICATE-----`")]
    Open(usize),
    #[error("the block in line {0} is not base64")]
    Base64(usize),
    #[error("the block in line {0} does not hold one whole certificate")]
    Shape(usize),
}

/// Counts the certificates of a file that holds nothing else; a private key anywhere in it is told first.
pub(crate) fn certificates(bytes: &[u8]) -> Result<usize, PemError> {
    let text = std::str::from_utf8(bytes).map_err(|_| PemError::Text)?;
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let begins = |line: &&str| line.starts_with(BEGIN);
    if let Some(at) = lines.iter().position(|line| begins(line) && line.contains("PRIVATE KEY")) {
        return Err(PemError::Private(at + 1));
    }
    let mut count = 0;
    let mut next = 0;
    while let Some(at) = lines.iter().skip(next).position(begins).map(|offset| next + offset) {
        next = block(&lines, at)?;
        count += 1;
    }
    if count == 0 { Err(PemError::None) } else { Ok(count) }
}

/// Reads the block that begins in a line; returns the index of the line after it.
fn block(lines: &[&str], at: usize) -> Result<usize, PemError> {
    if lines[at] != "-----BEGIN CERTIFICATE-----" {
        return Err(PemError::Other(at + 1));
    }
    let length = lines[at + 1..].iter().position(|line| line.starts_with(END)).ok_or(PemError::Open(at + 1))?;
    let end = at + 1 + length;
    if lines[end] != "-----END CERTIFICATE-----" {
        return Err(PemError::Open(at + 1));
    }
    let joined = lines[at + 1..end].concat();
    let der = base64::engine::general_purpose::STANDARD.decode(joined).map_err(|_| PemError::Base64(at + 1))?;
    if is_certificate(&der) { Ok(end + 1) } else { Err(PemError::Shape(at + 1)) }
}

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;

/// Returns whether bytes are one certificate, by its frame.
fn is_certificate(der: &[u8]) -> bool {
    let inner = element(der, SEQUENCE).filter(|(_, rest)| rest.is_empty()).map(|(content, _)| content);
    let mut rest = inner.unwrap_or_default();
    for tag in [SEQUENCE, SEQUENCE, BIT_STRING] {
        let Some((_, after)) = element(rest, tag) else { return false };
        rest = after;
    }
    rest.is_empty()
}

/// Splits off one element of a tag, its content first (X.690 §8.1.3; lengths of up to four bytes).
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let bytes = usize::from(first & 0x7f);
    let (length, rest) = match first {
        0..0x80 => (bytes, rest),
        _ if (1..=4).contains(&bytes) => {
            let (long, rest) = rest.split_at_checked(bytes)?;
            (long.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length).filter(|_| *found == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("pem/root.pem");

    #[test]
    fn certificates_are_counted_and_text_around_them_is_passed_over() {
        assert_eq!(certificates(GOOD.as_bytes()), Ok(1));
        let two = format!("subject: a\r\n{}\n\n# b\n{GOOD}", GOOD.replace('\n', "\r\n"));
        assert_eq!(certificates(two.as_bytes()), Ok(2));
    }

    #[test]
    fn what_is_no_list_of_certificates_is_told_with_its_line() {
        let line = GOOD.lines().nth(1).unwrap();
        let key = "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n";
        for (text, error) in [
            (String::new(), PemError::None),
            ("MIIB".into(), PemError::None),
            (format!("{GOOD}{key}"), PemError::Private(GOOD.lines().count() + 1)),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----".into(), PemError::Private(1)),
            (GOOD.replace("CERTIFICATE", "CERTIFICATE REQUEST"), PemError::Other(1)),
            (GOOD.replace("CERTIFICATE", "TRUSTED CERTIFICATE"), PemError::Other(1)),
            (format!("\n{}", GOOD.replace("-----END CERTIFICATE-----", "")), PemError::Open(2)),
            (GOOD.replace("END CERTIFICATE", "END X509 CRL"), PemError::Open(1)),
            (GOOD.replace(line, "*"), PemError::Base64(1)),
            (GOOD.replace(line, ""), PemError::Shape(1)),
            ("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n".into(), PemError::Shape(1)),
            ("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n".into(), PemError::Shape(1)),
        ] {
            assert_eq!(certificates(text.as_bytes()), Err(error), "{text}");
        }
        assert_eq!(certificates(&[0x30, 0x82, 0xff]), Err(PemError::Text));
    }

    #[test]
    fn no_length_of_a_block_reaches_beyond_it() {
        for der in [&[0x30][..], &[0x30, 0x80], &[0x30, 0x85, 0, 0, 0, 0, 0], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]] {
            assert!(element(der, SEQUENCE).is_none(), "{der:?}");
        }
    }
}
