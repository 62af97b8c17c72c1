//! The keys a user trusts, read from a file the user named: binary or armoured, any number. Touches nothing.
//!
//! Format: RFC 9580, section 10.1. A packet that cannot be read refuses the whole file: it may have been a revocation.
//! Read next: `certificate`.

use std::collections::BTreeMap;

use pgp::packet::{Packet, PacketHeader, Signature};
use pgp::types::Tag;

use crate::base::text::one_line;
use crate::base::{Code, Diagnostic};

use super::armour::{self, ArmourError};
use super::certificate::{Certificate, Maker};

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
    Armour(ArmourError),
    #[error("it holds no certificate")]
    Empty,
    #[error("it holds more than {MAX_CERTIFICATES} certificates")]
    TooMany,
    #[error("it holds more than {MAX_PACKETS} packets")]
    TooManyPackets,
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

    /// Tells whether there is no certificate.
    pub(crate) fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }

    /// Lists (fingerprint in upper-case hex, first user id made fit to show) of each certificate, sorted.
    pub(crate) fn list(&self) -> Vec<(String, String)> {
        let shown = |it: &Certificate| one_line(&it.first_user(), 100);
        self.certificates.iter().map(|(fingerprint, it)| (fingerprint.clone(), shown(it))).collect()
    }

    /// Finds the keys that a signature says it was made by.
    pub(super) fn makers(&self, signature: &Signature) -> Vec<(&Certificate, Maker<'_>)> {
        let of = |certificate| Certificate::makers(certificate, signature).into_iter().map(move |it| (certificate, it));
        self.certificates.values().flat_map(of).collect()
    }

    fn add(&mut self, certificate: Certificate) {
        let fingerprint = certificate.fingerprint();
        match self.certificates.get_mut(&fingerprint) {
            Some(known) => known.merge(certificate),
            None => {
                self.certificates.insert(fingerprint, certificate);
            }
        }
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
        for packet in packets(&block, None, MAX_PACKETS) {
            reading.take(packet?)?;
        }
        certificates.append(&mut reading.certificates);
        if certificates.len() > MAX_CERTIFICATES {
            return Err(KeyringError::TooMany);
        }
    }
    certificates.into_iter().for_each(|certificate| keyring.add(certificate));
    if keyring.is_empty() { Err(KeyringError::Empty) } else { Ok(keyring) }
}

/// Reads packets one after the other, each of a definite length and read to its last octet.
///
/// The library's own reader takes a file that ends inside a header for one that ends before it.
pub(super) fn packets(
    mut bytes: &[u8],
    only: Option<Tag>,
    limit: usize,
) -> impl Iterator<Item = Result<(usize, Packet), KeyringError>> {
    let mut count = 0;
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        count += 1;
        let read = if count > limit { Err(KeyringError::TooManyPackets) } else { packet(&mut bytes, only, count) };
        if read.is_err() {
            bytes = &[];
        }
        Some(read.map(|packet| (count, packet)))
    })
}

fn packet(bytes: &mut &[u8], only: Option<Tag>, number: usize) -> Result<Packet, KeyringError> {
    let unreadable = || KeyringError::Packet(number);
    let header = PacketHeader::try_from_reader(&mut *bytes).map_err(|_| unreadable())?;
    if only.is_some_and(|tag| header.tag() != tag) {
        return Err(KeyringError::Stray(number));
    }
    let length = header.packet_length().maybe_len().ok_or_else(unreadable)?;
    let length = usize::try_from(length).map_err(|_| unreadable())?;
    let (mut body, rest) = bytes.split_at_checked(length).ok_or_else(unreadable)?;
    let packet = Packet::from_reader(header, &mut body).map_err(|_| unreadable())?;
    *bytes = rest;
    Ok(packet)
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
    fn take(&mut self, (number, packet): (usize, Packet)) -> Result<(), KeyringError> {
        match packet {
            Packet::PublicKey(primary) => {
                let certificate = Certificate { primary, direct: vec![], users: vec![], subkeys: vec![] };
                self.certificates.push(certificate);
                self.part = Part::Primary;
                return Ok(());
            }
            Packet::SecretKey(_) | Packet::SecretSubkey(_) => return Err(KeyringError::Secret),
            Packet::Trust(_) | Packet::Marker(_) | Packet::Padding(_) => return Ok(()),
            _ => {}
        }
        let certificate = self.certificates.last_mut().ok_or(KeyringError::Stray(number))?;
        match packet {
            Packet::UserId(id) => {
                certificate.users.push((id, vec![]));
                self.part = Part::User;
            }
            Packet::UserAttribute(_) => self.part = Part::Other,
            Packet::PublicSubkey(key) => {
                certificate.subkeys.push((key, vec![]));
                self.part = Part::Subkey;
            }
            Packet::Signature(signature) => attach(certificate, self.part, signature),
            _ => return Err(KeyringError::Stray(number)),
        }
        Ok(())
    }
}

fn attach(certificate: &mut Certificate, part: Part, signature: Signature) {
    let signatures = match part {
        Part::Primary => Some(&mut certificate.direct),
        Part::User => certificate.users.last_mut().map(|(_, all)| all),
        Part::Subkey => certificate.subkeys.last_mut().map(|(_, all)| all),
        Part::Other => None,
    };
    signatures.into_iter().for_each(|all| all.push(signature.clone()));
}
