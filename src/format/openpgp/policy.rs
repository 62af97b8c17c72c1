//! What is too weak, too old, or not understood: the rules that the library leaves to its users. Touches nothing.
//!
//! RFC 9580, sections 5.2.3.7 (critical subpackets), 9 (algorithms) and 12 (how weak is too weak).

use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SubpacketData};
use pgp::ser::Serialize;
use pgp::types::{EcdsaPublicParams, EddsaLegacyPublicParams, KeyDetails, KeyVersion, PublicParams};

use super::certificate::created;

/// How far ahead of ours a signer's clock may be, in seconds.
pub(crate) const SKEW: u64 = 600;

/// The smallest RSA key believed, in bits.
const RSA_BITS: u16 = 2048;

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

/// Demands a digest that nobody can forge: at least 256 bits of SHA-2 or SHA-3. Returns the name of a weaker one.
pub(crate) fn digest(signature: &Signature) -> Result<(), String> {
    use HashAlgorithm::{Sha3_256, Sha3_512, Sha256, Sha384, Sha512};
    match signature.hash_alg() {
        Some(Sha256 | Sha384 | Sha512 | Sha3_256 | Sha3_512) => Ok(()),
        Some(other) => Err(other.to_string()),
        None => Err("unknown".to_owned()),
    }
}

/// Demands a key of 2048 bits of RSA or more, or on a curve of a NIST or Edwards kind.
pub(crate) fn key(key: &impl KeyDetails) -> Result<(), Flaw> {
    use PublicParams::{ECDSA, Ed448, Ed25519, EdDSALegacy, RSA};
    if !matches!(key.version(), KeyVersion::V4 | KeyVersion::V6) {
        return Err(Flaw::WeakKey("a key of version 2 or 3 is named by an MD5 digest".to_owned()));
    }
    match key.public_params() {
        RSA(params) => rsa(&params.to_bytes().unwrap_or_default()),
        Ed25519(_) | Ed448(_) | EdDSALegacy(EddsaLegacyPublicParams::Ed25519 { .. }) => Ok(()),
        ECDSA(EcdsaPublicParams::P256 { .. } | EcdsaPublicParams::P384 { .. } | EcdsaPublicParams::P521 { .. }) => {
            Ok(())
        }
        _ => Err(Flaw::WeakKey(format!("{:?} keys are not believed", key.algorithm()))),
    }
}

/// Takes the length of the modulus from its written form, which begins with it (section 3.2).
fn rsa(params: &[u8]) -> Result<(), Flaw> {
    let bits = params.first_chunk().map_or(0, |bits| u16::from_be_bytes(*bits));
    if bits < RSA_BITS { Err(Flaw::WeakKey(format!("RSA of {bits} bits"))) } else { Ok(()) }
}

/// Tells whether a signature is neither from the future nor expired, by its own word.
pub(crate) fn in_force(signature: &Signature, now: u64) -> bool {
    let lasts = signature.signature_expiration_time().map_or(0, |lasts| u64::from(lasts.as_secs()));
    let is_begun = |when: u64| when <= now.saturating_add(SKEW);
    created(signature).is_some_and(|when| is_begun(when) && (lasts == 0 || now < when + lasts))
}

/// Tells whether everything that a signature calls critical is something that we act upon.
pub(crate) fn understood(signature: &Signature) -> bool {
    use SubpacketData::*;
    let packets = signature.config().into_iter().flat_map(|config| config.hashed_subpackets());
    packets.filter(|packet| packet.is_critical).all(|packet| {
        matches!(
            packet.data,
            SignatureCreationTime(_)
                | SignatureExpirationTime(_)
                | KeyExpirationTime(_)
                | IssuerKeyId(_)
                | IssuerFingerprint(_)
                | KeyFlags(_)
                | IsPrimary(_)
                | RevocationKey(_)
                | RevocationReason(..)
                | EmbeddedSignature(_)
                | SignersUserID(_)
                // What others are asked to prefer when they write to the key: we write to nobody.
                | Features(_)
                | PreferredSymmetricAlgorithms(_)
                | PreferredHashAlgorithms(_)
                | PreferredCompressionAlgorithms(_)
                | PreferredAeadAlgorithms(_)
                | KeyServerPreferences(_)
        )
    })
}
