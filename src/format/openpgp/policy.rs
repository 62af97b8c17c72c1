//! What is too weak, too old, or not understood. Touches nothing.
//!
//! RFC 9580, sections 5.2.3.7 (critical subpackets), 9 (algorithms) and 12 (how weak is too weak).

use super::algorithm::{self, Material};
use super::packet::{Key, Signature, sub};

/// How far ahead of ours a signer's clock may be, in seconds.
pub(crate) const SKEW: u64 = 600;

/// The sizes of an RSA key that are believed, in bits; what is larger is not computed.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Why a key is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Flaw {
    #[error("the key is too weak: {0}")]
    WeakKey(String),
    #[error("the key's own signature on itself has a weak digest")]
    WeakSelf,
    #[error("the key is revoked")]
    Revoked { when: Option<u64>, is_soft: bool },
    #[error("the key had expired when it signed")]
    SignedAfterEnd { when: u64 },
    #[error("the key has expired since it signed")]
    EndedSince { when: u64 },
    #[error("the key did not exist yet when it signed")]
    BeforeKey { born: u64 },
    #[error("the key has no valid signature on itself")]
    NoSelf,
    #[error("the key's own signature on itself has a critical part that is not understood")]
    NotUnderstood,
    #[error("the subkey is not bound to its primary key from both sides")]
    NotBound,
    #[error("the key is not meant for signing")]
    NotForSigning,
}

/// Demands a digest that nobody can forge: SHA-2 of at least 256 bits. Returns the name of another one.
pub(crate) fn digest(signature: &Signature) -> Result<(), &'static str> {
    // SHA-256, SHA-384 and SHA-512 (section 9.5).
    if matches!(signature.digest, 8..=10) { Ok(()) } else { Err(algorithm::digest_name(signature.digest)) }
}

/// Demands a key of 2048 bits of RSA or more, or on a curve of a NIST or Edwards kind.
pub(crate) fn key(key: &Key) -> Result<(), Flaw> {
    let Material::Rsa { n, .. } = &key.material else {
        return match key.material {
            Material::Other => Err(Flaw::WeakKey(format!("{} keys are not believed", algorithm::name(key.algorithm)))),
            _ => Ok(()),
        };
    };
    let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
    if RSA_BITS.contains(&bits) { Ok(()) } else { Err(Flaw::WeakKey(format!("RSA of {bits} bits"))) }
}

/// Returns whether a signature is neither from the future nor expired, by its own word.
pub(crate) fn in_force(signature: &Signature, now: u64) -> bool {
    let lasts = signature.seconds(sub::EXPIRES).unwrap_or(0);
    let is_begun = |when: u64| when <= now.saturating_add(SKEW);
    signature.created().is_some_and(|when| is_begun(when) && (lasts == 0 || now < when + lasts))
}

/// What we act upon where a signature calls it critical.
const UNDERSTOOD: [u8; 9] = [
    sub::CREATED,
    sub::EXPIRES,
    sub::KEY_EXPIRES,
    sub::REVOKER,
    sub::ISSUER,
    sub::FLAGS,
    sub::REASON,
    sub::EMBEDDED,
    sub::FINGERPRINT,
];

/// What says nothing to us, critical or not: the primary user id, the signer's user id, and what others are asked to
/// prefer when they write to the key (ciphers, digests, compression, key server, features, modes).
const PASSED_OVER: [u8; 8] = [25, 28, 11, 21, 22, 23, 30, 39];

/// Returns whether everything that a signature calls critical is something that we act upon.
pub(crate) fn understood(signature: &Signature) -> bool {
    let is_known = |kind| UNDERSTOOD.contains(kind) || PASSED_OVER.contains(kind);
    signature.hashed.iter().all(|it| !it.is_critical || is_known(&it.kind))
}
