//! Stamps: what a file was when its bytes were last hashed. Touches `stamps-v1`. Read next: `super::object`.
//!
//! A stamp spares hashing an object that is only linked or named. It is derivable, so it is written without sync and read
//! without trust: anything odd counts as no stamp.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::temp::TempFile;
use super::tree::Tree;
use super::{STAMPS, Store};
use crate::base::Digest;

/// Inode, size and modification time, to the nanosecond. Not ctime: every hard link into a bundle changes that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp {
    pub(super) inode: u64,
    pub(super) size: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl Stamp {
    /// Takes the stamp of an open or looked-at file.
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            size: metadata.len(),
            seconds: metadata.mtime(),
            nanoseconds: metadata.mtime_nsec(),
        }
    }

    /// Writes `inode size seconds nanoseconds`.
    pub(super) fn text(&self) -> String {
        format!("{} {} {} {}", self.inode, self.size, self.seconds, self.nanoseconds)
    }

    /// Reads what [`Stamp::text`] wrote.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (inode, size) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let (seconds, nanoseconds) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        words.next().is_none().then_some(Self { inode, size, seconds, nanoseconds })
    }
}

/// Which bytes this program hashed itself, in which file as it stood then.
#[derive(Debug, Default)]
pub(super) struct Hashed(Mutex<BTreeSet<(Digest, Stamp)>>);

impl Hashed {
    fn holds(&self, digest: &Digest, stamp: Stamp) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&(*digest, stamp))
    }

    fn add(&self, digest: &Digest, stamp: Stamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((*digest, stamp));
    }
}

fn name(digest: &Digest) -> PathBuf {
    Path::new(STAMPS).join(digest.to_string())
}

impl Store<'_> {
    /// Tells whether the file was hashed as it stands now.
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
            let _ = write_derivable(&self.tree, &name(digest), text.as_bytes());
        }
    }

    /// Forgets a stamp.
    pub(super) fn unstamp(&self, digest: &Digest) {
        let _ = self.tree.remove_all(name(digest));
    }
}

/// Writes a small file whole but unsynced, in place of what is there.
pub(super) fn write_derivable(tree: &Tree, name: &Path, bytes: &[u8]) -> io::Result<()> {
    let parent = name.parent().unwrap_or(Path::new("."));
    if tree.look(parent).is_err() {
        tree.make_dir(parent)?;
    }
    let mut temp = TempFile::create(tree)?;
    temp.file.write_all(bytes)?;
    // Unlink and link, not rename over: ext4 flushes a file renamed over another (auto_da_alloc), 2 ms each time, and
    // a stamp that is missing for a moment, or for ever, does no harm.
    tree.remove_all(name)?;
    temp.publish(name)
}

/// Writes a small file whole and durable, in place of what is there.
pub(super) fn write_durable(tree: &Tree, name: &Path, bytes: &[u8]) -> io::Result<()> {
    let parent = name.parent().unwrap_or(Path::new("."));
    if tree.look(parent).is_err() && tree.make_dir(parent)? {
        tree.sync_dir(".")?;
    }
    let mut temp = TempFile::named(tree)?;
    temp.file.write_all(bytes)?;
    temp.file.sync_all()?;
    match temp.replace(name) {
        // A directory was put in its place, over which no file can be renamed (rename(2)).
        Err(error) if error.kind() == ErrorKind::IsADirectory => {
            tree.remove_all(name)?;
            temp.replace(name)?;
        }
        other => other?,
    }
    tree.sync_dir(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cas_06_a_garbled_stamp_is_no_stamp() {
        let stamp = Stamp { inode: 12, size: 34, seconds: -5, nanoseconds: 6 };
        assert_eq!(Stamp::parse(&stamp.text()), Some(stamp));
        for bad in ["", "1", "1 2 3", "1 2 3 4 5", "1 2 3 x", "-1 2 3 4", "1  2 3 4", "1 2 3 4\n"] {
            assert_eq!(Stamp::parse(bad), None, "{bad:?}");
        }
    }
}
