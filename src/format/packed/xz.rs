//! The .xz format, by liblzma. Touches nothing.

use std::io::{self, BufRead, Read};

use liblzma::stream::{Action, CONCATENATED, Error, Status, Stream, TELL_UNSUPPORTED_CHECK};

use super::source::{PackedError, Source, XZ_MEMORY};
use crate::base::Compression;

/// A decoder of all streams of a file.
pub(super) struct Xz<R> {
    stream: Stream,
    source: Source<R>,
    is_done: bool,
}

impl<R: Read> Xz<R> {
    pub(super) fn new(source: Source<R>) -> io::Result<Self> {
        // A check that this liblzma cannot compute would pass unseen.
        let stream = Stream::new_stream_decoder(XZ_MEMORY.0, CONCATENATED | TELL_UNSUPPORTED_CHECK).map_err(told)?;
        Ok(Self { stream, source, is_done: false })
    }

    pub(super) fn into_source(self) -> Source<R> {
        self.source
    }
}

impl<R: Read> Read for Xz<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.is_done {
            let input = self.source.more()?;
            // With several streams allowed, only the end of the input tells that none follows.
            let is_end = input.is_empty();
            let action = if is_end { Action::Finish } else { Action::Run };
            let (read, written) = (self.stream.total_in(), self.stream.total_out());
            let status = self.stream.process(input, buffer, action).map_err(told)?;
            let count = (self.stream.total_out() - written) as usize;
            self.source.consume((self.stream.total_in() - read) as usize);
            self.is_done = matches!(status, Status::StreamEnd);
            if count > 0 {
                return Ok(count);
            }
            if is_end && !self.is_done {
                return Err(PackedError::cut(Compression::Xz).into());
            }
        }
        Ok(0)
    }
}

fn told(error: Error) -> io::Error {
    let corrupt = |why: &str| PackedError::corrupt(Compression::Xz, why);
    let error = match error {
        Error::MemLimit => PackedError::Memory { what: Compression::Xz, limit: XZ_MEMORY },
        Error::Mem => return io::ErrorKind::OutOfMemory.into(),
        Error::Format => corrupt("it does not begin as an xz file, or something else follows its end"),
        Error::Options => corrupt("it asks for a filter or option that liblzma does not have"),
        Error::UnsupportedCheck => corrupt("its kind of checksum cannot be computed"),
        Error::Data | Error::NoCheck => corrupt("a checksum or a field is wrong"),
        Error::Program => return io::Error::other("liblzma was used wrongly"),
    };
    error.into()
}
