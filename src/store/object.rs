//! Objects: finding, reading, condemning. Touches `objects-v1`, `stamps-v1`, `quarantine`. Read next: `super::writer`.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::fail;
use super::handle::Store;
use super::layout::{QUARANTINE, object_name};
use crate::base::{Diagnostic, Digest, Event};
use crate::fs::tree::is_planted;
use crate::stream::{BackgroundHasher, Mismatch, VerifyingReader};

/// A file in the store whose bytes had this digest and size when they were last hashed.
///
/// Only the store makes one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StoreObject {
    digest: Digest,
    size: u64,
}

impl StoreObject {
    pub(super) const fn new(digest: Digest, size: u64) -> Self {
        Self { digest, size }
    }

    /// Returns the sha256 of its bytes.
    pub(crate) const fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns its size in bytes.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }
}

impl<'e> Store<'e> {
    /// Finds an object by digest.
    ///
    /// Its stamp is trusted; without one it is hashed and stamped. One that is damaged is put into quarantine with a
    /// warning, and counts as absent.
    pub(crate) fn find(&self, digest: &Digest) -> Result<Option<StoreObject>, Diagnostic> {
        let Some((file, metadata)) = self.open_named(digest)? else { return Ok(None) };
        if self.is_stamped(digest, &metadata) {
            return Ok(Some(StoreObject::new(*digest, metadata.len())));
        }
        self.hash_named(digest, file, &metadata)
    }

    /// Hashes what stands under an object's name, stamp or not.
    pub(super) fn find_hashed(&self, digest: &Digest) -> Result<Option<StoreObject>, Diagnostic> {
        match self.open_named(digest)? {
            Some((file, metadata)) => self.hash_named(digest, file, &metadata),
            None => Ok(None),
        }
    }

    fn hash_named(&self, digest: &Digest, file: File, metadata: &Metadata) -> Result<Option<StoreObject>, Diagnostic> {
        let (found, size) = hash_file(file).map_err(|error| self.unreadable(digest, &error))?;
        if found == *digest && size == metadata.len() {
            self.stamp(digest, metadata);
            return Ok(Some(StoreObject::new(*digest, size)));
        }
        self.quarantine_object(digest, Some(metadata), &format!("sha256:{found}, {size} bytes"));
        Ok(None)
    }

