//! What pins tell of each input, before its bytes are there. Touches nothing.

use std::collections::BTreeMap;

use super::facts::BaseFacts;
use super::guest::{GuestPackage, PayloadFormat, Remote};
use crate::base::{ByteSize, Digest};
use crate::recipe::inputs::{container_title, file_title, rpm_title};
use crate::recipe::{CONTENT_LIMIT, Carried, Container, Image, Source};

/// What pins tell of the base and of each input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PinnedInfo {
    pub inputs: BTreeMap<Source, InputInfo>,
    pub base: BaseFacts,
}

/// What is known of one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InputInfo {
    pub digest: Digest,
    pub size: Option<ByteSize>,
}

impl PinnedInfo {
    /// Looks an input up. One without a pin is reported by `lock`, and no plan is made; until then it counts as empty.
    fn remote(&self, title: String, source: &Source) -> Remote {
        let unknown = InputInfo { digest: Digest::of(b""), size: None };
        let InputInfo { digest, size } = self.inputs.get(source).copied().unwrap_or(unknown);
        Remote { title, source: source.clone(), digest, size }
    }

    /// Returns whether an input is known to be too large for a config.
    pub(crate) fn is_large(&self, carried: &Carried) -> bool {
        self.inputs.get(&carried.source.value).and_then(|known| known.size).is_some_and(|size| size > CONTENT_LIMIT)
    }

    /// Looks an image up: the archive, or the manifest of what the registry holds.
    pub(crate) fn image(&self, container: &Container) -> (Remote, PayloadFormat) {
        let title = container_title(container);
        match &container.image {
            Image::Archive(carried) => (self.remote(title, &carried.source.value), PayloadFormat::AsItIs),
            Image::Registry(reference) => {
                let name = container.image_name().unwrap_or_default();
                let format = PayloadFormat::OciArchive { reference: reference.value.to_string(), name };
                (self.remote(title, &Source::Url(reference.value.manifest_url().clone())), format)
            }
        }
    }

    /// Looks a file's content up.
    pub(crate) fn file(&self, path: &str, carried: &Carried) -> Remote {
        self.remote(file_title(path), &carried.source.value)
    }

    /// Looks a package up.
    pub(crate) fn package(&self, rpm: &Carried) -> GuestPackage {
        GuestPackage { name: rpm.file_name().to_owned(), input: self.remote(rpm_title(rpm), &rpm.source.value) }
    }
}
