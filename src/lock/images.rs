//! What a container image consists of: the part of `arca.lock` that names every blob of it, so that a plan knows them all
//! before one is there. Touches nothing.
//!
//! An image's digest is its manifest's, which lists the others; an index is not kept, because only the machine's own entry
//! of it matters. Read next: `format::oci`.

use std::fmt::Write as _;

use super::text::quoted;
use super::{Lock, Pinned, PinnedImage};
use crate::base::text::{one_line, shell_word};
use crate::base::{Arch, ByteSize, Code, Diagnostic, Digest, Spanned};
use crate::format::oci::{Blob, DOCUMENT_LIMIT, IMAGE_LIMIT, LAYER_LIMIT};
use crate::format::toml::{Table, Value};
use crate::recipe::{Container, ImageReference, Recipe, Source};

pub(super) const KEYS: [&str; 5] = ["reference", "arch", "sha256", "size", "blobs"];

/// What an image was when we last asked.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct ImagePin {
    /// As the recipe writes it.
    #[serde(skip)]
    pub reference: String,
    #[serde(skip)]
    pub arch: Arch,
    pub manifest: Blob,
    /// The config, then the layers, each once.
    pub blobs: Vec<Blob>,
}

impl ImagePin {
    /// Returns its place among the others.
    pub(crate) fn key(&self) -> (String, Arch) {
        (self.reference.clone(), self.arch)
    }

    /// Returns what all of it weighs.
    pub(crate) fn weight(&self) -> ByteSize {
        ByteSize(self.blobs.iter().fold(self.manifest.size, |sum, blob| sum.saturating_add(blob.size)))
    }

    /// Writes it as the lock does.
    pub(super) fn print(&self) -> String {
        let Blob { digest, size } = self.manifest;
        let (reference, arch, size) = (quoted(&self.reference), self.arch, quoted(&ByteSize(size).exact()));
        let mut text =
            format!("\n[[image]]\nreference = {reference}\narch = \"{arch}\"\nsha256 = \"{digest}\"\nsize = {size}\n");
        text.push_str("blobs = [\n");
        for Blob { digest, size } in &self.blobs {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "    \"{digest} {size}\",");
        }
        text + "]\n"
    }
}

/// Reads one `[[image]]`.
pub(super) fn read(table: &Table<'_>) -> Option<ImagePin> {
    table.refuse_unknown(&KEYS, |_| None);
    let reference = table.need("reference", "`reference = \"…\"`").and_then(|value| {
        value.accept(ImageReference::parse(value.line()?), "run `arca-build update` again").map(|it| it.to_string())
    });
    let arch = table.need("arch", "`arch = \"x86_64\"`").and_then(|value| value.word(Arch::parse, Arch::WORDS));
    let digest =
        table.need("sha256", "`sha256 = \"…\"`").and_then(|value| value.accept(Digest::parse(value.line()?), ""));
    let size = table.need("size", "`size = \"…\"`");
    let size = size.and_then(|value| value.size(ByteSize(1)..=ByteSize(DOCUMENT_LIMIT), ByteSize(1)));
    let rows = table.need("blobs", "`blobs = […]`").map(|value| value.list());
    let blobs = rows.and_then(|rows| rows.iter().map(blob).collect::<Option<Vec<_>>>());
    let manifest = Blob { digest: digest?, size: size?.0 };
    let pin = ImagePin { reference: reference?, arch: arch?, manifest, blobs: blobs? };
    if pin.blobs.is_empty() || pin.blobs.len() > LAYER_LIMIT + 1 || pin.weight().0 > IMAGE_LIMIT + DOCUMENT_LIMIT {
        table.document.tell(table.problem("no image consists of these blobs").hint("run `arca-build update` again"));
        return None;
    }
    Some(pin)
}

fn blob(value: &Value<'_>) -> Option<Blob> {
    let parts = value.line()?.split_once(' ');
    let plain = |size: &str| size.chars().all(|c| c.is_ascii_digit()) && !(size.len() > 1 && size.starts_with('0'));
    let blob = parts
        .filter(|(_, size)| plain(size))
        .and_then(|(digest, size)| Some(Blob { digest: Digest::parse(digest).ok()?, size: size.parse().ok()? }));
    if blob.is_none() {
        value.refuse("a blob is written as its sha256 and its size", "run `arca-build update` again");
    }
    blob
}

/// Lists the images of a recipe that `update` asks for, each once.
pub(crate) fn references(recipe: &Recipe) -> Vec<&ImageReference> {
    let mut references: Vec<_> = recipe.images().map(|(_, reference)| &reference.value).collect();
    references.sort();
    references.dedup();
    references
}

/// Returns what an image of the recipe consists of.
pub(super) fn resolve(
    recipe: &Recipe,
    container: &Container,
    reference: &Spanned<ImageReference>,
    lock: &Lock,
) -> Result<PinnedImage, Diagnostic> {
    let pin = lock.images.get(&(reference.value.to_string(), recipe.machine.arch));
    let pin = pin.ok_or_else(|| unpinned(recipe, container, reference))?;
    let pinned = |blob: &Blob, url: Option<crate::base::Url>| Pinned {
        digest: blob.digest,
        size: Some(ByteSize(blob.size)),
        urls: url.map(Source::Url).into_iter().collect(),
        metalink: None,
    };
    let manifest = pinned(&pin.manifest, reference.value.manifest_url_of(&pin.manifest.digest));
    let blobs = pin.blobs.iter().map(|blob| pinned(blob, reference.value.blob_url(&blob.digest))).collect();
    Ok(PinnedImage { manifest, blobs })
}

fn unpinned(recipe: &Recipe, container: &Container, reference: &Spanned<ImageReference>) -> Diagnostic {
    let file = shell_word(&one_line(&recipe.file, 200));
    let headline = format!("what the image of `{}` consists of is not in the lock", container.name);
    Diagnostic::new(Code::Unpinned, headline)
        .at(reference.place.clone())
        .fact("image", &reference.value)
        .fact("arch", recipe.machine.arch)
        .note("also where a digest is written: the lock lists the layers behind it")
        .hint(format!("pin it with `arca-build update {file}`"))
}
