//! A certificate: a primary key, its user ids and subkeys, and what their signatures say about them. Touches nothing.
//!
//! Format: RFC 9580, sections 5.2 and 10.1. Whether a key may be believed at a moment is asked here; whether a
//! signature over a document is, in `verify`. Read next: `policy` (what is too weak, what must be understood).

use super::packet::{Key, Signature, kind, sub};
use super::policy::{self, Flaw};

/// A signature says in bits what a key is for; this bit is for signing data (section 5.2.3.29).
const FOR_SIGNING: u8 = 0x02;

/// One certificate as read, nothing of it checked yet.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    pub primary: Key,
    /// Signatures directly on the primary key: statements and revocations.
    pub direct: Vec<Signature>,
    /// User ids, as anybody may have written them.
    pub users: Vec<(Vec<u8>, Vec<Signature>)>,
    pub subkeys: Vec<(Key, Vec<Signature>)>,
}

/// Which key of a certificate made a signature.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Maker<'a> {
    Primary,
    Subkey(&'a Key, &'a [Signature]),
}

/// The moments that matter: when a document was signed, and now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moments {
    pub signed: u64,
    pub now: u64,
}

impl<'a> Maker<'a> {
    /// Returns the key itself.
    pub(crate) fn key(self, of: &'a Certificate) -> &'a Key {
        match self {
            Self::Primary => &of.primary,
            Self::Subkey(key, _) => key,
        }
    }
}

impl Certificate {
    /// Begins a certificate that says nothing yet.
    pub(crate) fn new(primary: Key) -> Self {
        Self { primary, direct: vec![], users: vec![], subkeys: vec![] }
    }

    /// Returns the fingerprint of the primary key, upper-case hex.
    pub(crate) fn fingerprint(&self) -> String {
        hex(&self.primary.fingerprint)
    }

    /// Returns the first user id, as anybody may have written it: unchecked and unsanitised.
    pub(crate) fn first_user(&self) -> String {
        self.users.first().map(|(id, _)| String::from_utf8_lossy(id).into_owned()).unwrap_or_default()
    }

    /// Adds what another copy of the same certificate holds: a revocation in either copy must count.
    pub(crate) fn merge(&mut self, other: Self) {
        self.direct.extend(other.direct);
        for (id, signatures) in other.users {
            match self.users.iter_mut().find(|(known, _)| *known == id) {
                Some((_, all)) => all.extend(signatures),
                None => self.users.push((id, signatures)),
            }
        }
        for (key, signatures) in other.subkeys {
            match self.subkeys.iter_mut().find(|(known, _)| known.fingerprint == key.fingerprint) {
                Some((_, all)) => all.extend(signatures),
                None => self.subkeys.push((key, signatures)),
            }
        }
    }

    /// Finds the keys that a signature says it was made by.
    pub(crate) fn makers(&self, signature: &Signature) -> Vec<Maker<'_>> {
        let primary = names(signature, &self.primary).then_some(Maker::Primary);
        let subkeys = self.subkeys.iter().filter(|(key, _)| names(signature, key));
        primary.into_iter().chain(subkeys.map(|(key, all)| Maker::Subkey(key, all))).collect()
    }

    /// Demands that the maker could be believed when it signed, and still can.
    ///
    /// Returns the user id that the newest self-signature speaks for, empty where it speaks for the key alone.
    pub(crate) fn believe(&self, maker: Maker<'_>, at: Moments) -> Result<String, Flaw> {
        policy::key(&self.primary)?;
        self.revoked(at)?;
        let (statement, user) = self.statement(at)?;
        sound(statement)?;
        alive(&self.primary, statement, at)?;
        match maker {
            Maker::Primary if is_for_signing(statement) => {}
            Maker::Primary => return Err(Flaw::NotForSigning),
            Maker::Subkey(key, signatures) => self.believe_subkey(key, signatures, at)?,
        }
        Ok(user)
    }

