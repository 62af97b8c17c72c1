//! Readers and writers that hash, verify, bound and count while bytes pass. Touches nothing.
//!
//! Everything here works on `Read` and `Write` values that someone else opened. [`hasher`] hashes on a second thread
//! through a few reused buffers, so memory does not grow with the stream; [`writer`] puts it beside a file being
//! written; [`reader`] holds the small adaptors, [`progress`] says how far something is. Read next: `crate::store`, which is made of these.

pub(crate) mod hasher;
pub(crate) mod progress;
pub(crate) mod reader;
pub(crate) mod writer;

pub(crate) use hasher::BackgroundHasher;
pub(crate) use progress::{Progress, ProgressReader};
pub(crate) use reader::{HashingReader, Mismatch, VerifyingReader, read_full};
pub(crate) use writer::HashingWriter;

use crate::base::Diagnostic;

/// Where a transfer lands: a growing file that may already hold a first part from an earlier run.
///
/// `store` implements it, `fetch` feeds it; so neither knows the other.
pub(crate) trait Sink {
    /// Returns how many bytes are there.
    fn position(&self) -> u64;
    /// Appends bytes; fails when the cap would be passed or the disk refuses.
    fn append(&mut self, bytes: &[u8]) -> Result<(), Diagnostic>;
    /// Forgets everything received, so that the transfer begins at byte 0 again.
    fn restart(&mut self) -> Result<(), Diagnostic>;
    /// Returns whether what an earlier attempt brought may be continued: not where no digest will tell a splice of two files.
    fn may_continue(&self) -> bool {
        true
    }
    /// Returns the strong validator (ETag) under which the bytes so far were received.
    fn validator(&self) -> Option<String> {
        None
    }
    /// Remembers the validator for a later run, where there may be one; `None` forgets it.
    fn set_validator(&mut self, _: Option<&str>) -> Result<(), Diagnostic> {
        Ok(())
    }
}
