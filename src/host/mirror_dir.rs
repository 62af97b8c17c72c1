//! A directory that grows over many runs and that others read: files go in whole, right ones stay, wrong ones are replaced.
//!
//! Made for USB sticks and web servers alike: plain files of mode 0644, no links, nothing that FAT lacks. No symbolic link
//! beneath the directory is followed. What a kill leaves is one hidden file beside the one that was being written; the next
//! run removes it.

use std::ffi::OsStr;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;

use super::files;
use crate::base::{Code, Diagnostic, Digest};
use crate::fs::{Tree, temp_path};
use crate::stream::HashingWriter;

/// A directory held open.
#[derive(Debug)]
pub(crate) struct MirrorDir {
    path: PathBuf,
    tree: Tree,
}

/// What was done with one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FileOutcome {
    /// It was not there.
    Made,
    /// It was there with just these bytes.
    Left,
    /// Other bytes had its name.
    Replaced,
}

impl MirrorDir {
    /// Opens a directory, making it (0755) where its parent exists and it does not.
    pub(crate) fn open(path: &Path) -> Result<Self, Diagnostic> {
        let is_made = rustix::fs::mkdir(path, Mode::RWXU).is_ok();
        let tree = Tree::open(path).map_err(|error| {
            let problem = Diagnostic::io(format!("cannot open the directory `{}`", path.display()), &error);
            Diagnostic { code: Code::OutputPath, ..problem }
                .hint("name a directory whose parent exists and is yours to write")
        })?;
        if is_made {
            let _ = tree.set_mode(0o755);
        }
        Ok(Self { path: path.to_owned(), tree })
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
            temp_path::sweep_in(&directory, name);
            return Ok(found);
        }
        let content = &mut content()?;
        write(&directory, name, content, size, digest).map_err(|error| match error.downcast::<Diagnostic>() {
            Ok(problem) => problem,
            Err(error) => told(&error),
        })?;
        Ok(found)
    }

    /// Opens the directory of a file, making what lacks.
    fn enter<'p>(&self, path: &'p str) -> io::Result<(Tree, &'p OsStr)> {
        let (directories, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut here = self.tree.clone();
        for part in directories.split('/').filter(|part| !part.is_empty()) {
            if matches!(part, "." | "..") {
                return Err(ErrorKind::InvalidInput.into());
            }
            let is_made = here.make_dir(part)?;
            let next = here.sub(part)?;
            if is_made {
                // Past the umask, so that a web server may read it; FAT has no modes to set.
                let _ = next.set_mode(0o755);
                let _ = here.sync_dir(".");
            }
            here = next;
        }
        Ok((here, OsStr::new(name)))
    }
}

/// Returns what stands under a name: nothing, just these bytes, or something else.
fn look(directory: &Tree, name: &OsStr, size: u64, digest: &Digest) -> FileOutcome {
    let file = match directory.regular(name) {
        Ok((file, found)) if found.len() == size => file,
        Ok(_) => return FileOutcome::Replaced,
        Err(error) if error.kind() == ErrorKind::NotFound => return FileOutcome::Made,
        Err(_) => return FileOutcome::Replaced,
    };
    if !files::hash_all((&file).take(size + 1)).is_ok_and(|found| found.digest == *digest) {
        return FileOutcome::Replaced;
    }
    let _ = rustix::fs::fchmod(&file, READABLE);
    FileOutcome::Left
}

/// The mode of every file: whoever serves the directory may read it.
const READABLE: Mode = Mode::from_raw_mode(0o644);

/// Writes a file whole, in place of what has the name.
fn write(directory: &Tree, name: &OsStr, content: &mut dyn Read, size: u64, digest: &Digest) -> io::Result<()> {
    let mut temp = temp_path::file_in(directory, name, 0o600)?;
    let mut writer = HashingWriter::new(&temp.file);
    io::copy(content, &mut writer)?;
    let (_, found, length) = writer.finish()?;
    if (found, length) != (*digest, size) {
        return Err(io::Error::other("its bytes changed on the way"));
    }
    // FAT has no modes; there everyone may read.
    let _ = rustix::fs::fchmod(&temp.file, READABLE);
    temp.file.sync_all()?;
    temp.replace(name)?;
    directory.sync_dir(".")
}