    /// The newest thing the owner says about the whole key; where two are as new, the one that ends sooner.
    ///
    /// One that is weak or not understood is not passed over here: an older one would then speak where its owner has said something else.
    fn statement(&self, at: Moments) -> Result<(&Signature, String), Flaw> {
        let direct = self.direct.iter().filter(|it| it.kind == Some(kind::DIRECT) && self.is_own(it, &[]));
        let direct = direct.map(|it| (it, String::new()));
        let users = self.users.iter().flat_map(|(id, all)| self.certifications(id, all));
        let all = direct.chain(users).filter(|(it, _)| policy::in_force(it, at.now) && it.said(sub::FLAGS).is_some());
        let rank = |it: &Signature| (it.created(), std::cmp::Reverse(ends(&self.primary, it)));
        all.max_by_key(|(it, user)| (rank(it), !user.is_empty())).ok_or(Flaw::NoSelf)
    }

    /// Returns the owner's certifications of a user id; none where one of its revocations is as new as the newest.
    fn certifications<'a>(&'a self, id: &'a [u8], all: &'a [Signature]) -> Vec<(&'a Signature, String)> {
        let length = (id.len() as u32).to_be_bytes();
        let own = |it: &&Signature| {
            // What the oldest versions sign is the bare name.
            let head = if it.version < 4 { &[][..] } else { &[0xb4, length[0], length[1], length[2], length[3]] };
            it.kind.is_some_and(|kind| matches!(kind, 0x10..=0x13 | kind::CERTIFICATION_REVOCATION))
                && self.is_own(it, &[head, id])
        };
        let (revocations, own): (Vec<_>, Vec<_>) =
            all.iter().filter(own).partition(|it| it.kind == Some(kind::CERTIFICATION_REVOCATION));
        let newest = |all: &[&Signature]| all.iter().map(|it| it.created()).max();
        if newest(&revocations).is_some_and(|revoked| Some(revoked) >= newest(&own)) {
            return vec![];
        }
        own.into_iter().map(|it| (it, String::from_utf8_lossy(id).into_owned())).collect()
    }

    /// Returns whether the primary key says something of itself and of what follows it.
    ///
    /// A signature whose digest is so weak that it is not computed here counts: it will be refused, not passed over.
    fn is_own(&self, it: &Signature, rest: &[&[u8]]) -> bool {
        names(it, &self.primary) && self.is_by_primary(it, rest).unwrap_or(true)
    }

    fn is_by_primary(&self, it: &Signature, rest: &[&[u8]]) -> Option<bool> {
        it.is_by(&self.primary, &[&[&self.primary.hashed[..]], rest].concat())
    }

    /// Refuses a key that its owner, or whoever the owner let do so, has revoked.
    fn revoked(&self, at: Moments) -> Result<(), Flaw> {
        let revokers = self.revokers();
        let revocations = self.direct.iter().filter(|it| is_kind(it, kind::KEY_REVOCATION));
        for it in revocations.filter(|it| {
            claims(it, &self.primary) || it.all_issuers().any(|by| revokers.iter().any(|it| it.ends_with(by)))
        }) {
            revocation(it, self.is_by_primary(it, &[]) == Some(true), at)?;
        }
        Ok(())
    }

    /// The fingerprints whose owners may revoke this key (section 5.2.3.23).
    fn revokers(&self) -> Vec<Vec<u8>> {
        let own = self.direct.iter().filter(|it| it.kind == Some(kind::DIRECT) && self.is_own(it, &[]));
        let said = own.flat_map(|it| &it.hashed).filter(|it| it.kind == sub::REVOKER);
        // Two octets say what kind of key it is.
        said.filter_map(|it| it.body.get(2..)).map(<[u8]>::to_vec).collect()
    }

    fn believe_subkey(&self, key: &Key, signatures: &[Signature], at: Moments) -> Result<(), Flaw> {
        // One that stands elsewhere is about this key where it fits it.
        let others = self.subkeys.iter().filter(|(other, _)| other.fingerprint != key.fingerprint);
        let elsewhere = self.direct.iter().chain(others.flat_map(|(_, all)| all));
        let elsewhere = elsewhere.filter(|it| self.is_by_primary(it, &[&key.hashed]) == Some(true));
        for it in signatures.iter().chain(elsewhere).filter(|it| is_kind(it, kind::SUBKEY_REVOCATION)) {
            if claims(it, &self.primary) {
                revocation(it, self.is_by_primary(it, &[&key.hashed]) == Some(true), at)?;
            }
        }
        let bindings = signatures.iter().filter(|it| {
            it.kind == Some(kind::SUBKEY_BINDING) && self.is_own(it, &[&key.hashed]) && policy::in_force(it, at.now)
        });
        let rank = |it: &&Signature| (it.created(), std::cmp::Reverse(ends(key, it)));
        let binding = bindings.max_by_key(rank).ok_or(Flaw::NotBound)?;
        sound(binding)?;
        if !is_for_signing(binding) {
            return Err(Flaw::NotForSigning);
        }
        self.cross_certified(key, binding, at)?;
        alive(key, binding, at)
    }

    /// Demands that a signing subkey wants to belong to this primary key: else a stranger's could be claimed as own.
    fn cross_certified(&self, key: &Key, binding: &Signature, at: Moments) -> Result<(), Flaw> {
        let back = binding.embedded().ok_or(Flaw::NotBound)?;
        let is_good = back.is_by(key, &[&self.primary.hashed, &key.hashed]) == Some(true);
        if back.kind != Some(kind::PRIMARY_BINDING) || !is_good || !policy::in_force(&back, at.now) {
            return Err(Flaw::NotBound);
        }
        sound(&back)
    }
}

