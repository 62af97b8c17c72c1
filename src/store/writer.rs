//! Writing objects: the protocol of the module header, steps 1 to 6. Touches `tmp`, `objects-v1`, `stamps-v1`.
//! Read next: `super::partial`.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use rustix::fs::Mode;

use super::fail;
use super::handle::Store;
use super::layout::{OBJECTS, TMP, object_name};
use super::object::StoreObject;
use crate::base::{ByteSize, Code, Diagnostic, Digest};
use crate::fs::copy::{Copy, Patch};
use crate::fs::paced::Paced;
use crate::fs::tree::is_planted;
use crate::fs::{TempFile, temp};
use crate::stream::{BackgroundHasher, HashingWriter, Progress};

/// Who may read an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Privacy {
    /// Everyone who gets there (0444): images, empty disks.
    Public,
    /// The owner (0400): configs, scripts and config disks, which hold password hashes and keys.
    Provisioning,
}

impl Privacy {
    const fn mode(self) -> Mode {
        match self {
            Self::Public => Mode::from_raw_mode(0o444),
            Self::Provisioning => Mode::from_raw_mode(0o400),
        }
    }
}

/// What else must hold of a file before it gets its final name; gets the open file, at its start, and its size.
pub(crate) type Gate<'g> = &'g mut dyn FnMut(&mut File, u64) -> Result<(), Diagnostic>;

/// A block this long and aligned that is all zeros is not written but left as a hole.
const BLOCK: usize = 4 << 10;
static ZEROS: [u8; BLOCK] = [0; BLOCK];

impl<'e> Store<'e> {
    /// Begins an object whose digest shows at its end.
    ///
    /// With `size_hint` that much space is reserved, holes included: give it for dense objects only.
    pub(crate) fn create(&self, privacy: Privacy, size_hint: Option<u64>) -> Result<ObjectWriter<'_, 'e>, Diagnostic> {
        self.check_writable()?;
        let told = |error: io::Error| self.unwritable(size_hint, &error);
        let temp = TempFile::create(&self.tree, TMP).map_err(told)?;
        temp::reserve(&temp.file, 0, size_hint.unwrap_or(0)).map_err(told)?;
        let writer = HashingWriter::new(Paced::new(temp.file.try_clone().map_err(told)?, 0));
        Ok(ObjectWriter { store: self, temp, writer, privacy })
    }

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
        let progress = Progress::new(what, Some(object.size()), self.events);
        let tell = |at| progress.tell(at);
        let copy = Copy { source: &source, size: object.size(), patches, tell: &tell };
        let copied = copy.run(&mut writer.writer, Some(&mut base));
        copied.map_err(|error| self.unwritable(Some(object.size()), &error))?;
        let found = base.finish().map_err(|error| self.unreadable(&object.digest(), &error))?;
        self.check_copied(object, &metadata, &found)
    }

    /// Compares what was read of an object on the way with its name.
    pub(super) fn check_copied(
        &self,
        object: &StoreObject,
        metadata: &Metadata,
        found: &Digest,
    ) -> Result<(), Diagnostic> {
        if *found == object.digest() {
            return Ok(());
        }
        let found = format!("sha256:{found}");
        self.quarantine_object(&object.digest(), Some(metadata), &found);
        Err(fail::corrupt(&object.digest(), found, self.dir()))
    }

    /// Stores bytes held in memory; long runs of zeros become holes.
    pub(crate) fn put(&self, bytes: &[u8], privacy: Privacy) -> Result<StoreObject, Diagnostic> {
        let digest = Digest::of(bytes);
        if let Some(object) = self.find(&digest)? {
            self.tighten(&object, privacy);
            return Ok(object);
        }
        self.check_writable()?;
        let told = |error: io::Error| self.unwritable(None, &error);
        let mut temp = TempFile::create(&self.tree, TMP).map_err(told)?;
        write_sparse(&temp.file, bytes).map_err(told)?;
        self.publish(&mut temp, StoreObject::new(digest, bytes.len() as u64), privacy)
    }

    /// Gives a finished, compared and gated file its final name, durably; see the module header, steps 4 to 6.
    pub(super) fn publish(
        &self,
        temp: &mut TempFile,
        object: StoreObject,
        privacy: Privacy,
    ) -> Result<StoreObject, Diagnostic> {
        let told = |error: io::Error| self.unwritable(Some(object.size()), &error);
        rustix::fs::fchmod(&temp.file, privacy.mode()).map_err(|errno| told(errno.into()))?;
        temp.file.sync_all().map_err(told)?;
        let digest = object.digest();
        let name = object_name(&digest);
        let fan_out = name.parent().unwrap_or(Path::new(OBJECTS));
        // Each turn but the last frees the name; someone who takes it each time put a good object there.
        for _ in 0..8 {
            match temp.publish(&name) {
                Ok(()) => {
                    self.tree.sync_dir(fan_out).map_err(told)?;
                    temp.file.metadata().map(|metadata| self.stamp(&digest, &metadata)).map_err(told)?;
                    return Ok(object);
                }
                Err(error) if error.kind() == ErrorKind::NotFound => self.make_fan_out(fan_out).map_err(told)?,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    if let Some(existing) = self.find_hashed(&digest)? {
                        self.tighten(&existing, privacy);
                        return Ok(existing);
                    }
                }
                // Something that is not a directory stands in the way; looking at it puts it into quarantine.
                Err(error) if is_planted(&error) => drop(self.open_named(&digest)?),
                Err(error) => return Err(told(error)),
            }
        }
        Err(told(ErrorKind::ResourceBusy.into()))
    }

    /// Makes the directory for a first pair of digits, durably.
    ///
    /// Who finds it made by another does not sync its parent again: on ext4, xfs and btrfs the sync of what is linked
    /// into it brings the older entry along, as their journals keep order.
    fn make_fan_out(&self, fan_out: &Path) -> io::Result<()> {
        if self.tree.make_dir(OBJECTS)? {
            self.tree.sync_dir(".")?;
        }
        if self.tree.make_dir(fan_out)? { self.tree.sync_dir(OBJECTS) } else { Ok(()) }
    }

    /// Takes away from others what is also used for provisioning; best effort, the store directory is closed anyway.
    fn tighten(&self, object: &StoreObject, privacy: Privacy) {
        if privacy == Privacy::Provisioning
            && let Ok((file, metadata)) = self.tree.regular(object_name(&object.digest()))
            && metadata.mode() & 0o044 != 0
            // A bundle holds it as something public: its bytes are not secret, and its mode there is promised.
            && metadata.nlink() == 1
        {
            let _ = rustix::fs::fchmod(&file, privacy.mode());
        }
    }

    /// Returns how much room is left for a user without privileges, where the file system says.
    pub(crate) fn free(&self) -> Option<ByteSize> {
        let found = rustix::fs::fstatvfs(&self.tree).ok()?;
        Some(ByteSize(found.f_bavail.saturating_mul(found.f_frsize)))
    }
}