fn unwritable(path: &Path, error: &io::Error) -> Diagnostic {
    let problem = Diagnostic::unwritable(path, error)
        .note("what stood there before is as it was; files laid out earlier stay, each whole");
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

    fn put(mirror: &MirrorDir, path: &str, bytes: &'static [u8]) -> Result<FileOutcome, Diagnostic> {
        mirror.put(path, bytes.len() as u64, &Digest::of(bytes), || Ok(Box::new(bytes)))
    }

    #[test]
    fn files_go_in_whole_stay_when_right_and_are_replaced_when_wrong() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("mirror");
        let mirror = MirrorDir::open(&dir).unwrap();
        assert_eq!(put(&mirror, "h/a/x", b"one"), Ok(FileOutcome::Made));
        assert_eq!(put(&mirror, "h/a/x", b"one"), Ok(FileOutcome::Left));
        std::fs::write(dir.join("h/a/x"), "two").unwrap();
        assert_eq!(put(&mirror, "h/a/x", b"one"), Ok(FileOutcome::Replaced));
        assert_eq!(std::fs::read(dir.join("h/a/x")).unwrap(), b"one");
        for (path, mode) in [("", 0o755), ("h", 0o755), ("h/a", 0o755), ("h/a/x", 0o644)] {
            assert_eq!(std::fs::metadata(dir.join(path)).unwrap().permissions().mode() & 0o777, mode, "{path}");
        }
        // Bytes that are not what was promised, and a reader that fails, leave all as it was.
        let wrong = mirror.put("h/a/y", 3, &Digest::of(b"one"), || Ok(Box::new(&b"two"[..])));
        assert!(wrong.unwrap_err().causes().next().unwrap().contains("changed"));
        let failing = mirror.put("h/a/x", 9, &Digest::of(b"x"), || Err(Diagnostic::new(Code::CacheCorrupt, "x")));
        assert_eq!(failing.unwrap_err().code, Code::CacheCorrupt);
        assert_eq!(std::fs::read(dir.join("h/a/x")).unwrap(), b"one");
        assert_eq!(std::fs::read_dir(dir.join("h/a")).unwrap().count(), 1, "nothing half-made stays");
    }

    #[test]
    fn what_a_kill_left_goes_and_no_link_is_followed() {
        let place = tempfile::tempdir().unwrap();
        let (dir, outside) = (place.path().join("mirror"), place.path().join("outside"));
        std::fs::create_dir(&outside).unwrap();
        let mirror = MirrorDir::open(&dir).unwrap();
        std::fs::write(dir.join(".x.arca-aaaaaaaaaaaaaaaa"), "half of something").unwrap();
        assert_eq!(put(&mirror, "x", b"one"), Ok(FileOutcome::Made));
        std::fs::write(dir.join(".x.arca-aaaaaaaaaaaaaaaa"), "half of something").unwrap();
        assert_eq!(put(&mirror, "x", b"one"), Ok(FileOutcome::Left));
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
        std::os::unix::fs::symlink(&outside, dir.join("h")).unwrap();
        assert!(put(&mirror, "h/x", b"one").is_err());
        std::os::unix::fs::symlink(outside.join("y"), dir.join("y")).unwrap();
        assert_eq!(put(&mirror, "y", b"one"), Ok(FileOutcome::Replaced));
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
        for bad in ["../x", "a/../x", "./x"] {
            assert!(put(&mirror, bad, b"one").is_err(), "{bad}");
        }
        assert!(MirrorDir::open(&place.path().join("no/where")).is_err());
    }
}
