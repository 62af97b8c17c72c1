//! Files of a bundle as files of an instance: shared blocks where the file system can, else with their holes, and every
//! byte hashed on the way. Touches the two files it is given. Read next: `crate::libvirt::instance`.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rustix::fs::OFlags;

use super::signals::Signals;
use crate::base::{Code, Diagnostic, Digest, Event, Events};
use crate::fs;
use crate::fs::copy::{fill, hash};
use crate::fs::whole::{create, finish};
use crate::stream::{HashingWriter, Progress};

/// How many bytes are handled at a time.
const BLOCK: u64 = 256 << 10;
/// How long a lock that another holds is left alone.
const TICK: Duration = Duration::from_millis(20);

/// How a long piece of work speaks and listens: it tells how far it is, and ends when a signal asks for it.
#[derive(Clone, Copy)]
pub(crate) struct Work<'w> {
    pub events: Events<'w>,
    pub signals: &'w Signals,
}

impl Work<'_> {
    /// Ends in `E_INTERRUPTED` once a signal came; the caller takes away what it made.
    pub(crate) fn goes_on(&self) -> Result<(), Diagnostic> {
        if self.signals.came() { Err(interrupted()) } else { Ok(()) }
    }

    /// Reports how far a copy is; the error of an interruption carries its diagnostic.
    fn at(&self, progress: &Progress<'_>, done: u64) -> io::Result<()> {
        progress.at(done);
        self.goes_on().map_err(io::Error::other)
    }
}

/// Takes a lock, telling that it waits, as long as that is worth it and no signal comes; it dies with the file.
pub(crate) fn lock(file: &File, shown: &str, waits: &dyn Fn() -> bool, work: &Work<'_>) -> Result<(), Diagnostic> {
    let mut is_told = false;
    while let Err(error) = file.try_lock() {
        if !waits() {
            break;
        }
        match error {
            TryLockError::Error(error) => return Err(Diagnostic::io(format!("cannot lock `{shown}`"), &error)),
            TryLockError::WouldBlock if !is_told => {
                (work.events)(Event::Waiting { what: shown.to_owned() });
                is_told = true;
            }
            TryLockError::WouldBlock => {}
        }
        work.goes_on()?;
        std::thread::sleep(TICK);
    }
    Ok(())
}

fn interrupted() -> Diagnostic {
    Diagnostic::new(Code::Interrupted, "interrupted").note("what was made is taken away again")
}

/// What a file must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExpectedFile {
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
}

/// Copies a file to a new name, 0600 while it grows, then of `mode` and on disk.
///
/// # Errors
///
/// `E_HASH` where the bytes are not those wanted, `E_INTERRUPTED` after a signal; an incomplete copy may stay.
pub(crate) fn copy(from: &Path, to: &Path, wanted: ExpectedFile, mode: u32, work: &Work<'_>) -> Result<(), Diagnostic> {
    let name = from.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let source = open(from).map_err(|error| Diagnostic::unreadable(from, &error))?;
    let size = source.metadata().map(|found| found.len()).unwrap_or_default();
    // A file of another length is no file of the manifest: not one byte of it is worth copying.
    if size != wanted.size {
        return Err(other(&name, wanted, &format!("{size} bytes")));
    }
    let told = |error: &io::Error| Diagnostic::unwritable(to, error);
    let target = create(to).map_err(|error| told(&error))?;
    let progress = Progress::new(format!("copying {name}"), Some(size), work.events);
    let digest = fill(&source, size, &target, &|at| work.at(&progress, at)).map_err(|error| carried(error, told))?;
    drop(progress);
    if digest != wanted.digest {
        return Err(other(&name, wanted, &format!("sha256:{digest}")));
    }
    finish(&target, mode).map_err(|error| told(&error))
}

/// Writes a new file whole, of `mode` and on disk.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Diagnostic> {
    let write = || -> io::Result<()> {
        let mut file = create(path)?;
        file.write_all(bytes)?;
        finish(&file, mode)
    };
    write().map_err(|error| Diagnostic::unwritable(path, &error))
}

/// Takes out the diagnostic that an error carries.
fn carried(error: io::Error, told: impl Fn(&io::Error) -> Diagnostic) -> Diagnostic {
    error.downcast().unwrap_or_else(|error| told(&error))
}

