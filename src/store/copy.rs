//! Copies that are hashed on the way and keep their holes. Touches open files only. Read next: `super::out`.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::unix::fs::FileExt;

use rustix::fs::SeekFrom;
use rustix::io::Errno;

use super::object::StoreObject;
use super::{ObjectWriter, Store, fail};
use crate::base::{ByteSize, Diagnostic, Event, Events};
use crate::stream::hasher::BUFFER;
use crate::stream::{BackgroundHasher, HashingWriter};

/// Bytes that replace or follow those of the source, and where; of two that overlap the later one wins.
pub(crate) type Patch = (u64, Vec<u8>);

impl Store<'_> {
    /// Writes an object's bytes with patches applied, reading it once: the grown copy of a disk.
    ///
    /// The base is hashed on one thread and the copy on another while this one reads and writes; holes stay holes. When
    /// the base turns out damaged this is `E_CACHE_CORRUPT`, it is moved to quarantine, and the writer must be dropped.
    pub(crate) fn copy_verified(
        &self,
        object: &StoreObject,
        writer: &mut ObjectWriter<'_, '_>,
        patches: &[Patch],
        what: &str,
    ) -> Result<(), Diagnostic> {
        let source = self.open_object(object)?;
        let metadata = source.metadata().map_err(|error| self.unreadable(&object.digest(), &error))?;
        let mut base = BackgroundHasher::new();
        let progress = Progress::new(what, object.size(), self.events);
        let copy = Copy { source: &source, size: object.size(), patches, progress: &progress };
        copy.run(writer.hashing(), Some(&mut base)).map_err(|error| self.unwritable(Some(object.size()), &error))?;
        let found = base.finish().map_err(|error| self.unreadable(&object.digest(), &error))?;
        if found == object.digest() {
            return Ok(());
        }
        let found = format!("sha256:{found}");
        self.quarantine_object(&object.digest(), Some(&metadata), &found);
        Err(fail::corrupt(&object.digest(), found, self.dir()))
    }
}

/// Tells how far a copy is.
pub(super) struct Progress<'t> {
    what: &'t str,
    told: Cell<u64>,
    events: Events<'t>,
}

impl<'t> Progress<'t> {
    /// How many bytes lie between two reports.
    const STEP: u64 = 32 << 20;

    pub(super) fn new(what: &'t str, total: u64, events: Events<'t>) -> Self {
        events(Event::Started { what: what.to_owned(), total: Some(ByteSize(total)) });
        Self { what, told: Cell::new(0), events }
    }

    fn tell(&self, at: u64) {
        if at >= self.told.get() + Self::STEP {
            self.told.set(at);
            (self.events)(Event::Progress { what: self.what.to_owned(), done: ByteSize(at) });
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        (self.events)(Event::Finished { what: self.what.to_owned() });
    }
}

/// A file of known size, and what shall differ in its copy.
pub(super) struct Copy<'c> {
    pub(super) source: &'c File,
    pub(super) size: u64,
    pub(super) patches: &'c [Patch],
    pub(super) progress: &'c Progress<'c>,
}

/// What lies at a place of the source, up to where.
enum Piece {
    Hole(u64),
    Data(u64),
}

