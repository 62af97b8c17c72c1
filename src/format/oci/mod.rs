//! Container images as registries and archives hold them: manifest, index, config, image layout. Touches nothing.
//!
//! OCI image-spec 1.1 (manifest.md, image-index.md, descriptor.md, config.md, image-layout.md), and the older Docker
//! schema 2 that registries still serve (distribution: docs/content/spec/manifest-v2-2.md). Only what a guest can run is
//! read: an image for Linux whose layers the registry itself holds. Unknown keys are passed over, as both specifications
//! demand; unknown media types are not. Read next: [`layout`].

mod config;
pub(crate) mod layout;
#[cfg(test)]
mod tests;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::base::text::one_line;
use crate::base::{Arch, Code, Diagnostic, Digest};

pub(crate) use config::check_config;

/// The most that a manifest, an index or a config may hold: what registries take (distribution-spec, "Pushing Manifests").
pub(crate) const DOCUMENT_LIMIT: u64 = 4 << 20;
/// The most layers: no storage driver stacks more than about so many.
pub(crate) const LAYER_LIMIT: usize = 128;
/// The most that an image may weigh: its archive must be one file of a ustar stream, which ends at 8 GiB.
pub(crate) const IMAGE_LIMIT: u64 = (8 << 30) - (16 << 20);

/// Media types of what lists one image, as they go into `Accept`.
pub(crate) const MANIFEST_TYPES: [&str; 2] =
    ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];
/// Media types of what lists an image for each platform.
pub(crate) const INDEX_TYPES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];
const CONFIG_TYPES: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];
const LAYER_TYPES: [&str; 5] = [
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
];

/// Something that a registry or layout holds by its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub(crate) struct Blob {
    #[serde(rename = "sha256")]
    pub digest: Digest,
    pub size: u64,
}

/// What lies behind a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Document {
    Index(Index),
    Image(Manifest),
}

/// One image for each platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Index(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    blob: Blob,
    media_type: String,
    /// Such as `linux/arm64/v8`; empty where none is said.
    platform: String,
}

/// One image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub media_type: &'static str,
    pub config: Blob,
    /// From the lowest; one may be there twice.
    pub layers: Vec<Blob>,
}

impl Manifest {
    /// Lists what the image is made of, each once: the config, then the layers.
    pub(crate) fn blobs(&self) -> Vec<Blob> {
        let mut blobs = vec![self.config];
        for layer in &self.layers {
            if !blobs.contains(layer) {
                blobs.push(*layer);
            }
        }
        blobs
    }
}