/// Hashes a file that is there; `None` where there is none or it is no regular file.
pub(crate) fn digest(path: &Path, work: &Work<'_>) -> Result<Option<ExpectedFile>, Diagnostic> {
    let told = |error: &io::Error| Diagnostic::unreadable(path, error);
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(told(&error)),
    };
    let size = file.metadata().map_err(|error| told(&error))?.len();
    let what = format!("hashing {}", path.file_name().unwrap_or_default().to_string_lossy());
    let progress = Progress::new(what, Some(size), work.events);
    let digest = hash(&file, size, &|at| work.at(&progress, at)).map_err(|error| carried(error, told))?;
    Ok(Some(ExpectedFile { digest, size }))
}

/// Writes a directory's entries to disk.
pub(crate) fn sync(directory: &Path) -> Result<(), Diagnostic> {
    fs::sync(directory).map_err(|error| Diagnostic::io(format!("cannot sync `{}`", directory.display()), &error))
}

fn other(name: &str, wanted: ExpectedFile, found: &str) -> Diagnostic {
    Diagnostic::new(Code::Hash, format!("`{name}` is not what the manifest says"))
        .fact("expected", format!("sha256:{} ({} bytes)", wanted.digest, wanted.size))
        .fact("received", found)
        .note("nothing was installed")
        .hint("build again: a damaged bundle in the store is replaced")
}

/// Opens a regular file, through no link.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a regular file")) }
}

/// Copies what a reader gives to a new file, of `mode` and on disk; returns what it holds.
pub(crate) fn save(reader: &mut dyn Read, path: &Path, mode: u32, work: &Work<'_>) -> Result<ExpectedFile, Diagnostic> {
    let mut save = || -> io::Result<ExpectedFile> {
        let mut writer = HashingWriter::new(create(path)?);
        while io::copy(&mut reader.take(BLOCK), &mut writer)? > 0 {
            work.goes_on().map_err(io::Error::other)?;
        }
        let (file, digest, size) = writer.finish()?;
        finish(&file, mode)?;
        Ok(ExpectedFile { digest, size })
    };
    save().map_err(|error| carried(error, |error| Diagnostic::unwritable(path, error)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileExt, MetadataExt};

    use super::*;

    fn work<T>(run: impl FnOnce(&Work<'_>) -> T) -> T {
        let signals = Signals::default();
        run(&Work { events: &|_| {}, signals: &signals })
    }

    #[test]
    fn img_15_a_copy_has_the_bytes_the_holes_and_the_mode() {
        let place = tempfile::tempdir().unwrap();
        let (from, to) = (place.path().join("from"), place.path().join("to"));
        let source = File::create(&from).unwrap();
        source.write_all_at(&[7; 70_000], 3 << 20).unwrap();
        source.set_len(8 << 20).unwrap();
        let wanted = work(|work| digest(&from, work)).unwrap().unwrap();
        assert_eq!(wanted.digest, Digest::of(&std::fs::read(&from).unwrap()));
        work(|work| copy(&from, &to, wanted, 0o444, work)).unwrap();
        assert_eq!(std::fs::read(&from).unwrap(), std::fs::read(&to).unwrap());
        let found = std::fs::metadata(&to).unwrap();
        assert!(found.blocks() * 512 < 1 << 20, "holes were filled: {}", found.blocks());
        assert_eq!(found.mode() & 0o7777, 0o444);
    }

    #[test]
    fn img_12_a_file_that_is_not_the_manifests_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let from = place.path().join("from");
        std::fs::write(&from, b"bytes").unwrap();
        let good = ExpectedFile { digest: Digest::of(b"bytes"), size: 5 };
        for wanted in [ExpectedFile { digest: Digest::of(b"other"), ..good }, ExpectedFile { size: 6, ..good }] {
            let to = place.path().join(format!("to-{}", wanted.size));
            assert_eq!(work(|work| copy(&from, &to, wanted, 0o444, work)).unwrap_err().code, Code::Hash);
        }
        std::os::unix::fs::symlink(&from, place.path().join("link")).unwrap();
        let link = place.path().join("link");
        assert!(
            work(|work| copy(&link, &place.path().join("to"), good, 0o444, work)).is_err(),
            "a link is not followed"
        );
    }

    #[test]
    fn a_signal_ends_a_copy() {
        let place = tempfile::tempdir().unwrap();
        let from = place.path().join("from");
        std::fs::write(&from, b"bytes").unwrap();
        let signals = Signals::of(2);
        let work = Work { events: &|_| {}, signals: &signals };
        let wanted = ExpectedFile { digest: Digest::of(b"bytes"), size: 5 };
        let ended = copy(&from, &place.path().join("to"), wanted, 0o444, &work);
        // A clone is hashed before it is believed, so it notices as well.
        assert_eq!(ended.unwrap_err().code, Code::Interrupted);
    }
}
