//! `store du`: what occupies the space, counted as the file system does. Touches nothing, reads names and sizes.
//! Read next: `super::gc`.
//!
//! Blocks are counted, not lengths, so holes cost nothing; each inode once, however many names it has. Directories count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::handle::Store;
use super::layout::{BUNDLES, OBJECTS, QUARANTINE, REALISATIONS, ROOTS, STAMPS, TMP};
use super::{fail, partial};
use crate::base::{ByteSize, Diagnostic};
use crate::fs::tree::absent_is_empty;

/// What the store occupies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Everything together.
    pub total: ByteSize,
    /// In a fixed order; those that hold nothing too.
    pub kinds: Vec<KindUsage>,
    /// In order of their names.
    pub bundles: Vec<BundleUsage>,
}

/// What one kind of thing occupies; files that are hard links to objects count as objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct KindUsage {
    pub kind: &'static str,
    pub files: u64,
    pub size: ByteSize,
}

/// What a bundle and the objects behind it occupy.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct BundleUsage {
    /// Its directory's name: `<plan id>-<name>`.
    pub name: String,
    pub files: u64,
    /// What no other bundle holds, nor quarantine: about what its collection frees.
    pub own: ByteSize,
    /// What other bundles hold too, or one in quarantine.
    pub shared: ByteSize,
}

/// Where things count, in the order in which an inode is given to the first that names it.
const KINDS: [&str; 9] =
    ["objects", "bundles", "partial downloads", "temporary", "quarantine", "realisations", "stamps", "roots", "other"];

impl Usage {
    /// What a store that is not there occupies.
    pub(crate) fn nothing() -> Self {
        let kinds = KINDS.map(|kind| KindUsage { kind, files: 0, size: ByteSize(0) });
        Self { total: ByteSize(0), kinds: kinds.to_vec(), bundles: vec![] }
    }
}

impl Store<'_> {
    /// Adds up what the store occupies.
    pub(crate) fn usage(&self) -> Result<Usage, Diagnostic> {
        self.tree.be_quiet();
        let mut count = Count { store: self, seen: BTreeSet::new(), usage: Usage::nothing() };
        let told = |error: io::Error| fail::read("cannot add up the store", self.dir(), &error);
        count.everything().map_err(told)?;
        Ok(Usage { bundles: self.bundle_usage().map_err(told)?, ..count.usage })
    }

    fn bundle_usage(&self) -> io::Result<Vec<BundleUsage>> {
        let mut holders: BTreeMap<u64, u64> = BTreeMap::new();
        for name in absent_is_empty(self.tree.list(QUARANTINE))? {
            let mut inodes = BTreeSet::new();
            self.inodes(&Path::new(QUARANTINE).join(name), &mut inodes);
            inodes.into_iter().for_each(|inode| *holders.entry(inode).or_default() += 1);
        }
        let mut all = vec![];
        for name in absent_is_empty(self.tree.list(BUNDLES))? {
            let Ok(dir) = self.tree.sub(Path::new(BUNDLES).join(&name)) else { continue };
            let found = dir.list(".")?.into_iter().filter_map(|file| dir.look(file).ok());
            let inodes: BTreeMap<u64, u64> = found.map(|found| (found.ino(), blocks(&found))).collect();
            inodes.keys().for_each(|inode| *holders.entry(*inode).or_default() += 1);
            all.push((name, dir.metadata().map_or(0, |found| blocks(&found)), inodes));
        }
        let one = |(name, own, inodes): (std::ffi::OsString, u64, BTreeMap<u64, u64>)| {
            let part = |is_shared: bool| {
                let held = inodes.iter().filter(|(inode, _)| (holders.get(inode) > Some(&1)) == is_shared);
                held.map(|(_, size)| size).sum::<u64>()
            };
            let (own, shared) = (ByteSize(own + part(false)), ByteSize(part(true)));
            BundleUsage { name: name.to_string_lossy().into_owned(), files: inodes.len() as u64, own, shared }
        };
        Ok(all.into_iter().map(one).collect())
    }

    /// Gathers the files at a name and beneath it.
    fn inodes(&self, name: &Path, inodes: &mut BTreeSet<u64>) {
        match self.tree.look(name) {
            Ok(found) if found.is_dir() => {
                let within = self.tree.list(name).unwrap_or_default();
                within.iter().for_each(|entry| self.inodes(&name.join(entry), inodes));
            }
            found => inodes.extend(found.map(|found| found.ino())),
        }
    }
}

struct Count<'s, 'e> {
    store: &'s Store<'e>,
    /// Device and inode.
    seen: BTreeSet<(u64, u64)>,
    usage: Usage,
}

impl Count<'_, '_> {
    fn everything(&mut self) -> io::Result<()> {
        let tree = &self.store.tree;
        let direct = [(OBJECTS, 0), (BUNDLES, 1), (QUARANTINE, 4), (REALISATIONS, 5), (STAMPS, 6), (ROOTS, 7)];
        for (directory, kind) in direct {
            self.add(Path::new(directory), kind);
        }
        for name in absent_is_empty(tree.list(TMP))? {
            self.add(&Path::new(TMP).join(&name), if partial::is_partial(&name) { 2 } else { 3 });
        }
        for name in tree.list(".")? {
            if name == TMP {
                let found = tree.look(TMP);
                self.note(found, 3);
            } else if direct.iter().all(|(directory, _)| name != *directory) {
                self.add(Path::new(&name), 8);
            }
        }
        self.note(tree.metadata(), 8);
        Ok(())
    }

    /// Counts something and what lies in it; what vanishes meanwhile does not count.
    fn add(&mut self, name: &Path, kind: usize) {
        let found = self.store.tree.look(name);
        let is_dir = found.as_ref().is_ok_and(Metadata::is_dir);
        self.note(found, kind);
        for entry in self.store.tree.list(name).ok().filter(|_| is_dir).unwrap_or_default() {
            self.add(&name.join(entry), kind);
        }
    }

    fn note(&mut self, found: io::Result<Metadata>, kind: usize) {
        let Ok(found) = found else { return };
        if self.seen.insert((found.dev(), found.ino())) {
            let kind = &mut self.usage.kinds[kind];
            kind.files += u64::from(!found.is_dir());
            kind.size.0 += blocks(&found);
            self.usage.total.0 += blocks(&found);
        }
    }
}

/// Returns what a file occupies; stat(2) counts in units of 512 bytes, whatever the file system's block is.
pub(super) fn blocks(found: &Metadata) -> u64 {
    found.blocks() * 512
}
