//! What each input was when we last asked: `arca.lock`, what still has to be asked, and what a publisher answers.
//!
//! Values only; `update` asks through `fetch` and writes the file through `host`. A lock holds no credentials: addresses
//! are kept without user name, password and query. Read next: `text.rs` (the file), [`mod@answer`], [`provenance`] (signatures:
//! the policy), [`facts`], [`mirrors`], then `plan`.

mod answer;
mod config;
pub(crate) mod facts;
pub(crate) mod images;
pub(crate) mod mirrors;
pub(crate) mod provenance;
#[cfg(test)]
mod tests;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

pub(crate) use self::answer::{Answer, CHECKSUMS, Checksums, read_answer, redirected};
pub(crate) use self::config::Config;
pub(crate) use self::images::ImagePin;
pub(crate) use self::mirrors::Mirrors;
// A publisher's answer too: what `commands` reads and writes of it.
use crate::base::text::{one_line, shell_word};
use crate::base::{Arch, ByteSize, Code, Diagnostic, Diagnostics, Digest, Url};
pub(crate) use crate::format::{metalink, oci};
use crate::recipe::{Input, Recipe, Source};

/// The lock format this program reads and writes.
pub(crate) const FORMAT: u64 = 1;

/// The lock's file name, beside the recipes it serves.
pub(crate) const FILE_NAME: &str = "arca.lock";

/// What one input was when we last asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Pin {
    /// The address or path as the recipe writes it, without secrets; see [`key`].
    #[serde(skip)]
    pub url: String,
    /// What it meant: the address of the immutable file, or the same path.
    #[serde(serialize_with = "serialize_key")]
    pub resolved: Source,
    pub sha256: Digest,
    pub size: Option<ByteSize>,
    /// Who signed the digest: fingerprint and name of the key that signed it; none where nobody did.
    pub signer: Option<String>,
    /// Where the publisher lists mirrors (RFC 5854).
    pub metalink: Option<Url>,
    #[serde(flatten)]
    pub image: ImageFacts,
}

/// What rules want to know of an image before it is there.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
pub(crate) struct ImageFacts {
    /// The size of the disk it holds.
    pub virtual_size: Option<ByteSize>,
    /// What the publisher calls this build of it, such as `ContainerHost-kvm-and-xen`.
    pub flavour: Option<String>,
    /// The number of the snapshot or build, such as `20240427`.
    pub snapshot: Option<String>,
}

/// All pins, by [`Pin::url`], and all images.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Lock {
    pub pins: BTreeMap<String, Pin>,
    /// Container images of registries, by [`ImagePin::key`].
    pub images: BTreeMap<(String, Arch), ImagePin>,
}

impl Lock {
    /// Adds a pin, in place of an earlier one of the same input; returns that one.
    pub(crate) fn insert(&mut self, pin: Pin) -> Option<Pin> {
        self.pins.insert(pin.url.clone(), pin)
    }

    /// Adds an image, in place of what the same reference was on the same processor; returns that.
    pub(crate) fn insert_image(&mut self, image: ImagePin) -> Option<ImagePin> {
        self.images.insert(image.key(), image)
    }
}

/// An input whose digest neither recipe nor anybody else but its publisher knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// Where the answer belongs in the lock.
    pub key: String,
    pub source: Source,
}

/// Returns the key of an input in the lock: its address without secrets, or its path.
pub(crate) fn key(source: &Source) -> String {
    match source {
        Source::Url(url) => url.without_secrets().expose().to_owned(),
        Source::Path(path) => path.as_str().to_owned(),
    }
}

fn serialize_key<S: Serializer>(source: &Source, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&key(source))
}

/// Lists what `update` has to ask for a recipe: every input whose digest the recipe itself does not carry.
pub(crate) fn questions(recipe: &Recipe) -> Vec<Question> {
    let open = recipe.inputs().into_iter().filter(|input| input.sha256.is_none());
    open.map(|input| Question { key: key(&input.source.value), source: input.source.value.clone() }).collect()
}

/// An input whose bytes are known before they are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pinned {
    pub digest: Digest,
    pub size: Option<ByteSize>,
    /// Where the bytes may come from, best first: what the lock resolved, what the recipe says, its mirrors.
    pub urls: Vec<Source>,
    /// Where the publisher lists further mirrors of just these bytes.
    pub metalink: Option<Url>,
}

/// Every input of a recipe, pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PinnedInputs {
    pub base: Pinned,
    /// The others, by [`key`].
    pub others: BTreeMap<String, Pinned>,
    /// Container images of registries, by reference.
    pub images: BTreeMap<String, PinnedImage>,
}

/// A container image, everything of which is known before it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PinnedImage {
    pub manifest: Pinned,
    /// The config, then the layers, each once.
    pub blobs: Vec<Pinned>,
}

impl PinnedImage {
    /// Lists everything it consists of, the manifest first.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Pinned> {
        std::iter::once(&self.manifest).chain(&self.blobs)
    }
}

impl PinnedInputs {
    /// Lists the digests of all inputs, sorted, each once.
    pub(crate) fn digests(&self) -> BTreeSet<Digest> {
        let images = self.images.values().flat_map(PinnedImage::parts);
        self.others.values().chain([&self.base]).chain(images).map(|pinned| pinned.digest).collect()
    }
}

