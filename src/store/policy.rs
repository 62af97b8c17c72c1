//! What the collector spares beside what roots keep: the young, the last of each name, what fits. Touches nothing, looks at
//! times. Read next: `super::gc`.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::handle::Store;
use super::layout::{BUNDLES, STAMPS, object_name};
use crate::base::{ByteSize, Digest};

/// What may be collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    /// What is younger stays.
    pub grace: Duration,
    /// So many bundles of each name stay, the newest, whether a root keeps them or not.
    pub keep_last: usize,
    /// Where set, only as much goes as is needed to come down to it, what was used longest ago first.
    pub max_size: Option<ByteSize>,
    pub empty_roots: EmptyRoots,
}

/// What to do when there is no root at all, so that everything may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EmptyRoots {
    /// Perhaps the roots were lost: remove nothing.
    Refuse,
    /// The person knows.
    Collect,
}

/// Decides by modification time; what seems to come from the future is young.
pub(super) struct Age {
    pub(super) now: SystemTime,
    pub(super) grace: Duration,
}

impl Age {
    pub(super) fn is_old(&self, seconds: i64) -> bool {
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.max(0).unsigned_abs());
        self.now.duration_since(then).is_ok_and(|age| age > self.grace)
    }
}

/// A time in seconds and nanoseconds.
pub(super) type Moment = (i64, i64);

impl Store<'_> {
    /// Returns the bundles that are the newest `count` of their names.
    pub(super) fn last_of_each_name(&self, bundles: &[String], count: usize) -> BTreeSet<String> {
        let mut by_name: BTreeMap<&str, Vec<(Moment, &String)>> = BTreeMap::new();
        for bundle in bundles {
            let Some((_, name)) = bundle.split_once('-') else { continue };
            let made =
                self.tree.look(Path::new(BUNDLES).join(bundle)).map_or((0, 0), |it| (it.mtime(), it.mtime_nsec()));
            by_name.entry(name).or_default().push((made, bundle));
        }
        let newest = by_name.into_values().flat_map(|mut all| {
            all.sort_by(|a, b| b.cmp(a));
            all.into_iter().take(count)
        });
        newest.map(|(_, bundle)| bundle.clone()).collect()
    }

    /// Returns when an object was last used, as far as the file system tells.
    ///
    /// Whoever finds an object reads its stamp, and who runs a machine reads its disks; a file system updates the time of
    /// the last reading about once a day (mount(8), `relatime`), or never (`noatime`): then this is when it came.
    pub(super) fn object_used(&self, digest: &Digest) -> Moment {
        self.used(&object_name(digest)).max(self.used(&Path::new(STAMPS).join(digest.to_string())))
    }

    /// Returns when a bundle was last used, as [`Store::object_used`] does.
    pub(super) fn bundle_used(&self, name: &str) -> Moment {
        self.used(&Path::new(BUNDLES).join(name)).max(self.used(&Path::new(STAMPS).join(name)))
    }

    fn used(&self, name: &Path) -> Moment {
        let times = |it: std::fs::Metadata| (it.mtime(), it.mtime_nsec()).max((it.atime(), it.atime_nsec()));
        self.tree.look(name).map_or((0, 0), times)
    }
}
