//! Temporary files and directories: nameless where the system can, else with a random name and a lock that shows they
//! are in use. Touches the directory that the caller names. Read next: `super::temp_path`, `super::whole`.

use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::copy;
use super::tree::{Tree, is_refused};

const OWN: Mode = Mode::RUSR.union(Mode::WUSR);

/// A file that has no final name yet and vanishes when dropped before it gets one.
#[derive(Debug)]
pub(crate) struct TempFile {
    tree: Tree,
    pub(crate) file: File,
    /// Where it was made, or would have been.
    parent: PathBuf,
    name: Option<PathBuf>,
}

impl TempFile {
    /// Makes an empty file (0600) in a directory beneath: nameless (`O_TMPFILE`), so that a kill leaves nothing, else named.
    pub(crate) fn create(tree: &Tree, parent: &str) -> io::Result<Self> {
        match in_parent(tree, parent, || tree.open_at(parent, OFlags::TMPFILE | OFlags::RDWR, OWN)) {
            Ok(fd) => Ok(Self { tree: tree.clone(), file: fd.into(), parent: parent.into(), name: None }),
            Err(error) if is_unsupported(&error) => Self::named(tree, parent),
            Err(error) => Err(error),
        }
    }

    /// Makes an empty file (0600) with a random name, locked as long as it is held.
    pub(crate) fn named(tree: &Tree, parent: &str) -> io::Result<Self> {
        Self::named_as(tree, parent, "file-", OWN)
    }

    /// The same with a prefix, and a mode of which the umask takes its part.
    pub(crate) fn named_as(tree: &Tree, parent: &str, prefix: &str, mode: Mode) -> io::Result<Self> {
        let make = |name: &Path| Ok(tree.open_at(name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL, mode)?.into());
        let (name, file) = in_parent(tree, parent, || unique(tree, Path::new(parent), prefix, make))?;
        Ok(Self { tree: tree.clone(), file, parent: parent.into(), name: Some(name) })
    }

    /// Takes over a file that has a name already.
    pub(crate) fn adopt(tree: &Tree, file: File, name: PathBuf) -> Self {
        let parent = name.parent().unwrap_or(Path::new(".")).to_owned();
        Self { tree: tree.clone(), file, parent, name: Some(name) }
    }

    /// Returns the directory that names are relative to.
    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Keeps the file under its temporary name for a later run.
    pub(crate) fn keep(&mut self) {
        self.name = None;
    }

    /// Gives the file a free final name; `AlreadyExists` when it is taken, and nothing has changed then.
    pub(crate) fn publish(&mut self, to: impl AsRef<Path>) -> io::Result<()> {
        match &self.name {
            None => match self.tree.link_file(&self.file, &to) {
                Err(error) if is_refused(&error) => self.move_copy(to.as_ref()),
                other => other,
            },
            Some(name) => self.tree.rename_new(name, &self.tree, to).map(|()| self.name = None),
        }
    }

    /// Gives a copy the final name, where a file without a name may not be linked: sandboxes refuse the call.
    ///
    /// The copy has the mode, is synced, and takes this file's place.
    fn move_copy(&mut self, to: &Path) -> io::Result<()> {
        let mut copy = Self::named(&self.tree, &self.parent.to_string_lossy())?;
        let metadata = self.file.metadata()?;
        copy::fill(&self.file, metadata.len(), &copy.file, &|_| Ok(()))?;
        copy.file.set_permissions(metadata.permissions())?;
        copy.file.sync_all()?;
        copy.publish(to)?;
        std::mem::swap(&mut self.file, &mut copy.file);
        Ok(())
    }

    /// Gives the file a final name in place of whatever file has it; only for files made with [`TempFile::named`].
    pub(crate) fn replace(&mut self, to: impl AsRef<Path>) -> io::Result<()> {
        let name = self.name.as_ref().ok_or(ErrorKind::InvalidInput)?;
        self.tree.rename_over(name, to).map(|()| self.name = None)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // The next sweep tries again.
            let _ = self.tree.remove(name);
        }
    }
}

/// A directory that is being filled and vanishes when dropped before it is published.
#[derive(Debug)]
pub(crate) struct TempDir {
    tree: Tree,
    name: PathBuf,
    pub(crate) dir: Tree,
    published: bool,
    _lock: File,
}

