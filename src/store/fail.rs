//! How failures of the store are told. Touches nothing.

use std::fmt::Display;
use std::io;
use std::path::Path;

use crate::base::{Code, Diagnostic, Digest, text::one_line};

/// Reports a failed write: a store that may not be written has a code of its own.
pub(super) fn write(what: impl Display, store: &Path, error: &io::Error) -> Diagnostic {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    if matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem) {
        return Diagnostic::new(Code::CacheReadOnly, what.to_string())
            .fact("store", path(store))
            .cause(error)
            .note("a read-only store serves what it holds and takes nothing new")
            .hint("name another store with `--cache DIR`");
    }
    read(what, store, error)
}

/// Reports a failed read.
pub(super) fn read(what: impl Display, store: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic::io(what, error).fact("store", path(store))
}

/// Reports that an object is not what its name says.
pub(super) fn corrupt(digest: &Digest, found: impl Display, store: &Path) -> Diagnostic {
    Diagnostic::new(Code::CacheCorrupt, format!("object `{}` in the store is damaged", digest.short()))
        .fact("expected", format!("sha256:{digest}"))
        .fact("received", found)
        .fact("store", path(store))
        .hint("run the same command again: the object is made or fetched anew")
}

/// Shows a path in one line without control characters.
pub(super) fn path(path: &Path) -> String {
    one_line(&path.to_string_lossy(), 400)
}
