//! Provenance of a publisher's checksums: the text that is signed, by whom, and whether that is whom we knew. Touches
//! nothing.
//!
//! # The policy
//!
//! * Keys come from keyrings that the user names, never from beside the data (faults SIG-6).
//! * With a keyring, checksums must be signed by a key in it. What lacks a signature is `E_SIG_MISSING`, unless the user
//!   says that this publisher, or this run, may do without; a signature that is there and wrong is never passed over.
//! * Without a keyring, nothing is checked; the pin says `signer = "none"`, and the person is told once what could be had.
//! * A signature counts for the file that the signed text names: over checksums of other files it is `E_SIG_OTHER_FILE`.
//! * What was signed stays signed, by the same key: [`Pin::signer`] is compared by fingerprint, and both its loss and its
//!   change have to be allowed. Bytes that were vouched for stay so, whoever serves them later.
//! * Time goes forward: a snapshot below the pinned one, or below the newest that was seen under the same address and
//!   key, is `E_SIG_OLDER`; so are other bytes under an older signature, whatever snapshot their name tells.
//!
//! Formats and the judgement of keys are `format::openpgp`'s.

use std::cmp::Ordering;

use super::facts::order;
use super::{Answer, Checksums, Pin};
use crate::base::text::one_line;
use crate::base::{Code, Diagnostic, Url};
use crate::format::openpgp;
pub(crate) use crate::format::openpgp::{KNOWN, Keyring, Signer, is_cleartext};

/// The most bytes of a signer that a lock takes.
const SIGNER_LIMIT: usize = 256;

/// Returns the checksums in a file, whoever signed them.
pub(crate) fn unverified(text: Vec<u8>) -> Result<Vec<u8>, Diagnostic> {
    if is_cleartext(&text) { openpgp::unverified_text(&text) } else { Ok(text) }
}

/// Returns the checksums that a key of the keyring signed, and whose it is; `signature` is what lay beside them.
///
/// # Errors
/// The codes `E_SIG_…`.
pub(crate) fn verify(
    keyring: &Keyring,
    text: Vec<u8>,
    signature: Option<&[u8]>,
    now: u64,
) -> Result<(Vec<u8>, Signer), Diagnostic> {
    match signature {
        _ if is_cleartext(&text) => openpgp::verify_cleartext(keyring, &text, now),
        Some(signature) => openpgp::verify_detached(keyring, &text, signature, now).map(|signer| (text, signer)),
        None => Err(Diagnostic::new(Code::SigMissing, "the publisher's checksums are not signed")),
    }
}

/// Takes the entry that speaks of `url` out of signed checksums; that they speak of other files only has its own code.
pub(crate) fn read_signed(list: &Checksums, url: &Url, text: &[u8], signer: &Signer) -> Result<Answer, Diagnostic> {
    list.read(url, text).map_err(|mut problem| {
        if problem.code == Code::NetProtocol {
            problem.code = Code::SigOtherFile;
            problem.headline = format!("the signature is good, but over other files: {}", problem.headline);
        }
        problem.fact("signer", pinned_signer(signer))
    })
}

/// Writes a signer as a lock keeps it: fingerprint, then the name without what would need escapes.
pub(crate) fn pinned_signer(signer: &Signer) -> String {
    let name: String = one_line(&signer.user_id, 160).replace(['"', '\\'], "'");
    let text = format!("{} {name}", signer.fingerprint);
    let mut end = text.len().min(SIGNER_LIMIT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].trim_end().to_owned()
}

/// Returns the fingerprint in what a lock says of a signer.
pub(crate) fn fingerprint(signer: &str) -> &str {
    signer.split(' ').next().unwrap_or_default()
}

/// What the user allows although it loses something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Allowed {
    /// A snapshot before the one that is pinned or was seen.
    pub older: bool,
    /// Another signer than before, or none.
    pub other_signer: bool,
}

/// What was accepted before under the same address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Previous<'a> {
    /// How it is called to the person: `pinned` or `seen`.
    pub what: &'static str,
    pub snapshot: Option<&'a str>,
    pub signed_at: Option<u64>,
    pub digest: crate::base::Digest,
}

/// Refuses a pin that loses its signer, unless that is allowed.
pub(crate) fn check_signer(before: &Pin, after: &Pin, allowed: Allowed) -> Result<(), Diagnostic> {
    let Some(known) = before.signer.as_deref().filter(|_| !allowed.other_signer) else { return Ok(()) };
    match after.signer.as_deref() {
        Some(signer) if fingerprint(signer) == fingerprint(known) => Ok(()),
        Some(signer) => Err(Diagnostic::new(Code::SigKey, "another key signed this than the one that is pinned")
            .fact("pinned", known)
            .fact("today", signer)
            .note("nothing was pinned")),
        None => Err(Diagnostic::new(Code::SigMissing, "the pinned digest was signed, and today's is not")
            .fact("pinned", known)
            .fact("today", "no signature, or no keyring to check it by")
            .note("nothing was pinned")),
    }
}

