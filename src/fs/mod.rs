//! The one way files appear: under a temporary name, synced, then renamed or linked; and what dead runs left is swept.
//!
//! Names `base` and `stream`; touches only the files and directories that its caller names. The store, `host` and the
//! instances of `vm` and `libvirt` write through it. Order matters: the bytes are synced before the name is given, the
//! directory behind it, and only then the caller hears of success.
//!
//! Read next: [`tree`] (names and descriptors), [`temp`] and [`temp_path`] (temporaries), [`whole`] (small files),
//! [`copy`] (sparse copies that hash), [`paced`] (early write-back).

#![expect(clippy::disallowed_methods, reason = "this floor is the one way files appear")]

pub(crate) mod copy;
mod directory;
pub(crate) mod paced;
pub(crate) mod temp;
pub(crate) mod temp_path;
pub(crate) mod tree;
pub(crate) mod whole;

pub(crate) use directory::{names, remove, sync};
pub(crate) use temp::{TempDir, TempFile};
pub(crate) use tree::Tree;
