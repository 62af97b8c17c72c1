//! A file whose pages go to the disk while it is being written. Touches the file it holds. Read next: `super::writer`.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::num::NonZeroU64;

use rustix::fs::Advice;

/// How much is written before the system is asked to begin storing it.
const STRIDE: u64 = 16 << 20;

/// A file written in order, from where it stood at first.
///
/// The kernel would keep the pages until the final `fsync`, which then waits for all of them while nothing else happens.
/// `POSIX_FADV_DONTNEED` makes it begin at once and without waiting (Linux: mm/fadvise.c starts writeback of the range
/// first); pages still being written stay cached. Only time depends on it, so errors do not matter.
pub(crate) struct Paced {
    file: File,
    at: u64,
    begun: u64,
}

impl Paced {
    /// Takes a file that stands at `at`.
    pub(crate) fn new(file: File, at: u64) -> Self {
        Self { file, at, begun: at }
    }

    fn pace(&mut self) {
        if self.at - self.begun >= STRIDE {
            begin_storing(&self.file, self.begun, self.at - self.begun);
            self.begun = self.at;
        }
    }
}

/// Asks the system to begin storing a range (length 0: to the end), without waiting.
pub(crate) fn begin_storing(file: &File, from: u64, length: u64) {
    let _ = rustix::fs::fadvise(file, from, NonZeroU64::new(length), Advice::DontNeed);
}

impl Write for Paced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.at += count as u64;
        self.pace();
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Paced {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = self.file.seek(to)?;
        self.begun = self.begun.min(self.at);
        Ok(self.at)
    }
}
