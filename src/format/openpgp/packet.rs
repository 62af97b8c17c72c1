//! OpenPGP packets: public keys, user ids and signatures, read from bytes. Touches nothing.
//!
//! Format: RFC 9580, sections 3.2 (numbers), 4.2 (headers), 5.2 (signatures) and 5.5.2 (public keys). Read is what
//! `certificate` asks for, strictly: `None` stands for bytes that are not what they should be. Nothing is believed here.
//! Read next: `algorithm`, the arithmetic; `policy`, what is too weak.

use super::algorithm::{self, Curve, Material};

/// Types of packet (section 5).
pub(crate) mod tag {
    pub(crate) const SIGNATURE: u8 = 2;
    pub(crate) const SECRET_KEY: u8 = 5;
    pub(crate) const PUBLIC_KEY: u8 = 6;
    pub(crate) const SECRET_SUBKEY: u8 = 7;
    pub(crate) const MARKER: u8 = 10;
    pub(crate) const TRUST: u8 = 12;
    pub(crate) const USER_ID: u8 = 13;
    pub(crate) const PUBLIC_SUBKEY: u8 = 14;
    pub(crate) const USER_ATTRIBUTE: u8 = 17;
    pub(crate) const PADDING: u8 = 21;
}

/// Types of signature (section 5.2.1).
pub(crate) mod kind {
    pub(crate) const BINARY: u8 = 0x00;
    pub(crate) const TEXT: u8 = 0x01;
    pub(crate) const SUBKEY_BINDING: u8 = 0x18;
    pub(crate) const PRIMARY_BINDING: u8 = 0x19;
    pub(crate) const DIRECT: u8 = 0x1f;
    pub(crate) const KEY_REVOCATION: u8 = 0x20;
    pub(crate) const SUBKEY_REVOCATION: u8 = 0x28;
    pub(crate) const CERTIFICATION_REVOCATION: u8 = 0x30;
}

/// Types of subpacket that are read (section 5.2.3.7).
pub(crate) mod sub {
    pub(crate) const CREATED: u8 = 2;
    pub(crate) const EXPIRES: u8 = 3;
    pub(crate) const KEY_EXPIRES: u8 = 9;
    pub(crate) const REVOKER: u8 = 12;
    pub(crate) const ISSUER: u8 = 16;
    pub(crate) const FLAGS: u8 = 27;
    pub(crate) const REASON: u8 = 29;
    pub(crate) const EMBEDDED: u8 = 32;
    pub(crate) const FINGERPRINT: u8 = 33;
}

/// The bytes that are left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// Reads a big-endian number of up to four octets.
    fn number(&mut self, octets: usize) -> Option<usize> {
        Some(self.take(octets)?.iter().fold(0, |number, octet| number << 8 | usize::from(*octet)))
    }

    fn octet(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    /// Reads a multiprecision integer, without zeros in front.
    fn integer(&mut self) -> Option<Vec<u8>> {
        let bits = self.number(2)?;
        let octets = self.take(bits.div_ceil(8))?;
        Some(octets.iter().copied().skip_while(|octet| *octet == 0).collect())
    }

    /// Reads the length of a packet or subpacket; `two` is the last first octet of a length of two.
    fn length(&mut self, two: u8) -> Option<usize> {
        match self.octet()? {
            first @ ..192 => Some(usize::from(first)),
            first if first <= two => Some((usize::from(first - 192) << 8) + self.number(1)? + 192),
            255 => self.number(4),
            // A part of a packet, which only data may come in.
            _ => None,
        }
    }

    /// Demands that everything was read.
    fn ended(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// Takes the first packet off `bytes`: its tag, and its body where that has a definite length and is whole.
pub(crate) fn next<'a>(bytes: &mut &'a [u8]) -> Option<(u8, Option<&'a [u8]>)> {
    let mut reader = Reader(bytes);
    let first = reader.octet()?;
    let (tag, length) = match first >> 6 {
        0b11 => (first & 0x3f, reader.length(223)),
        0b10 => {
            let octets = [1, 2, 4].get(usize::from(first & 3));
            (first >> 2 & 0xf, octets.and_then(|octets| reader.number(*octets)))
        }
        _ => return None,
    };
    let body = length.and_then(|length| reader.take(length));
    *bytes = reader.0;
    Some((tag, body))
}

/// A public key or subkey, of version 4 or 6.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub version: u8,
    /// Seconds since 1970.
    pub created: u64,
    pub algorithm: u8,
    pub material: Material,
    pub fingerprint: Vec<u8>,
    /// What a signature on the key is made over.
    pub hashed: Vec<u8>,
}

