//! A writer whose bytes are hashed on a second thread while they are written. Touches nothing.
//! Read next: `crate::store`.

use std::io::{self, Read, Seek, SeekFrom, Write};

use super::hasher::{BUFFER, BackgroundHasher};
use crate::base::Digest;

/// Writes in large blocks and hashes each block, once written, on a second thread.
///
/// After an error of the file below the writer stays failed: what it hashed and what is there might differ.
pub(crate) struct HashingWriter<W> {
    inner: W,
    hasher: BackgroundHasher,
    pending: Vec<u8>,
    failed: bool,
}

impl<W: Write> HashingWriter<W> {
    /// Begins at the place where `inner` stands, with nothing hashed.
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, hasher: BackgroundHasher::new(), pending: Vec::new(), failed: false }
    }

    /// Begins behind bytes that are there already: `prefix` is read once and hashed.
    pub(crate) fn behind(inner: W, prefix: &mut impl Read) -> io::Result<Self> {
        let mut writer = Self::new(inner);
        writer.hasher.drain(prefix)?;
        Ok(writer)
    }

    /// Returns how many bytes were hashed or wait to be.
    pub(crate) fn length(&self) -> u64 {
        self.hasher.length() + self.pending.len() as u64
    }

    /// Writes out what is pending, and returns the file with the digest and number of all bytes.
    pub(crate) fn finish(mut self) -> io::Result<(W, Digest, u64)> {
        self.flush()?;
        let length = self.length();
        Ok((self.inner, self.hasher.finish()?, length))
    }

    fn write_out(&mut self) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other("an earlier write failed"));
        }
        if self.pending.is_empty() {
            return Ok(());
        }
        self.inner.write_all(&self.pending).inspect_err(|_| self.failed = true)?;
        self.hasher.give(std::mem::take(&mut self.pending)).inspect_err(|_| self.failed = true)
    }
}

impl<W: Write + Seek> HashingWriter<W> {
    /// Leaves a hole of `count` bytes, hashed as zeros.
    ///
    /// A hole at the end moves only the file's position: the owner sets its length.
    pub(crate) fn skip(&mut self, count: u64) -> io::Result<()> {
        self.write_out()?;
        let distance = i64::try_from(count).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.inner.seek(SeekFrom::Current(distance)).inspect_err(|_| self.failed = true)?;
        self.hasher.zeros(count)
    }
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.pending.capacity() == 0 {
            self.pending = self.hasher.buffer()?;
        }
        let count = bytes.len().min(BUFFER - self.pending.len());
        self.pending.extend_from_slice(&bytes[..count]);
        if self.pending.len() == BUFFER {
            self.write_out()?;
        }
        Ok(count)
    }

    /// Hands everything to the file below; it does not sync.
    fn flush(&mut self) -> io::Result<()> {
        self.write_out()?;
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn what_is_written_is_what_is_hashed() {
        for length in [0, 1, BUFFER, 5 * BUFFER + 3] {
            let bytes: Vec<u8> = (0..length).map(|i| (i / 7) as u8).collect();
            let mut writer = HashingWriter::new(Vec::new());
            for part in bytes.chunks(70_001) {
                writer.write_all(part).unwrap();
            }
            assert_eq!(writer.length(), length as u64);
            let (written, digest, size) = writer.finish().unwrap();
            assert_eq!((written == bytes, digest, size), (true, Digest::of(&bytes), length as u64));
        }
    }

    #[test]
    fn a_hole_is_hashed_as_zeros_and_not_written() {
        let mut writer = HashingWriter::new(Cursor::new(Vec::new()));
        writer.write_all(b"ab").unwrap();
        writer.skip(1 << 20).unwrap();
        writer.write_all(b"cd").unwrap();
        let (file, digest, size) = writer.finish().unwrap();
        assert_eq!(size, (1 << 20) + 4);
        assert_eq!(digest, Digest::of(file.get_ref()));
    }

    #[test]
    fn a_writer_begun_behind_a_prefix_has_the_digest_of_both() {
        let mut writer = HashingWriter::behind(Vec::new(), &mut &b"first "[..]).unwrap();
        writer.write_all(b"second").unwrap();
        let (written, digest, size) = writer.finish().unwrap();
        assert_eq!((&written[..], digest, size), (&b"second"[..], Digest::of(b"first second"), 12));
    }

    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.0);
            self.0 -= count;
            if count == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(count) }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn cas_03_after_a_failed_write_the_writer_never_says_done() {
        let mut writer = HashingWriter::new(Full(BUFFER + 10));
        assert!(writer.write_all(&vec![1; 3 * BUFFER]).is_err());
        assert!(writer.flush().is_err());
        assert!(writer.finish().is_err());
    }
}
