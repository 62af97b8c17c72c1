//! The archive that carries what a rebuild needs over an air gap. Bytes only; touches nothing.
//!
//! This header is the specification, format 1. An archive is a plain POSIX ustar file (IEEE Std 1003.1-2024, `pax`, "ustar
//! Interchange Format") that any `tar` lists and extracts, in one spelling:
//!
//! * Regular files only (type `0`). No PAX or GNU extension, no link, device, directory or sparse entry, no number but octal
//!   digits, no leading `./`.
//! * Every header has mode 0644 (index, public objects) or 0600 (recipes, and objects that provision a guest), owner and group
//!   0 without names, time 0, device numbers 0. Numbers are padded with zeros and end in NUL, the check sum in NUL and space. A
//!   name of more than 100 bytes is split at its first `/` that leaves at most 100.
//! * Entries, in this order and no others:
//!   1. `arca/index.json`: [`Index`] as JSON in the one spelling that [`Index::print`] writes;
//!   2. `arca/recipes/<path>`: the files of the index, in order of their paths' bytes;
//!   3. `arca/objects/<sha256>`: the objects that are held, in order of their digests. One larger than the index's `part` (4 GiB)
//!      is in parts `arca/objects/<sha256>.000`, `.001`, …, each but the last of exactly that size.
//! * Contents are padded with zeros to whole blocks of 512 bytes; two blocks of zeros end the file, nothing follows.
//!
//! So the index decides every other byte of structure. The reader takes the index, checks it, and from then on compares each
//! header with the only one that may stand there: it never interprets one, and no two readers can disagree about what is in an
//! archive that it takes. Contents are hashed against the index while they pass. Memory is bounded by the caps in [`index`].
//!
//! Read next: [`index`] (what is in it), `header` (512 bytes), [`reader`], [`writer`], then `crate::transfer`.

mod header;
pub(crate) mod index;
pub(crate) mod reader;
mod stream;
#[cfg(test)]
mod tests;
pub(crate) mod writer;

use std::io;

pub(crate) use index::{BundleFile, FileEntry, Index, Member, ObjectEntry, PART, Root};
pub(crate) use reader::Reader;
pub(crate) use stream::Stream;
pub(crate) use writer::Writer;

use crate::base::{Code, Diagnostic};

/// The format this program writes and reads.
pub(crate) const FORMAT: u32 = 1;
/// Where the index stands in the archive, and the files and objects.
pub(crate) const INDEX: &str = "arca/index.json";
const FILES: &str = "arca/recipes/";
const OBJECTS: &str = "arca/objects/";
/// The unit of a tar file.
const BLOCK: usize = 512;

/// Why an archive is not read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    #[error("the archive cannot be read")]
    Read(#[source] io::Error),
    /// Whoever takes the bytes refused them; the caller knows whom that was.
    #[error("what was read cannot be written")]
    Write(#[source] io::Error),
    #[error("it ends in the middle of `{0}`")]
    Truncated(String),
    #[error("it does not begin with `arca/index.json` as arca-build writes it")]
    Foreign,
    #[error("its index is not one: {0}")]
    Index(String),
    #[error("its format is {0}, this program knows {FORMAT}")]
    Format(u64),
    #[error("the entry at byte {at} is not `{expected}` as the index has it")]
    Entry { at: u64, expected: String },
    #[error("`{0}` has other bytes than the index says")]
    Digest(String),
    #[error("the padding at byte {0} is not zero")]
    Padding(u64),
    #[error("something stands where the archive must end, at byte {0}")]
    Trailing(u64),
    #[error("it is {found} bytes long, its index makes {expected}")]
    Length { found: u64, expected: u64 },
}

impl From<ArchiveError> for Diagnostic {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Read(cause) => Self::io("cannot read the archive", &cause),
            ArchiveError::Write(cause) => Self::io("cannot write what the archive holds", &cause),
            other => Self::new(Code::Archive, "the archive is damaged, or not one of arca-build's").cause(other),
        }
    }
}

/// Returns how many bytes of zeros follow a content.
fn padding(size: u64) -> usize {
    let block = BLOCK as u64;
    ((block - size % block) % block) as usize
}
