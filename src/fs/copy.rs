//! Copies that are hashed on the way and keep their holes. Touches open files only. Read next: `super::paced`.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::unix::fs::FileExt;

use rustix::fs::SeekFrom;
use rustix::io::Errno;

use super::paced::Paced;
use crate::base::Digest;
use crate::stream::hasher::BUFFER;
use crate::stream::{BackgroundHasher, HashingWriter};

/// Bytes that replace or follow those of the source, and where; of two that overlap the later one wins.
pub(crate) type Patch = (u64, Vec<u8>);

/// Is told how far a copy is, and may end it.
pub(crate) type Tell<'t> = &'t dyn Fn(u64) -> io::Result<()>;

/// Fills an empty file with a copy, by shared blocks where the file system can, and returns what was copied.
pub(crate) fn fill(source: &File, size: u64, target: &File, tell: Tell<'_>) -> io::Result<Digest> {
    // The clone is ours alone, so what is hashed is what stays there.
    if rustix::fs::ioctl_ficlone(target, source).is_ok() {
        return hash(target, target.metadata()?.len(), tell);
    }
    let mut writer = HashingWriter::new(Paced::new(target.try_clone()?, 0));
    Copy { source, size, patches: &[], tell }.run(&mut writer, None)?;
    let (_, digest, length) = writer.finish()?;
    target.set_len(length)?;
    Ok(digest)
}

/// Hashes a file of known size; its holes are not read.
pub(crate) fn hash(file: &File, size: u64, tell: Tell<'_>) -> io::Result<Digest> {
    let mut writer = HashingWriter::new(io::empty());
    Copy { source: file, size, patches: &[], tell }.run(&mut writer, None)?;
    Ok(writer.finish()?.1)
}

/// A file of known size, and what shall differ in its copy.
pub(crate) struct Copy<'c> {
    pub(crate) source: &'c File,
    pub(crate) size: u64,
    pub(crate) patches: &'c [Patch],
    pub(crate) tell: Tell<'c>,
}

/// What lies at a place of the source, up to where.
enum Piece {
    Hole(u64),
    Data(u64),
}

impl Copy<'_> {
    /// Copies into a writer that stands at its start; `base` gets the source's bytes as they were.
    pub(crate) fn run(
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
            (self.tell)(at)?;
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
        mut base: Option<&mut BackgroundHasher>,
    ) -> io::Result<u64> {
        let end = end.min(at + BUFFER as u64);
        let mut bytes = base.as_mut().map_or_else(|| Ok(vec![]), |base| base.buffer())?;
        bytes.resize((end - at) as usize, 0);
        self.source.read_exact_at(&mut bytes, at)?;
        if self.first_patch(at, end).is_some() {
            let mut patched = bytes.clone();
            self.patch(at, &mut patched);
            into.write_all(&patched)?;
        } else {
            into.write_all(&bytes)?;
        }
        base.map_or(Ok(()), |base| base.give(bytes))?;
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
        Copy { source: &source, size: 4 << 20, patches, tell: &|_| Ok(()) }.run(&mut into, Some(&mut base)).unwrap();
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