impl TempDir {
    /// Makes an empty directory (0700) with a random name in `parent`, locked as long as it is held.
    pub(crate) fn create(tree: &Tree, parent: &str, prefix: &str) -> io::Result<Self> {
        let make = |name: &Path| {
            if !tree.make_dir(name)? {
                return Err(ErrorKind::AlreadyExists.into());
            }
            Ok(tree.open_at(name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?.into())
        };
        let (name, lock) = in_parent(tree, parent, || unique(tree, Path::new(parent), prefix, make))?;
        let dir = tree.sub(&name)?;
        Ok(Self { tree: tree.clone(), name, dir, published: false, _lock: lock })
    }

    /// Moves the directory to a free final name, then takes its write bits away when `mode` says so.
    ///
    /// Moving a directory to another parent writes its `..`, which needs the write bit on the directory itself
    /// (rename(2), EACCES), so the mode is set behind the move.
    pub(crate) fn publish(&mut self, into: &Tree, to: impl AsRef<Path>, mode: u32) -> io::Result<()> {
        self.tree.rename_new(&self.name, into, to)?;
        self.published = true;
        self.dir.set_mode(mode)
    }
}

impl TempDir {
    /// Moves the directory to a free name beside it, and makes that last; taken back where it cannot.
    pub(crate) fn publish_beside(&mut self, to: impl AsRef<Path>) -> io::Result<()> {
        self.tree.rename_new(&self.name, &self.tree, &to)?;
        let synced = self.tree.sync_dir(".");
        match &synced {
            Ok(()) => self.published = true,
            // Back to where it goes away with this value.
            Err(_) => drop(self.tree.rename_new(to, &self.tree, &self.name)),
        }
        synced
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        if !self.published {
            let _ = self.tree.remove_all(&self.name);
        }
    }
}

/// Runs `make`, once more behind making the directory when that is missing.
fn in_parent<T>(tree: &Tree, parent: &str, make: impl Fn() -> io::Result<T>) -> io::Result<T> {
    match make() {
        Err(error) if error.kind() == ErrorKind::NotFound && parent != "." => {
            tree.make_dir(parent)?;
            make()
        }
        other => other,
    }
}

/// Makes something under a random name and locks it, so that a sweep elsewhere leaves it alone.
fn unique(
    tree: &Tree,
    parent: &Path,
    prefix: &str,
    make: impl Fn(&Path) -> io::Result<File>,
) -> io::Result<(PathBuf, File)> {
    loop {
        let made =
            tempfile::Builder::new().prefix(prefix).rand_bytes(16).disable_cleanup(true).make_in("/", |path| {
                let name = within(parent, path.file_name().unwrap_or_default());
                Ok((make(&name)?, name))
            })?;
        let (file, name) = made.into_parts().0;
        // Between making and locking, a sweep may have taken it for dead: then begin again.
        if !matches!(file.try_lock(), Err(TryLockError::WouldBlock)) && is_named(tree, &name, &file)? {
            return Ok((name, file));
        }
    }
}

/// Returns the name of something in a directory; without `openat2` names are walked part by part, and `.` is not a part.
fn within(parent: &Path, name: &OsStr) -> PathBuf {
    if parent == Path::new(".") { name.into() } else { parent.join(name) }
}

/// Returns whether the open file still has the name.
pub(crate) fn is_named(tree: &Tree, name: &Path, file: &File) -> io::Result<bool> {
    let open = file.metadata()?;
    match tree.look(name) {
        Ok(found) => Ok((found.ino(), found.dev()) == (open.ino(), open.dev())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes the temporaries in `parent` whose name passes and whose lock nobody holds; what fails is left for later.
///
/// Neither age nor process ids decide: a lock dies with its holder, a clock and a process id lie.
pub(crate) fn sweep(tree: &Tree, parent: &str, passes: impl Fn(&OsStr) -> bool) {
    for name in tree.list(parent).unwrap_or_default() {
        if passes(&name) {
            sweep_one(tree, &within(Path::new(parent), &name));
        }
    }
}

/// Removes one temporary if nobody holds its lock; returns whether it is gone.
pub(crate) fn sweep_one(tree: &Tree, name: &Path) -> bool {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    match tree.open_at(name, flags, Mode::empty()) {
        Ok(fd) => {
            let file = File::from(fd);
            file.try_lock().is_ok() && is_named(tree, name, &file).unwrap_or(false) && tree.remove_all(name).is_ok()
        }
        // A symbolic link: none of ours, and removing it touches nothing else.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => tree.remove(name).is_ok(),
        Err(_) => false,
    }
}

/// Reserves space where that is possible, so that a full disk shows before the work; holes stay where nothing is asked.
pub(crate) fn reserve(file: impl AsFd, offset: u64, length: u64) -> io::Result<()> {
    if length == 0 {
        return Ok(());
    }
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::KEEP_SIZE, offset, length) {
        Err(error) if is_unsupported(&error.into()) => Ok(()),
        other => Ok(other?),
    }
}

/// Returns whether an error means that the file system or kernel lacks the call.
pub(crate) fn is_unsupported(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let lacking = [Errno::OPNOTSUPP, Errno::NOSYS, Errno::INVAL, Errno::ISDIR];
    error.raw_os_error().is_some_and(|code| lacking.iter().any(|errno| errno.raw_os_error() == code))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const TMP: &str = "tmp";

    fn tree() -> (tempfile::TempDir, Tree) {
        let place = tempfile::tempdir().unwrap();
        let tree = Tree::open(place.path()).unwrap();
        (place, tree)
    }

    #[test]
    fn both_kinds_of_file_get_a_free_name_and_no_taken_one() {
        let (_place, tree) = tree();
        for (name, is_named) in [("a", false), ("b", true)] {
            let make = || if is_named { TempFile::named(&tree, TMP) } else { TempFile::create(&tree, TMP) };
            let mut first = make().unwrap();
            first.file.write_all(b"first").unwrap();
            first.publish(name).unwrap();
            let mut second = make().unwrap();
            assert_eq!(second.publish(name).unwrap_err().kind(), ErrorKind::AlreadyExists);
            drop((first, second));
            assert_eq!(tree.read_small(name, 9).unwrap(), b"first");
        }
        assert!(tree.list(TMP).unwrap().is_empty());
    }

    #[test]
    fn gc_04_the_sweep_takes_the_dead_and_leaves_the_living_and_the_partial() {
        let (_place, tree) = tree();
        let living = (TempFile::named(&tree, TMP).unwrap(), TempDir::create(&tree, TMP, "bundle-").unwrap());
        std::fs::write(tree.path().join("tmp/file-dead"), b"x").unwrap();
        std::fs::write(tree.path().join("tmp/partial-ab"), b"x").unwrap();
        std::fs::create_dir(tree.path().join("tmp/bundle-dead")).unwrap();
        std::fs::write(tree.path().join("tmp/bundle-dead/disk"), b"x").unwrap();
        std::os::unix::fs::symlink("/etc", tree.path().join("tmp/planted")).unwrap();
        sweep(&tree, TMP, |name| !name.as_encoded_bytes().starts_with(b"partial-"));
        let left = tree.list(TMP).unwrap();
        assert_eq!(left.len(), 3, "{left:?}");
        assert!(is_named(&tree, living.0.name.as_ref().unwrap(), &living.0.file).unwrap());
        drop(living);
        assert_eq!(tree.list(TMP).unwrap(), ["partial-ab"]);
    }

    #[test]
    fn a_directory_is_published_whole_and_read_only() {
        let (_place, tree) = tree();
        let mut temp = TempDir::create(&tree, TMP, "bundle-").unwrap();
        std::fs::write(temp.dir.path().join("disk"), b"x").unwrap();
        temp.publish(&tree, "final", 0o500).unwrap();
        drop(temp);
        assert_eq!(tree.list("final").unwrap(), ["disk"]);
        assert_eq!(tree.look("final").unwrap().mode() & 0o777, 0o500);
        let mut again = TempDir::create(&tree, TMP, "bundle-").unwrap();
        assert_eq!(again.publish(&tree, "final", 0o500).unwrap_err().kind(), ErrorKind::AlreadyExists);
    }
}
