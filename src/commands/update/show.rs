//! The change of a pin, and what a person should know of it, as values that `cli` prints.

use std::collections::BTreeSet;

use super::{Authenticity, ImageUpdate, PinUpdate};
use crate::base::text::one_line;
use crate::base::{Code, Diagnostic, Diagnostics, Url};
use crate::lock::vouch::KNOWN;
use crate::lock::{ImagePin, Pin, key};
use crate::recipe::Source;

/// One field of a pin, before and after; at least one of the two is there.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Change {
    pub field: &'static str,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// Lists what differs between two pins of one input, in the order in which a lock writes them.
pub(crate) fn changes(before: Option<&Pin>, after: &Pin) -> Vec<Change> {
    compared(&before.map(fields).unwrap_or_default(), fields(after))
}

/// Lists what differs between two pins of one container image.
pub(crate) fn image_changes(before: Option<&ImagePin>, after: &ImagePin) -> Vec<Change> {
    compared(&before.map(image_fields).unwrap_or_default(), image_fields(after))
}

fn image_fields(image: &ImagePin) -> Vec<(&'static str, Option<String>)> {
    vec![
        ("sha256", Some(image.manifest.digest.to_string())),
        ("size", Some(image.weight().to_string())),
        ("blobs", Some(image.blobs.len().to_string())),
    ]
}

