//! A directory that grows over many runs and that others read: files go in whole, right ones stay, wrong ones are replaced.
//!
//! Made for USB sticks and web servers alike: plain files of mode 0644, no links, nothing that FAT lacks. No symbolic link
//! beneath the directory is followed. What a kill leaves is one hidden file beside the one that was being written; the next
//! run takes it over.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::files;
use crate::base::{Code, Diagnostic, Digest};

/// A directory held open.
#[derive(Debug)]
pub(crate) struct MirrorDir {
    path: PathBuf,
    handle: OwnedFd,
}

/// What was done with one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileOutcome {
    /// It was not there.
    Made,
    /// It was there with just these bytes.
    Left,
    /// Other bytes had its name.
    Replaced,
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl MirrorDir {
    /// Opens a directory, making it (0755) where its parent exists and it does not.
    pub(crate) fn open(path: &Path) -> Result<Self, Diagnostic> {
        let open = || -> io::Result<OwnedFd> {
            let made = rustix::fs::mkdir(path, Mode::from_raw_mode(0o755));
            let handle = rustix::fs::open(path, DIRECTORY.difference(OFlags::NOFOLLOW), Mode::empty())?;
            if made.is_ok() {
                let _ = rustix::fs::fchmod(&handle, Mode::from_raw_mode(0o755));
            }
            Ok(handle)
        };
        let handle = open().map_err(|error| {
            let problem = Diagnostic::io(format!("cannot open the directory `{}`", path.display()), &error);
            Diagnostic { code: Code::OutputPath, ..problem }
                .hint("name a directory whose parent exists and is yours to write")
        })?;
        Ok(Self { path: path.to_owned(), handle })
    }

    /// Puts a file where it belongs, unless just these bytes are there; `content` is asked for them only when they are
    /// wanted, and must give exactly `size` bytes of this digest, or fail.
    ///
    /// `path` is relative, `/` between parts, none of them empty, `.` or `..`.
    pub(crate) fn put<'c>(
        &self,
        path: &str,
        size: u64,
        digest: &Digest,
        content: impl FnOnce() -> Result<Box<dyn Read + 'c>, Diagnostic>,
    ) -> Result<FileOutcome, Diagnostic> {
        let told = |error: &io::Error| unwritable(&self.path.join(path), error);
        let (directory, name) = self.enter(path).map_err(|error| told(&error))?;
        let found = look(&directory, name, size, digest);
        if found == FileOutcome::Left {
            let _ = rustix::fs::unlinkat(&directory, hidden(name), AtFlags::empty());
            return Ok(found);
        }
        let mut draft = Draft::begin(&directory, name).map_err(|error| told(&error))?;
        let mut reader = content()?;
        draft.fill(&mut reader, size, digest).map_err(|error| match error.downcast::<Diagnostic>() {
            Ok(problem) => problem,
            Err(error) => told(&error),
        })?;
        draft.publish(name).map_err(|error| told(&error))?;
        Ok(found)
    }

    /// Opens the directory of a file, making what lacks.
    fn enter<'p>(&self, path: &'p str) -> io::Result<(OwnedFd, &'p str)> {
        let (directories, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut here = self.handle.try_clone()?;
        for part in directories.split('/').filter(|part| !part.is_empty()) {
            if matches!(part, "." | "..") {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            let made = rustix::fs::mkdirat(&here, part, Mode::from_raw_mode(0o755));
            let next = rustix::fs::openat(&here, part, DIRECTORY, Mode::empty())?;
            if made.is_ok() {
                // Past the umask, so that a web server may read it; FAT has no modes to set.
                let _ = rustix::fs::fchmod(&next, Mode::from_raw_mode(0o755));
                let _ = rustix::fs::fsync(&here);
            }
            here = next;
        }
        Ok((here, name))
    }
}

/// Tells what stands under a name: nothing, just these bytes, or something else.
fn look(directory: &OwnedFd, name: &str, size: u64, digest: &Digest) -> FileOutcome {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(directory, name, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return FileOutcome::Made,
        Err(_) => return FileOutcome::Replaced,
    };
    let is_file = file.metadata().is_ok_and(|found| found.is_file() && found.len() == size);
    let right =
        is_file && files::hash_all(&mut (&file).take(size + 1), &mut |_| {}).is_ok_and(|found| found.digest == *digest);
    if !right {
        return FileOutcome::Replaced;
    }
    let _ = rustix::fs::fchmod(&file, Mode::from_raw_mode(0o644));
    FileOutcome::Left
}

fn hidden(name: &str) -> String {
    // A name may be 255 bytes long (POSIX NAME_MAX); which one is meant shows in its beginning.
    let short: String = name.chars().take(48).collect();
    format!(".{short}.{}.arca-part", Digest::of(name.as_bytes()).short())
}

/// A file being written under its hidden name; dropped before it is published it is gone.
struct Draft<'d> {
    directory: &'d OwnedFd,
    hidden: String,
    file: File,
    is_published: bool,
}

