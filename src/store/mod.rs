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
//! Read next: `crate::fs` (names, temporaries), `handle` and `open`, `object` (find, read), `writer` (create, put, publish),
//! `draft`, `partial` (downloads), `bundle`, `out`, `root`, `gc`,
//! `policy`, `usage`, `verify`, `repair`.

#![expect(clippy::disallowed_methods, reason = "the store is the address of every effect in the cache directory")]

mod bundle;
mod draft;
mod fail;
mod gc;
mod handle;
mod layout;
mod links;
mod lock;
mod meta;
mod object;
mod open;
mod out;
mod owner;
mod partial;
mod policy;
mod realisation;
mod repair;
mod rollback;
mod root;
mod stamp;
mod usage;
mod verify;
mod writer;

pub(crate) use bundle::{Bundle, BundleEntry, BundleFile, Source};
pub(crate) use gc::{Collect, GcReport};
#[cfg(test)]
pub(crate) use handle::Patience;
pub(crate) use handle::Store;
pub(crate) use object::{ObjectReader, StoreObject};
pub(crate) use out::Copied;
pub(crate) use partial::{DownloadLock, Partial};
pub(crate) use policy::{EmptyRoots, Policy};
pub(crate) use rollback::RollbackRecord;
pub(crate) use root::{Holder, Listed, Root, State};
pub(crate) use usage::{BundleUsage, KindUsage, Usage};
pub(crate) use verify::{Damage, DamagedBundle, Repair, RepairOutcome, VerifyReport};
pub(crate) use writer::{ObjectWriter, Privacy};
