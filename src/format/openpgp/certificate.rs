//! A certificate: a primary key, its user ids and subkeys, and what their signatures say about them. Touches nothing.
//!
//! Format: RFC 9580, sections 5.2 and 10.1. Whether a key may be believed at a moment is asked here; whether a
//! signature over a document is, in `verify`. Read next: `policy` (what is too weak, what must be understood).

use pgp::packet::{PublicKey, PublicSubkey, RevocationCode, Signature, SignatureType, SubpacketData, UserId};
use pgp::types::{Fingerprint, KeyDetails, Tag};

use super::policy::{self, Flaw};

/// One certificate as read, nothing of it checked yet.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    pub primary: PublicKey,
    /// Signatures directly on the primary key: statements and revocations.
    pub direct: Vec<Signature>,
    pub users: Vec<(UserId, Vec<Signature>)>,
    pub subkeys: Vec<(PublicSubkey, Vec<Signature>)>,
}

/// Which key of a certificate made a signature.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Maker<'a> {
    Primary,
    Subkey(&'a PublicSubkey, &'a [Signature]),
}

/// The moments that matter: when a document was signed, and now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moments {
    pub signed: u64,
    pub now: u64,
}

impl Maker<'_> {
    /// Demands that the key is of a kind and length that nobody can forge.
    pub(crate) fn strength(self, of: &Certificate) -> Result<(), Flaw> {
        match self {
            Self::Primary => policy::key(&of.primary),
            Self::Subkey(key, _) => policy::key(key),
        }
    }
}

impl Certificate {
    /// Returns the fingerprint of the primary key, upper-case hex.
    pub(crate) fn fingerprint(&self) -> String {
        hex(&self.primary.fingerprint())
    }

    /// Returns the first user id, as anybody may have written it: unchecked and unsanitised.
    pub(crate) fn first_user(&self) -> String {
        self.users.first().map(|(id, _)| String::from_utf8_lossy(id.id()).into_owned()).unwrap_or_default()
    }

    /// Adds what another copy of the same certificate holds: a revocation in either copy must count.
    pub(crate) fn merge(&mut self, other: Self) {
        self.direct.extend(other.direct);
        for (id, signatures) in other.users {
            match self.users.iter_mut().find(|(known, _)| known.id() == id.id()) {
                Some((_, all)) => all.extend(signatures),
                None => self.users.push((id, signatures)),
            }
        }
        for (key, signatures) in other.subkeys {
            match self.subkeys.iter_mut().find(|(known, _)| known.fingerprint() == key.fingerprint()) {
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
            Maker::Primary if statement.key_flags().sign() => {}
            Maker::Primary => return Err(Flaw::NotForSigning),
            Maker::Subkey(key, signatures) => self.believe_subkey(key, signatures, at)?,
        }
        Ok(user)
    }

    /// The newest thing the owner says about the whole key; where two are as new, the one that ends sooner.
    ///
    /// One that is weak or not understood is not passed over here: an older one would then speak where its owner has said something else.
    fn statement(&self, at: Moments) -> Result<(&Signature, String), Flaw> {
        let direct = self.direct.iter().filter(|it| it.typ() == Some(SignatureType::Key) && self.own_direct(it));
        let direct = direct.map(|it| (it, String::new()));
        let users = self.users.iter().flat_map(|(id, all)| self.certifications(id, all));
        let all = direct.chain(users).filter(|(it, _)| policy::in_force(it, at.now) && has_flags(it));
        let rank = |it: &Signature| (created(it), std::cmp::Reverse(ends(&self.primary, it)));
        all.max_by_key(|(it, user)| (rank(it), !user.is_empty())).ok_or(Flaw::NoSelf)
    }

    /// Returns the owner's certifications of a user id; none where one of its revocations is as new as the newest.
    fn certifications<'a>(&'a self, id: &'a UserId, all: &'a [Signature]) -> Vec<(&'a Signature, String)> {
        let own = |it: &&Signature| {
            names(it, &self.primary) && it.verify_certification(&self.primary, Tag::UserId, id).is_ok()
        };
        let own: Vec<_> = all.iter().filter(own).collect();
        let is_revocation = |it: &&&Signature| it.typ() == Some(SignatureType::CertRevocation);
        let revoked = own.iter().filter(is_revocation).map(|it| created(it)).max();
        let newest = own.iter().filter(|it| !is_revocation(it)).map(|it| created(it)).max();
        if revoked.is_some() && revoked >= newest {
            return vec![];
        }
        let name = String::from_utf8_lossy(id.id()).into_owned();
        own.into_iter().filter(|it| !is_revocation(&it)).map(|it| (it, name.clone())).collect()
    }

    fn own_direct(&self, it: &Signature) -> bool {
        names(it, &self.primary) && it.verify_key(&self.primary).is_ok()
    }

    /// Refuses a key that its owner, or whoever the owner let do so, has revoked.
    fn revoked(&self, at: Moments) -> Result<(), Flaw> {
        let revokers = self.revokers();
        let revocations = self.direct.iter().filter(|it| is_typ(it, SignatureType::KeyRevocation));
        for it in revocations.filter(|it| claims(it, &self.primary) || revokers.iter().any(|by| by_whom(it, by))) {
            revocation(it, it.verify_key(&self.primary).is_ok(), at)?;
        }
        Ok(())
    }