fn compared(old: &[(&'static str, Option<String>)], new: Vec<(&'static str, Option<String>)>) -> Vec<Change> {
    let pairs = new.into_iter().enumerate();
    let changes = pairs.map(|(index, (field, after))| {
        let before = old.get(index).and_then(|(_, before)| before.clone());
        Change { field, before, after }
    });
    changes.filter(|change| change.before != change.after).collect()
}

fn fields(pin: &Pin) -> Vec<(&'static str, Option<String>)> {
    vec![
        ("resolved", Some(key(&pin.resolved))),
        ("sha256", Some(pin.sha256.to_string())),
        ("size", pin.size.map(|size| format!("{size}"))),
        ("signer", Some(pin.signer.clone().unwrap_or_else(|| "none".to_owned()))),
        ("metalink", pin.metalink.as_ref().map(ToString::to_string)),
        ("virtual size", pin.image.virtual_size.map(|size| format!("{size}"))),
        ("flavour", pin.image.flavour.clone()),
        ("snapshot", pin.image.snapshot.clone()),
    ]
}

/// Refuses the run when a pin would change, with every such change.
pub(super) fn refuse_changes(pins: &[PinUpdate], images: &[ImageUpdate]) -> Result<(), Diagnostics> {
    let changed = pins.iter().filter(|updated| updated.before.as_ref() != Some(&updated.after));
    let changed =
        changed.map(|updated| locked(&updated.key, &updated.recipe, &changes(updated.before.as_ref(), &updated.after)));
    let others = images.iter().filter(|updated| updated.before.as_ref() != Some(&updated.after));
    let others = others.map(|updated| {
        let changes = image_changes(updated.before.as_ref(), &updated.after);
        locked(&updated.after.reference, &updated.recipe, &changes)
    });
    let problems: Vec<_> = changed.chain(others).collect();
    if problems.is_empty() { Ok(()) } else { Err(Diagnostics(problems)) }
}

fn locked(key: &str, recipe: &str, changes: &[Change]) -> Diagnostic {
    let problem = Diagnostic::new(Code::Locked, "the lock would change, and `--locked` forbids it")
        .fact("input", one_line(key, 300))
        .fact("recipe", recipe);
    let shown = |value: &Option<String>| value.as_deref().map_or_else(|| "-".to_owned(), |value| one_line(value, 300));
    let problem = changes.iter().fold(problem, |problem, change| {
        problem.cause(format!("{}: {} → {}", change.field, shown(&change.before), shown(&change.after)))
    });
    problem.note("no lock was changed").hint("update where that is allowed, review the change, and commit the lock")
}

/// Says, once, that nobody vouches for what tags mean.
pub(super) fn image_note(images: &[ImageUpdate]) -> Option<String> {
    let moved = images.iter().filter(|updated| updated.before.as_ref() != Some(&updated.after));
    let tags: BTreeSet<_> = moved.map(|updated| &updated.after.reference).filter(|name| !name.contains('@')).collect();
    let first = tags.first()?;
    let more = if tags.len() > 1 { format!(" and {} more", tags.len() - 1) } else { String::new() };
    Some(format!("what the tag of {first}{more} means, its registry says by https and nobody signs"))
}

/// Says, once for each publisher, what nobody vouched for, and what could be done about it.
pub(super) fn notes(pins: &[PinUpdate], has_keyring: bool) -> Vec<String> {
    let mut told = BTreeSet::new();
    let mut notes = vec![];
    for updated in pins {
        let host = host(&updated.after);
        if told.insert((host.clone(), updated.authenticity.as_str())) {
            notes.extend(note(updated, &host, has_keyring));
        }
    }
    notes
}

fn note(updated: &PinUpdate, host: &str, has_keyring: bool) -> Option<String> {
    if updated.after.signer.is_some() && updated.authenticity != Authenticity::Nobody {
        return None;
    }
    let way = match has_keyring {
        true => String::new(),
        false => {
            "; to demand signatures, give `--keyring FILE` or write `keyring = \"FILE\"` into config.toml".to_owned()
        }
    };
    match &updated.authenticity {
        Authenticity::Signed | Authenticity::Local => None,
        Authenticity::Unchecked(at) => {
            Some(format!("{host} signs its checksums, and no signature was checked (signer = none){way}{}", who(at)))
        }
        Authenticity::Unsigned => {
            Some(format!("{host} publishes checksums without a signature: only https vouches for them (signer = none)"))
        }
        Authenticity::Nobody => Some(format!(
            "{host} publishes no checksum: what came first is pinned, and nobody vouches for it (signer = none)"
        )),
    }
}

/// Tells where the signature is, and which keys openSUSE documents as its own; trust is the reader's to give.
fn who(at: &Url) -> String {
    let is_opensuse = at.host().is_some_and(|host| host == "opensuse.org" || host.ends_with(".opensuse.org"));
    let keys = KNOWN.iter().filter(|_| is_opensuse);
    let keys: String = keys.map(|key| format!("\n  {} ({}): {}", key.fingerprint, key.signs, key.source)).collect();
    let keys = if keys.is_empty() { keys } else { format!("\n  openSUSE documents these keys as its own:{keys}") };
    format!("\n  signature: {at}{keys}")
}

fn host(pin: &Pin) -> String {
    match &pin.resolved {
        Source::Url(url) => url.host().map_or_else(|| "this machine".to_owned(), str::to_owned),
        Source::Path(_) => "this machine".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{ByteSize, Digest};
    use crate::lock::ImageFacts;

    fn pin(snapshot: &str) -> Pin {
        let url = Url::parse(&format!("https://download.opensuse.org/X-Snapshot{snapshot}.qcow2")).unwrap();
        Pin {
            url: "https://download.opensuse.org/X.qcow2".to_owned(),
            resolved: Source::Url(url),
            sha256: Digest::of(snapshot.as_bytes()),
            size: Some(ByteSize::mib(2)),
            signer: None,
            metalink: None,
            image: ImageFacts { snapshot: Some(snapshot.to_owned()), ..ImageFacts::default() },
        }
    }

    #[test]
    fn only_what_differs_is_a_change() {
        let fields = |before: Option<&Pin>, after: &Pin| -> Vec<_> {
            changes(before, after).into_iter().map(|change| change.field).collect()
        };
        assert_eq!(fields(Some(&pin("1")), &pin("1")), [""; 0]);
        assert_eq!(fields(Some(&pin("1")), &pin("2")), ["resolved", "sha256", "snapshot"]);
        assert_eq!(fields(None, &pin("1")), ["resolved", "sha256", "size", "signer", "snapshot"]);
        let lost = Pin { size: None, ..pin("1") };
        assert_eq!(
            changes(Some(&pin("1")), &lost),
            [Change { field: "size", before: Some("2 MiB".into()), after: None }]
        );
    }

    #[test]
    fn what_nobody_vouches_for_is_said_once_for_each_publisher() {
        let updated = |authenticity: Authenticity| PinUpdate {
            key: String::new(),
            before: None,
            after: pin("1"),
            authenticity,
            signed_at: None,
            recipe: String::new(),
        };
        let at = Url::parse("https://download.opensuse.org/X.qcow2.sha256.asc").unwrap();
        let unchecked = || updated(Authenticity::Unchecked(at.clone()));
        let told = notes(&[unchecked(), unchecked()], false);
        assert_eq!(told.len(), 1);
        for part in ["--keyring FILE", "X.qcow2.sha256.asc", KNOWN[0].fingerprint] {
            assert!(told[0].contains(part), "{told:?}");
        }
        let foreign = Url::parse("https://opensuse.org.evil/X.asc").unwrap();
        let told = notes(&[updated(Authenticity::Unchecked(foreign))], false);
        assert!(!told[0].contains(KNOWN[0].fingerprint), "{told:?}");
        assert_eq!(notes(&[updated(Authenticity::Local), updated(Authenticity::Signed)], true), [""; 0]);
        assert!(notes(&[updated(Authenticity::Unsigned)], false)[0].contains("without a signature"));
        assert!(notes(&[updated(Authenticity::Nobody)], false)[0].contains("no checksum"));
    }
}
