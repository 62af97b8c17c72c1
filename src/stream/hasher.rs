//! SHA-256 on a second thread. Touches nothing. Read next: `super::writer`.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use sha2::{Digest as _, Sha256};

use crate::base::Digest;

/// The size of one buffer: large enough that a hand-over costs nothing beside hashing it (about 130 µs).
pub(crate) const BUFFER: usize = 256 << 10;
/// How many buffers one hasher ever has; with [`BUFFER`] this bounds its memory to 1 MiB.
const BUFFERS: usize = 4;

/// Hashes buffers in the order they are given, on a thread of its own.
///
/// The thread starts with the first full buffer: what fits in one is hashed in place, without a thread.
pub(crate) struct BackgroundHasher {
    hash: Sha256,
    worker: Option<Worker>,
    made: usize,
    length: u64,
}

struct Worker {
    work: SyncSender<Work>,
    spent: Receiver<Vec<u8>>,
    thread: JoinHandle<Sha256>,
}

enum Work {
    Bytes(Vec<u8>),
    Zeros(u64),
}

impl Default for BackgroundHasher {
    fn default() -> Self {
        Self::new()
    }
}

impl BackgroundHasher {
    /// Begins with nothing hashed and no thread.
    pub(crate) fn new() -> Self {
        Self { hash: Sha256::new(), worker: None, made: 0, length: 0 }
    }

    /// Returns how many bytes were given so far.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Returns an empty buffer to fill, waiting for the thread to free one when all are in use.
    pub(crate) fn buffer(&mut self) -> io::Result<Vec<u8>> {
        match &self.worker {
            Some(worker) if self.made >= BUFFERS => worker.spent.recv().map_err(gone),
            _ => {
                self.made += 1;
                Ok(Vec::with_capacity(BUFFER))
            }
        }
    }

    /// Hashes the bytes of a buffer after all those given before.
    pub(crate) fn give(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        self.length += bytes.len() as u64;
        if self.worker.is_none() && bytes.len() >= BUFFER {
            self.worker = start(&self.hash);
        }
        match &self.worker {
            Some(worker) => worker.work.send(Work::Bytes(bytes)).map_err(gone),
            None => {
                self.hash.update(&bytes);
                self.made = self.made.saturating_sub(1);
                Ok(())
            }
        }
    }

    /// Hashes `count` zero bytes, as a hole in a file reads.
    pub(crate) fn zeros(&mut self, count: u64) -> io::Result<()> {
        self.length += count;
        if self.worker.is_none() && count >= BUFFER as u64 {
            self.worker = start(&self.hash);
        }
        match &self.worker {
            Some(worker) => worker.work.send(Work::Zeros(count)).map_err(gone),
            None => {
                update_zeros(&mut self.hash, count);
                Ok(())
            }
        }
    }

    /// Hashes all that a reader gives, and returns how much that was.
    pub(crate) fn drain(&mut self, reader: &mut impl Read) -> io::Result<u64> {
        let before = self.length;
        loop {
            let mut bytes = self.buffer()?;
            reader.by_ref().take(BUFFER as u64).read_to_end(&mut bytes)?;
            let last = bytes.len() < BUFFER;
            self.give(bytes)?;
            if last {
                return Ok(self.length - before);
            }
        }
    }

    /// Waits for the thread and returns the digest of everything given.
    pub(crate) fn finish(self) -> io::Result<Digest> {
        let hash = match self.worker {
            None => self.hash,
            Some(Worker { work, spent, thread }) => {
                drop(work);
                drop(spent);
                thread.join().map_err(|_| io::Error::other("the hashing thread panicked"))?
            }
        };
        Ok(Digest::from_bytes(hash.finalize().into()))
    }
}

/// Starts the thread where the state so far stands; without one (a process limit) hashing goes on in place.
fn start(so_far: &Sha256) -> Option<Worker> {
    let (work, jobs) = sync_channel(BUFFERS);
    let (give_back, spent) = channel();
    let hash = so_far.clone();
    let thread = std::thread::Builder::new().name("hash".into()).spawn(move || run(hash, &jobs, &give_back)).ok()?;
    Some(Worker { work, spent, thread })
}

fn run(mut hash: Sha256, jobs: &Receiver<Work>, spent: &Sender<Vec<u8>>) -> Sha256 {
    for job in jobs {
        match job {
            Work::Zeros(count) => update_zeros(&mut hash, count),
            Work::Bytes(mut bytes) => {
                hash.update(&bytes);
                bytes.clear();
                // Nobody needs the buffer any more when the other side is finishing.
                let _ = spent.send(bytes);
            }
        }
    }
    hash
}

fn update_zeros(hash: &mut Sha256, mut count: u64) {
    const ZEROS: [u8; 16 << 10] = [0; 16 << 10];
    while count > 0 {
        let part = count.min(ZEROS.len() as u64);
        hash.update(&ZEROS[..part as usize]);
        count -= part;
    }
}

fn gone<E>(_: E) -> io::Error {
    io::Error::other("the hashing thread is gone")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(length: usize) -> Vec<u8> {
        (0..length as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
    }

    #[test]
    fn the_digest_is_the_same_on_either_side_of_the_first_full_buffer() {
        for length in [0, 1, BUFFER - 1, BUFFER, BUFFER + 1, 9 * BUFFER, 9 * BUFFER + 7] {
            let bytes = noise(length);
            let mut hasher = BackgroundHasher::new();
            assert_eq!(hasher.drain(&mut &bytes[..]).unwrap(), length as u64);
            assert_eq!(hasher.finish().unwrap(), Digest::of(&bytes), "{length}");
        }
    }

    #[test]
    fn zeros_count_as_the_bytes_they_stand_for() {
        for (before, zeros) in [(0, 5), (3, BUFFER), (BUFFER, 3 * BUFFER + 1)] {
            let mut bytes = noise(before);
            let mut hasher = BackgroundHasher::new();
            hasher.drain(&mut &bytes[..]).unwrap();
            hasher.zeros(zeros as u64).unwrap();
            bytes.resize(before + zeros, 0);
            assert_eq!(hasher.length(), bytes.len() as u64);
            assert_eq!(hasher.finish().unwrap(), Digest::of(&bytes));
        }
    }

    #[test]
    fn no_more_than_four_buffers_are_ever_made() {
        let mut hasher = BackgroundHasher::new();
        for _ in 0..64 {
            let mut bytes = hasher.buffer().unwrap();
            bytes.resize(BUFFER, 1);
            hasher.give(bytes).unwrap();
        }
        assert_eq!(hasher.made, BUFFERS);
    }
}
