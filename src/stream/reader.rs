//! Readers that hash, verify, count and bound what passes through them. Touches nothing. Read next: `super::writer`.

use std::io::{self, ErrorKind, Read};

use sha2::{Digest as _, Sha256};

use crate::base::Digest;

/// Hands bytes on and hashes them.
pub(crate) struct HashingReader<R> {
    inner: R,
    hash: Sha256,
    length: u64,
}

impl<R: Read> HashingReader<R> {
    /// Wraps a reader.
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, hash: Sha256::new(), length: 0 }
    }

    /// Returns how many bytes passed.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Returns the reader, and the digest and number of the bytes that passed.
    pub(crate) fn finish(self) -> (R, Digest, u64) {
        (self.inner, Digest::from_bytes(self.hash.finalize().into()), self.length)
    }

    fn so_far(&self) -> Digest {
        Digest::from_bytes(self.hash.clone().finalize().into())
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(&buffer[..count]);
        self.length += count as u64;
        Ok(count)
    }
}

/// Fills a buffer; fewer bytes come at the end only.
pub(crate) fn read_full(reader: &mut (impl Read + ?Sized), buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The bytes that passed are not those that were promised.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected sha256:{expected} of {expected_size} bytes, received sha256:{received} of {received_size} bytes")]
pub(crate) struct Mismatch {
    pub expected: Digest,
    pub expected_size: u64,
    pub received: Digest,
    pub received_size: u64,
}

/// Hands bytes on, and at their end fails with [`Mismatch`] (kind `InvalidData`) unless digest and size are right.
///
/// At most `size + 1` bytes are ever read, so a file that grows meanwhile ends in an error, not in a loop. Whoever
/// stops before the end has verified nothing.
pub(crate) struct VerifyingReader<R> {
    inner: HashingReader<R>,
    expected: Digest,
    size: u64,
}

impl<R: Read> VerifyingReader<R> {
    /// Wraps a reader that must give exactly `size` bytes with the digest `expected`.
    pub(crate) fn new(inner: R, expected: Digest, size: u64) -> Self {
        Self { inner: HashingReader::new(inner), expected, size }
    }

    fn verdict(&self) -> io::Result<()> {
        let received = self.inner.so_far();
        if received == self.expected && self.inner.length() == self.size {
            return Ok(());
        }
        let (expected, expected_size, received_size) = (self.expected, self.size, self.inner.length());
        Err(io::Error::new(ErrorKind::InvalidData, Mismatch { expected, expected_size, received, received_size }))
    }
}

impl<R: Read> Read for VerifyingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.inner.length() > self.size {
            self.verdict()?;
        }
        let left = (self.size - self.inner.length()).saturating_add(1);
        let room = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = self.inner.read(&mut buffer[..room])?;
        if count == 0 || self.inner.length() > self.size {
            self.verdict()?;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verify(given: &[u8], promised: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        VerifyingReader::new(given, Digest::of(promised), promised.len() as u64).read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn a_verifying_reader_passes_the_right_bytes_and_no_others() {
        assert_eq!(verify(b"abc", b"abc").unwrap(), b"abc");
        assert_eq!(verify(b"", b"").unwrap(), b"");
        for (given, promised) in
            [(&b"abd"[..], &b"abc"[..]), (b"ab", b"abc"), (b"abcd", b"abc"), (b"", b"a"), (b"a", b"")]
        {
            let error = verify(given, promised).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{given:?}");
        }
    }

    #[test]
    fn net_07_an_endless_source_ends_in_an_error() {
        let mut reader = VerifyingReader::new(io::repeat(0), Digest::of(&[0; 9]), 9);
        let error = io::copy(&mut reader, &mut io::sink()).unwrap_err();
        let mismatch = error.get_ref().unwrap().downcast_ref::<Mismatch>().unwrap();
        assert_eq!(mismatch.received_size, 10);
    }

    #[test]
    fn a_hashing_reader_tells_digest_and_length() {
        let mut reader = HashingReader::new(&b"hello"[..]);
        io::copy(&mut reader, &mut io::sink()).unwrap();
        assert_eq!(reader.length(), 5);
        assert_eq!(reader.finish().1, Digest::of(b"hello"));
    }
}
