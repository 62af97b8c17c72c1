//! The arithmetic of signatures: digests, RSA, ECDSA and EdDSA, by `ring` and the NIST curves' crates. Touches nothing.
//!
//! RFC 9580, section 9 (numbers of algorithms) and 5.2.3 (how each signs). Whether one is strong enough is `policy`'s to
//! say; those that nobody may use any more are here only so that a key's own old signatures can be told from forged ones.

use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use ring::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, SHA512};
use ring::signature::{self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey};

pub(crate) const RSA: u8 = 1;
pub(crate) const RSA_SIGN: u8 = 3;
pub(crate) const DSA: u8 = 17;
pub(crate) const ECDSA: u8 = 19;
/// Of the drafts before RFC 9580, and what everybody writes.
pub(crate) const EDDSA: u8 = 22;
pub(crate) const ED25519: u8 = 27;

/// The curves that are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
    P521,
    Ed25519,
}

impl Curve {
    /// Finds a curve by its object identifier (section 9.2).
    pub(crate) fn of(identifier: &[u8]) -> Option<Self> {
        match identifier {
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07] => Some(Self::P256),
            [0x2b, 0x81, 0x04, 0x00, 0x22] => Some(Self::P384),
            [0x2b, 0x81, 0x04, 0x00, 0x23] => Some(Self::P521),
            [0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01] => Some(Self::Ed25519),
            _ => None,
        }
    }
}

/// The numbers of a public key.
#[derive(Debug, Clone)]
pub(crate) enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    Ed25519(Vec<u8>),
    /// A point in the form of SEC 1.
    Ecdsa(Curve, Vec<u8>),
    /// Of an algorithm or curve that is never believed.
    Other,
}

/// Names a key's algorithm.
pub(crate) fn name(algorithm: u8) -> &'static str {
    match algorithm {
        1..=3 => "RSA",
        16 | 20 => "Elgamal",
        DSA => "DSA",
        18 => "ECDH",
        ECDSA => "ECDSA",
        EDDSA => "EdDSA",
        ED25519 => "Ed25519",
        28 => "Ed448",
        _ => "unknown",
    }
}

/// Names a digest.
pub(crate) fn digest_name(digest: u8) -> &'static str {
    match digest {
        1 => "MD5",
        2 => "SHA1",
        3 => "RIPEMD160",
        8 => "SHA256",
        9 => "SHA384",
        10 => "SHA512",
        11 => "SHA224",
        12 => "SHA3-256",
        14 => "SHA3-512",
        _ => "unknown",
    }
}

/// A digest that can be computed, and what RSA calls it.
fn known(digest: u8) -> Option<(&'static digest::Algorithm, &'static RsaParameters)> {
    match digest {
        2 => Some((&SHA1_FOR_LEGACY_USE_ONLY, &signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY)),
        8 => Some((&SHA256, &signature::RSA_PKCS1_2048_8192_SHA256)),
        9 => Some((&SHA384, &signature::RSA_PKCS1_2048_8192_SHA384)),
        10 => Some((&SHA512, &signature::RSA_PKCS1_2048_8192_SHA512)),
        _ => None,
    }
}

/// Computes a digest; `None` where it is not known here.
pub(crate) fn digest(digest: u8, message: &[u8]) -> Option<Vec<u8>> {
    known(digest).map(|(algorithm, _)| digest::digest(algorithm, message).as_ref().to_vec())
}

/// Computes the name of a key of version 4 or 6 (section 5.5.4).
pub(crate) fn fingerprint(version: u8, key: &[u8]) -> Vec<u8> {
    let algorithm = if version == 6 { &SHA256 } else { &SHA1_FOR_LEGACY_USE_ONLY };
    digest::digest(algorithm, key).as_ref().to_vec()
}

/// How much salt a signature of version 6 has (section 9.5).
pub(crate) fn salt_length(digest: u8) -> Option<usize> {
    match digest {
        8 | 11 | 12 => Some(16),
        9 => Some(24),
        10 | 14 => Some(32),
        _ => None,
    }
}

/// Returns whether `values` are a key's signature over a message, of which `digest` is the digest.
pub(crate) fn verify(key: &Material, by: u8, message: &[u8], digest: &[u8], values: &[Vec<u8>]) -> bool {
    match (key, values) {
        (Material::Rsa { n, e }, [value]) => {
            let Some(((_, parameters), value)) = known(by).zip(padded(value, n.len())) else { return false };
            RsaPublicKeyComponents { n, e }.verify(parameters, message, &value).is_ok()
        }
        (Material::Ed25519(key), [value]) => {
            UnparsedPublicKey::new(&signature::ED25519, key).verify(digest, value).is_ok()
        }
        (Material::Ed25519(_), [r, s]) => {
            joined(r, s, 32).is_some_and(|value| verify(key, by, message, digest, &[value]))
        }
        (Material::Ecdsa(curve, point), [r, s]) => ecdsa(*curve, point, r, s, digest).is_some(),
        _ => false,
    }
}

/// Demands a good ECDSA signature by a digest that is not shorter than the curve (section 5.2.3.2).
fn ecdsa(curve: Curve, point: &[u8], r: &[u8], s: &[u8], digest: &[u8]) -> Option<()> {
    macro_rules! check {
        ($curve:ident, $octets:literal, $digest:literal) => {{
            let key = $curve::ecdsa::VerifyingKey::from_sec1_bytes(point).ok()?;
            let signature = $curve::ecdsa::Signature::from_slice(&joined(r, s, $octets)?).ok()?;
            (digest.len() >= $digest).then(|| key.verify_prehash(digest, &signature).ok())?
        }};
    }
    match curve {
        Curve::P256 => check!(p256, 32, 32),
        Curve::P384 => check!(p384, 48, 48),
        Curve::P521 => check!(p521, 66, 64),
        Curve::Ed25519 => None,
    }
}

/// Writes two numbers one after the other, each in `octets` octets.
fn joined(r: &[u8], s: &[u8], octets: usize) -> Option<Vec<u8>> {
    Some([padded(r, octets)?, padded(s, octets)?].concat())
}

/// Puts zeros before a number; `None` where it is longer.
fn padded(number: &[u8], octets: usize) -> Option<Vec<u8>> {
    let zeros = octets.checked_sub(number.len())?;
    Some([&vec![0; zeros], number].concat())
}
