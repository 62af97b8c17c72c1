//! Writes an archive: bytes are a function of the index and the contents it names. Touches nothing.

use std::io::{self, Read, Write};

use sha2::{Digest as _, Sha256};

use super::header::{self, Entry};
use super::index::{self, Index, Member};
use super::{ArchiveError, BLOCK, padding};
use crate::base::Digest;

/// An archive being written.
pub(crate) struct Writer<W> {
    inner: W,
    part: u64,
}

impl<W: Write> Writer<W> {
    /// Checks and writes the index; the contents of [`Index::members`] must follow in that order.
    pub(crate) fn begin(inner: W, index: &Index) -> Result<Self, ArchiveError> {
        index.check().map_err(ArchiveError::Index)?;
        let bytes = index.print();
        if bytes.len() as u64 > index::INDEX_LIMIT {
            return Err(ArchiveError::Index("it is larger than 16 MiB".to_owned()));
        }
        let mut writer = Self { inner, part: index.part };
        writer.header(&index::entry(bytes.len() as u64))?;
        writer.put(&bytes)?;
        writer.pad(bytes.len() as u64)?;
        Ok(writer)
    }

    /// Writes one content; other bytes than the index names are an error, and the archive is then of no use.
    pub(crate) fn add(&mut self, member: &Member, content: &mut dyn Read) -> Result<(), ArchiveError> {
        let mut hash = Sha256::new();
        for entry in member.entries(self.part) {
            self.header(&entry)?;
            self.copy(&entry, content, &mut hash)?;
            self.pad(entry.size)?;
        }
        let is_over = content.read(&mut [0]).map_err(ArchiveError::Read)? == 0;
        let is_right = Digest::from_bytes(hash.finalize().into()) == member.sha256();
        if is_over && is_right { Ok(()) } else { Err(ArchiveError::Digest(member.path())) }
    }

    /// Writes the end; returns what was written to.
    pub(crate) fn finish(mut self) -> Result<W, ArchiveError> {
        self.put(&[0; 2 * BLOCK])?;
        self.inner.flush().map_err(ArchiveError::Write)?;
        Ok(self.inner)
    }

    fn copy(&mut self, entry: &Entry, content: &mut dyn Read, hash: &mut Sha256) -> Result<(), ArchiveError> {
        let mut buffer = vec![0; (128 << 10).min(usize::try_from(entry.size).unwrap_or(128 << 10))];
        let mut left = entry.size;
        while left > 0 {
            let room = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let count = match content.read(&mut buffer[..room]) {
                Ok(0) => return Err(ArchiveError::Digest(entry.path.clone())),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(ArchiveError::Read(error)),
            };
            hash.update(&buffer[..count]);
            self.put(&buffer[..count])?;
            left -= count as u64;
        }
        Ok(())
    }

    fn header(&mut self, entry: &Entry) -> Result<(), ArchiveError> {
        let no_room = || ArchiveError::Index(format!("ustar has no room for `{}`", entry.path));
        let block = header::print(entry).ok_or_else(no_room)?;
        self.put(&block)
    }

    fn pad(&mut self, size: u64) -> Result<(), ArchiveError> {
        self.put(&[0; BLOCK][..padding(size)])
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.inner.write_all(bytes).map_err(ArchiveError::Write)
    }
}
