//! What a recipe names by address for its guest: files, packages, container images. Values only; touches nothing.
//!
//! Each is pinned like the base, in the recipe or in the lock; what brings it into the guest is `provision`'s business.

use super::{Content, Input, Located, Provision, Source};
use crate::base::{ByteSize, Digest, Name, Url};

/// Bytes for the guest that have an address and a pin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    pub source: Located<Source>,
    /// The pin, when the recipe itself carries it; else the lock does.
    pub sha256: Option<Digest>,
    pub size: Option<ByteSize>,
    pub mirrors: Vec<Url>,
}

/// `[[provision.container]]`: an image that is loaded once, at the first boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Names the unit that loads it.
    pub name: Name,
    /// An `oci-archive`.
    pub image: Carried,
    /// Units that start only when it is loaded.
    pub before: Vec<String>,
}

impl Carried {
    /// Returns what has to be pinned; `what` is what messages call it.
    pub fn input(&self, what: String) -> Input<'_> {
        Input { what, source: &self.source, sha256: self.sha256, size: self.size, mirrors: &self.mirrors }
    }

    /// Returns the last part of its address, as written.
    pub fn file_name(&self) -> &str {
        match &self.source.value {
            Source::Url(url) => url.file_name(),
            Source::Path(path) => path.file_name(),
        }
    }
}

/// Returns the name that a package gets on its way: the config disk knows neither `~` nor `^`, nor case.
pub fn plain_rpm_name(name: &str) -> String {
    name.replace(['~', '^'], "_")
}

/// What messages call a file by address.
pub fn file_title(path: &str) -> String {
    format!("provision.file {path}")
}

/// What messages call a package.
pub fn rpm_title(rpm: &Carried) -> String {
    format!("provision.rpm {}", rpm.file_name())
}

/// What messages call a container image.
pub fn container_title(container: &Container) -> String {
    format!("provision.container {}", container.name)
}

impl Provision {
    /// Lists everything carried that has to be pinned, in the order written: files, packages, containers.
    pub fn inputs(&self) -> impl Iterator<Item = Input<'_>> {
        let files = self.files.iter().filter_map(|file| match &file.value.content {
            Content::Carried(carried) => Some(carried.input(file_title(&file.value.path))),
            Content::Text(_) | Content::Path(_) => None,
        });
        let rpms = self.rpms.iter().map(|rpm| rpm.value.input(rpm_title(&rpm.value)));
        let containers = self.containers.iter().map(|one| one.value.image.input(container_title(&one.value)));
        files.chain(rpms).chain(containers)
    }
}
