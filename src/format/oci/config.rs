//! An image's config, as far as it tells whether the machine can run it (image-spec: config.md). Touches nothing.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Manifest, OciError, architecture};
use crate::base::Arch;
use crate::base::text::one_line;

#[derive(Deserialize)]
struct Raw {
    architecture: String,
    os: String,
    rootfs: RawLayers,
}

#[derive(Deserialize)]
struct RawLayers {
    diff_ids: Vec<IgnoredAny>,
}

/// Checks that an image runs on a machine, by its config: a manifest alone names no platform.
///
/// # Errors
/// It is for another platform, or belongs to another manifest.
pub(crate) fn check_config(bytes: &[u8], manifest: &Manifest, arch: Arch) -> Result<(), OciError> {
    let raw: Raw = serde_json::from_slice(bytes).map_err(|error| OciError::Json(one_line(&error.to_string(), 200)))?;
    let wanted = architecture(arch);
    if raw.os != "linux" || raw.architecture != wanted {
        return Err(OciError::Config { wanted, found: one_line(&format!("{}/{}", raw.os, raw.architecture), 60) });
    }
    let (config, layers) = (raw.rootfs.diff_ids.len(), manifest.layers.len());
    if config == layers { Ok(()) } else { Err(OciError::DiffIds { config, manifest: layers }) }
}
