//! What a recipe names by address: the base, and for its guest files, packages, container images. Touches nothing.
//!
//! Each is pinned, in the recipe or in the lock; what brings it into the guest is `provision`'s business.

use super::base::Base;
use super::container::{Container, Image};
use super::content::{Carried, Content};
use super::image::ImageReference;
use super::path::Source;
use super::provision::Provision;
use super::recipe::Recipe;
use crate::base::{ByteSize, Digest, Spanned, Url};

/// One input whose bytes a recipe names by address: what has to be pinned, here or in the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Input<'a> {
    /// What messages call it, such as `base`.
    pub what: String,
    pub source: &'a Spanned<Source>,
    /// The pin, when the recipe itself carries it.
    pub sha256: Option<Digest>,
    pub size: Option<ByteSize>,
    /// Other addresses of the same bytes.
    pub mirrors: &'a [Url],
}

impl Recipe {
    /// Lists every input that has to be pinned; the base comes first.
    pub(crate) fn inputs(&self) -> Vec<Input<'_>> {
        std::iter::once(self.base.input()).chain(self.provision.inputs()).collect()
    }
}

impl Base {
    /// Returns what has to be pinned of it.
    pub(crate) fn input(&self) -> Input<'_> {
        let what = "base".to_owned();
        Input { what, source: &self.source, sha256: self.sha256, size: self.size, mirrors: &self.mirrors }
    }
}

impl Carried {
    /// Returns what has to be pinned; `what` is what messages call it.
    pub(crate) fn input(&self, what: String) -> Input<'_> {
        Input { what, source: &self.source, sha256: self.sha256, size: self.size, mirrors: &self.mirrors }
    }
}

/// What messages call a file by address.
pub(crate) fn file_title(path: &str) -> String {
    format!("provision.file {path}")
}

/// What messages call a package.
pub(crate) fn rpm_title(rpm: &Carried) -> String {
    format!("provision.rpm {}", rpm.file_name())
}

/// What messages call a container image.
pub(crate) fn container_title(container: &Container) -> String {
    format!("provision.container {}", container.name)
}

impl Provision {
    /// Lists everything carried by address that has to be pinned, in the order written: files, packages, containers.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = Input<'_>> {
        let files = self.files.iter().filter_map(|file| match &file.value.content {
            Content::Carried(carried) => Some(carried.input(file_title(&file.value.path))),
            Content::Text(_) | Content::Path(_) => None,
        });
        let rpms = self.rpms.iter().map(|rpm| rpm.value.input(rpm_title(&rpm.value)));
        let containers = self.containers.iter().filter_map(|one| match &one.value.image {
            Image::Archive(carried) => Some(carried.input(container_title(&one.value))),
            Image::Registry(_) => None,
        });
        files.chain(rpms).chain(containers)
    }
}

impl Recipe {
    /// Lists the container images that come from registries, in the order written; the lock pins each of them whole.
    pub(crate) fn images(&self) -> impl Iterator<Item = (&Container, &Spanned<ImageReference>)> {
        self.provision.containers.iter().filter_map(|one| match &one.value.image {
            Image::Registry(reference) => Some((&one.value, reference)),
            Image::Archive(_) => None,
        })
    }
}