    /// The fingerprints whose owners may revoke this key (section 5.2.3.23).
    fn revokers(&self) -> Vec<Vec<u8>> {
        let own = self.direct.iter().filter(|it| it.typ() == Some(SignatureType::Key) && self.own_direct(it));
        let packets = own.filter_map(Signature::config).flat_map(|config| config.hashed_subpackets());
        packets
            .filter_map(|packet| match &packet.data {
                SubpacketData::RevocationKey(key) => Some(key.fingerprint.to_vec()),
                _ => None,
            })
            .collect()
    }

    fn believe_subkey(&self, key: &PublicSubkey, signatures: &[Signature], at: Moments) -> Result<(), Flaw> {
        for it in signatures.iter().filter(|it| is_typ(it, SignatureType::SubkeyRevocation)) {
            if claims(it, &self.primary) {
                revocation(it, it.verify_subkey_binding(&self.primary, key).is_ok(), at)?;
            }
        }
        let bindings = signatures.iter().filter(|it| {
            it.typ() == Some(SignatureType::SubkeyBinding)
                && names(it, &self.primary)
                && it.verify_subkey_binding(&self.primary, key).is_ok()
                && policy::in_force(it, at.now)
        });
        let rank = |it: &&Signature| (created(it), std::cmp::Reverse(ends(key, it)));
        let binding = bindings.max_by_key(rank).ok_or(Flaw::NotBound)?;
        sound(binding)?;
        if !binding.key_flags().sign() {
            return Err(Flaw::NotForSigning);
        }
        self.cross_certified(key, binding, at)?;
        alive(key, binding, at)
    }

    /// Demands that a signing subkey wants to belong to this primary key: else a stranger's could be claimed as own.
    fn cross_certified(&self, key: &PublicSubkey, binding: &Signature, at: Moments) -> Result<(), Flaw> {
        let back = binding.embedded_signature().ok_or(Flaw::NotBound)?;
        let is_good = back.verify_primary_key_binding(key, &self.primary).is_ok();
        if !is_good || !policy::in_force(back, at.now) {
            return Err(Flaw::NotBound);
        }
        sound(back)
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
    let reason = it.revocation_reason_code();
    let is_soft = matches!(reason, Some(RevocationCode::KeySuperseded | RevocationCode::KeyRetired));
    match created(it) {
        Some(when) if is_checked && is_soft && at.signed < when => Ok(()),
        when => Err(Flaw::Revoked { when, is_soft: is_checked && is_soft }),
    }
}

/// Demands that a key existed when it signed, had not expired, and has not expired since.
fn alive(key: &impl KeyDetails, statement: &Signature, at: Moments) -> Result<(), Flaw> {
    let born = u64::from(key.created_at().as_secs());
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
fn ends(key: &impl KeyDetails, statement: &Signature) -> u64 {
    let lasts = statement.key_expiration_time().map_or(0, |lasts| u64::from(lasts.as_secs()));
    if lasts == 0 { u64::MAX } else { u64::from(key.created_at().as_secs()) + lasts }
}

pub(crate) fn created(signature: &Signature) -> Option<u64> {
    signature.created().map(|time| u64::from(time.as_secs()))
}

fn has_flags(signature: &Signature) -> bool {
    let packets = signature.config().into_iter().flat_map(|config| config.hashed_subpackets());
    packets.into_iter().any(|packet| matches!(packet.data, SubpacketData::KeyFlags(_)))
}

/// Tells whether a signature is of a type, or of a version so new that nothing about it is known.
fn is_typ(signature: &Signature, typ: SignatureType) -> bool {
    signature.typ().is_none_or(|it| it == typ)
}

/// Tells whether a signature names a key as its maker: by fingerprint where it gives one, else by key id.
fn names(signature: &Signature, key: &impl KeyDetails) -> bool {
    let fingerprints = signature.issuer_fingerprint();
    match fingerprints.is_empty() {
        true => signature.issuer_key_id().contains(&&key.legacy_key_id()),
        false => fingerprints.iter().all(|it| **it == key.fingerprint()),
    }
}

/// Like [`names`], and also of a signature that names nobody.
fn claims(signature: &Signature, key: &impl KeyDetails) -> bool {
    let is_nameless = signature.issuer_fingerprint().is_empty() && signature.issuer_key_id().is_empty();
    is_nameless || names(signature, key)
}

fn by_whom(signature: &Signature, fingerprint: &[u8]) -> bool {
    let ends_with = |id: &[u8]| fingerprint.ends_with(id);
    signature.issuer_fingerprint().iter().any(|it| ends_with(it.as_bytes()))
        || signature.issuer_key_id().iter().any(|it| ends_with(it.as_ref()))
}

/// Writes a fingerprint as upper-case hex.
pub(crate) fn hex(fingerprint: &Fingerprint) -> String {
    fingerprint.as_bytes().iter().map(|byte| format!("{byte:02X}")).collect()
}
