//! A store that is open, and the stamps that every part of it reads and writes. Touches `stamps-v1`. Read next: `super::open`.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::fail;
use super::layout::{ROOTS, STAMPS, TMP};
use super::stamp::{Hashed, Stamp};
use crate::base::{ByteSize, Code, Diagnostic, Digest, Events};
use crate::fs::{Tree, whole};

/// An open store; while it is held, the collector takes nothing.
pub(crate) struct Store<'e> {
    pub(super) tree: Tree,
    pub(super) lock: Option<File>,
    /// The feature that forbids this program to write.
    pub(super) read_only: Option<String>,
    /// What was hashed by this program; `None` where stamps are trusted.
    pub(super) hashed: Option<Hashed>,
    pub(super) patience: Patience,
    pub(super) events: Events<'e>,
}

/// How long to wait for others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For a collector to end, and for a download elsewhere that makes no progress.
    pub(crate) user: Duration,
    /// For users to end, before collecting is given up.
    pub(crate) collector: Duration,
}

impl Store<'_> {
    /// Trusts no stamp from now on: what is used is hashed, once.
    #[must_use]
    pub(crate) fn rehash(mut self) -> Self {
        self.hashed = Some(Hashed::default());
        self
    }

    /// Returns whether stamps are doubted.
    pub(crate) fn is_rehashing(&self) -> bool {
        self.hashed.is_some()
    }

    /// Returns the absolute path of the store.
    pub(crate) fn dir(&self) -> &Path {
        self.tree.path()
    }

    /// Returns whether this program may write here at all, as far as permissions, mount and format tell.
    pub(crate) fn is_writable(&self) -> bool {
        self.read_only.is_none() && [TMP, ROOTS].iter().all(|name| self.tree.may_write(name))
    }

    /// Fails when this program must not write here; the system's own refusals come from the calls themselves.
    pub(super) fn check_writable(&self) -> Result<(), Diagnostic> {
        match &self.read_only {
            None => Ok(()),
            Some(feature) => Err(Diagnostic::new(Code::CacheReadOnly, "the store may only be read by this version")
                .fact("feature", feature)
                .fact("store", fail::path(self.dir()))
                .hint("use the newer arca-build that wrote it, or name another store with `--cache DIR`")),
        }
    }

    pub(super) fn unwritable(&self, size: Option<u64>, error: &io::Error) -> Diagnostic {
        let problem = fail::write("cannot write an object to the store", self.dir(), error);
        let problem = match size {
            Some(size) if problem.code == Code::NoSpace => {
                problem.fact("needed", ByteSize(size)).fact("free", self.free().map_or("?".into(), |f| f.to_string()))
            }
            _ => problem,
        };
        if problem.note.is_some() { problem } else { problem.note("nothing was added to the store") }
    }

    /// Writes a small file whole but unsynced, in place of what has the name.
    pub(super) fn write_derivable(&self, name: &Path, bytes: &[u8]) -> io::Result<()> {
        whole::write_derivable(&self.tree, TMP, name, bytes)
    }

    /// Writes a small file whole and durable, in place of what has the name.
    pub(super) fn write_durable(&self, name: &Path, bytes: &[u8]) -> io::Result<()> {
        whole::write_durable(&self.tree, TMP, name, bytes)
    }

    /// Returns whether the file was hashed as it stands now.
    pub(super) fn is_stamped(&self, digest: &Digest, metadata: &Metadata) -> bool {
        match &self.hashed {
            Some(hashed) => hashed.holds(digest, Stamp::of(metadata)),
            None => self.stamp_of(digest) == Some(Stamp::of(metadata)),
        }
    }

    /// Returns what is remembered of an object.
    pub(super) fn stamp_of(&self, digest: &Digest) -> Option<Stamp> {
        let bytes = self.tree.read_small(name(digest), 256).ok()?;
        std::str::from_utf8(&bytes).ok()?.strip_suffix('\n').and_then(Stamp::parse)
    }

    /// Remembers for this run alone that a file was hashed as the metadata shows it.
    pub(super) fn remember(&self, digest: &Digest, metadata: &Metadata) {
        if let Some(hashed) = &self.hashed {
            hashed.add(digest, Stamp::of(metadata));
        }
    }

    /// Remembers that the file was hashed as the metadata shows it; a failure costs a hash later.
    pub(super) fn stamp(&self, digest: &Digest, metadata: &Metadata) {
        self.remember(digest, metadata);
        let text = format!("{}\n", Stamp::of(metadata).text());
        if self.read_only.is_none() && self.stamp_of(digest) != Some(Stamp::of(metadata)) {
            let _ = self.write_derivable(&name(digest), text.as_bytes());
        }
    }

    /// Forgets a stamp.
    pub(super) fn unstamp(&self, digest: &Digest) {
        let _ = self.tree.remove_all(name(digest));
    }
}

fn name(digest: &Digest) -> PathBuf {
    Path::new(STAMPS).join(digest.to_string())
}
