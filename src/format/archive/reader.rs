//! Reads an archive: the index first, then one content after the other, each hashed. Touches nothing.
//! Read next: `super::writer`.

use std::io::{self, Read, Write};

use sha2::{Digest as _, Sha256};

use super::header::{self, Entry};
use super::index::{self, Index, Member};
use super::stream::is_over;
use super::{ArchiveError, BLOCK, INDEX, padding};
use crate::base::Digest;
use crate::stream::read_full;

/// How much is read at once.
const BUFFER: usize = 128 << 10;

/// An archive being read; its index is checked, nothing else is until [`Reader::finish`].
pub(crate) struct Reader<R> {
    inner: R,
    at: u64,
    index: Index,
    left: std::vec::IntoIter<Member>,
}

impl<R: Read> Reader<R> {
    /// Reads and checks the index; `length` is that of the whole file, which the index must make.
    pub(crate) fn open(inner: R, length: u64) -> Result<Self, ArchiveError> {
        let empty = Index { format: 0, part: 1, files: vec![], objects: vec![], roots: vec![] };
        let mut reader = Self { inner, at: 0, index: empty, left: vec![].into_iter() };
        reader.index = reader.read_index()?;
        reader.left = reader.index.members().collect::<Vec<_>>().into_iter();
        let expected = reader.index.length();
        if expected == length { Ok(reader) } else { Err(ArchiveError::Length { found: length, expected }) }
    }

    /// Returns the index.
    pub(crate) const fn index(&self) -> &Index {
        &self.index
    }

    fn read_index(&mut self) -> Result<Index, ArchiveError> {
        let block = self.block(INDEX)?;
        let size = header::size(&block).filter(|size| *size <= index::INDEX_LIMIT).ok_or(ArchiveError::Foreign)?;
        if header::print(&index::entry(size)) != Some(block) {
            return Err(ArchiveError::Foreign);
        }
        let mut bytes = vec![];
        self.content(INDEX, size, &mut |part| {
            bytes.extend_from_slice(part);
            Ok(())
        })?;
        Index::parse(&bytes)
    }

    /// Copies the content of the member that [`Reader::next_member`] gave; until this returns, its bytes are unverified.
    pub(crate) fn next_into(&mut self, into: &mut dyn Write, member: &Member) -> Result<(), ArchiveError> {
        let mut hash = Sha256::new();
        for entry in member.entries(self.index.part) {
            self.expect(&entry)?;
            self.content(&entry.path, entry.size, &mut |bytes| {
                hash.update(bytes);
                into.write_all(bytes).map_err(ArchiveError::Write)
            })?;
        }
        if Digest::from_bytes(hash.finalize().into()) == member.sha256() {
            return Ok(());
        }
        Err(ArchiveError::Digest(member.path()))
    }

    /// Returns what comes next, for [`Reader::next_into`]; `None` after the last.
    pub(crate) fn next_member(&mut self) -> Option<Member> {
        self.left.next()
    }

    /// Reads the end of the archive; returns the source, which has nothing left.
    pub(crate) fn finish(mut self) -> Result<R, ArchiveError> {
        for _ in 0..2 {
            let at = self.at;
            if self.block("its end")? != [0; BLOCK] {
                return Err(ArchiveError::Trailing(at));
            }
        }
        if is_over(&mut self.inner)? { Ok(self.inner) } else { Err(ArchiveError::Trailing(self.at)) }
    }

    /// Compares a header with the only one that may stand there.
    fn expect(&mut self, entry: &Entry) -> Result<(), ArchiveError> {
        let at = self.at;
        let found = self.block(&entry.path)?;
        if header::print(entry) == Some(found) {
            return Ok(());
        }
        Err(ArchiveError::Entry { at, expected: entry.path.clone() })
    }

    fn block(&mut self, within: &str) -> Result<[u8; BLOCK], ArchiveError> {
        let mut block = [0; BLOCK];
        self.fill(&mut block, within)?;
        Ok(block)
    }

    /// Reads a content and the zeros behind it.
    fn content(
        &mut self,
        path: &str,
        size: u64,
        take: &mut dyn FnMut(&[u8]) -> Result<(), ArchiveError>,
    ) -> Result<(), ArchiveError> {
        let mut buffer = vec![0; BUFFER.min(usize::try_from(size).unwrap_or(BUFFER))];
        let mut left = size;
        while left > 0 {
            let count = buffer.len().min(usize::try_from(left).unwrap_or(BUFFER));
            self.fill(&mut buffer[..count], path)?;
            take(&buffer[..count])?;
            left -= count as u64;
        }
        let at = self.at;
        let mut zeros = [0; BLOCK];
        let zeros = &mut zeros[..padding(size)];
        self.fill(zeros, path)?;
        if zeros.iter().all(|byte| *byte == 0) { Ok(()) } else { Err(ArchiveError::Padding(at)) }
    }

    fn fill(&mut self, buffer: &mut [u8], within: &str) -> Result<(), ArchiveError> {
        let count = read_full(&mut self.inner, buffer).map_err(ArchiveError::Read)?;
        self.at += count as u64;
        if count == buffer.len() { Ok(()) } else { Err(ArchiveError::Truncated(within.to_owned())) }
    }
}

/// Reads every content of an archive into nothing, to verify it whole.
pub(crate) fn verify<R: Read>(mut reader: Reader<R>) -> Result<R, ArchiveError> {
    while let Some(member) = reader.next_member() {
        reader.next_into(&mut io::sink(), &member)?;
    }
    reader.finish()
}
