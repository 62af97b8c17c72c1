//! Reads a list; what is unknown is passed over with all it holds. Touches nothing.

use super::{File, LAST, MAX_FILES, MAX_LENGTH, MAX_URLS, Metalink, MetalinkError, Mirror, NAMESPACE};
use crate::base::text::{decimal, one_line};
use crate::base::{ByteSize, Digest, Url};
use crate::format::xml::{self, Element, Limits};

/// A list needs four levels, and as many elements as a large file has pieces.
const LIMITS: Limits = Limits { bytes: ByteSize(MAX_LENGTH), depth: 32, elements: 100_000, is_plain: false };

/// Reads a whole list.
///
/// # Errors
/// What is not such a list, is larger than the bounds, or says one thing twice.
pub(crate) fn parse(bytes: &[u8]) -> Result<Metalink, MetalinkError> {
    let text = std::str::from_utf8(bytes).map_err(|_| MetalinkError::Form("it is not UTF-8".into()))?;
    let root = xml::read(text, &LIMITS).map_err(|error| MetalinkError::Form(error.reason))?;
    if root.name != "metalink" || root.attribute("xmlns") != Some(NAMESPACE) {
        return Err(MetalinkError::Form("its root is another element".into()));
    }
    if own(&root, "file").count() > MAX_FILES {
        return Err(MetalinkError::TooMany("files"));
    }
    if own(&root, "file").flat_map(|file| own(file, "url")).count() > MAX_URLS {
        return Err(MetalinkError::TooMany("addresses"));
    }
    Ok(Metalink { files: own(&root, "file").map(file).collect::<Result<_, _>>()? })
}

/// Goes through the children of a name that are Metalink's own.
fn own<'e>(parent: &'e Element, name: &'static str) -> impl Iterator<Item = &'e Element> {
    parent.all(name).filter(|child| !child.is_foreign)
}

fn file(element: &Element) -> Result<File, MetalinkError> {
    let hashes = own(element, "hash").filter(|hash| hash.attribute("type") == Some("sha-256"));
    Ok(File {
        name: element.attribute("name").unwrap_or_default().to_owned(),
        size: once(own(element, "size").map(size), "sizes")?,
        sha256: once(hashes.map(digest), "sha-256 digests")?,
        mirrors: own(element, "url").filter_map(mirror).collect(),
    })
}

/// Reads an address of the kinds we ask; others, as `ftp` and `rsync`, are as good as unknown.
fn mirror(element: &Element) -> Option<Mirror> {
    let url = Url::parse(&element.text).ok().filter(|url| url.is_remote() && !url.has_credentials())?;
    let priority = element.attribute("priority").and_then(|text| text.trim().parse().ok());
    Some(Mirror { url, priority: priority.unwrap_or(LAST).clamp(1, LAST) })
}

fn once<T>(
    mut found: impl Iterator<Item = Result<T, MetalinkError>>,
    what: &'static str,
) -> Result<Option<T>, MetalinkError> {
    let first = found.next().transpose()?;
    if found.next().is_some() { Err(MetalinkError::Twice(what)) } else { Ok(first) }
}

fn size(element: &Element) -> Result<u64, MetalinkError> {
    decimal(&element.text).ok_or_else(|| MetalinkError::Value(one_line(&element.text, 40), "size"))
}

fn digest(element: &Element) -> Result<Digest, MetalinkError> {
    let refused = |_| MetalinkError::Value(one_line(&element.text, 80), "sha-256 digest");
    Digest::parse(&element.text.to_ascii_lowercase()).map_err(refused)
}
