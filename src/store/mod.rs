//! The store: the only hand in the cache directory. Touches nothing else, but for the place that `--out` names.
//!
//! This header is the specification of the layout and of how things are written.
//!
//! # Layout, format 1
//!
//! ```text
//! CACHEDIR.TAG            marks the directory for backup programs
//! meta.json               format number, and names of features to ignore, to only read with, to stay away from
//! objects-v1/ab/cdef…     one file per object, named by its sha256 (2 + 62 digits), 0444 or 0400, nothing else
//! realisations-v1/<id>    text: which object a derivation gave, and the version of the tool that said so
//! bundles-v1/<id>-<name>/ a bundle: files, most of them hard links to objects; 0500
//! stamps-v1/<digest>      text: inode, size, mtime of an object when its bytes were last hashed
//! stamps-v1/<id>-<name>   text: the same for every file of a bundle, with digest and mode
//! seen-v1/<sha256>        text: the newest snapshot of an address that was ever accepted, by who signed it
//! roots-v1/<sha256>       text: what the collector keeps, and the link on disk (or the name) that wants it kept
//! quarantine/             what was found damaged, for a look; the collector removes it
//! tmp/                    files and directories without a final name yet, and downloads that were cut short
//! lock                    flock: shared to use the store, exclusive to collect
//! ```
//!
//! Files in `realisations-v1` and `stamps-v1` are derivable: missing, garbled or of another format, they count as absent.
//! Those in `seen-v1` can be made by nobody; yet losing one loses only a warning, so they too count as absent then.
//! Names are digests only, so no file system's idea of case, length or Unicode matters. A program that finds a format or a
//! required feature it does not know leaves the store alone.
//!
//! # How an object is written
//!
//! 1. A file without a name in `tmp/` (`O_TMPFILE`; else `O_EXCL | O_NOFOLLOW` with a random name, and locked), 0600.
//! 2. Bytes are hashed while they are written (a draft, whose beginning comes last, when it is whole); space is reserved
//!    where the size is known.
//! 3. Size and digest are compared; the caller's gate reads the same descriptor; only then
//! 4. mode 0444, or 0400 for what provisions a guest, and `fsync`. Its error is final: pages that failed once may read as
//!    written afterwards, so nothing here tries again.
//! 5. The final name by `linkat` or `renameat2(RENAME_NOREPLACE)`. A name that is taken is re-hashed; what is there and
//!    damaged goes to quarantine, and the name is taken again.
//! 6. `fsync` of the directory, and of its parent when the directory is new. Then the stamp, then the answer.
//!
//! So what stands under a final name is whole and right, or was damaged later. Realisations and roots are written the same
//! way, replacing by rename. Stamps are not synced: losing one costs a hash. Downloads keep their part under
//! `tmp/partial-<digest>`, locked by the one who fills it; others wait, and the lock dies with its holder. One with a
//! `.pieces` beside it was filled in any order by an earlier version, and is removed.
//!
//! # How an object is read
//!
//! `openat2` beneath the store, no link followed; a regular file of the right size; hashed while its bytes are handed on,
//! and moved to quarantine when they differ. Who only links or names an object may trust its stamp instead.
//!
//! A store that may not be written serves all it holds without a single write.
//!
//! Read next: `tree` (names and descriptors), `temp`, `object` (find, read), `writer` (create, put, publish), `draft`,
//! `partial` (downloads), `paced` (early write-back), `bundle`, `out`, `root`, `gc`,
//! `policy`, `usage`, `verify`, `repair`.

#![expect(clippy::disallowed_methods, reason = "the store is the address of every effect in the cache directory")]

mod bundle;
mod copy;
mod draft;
mod fail;
mod gc;
mod links;
mod lock;
mod meta;
mod object;
mod out;
mod paced;
mod partial;
mod policy;
mod realisation;
mod repair;
mod root;
mod seen;
mod stamp;
mod temp;
mod tree;
mod usage;
mod verify;
mod writer;

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use bundle::{Bundle, BundleEntry, BundleFile, Source};
pub(crate) use gc::{Collect, GcReport};
pub(crate) use object::{ObjectReader, StoreObject};
pub(crate) use out::Copied;
pub(crate) use partial::{DownloadLock, Partial};
pub(crate) use policy::{EmptyRoots, Policy};
pub(crate) use root::{Holder, Listed, Root, State};
pub(crate) use seen::RollbackRecord;
pub(crate) use usage::{BundleUsage, Usage};
pub(crate) use verify::{Damage, DamagedBundle, Repair, RepairOutcome, VerifyReport};
pub(crate) use writer::{ObjectWriter, Privacy};

use crate::base::{Code, Diagnostic, Digest, Events};
use tree::Tree;

const OBJECTS: &str = "objects-v1";
const REALISATIONS: &str = "realisations-v1";
const BUNDLES: &str = "bundles-v1";
const STAMPS: &str = "stamps-v1";
const ROOTS: &str = "roots-v1";
const SEEN: &str = "seen-v1";
const QUARANTINE: &str = "quarantine";

