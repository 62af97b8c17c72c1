//! What a person should know of an update: what `--locked` refuses, and what is not authenticated.

use std::collections::BTreeSet;

use super::output::{Change, ImageUpdate, PinUpdate};
use super::sign::Authenticity;
use crate::base::text::one_line;
use crate::base::{Code, Diagnostic, Diagnostics, Url};
use crate::lock::Pin;
use crate::lock::provenance::KNOWN;
use crate::recipe::Source;

/// Refuses the run when a pin would change, with every such change.
pub(super) fn refuse_changes(pins: &[PinUpdate], images: &[ImageUpdate]) -> Result<(), Diagnostics> {
    let changed = pins.iter().filter(|updated| !updated.unchanged);
    let changed = changed.map(|updated| locked(&updated.key, &updated.recipe, &updated.changes));
    let others = images.iter().filter(|updated| !updated.unchanged);
    let others = others.map(|updated| locked(&updated.after.reference, &updated.recipe, &updated.changes));
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

/// Returns the note that tags are not signed.
pub(super) fn image_note(images: &[ImageUpdate]) -> Option<String> {
    let moved = images.iter().filter(|updated| !updated.unchanged);
    let tags: BTreeSet<_> = moved.map(|updated| &updated.after.reference).filter(|name| !name.contains('@')).collect();
    let first = tags.first()?;
    let more = if tags.len() > 1 { format!(" and {} more", tags.len() - 1) } else { String::new() };
    Some(format!("the tag of {first}{more} is authenticated by https only; registries do not sign tags"))
}

/// Returns, once for each publisher, what is not authenticated, and what could be done about it.
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
        Authenticity::Unsigned(None) => Some(format!(
            "{host} publishes checksums without a signature: they are authenticated by https only (signer = none)"
        )),
        // `[mirrors]` may name a server without TLS, or a directory: that it was trusted is told, and that nothing more was checked.
        Authenticity::Unsigned(Some(from)) => {
            let how = if from.starts_with("http:") { "plain http" } else { "a local file" };
            Some(format!(
                "the checksums of {host} came from your mirror by {how}, without a signature: nothing authenticates them (signer = none){way}\n  {}",
                one_line(from, 300)
            ))
        }
        Authenticity::Nobody => {
            Some(format!("{host} publishes no checksum: pinned on first use, not authenticated (signer = none)"))
        }
    }
}

/// Returns where the signature is, and which keys openSUSE documents as its own; trust is the reader's to give.
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
    fn what_is_not_authenticated_is_said_once_for_each_publisher() {
        let updated = |authenticity: Authenticity| {
            PinUpdate::new(String::new(), String::new(), None, pin("1"), authenticity, None)
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
        assert!(notes(&[updated(Authenticity::Unsigned(None))], false)[0].contains("by https only"));
        for (from, how) in [
            ("http://mirror.example/X.sha256", "plain http"),
            ("http://127.0.0.1:8080/SHA256SUMS", "plain http"),
            ("file:///srv/mirror/X.sha256", "a local file"),
        ] {
            let told = notes(&[updated(Authenticity::Unsigned(Some(from.into())))], false).remove(0);
            assert!(told.contains(how) && told.contains(from) && !told.contains("https"), "{told}");
        }
        assert!(notes(&[updated(Authenticity::Nobody)], false)[0].contains("no checksum"));
    }
}
