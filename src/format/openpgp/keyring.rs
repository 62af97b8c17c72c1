//! The keys a user trusts, read from a file the user named: binary or armoured, any number. Touches nothing.
//!
//! Format: RFC 9580, section 10.1. A packet that cannot be read refuses the whole file: it may have been a revocation.
//! Read next: `certificate`.

use std::collections::BTreeMap;

use crate::base::text::one_line;
use crate::base::{Code, Diagnostic};

use super::armour::{self, FrameError};
use super::certificate::{Certificate, Maker};
use super::packet::{self, Key, Signature, kind, tag};

/// The largest keyring file read.
pub(crate) const MAX_LENGTH: usize = 4 << 20;
/// How many certificates a keyring may hold.
pub(crate) const MAX_CERTIFICATES: usize = 256;
/// How many packets a keyring file may hold: a well-known key collects thousands of strangers' signatures.
const MAX_PACKETS: usize = 32 << 10;

/// Keys that the user trusts, by fingerprint.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keyring {
    certificates: BTreeMap<String, Certificate>,
}

/// Why a keyring file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyringError {
    #[error("it has {0} bytes, a keyring has at most {MAX_LENGTH}")]
    TooLong(usize),
    #[error("{0}")]
    Armour(FrameError),
    #[error("it holds no certificate")]
    Empty,
    #[error("it holds more than {MAX_CERTIFICATES} certificates")]
    TooMany,
    #[error("it holds more than {0} packets")]
    TooManyPackets(usize),
    #[error("it holds a secret key, which has no business there")]
    Secret,
    #[error("its packet {0} cannot be read")]
    Packet(usize),
    #[error("its packet {0} does not belong there")]
    Stray(usize),
}

impl Keyring {
    /// Reads every certificate of a file: binary (`gpg --export`), or armoured, any number concatenated.
    ///
    /// Copies of one certificate become one that has the signatures of all, revocations too.
    ///
    /// # Errors
    /// `E_SIG_KEY` where anything in it cannot be read, naming `file`.
    pub(crate) fn parse(bytes: &[u8], file: &str) -> Result<Self, Diagnostic> {
        read(bytes).map_err(|error| {
            Diagnostic::new(Code::SigKey, format!("cannot use the keyring `{}`: {error}", one_line(file, 200)))
                .hint("export the publisher's key alone: gpg --armor --export FINGERPRINT")
        })
    }

    /// Adds the certificates of another keyring.
    pub(crate) fn extend(&mut self, other: Self) {
        for certificate in other.certificates.into_values() {
            self.add(certificate);
        }
    }

    /// Returns whether there is no certificate.
    pub(crate) fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }

    /// Lists (fingerprint in upper-case hex, first user id made fit to show) of each certificate, sorted.
    pub(crate) fn list(&self) -> Vec<(String, String)> {
        let shown = |it: &Certificate| one_line(&it.first_user(), 100);
        self.certificates.iter().map(|(fingerprint, it)| (fingerprint.clone(), shown(it))).collect()
    }

    /// Finds the keys that a signature says it was made by.
    pub(crate) fn makers(&self, signature: &Signature) -> Vec<(&Certificate, Maker<'_>)> {
        let of = |certificate| Certificate::makers(certificate, signature).into_iter().map(move |it| (certificate, it));
        self.certificates.values().flat_map(of).collect()
    }

    fn add(&mut self, certificate: Certificate) {
        let known = self.certificates.entry(certificate.fingerprint());
        known.or_insert_with(|| Certificate::new(certificate.primary.clone())).merge(certificate);
    }
}

