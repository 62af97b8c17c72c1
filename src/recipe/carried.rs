//! What a recipe names by address for its guest: files, packages, container images. Values only; touches nothing.
//!
//! Each is pinned like the base, in the recipe or in the lock; what brings it into the guest is `provision`'s business.

use super::{Content, ImageReference, Input, Provision, Quadlet, Recipe, Source};
use crate::base::{ByteSize, Digest, Name, Spanned, Url};

/// Bytes for the guest that have an address and a pin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Carried {
    pub source: Spanned<Source>,
    /// The pin, when the recipe itself carries it; else the lock does.
    pub sha256: Option<Digest>,
    pub size: Option<ByteSize>,
    pub mirrors: Vec<Url>,
}

/// `[[provision.container]]`: an image that is loaded once, at the first boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Container {
    /// Names the unit that loads it, and the service that runs it.
    pub name: Name,
    pub image: Image,
    /// Units that start only when it is loaded.
    pub before: Vec<String>,
    /// How it is run; where there is none, it is only loaded.
    pub quadlet: Option<Quadlet>,
}

/// Where a container image comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Image {
    /// `url`: an `oci-archive` by address.
    Archive(Carried),
    /// `image`: what a registry holds under a reference.
    Registry(Spanned<ImageReference>),
}

impl Container {
    /// Returns the name of the service that its quadlet becomes.
    pub(crate) fn service(&self) -> String {
        format!("{}.service", self.name)
    }

    /// Returns the name under which the guest finds the image, where the recipe decides it: an archive brings its own.
    pub(crate) fn image_name(&self) -> Option<String> {
        match &self.image {
            Image::Archive(_) => None,
            Image::Registry(reference) => {
                Some(reference.value.tagged().unwrap_or_else(|| format!("localhost/{}:latest", self.name)))
            }
        }
    }
}

impl Carried {
    /// Returns what has to be pinned; `what` is what messages call it.
    pub(crate) fn input(&self, what: String) -> Input<'_> {
        Input { what, source: &self.source, sha256: self.sha256, size: self.size, mirrors: &self.mirrors }
    }

    /// Returns the last part of its address, as written.
    pub(crate) fn file_name(&self) -> &str {
        match &self.source.value {
            Source::Url(url) => url.file_name(),
            Source::Path(path) => path.file_name(),
        }
    }
}

/// Returns the name that a package gets on its way: the config disk knows neither `~` nor `^`, nor case.
pub(crate) fn plain_rpm_name(name: &str) -> String {
    name.replace(['~', '^'], "_")
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