/// Refuses to go back in time, unless that is allowed.
pub(crate) fn check_rollback(
    earlier: &Previous<'_>,
    after: &Pin,
    signed_at: Option<u64>,
    allowed: Allowed,
) -> Result<(), Diagnostic> {
    let today = after.image.snapshot.as_deref();
    let by_name = earlier.snapshot.zip(today).and_then(|(before, today)| order(today, before));
    let is_older = match by_name {
        Some(Ordering::Less) => true,
        _ if earlier.digest == after.sha256 => false,
        // A higher number proves nothing: a redirect, which nobody signs, may have told it.
        _ => matches!((earlier.signed_at, signed_at), (Some(before), Some(today)) if today < before),
    };
    if !is_older || allowed.older {
        return Ok(());
    }
    let shown = |snapshot: Option<&str>, signed_at: Option<u64>| match (snapshot, signed_at) {
        (Some(snapshot), _) if by_name == Some(Ordering::Less) => format!("snapshot {snapshot}"),
        (_, Some(at)) => format!("signed at {at} (seconds since 1970)"),
        _ => "an unknown time".to_owned(),
    };
    Err(Diagnostic::new(
        Code::SigOlder,
        format!("the publisher offers an older image than the one {} before", earlier.what),
    )
    .fact(earlier.what, shown(earlier.snapshot, earlier.signed_at))
    .fact("today", shown(today, signed_at))
    .note("nothing was pinned: a mirror that lags does this, and so does whoever wants you to have an old fault"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Digest;
    use crate::lock::ImageFacts;
    use crate::recipe::Source;

    fn pin(signer: Option<&str>, snapshot: Option<&str>, content: &str) -> Pin {
        let url = Url::parse("https://h/x.qcow2").unwrap();
        Pin {
            url: url.expose().to_owned(),
            resolved: Source::Url(url),
            sha256: Digest::of(content.as_bytes()),
            size: None,
            signer: signer.map(str::to_owned),
            metalink: None,
            image: ImageFacts { snapshot: snapshot.map(str::to_owned), ..ImageFacts::default() },
        }
    }

    #[test]
    fn sig_4_a_signer_is_not_lost_or_changed_unless_that_is_allowed() {
        let cases = [
            (None, None, None),
            (None, Some("AA x"), None),
            (Some("AA x"), Some("AA y"), None),
            (Some("AA x"), Some("BB x"), Some(Code::SigKey)),
            (Some("AA x"), None, Some(Code::SigMissing)),
        ];
        for (before, after, expected) in cases {
            let compare = |allowed| {
                let (before, after) = (pin(before, None, "a"), pin(after, None, "b"));
                check_signer(&before, &after, allowed).err().map(|problem| problem.code)
            };
            assert_eq!(compare(Allowed::default()), expected, "{before:?} {after:?}");
            assert_eq!(compare(Allowed { other_signer: true, ..Allowed::default() }), None);
        }
    }

    #[test]
    fn sig_4_time_goes_forward_by_snapshot_and_by_signature() {
        for (before, after, same, older) in [
            ((Some("2"), None), (Some("1"), None), false, true),
            ((Some("2"), None), (Some("2"), None), false, false),
            ((Some("2"), None), (Some("3"), None), false, false),
            ((Some("2"), Some(9)), (Some("3"), Some(9)), false, false),
            ((Some("2"), Some(9)), (Some("3"), None), false, false),
            ((Some("2"), Some(9)), (Some("3"), Some(8)), false, true),
            ((Some("2"), Some(9)), (Some("2"), Some(8)), false, true),
            ((Some("2"), Some(9)), (Some("2"), Some(8)), true, false),
            ((None, Some(9)), (None, Some(8)), false, true),
            ((None, Some(9)), (None, Some(8)), true, false),
            ((None, Some(9)), (None, None), false, false),
            ((Some("2"), Some(9)), (None, Some(8)), false, true),
        ] {
            let today = pin(None, after.0, if same { "a" } else { "b" });
            let earlier =
                Previous { what: "pinned", snapshot: before.0, signed_at: before.1, digest: Digest::of(b"a") };
            let compare =
                |allowed| check_rollback(&earlier, &today, after.1, allowed).err().map(|problem| problem.code);
            assert_eq!(compare(Allowed::default()), older.then_some(Code::SigOlder), "{before:?} {after:?} {same}");
            assert_eq!(compare(Allowed { older: true, ..Allowed::default() }), None);
        }
    }

    #[test]
    fn a_signer_of_any_name_fits_into_a_lock() {
        for name in ["", "A <a@b>", "\"q\" \\ \u{1b}[31m \u{202e}\n", &"é".repeat(300)] {
            let signer = Signer { fingerprint: "A".repeat(40), user_id: name.to_owned(), signed_at: 0 };
            let mut lock = crate::lock::Lock::default();
            lock.insert(pin(Some(&pinned_signer(&signer)), None, "a"));
            assert_eq!(crate::lock::Lock::parse(&lock.print(), "arca.lock").as_ref(), Ok(&lock), "{name:?}");
            assert_eq!(fingerprint(&pinned_signer(&signer)), "A".repeat(40));
        }
    }
}
