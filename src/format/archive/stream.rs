//! A plain tar stream of some files: ustar headers as the archive has them, no index. Touches nothing.
//!
//! POSIX.1-2017, pax, "ustar Interchange Format". Files are read-only and root's, made at the epoch; directories have no
//! entries of their own, which every tar makes up.

use std::io::{Read, Write};

use super::header::{self, Entry};
use super::{ArchiveError, BLOCK, padding};
use crate::stream::read_full;

const BUFFER: usize = 128 << 10;

/// A tar stream being written: a function of paths, contents and their order.
#[derive(Debug)]
pub(crate) struct Stream<W> {
    inner: W,
    at: u64,
}

impl<W: Write> Stream<W> {
    /// Begins a stream.
    pub(crate) const fn begin(inner: W) -> Self {
        Self { inner, at: 0 }
    }

    /// Returns how much was written.
    pub(crate) const fn at(&self) -> u64 {
        self.at
    }

    /// Foretells the length of a stream of files of these sizes that ends at a multiple of `unit`.
    pub(crate) fn length(sizes: impl Iterator<Item = u64>, unit: u64) -> u64 {
        let block = BLOCK as u64;
        let blocks = sizes.fold(0u64, |sum, size| sum.saturating_add(size.div_ceil(block)).saturating_add(1));
        blocks.saturating_add(2).saturating_mul(block).checked_next_multiple_of(unit).unwrap_or(u64::MAX)
    }

    /// Writes one file of exactly `size` bytes.
    ///
    /// # Errors
    /// A path or size that ustar has no room for (8 GiB and more), a content of another length, and what reader or writer say.
    pub(crate) fn add(&mut self, path: &str, size: u64, content: &mut dyn Read) -> Result<(), ArchiveError> {
        self.entry(&Entry { path: path.to_owned(), mode: 0o444, size }, content)?;
        if is_over(content)? { Ok(()) } else { Err(ArchiveError::Digest(path.to_owned())) }
    }

    /// Writes an entry with the next bytes of a content.
    pub(super) fn entry(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<(), ArchiveError> {
        let no_room = || ArchiveError::Index(format!("ustar has no room for `{}`", entry.path));
        self.put(&header::print(entry).ok_or_else(no_room)?)?;
        let mut buffer = vec![0; BUFFER.min(usize::try_from(entry.size).unwrap_or(BUFFER))];
        let mut left = entry.size;
        while left > 0 {
            let room = buffer.len().min(usize::try_from(left).unwrap_or(BUFFER));
            let count = read_full(content, &mut buffer[..room]).map_err(ArchiveError::Read)?;
            self.put(&buffer[..count])?;
            if count < room {
                return Err(ArchiveError::Digest(entry.path.clone()));
            }
            left -= count as u64;
        }
        self.put(&[0; BLOCK][..padding(entry.size)])
    }

    /// Writes the end, and zeros up to a multiple of `unit`; returns what was written to.
    pub(crate) fn finish(mut self, unit: u64) -> Result<W, ArchiveError> {
        self.put(&[0; 2 * BLOCK])?;
        while !self.at.is_multiple_of(unit) {
            let missing = (unit - self.at % unit).min(BUFFER as u64);
            self.put(&vec![0; missing as usize])?;
        }
        self.inner.flush().map_err(ArchiveError::Write)?;
        Ok(self.inner)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.at += bytes.len() as u64;
        self.inner.write_all(bytes).map_err(ArchiveError::Write)
    }
}

/// Returns whether a content has ended, which is also where a reader that verifies tells what it found.
pub(super) fn is_over(content: &mut dyn Read) -> Result<bool, ArchiveError> {
    Ok(read_full(content, &mut [0]).map_err(ArchiveError::Read)? == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_as_long_as_foretold_and_ends_in_zeros() {
        for (sizes, unit, expected) in
            [(vec![], 512, 1024), (vec![0], 512, 1536), (vec![1, 512, 513], 512, 4608), (vec![1], 1 << 20, 1 << 20)]
        {
            let mut stream = Stream::begin(vec![]);
            for (index, size) in sizes.iter().enumerate() {
                let content = vec![7; usize::try_from(*size).unwrap()];
                stream.add(&format!("d/{index}"), *size, &mut content.as_slice()).unwrap();
            }
            let bytes = stream.finish(unit).unwrap();
            assert_eq!(bytes.len(), expected);
            assert_eq!(Stream::<Vec<u8>>::length(sizes.iter().copied(), unit), expected as u64);
            assert!(bytes[expected - 1024..].iter().all(|byte| *byte == 0));
        }
        assert_eq!(Stream::<Vec<u8>>::length([u64::MAX, u64::MAX].into_iter(), 512), u64::MAX);
    }

    #[test]
    fn another_length_than_promised_and_what_ustar_cannot_say_are_refused() {
        let add = |path: &str, size, content: &[u8]| Stream::begin(std::io::sink()).add(path, size, &mut &*content);
        assert!(matches!(add("a", 3, b"ab"), Err(ArchiveError::Digest(_))));
        assert!(matches!(add("a", 1, b"ab"), Err(ArchiveError::Digest(_))));
        assert!(matches!(add("a", 1 << 33, b""), Err(ArchiveError::Index(_))));
        assert!(matches!(add(&"x".repeat(101), 0, b""), Err(ArchiveError::Index(_))));
        assert!(add("a", 2, b"ab").is_ok());
    }
}
