//! Opens a store, and makes one. Touches the store directory. Read next: `super::meta` (what makes a directory a store).

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use super::handle::{Patience, Store};
use super::layout::TMP;
use super::{fail, lock, meta, owner, partial};
use crate::base::{Diagnostic, Events};
use crate::fs::{Tree, temp};

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

    /// The same, with another patience.
    pub(crate) fn open_with(dir: &Path, patience: Patience, events: Events<'e>) -> Result<Self, Diagnostic> {
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
            temp::sweep(&store.tree, TMP, is_left);
        }
        Ok(store)
    }

    /// Refuses a place that another user has closed to this one.
    ///
    /// # Errors
    /// `E_CACHE_PERM`, with who it is.
    pub(crate) fn refuse_foreign_owner(dir: &Path) -> Result<(), Diagnostic> {
        match std::fs::read_dir(dir) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => owner::closed(dir).map_or(Ok(()), Err),
            _ => Ok(()),
        }
    }

    /// Returns whether a directory is missing or empty, so that who only asks need not make a store of it.
    pub(crate) fn is_absent(dir: &Path) -> bool {
        match std::fs::read_dir(dir) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) => error.kind() == ErrorKind::NotFound,
        }
    }
}

/// Opens the directory, making it when it is missing, under its absolute path.
fn open_directory(dir: &Path) -> Result<Tree, Diagnostic> {
    Store::refuse_foreign_owner(dir)?;
    let told = |error: &std::io::Error| fail::write(format!("cannot make the store `{}`", fail::path(dir)), dir, error);
    if !dir.exists() {
        meta::make_directory(dir).map_err(|error| told(&error))?;
    }
    let absolute = std::fs::canonicalize(dir).map_err(|error| told(&error))?;
    Tree::open(&absolute)
        .map_err(|error| fail::read(format!("cannot open the store `{}`", fail::path(dir)), dir, &error))
}
