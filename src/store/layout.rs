//! Where everything lies beneath the store; the module header says what it is. Touches nothing.

use std::path::{Path, PathBuf};

use crate::base::Digest;

pub(super) const OBJECTS: &str = "objects-v1";
pub(super) const REALISATIONS: &str = "realisations-v1";
pub(super) const BUNDLES: &str = "bundles-v1";
pub(super) const STAMPS: &str = "stamps-v1";
pub(super) const ROOTS: &str = "roots-v1";
pub(super) const SEEN: &str = "seen-v1";
pub(super) const QUARANTINE: &str = "quarantine";
/// Where temporaries lie: on the store's own file system, so publishing is one link or rename.
pub(super) const TMP: &str = "tmp";
/// How the names of kept downloads begin; the sweep leaves them, gc does not.
pub(super) const PARTIAL: &str = "partial-";

/// Returns the name of an object beneath the store.
pub(super) fn object_name(digest: &Digest) -> PathBuf {
    let digits = digest.to_string();
    let (first, rest) = digits.split_at(2);
    Path::new(OBJECTS).join(first).join(rest)
}
