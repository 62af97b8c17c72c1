//! A part of a stream as a stream of its own. Touches nothing.

use std::io::{self, Read, Seek, SeekFrom};

/// Shows `length` bytes from `start` as positions 0 to `length`; for reading, where `fscommon`'s slice wants `Write`.
pub(super) struct Slice<'a, R> {
    inner: &'a mut R,
    start: u64,
    length: u64,
    position: u64,
}

impl<'a, R: Read + Seek> Slice<'a, R> {
    pub(super) fn new(inner: &'a mut R, start: u64, length: u64) -> Self {
        Self { inner, start, length, position: 0 }
    }
}

impl<R: Read + Seek> Read for Slice<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.length.saturating_sub(self.position);
        let offset = self.start.checked_add(self.position).ok_or(io::ErrorKind::InvalidInput)?;
        self.inner.seek(SeekFrom::Start(offset))?;
        let count = self.inner.by_ref().take(left).read(buffer)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl<R: Read + Seek> Seek for Slice<'_, R> {
    fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        let position = match target {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
