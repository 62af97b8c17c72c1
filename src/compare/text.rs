//! Texts whose form is known by their name, key by key or line by line. Touches nothing. Read next: [`super::json`], [`super::lines`].

use super::what::{What, opaque};
use super::{json, lines};
use crate::plan::file;

/// Larger texts are only told to differ.
pub(super) const TEXT_LIMIT: u64 = 256 << 10;

/// Compares one of the texts whose form is known by its name.
pub(super) fn text(name: &str, before: &[u8], after: &[u8]) -> Vec<What> {
    let parse = |bytes: &[u8]| serde_json::from_slice(bytes).ok();
    let found = match (name, parse(before), parse(after)) {
        (file::CONFIG_IGN, Some(before), Some(after)) => json::diff(&before, &after, json::Redaction::ignition()),
        (file::MANIFEST, Some(before), Some(after)) => json::diff(&before, &after, json::Redaction::Open),
        (file::SCRIPT, ..) => lines::hidden(before, after),
        _ => vec![],
    };
    if found.is_empty() { vec![opaque(before.len() as u64, after.len() as u64)] } else { found }
}