fn read(bytes: &[u8]) -> Result<Keyring, KeyringError> {
    if bytes.len() > MAX_LENGTH {
        return Err(KeyringError::TooLong(bytes.len()));
    }
    let blocks = match armour::is_binary(bytes) {
        true => vec![bytes.to_vec()],
        false => armour::every(bytes, "PUBLIC KEY BLOCK").map_err(KeyringError::Armour)?,
    };
    let mut keyring = Keyring::default();
    let mut certificates = vec![];
    for block in blocks {
        let mut reading = Reading::default();
        packets(&block, MAX_PACKETS)?.into_iter().try_for_each(|packet| reading.take(packet))?;
        certificates.append(&mut reading.certificates);
        if certificates.len() > MAX_CERTIFICATES {
            return Err(KeyringError::TooMany);
        }
    }
    certificates.into_iter().for_each(|certificate| keyring.add(certificate));
    if keyring.is_empty() { Err(KeyringError::Empty) } else { Ok(keyring) }
}

/// A packet's number, its tag, and its body where that can be read.
pub(crate) type Numbered<'a> = (usize, u8, Option<&'a [u8]>);

/// Reads packets one after the other, to the first that cannot be read.
pub(crate) fn packets(mut bytes: &[u8], limit: usize) -> Result<Vec<Numbered<'_>>, KeyringError> {
    let mut all = vec![];
    while !bytes.is_empty() {
        let number = all.len() + 1;
        if number > limit {
            return Err(KeyringError::TooManyPackets(limit));
        }
        let (tag, body) = packet::next(&mut bytes).ok_or(KeyringError::Packet(number))?;
        all.push((number, tag, body));
        if body.is_none() {
            break;
        }
    }
    Ok(all)
}

/// A keyring half read: to what the next signature belongs.
#[derive(Default)]
struct Reading {
    certificates: Vec<Certificate>,
    part: Part,
}

#[derive(Default, Clone, Copy)]
enum Part {
    #[default]
    Primary,
    User,
    /// A picture, say: what is signed there says nothing of interest.
    Other,
    Subkey,
}

impl Reading {
    fn take(&mut self, (number, tag, body): Numbered<'_>) -> Result<(), KeyringError> {
        let body = body.ok_or(KeyringError::Packet(number))?;
        let key = || Key::parse(body).ok_or(KeyringError::Packet(number));
        match tag {
            tag::PUBLIC_KEY => {
                self.certificates.push(Certificate::new(key()?));
                self.part = Part::Primary;
                return Ok(());
            }
            tag::SECRET_KEY | tag::SECRET_SUBKEY => return Err(KeyringError::Secret),
            tag::TRUST | tag::MARKER | tag::PADDING => return Ok(()),
            _ => {}
        }
        let certificate = self.certificates.last_mut().ok_or(KeyringError::Stray(number))?;
        match tag {
            tag::USER_ID => {
                certificate.users.push((body.to_vec(), vec![]));
                self.part = Part::User;
            }
            tag::USER_ATTRIBUTE => self.part = Part::Other,
            tag::PUBLIC_SUBKEY => {
                certificate.subkeys.push((key()?, vec![]));
                self.part = Part::Subkey;
            }
            tag::SIGNATURE => {
                let signature = Signature::parse(body).ok_or(KeyringError::Packet(number))?;
                attach(certificate, self.part, signature);
            }
            _ => return Err(KeyringError::Stray(number)),
        }
        Ok(())
    }
}

/// Keeps a signature with what it is about; a revocation counts wherever it stands, as where two files were joined.
fn attach(certificate: &mut Certificate, part: Part, signature: Signature) {
    let signatures = match part {
        _ if signature.kind == Some(kind::KEY_REVOCATION) => Some(&mut certificate.direct),
        Part::User | Part::Other if signature.kind == Some(kind::SUBKEY_REVOCATION) => Some(&mut certificate.direct),
        Part::Primary => Some(&mut certificate.direct),
        Part::User => certificate.users.last_mut().map(|(_, all)| all),
        Part::Subkey => certificate.subkeys.last_mut().map(|(_, all)| all),
        Part::Other => None,
    };
    if let Some(all) = signatures {
        all.push(signature);
    }
}
