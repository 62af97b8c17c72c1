//! Where chunks begin and end, what each hashes to, and how fast that was. Touches nothing but the thread's own clock.

use sha2::{Digest, Sha256};
use std::fmt;

/// A way to cut a file.
#[derive(Clone, Copy)]
pub enum Cutter {
    /// By content (FastCDC as of 2020), with this many KiB on average, between a quarter and four times of it.
    Content(usize),
    /// At every so many KiB: the control.
    Fixed(usize),
}

impl fmt::Display for Cutter {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content(kib) => write!(to, "content, {kib} KiB"),
            Self::Fixed(kib) => write!(to, "fixed, {kib} KiB"),
        }
    }
}

/// A piece of a file.
pub struct Chunk {
    pub offset: usize,
    pub length: usize,
    pub digest: [u8; 32],
    /// Holds nothing but zeros.
    pub zero: bool,
}

impl Chunk {
    /// Takes this piece of the file it was cut from.
    pub fn bytes<'a>(&self, of: &'a [u8]) -> &'a [u8] {
        &of[self.offset..self.offset + self.length]
    }
}

/// Million bytes per second of processor time, so that a busy machine does not show; zeros are hashed by nobody.
pub struct Speed {
    pub cut: f64,
    pub hash: f64,
}

impl Cutter {
    /// Those that are compared.
    pub fn all() -> [Self; 6] {
        [Self::Content(8), Self::Content(16), Self::Content(64), Self::Content(256), Self::Fixed(4), Self::Fixed(64)]
    }

    /// Cuts and hashes.
    pub fn chunks(self, file: &[u8]) -> (Vec<Chunk>, Speed) {
        let begun = processor_seconds();
        let places = self.places(file);
        let cut = processor_seconds();
        let mut hashed = 0;
        let chunks = places
            .into_iter()
            .map(|(offset, length)| {
                let bytes = &file[offset..offset + length];
                let zero = is_zero(bytes);
                hashed += if zero { 0 } else { length };
                let digest = if zero { [0; 32] } else { Sha256::digest(bytes).into() };
                Chunk { offset, length, digest, zero }
            })
            .collect();
        let ended = processor_seconds();
        let speed = Speed { cut: file.len() as f64 / 1e6 / (cut - begun), hash: hashed as f64 / 1e6 / (ended - cut) };
        (chunks, speed)
    }

    fn places(self, file: &[u8]) -> Vec<(usize, usize)> {
        match self {
            Self::Fixed(kib) => {
                let size = kib * 1024;
                (0..file.len()).step_by(size).map(|offset| (offset, size.min(file.len() - offset))).collect()
            }
            Self::Content(kib) => {
                let size = kib * 1024;
                fastcdc::v2020::FastCDC::new(file, size / 4, size, size * 4)
                    .map(|chunk| (chunk.offset, chunk.length))
                    .collect()
            }
        }
    }
}

/// Tells whether there is nothing but zeros.
pub fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(64).all(|word| word.iter().fold(0, |all, byte| all | byte) == 0)
}

/// What this thread has used of a processor: the first field of its schedstat, in nanoseconds.
fn processor_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|field| field.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1e9
}