/// Demands that what makes a key valid has a strong digest and is understood.
fn sound(own: &Signature) -> Result<(), Flaw> {
    policy::digest(own).map_err(|_| Flaw::WeakSelf)?;
    if policy::understood(own) { Ok(()) } else { Err(Flaw::NotUnderstood) }
}

/// Judges one revocation.
///
/// One that cannot be checked counts as the worst: passing over it would let a flipped bit bring a key back to life.
fn revocation(it: &Signature, is_checked: bool, at: Moments) -> Result<(), Flaw> {
    // Superseded or retired (section 5.2.3.31).
    let is_soft = matches!(it.said(sub::REASON), Some([1 | 3, ..]));
    match it.created() {
        Some(when) if is_checked && is_soft && at.signed < when => Ok(()),
        when => Err(Flaw::Revoked { when, is_soft: is_checked && is_soft }),
    }
}

/// Demands that a key existed when it signed, had not expired, and has not expired since.
fn alive(key: &Key, statement: &Signature, at: Moments) -> Result<(), Flaw> {
    let born = key.created;
    if at.signed < born || born > at.now.saturating_add(policy::SKEW) {
        return Err(Flaw::BeforeKey { born });
    }
    match ends(key, statement) {
        when if when <= at.signed => Err(Flaw::SignedAfterEnd { when }),
        when if when <= at.now => Err(Flaw::EndedSince { when }),
        _ => Ok(()),
    }
}

/// When a key expires by what a self-signature says; `u64::MAX` for never.
fn ends(key: &Key, statement: &Signature) -> u64 {
    match statement.seconds(sub::KEY_EXPIRES) {
        None | Some(0) => u64::MAX,
        Some(lasts) => key.created + lasts,
    }
}

fn is_for_signing(statement: &Signature) -> bool {
    statement.said(sub::FLAGS).and_then(<[u8]>::first).is_some_and(|flags| flags & FOR_SIGNING != 0)
}

/// Returns whether a signature is of a type, or of a version so new that nothing about it is known.
fn is_kind(signature: &Signature, kind: u8) -> bool {
    signature.kind.is_none_or(|it| it == kind)
}

/// Returns whether a signature names a key as its maker: by fingerprint where it gives one, else by key id.
fn names(signature: &Signature, key: &Key) -> bool {
    let mut fingerprints = signature.issuers(sub::FINGERPRINT).peekable();
    match fingerprints.peek() {
        None => signature.issuers(sub::ISSUER).any(|id| id == key.id()),
        Some(_) => fingerprints.all(|it| it == key.fingerprint),
    }
}

/// Like [`names`], and also of a signature that names nobody.
fn claims(signature: &Signature, key: &Key) -> bool {
    signature.all_issuers().next().is_none() || names(signature, key)
}

/// Writes a fingerprint as upper-case hex.
pub(crate) fn hex(fingerprint: &[u8]) -> String {
    fingerprint.iter().map(|byte| format!("{byte:02X}")).collect()
}
