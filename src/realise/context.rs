//! What a build works with, and what it gives. Touches nothing. Read next: `super::scheduler`.

use std::collections::BTreeMap;

use crate::base::{ByteSize, Code, DerivationId, Diagnostic, Digest, Events};
use crate::fetch::Fetch;
use crate::host::RecipeDir;
use crate::store::{Store, StoreObject};

/// Rewrites an address to the places to ask, in order; what a configuration's mirrors say.
pub(crate) type Rewrite<'a> = &'a (dyn Fn(&crate::recipe::Source) -> Vec<crate::recipe::Source> + Sync);

/// What a build works with.
pub(crate) struct BuildContext<'a> {
    pub store: &'a Store<'a>,
    pub fetch: &'a dyn Fetch,
    /// Where the recipe's side files are.
    pub beside: &'a RecipeDir,
    pub rewrite: Rewrite<'a>,
    pub events: Events<'a>,
    /// Said in realisation records.
    pub version: &'a str,
    /// The largest input without a pinned size that is taken.
    pub largest: ByteSize,
}

impl std::fmt::Debug for BuildContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BuildContext").field("store", &self.store.dir()).finish_non_exhaustive()
    }
}

/// A plan whose every output is in the store.
#[derive(Debug)]
pub(crate) struct Realised {
    /// By derivation: inputs that were looked at, and every output.
    pub objects: BTreeMap<DerivationId, StoreObject>,
    pub stats: BuildStats,
}

/// What a build did.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct BuildStats {
    pub reused: u32,
    pub built: u32,
    pub fetched: u32,
    /// Bytes that came from outside this time.
    pub fetched_bytes: u64,
}

impl Realised {
    /// Returns the object that a derivation made.
    pub(crate) fn object(&self, id: &DerivationId) -> Result<&StoreObject, Diagnostic> {
        self.objects.get(id).ok_or_else(|| Diagnostic::new(Code::Bug, format!("derivation {id} was not realised")))
    }
}

impl BuildStats {
    /// Adds what another part of the build did.
    pub(crate) fn add(&mut self, other: &Self) {
        self.reused += other.reused;
        self.built += other.built;
        self.fetched += other.fetched;
        self.fetched_bytes += other.fetched_bytes;
    }
}

/// Names a digest as facts show it.
pub(super) fn named(digest: &Digest) -> String {
    format!("sha256:{digest}")
}
