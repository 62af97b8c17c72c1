//! What every decoder shares: its source, its bounds, and why it does not go on. Touches nothing. Read next: [`super::xz`].

use std::io::{self, BufRead, BufReader, Read};

use crate::base::{ByteSize, Code, Compression, Diagnostic};

/// The most memory that an xz decoder may take; `xz -9` asks 65 MiB.
pub(crate) const XZ_MEMORY: ByteSize = ByteSize::mib(128);
/// The longest window of zstd, as a power of two: 128 MiB, what `zstd --long` uses and `zstd -d` takes unasked.
pub(crate) const ZSTD_WINDOW_LOG: u32 = 27;
/// How much is read from the source at once.
const BUFFER: usize = 256 << 10;

/// Why a compressed file is not unpacked to its end; each says what would have happened had we gone on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PackedError {
    /// The file would fill the disk.
    #[error("the file unpacks to more than {limit}")]
    Bomb { limit: ByteSize },
    /// The decoder would take more memory than it may have.
    #[error("unpacking the {what} needs more memory than {limit}")]
    Memory { what: Compression, limit: ByteSize },
    /// What came out so far may be wrong, or is not all.
    #[error("the {what} is damaged: {why}")]
    Corrupt { what: Compression, why: String },
}

impl PackedError {
    pub(super) fn corrupt(what: Compression, why: impl Into<String>) -> Self {
        Self::Corrupt { what, why: why.into() }
    }

    pub(super) fn cut(what: Compression) -> Self {
        Self::corrupt(what, "it ends before its end mark")
    }
}

impl From<PackedError> for io::Error {
    fn from(error: PackedError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

impl From<PackedError> for Diagnostic {
    fn from(error: PackedError) -> Self {
        let code = match &error {
            PackedError::Bomb { .. } => Code::DecompBomb,
            PackedError::Memory { .. } => Code::DecompMem,
            PackedError::Corrupt { .. } => Code::DecompCorrupt,
        };
        Self::new(code, error.to_string())
    }
}

/// The compressed bytes; remembers that it failed, so that no failure of it is taken for one of a decoder.
pub(super) struct Source<R> {
    inner: BufReader<R>,
    pub(super) has_failed: bool,
}

impl<R: Read> Source<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner: BufReader::with_capacity(BUFFER, inner), has_failed: false }
    }

    /// Returns what is there; nothing at the end only.
    pub(super) fn more(&mut self) -> io::Result<&[u8]> {
        // Twice the same question: the first answer cannot be returned while an interruption is asked again.
        while let Err(error) = self.inner.fill_buf() {
            if error.kind() != io::ErrorKind::Interrupted {
                self.has_failed = true;
                return Err(error);
            }
        }
        self.inner.fill_buf()
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).inspect_err(|error| self.has_failed |= error.kind() != io::ErrorKind::Interrupted)
    }
}

impl<R: Read> BufRead for Source<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.more()
    }

    fn consume(&mut self, count: usize) {
        self.inner.consume(count);
    }
}
