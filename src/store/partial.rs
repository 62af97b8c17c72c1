//! Downloads: one at a time for each digest, kept across runs. Touches `tmp/partial-<digest>` and its `.etag`.
//! Read next: `crate::stream::Sink`, which this implements, and `crate::fetch`, which feeds it.

use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};

use super::handle::Store;
use super::layout::{PARTIAL, TMP};
use super::object::StoreObject;
use super::writer::{self, Gate, Privacy};
use super::{fail, lock};
use crate::base::{
    ByteSize, Code, Diagnostic, Digest, Event,
    text::{looks_like, one_line},
};
use crate::fs::Tree;
use crate::fs::paced::Paced;
use crate::fs::{TempFile, temp};
use crate::stream::{HashingWriter, Sink};

/// The longest validator that is kept; a longer one only costs a restart.
const VALIDATOR: usize = 1 << 10;

/// How long what has come may stay in memory: a kill loses no more, and who waits sees the file grow.
const LINGER: Duration = Duration::from_millis(50);

/// How often a waiter tells how far the other is.
const PACE: Duration = Duration::from_millis(250);

/// What [`Store::lock_download`] found.
#[expect(clippy::large_enum_variant, reason = "one is made for each download, and moved once")]
pub(crate) enum DownloadLock<'s, 'e> {
    /// The object is there; perhaps another process brought it while we waited.
    Ready(StoreObject),
    /// It must be brought, and nobody else does.
    Ours(Partial<'s, 'e>),
}

/// A download that this process alone fills.
///
/// Dropped before [`Partial::finish`] it keeps what was received, for the next run to resume.
pub(crate) struct Partial<'s, 'e> {
    store: &'s Store<'e>,
    expected: Digest,
    temp: TempFile,
    /// `None` behind a failed restart.
    writer: Option<HashingWriter<Paced>>,
    /// `None` where locks do not work: such a download is private and is not kept.
    name: Option<PathBuf>,
    cap: u64,
    is_resumed: bool,
    /// When all that had come was last in the file.
    flushed: Instant,
}

/// Returns whether a name in `tmp/` is a kept download or its validator.
pub(super) fn is_partial(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(PARTIAL.as_bytes())
}

/// Returns whether a kept download in `tmp/` is of no use to anybody: a validator whose download is gone, as a kill came
/// between the two, or a file with gaps, which an earlier version filled in any order (`.pieces` lists what is there).
///
/// Removing a validator that is another process's by then only costs that one a restart.
pub(super) fn is_abandoned(tree: &Tree, name: &OsStr) -> bool {
    let path = Path::new(TMP).join(name);
    match path.extension() {
        Some(_) => tree.look(path.with_extension("")).is_err_and(|error| error.kind() == ErrorKind::NotFound),
        None => tree.look(path.with_extension("pieces")).is_ok(),
    }
}

fn validator_name(partial: &Path) -> PathBuf {
    partial.with_extension("etag")
}

impl<'e> Store<'e> {
    /// Finds an object, or gives the right to bring it; `what` is how a waiting person knows it.
    ///
    /// While another process brings the same object this waits, and gives up (`E_CACHE_LOCK`) when that one makes no
    /// progress for minutes. What an earlier run received is hashed once, here.
    pub(crate) fn lock_download(&self, expected: &Digest, what: &str) -> Result<DownloadLock<'_, 'e>, Diagnostic> {
        if let Some(object) = self.find(expected)? {
            return Ok(DownloadLock::Ready(object));
        }
        self.check_writable()?;
        let told = |error: io::Error| self.unwritable(None, &error);
        let name = Path::new(TMP).join(format!("{PARTIAL}{expected}"));
        loop {
            let Some(file) = self.open_partial(&name).map_err(told)? else { continue };
            match self.hold(&file, what)? {
                LockOutcome::Unsupported => {
                    // Unlocked, two could write into one file; so each has its own, without a name.
                    if file.metadata().is_ok_and(|metadata| metadata.len() == 0) {
                        self.forget_partial(&name);
                    }
                    return self.begin(expected, None).map(DownloadLock::Ours);
                }
                LockOutcome::Changed => continue,
                LockOutcome::Ours => {}
            }
            // The one before us may have finished, or given up and removed the file.
            if !temp::is_named(&self.tree, &name, &file).map_err(told)? {
                continue;
            }
            if let Some(object) = self.find(expected)? {
                self.forget_partial(&name);
                return Ok(DownloadLock::Ready(object));
            }
            return self.begin(expected, Some((name, file))).map(DownloadLock::Ours);
        }
    }

