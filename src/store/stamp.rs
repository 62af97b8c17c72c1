//! Stamps: what a file was when its bytes were last hashed. Touches `stamps-v1`. Read next: `super::handle`, which keeps them.
//!
//! A stamp spares hashing an object that is only linked or named. It is derivable, so it is written without sync and read
//! without trust: anything odd counts as no stamp.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};

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
    pub(super) fn holds(&self, digest: &Digest, stamp: Stamp) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&(*digest, stamp))
    }

    pub(super) fn add(&self, digest: &Digest, stamp: Stamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((*digest, stamp));
    }
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
