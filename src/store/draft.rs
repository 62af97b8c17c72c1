//! Objects whose beginning is written last. Touches `tmp`, `objects-v1`, `stamps-v1`. Read next: `super::writer`.

use std::io::{self, Seek, SeekFrom, Write};

use super::fail;
use super::handle::Store;
use super::layout::TMP;
use super::object::{StoreObject, hash_file};
use super::writer::{Gate, Privacy, pass};
use crate::base::Diagnostic;
use crate::fs::TempFile;

impl<'e> Store<'e> {
    /// Begins an object that may be written in any order, and is hashed when it is whole.
    ///
    /// Reading it again costs time: what is written from its beginning on goes through [`Store::create`].
    pub(crate) fn draft(&self, privacy: Privacy) -> Result<ObjectDraft<'_, 'e>, Diagnostic> {
        self.check_writable()?;
        let temp = TempFile::create(&self.tree, TMP).map_err(|error| self.unwritable(None, &error))?;
        Ok(ObjectDraft { store: self, temp, privacy })
    }
}

/// An object being written; dropped before [`ObjectDraft::finish`] it leaves nothing.
pub(crate) struct ObjectDraft<'s, 'e> {
    store: &'s Store<'e>,
    temp: TempFile,
    privacy: Privacy,
}

impl ObjectDraft<'_, '_> {
    /// Hashes, gates and publishes: the object exists and lasts when this returns it, else nothing was added.
    pub(crate) fn finish(self, gate: Option<Gate<'_>>) -> Result<StoreObject, Diagnostic> {
        let Self { store, mut temp, privacy } = self;
        let told = |error: io::Error| fail::read("cannot read back what was written", store.dir(), &error);
        temp.file.seek(SeekFrom::Start(0)).map_err(told)?;
        let (digest, size) = temp.file.try_clone().and_then(hash_file).map_err(told)?;
        pass(gate, &mut temp.file, size)?;
        store.publish(&mut temp, StoreObject::new(digest, size), privacy)
    }

    /// Turns an error of [`Write`] or [`Seek`] into a problem about the store.
    pub(crate) fn told(&self, error: &io::Error) -> Diagnostic {
        self.store.unwritable(None, error)
    }
}

impl Write for ObjectDraft<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.temp.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temp.file.flush()
    }
}

impl Seek for ObjectDraft<'_, '_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.temp.file.seek(to)
    }
}