    /// Opens or makes the file; `None` when something else stood there, which is gone now.
    fn open_partial(&self, name: &Path) -> io::Result<Option<File>> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NONBLOCK | OFlags::NOCTTY;
        let opened = match self.tree.open_at(name, flags, Mode::RUSR | Mode::WUSR) {
            Ok(fd) => File::from(fd),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.tree.make_dir(TMP)?;
                return Ok(None);
            }
            // A link, a directory, a socket, or a file whose write bit went with a kill between chmod and rename.
            Err(error) if error.kind() != ErrorKind::StorageFull && self.tree.look(name).is_ok() => {
                self.tree.remove_all(name)?;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let found = opened.metadata()?;
        // A second name would be an object's, or the user's own file: neither may grow here.
        if found.is_file() && found.nlink() <= 1 {
            return Ok(Some(opened));
        }
        self.tree.remove_all(name)?;
        Ok(None)
    }

    /// Takes the lock of a partial file, waiting as long as its holder makes progress, and telling of it.
    fn hold(&self, file: &File, what: &str) -> Result<LockOutcome, Diagnostic> {
        let mut last = (Instant::now(), None);
        let mut told = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => {
                    if last.1.is_some() {
                        (self.events)(Event::Finished { what: one_line(what, 200) });
                    }
                    return Ok(LockOutcome::Ours);
                }
                Err(TryLockError::Error(_)) => return Ok(LockOutcome::Unsupported),
                Err(TryLockError::WouldBlock) => {}
            }
            let found = file.metadata().map_err(|error| self.unwritable(None, &error))?;
            if found.nlink() == 0 {
                return Ok(LockOutcome::Changed);
            }
            if last.1.is_none() {
                (self.events)(Event::Waiting { what: one_line(what, 200) });
            }
            if last.1 != Some(found.len()) {
                last = (Instant::now(), Some(found.len()));
            }
            if last.0.elapsed() >= self.patience.user {
                return Err(stuck(what, file, self.dir()));
            }
            if told.elapsed() >= PACE {
                told = Instant::now();
                (self.events)(Event::Progress { what: one_line(what, 200), done: ByteSize(found.len()) });
            }
            std::thread::sleep(lock::PAUSE);
        }
    }

    /// Begins or resumes a download whose file we hold.
    fn begin(&self, expected: &Digest, held: Option<(PathBuf, File)>) -> Result<Partial<'_, 'e>, Diagnostic> {
        let told = |error: io::Error| self.unwritable(None, &error);
        let (name, mut temp) = match held {
            Some((name, file)) => (Some(name.clone()), TempFile::adopt(&self.tree, file, name)),
            None => (None, TempFile::create(&self.tree, TMP).map_err(told)?),
        };
        let kept = temp.file.metadata().map_err(told)?.len();
        let file = Paced::new(temp.file.try_clone().map_err(told)?, kept);
        let writer = HashingWriter::behind(file, &mut temp.file).map_err(told)?;
        let is_resumed = writer.length() > 0;
        let (expected, writer) = (*expected, Some(writer));
        Ok(Partial { store: self, expected, temp, writer, name, cap: u64::MAX, is_resumed, flushed: Instant::now() })
    }

    fn forget_partial(&self, name: &Path) {
        let _ = self.tree.remove_all(validator_name(name));
        let _ = self.tree.remove(name);
    }
}

enum LockOutcome {
    Ours,
    /// The file lost its name while we waited.
    Changed,
    Unsupported,
}

fn stuck(what: &str, file: &File, store: &Path) -> Diagnostic {
    let mut problem =
        Diagnostic::new(Code::CacheLock, format!("another process is downloading `{}`", one_line(what, 200)));
    if let Some(holder) = lock::holder(file) {
        problem = problem.fact("held by", format!("process {holder}"));
    }
    problem
        .fact("store", fail::path(store))
        .cause("it has made no progress for a long time")
        .note("what it received so far is kept")
        .hint("end that process, then run the same command again")
}

impl Partial<'_, '_> {
    /// Sets the most bytes that may come; what was kept beyond it is dropped.
    pub(crate) fn set_cap(&mut self, cap: u64) -> Result<(), Diagnostic> {
        self.cap = cap;
        if self.position() > cap { self.restart() } else { Ok(()) }
    }

    /// Reserves space for a download of `size` bytes, so that a full disk shows before it begins (`E_NOSPC`).
    pub(crate) fn reserve(&mut self, size: u64) -> Result<(), Diagnostic> {
        let missing = size.saturating_sub(self.position());
        temp::reserve(&self.temp.file, self.position(), missing)
            .map_err(|error| self.store.unwritable(Some(missing), &error))
    }

    /// Returns whether a part came from an earlier run; when [`Partial::finish`] then fails, a fresh try may not.
    pub(crate) fn is_resumed(&self) -> bool {
        self.is_resumed
    }

