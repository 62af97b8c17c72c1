//! A config with places for bytes that are not there yet. Touches nothing.
//!
//! The config is written once with each place empty and judged so; then the places get marks that occur nowhere in it, and
//! the text is cut at them. What leaves this module has no marks but parts, so no text of a user can pass for a place.

use serde_json::Value;

use crate::base::Secret;
use crate::format::ignition::canonical;
use crate::provision::guest::{Guest, Remote};

/// What precedes the bytes in a config (RFC 2397); base64 needs no escape in JSON.
pub(crate) const DATA_URL: &str = "data:;base64,";

/// One part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    Text(Secret<Vec<u8>>),
    /// The input's bytes in base64.
    Base64(Remote),
}

/// A text with places, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(pub Vec<Segment>);

impl Template {
    /// Returns the length that the text will have, where every size is known.
    pub(crate) fn length(&self) -> Option<u64> {
        self.0.iter().try_fold(0u64, |sum, part| sum.checked_add(part.length()?))
    }
}

impl Segment {
    fn length(&self) -> Option<u64> {
        match self {
            Self::Text(text) => u64::try_from(text.expose().len()).ok(),
            Self::Base64(input) => input.size?.0.div_ceil(3).checked_mul(4),
        }
    }
}

/// Cuts a config at the files whose bytes come later; `None` where there are none, or the config cannot be written.
pub(crate) fn cut(config: &Value, guest: &Guest) -> Option<Template> {
    let places: Vec<(&str, &Remote)> =
        guest.files.iter().filter_map(|file| Some((file.path.as_str(), file.remote()?))).collect();
    if places.is_empty() {
        return None;
    }
    let empty = String::from_utf8(canonical(config).ok()?).ok()?;
    let prefix = (0u64..).map(|number| format!("place-{number}-")).find(|prefix| !empty.contains(prefix.as_str()))?;
    let mark = |index: usize| format!("{prefix}{index}.");
    let mut marked = config.clone();
    for (index, (path, _)) in places.iter().enumerate() {
        *source_of(&mut marked, path)? = Value::String(format!("{DATA_URL}{}", mark(index)));
    }
    let text = String::from_utf8(canonical(&marked).ok()?).ok()?;
    let mut parts = vec![];
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once(prefix.as_str()) {
        let (index, after) = after.split_once('.')?;
        let (_, input) = places.get(index.parse::<usize>().ok()?)?;
        parts.extend([Segment::Text(Secret::new(before.into())), Segment::Base64((*input).clone())]);
        rest = after;
    }
    parts.push(Segment::Text(Secret::new(rest.into())));
    (parts.len() == 2 * places.len() + 1).then_some(Template(parts))
}

/// Finds where a file's source is written; no path is there twice, `merge` and `items::whole` saw to it.
fn source_of<'v>(config: &'v mut Value, path: &str) -> Option<&'v mut Value> {
    let files = config.get_mut("storage")?.get_mut("files")?.as_array_mut()?;
    let file = files.iter_mut().find(|file| file.get("path").and_then(Value::as_str) == Some(path))?;
    file.get_mut("contents")?.get_mut("source")
}
