//! The image layout, which an `oci-archive` is a tar of (image-spec: image-layout.md). Touches nothing.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Blob;
use crate::base::Digest;

/// The file that says that a directory is a layout.
pub(crate) const LAYOUT_FILE: &str = "oci-layout";
/// What it holds.
pub(crate) const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
/// The file that lists what is in a layout.
pub(crate) const INDEX_FILE: &str = "index.json";

/// Returns where a layout holds a blob.
pub(crate) fn blob_path(digest: &Digest) -> String {
    format!("blobs/sha256/{digest}")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    schema_version: u8,
    media_type: &'a str,
    manifests: [Descriptor<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'a> {
    media_type: &'a str,
    digest: String,
    size: u64,
    annotations: BTreeMap<&'a str, &'a str>,
}

/// Writes `index.json` of a layout of one image.
///
/// `name` is the whole name under which it is loaded. Podman takes it from `org.opencontainers.image.ref.name` where
/// `io.containerd.image.name` is absent, and from that one where it is there (containers/common: libimage/pull.go,
/// `nameFromAnnotations`); both say the same.
pub(crate) fn index(media_type: &str, manifest: Blob, name: &str) -> Vec<u8> {
    let annotations = BTreeMap::from([("io.containerd.image.name", name), ("org.opencontainers.image.ref.name", name)]);
    let digest = format!("sha256:{}", manifest.digest);
    let manifests = [Descriptor { media_type, digest, size: manifest.size, annotations }];
    let index = Index { schema_version: 2, media_type: super::INDEX_TYPES[0], manifests };
    // A struct of texts and numbers always has a JSON form.
    serde_json::to_vec(&index).unwrap_or_default()
}
