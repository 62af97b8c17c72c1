//! What an update changed: as JSON, and as text.

use serde::Serialize;

use super::sign::Authenticity;
use crate::base::{Arch, Digest};
use crate::commands::printer::{Output, Printer, ShownPath};
use crate::lock::{ImagePin, Pin, key};

/// What an update did.
#[derive(Debug, Default, Serialize)]
pub(crate) struct UpdateOutput {
    /// The recipes that were found, where none was named.
    #[serde(rename = "recipes_found")]
    pub(super) found: Vec<String>,
    pub(super) pins: Vec<PinUpdate>,
    /// Container images, of registries.
    pub(super) images: Vec<ImageUpdate>,
    /// Locks that were written, or would be.
    pub(super) written: Vec<ShownPath>,
    /// Recipes that carry their own pin and were left alone.
    pub(super) pinned_themselves: Vec<String>,
    /// What the person should know once, in sentences.
    pub(super) notes: Vec<String>,
    dry_run: bool,
}

/// What one input is pinned to.
#[derive(Debug, Serialize)]
pub(crate) struct PinUpdate {
    #[serde(rename = "input")]
    pub(super) key: String,
    /// The recipe that asked first.
    pub(super) recipe: String,
    before: Option<Pin>,
    pub(super) after: Pin,
    pub(super) unchanged: bool,
    pub(super) changes: Vec<Change>,
    #[serde(rename = "voucher")]
    pub(super) authenticity: Authenticity,
    /// When it was signed, in seconds since 1970, where it was.
    #[serde(skip)]
    pub(super) signed_at: Option<u64>,
}

/// What one container image is pinned to.
#[derive(Debug, Serialize)]
pub(crate) struct ImageUpdate {
    image: String,
    arch: Arch,
    /// The recipe that asked first.
    pub(super) recipe: String,
    before: Option<ImagePin>,
    pub(super) after: ImagePin,
    pub(super) unchanged: bool,
    pub(super) changes: Vec<Change>,
}

impl UpdateOutput {
    pub(super) fn new(found: Vec<String>, dry_run: bool) -> Self {
        Self { found, dry_run, ..Self::default() }
    }

    /// Prints what an update did on stderr.
    pub(crate) fn say(&self, printer: &Printer) {
        if !self.found.is_empty() {
            printer.say(&format!("recipes here: {}", self.found.join(", ")));
        }
        for updated in &self.pins {
            printer.say(&change(&updated.key, &updated.after.sha256, &updated.changes));
        }
        for updated in &self.images {
            let key = format!("{} ({})", updated.image, updated.arch);
            printer.say(&change(&key, &updated.after.manifest.digest, &updated.changes));
        }
        for recipe in &self.pinned_themselves {
            printer.say(&format!("{recipe}: carries its own sha256; nothing to ask"));
        }
        for note in &self.notes {
            printer.say(&format!("note: {note}"));
        }
        let verb = if self.dry_run { "would write" } else { "wrote" };
        self.written.iter().for_each(|path| printer.say(&format!("{verb} {}", path.display())));
    }
}

impl Output for UpdateOutput {
    /// Prints the locks that were written on stdout, and what changed on stderr.
    fn print(&self, printer: &Printer) {
        self.written.iter().for_each(|path| printer.line(path.display()));
        self.say(printer);
    }
}

impl PinUpdate {
    pub(super) fn new(
        key: String,
        recipe: String,
        before: Option<Pin>,
        after: Pin,
        authenticity: Authenticity,
        signed_at: Option<u64>,
    ) -> Self {
        let (unchanged, changes) = (before.as_ref() == Some(&after), changes(before.as_ref(), &after, pin_fields));
        Self { key, recipe, before, after, unchanged, changes, authenticity, signed_at }
    }
}

impl ImageUpdate {
    pub(super) fn new(recipe: String, before: Option<ImagePin>, after: ImagePin) -> Self {
        let (unchanged, changes) = (before.as_ref() == Some(&after), changes(before.as_ref(), &after, image_fields));
        let (image, arch) = (after.reference.clone(), after.arch);
        Self { image, arch, recipe, before, after, unchanged, changes }
    }
}

/// Shows one input: its address, then `-` what was and `+` what is, one block a field.
fn change(key: &str, digest: &Digest, changes: &[Change]) -> String {
    if changes.is_empty() {
        return format!("{key}\n  unchanged, sha256:{digest}");
    }
    let width = changes.iter().map(|change| change.field.len()).max().unwrap_or(0);
    let lines = changes.iter().flat_map(|Change { field, before, after }| {
        let sides = [("-", before), ("+", after)].into_iter();
        let sides = sides.filter_map(|(sign, value)| Some((sign, value.as_deref()?)));
        let line = move |(index, (sign, value)): (usize, (&str, &str))| {
            let label = if index == 0 { field } else { "" };
            format!("\n  {label:<width$}  {sign} {value}")
        };
        sides.enumerate().map(line).collect::<Vec<_>>()
    });
    format!("{key}{}", lines.collect::<String>())
}

/// One field of a pin, before and after; at least one of the two is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Change {
    pub(super) field: &'static str,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
}

/// Lists what differs between two pins of one thing, in the order in which a lock writes them.
fn changes<P>(before: Option<&P>, after: &P, fields: fn(&P) -> Fields) -> Vec<Change> {
    let old = before.map(fields).unwrap_or_default();
    let pairs = fields(after).into_iter().enumerate();
    let changes = pairs.map(|(index, (field, after))| {
        let before = old.get(index).and_then(|(_, before)| before.clone());
        Change { field, before, after }
    });
    changes.filter(|change| change.before != change.after).collect()
}

/// The fields of a pin as a person reads them.
type Fields = Vec<(&'static str, Option<String>)>;

fn image_fields(image: &ImagePin) -> Fields {
    vec![
        ("sha256", Some(image.manifest.digest.to_string())),
        ("size", Some(image.weight().to_string())),
        ("blobs", Some(image.blobs.len().to_string())),
    ]
}

fn pin_fields(pin: &Pin) -> Fields {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{ByteSize, Url};
    use crate::lock::ImageFacts;
    use crate::recipe::Source;

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
            changes(before, after, pin_fields).into_iter().map(|change| change.field).collect()
        };
        assert_eq!(fields(Some(&pin("1")), &pin("1")), [""; 0]);
        assert_eq!(fields(Some(&pin("1")), &pin("2")), ["resolved", "sha256", "snapshot"]);
        assert_eq!(fields(None, &pin("1")), ["resolved", "sha256", "size", "signer", "snapshot"]);
        let lost = Pin { size: None, ..pin("1") };
        assert_eq!(
            changes(Some(&pin("1")), &lost, pin_fields),
            [Change { field: "size", before: Some("2 MiB".into()), after: None }]
        );
    }
}
