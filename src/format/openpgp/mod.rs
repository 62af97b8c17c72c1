//! OpenPGP signatures: is a file what a publisher whom the user trusts has signed? Touches nothing.
//!
//! Format: RFC 9580, of which this reads what a publisher's key and signature have; the arithmetic is libraries'
//! (`algorithm`). What is believed:
//!
//! * Keys come only from a keyring that the user names. [`KNOWN`] fingerprints are shown, never trusted.
//! * A signature is over a binary or text document (types 0 and 1), by SHA-2 of 256 bits or more, and by RSA of
//!   2048 to 8192 bits, ECDSA over a NIST curve, or Ed25519. DSA is never believed.
//! * A key must have existed when it signed and must not have expired, neither then nor since: when a signature was made
//!   is only its maker's word, and whoever finds a key after its end could date his signature back.
//! * A revoked key's signatures are refused, except where the owner said that the key was merely superseded or retired,
//!   and it signed before: then the owner knew what he left standing.
//! * What makes a key valid (its newest self-signature, a subkey's binding and the subkey's own back-signature) must
//!   itself have a strong digest. openSUSE's key of 2022 had a SHA-1 self-signature until it was renewed in 2026 with
//!   SHA-256: older copies of it are refused, which asks for nothing more than fetching the current one. Revocations
//!   count by whatever digest, and count even when they cannot be checked.
//! * Signatures of version 3 are believed, since that is what openSUSE's build service writes (see `verify`).
//! * Whatever a signature calls critical must be understood.
//! * The signed text stands alone: no text around it, no block within it, no second document.
//!
//! Errors have the codes `E_SIG_…`. Read next: `verify`, then `certificate`.

mod algorithm;
mod armour;
mod certificate;
mod cleartext;
mod keyring;
mod known;
mod packet;
mod policy;
mod verify;

use crate::base::{Code, Diagnostic};

use armour::FrameError;
use packet::kind;
use verify::Document;

pub(crate) use cleartext::is_cleartext;
pub(crate) use keyring::Keyring;
pub(crate) use known::KNOWN;

/// The largest signature file or signed text read; a real one has about a thousand bytes.
pub(crate) const MAX_LENGTH: usize = 64 << 10;

/// Who signed, after all checks passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signer {
    /// Of the primary key, upper-case hex, even where a subkey signed.
    pub fingerprint: String,
    /// Made fit to show; empty where the key's owner speaks for the key alone.
    pub user_id: String,
    /// Seconds since 1970, by the signer's word.
    pub signed_at: u64,
}

/// Verifies a detached signature, binary or armoured, over `data`; `now` is in seconds since 1970.
///
/// # Errors
/// The codes `E_SIG_…`; `E_SIG_BAD` where the signature is not over these bytes, or cannot be read.
pub(crate) fn verify_detached(
    keyring: &Keyring,
    data: &[u8],
    signature: &[u8],
    now: u64,
) -> Result<Signer, Diagnostic> {
    bounded(signature)?;
    if is_cleartext(signature) {
        return Err(refused(FrameError::Outside));
    }
    let packets = match armour::is_binary(signature) {
        true => signature.to_vec(),
        false => armour::only(signature, "SIGNATURE").map_err(refused)?,
    };
    let document = Document { bytes: data, kinds: &[kind::BINARY, kind::TEXT] };
    verify::verify(keyring, document, &packets, now)
}

/// Verifies a clearsigned document (RFC 9580, section 7) and returns only the bytes that are signed.
///
/// These are its lines without escapes, and without white space at their ends, joined by line feeds.
///
/// # Errors
/// As [`verify_detached`]; `E_SIG_SCOPE` where the document holds anything that is not signed.
pub(crate) fn verify_cleartext(keyring: &Keyring, document: &[u8], now: u64) -> Result<(Vec<u8>, Signer), Diagnostic> {
    bounded(document)?;
    if !is_cleartext(document) {
        return Err(verify::missing());
    }
    let parts = cleartext::parse(document).map_err(refused)?;
    // A text signature is made over lines that end in CR LF; they are made so where it is verified.
    let signed = Document { bytes: &parts.text, kinds: &[kind::TEXT] };
    let signer = verify::verify(keyring, signed, &parts.signature, now)?;
    Ok((parts.text, signer))
}

/// Returns the text of a clearsigned document, whoever signed it: for those who have no keyring, and say so.
///
/// # Errors
/// As [`verify_cleartext`], but for those that need a key.
pub(crate) fn unverified_text(document: &[u8]) -> Result<Vec<u8>, Diagnostic> {
    bounded(document)?;
    Ok(cleartext::parse(document).map_err(refused)?.text)
}

fn bounded(bytes: &[u8]) -> Result<(), Diagnostic> {
    if bytes.len() <= MAX_LENGTH {
        return Ok(());
    }
    Err(verify::unreadable(format!("it has {} bytes, a signature has at most {MAX_LENGTH}", bytes.len())))
}

/// Reports what is wrong with the frame of a signature file or of a signed text.
fn refused(error: FrameError) -> Diagnostic {
    match error.code() {
        Code::SigMissing => verify::missing().cause(error),
        Code::SigBad => verify::unreadable(error),
        code => {
            Diagnostic::new(code, "the file is not one signature, or one signed text, and nothing else").cause(error)
        }
    }
}

#[cfg(test)]
mod tests;