/// An object being written; dropped before [`ObjectWriter::finish`] it leaves nothing.
pub(crate) struct ObjectWriter<'s, 'e> {
    store: &'s Store<'e>,
    temp: TempFile,
    writer: HashingWriter<Paced>,
    privacy: Privacy,
}

impl ObjectWriter<'_, '_> {
    /// Leaves a hole of `count` bytes, which read as zeros.
    pub(crate) fn skip(&mut self, count: u64) -> io::Result<()> {
        self.writer.skip(count)
    }

    /// Returns how many bytes, holes included, were written so far.
    pub(crate) fn length(&self) -> u64 {
        self.writer.length()
    }

    /// Compares, gates and publishes: the object exists and lasts when this returns it, else nothing was added.
    ///
    /// `expected` is the digest, and the size where it is known; other bytes are `E_HASH`.
    pub(crate) fn finish(
        self,
        expected: Option<(&Digest, Option<u64>)>,
        gate: Option<Gate<'_>>,
    ) -> Result<StoreObject, Diagnostic> {
        let Self { store, mut temp, writer, privacy } = self;
        let (file, digest, size) = writer.finish().map_err(|error| store.unwritable(None, &error))?;
        drop(file);
        // Behind a hole at the end the file is still short, and what was reserved may be too much.
        temp.file.set_len(size).map_err(|error| store.unwritable(Some(size), &error))?;
        if let Some((expected, expected_size)) = expected {
            compare(expected, expected_size, &digest, size)?;
        }
        pass(gate, &mut temp.file, size)?;
        store.publish(&mut temp, StoreObject::new(digest, size), privacy)
    }

    /// Turns an error of [`Write`] or [`ObjectWriter::skip`] into a problem about the store.
    pub(crate) fn told(&self, error: &io::Error) -> Diagnostic {
        self.store.unwritable(None, error)
    }
}

impl Write for ObjectWriter<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Fails with `E_HASH` unless digest and size are those that were promised.
pub(super) fn compare(
    expected: &Digest,
    expected_size: Option<u64>,
    digest: &Digest,
    size: u64,
) -> Result<(), Diagnostic> {
    if digest == expected && expected_size.is_none_or(|expected| expected == size) {
        return Ok(());
    }
    // Who knows what was to come names it; see `realise`.
    let what = if digest == expected { "size" } else { "digest" };
    let problem = Diagnostic::new(Code::Hash, format!("{what} mismatch"))
        .fact("expected", format!("sha256:{expected}"))
        .fact("received", format!("sha256:{digest} after {}", ByteSize(size)));
    let problem = match expected_size {
        Some(expected) if expected != size => problem.fact("size", format!("{size} bytes instead of {expected}")),
        _ => problem.fact("size", format!("{size} bytes")),
    };
    Err(problem.note("nothing was added to the store"))
}

/// Runs the gate on the file, from its start.
pub(super) fn pass(gate: Option<Gate<'_>>, file: &mut File, size: u64) -> Result<(), Diagnostic> {
    let Some(gate) = gate else { return Ok(()) };
    file.seek(SeekFrom::Start(0)).map_err(|error| Diagnostic::io("cannot read back what was received", &error))?;
    gate(file, size)
}

/// Writes bytes at the start of an empty file, leaving out blocks of zeros.
pub(super) fn write_sparse(file: &File, bytes: &[u8]) -> io::Result<()> {
    // Compared with zeros in one call: byte by byte it takes longer than hashing.
    let is_zero = |block: &[u8]| *block == ZEROS[..block.len()];
    let mut blocks = bytes.chunks(BLOCK).enumerate().peekable();
    while let Some((first, block)) = blocks.next() {
        if is_zero(block) {
            continue;
        }
        let mut end = first * BLOCK + block.len();
        while let Some((_, block)) = blocks.next_if(|(_, block)| !is_zero(block)) {
            end += block.len();
        }
        file.write_all_at(&bytes[first * BLOCK..end], (first * BLOCK) as u64)?;
    }
    file.set_len(bytes.len() as u64)
}