impl Key {
    /// Reads the body of a key's packet.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let mut reader = Reader(body);
        let version = reader.octet()?;
        let created = reader.number(4)? as u64;
        let algorithm = reader.octet()?;
        let hashed = match version {
            4 => [&[0x99][..], &u16::try_from(body.len()).ok()?.to_be_bytes(), body].concat(),
            6 => [&[0x9b][..], &u32::try_from(body.len()).ok()?.to_be_bytes(), body].concat(),
            _ => return None,
        };
        if version == 6 && reader.number(4)? != reader.0.len() {
            return None;
        }
        let fingerprint = algorithm::fingerprint(version, &hashed);
        Some(Self { version, created, algorithm, material: material(algorithm, reader)?, fingerprint, hashed })
    }

    /// The short name of the key, of eight octets (section 5.5.4).
    pub(crate) fn id(&self) -> &[u8] {
        let (first, last) = (self.fingerprint.first_chunk::<8>(), self.fingerprint.last_chunk::<8>());
        if self.version == 6 { first } else { last }.map_or(&[], |id| id)
    }
}

/// Reads the numbers of a key (section 5.5.5); those of an algorithm that is never believed are passed over.
fn material(algorithm: u8, mut reader: Reader<'_>) -> Option<Material> {
    let material = match algorithm {
        algorithm::RSA | algorithm::RSA_SIGN => Material::Rsa { n: reader.integer()?, e: reader.integer()? },
        algorithm::ED25519 => Material::Ed25519(reader.take(32)?.to_vec()),
        algorithm::ECDSA | algorithm::EDDSA => {
            let length = reader.number(1)?;
            let curve = Curve::of(reader.take(length)?);
            let point = reader.integer()?;
            match (algorithm, curve, point.split_first()) {
                (algorithm::EDDSA, Some(Curve::Ed25519), Some((0x40, key))) => Material::Ed25519(key.to_vec()),
                (algorithm::EDDSA, Some(Curve::Ed25519), _) => return None,
                (algorithm::ECDSA, Some(curve), _) if curve != Curve::Ed25519 => Material::Ecdsa(curve, point),
                _ => Material::Other,
            }
        }
        _ => return Some(Material::Other),
    };
    reader.ended()?;
    Some(material)
}

/// One statement inside a signature.
#[derive(Debug, Clone)]
pub(crate) struct Subpacket {
    pub kind: u8,
    pub is_critical: bool,
    pub body: Vec<u8>,
}

/// A signature, of whatever version.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signature {
    pub version: u8,
    /// `None` where the version is not known; then nothing else is either.
    pub kind: Option<u8>,
    pub key_algorithm: u8,
    pub digest: u8,
    /// What the signature protects; what versions 2 and 3 say in fixed fields is here as well.
    pub hashed: Vec<Subpacket>,
    /// What anybody may have written.
    pub unhashed: Vec<Subpacket>,
    /// The signature itself: one or two numbers, or one string of octets.
    pub values: Vec<Vec<u8>>,
    /// Hashed before the document, in version 6.
    salt: Vec<u8>,
    /// Hashed behind the document.
    trailer: Vec<u8>,
    /// The first two octets of the digest.
    start: [u8; 2],
}

