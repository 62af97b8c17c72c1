//! How a container image is run as a service: a `.container` file for podman's generator. Values only; touches nothing.

use super::Content;
use crate::base::Secret;

/// The unit file of `[[provision.container]]`, as written or from typed keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Quadlet {
    /// `text` or `source`.
    Ready(Content),
    Typed(Service),
}

/// What the typed keys say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    /// As `PublishPort=` takes them.
    pub ports: Vec<String>,
    pub volumes: Vec<Volume>,
    /// Name and value, in the order written.
    pub environment: Vec<(String, Secret<String>)>,
    /// The command and its words, in place of the image's own.
    pub exec: Vec<String>,
    /// Whether it starts at boot.
    pub auto_start: bool,
}

/// One entry of `volumes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Volume {
    /// A path of the guest, or the name of one of podman's volumes.
    pub source: String,
    /// A path in the container.
    pub target: String,
    /// Such as `ro,Z`; empty where none are written.
    pub options: String,
}

impl Volume {
    /// Returns the path of the guest that is mounted; none for one of podman's volumes.
    pub(crate) fn host_path(&self) -> Option<&str> {
        self.source.starts_with('/').then_some(self.source.as_str())
    }
}