    /// Opens what stands under an object's name; what is not a regular file is put away and counts as absent.
    pub(super) fn open_named(&self, digest: &Digest) -> Result<Option<(File, Metadata)>, Diagnostic> {
        match self.tree.regular(object_name(digest)) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) if is_planted(&error) => {
                self.quarantine_object(digest, None, "something that is not a regular file");
                Ok(None)
            }
            Err(error) => Err(self.unreadable(digest, &error)),
        }
    }

    /// Returns the path of an object, for programs that need one; it may be read, never written.
    pub(crate) fn path(&self, object: &StoreObject) -> PathBuf {
        self.dir().join(object_name(&object.digest))
    }

    /// Opens an object: beneath the store, a regular file, of the right size. Its bytes are not verified.
    pub(crate) fn open_object(&self, object: &StoreObject) -> Result<File, Diagnostic> {
        let Some((file, metadata)) = self.open_named(&object.digest)? else {
            return Err(fail::corrupt(&object.digest, "nothing", self.dir()));
        };
        if metadata.len() == object.size {
            return Ok(file);
        }
        let found = format!("{} bytes instead of {}", metadata.len(), object.size);
        self.quarantine_object(&object.digest, Some(&metadata), &found);
        Err(fail::corrupt(&object.digest, found, self.dir()))
    }

    /// Opens an object as a reader that fails at its end unless the bytes were right; see [`ObjectReader`].
    pub(crate) fn reader(&self, object: &StoreObject) -> Result<ObjectReader<'_, 'e>, Diagnostic> {
        let file = self.open_object(object)?;
        let metadata = file.metadata().map_err(|error| self.unreadable(&object.digest, &error))?;
        let inner = VerifyingReader::new(file, object.digest, object.size);
        Ok(ObjectReader { store: self, inner, object: object.clone(), metadata })
    }

    /// Reads a whole object of at most `cap` bytes, verified.
    pub(crate) fn read(&self, object: &StoreObject, cap: u64) -> Result<Vec<u8>, Diagnostic> {
        if object.size > cap {
            let text = format!("object `{}` is too large to be read at once", object.digest.short());
            return Err(Diagnostic::new(crate::base::Code::Bug, text).fact("size", object.size).fact("cap", cap));
        }
        let mut bytes = Vec::with_capacity(object.size as usize);
        self.reader(object)?.read_to_end(&mut bytes).map_err(|error| self.told(&object.digest, error))?;
        Ok(bytes)
    }

    /// Turns an error of [`ObjectReader`] into the problem it carries, or one about reading.
    pub(crate) fn told(&self, digest: &Digest, error: io::Error) -> Diagnostic {
        match error.downcast::<Diagnostic>() {
            Ok(problem) => problem,
            Err(error) => self.unreadable(digest, &error),
        }
    }

    pub(super) fn unreadable(&self, digest: &Digest, error: &io::Error) -> Diagnostic {
        fail::read(format!("cannot read object `{}`", digest.short()), self.dir(), error)
    }

    /// Puts what stands under an object's name into quarantine, with a warning.
    ///
    /// `bad` is what was looked at: when another process has put a good file there meanwhile, that one stays.
    pub(super) fn quarantine_object(&self, digest: &Digest, bad: Option<&Metadata>, found: &str) {
        self.unstamp(digest);
        let name = object_name(digest);
        let fan_out = name.parent().unwrap_or(Path::new("."));
        let is_dir = self.tree.look(fan_out).is_ok_and(|found| found.is_dir());
        let moved = if is_dir { self.move_to_quarantine(&name, bad) } else { self.move_to_quarantine(fan_out, None) };
        let kept = if moved { "it is kept in `quarantine`" } else { "it could not be moved away" };
        let text = format!("object `{}` in the store was damaged (found {found}); {kept}", digest.short());
        (self.events)(Event::Warning { text });
    }

    /// Moves something beneath the store into `quarantine/`; returns whether the name is free now.
    pub(super) fn move_to_quarantine(&self, name: &Path, bad: Option<&Metadata>) -> bool {
        if self.read_only.is_some() {
            return false;
        }
        let _ = self.tree.make_dir(QUARANTINE);
        let flat: Vec<_> = name.components().skip(1).map(|part| part.as_os_str().to_string_lossy()).collect();
        for number in 0..1000 {
            let to = Path::new(QUARANTINE).join(format!("{}.{number}", flat.concat()));
            match self.tree.rename_new(name, &self.tree, &to) {
                Ok(()) => return self.check_moved(name, &to, bad),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return error.kind() == ErrorKind::NotFound,
            }
        }
        false
    }

    /// Puts back what was moved when it is not what was meant.
    fn check_moved(&self, name: &Path, to: &Path, bad: Option<&Metadata>) -> bool {
        let Some(bad) = bad else { return true };
        let other = self.tree.look(to).is_ok_and(|moved| (moved.dev(), moved.ino()) != (bad.dev(), bad.ino()));
        if other {
            let _ = self.tree.rename_new(to, &self.tree, name);
        }
        true
    }
}

/// Hashes a file from where it stands to its end.
pub(super) fn hash_file(mut file: File) -> io::Result<(Digest, u64)> {
    let mut hasher = BackgroundHasher::new();
    let size = hasher.drain(&mut file)?;
    Ok((hasher.finish()?, size))
}

/// Hands on an object's bytes and hashes them; at the end it fails with `E_CACHE_CORRUPT` when they were not right.
///
/// The error is an [`io::Error`] of kind `InvalidData` that carries the [`Diagnostic`] ([`Store::told`] takes it out); the
/// object is in quarantine then. Whoever stops reading before the end has verified nothing.
pub(crate) struct ObjectReader<'s, 'e> {
    store: &'s Store<'e>,
    inner: VerifyingReader<File>,
    object: StoreObject,
    metadata: Metadata,
}

impl Read for ObjectReader<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).map_err(|error| match error.downcast::<Mismatch>() {
            Ok(mismatch) => {
                let found = format!("sha256:{}, {} bytes", mismatch.received, mismatch.received_size);
                self.store.quarantine_object(&self.object.digest, Some(&self.metadata), &found);
                let problem = fail::corrupt(&self.object.digest, found, self.store.dir());
                io::Error::new(ErrorKind::InvalidData, problem)
            }
            Err(error) => error,
        })
    }
}
