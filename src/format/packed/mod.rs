//! Compressed files (`.xz`, `.zst`, `.gz`) as a stream of what they hold, under bounds. Touches nothing.
//!
//! Specifications: The .xz File Format 1.2.1; RFC 8878 (zstd); RFC 1952 (gzip). The decoders are liblzma, libzstd and
//! zlib-rs, each told its bound before it sees a byte: a dictionary or window it would have to keep is refused while it
//! is still a number in a header. Several members one after the other are one file, as the tools that write them take
//! it (`cat a.xz b.xz`, pigz, pzstd, `xz -T`); so are xz's padding and zstd's skippable frames. Anything else behind the
//! last member is refused, zeros too. Read next: [`xz`], [`zstd`], [`gzip`].

mod gzip;
mod source;
mod xz;
mod zstd;

use std::io::{self, Read};

use self::source::Source;
pub(crate) use self::source::{PackedError, XZ_MEMORY, ZSTD_WINDOW_LOG};
use crate::base::{ByteSize, Compression};

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

#[cfg(test)]
mod tests;
