//! The files beside a recipe, as values: read once by `host`, before planning. Touches nothing.

use std::collections::BTreeMap;

use super::container::Quadlet;
use super::content::Content;
use super::path::{RecipePath, Source};
use super::recipe::Recipe;
use crate::base::{ByteSize, Digest, Location, Secret, Spanned};

/// The most that all of them may hold together; it bounds the memory of a build.
pub(crate) const CONTENTS_LIMIT: ByteSize = ByteSize::mib(16);

/// One file beside a recipe, read through one descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LocalFile {
    pub digest: Digest,
    pub size: ByteSize,
    /// Its bytes, for files whose content enters the plan.
    pub content: Option<Secret<Vec<u8>>>,
}

impl LocalFile {
    /// Describes a file by its bytes.
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        let (digest, size) = (Digest::of(&bytes), ByteSize(bytes.len() as u64));
        Self { digest, size, content: Some(Secret::new(bytes)) }
    }
}

/// Every file a recipe names, by its path as written.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct LocalFiles(pub BTreeMap<RecipePath, LocalFile>);

impl LocalFiles {
    /// Returns the content of a file that the recipe names for its content.
    pub(crate) fn content(&self, path: &RecipePath) -> Option<&[u8]> {
        self.0.get(path).and_then(|file| file.content.as_ref()).map(|content| content.expose().as_slice())
    }
}

/// What a named file is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Use {
    /// Only hashed; its bytes stream into the store.
    Input,
    /// Its bytes enter the plan; at most [`super::CONTENT_LIMIT`].
    Content,
}

impl Recipe {
    /// Finds where a file beside the recipe is first named.
    pub(crate) fn place_of(&self, path: &RecipePath) -> Option<&Location> {
        self.named_contents().find(|named| named.value == *path).map(|named| &named.place)
    }

    /// Lists every file beside the recipe that it names, sorted, each with what it is read for.
    pub(crate) fn local_files(&self) -> BTreeMap<RecipePath, Use> {
        let mut files = BTreeMap::new();
        let sources = self.inputs().into_iter().map(|input| &input.source.value);
        files.extend(sources.filter_map(|source| match source {
            Source::Path(path) => Some((path.clone(), Use::Input)),
            Source::Url(_) => None,
        }));
        files.extend(self.named_contents().map(|path| (path.value.clone(), Use::Content)));
        files
    }

    /// Goes through every place that names a file for its content.
    fn named_contents(&self) -> impl Iterator<Item = &Spanned<RecipePath>> {
        let provision = &self.provision;
        let ready = provision.config.iter().chain(&provision.script).chain(&provision.side_files);
        let units = provision
            .units
            .iter()
            .flat_map(|unit| unit.value.content.iter().chain(unit.value.dropins.iter().map(|dropin| &dropin.content)));
        let certificates = provision.certificates.iter().map(|certificate| &certificate.value.content);
        let quadlets = provision.containers.iter().filter_map(|container| match &container.value.quadlet {
            Some(Quadlet::Ready(content)) => Some(content),
            Some(Quadlet::Typed(_)) | None => None,
        });
        let runs = provision.runs.iter().map(|run| &run.value.content);
        let scripts = runs.chain(provision.timers.iter().map(|timer| &timer.value.content));
        let contents = units.chain(certificates).chain(quadlets).chain(scripts);
        let typed = provision.files.iter().map(|file| &file.value.content).chain(contents);
        let typed = typed.filter_map(|content| match content {
            Content::Path(path) => Some(path),
            Content::Text(_) | Content::Carried(_) => None,
        });
        ready.chain(typed)
    }
}