impl Copy<'_> {
    /// Copies into a writer that stands at its start; `base` gets the source's bytes as they were.
    pub(super) fn run(
        &self,
        into: &mut HashingWriter<impl Write + Seek>,
        mut base: Option<&mut BackgroundHasher>,
    ) -> io::Result<()> {
        let total = self.patches.iter().map(|(at, bytes)| at + bytes.len() as u64).fold(self.size, u64::max);
        let mut piece = Piece::Data(0);
        let mut at = 0;
        while at < total {
            if let Piece::Hole(end) | Piece::Data(end) = piece
                && end <= at
            {
                piece = self.piece(at, total)?;
            }
            at = match piece {
                Piece::Data(end) => self.copy_data(at, end, into, base.as_deref_mut())?,
                Piece::Hole(end) => self.copy_hole(at, end, into, base.as_deref_mut())?,
            };
            self.progress.tell(at);
        }
        Ok(())
    }

    /// Finds what lies at a place; a file system that knows no holes shows data (lseek(2), SEEK_DATA).
    fn piece(&self, at: u64, total: u64) -> io::Result<Piece> {
        if at >= self.size {
            return Ok(Piece::Hole(total));
        }
        let data = match rustix::fs::seek(self.source, SeekFrom::Data(at)) {
            Ok(data) => data.min(self.size),
            Err(Errno::NXIO) => self.size,
            Err(_) => return Ok(Piece::Data(self.size)),
        };
        if data > at {
            return Ok(Piece::Hole(data));
        }
        let hole = rustix::fs::seek(self.source, SeekFrom::Hole(at)).unwrap_or(self.size);
        Ok(Piece::Data(hole.clamp(at + 1, self.size)))
    }

    fn copy_data(
        &self,
        at: u64,
        end: u64,
        into: &mut HashingWriter<impl Write + Seek>,
        base: Option<&mut BackgroundHasher>,
    ) -> io::Result<u64> {
        let end = end.min(at + BUFFER as u64);
        let Some(base) = base else {
            let mut bytes = vec![0; (end - at) as usize];
            self.source.read_exact_at(&mut bytes, at)?;
            self.patch(at, &mut bytes);
            into.write_all(&bytes)?;
            return Ok(end);
        };
        let mut bytes = base.buffer()?;
        bytes.resize((end - at) as usize, 0);
        self.source.read_exact_at(&mut bytes, at)?;
        if self.first_patch(at, end).is_some() {
            let mut patched = bytes.clone();
            self.patch(at, &mut patched);
            into.write_all(&patched)?;
        } else {
            into.write_all(&bytes)?;
        }
        base.give(bytes)?;
        Ok(end)
    }

    fn copy_hole(
        &self,
        at: u64,
        end: u64,
        into: &mut HashingWriter<impl Write + Seek>,
        base: Option<&mut BackgroundHasher>,
    ) -> io::Result<u64> {
        let patched = self.first_patch(at, end).unwrap_or(end);
        let end = if patched > at {
            into.skip(patched - at)?;
            patched
        } else {
            let mut zeros = vec![0; (self.patch_end(at, end) - at).min(BUFFER as u64) as usize];
            self.patch(at, &mut zeros);
            into.write_all(&zeros)?;
            at + zeros.len() as u64
        };
        match base {
            Some(base) if at < self.size => base.zeros(end.min(self.size) - at)?,
            _ => {}
        }
        Ok(end)
    }

    fn overlapping(&self, at: u64, end: u64) -> impl Iterator<Item = (u64, u64)> {
        let ranges = self.patches.iter().map(|(start, bytes)| (*start, start + bytes.len() as u64));
        ranges.filter(move |(start, stop)| *start < end && *stop > at && start < stop)
    }

    /// Finds the first patched place in a range.
    fn first_patch(&self, at: u64, end: u64) -> Option<u64> {
        self.overlapping(at, end).map(|(start, _)| start.max(at)).min()
    }

    /// Finds where the longest patch over `at` ends, at most at `end`.
    fn patch_end(&self, at: u64, end: u64) -> u64 {
        self.overlapping(at, at + 1).map(|(_, stop)| stop.min(end)).max().unwrap_or(end)
    }

    fn patch(&self, at: u64, bytes: &mut [u8]) {
        let end = at + bytes.len() as u64;
        for (start, patch) in self.patches {
            let stop = start + patch.len() as u64;
            if *start < end && stop > at {
                let (from, to) = ((*start).max(at), stop.min(end));
                let part = &patch[(from - start) as usize..(to - start) as usize];
                bytes[(from - at) as usize..(to - at) as usize].copy_from_slice(part);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::base::Digest;

    /// A file with data, holes of two sizes, data, and a hole at its end.
    fn source() -> (File, Vec<u8>) {
        let file = tempfile::tempfile().unwrap();
        let mut bytes = vec![0; 4 << 20];
        for (at, length) in [(0, 70_000), (1 << 20, 300_000), (3 << 20, 4096)] {
            let part: Vec<u8> = (0..length).map(|i| (i % 251) as u8 + 1).collect();
            bytes[at..at + length].copy_from_slice(&part);
            file.write_all_at(&part, at as u64).unwrap();
        }
        file.set_len(bytes.len() as u64).unwrap();
        (file, bytes)
    }

    fn copied(patches: &[Patch]) -> (Vec<u8>, u64, Digest, Digest) {
        let (source, _) = source();
        let mut into = HashingWriter::new(tempfile::tempfile().unwrap());
        let mut base = BackgroundHasher::new();
        Copy { source: &source, size: 4 << 20, patches, progress: &Progress::new("", 0, &|_| {}) }
            .run(&mut into, Some(&mut base))
            .unwrap();
        let (mut file, digest, size) = into.finish().unwrap();
        file.set_len(size).unwrap();
        let blocks = file.metadata().unwrap().blocks();
        let mut bytes = Vec::new();
        std::io::Seek::rewind(&mut file).unwrap();
        file.read_to_end(&mut bytes).unwrap();
        (bytes, blocks * 512, digest, base.finish().unwrap())
    }

    #[test]
    fn img_15_a_copy_has_the_patches_and_the_holes_and_both_digests() {
        let base = source().1;
        let end = base.len() as u64;
        let cases: [&[Patch]; 6] = [
            &[],
            &[(24, vec![9; 8])],
            &[((1 << 20) - 5, vec![7; 10]), (2 << 20, vec![5; 3])],
            &[(end - 2, vec![1; 4]), (end + 70_000, vec![2; 300_000])],
            &[(100, vec![1; 600_000]), (300, vec![2; 10])],
            &[(5, vec![])],
        ];
        for patches in cases {
            let mut expected = base.clone();
            for (at, patch) in patches {
                let stop = *at as usize + patch.len();
                expected.resize(expected.len().max(stop), 0);
                expected[*at as usize..stop].copy_from_slice(patch);
            }
            let (bytes, _, digest, read) = copied(patches);
            assert!(bytes == expected);
            assert_eq!((digest, read), (Digest::of(&expected), Digest::of(&base)));
        }
        assert!(copied(&[]).1 < 1 << 20, "holes were filled");
    }
}
