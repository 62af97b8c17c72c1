//! Judges the signatures over a document: who made them, with what, when, and whether all that can be believed.
//! Touches nothing.
//!
//! Format: RFC 9580, sections 5.2 and 10.4. Read next: `certificate` (whether a key can be believed), `policy`.

use std::time::{Duration, UNIX_EPOCH};

use crate::base::text::one_line;
use crate::base::{Code, Diagnostic};

use super::Signer;
use super::certificate::{Certificate, Moments, hex};
use super::keyring::{self, Keyring, KeyringError};
use super::known::known;
use super::packet::{Key, Signature, kind, tag};
use super::policy::{self, Flaw};

/// How many signatures a file may hold; real ones hold one or two.
const MAX_SIGNATURES: usize = 16;

/// What the signatures are over, and which types of signature may be.
#[derive(Clone, Copy)]
pub(crate) struct Document<'a> {
    pub bytes: &'a [u8],
    pub kinds: &'a [u8],
}

/// Judges the packets of a signature file.
///
/// One signature that passes every check is enough: publishers sign with the old key and the new one while they change.
/// But a signature that a trusted key's owner did not make over these bytes refuses the file, whatever else is there.
pub(crate) fn verify(
    keyring: &Keyring,
    document: Document<'_>,
    packets: &[u8],
    now: u64,
) -> Result<Signer, Diagnostic> {
    let mut good = None;
    let mut refused: Option<Diagnostic> = None;
    for signature in read(packets)? {
        match judge(keyring, document, &signature, now) {
            Ok(signer) => good = good.or(Some(signer)),
            Err(problem) if problem.code == Code::SigBad => return Err(problem),
            Err(problem) if refused.as_ref().is_none_or(|it| rank(it) < rank(&problem)) => refused = Some(problem),
            Err(_) => {}
        }
    }
    good.ok_or_else(|| refused.unwrap_or_else(missing))
}

/// Orders refusals by how much they tell: that some key is not trusted tells least.
fn rank(problem: &Diagnostic) -> u8 {
    match problem.code {
        Code::SigRevoked => 4,
        Code::SigExpired => 3,
        Code::SigWeak => 2,
        Code::SigScope => 1,
        _ => 0,
    }
}

/// Reports that there is no signature where there should be one.
pub(crate) fn missing() -> Diagnostic {
    Diagnostic::new(Code::SigMissing, "there is no signature")
}

/// Reports that a signature cannot be read.
pub(crate) fn unreadable(why: impl std::fmt::Display) -> Diagnostic {
    Diagnostic::new(Code::SigBad, "the signature cannot be read").cause(why)
}

fn read(packets: &[u8]) -> Result<Vec<Signature>, Diagnostic> {
    let mut signatures = vec![];
    for (number, tag, body) in keyring::packets(packets, MAX_SIGNATURES).map_err(unreadable)? {
        if tag != tag::SIGNATURE {
            let scope = "the signature file holds more than signatures";
            return Err(Diagnostic::new(Code::SigScope, scope).hint("use the publisher's detached signature"));
        }
        let read = body.and_then(Signature::parse).ok_or(KeyringError::Packet(number));
        signatures.push(read.map_err(unreadable)?);
    }
    if signatures.is_empty() { Err(missing()) } else { Ok(signatures) }
}

/// Judges one signature; where several trusted keys could have made it, the first that did decides.
fn judge(keyring: &Keyring, document: Document<'_>, signature: &Signature, now: u64) -> Result<Signer, Diagnostic> {
    let makers = keyring.makers(signature);
    if makers.is_empty() {
        return Err(unknown_key(keyring, signature));
    }
    form(document, signature)?;
    let moments = moments(signature, now)?;
    let mut last = None;
    for (certificate, maker) in makers {
        // Before the arithmetic, so that no weak key's is ever run.
        let key = maker.key(certificate);
        let strength = policy::key(key);
        if strength.is_ok() && !is_made_by(key, document, signature) {
            continue;
        }
        match strength.and_then(|()| certificate.believe(maker, moments)) {
            Ok(user) => return Ok(signer(certificate, &user, moments)),
            Err(flaw) => last = Some(not_believed(certificate, flaw, moments)),
        }
    }
    Err(last.unwrap_or_else(|| bad(signature)))
}

/// Demands a type, digest and form of signature that mean something here.
///
/// Version 3 has no subpackets and is old, but openSUSE's build service signs its checksum files in it (with SHA-512),
/// and over a document it can be mistaken for no other version: where the one ends in 0x00 or 0x01 and a time, the
/// others end in 0xFF and a length.
fn form(document: Document<'_>, signature: &Signature) -> Result<(), Diagnostic> {
    if !matches!(signature.version, 3 | 4 | 6) {
        return Err(Diagnostic::new(Code::SigWeak, "the signature is of a version that is not believed"));
    }
    if !signature.kind.is_some_and(|kind| document.kinds.contains(&kind)) {
        return Err(Diagnostic::new(Code::SigScope, "the signature is not one over such a document"));
    }
    policy::digest(signature).map_err(|digest| {
        let weak = format!("the signature's digest is too weak: {digest}");
        Diagnostic::new(Code::SigWeak, weak).note("SHA-2 of 256 bits or more is demanded")
    })?;
    if !policy::understood(signature) {
        return Err(Diagnostic::new(Code::SigScope, "the signature has a critical part that is not understood"));
    }
    Ok(())
}