impl Signature {
    /// Reads the body of a signature's packet.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let mut reader = Reader(body);
        match reader.octet()? {
            version @ (2 | 3) => Self::old(version, reader),
            version @ (4 | 6) => Self::new(version, reader, body),
            version => Some(Self { version, ..Self::default() }),
        }
    }

    fn old(version: u8, mut reader: Reader<'_>) -> Option<Self> {
        if reader.octet()? != 5 {
            return None;
        }
        let trailer = reader.take(5)?.to_vec();
        let (kind, created) = trailer.split_first()?;
        let known = |kind, body: &[u8]| vec![Subpacket { kind, is_critical: false, body: body.to_vec() }];
        let mut signature = Self {
            version,
            kind: Some(*kind),
            hashed: known(sub::CREATED, created),
            unhashed: known(sub::ISSUER, reader.take(8)?),
            key_algorithm: reader.octet()?,
            digest: reader.octet()?,
            start: *reader.take(2)?.first_chunk()?,
            trailer,
            ..Self::default()
        };
        signature.values = values(signature.key_algorithm, reader)?;
        Some(signature)
    }

    fn new(version: u8, mut reader: Reader<'_>, body: &[u8]) -> Option<Self> {
        let octets = if version == 6 { 4 } else { 2 };
        let [kind, key_algorithm, digest] = *reader.take(3)?.first_chunk()?;
        let length = reader.number(octets)?;
        let hashed = subpackets(reader.take(length)?)?;
        let head = body.get(..body.len() - reader.0.len())?;
        let length = reader.number(octets)?;
        let unhashed = subpackets(reader.take(length)?)?;
        let start = *reader.take(2)?.first_chunk()?;
        let mut salt = vec![];
        if version == 6 {
            let length = reader.number(1)?;
            salt = reader.take(length)?.to_vec();
            if algorithm::salt_length(digest) != Some(salt.len()) {
                return None;
            }
        }
        let trailer = [head, &[version, 0xff], &u32::try_from(head.len()).ok()?.to_be_bytes()].concat();
        let values = values(key_algorithm, reader)?;
        Some(Self { version, kind: Some(kind), key_algorithm, digest, hashed, unhashed, values, salt, trailer, start })
    }

    /// Returns the body of the first protected subpacket of a type.
    pub(crate) fn said(&self, kind: u8) -> Option<&[u8]> {
        self.hashed.iter().find(|it| it.kind == kind).map(|it| it.body.as_slice())
    }

    /// Reads a number of seconds out of the first protected subpacket of a type.
    pub(crate) fn seconds(&self, kind: u8) -> Option<u64> {
        Some(Reader(self.said(kind)?).number(4)? as u64)
    }

    /// When the signature was made, by its maker's word.
    pub(crate) fn created(&self) -> Option<u64> {
        self.seconds(sub::CREATED)
    }

    /// The fingerprints (`sub::FINGERPRINT`) or key ids (`sub::ISSUER`) of the key that is said to have signed. Those
    /// outside the protected part count, for they are only a hint at which key to try.
    pub(crate) fn issuers(&self, kind: u8) -> impl Iterator<Item = &[u8]> {
        let version = usize::from(kind == sub::FINGERPRINT);
        let all = self.hashed.iter().chain(&self.unhashed).filter(move |it| it.kind == kind);
        all.filter_map(move |it| it.body.get(version..))
    }

    /// All fingerprints and key ids of it, the former first.
    pub(crate) fn all_issuers(&self) -> impl Iterator<Item = &[u8]> {
        self.issuers(sub::FINGERPRINT).chain(self.issuers(sub::ISSUER))
    }

    /// The signature inside a signature, by which a subkey says to whom it belongs.
    pub(crate) fn embedded(&self) -> Option<Self> {
        let all = self.hashed.iter().chain(&self.unhashed).find(|it| it.kind == sub::EMBEDDED)?;
        Self::parse(&all.body)
    }

    /// Returns whether a key made this signature over `data`; `None` where the digest is not one that can be computed.
    pub(crate) fn is_by(&self, key: &Key, data: &[&[u8]]) -> Option<bool> {
        let message = [&self.salt, &data.concat()[..], &self.trailer].concat();
        let digest = algorithm::digest(self.digest, &message)?;
        // Keys of version 6 make signatures of version 6 and no others do (section 5.2).
        let is_fit = (key.version == 6) == (self.version == 6) && key.algorithm == self.key_algorithm;
        let is_start = digest.starts_with(&self.start);
        Some(is_fit && is_start && algorithm::verify(&key.material, self.digest, &message, &digest, &self.values))
    }
}

/// Reads what an algorithm makes of a digest (section 5.2.3).
fn values(algorithm: u8, mut reader: Reader<'_>) -> Option<Vec<Vec<u8>>> {
    let values = match algorithm {
        algorithm::RSA | algorithm::RSA_SIGN => vec![reader.integer()?],
        algorithm::DSA | algorithm::ECDSA | algorithm::EDDSA => vec![reader.integer()?, reader.integer()?],
        algorithm::ED25519 => vec![reader.take(64)?.to_vec()],
        _ => return Some(vec![reader.0.to_vec()]),
    };
    reader.ended()?;
    Some(values)
}

fn subpackets(area: &[u8]) -> Option<Vec<Subpacket>> {
    let mut reader = Reader(area);
    let mut all = vec![];
    while reader.ended().is_none() {
        let length = reader.length(254)?;
        let (first, body) = reader.take(length)?.split_first()?;
        let (kind, is_critical) = (first & 0x7f, first & 0x80 != 0);
        let is_well_formed = match kind {
            sub::CREATED | sub::EXPIRES | sub::KEY_EXPIRES => body.len() == 4,
            sub::ISSUER => body.len() == 8,
            sub::REVOKER => body.len() == 22,
            sub::REASON => !body.is_empty(),
            sub::FINGERPRINT => matches!((body.first(), body.len()), (Some(4), 21) | (Some(5 | 6), 33)),
            _ => true,
        };
        if !is_well_formed {
            return None;
        }
        all.push(Subpacket { kind, is_critical, body: body.to_vec() });
    }
    Some(all)
}
