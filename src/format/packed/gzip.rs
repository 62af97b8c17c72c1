//! The gzip format, by flate2 and zlib-rs. Touches nothing. Its window is 32 KiB, so memory needs no bound here.

use std::io::{self, ErrorKind, Read};

use flate2::bufread::MultiGzDecoder;

use super::source::{PackedError, Source};
use crate::base::{Compression, text::one_line};

/// A decoder of all members of a file.
pub(super) struct Gzip<R: Read>(MultiGzDecoder<Source<R>>);

impl<R: Read> Gzip<R> {
    pub(super) fn new(source: Source<R>) -> Self {
        Self(MultiGzDecoder::new(source))
    }

    pub(super) fn into_source(self) -> Source<R> {
        self.0.into_inner()
    }
}

impl<R: Read> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| {
            if self.0.get_ref().has_failed || error.kind() == ErrorKind::Interrupted {
                return error;
            }
            match error.kind() {
                ErrorKind::UnexpectedEof => PackedError::cut(Compression::Gzip).into(),
                _ => PackedError::corrupt(Compression::Gzip, one_line(&error.to_string(), 80)).into(),
            }
        })
    }
}