/// Demands that a signature says when it was made, is not from the future and has not expired.
fn moments(signature: &Signature, now: u64) -> Result<Moments, Diagnostic> {
    let Some(signed) = signature.created() else {
        return Err(Diagnostic::new(Code::SigBad, "the signature does not say when it was made"));
    };
    if signed > now.saturating_add(policy::SKEW) {
        let problem =
            Diagnostic::new(Code::SigExpired, "the signature is from the future").fact("signed", date(signed));
        return Err(problem.fact("today", date(now)).hint("set this machine's clock"));
    }
    if !policy::in_force(signature, now) {
        return Err(Diagnostic::new(Code::SigExpired, "the signature has expired").fact("signed", date(signed)));
    }
    Ok(Moments { signed, now })
}

fn is_made_by(key: &Key, document: Document<'_>, signature: &Signature) -> bool {
    let text = (signature.kind == Some(kind::TEXT)).then(|| with_crlf(document.bytes));
    signature.is_by(key, &[text.as_deref().unwrap_or(document.bytes)]) == Some(true)
}

/// Ends every line in CR LF, as a text's signature is made (section 5.2.1.2).
fn with_crlf(text: &[u8]) -> Vec<u8> {
    let mut last = 0;
    let ends = |byte: &u8| {
        let is_bare = *byte == b'\n' && last != b'\r';
        last = *byte;
        [is_bare.then_some(b'\r'), Some(*byte)]
    };
    text.iter().flat_map(ends).flatten().collect()
}

fn signer(certificate: &Certificate, user: &str, at: Moments) -> Signer {
    Signer { fingerprint: certificate.fingerprint(), user_id: one_line(user, 100), signed_at: at.signed }
}

fn bad(signature: &Signature) -> Diagnostic {
    Diagnostic::new(Code::SigBad, "the signature is not over these bytes")
        .fact("key", name(signature))
        .note("the file was changed after it was signed, or the signature belongs to another file")
}

/// Names who a signature says made it.
fn name(signature: &Signature) -> String {
    signature.all_issuers().next().map_or_else(|| "not told".to_owned(), hex)
}

fn unknown_key(keyring: &Keyring, signature: &Signature) -> Diagnostic {
    let name = name(signature);
    let problem = Diagnostic::new(Code::SigKey, "no trusted key made the signature").fact("key", &name);
    let trusted: Vec<_> = keyring.list().into_iter().map(|(fingerprint, _)| fingerprint).take(4).collect();
    let problem = problem.fact("trusted", if trusted.is_empty() { "none".to_owned() } else { trusted.join(", ") });
    match known(&name) {
        Some(key) => problem
            .note(format!("the signature names {}, whose published fingerprint is {}", key.owner, key.fingerprint))
            .hint(format!("compare it with {}, then add the key to the keyring", key.source)),
        None => problem.hint("if the publisher's own pages name this key, add it to the keyring"),
    }
}

/// Returns why a key is not believed that did make the signature.
fn not_believed(certificate: &Certificate, flaw: Flaw, at: Moments) -> Diagnostic {
    let code = match &flaw {
        Flaw::WeakKey(_) | Flaw::WeakSelf => Code::SigWeak,
        Flaw::Revoked { .. } => Code::SigRevoked,
        Flaw::SignedAfterEnd { .. } | Flaw::EndedSince { .. } | Flaw::BeforeKey { .. } => Code::SigExpired,
        Flaw::NoSelf | Flaw::NotUnderstood | Flaw::NotBound | Flaw::NotForSigning => Code::SigKey,
    };
    let problem = Diagnostic::new(code, format!("the signature is not believed: {flaw}"))
        .fact("key", certificate.fingerprint())
        .fact("owner", one_line(&certificate.first_user(), 100))
        .fact("signed", date(at.signed));
    let renewed = "put the publisher's renewed key into the keyring, if there is one";
    match flaw {
        Flaw::Revoked { when: Some(when), .. } => problem.fact("revoked", date(when)),
        Flaw::SignedAfterEnd { when } | Flaw::EndedSince { when } => problem.fact("expired", date(when)).hint(renewed),
        Flaw::BeforeKey { born } => problem.fact("made", date(born)),
        Flaw::WeakSelf => problem.hint(renewed),
        _ => problem,
    }
}

/// Writes a moment as its day in UTC; what lies beyond the year 9999 is shown as its last day.
fn date(seconds: u64) -> String {
    let moment = UNIX_EPOCH + Duration::from_secs(seconds.min(253_402_300_799));
    humantime::format_rfc3339_seconds(moment).to_string().split('T').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_shown_as_its_day() {
        for (seconds, day) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (1_781_827_199, "2026-06-18"),
            (4_102_444_800, "2100-01-01"),
            (u64::MAX, "9999-12-31"),
        ] {
            assert_eq!(date(seconds), day);
        }
    }
}