/// Returns which bytes each input of the recipe is; every input without a pin is told.
pub(crate) fn resolve(recipe: &Recipe, lock: &Lock) -> Result<PinnedInputs, Diagnostics> {
    let mut others = BTreeMap::new();
    let mut problems = vec![];
    let inputs = recipe.inputs();
    for (index, input) in inputs.iter().enumerate().skip(1) {
        let twin = inputs.iter().take(index).find(|other| key(&other.source.value) == key(&input.source.value));
        let told = twin.map_or(Ok(()), |twin| alike(twin, input));
        match told.and_then(|()| resolve_input(input, &recipe.file, lock)) {
            Ok(pinned) => drop(others.insert(key(&input.source.value), pinned)),
            Err(problem) => problems.push(problem),
        }
    }
    let mut images = BTreeMap::new();
    for (container, reference) in recipe.images() {
        match images::resolve(recipe, container, reference, lock) {
            Ok(image) => drop(images.insert(reference.value.to_string(), image)),
            Err(problem) => problems.push(problem),
        }
    }
    match resolve_input(&recipe.base.input(), &recipe.file, lock) {
        Ok(base) if problems.is_empty() => return Ok(PinnedInputs { base, others, images }),
        Ok(_) => {}
        Err(problem) => problems.insert(0, problem),
    }
    Err(Diagnostics(problems))
}

/// Refuses two inputs that the lock could not tell apart, unless they are one.
fn alike(first: &Input<'_>, second: &Input<'_>) -> Result<(), Diagnostic> {
    if (&first.source.value, first.sha256, first.size) == (&second.source.value, second.sha256, second.size) {
        return Ok(());
    }
    let headline = format!("`{}` and `{}` have one address, but not one pin", first.what, second.what);
    Err(Diagnostic::new(Code::Recipe, headline)
        .at(second.source.place.clone())
        .note("what follows a `?` and credentials do not count: a lock does not keep them")
        .hint("give both the same `url`, `sha256` and `size`, or serve them under different paths"))
}

/// Returns which bytes one input is.
///
/// A digest in the recipe wins; a pin that disagrees with it is ignored. Without either it is
/// [`Code::Unpinned`]: a moving name must never be built as whatever it means today.
fn resolve_input(input: &Input<'_>, recipe: &str, lock: &Lock) -> Result<Pinned, Diagnostic> {
    let source = &input.source.value;
    let agrees = |pin: &&Pin| input.sha256.is_none_or(|digest| digest == pin.sha256);
    let pin = lock.pins.get(&key(source)).filter(agrees);
    let digest = input.sha256.or(pin.map(|pin| pin.sha256)).ok_or_else(|| unpinned(input, recipe))?;
    let size = size(input, pin)?;
    let resolved = pin.map(|pin| with_credentials(&pin.resolved, source));
    let mirrors = input.mirrors.iter().cloned().map(Source::Url);
    let mut urls: Vec<Source> = vec![];
    for url in resolved.into_iter().chain([source.clone()]).chain(mirrors) {
        if !urls.contains(&url) {
            urls.push(url);
        }
    }
    Ok(Pinned { digest, size, urls, metalink: pin.and_then(|pin| pin.metalink.clone()) })
}

fn unpinned(input: &Input<'_>, recipe: &str) -> Diagnostic {
    let shown = match &input.source.value {
        Source::Url(url) => url.to_string(),
        Source::Path(path) => path.as_str().to_owned(),
    };
    let file = shell_word(&one_line(recipe, 200));
    Diagnostic::new(Code::Unpinned, format!("the digest of `{}` is in neither the recipe nor the lock", input.what))
        .at(input.source.place.clone())
        .fact("source", one_line(&shown, 300))
        .hint(format!("pin it with `arca-build update {file}`"))
}

fn size(input: &Input<'_>, pin: Option<&Pin>) -> Result<Option<ByteSize>, Diagnostic> {
    match (input.size, pin.and_then(|pin| pin.size)) {
        (Some(said), Some(pinned)) if said != pinned => {
            let headline = format!("the recipe and the lock give `{}` different sizes", input.what);
            Err(Diagnostic::new(Code::Recipe, headline)
                .at(input.source.place.clone())
                .fact("recipe", said.exact())
                .fact("lock", pinned.exact())
                .hint("remove `size` from the recipe: the lock knows it"))
        }
        (said, pinned) => Ok(said.or(pinned)),
    }
}

/// Gives the resolved address the credentials and query of the address it came from, which the lock does not keep.
///
/// Only where it is that address or a file beside it: nobody else may get them.
fn with_credentials(resolved: &Source, source: &Source) -> Source {
    let (Source::Url(plain), Source::Url(url)) = (resolved, source) else { return resolved.clone() };
    if url.without_secrets() == *plain {
        return source.clone();
    }
    match url.sibling(plain.file_name()) {
        Ok(sibling) if sibling.without_secrets() == *plain => Source::Url(sibling),
        _ => resolved.clone(),
    }
}

/// Returns whether an address holds what a lock must not keep.
fn has_secrets(url: &Url) -> bool {
    url.without_secrets() != *url
}