    /// Compares, gates and publishes what was received.
    ///
    /// Other bytes than expected are `E_HASH`; then, and when the gate refuses, what was received is dropped. When the
    /// disk refuses it is kept.
    pub(crate) fn finish(mut self, size: Option<u64>, gate: Option<Gate<'_>>) -> Result<StoreObject, Diagnostic> {
        let finished = self.writer.take().ok_or(ErrorKind::InvalidInput.into()).and_then(HashingWriter::finish);
        let (_, digest, received) = finished.map_err(|error| self.store.unwritable(None, &error))?;
        let judged = writer::compare(&self.expected, size, &digest, received)
            .map_err(|problem| looks_like_page(&self.temp.file, problem))
            .and_then(|()| writer::pass(gate, &mut self.temp.file, received));
        let published = judged.and_then(|()| {
            // What was reserved beyond the end goes back.
            self.temp.file.set_len(received).map_err(|error| self.store.unwritable(None, &error))?;
            self.store.publish(&mut self.temp, StoreObject::new(digest, received), Privacy::Public)
        });
        let is_full = published.as_ref().is_err_and(|problem| problem.code == Code::NoSpace);
        match self.name.take() {
            Some(_) if is_full => self.temp.keep(),
            Some(name) => self.give_up(&name),
            None => {}
        }
        published
    }

    fn told(&self, error: &io::Error) -> Diagnostic {
        self.store.unwritable(None, error)
    }

    /// Removes the file if it still has its name: behind a publication the name may be another process's already.
    ///
    /// A validator that is another's by then only costs that one a restart.
    fn give_up(&mut self, name: &Path) {
        let _ = self.store.tree.remove_all(validator_name(name));
        if temp::is_named(&self.store.tree, name, &self.temp.file).unwrap_or(false) {
            let _ = self.store.tree.remove(name);
        }
        self.temp.keep();
    }

    fn begin_again(&mut self) -> io::Result<()> {
        self.temp.file.set_len(0)?;
        self.temp.file.seek(SeekFrom::Start(0))?;
        self.writer = Some(HashingWriter::new(Paced::new(self.temp.file.try_clone()?, 0)));
        Ok(())
    }
}

impl Sink for Partial<'_, '_> {
    fn position(&self) -> u64 {
        self.writer.as_ref().map_or(0, HashingWriter::length)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Diagnostic> {
        if self.position().saturating_add(bytes.len() as u64) > self.cap {
            return Err(Diagnostic::new(Code::NetSize, "more bytes came than were promised")
                .fact("expected", format!("at most {} bytes", self.cap))
                .fact("received", format!("{} bytes or more", self.position().saturating_add(bytes.len() as u64)))
                .note("nothing was added to the store"));
        }
        let written = self.writer.as_mut().ok_or(ErrorKind::InvalidInput.into()).and_then(|writer| {
            writer.write_all(bytes)?;
            if self.flushed.elapsed() < LINGER {
                return Ok(());
            }
            self.flushed = Instant::now();
            writer.flush()
        });
        written.map_err(|error| self.told(&error))
    }

    fn restart(&mut self) -> Result<(), Diagnostic> {
        // The validator goes first: alone it would vouch for bytes it never belonged to.
        self.set_validator(None)?;
        self.writer = None;
        self.is_resumed = false;
        self.begin_again().map_err(|error| self.told(&error))
    }

    fn validator(&self) -> Option<String> {
        let bytes = self.store.tree.read_small(validator_name(self.name.as_ref()?), VALIDATOR as u64).ok()?;
        // It goes into a header; a garbled one is none.
        let text = String::from_utf8(bytes).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()))?;
        (!text.is_empty()).then_some(text)
    }

    fn set_validator(&mut self, validator: Option<&str>) -> Result<(), Diagnostic> {
        let Some(name) = self.name.as_deref().map(validator_name) else { return Ok(()) };
        let kept = validator.filter(|text| text.len() <= VALIDATOR);
        let done = match kept {
            Some(text) => self.store.write_derivable(&name, text.as_bytes()),
            None => self.store.tree.remove_all(name),
        };
        done.map_err(|error| self.told(&error))
    }
}

impl Drop for Partial<'_, '_> {
    fn drop(&mut self) {
        if let Some(mut writer) = self.writer.take() {
            let _ = writer.flush();
        }
        let is_empty = self.temp.file.metadata().is_ok_and(|metadata| metadata.len() == 0);
        match self.name.take() {
            Some(name) if is_empty => self.give_up(&name),
            Some(_) => self.temp.keep(),
            None => {}
        }
    }
}

/// Adds what a person would see at once: a captive portal or an error page came in place of the file.
fn looks_like_page(file: &File, problem: Diagnostic) -> Diagnostic {
    let mut head = [0; 512];
    let count = file.read_at(&mut head, 0).unwrap_or(0);
    match looks_like(&head[..count]) {
        Some(kind) => problem.cause(format!("what came begins like {kind}, not like the file")),
        None => problem,
    }
}
