//! What `update` tells: the change of every pin, field by field, and what nobody vouched for.

use serde_json::{Value, json};

use super::dispatch::lossy;
use crate::base::Digest;
use crate::commands::printer::Printer;
use crate::commands::update::{Change, ImageUpdate, Outcome, PinUpdate, changes, image_changes};
use crate::commands::{ImagePin, Pin, Source};

/// Prints what an update did; on stdout stand the locks that were written.
pub(super) fn print(printer: &Printer, outcome: &Outcome, is_dry_run: bool) {
    if printer.is_json() {
        return printer.json(&json(outcome, is_dry_run));
    }
    for path in &outcome.written {
        printer.data(&format!("{}\n", path.display()));
    }
    say(printer, outcome, is_dry_run);
}

/// Says what an update did, for people; nothing where JSON is wanted.
pub(super) fn say(printer: &Printer, outcome: &Outcome, is_dry_run: bool) {
    if printer.is_json() {
        return;
    }
    if !outcome.found.is_empty() {
        printer.say(&format!("recipes here: {}", outcome.found.join(", ")));
    }
    for updated in &outcome.pins {
        let changes = changes(updated.before.as_ref(), &updated.after);
        printer.say(&change(&updated.key, &updated.after.sha256, &changes));
    }
    for updated in &outcome.images {
        let changes = image_changes(updated.before.as_ref(), &updated.after);
        let key = format!("{} ({})", updated.after.reference, updated.after.arch);
        printer.say(&change(&key, &updated.after.manifest.digest, &changes));
    }
    for recipe in &outcome.pinned_themselves {
        printer.say(&format!("{recipe}: carries its own sha256; nothing to ask"));
    }
    for note in &outcome.notes {
        printer.say(&format!("note: {note}"));
    }
    for path in &outcome.written {
        let verb = if is_dry_run { "would write" } else { "wrote" };
        printer.say(&format!("{verb} {}", path.display()));
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

/// Returns what an update did as JSON.
pub(super) fn json(outcome: &Outcome, is_dry_run: bool) -> Value {
    json!({
        "pins": outcome.pins.iter().map(updated).collect::<Vec<_>>(),
        "images": outcome.images.iter().map(updated_image).collect::<Vec<_>>(),
        "written": outcome.written.iter().map(|path| lossy(path)).collect::<Vec<_>>(),
        "pinned_themselves": outcome.pinned_themselves,
        "recipes_found": outcome.found,
        "notes": outcome.notes,
        "dry_run": is_dry_run,
    })
}

fn updated(updated: &PinUpdate) -> Value {
    let changes = changes(updated.before.as_ref(), &updated.after);
    json!({
        "input": updated.key,
        "recipe": updated.recipe,
        "before": updated.before.as_ref().map(pin),
        "after": pin(&updated.after),
        "unchanged": changes.is_empty(),
        "changes": changes,
        "voucher": updated.authenticity.as_str(),
    })
}

fn updated_image(updated: &ImageUpdate) -> Value {
    let changes = image_changes(updated.before.as_ref(), &updated.after);
    json!({
        "image": updated.after.reference,
        "arch": updated.after.arch,
        "recipe": updated.recipe,
        "before": updated.before.as_ref().map(image),
        "after": image(&updated.after),
        "unchanged": changes.is_empty(),
        "changes": changes,
    })
}

fn image(image: &ImagePin) -> Value {
    let blob = |blob: &crate::commands::Blob| json!({ "sha256": blob.digest, "size": blob.size });
    json!({ "manifest": blob(&image.manifest), "blobs": image.blobs.iter().map(blob).collect::<Vec<_>>() })
}

fn pin(pin: &Pin) -> Value {
    let resolved = match &pin.resolved {
        Source::Url(url) => url.to_string(),
        Source::Path(path) => path.as_str().to_owned(),
    };
    json!({
        "resolved": resolved,
        "sha256": pin.sha256,
        "size": pin.size,
        "signer": pin.signer,
        "metalink": pin.metalink.as_ref().map(ToString::to_string),
        "virtual_size": pin.image.virtual_size,
        "flavour": pin.image.flavour,
        "snapshot": pin.image.snapshot,
    })
}