/// Why a document is not an image that can be carried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OciError {
    #[error("it is not a manifest: {0}")]
    Json(String),
    #[error("it is larger than 4 MiB")]
    Large,
    /// Docker's first format, whose digest does not cover the layers' order.
    #[error("it is a manifest of Docker's schema 1, which has no config and is served by no registry of today")]
    Schema1,
    /// What one reader takes for an index is an image to another (GHSA-77vh-xpmg-72qh).
    #[error("it claims to be an image and an index at once")]
    Ambiguous,
    #[error("its media type `{0}` is none of a container image")]
    MediaType(String),
    #[error("`{0}` is not a sha256 digest")]
    Digest(String),
    #[error("two of its parts have one digest and different sizes")]
    Sizes,
    /// A layer that its registry does not hold: the manifest names addresses for it.
    #[error("layer {0} is a foreign one, which the registry does not hold itself")]
    Foreign(usize),
    #[error("it has {0} layers, at most {LAYER_LIMIT} are taken")]
    Layers(usize),
    #[error("it weighs {0} bytes, and an archive of it ends at 8 GiB")]
    Heavy(u64),
    #[error("it has no image for linux/{wanted}; there are: {found}")]
    Platform { wanted: &'static str, found: String },
    #[error("its entry for linux/{0} is an index again")]
    Nested(&'static str),
    #[error("the image is for {found}, the machine is linux/{wanted}")]
    Config { wanted: &'static str, found: String },
    #[error("its config lists {config} layers, its manifest {manifest}")]
    DiffIds { config: usize, manifest: usize },
}

impl From<OciError> for Diagnostic {
    fn from(error: OciError) -> Self {
        Self::new(Code::NetProtocol, format!("what the registry gave cannot be used: {error}"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    schema_version: u64,
    media_type: Option<String>,
    manifests: Option<Vec<RawDescriptor>>,
    config: Option<RawDescriptor>,
    layers: Option<Vec<RawDescriptor>>,
    fs_layers: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDescriptor {
    media_type: String,
    digest: String,
    size: u64,
    #[serde(default)]
    urls: Vec<String>,
    platform: Option<RawPlatform>,
}

#[derive(Deserialize)]
struct RawPlatform {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
    variant: Option<String>,
}

/// Reads what a registry or a layout gave under a reference; its digest is the caller's business.
///
/// # Errors
/// Whatever is not an image, or an index of images, that can be carried as it is.
pub(crate) fn read(bytes: &[u8]) -> Result<Document, OciError> {
    if bytes.len() as u64 > DOCUMENT_LIMIT {
        return Err(OciError::Large);
    }
    let raw: Raw = serde_json::from_slice(bytes).map_err(|error| OciError::Json(one_line(&error.to_string(), 200)))?;
    if raw.schema_version == 1 || raw.fs_layers.is_some() {
        return Err(OciError::Schema1);
    }
    let media_type = raw.media_type.as_deref();
    match (raw.manifests, raw.config, raw.layers) {
        (Some(entries), None, None) => {
            known(media_type.unwrap_or(INDEX_TYPES[0]), &INDEX_TYPES)?;
            entries.into_iter().map(entry).collect::<Result<_, _>>().map(|entries| Document::Index(Index(entries)))
        }
        (None, Some(config), Some(layers)) => {
            let media_type = known(media_type.unwrap_or(MANIFEST_TYPES[0]), &MANIFEST_TYPES)?;
            image(media_type, config, layers).map(Document::Image)
        }
        (Some(_), ..) => Err(OciError::Ambiguous),
        _ => Err(OciError::Json("it has neither `manifests` nor `config` and `layers`".into())),
    }
}

/// Returns the known media type that is written here.
fn known(written: &str, types: &[&'static str]) -> Result<&'static str, OciError> {
    let found = types.iter().find(|one| **one == written);
    found.copied().ok_or_else(|| OciError::MediaType(one_line(written, 100)))
}

fn blob(raw: &RawDescriptor) -> Result<Blob, OciError> {
    let digest = raw.digest.strip_prefix("sha256:").and_then(|hex| Digest::parse(hex).ok());
    let digest = digest.ok_or_else(|| OciError::Digest(one_line(&raw.digest, 100)))?;
    Ok(Blob { digest, size: raw.size })
}

/// An entry for another platform may be of any type and by any digest algorithm; only the chosen one is judged.
fn entry(raw: RawDescriptor) -> Result<Entry, OciError> {
    let platform = raw.platform.as_ref().map(|platform| {
        let variant = platform.variant.as_ref().map(|variant| format!("/{variant}")).unwrap_or_default();
        format!("{}/{}{variant}", platform.os, platform.architecture)
    });
    Ok(Entry { blob: blob(&raw)?, media_type: raw.media_type, platform: platform.unwrap_or_default() })
}

fn image(media_type: &'static str, config: RawDescriptor, layers: Vec<RawDescriptor>) -> Result<Manifest, OciError> {
    known(&config.media_type, &CONFIG_TYPES)?;
    if layers.len() > LAYER_LIMIT {
        return Err(OciError::Layers(layers.len()));
    }
    let config = blob(&config)?;
    if config.size > DOCUMENT_LIMIT {
        return Err(OciError::Large);
    }
    let layers = (1..).zip(&layers).map(|(number, raw)| layer(number, raw)).collect::<Result<Vec<_>, _>>()?;
    let manifest = Manifest { media_type, config, layers };
    let blobs = manifest.blobs();
    if blobs.iter().any(|one| blobs.iter().any(|other| one.digest == other.digest && one.size != other.size)) {
        return Err(OciError::Sizes);
    }
    let weight = blobs.iter().fold(0u64, |sum, blob| sum.saturating_add(blob.size));
    if weight > IMAGE_LIMIT { Err(OciError::Heavy(weight)) } else { Ok(manifest) }
}

fn layer(number: usize, raw: &RawDescriptor) -> Result<Blob, OciError> {
    let is_foreign = raw.media_type.contains("nondistributable") || raw.media_type.contains(".foreign.");
    if is_foreign || !raw.urls.is_empty() {
        return Err(OciError::Foreign(number));
    }
    known(&raw.media_type, &LAYER_TYPES)?;
    blob(raw)
}

/// Returns how images name a processor (Go's `GOARCH`).
pub(crate) const fn architecture(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "amd64",
        Arch::Aarch64 => "arm64",
    }
}

impl Index {
    /// Returns the image for Linux on this processor: the entry of the plain variant, which every such machine runs.
    ///
    /// # Errors
    /// There is none, or what is there is not an image.
    pub(crate) fn choose(&self, arch: Arch) -> Result<Blob, OciError> {
        let wanted = architecture(arch);
        let plain = format!("linux/{wanted}");
        let named = [plain.clone(), format!("{plain}/{}", if arch == Arch::X86_64 { "v1" } else { "v8" })];
        let entry = self.0.iter().find(|entry| named.contains(&entry.platform)).ok_or_else(|| self.none(wanted))?;
        if INDEX_TYPES.contains(&entry.media_type.as_str()) {
            return Err(OciError::Nested(wanted));
        }
        known(&entry.media_type, &MANIFEST_TYPES)?;
        if entry.blob.size > DOCUMENT_LIMIT { Err(OciError::Large) } else { Ok(entry.blob) }
    }

    fn none(&self, wanted: &'static str) -> OciError {
        let mut found: Vec<_> =
            self.0.iter().map(|entry| entry.platform.as_str()).filter(|it| !it.is_empty()).collect();
        found.sort_unstable();
        found.dedup();
        let found = if found.is_empty() { "none with a platform".to_owned() } else { one_line(&found.join(", "), 200) };
        OciError::Platform { wanted, found }
    }
}
