//! Compressed files (`.xz`, `.zst`, `.gz`) as a stream of what they hold, under bounds. Touches nothing.
//!
//! Specifications: The .xz File Format 1.2.1; RFC 8878 (zstd); RFC 1952 (gzip). The decoders are liblzma, libzstd and
//! zlib-rs, each told its bound before it sees a byte: a dictionary or window it would have to keep is refused while it
//! is still a number in a header. Several members one after the other are one file, as the tools that write them take
//! it (`cat a.xz b.xz`, pigz, pzstd, `xz -T`); so are xz's padding and zstd's skippable frames. Anything else behind the
//! last member is refused, zeros too. Read next: [`xz`], [`zstd`], [`gzip`].

mod gzip;
mod xz;
mod zstd;

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
    fn corrupt(what: Compression, why: impl Into<String>) -> Self {
        Self::Corrupt { what, why: why.into() }
    }

    fn cut(what: Compression) -> Self {
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

/// What a compressed file holds, as a reader.
///
/// Its errors are those of the source, unchanged, or a [`PackedError`] inside an [`io::Error`]. At its end (`Ok(0)`)
/// the source was read to its own end and every checksum of the format was right.
pub(crate) struct Unpacker<R: Read> {
    decoder: Decoder<R>,
    limit: u64,
    length: u64,
}

enum Decoder<R: Read> {
    Plain(Source<R>),
    Xz(xz::Xz<R>),
    Zstd(zstd::Zstd<R>),
    Gzip(gzip::Gzip<R>),
}

impl<R: Read> Unpacker<R> {
    /// Begins to unpack; more than `limit` bytes are a [`PackedError::Bomb`].
    pub(crate) fn new(compression: Compression, source: R, limit: ByteSize) -> io::Result<Self> {
        let source = Source::new(source);
        let decoder = match compression {
            Compression::None => Decoder::Plain(source),
            Compression::Xz => Decoder::Xz(xz::Xz::new(source)?),
            Compression::Zstd => Decoder::Zstd(zstd::Zstd::new(source)?),
            Compression::Gzip => Decoder::Gzip(gzip::Gzip::new(source)),
        };
        Ok(Self { decoder, limit: limit.0, length: 0 })
    }

    /// Returns how many bytes came out.
    pub(crate) const fn length(&self) -> u64 {
        self.length
    }

    /// Reads the source to its end without unpacking it, after a failure: so that it can say whether it was right.
    pub(crate) fn exhaust(self) -> io::Result<()> {
        let mut source = match self.decoder {
            Decoder::Plain(source) => source,
            Decoder::Xz(decoder) => decoder.into_source(),
            Decoder::Zstd(decoder) => decoder.into_source(),
            Decoder::Gzip(decoder) => decoder.into_source(),
        };
        io::copy(&mut source, &mut io::sink()).map(drop)
    }
}

impl<R: Read> Read for Unpacker<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let count = match &mut self.decoder {
            Decoder::Plain(source) => source.read(buffer)?,
            Decoder::Xz(decoder) => decoder.read(buffer)?,
            Decoder::Zstd(decoder) => decoder.read(buffer)?,
            Decoder::Gzip(decoder) => decoder.read(buffer)?,
        };
        self.length += count as u64;
        if self.length > self.limit {
            return Err(PackedError::Bomb { limit: ByteSize(self.limit) }.into());
        }
        Ok(count)
    }
}

/// The compressed bytes; remembers that it failed, so that no failure of it is taken for one of a decoder.
struct Source<R> {
    inner: BufReader<R>,
    has_failed: bool,
}

impl<R: Read> Source<R> {
    fn new(inner: R) -> Self {
        Self { inner: BufReader::with_capacity(BUFFER, inner), has_failed: false }
    }

    /// Returns what is there; nothing at the end only.
    fn more(&mut self) -> io::Result<&[u8]> {
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

#[cfg(test)]
mod tests;
