//! What removing frees where one file has several names: its space goes with the last of them. Touches nothing, reads
//! names and sizes. Read next: `super::gc`.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::usage::blocks;
use crate::fs::Tree;

/// How many names of each file go, by device and inode.
#[derive(Debug, Default)]
pub(super) struct LinkCounts(BTreeMap<(u64, u64), u64>);

impl LinkCounts {
    /// Counts a name among those that go, and returns the space that this frees.
    pub(super) fn add(&mut self, found: &Metadata) -> u64 {
        let is_freed = self.is_last(found);
        *self.0.entry((found.dev(), found.ino())).or_default() += 1;
        if is_freed { blocks(found) } else { 0 }
    }

    /// The same for a name beneath the store and everything in it; what vanishes meanwhile frees nothing.
    pub(super) fn add_all(&mut self, tree: &Tree, name: &Path) -> u64 {
        let Ok(found) = tree.look(name) else { return 0 };
        let within = if found.is_dir() { tree.list(name).unwrap_or_default() } else { vec![] };
        self.add(&found) + within.iter().map(|entry| self.add_all(tree, &name.join(entry))).sum::<u64>()
    }

    /// Returns whether all other names of a file go.
    ///
    /// The links that a directory counts are its subdirectories' (stat(2)), not names.
    pub(super) fn is_last(&self, found: &Metadata) -> bool {
        let going = self.0.get(&(found.dev(), found.ino())).copied().unwrap_or(0);
        found.is_dir() || found.nlink() == going + 1
    }
}
