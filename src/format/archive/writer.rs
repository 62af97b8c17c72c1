//! Writes an archive: bytes are a function of the index and the contents it names. Touches nothing.

use std::io::{Read, Write};

use super::ArchiveError;
use super::index::{self, Index, Member};
use super::stream::{Stream, is_over};
use crate::stream::HashingReader;

/// An archive being written.
pub(crate) struct Writer<W> {
    stream: Stream<W>,
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
        let mut stream = Stream::begin(inner);
        stream.entry(&index::entry(bytes.len() as u64), &mut bytes.as_slice())?;
        Ok(Self { stream, part: index.part })
    }

    /// Writes one content; other bytes than the index names are an error, and the archive is then of no use.
    pub(crate) fn add(&mut self, member: &Member, content: &mut dyn Read) -> Result<(), ArchiveError> {
        let mut content = HashingReader::new(content);
        for entry in member.entries(self.part) {
            self.stream.entry(&entry, &mut content)?;
        }
        let is_whole = is_over(&mut content)?;
        let (_, digest, _) = content.finish();
        if is_whole && digest == member.sha256() { Ok(()) } else { Err(ArchiveError::Digest(member.path())) }
    }

    /// Writes the end; returns what was written to.
    pub(crate) fn finish(self) -> Result<W, ArchiveError> {
        self.stream.finish(1)
    }
}
