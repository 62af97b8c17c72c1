//! The zstd format, by libzstd. Touches nothing.

use std::io::{self, BufRead, Read};

use zstd_safe::{DCtx, DParameter, ErrorCode, InBuffer, OutBuffer, get_error_name};

use super::source::{PackedError, Source, ZSTD_WINDOW_LOG};
use crate::base::{ByteSize, Compression, text::one_line};

/// `ZSTD_error_frameParameter_windowTooLarge` and `ZSTD_error_memory_allocation` (zstd_errors.h, whose numbers below 100
/// never change); a code is the number, negated as a `size_t`.
const WINDOW_TOO_LARGE: ErrorCode = 16_usize.wrapping_neg();
const NO_MEMORY: ErrorCode = 64_usize.wrapping_neg();

/// A decoder of all frames of a file.
pub(super) struct Zstd<R> {
    context: DCtx<'static>,
    source: Source<R>,
    /// A frame has begun and not ended.
    is_within: bool,
    has_begun: bool,
}

impl<R: Read> Zstd<R> {
    pub(super) fn new(source: Source<R>) -> io::Result<Self> {
        let mut context = DCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?;
        context.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG)).map_err(told)?;
        Ok(Self { context, source, is_within: false, has_begun: false })
    }

    pub(super) fn into_source(self) -> Source<R> {
        self.source
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let input = self.source.more()?;
            let is_end = input.is_empty();
            if is_end && self.has_begun && !self.is_within {
                return Ok(0);
            }
            let (mut from, mut to) = (InBuffer::around(input), OutBuffer::around(&mut *buffer));
            let wanted = self.context.decompress_stream(&mut to, &mut from).map_err(told)?;
            let (read, written) = (from.pos(), to.pos());
            self.source.consume(read);
            self.has_begun |= read > 0;
            // 0: a frame has ended and all of it was handed out.
            self.is_within = wanted > 0;
            if written > 0 {
                return Ok(written);
            }
            if is_end && (self.is_within || !self.has_begun) {
                return Err(PackedError::cut(Compression::Zstd).into());
            }
        }
    }
}

fn told(code: ErrorCode) -> io::Error {
    match code {
        WINDOW_TOO_LARGE => {
            PackedError::Memory { what: Compression::Zstd, limit: ByteSize(1 << ZSTD_WINDOW_LOG) }.into()
        }
        NO_MEMORY => io::ErrorKind::OutOfMemory.into(),
        _ => PackedError::corrupt(Compression::Zstd, one_line(get_error_name(code), 80).to_lowercase()).into(),
    }
}
