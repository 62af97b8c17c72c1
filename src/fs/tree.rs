//! One directory held by a descriptor, and what lies beneath it. Touches files, only beneath that directory.
//!
//! Every name is relative and resolved by `openat2` with `RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS`, or, where the kernel
//! or a sandbox refuses that call, component by component with `O_NOFOLLOW`; so a planted symbolic link is an error, never
//! a way out. A directory that is renamed meanwhile stays the same directory. Read next: `super::temp`.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, RenameFlags, ResolveFlags};
use rustix::io::Errno;

/// A directory, and the path under which it was opened.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    fd: Arc<OwnedFd>,
    path: PathBuf,
    /// Leaves no trace of reading.
    quiet: Arc<AtomicBool>,
}

/// Reading flags that cannot block on a FIFO, take a terminal or follow a last symbolic link.
const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

impl Tree {
    /// Opens a directory by its path, links allowed: where the store is is the user's choice.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Self { fd: Arc::new(fd), path: path.to_owned(), quiet: Arc::default() })
    }

    /// Opens a directory beneath this one.
    pub(crate) fn sub(&self, name: impl AsRef<Path>) -> io::Result<Self> {
        let name = name.as_ref();
        let fd = self.open_at(name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
        let quiet = Arc::new(AtomicBool::new(self.quiet.load(Ordering::Relaxed)));
        Ok(Self { fd: Arc::new(fd), path: self.path.join(name), quiet })
    }

    /// Leaves access times alone from now on: to look after the store is not to use what is in it.
    pub(crate) fn be_quiet(&self) {
        self.quiet.store(true, Ordering::Relaxed);
    }

    /// Returns the path under which the directory was opened.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns owner, mode and times of the directory itself.
    pub(crate) fn metadata(&self) -> io::Result<Metadata> {
        File::from(self.fd.try_clone()?).metadata()
    }

    /// Opens something beneath, following no link.
    pub(crate) fn open_at(&self, name: impl AsRef<Path>, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        let name = name.as_ref();
        let is_reading = !flags.intersects(OFlags::PATH | OFlags::CREATE | OFlags::RDWR);
        if is_reading && self.quiet.load(Ordering::Relaxed) {
            match self.open_as(name, flags | OFlags::NOATIME, mode) {
                // The file belongs to someone else (open(2)).
                Err(error) if error.raw_os_error() == Some(Errno::PERM.raw_os_error()) => {}
                other => return other,
            }
        }
        self.open_as(name, flags, mode)
    }

    fn open_as(&self, name: &Path, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        loop {
            match rustix::fs::openat2(&self.fd, name, flags, mode, resolve) {
                // A rename elsewhere raced with the look-up (openat2(2)); it says so rather than guess.
                Err(Errno::AGAIN | Errno::INTR) => {}
                // Before Linux 5.6, or refused by a seccomp filter that does not know it.
                Err(Errno::NOSYS | Errno::PERM) => return self.walk(name, flags, mode),
                other => return Ok(other?),
            }
        }
    }

    fn walk(&self, name: &Path, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        if name == Path::new(".") {
            return Ok(rustix::fs::openat(&self.fd, name, flags, mode)?);
        }
        let plain = name.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        let Some(last) = name.file_name().filter(|_| plain) else {
            return Err(ErrorKind::InvalidInput.into());
        };
        let mut here = self.fd.try_clone()?;
        for part in name.parent().into_iter().flat_map(Path::components) {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            here = rustix::fs::openat(&here, part.as_os_str(), flags, Mode::empty())?;
        }
        Ok(rustix::fs::openat(&here, last, flags, mode)?)
    }

    /// Opens the directory that holds `name`, and gives the last part of it.
    fn parent<'n>(&self, name: &'n Path) -> io::Result<(Parent<'_>, &'n OsStr)> {
        let last = name.file_name().ok_or(ErrorKind::InvalidInput)?;
        match name.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => {
                Ok((Parent::Opened(self.open_at(parent, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?), last))
            }
            _ => Ok((Parent::Root(self.fd.as_fd()), last)),
        }
    }

    /// Looks at something beneath without opening it; a symbolic link is itself.
    pub(crate) fn look(&self, name: impl AsRef<Path>) -> io::Result<Metadata> {
        File::from(self.open_at(name, OFlags::PATH, Mode::empty())?).metadata()
    }

    /// Opens a regular file for reading, with what it is; anything else is `InvalidData`.
    pub(crate) fn regular(&self, name: impl AsRef<Path>) -> io::Result<(File, Metadata)> {
        let file = File::from(self.open_at(name, READ, Mode::empty())?);
        let metadata = file.metadata()?;
        if metadata.is_file() { Ok((file, metadata)) } else { Err(ErrorKind::InvalidData.into()) }
    }

    /// Reads a small regular file, of which more than `cap` bytes are `InvalidData`.
    pub(crate) fn read_small(&self, name: impl AsRef<Path>, cap: u64) -> io::Result<Vec<u8>> {
        let (file, _) = self.regular(name)?;
        let mut bytes = Vec::new();
        file.take(cap + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > cap { Err(ErrorKind::InvalidData.into()) } else { Ok(bytes) }
    }

    /// Lists the names in a directory beneath (`.` is this one), sorted.
    pub(crate) fn list(&self, name: impl AsRef<Path>) -> io::Result<Vec<OsString>> {
        let fd = self.open_at(name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
        let mut names = Vec::new();
        for entry in Dir::new(fd)? {
            let entry = entry?;
            let bytes = entry.file_name().to_bytes();
            if !matches!(bytes, b"." | b"..") {
                names.push(OsStr::from_bytes(bytes).to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Makes a new file beneath (0600 until it is whole).
    pub(crate) fn new_file(&self, name: impl AsRef<Path>) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        Ok(self.open_at(name, flags, Mode::RUSR | Mode::WUSR)?.into())
    }

    /// Makes a directory (0700) where there is none; returns whether it did.
    pub(crate) fn make_dir(&self, name: impl AsRef<Path>) -> io::Result<bool> {
        let (parent, last) = self.parent(name.as_ref())?;
        match rustix::fs::mkdirat(&parent, last, Mode::RWXU) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns whether the permissions, and the mount, let this process write into a directory.
    pub(crate) fn may_write(&self, name: impl AsRef<Path>) -> bool {
        rustix::fs::accessat(&self.fd, name.as_ref(), rustix::fs::Access::WRITE_OK, rustix::fs::AtFlags::EACCESS)
            .is_ok()
    }

    /// Makes the entries of a directory beneath (`.` is this one) survive a power cut.
    pub(crate) fn sync_dir(&self, name: impl AsRef<Path>) -> io::Result<()> {
        let fd = self.open_at(name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
        Ok(rustix::fs::fsync(fd)?)
    }

    /// Gives a second name to something beneath; never replaces.
    pub(crate) fn link(&self, from: impl AsRef<Path>, into: &Self, to: impl AsRef<Path>) -> io::Result<()> {
        let (from, old) = self.parent(from.as_ref())?;
        let (to, new) = into.parent(to.as_ref())?;
        Ok(rustix::fs::linkat(&from, old, &to, new, AtFlags::empty())?)
    }

    /// Gives a first name to a file opened with `O_TMPFILE`; never replaces.
    pub(crate) fn link_file(&self, file: &File, to: impl AsRef<Path>) -> io::Result<()> {
        use std::os::fd::AsRawFd;
        let (parent, name) = self.parent(to.as_ref())?;
        // The form that needs no capability (open(2), O_TMPFILE).
        let by_number = format!("/proc/self/fd/{}", file.as_raw_fd());
        match rustix::fs::linkat(rustix::fs::CWD, by_number, &parent, name, AtFlags::SYMLINK_FOLLOW) {
            // No /proc here: a kernel since 6.10 lets the opener link the descriptor itself.
            Err(Errno::NOENT) => Ok(rustix::fs::linkat(file, "", &parent, name, AtFlags::EMPTY_PATH)?),
            other => Ok(other?),
        }
    }

    /// Moves something beneath to a name that is free; never replaces.
    pub(crate) fn rename_new(&self, from: impl AsRef<Path>, into: &Self, to: impl AsRef<Path>) -> io::Result<()> {
        let (from, old) = self.parent(from.as_ref())?;
        let (to, new) = into.parent(to.as_ref())?;
        match rustix::fs::renameat_with(&from, old, &to, new, RenameFlags::NOREPLACE) {
            Err(Errno::NOSYS | Errno::INVAL) => {
                // A file system without the flag: a file gets its second name first; a directory cannot, and plain
                // rename replaces no directory but an empty one, which is never a published one.
                match rustix::fs::linkat(&from, old, &to, new, AtFlags::empty()) {
                    Ok(()) => Ok(rustix::fs::unlinkat(&from, old, AtFlags::empty())?),
                    Err(Errno::PERM) => Ok(rustix::fs::renameat(&from, old, &to, new)?),
                    Err(error) => Err(error.into()),
                }
            }
            other => Ok(other?),
        }
    }

    /// Moves a file beneath over whatever file has the name.
    pub(crate) fn rename_over(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
        let (from, old) = self.parent(from.as_ref())?;
        let (to, new) = self.parent(to.as_ref())?;
        Ok(rustix::fs::renameat(&from, old, &to, new)?)
    }

    /// Removes a file; none is as good.
    pub(crate) fn remove(&self, name: impl AsRef<Path>) -> io::Result<()> {
        let (parent, last) = self.parent(name.as_ref())?;
        match rustix::fs::unlinkat(&parent, last, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            other => Ok(other?),
        }
    }

    /// Removes whatever has the name: a file, a link, or a directory of files with its write bit off.
    pub(crate) fn remove_all(&self, name: impl AsRef<Path>) -> io::Result<()> {
        let name = name.as_ref();
        match self.remove(name) {
            Err(error) if matches!(error.kind(), ErrorKind::IsADirectory | ErrorKind::PermissionDenied) => {}
            other => return other,
        }
        let directory = self.sub(name)?;
        rustix::fs::fchmod(&directory.fd, Mode::RWXU)?;
        for entry in directory.list(".")? {
            directory.remove_all(entry)?;
        }
        let (parent, last) = self.parent(name)?;
        Ok(rustix::fs::unlinkat(&parent, last, AtFlags::REMOVEDIR)?)
    }

    /// Sets the mode of this directory.
    pub(crate) fn set_mode(&self, mode: u32) -> io::Result<()> {
        Ok(rustix::fs::fchmod(&self.fd, Mode::from_raw_mode(mode))?)
    }
}

impl AsFd for Tree {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Returns whether an error means that something other than a regular file or directory of ours has the name.
pub(crate) fn is_planted(error: &io::Error) -> bool {
    // A symbolic link, or a socket, which cannot be opened at all (open(2): ENXIO).
    let odd = [Errno::LOOP, Errno::NXIO].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()));
    odd || matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::NotADirectory)
}

/// Returns whether a file system refuses to give a file a second name.
pub(crate) fn is_refused(error: &io::Error) -> bool {
    let refusals = [Errno::XDEV, Errno::PERM, Errno::ACCESS, Errno::MLINK, Errno::OPNOTSUPP, Errno::NOSYS];
    refusals.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Takes a directory that is not there for an empty one.
pub(crate) fn absent_is_empty<T>(listed: io::Result<Vec<T>>) -> io::Result<Vec<T>> {
    match listed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        other => other,
    }
}

enum Parent<'t> {
    Root(BorrowedFd<'t>),
    Opened(OwnedFd),
}

impl AsFd for Parent<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Root(fd) => *fd,
            Self::Opened(fd) => fd.as_fd(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forest() -> (tempfile::TempDir, Tree) {
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir(place.path().join("in")).unwrap();
        std::fs::write(place.path().join("secret"), b"outside").unwrap();
        std::fs::create_dir(place.path().join("in/dir")).unwrap();
        std::fs::write(place.path().join("in/dir/file"), b"inside").unwrap();
        std::os::unix::fs::symlink("../secret", place.path().join("in/link")).unwrap();
        std::os::unix::fs::symlink("dir", place.path().join("in/dirlink")).unwrap();
        let tree = Tree::open(&place.path().join("in")).unwrap();
        (place, tree)
    }

    #[test]
    fn cas_11_no_name_leads_out_of_the_directory_or_through_a_link() {
        let (_place, tree) = forest();
        assert_eq!(tree.read_small("dir/file", 6).unwrap(), b"inside");
        for bad in ["link", "dirlink/file", "../secret", "dir/../../secret", "/etc/hostname"] {
            assert!(tree.regular(bad).is_err(), "{bad}");
            assert!(tree.walk(Path::new(bad), READ | OFlags::NOFOLLOW, Mode::empty()).is_err(), "{bad}");
            assert!(tree.link("dir/file", &tree, format!("{bad}/x")).is_err(), "{bad}");
        }
        let walked = tree.walk(Path::new("dir/file"), READ | OFlags::NOFOLLOW, Mode::empty()).unwrap();
        assert_eq!(File::from(walked).metadata().unwrap().len(), 6);
    }

    #[test]
    fn cas_05_only_regular_files_are_opened_and_a_fifo_does_not_block() {
        let (_place, tree) = forest();
        rustix::fs::mknodat(&tree, "fifo", rustix::fs::FileType::Fifo, Mode::RWXU, 0).unwrap();
        for bad in ["fifo", "dir"] {
            assert_eq!(tree.regular(bad).unwrap_err().kind(), ErrorKind::InvalidData, "{bad}");
        }
        assert_eq!(tree.read_small("dir/file", 5).unwrap_err().kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn a_name_that_is_taken_is_never_replaced() {
        let (_place, tree) = forest();
        std::fs::write(tree.path().join("other"), b"other").unwrap();
        assert_eq!(tree.rename_new("other", &tree, "dir/file").unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(tree.link("other", &tree, "dir/file").unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(tree.read_small("dir/file", 6).unwrap(), b"inside");
    }

    #[test]
    fn removing_a_read_only_directory_leaves_what_its_links_point_to() {
        let (place, tree) = forest();
        std::os::unix::fs::symlink("../../secret", tree.path().join("dir/out")).unwrap();
        tree.sub("dir").unwrap().set_mode(0o500).unwrap();
        tree.remove_all("dir").unwrap();
        assert!(!tree.path().join("dir").exists());
        assert!(place.path().join("secret").exists());
    }
}