impl<'d> Draft<'d> {
    fn begin(directory: &'d OwnedFd, name: &str) -> io::Result<Self> {
        let hidden = hidden(name);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(directory, &hidden, flags, Mode::from_raw_mode(0o600))?);
        // Two of us at one file would mix their bytes.
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
            return Err(io::Error::other("another process is writing it"));
        }
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("something that is no file is in the way"));
        }
        // Between opening and locking, its holder may have published it: then it is what others read by now.
        let open = rustix::fs::fstat(&file)?;
        let named = rustix::fs::statat(directory, &hidden, AtFlags::SYMLINK_NOFOLLOW);
        if !named.is_ok_and(|named| (named.st_dev, named.st_ino) == (open.st_dev, open.st_ino)) {
            return Err(io::Error::other("another process has just written it"));
        }
        file.set_len(0)?;
        Ok(Self { directory, hidden, file, is_published: false })
    }

    fn fill(&mut self, content: &mut dyn Read, size: u64, digest: &Digest) -> io::Result<()> {
        let mut copy = Copy { from: content, to: &self.file };
        let found = files::hash_all(&mut copy, &mut |_| {})?;
        if (found.digest, found.size.0) != (*digest, size) {
            return Err(io::Error::other("its bytes changed on the way"));
        }
        // FAT has no modes; there everyone may read.
        let _ = rustix::fs::fchmod(&self.file, Mode::from_raw_mode(0o644));
        self.file.sync_all()
    }

    fn publish(mut self, name: &str) -> io::Result<()> {
        rustix::fs::renameat(self.directory, &self.hidden, self.directory, name)?;
        self.is_published = true;
        Ok(rustix::fs::fsync(self.directory)?)
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.is_published {
            let _ = rustix::fs::unlinkat(self.directory, &self.hidden, AtFlags::empty());
        }
    }
}

/// Hands on what it reads, and writes it down.
struct Copy<'a> {
    from: &'a mut dyn Read,
    to: &'a File,
}

impl Read for Copy<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.to.write_all(&buffer[..count])?;
        Ok(count)
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Diagnostic {
    let problem = Diagnostic::io(format!("cannot write `{}`", path.display()), error);
    let problem = problem.note("what stood there before is as it was; files laid out earlier stay, each whole");
    match error.kind() {
        io::ErrorKind::FileTooLarge => {
            problem.hint("FAT32 holds no file of 4 GiB or more: format the stick with exFAT or ext4")
        }
        _ => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(shelf: &MirrorDir, path: &str, bytes: &'static [u8]) -> Result<FileOutcome, Diagnostic> {
        shelf.put(path, bytes.len() as u64, &Digest::of(bytes), || Ok(Box::new(bytes)))
    }

    #[test]
    fn files_go_in_whole_stay_when_right_and_are_replaced_when_wrong() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("shelf");
        let shelf = MirrorDir::open(&dir).unwrap();
        assert_eq!(put(&shelf, "h/a/x", b"one"), Ok(FileOutcome::Made));
        assert_eq!(put(&shelf, "h/a/x", b"one"), Ok(FileOutcome::Left));
        std::fs::write(dir.join("h/a/x"), "two").unwrap();
        assert_eq!(put(&shelf, "h/a/x", b"one"), Ok(FileOutcome::Replaced));
        assert_eq!(std::fs::read(dir.join("h/a/x")).unwrap(), b"one");
        for (path, mode) in [("", 0o755), ("h", 0o755), ("h/a", 0o755), ("h/a/x", 0o644)] {
            assert_eq!(std::fs::metadata(dir.join(path)).unwrap().permissions().mode() & 0o777, mode, "{path}");
        }
        // Bytes that are not what was promised, and a reader that fails, leave all as it was.
        let wrong = shelf.put("h/a/y", 3, &Digest::of(b"one"), || Ok(Box::new(&b"two"[..])));
        assert!(wrong.unwrap_err().causes[0].contains("changed"));
        let failing = shelf.put("h/a/x", 9, &Digest::of(b"x"), || Err(Diagnostic::new(Code::CacheCorrupt, "x")));
        assert_eq!(failing.unwrap_err().code, Code::CacheCorrupt);
        assert_eq!(std::fs::read(dir.join("h/a/x")).unwrap(), b"one");
        assert_eq!(std::fs::read_dir(dir.join("h/a")).unwrap().count(), 1, "nothing half-made stays");
    }

    #[test]
    fn what_a_kill_left_is_taken_over_and_no_link_is_followed() {
        let place = tempfile::tempdir().unwrap();
        let (dir, outside) = (place.path().join("shelf"), place.path().join("outside"));
        std::fs::create_dir(&outside).unwrap();
        let shelf = MirrorDir::open(&dir).unwrap();
        std::fs::write(dir.join(hidden("x")), "half of something").unwrap();
        assert_eq!(put(&shelf, "x", b"one"), Ok(FileOutcome::Made));
        std::fs::write(dir.join(hidden("x")), "half of something").unwrap();
        assert_eq!(put(&shelf, "x", b"one"), Ok(FileOutcome::Left));
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
        std::os::unix::fs::symlink(&outside, dir.join("h")).unwrap();
        assert!(put(&shelf, "h/x", b"one").is_err());
        std::os::unix::fs::symlink(outside.join("y"), dir.join("y")).unwrap();
        assert_eq!(put(&shelf, "y", b"one"), Ok(FileOutcome::Replaced));
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
        for bad in ["../x", "a/../x", "./x"] {
            assert!(put(&shelf, bad, b"one").is_err(), "{bad}");
        }
        assert!(MirrorDir::open(&place.path().join("no/where")).is_err());
    }
}