/// An open store; while it is held, the collector takes nothing.
pub(crate) struct Store<'e> {
    tree: Tree,
    lock: Option<File>,
    /// The feature that forbids this program to write.
    read_only: Option<String>,
    /// What was hashed by this program; `None` where stamps are trusted.
    hashed: Option<stamp::Hashed>,
    patience: Patience,
    events: Events<'e>,
}

/// How long to wait for others.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// For a collector to end, and for a download elsewhere that makes no progress.
    user: Duration,
    /// For users to end, before collecting is given up.
    collector: Duration,
}

impl<'e> Store<'e> {
    /// Opens the store in a directory, and makes it where there is none.
    ///
    /// Refuses a directory that others can write (`E_CACHE_PERM`), that holds something else (`E_USAGE`) or a newer format
    /// (`E_CACHE_VERSION`). Waits for a running collector. Removes temporaries whose holders died. Opening a store that
    /// exists writes and syncs nothing else.
    pub(crate) fn open(dir: &Path, events: Events<'e>) -> Result<Self, Diagnostic> {
        let patience = Patience { user: Duration::from_secs(300), collector: Duration::from_secs(10) };
        Self::open_with(dir, patience, events)
    }

    #[cfg(test)]
    /// Opens the store, waiting at most so long wherever others must be waited for.
    pub(crate) fn open_patiently(dir: &Path, patience: Duration, events: Events<'e>) -> Result<Self, Diagnostic> {
        Self::open_with(dir, Patience { user: patience, collector: patience }, events)
    }

    fn open_with(dir: &Path, patience: Patience, events: Events<'e>) -> Result<Self, Diagnostic> {
        let tree = open_directory(dir)?;
        let mut state = meta::state(&tree, events)?;
        let fresh = matches!(state, meta::StoreState::Absent);
        if fresh {
            meta::refuse_foreign(&tree)?;
        }
        meta::check_owner(&tree, fresh)?;
        if fresh {
            meta::initialise(&tree)?;
            state = meta::state(&tree, events)?;
        }
        let read_only = match state {
            meta::StoreState::ReadOnly(feature) => Some(feature),
            meta::StoreState::Absent | meta::StoreState::Usable => None,
        };
        let lock = lock::share(&tree, patience.user, events)?;
        let store = Self { tree, lock, read_only, hashed: None, patience, events };
        if store.read_only.is_none() {
            meta::mend_tag(&store.tree, events);
            let is_left = |name: &OsStr| !partial::is_partial(name) || partial::is_abandoned(&store.tree, name);
            temp::sweep(&store.tree, temp::TMP, is_left);
        }
        Ok(store)
    }

    /// Tells whether a directory is missing or empty, so that who only asks need not make a store of it.
    pub(crate) fn is_absent(dir: &Path) -> bool {
        match std::fs::read_dir(dir) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        }
    }

    /// Trusts no stamp from now on: what is used is hashed, once.
    #[must_use]
    pub(crate) fn rehash(mut self) -> Self {
        self.hashed = Some(stamp::Hashed::default());
        self
    }

    /// Tells whether stamps are doubted.
    pub(crate) fn is_rehashing(&self) -> bool {
        self.hashed.is_some()
    }

    /// Returns the absolute path of the store.
    pub(crate) fn dir(&self) -> &Path {
        self.tree.path()
    }

    /// Tells whether this program may write here at all, as far as permissions, mount and format tell.
    pub(crate) fn is_writable(&self) -> bool {
        self.read_only.is_none() && [temp::TMP, ROOTS].iter().all(|name| self.tree.may_write(name))
    }

    /// Fails when this program must not write here; the system's own refusals come from the calls themselves.
    fn check_writable(&self) -> Result<(), Diagnostic> {
        match &self.read_only {
            None => Ok(()),
            Some(feature) => Err(Diagnostic::new(Code::CacheReadOnly, "the store may only be read by this version")
                .fact("feature", feature)
                .fact("store", fail::path(self.dir()))
                .hint("use the newer arca-build that wrote it, or name another store with `--cache DIR`")),
        }
    }
}

/// Opens the directory, making it when it is missing, under its absolute path.
fn open_directory(dir: &Path) -> Result<Tree, Diagnostic> {
    let told = |error: &std::io::Error| fail::write(format!("cannot make the store `{}`", fail::path(dir)), dir, error);
    if !dir.exists() {
        meta::make_directory(dir).map_err(|error| told(&error))?;
    }
    let absolute = std::fs::canonicalize(dir).map_err(|error| told(&error))?;
    Tree::open(&absolute)
        .map_err(|error| fail::read(format!("cannot open the store `{}`", fail::path(dir)), dir, &error))
}

/// Returns the name of an object beneath the store.
fn object_name(digest: &Digest) -> PathBuf {
    let digits = digest.to_string();
    let (first, rest) = digits.split_at(2);
    Path::new(OBJECTS).join(first).join(rest)
}
