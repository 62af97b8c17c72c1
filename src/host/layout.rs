//! What is laid out for the user: one new file, or a directory of files; whole or not at all, never over anything else.
//!
//! Beneath the directory no symbolic link is followed (openat2 with `RESOLVE_NO_SYMLINKS`, `O_NOFOLLOW` while making).

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::AtFlags;

use super::files;
use crate::base::{Code, Diagnostic, Digest};
use crate::fs::temp_path::{self, parent};
use crate::fs::{self, TempDir, TempFile, Tree};

/// A file being written under a temporary name beside its final one; dropped before [`NewFile::publish`] it is gone.
#[derive(Debug)]
pub(crate) struct NewFile {
    temporary: TempFile,
    path: PathBuf,
}

impl NewFile {
    /// Begins a file of mode 0600.
    pub(crate) fn begin(path: &Path) -> Result<Self, Diagnostic> {
        let temporary = temp_path::file(path, 0o600).map_err(|error| unwritable(path, &error))?;
        Ok(Self { temporary, path: path.to_owned() })
    }

    /// Makes the file last under its name, which must be free.
    pub(crate) fn publish(self) -> Result<(), Diagnostic> {
        let Self { mut temporary, path } = self;
        let told = |error: &io::Error| unwritable(&path, error);
        temporary.file.sync_all().map_err(|error| told(&error))?;
        match temporary.publish(path.file_name().unwrap_or_default()) {
            Ok(()) => temporary.tree().sync_dir(".").map_err(|error| {
                let _ = std::fs::remove_file(&path);
                told(&error)
            }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(exists(&path, "other content")),
            Err(error) => Err(told(&error)),
        }
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.temporary.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temporary.file.flush()
    }
}

/// What shall lie in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExpectedFile {
    /// Relative, `/` between parts, none of them `.` or `..`.
    pub path: String,
    pub size: u64,
    pub digest: Digest,
    /// Permission bits.
    pub mode: u32,
}

/// Removes what killed runs left beside a path; for a run that finds its work done and makes no temporary.
pub(crate) fn sweep(path: &Path) {
    temp_path::sweep(path);
}

/// Returns which files are wanted and not there yet; one that is there with other content is `E_OUTPUT_EXISTS`.
pub(crate) fn missing<'w>(directory: &Path, wanted: &'w [ExpectedFile]) -> Result<Vec<&'w ExpectedFile>, Diagnostic> {
    let handle = match Tree::open(directory) {
        Ok(handle) => handle,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(wanted.iter().collect()),
        Err(_) => return Err(exists(directory, "no directory")),
    };
    let mut missing = vec![];
    for one in wanted {
        match is_there(&handle, one) {
            Ok(true) => {}
            Ok(false) => return Err(exists(&directory.join(&one.path), "other content")),
            Err(error) if error.kind() == ErrorKind::NotFound => missing.push(one),
            Err(error) => return Err(exists(&directory.join(&one.path), "no file of ours").cause(error)),
        }
    }
    Ok(missing)
}

fn is_there(directory: &Tree, wanted: &ExpectedFile) -> io::Result<bool> {
    let (file, metadata) = match directory.regular(&wanted.path) {
        Err(error) if error.kind() == ErrorKind::InvalidData => return Ok(false),
        other => other?,
    };
    Ok(metadata.len() == wanted.size && files::hash_all(file.take(wanted.size + 1))?.digest == wanted.digest)
}

/// Files being written into a temporary directory beside the final one; dropped before [`Stage::publish`] it is gone.
#[derive(Debug)]
pub(crate) struct Stage {
    temporary: TempDir,
    directory: PathBuf,
    staged: Vec<String>,
}

impl Stage {
    /// Begins; the parent of the directory must exist.
    pub(crate) fn begin(directory: &Path) -> Result<Self, Diagnostic> {
        if directory.file_name().is_none() {
            let shown = directory.display();
            return Err(Diagnostic::new(Code::OutputPath, format!("`{shown}` does not end in a name")));
        }
        let temporary = temp_path::directory(directory).map_err(|error| unwritable(directory, &error))?;
        Ok(Self { temporary, directory: directory.to_owned(), staged: vec![] })
    }

    /// Writes one file, durably.
    pub(crate) fn write(&mut self, wanted: &ExpectedFile, content: &mut dyn Read) -> Result<(), Diagnostic> {
        let path = self.temporary.dir.path().join(&wanted.path);
        let mut write = || -> io::Result<()> {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent(&path))?;
            let mut file = File::options().write(true).create_new(true).mode(0o600).open(&path)?;
            io::copy(content, &mut file)?;
            file.set_permissions(std::fs::Permissions::from_mode(wanted.mode))?;
            file.sync_all()
        };
        write().map_err(|error| match error.downcast::<Diagnostic>() {
            Ok(problem) => problem,
            Err(error) => unwritable(&self.directory.join(&wanted.path), &error),
        })?;
        self.staged.push(wanted.path.clone());
        Ok(())
    }

    /// Gives everything its final name: the whole directory at once, or file by file into one that is there.
    pub(crate) fn publish(mut self) -> Result<(), Diagnostic> {
        let path = self.directory.clone();
        let told = |error: &io::Error| unwritable(&path, error);
        let parents = self.staged.iter().map(|path| parent(&self.temporary.dir.path().join(path)).to_owned());
        let parents: std::collections::BTreeSet<_> = parents.collect();
        parents.iter().rev().try_for_each(|parent| fs::sync(parent)).map_err(|error| told(&error))?;
        match self.temporary.publish_beside(path.file_name().unwrap_or_default()) {
            Ok(()) => return Ok(()),
            Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty) => {}
            Err(error) => return Err(told(&error)),
        }
        // Neither into a file nor through a link.
        if !path.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            return Err(told(&ErrorKind::NotADirectory.into()));
        }
        let mut made = Made::default();
        self.merge(&mut made).map_err(|error| {
            made.undo();
            told(&error).note("what was laid out there was taken away again")
        })
    }

    fn merge(&self, made: &mut Made) -> io::Result<()> {
        for path in &self.staged {
            let mut directory = Tree::open(&self.directory)?;
            let (parents, name) = path.rsplit_once('/').unwrap_or(("", path));
            for part in parents.split('/').filter(|part| !part.is_empty()) {
                if directory.make_dir(part)? {
                    made.last(&directory, part, AtFlags::REMOVEDIR)?;
                }
                directory = directory.sub(part)?;
            }
            self.temporary.dir.rename_new(path, &directory, name)?;
            made.last(&directory, name, AtFlags::empty())?;
        }
        Ok(())
    }
}

/// What was put into a directory that was there already, each beneath an open descriptor.
#[derive(Default)]
struct Made(Vec<(Tree, String, AtFlags)>);

impl Made {
    /// Makes a new entry last; should that fail, it is one to take away all the same.
    fn last(&mut self, within: &Tree, name: &str, flags: AtFlags) -> io::Result<()> {
        self.0.push((within.clone(), name.to_owned(), flags));
        within.sync_dir(".")
    }

    fn undo(&self) {
        for (within, name, flags) in self.0.iter().rev() {
            // Best effort: what cannot be removed again is whole and verified.
            let _ = rustix::fs::unlinkat(within, name.as_str(), *flags);
        }
    }
}

/// Reports that something else has the name.
pub(crate) fn exists(path: &Path, what: &str) -> Diagnostic {
    Diagnostic::new(Code::OutputExists, format!("`{}` exists and is {what}", path.display()))
        .note("nothing in it was changed")
        .hint("choose another name, or move that one away")
}

fn unwritable(path: &Path, error: &io::Error) -> Diagnostic {
    let mut problem = Diagnostic::unwritable(path, error);
    if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied) {
        problem.code = Code::OutputPath;
        problem = problem.hint("the directory it shall lie in must exist and be yours to write");
    }
    problem.note("no part of it is left there")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(path: &str, bytes: &[u8]) -> ExpectedFile {
        ExpectedFile { path: path.into(), size: bytes.len() as u64, digest: Digest::of(bytes), mode: 0o600 }
    }

    fn lay(directory: &Path, all: &[(&str, &[u8])]) -> Result<(), Diagnostic> {
        let mut stage = Stage::begin(directory)?;
        for (path, bytes) in all {
            stage.write(&wanted(path, bytes), &mut &bytes[..])?;
        }
        stage.publish()
    }

    #[test]
    fn a_layout_joins_what_is_there_and_a_failure_takes_back_what_it_made() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("nas");
        lay(&dir, &[("a", b"1"), ("s/b", b"2")]).unwrap();
        lay(&dir, &[("s/t/c", b"3")]).unwrap();
        assert_eq!(std::fs::read(dir.join("s/t/c")).unwrap(), b"3");
        // `a` is taken: the new file and its new directory go away again, and nothing else.
        assert!(lay(&dir, &[("n/d", b"4"), ("a", b"5")]).is_err());
        assert!(!dir.join("n").exists());
        assert_eq!(std::fs::read(dir.join("a")).unwrap(), b"1");
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1, "no temporary stays");
    }

    #[test]
    fn xfer_09_what_a_killed_import_left_goes_with_the_next_and_a_living_ones_stays() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("nas");
        let living = Stage::begin(&dir).unwrap();
        for name in [".nas.arca-dead01", ".other.arca-dead01"] {
            std::fs::create_dir(place.path().join(name)).unwrap();
            std::fs::write(place.path().join(name).join("part"), b"x").unwrap();
        }
        lay(&dir, &[("a", b"1")]).unwrap();
        let exists = |name: &str| place.path().join(name).exists();
        assert!(!exists(".nas.arca-dead01") && exists(".other.arca-dead01") && living.temporary.dir.path().exists());
    }

    #[test]
    fn xfer_01_no_link_in_the_directory_is_followed() {
        let place = tempfile::tempdir().unwrap();
        let (dir, outside) = (place.path().join("nas"), place.path().join("outside"));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::create_dir_all(&outside).unwrap();
        std::fs::create_dir_all(dir.join("inside")).unwrap();
        for target in [&*outside, Path::new("../outside"), Path::new("inside")] {
            std::os::unix::fs::symlink(target, dir.join("s")).unwrap();
            let all = [wanted("s/b", b"2")];
            assert_eq!(missing(&dir, &all).unwrap_err().code, Code::OutputExists, "{target:?}");
            assert!(lay(&dir, &[("s/b", b"2")]).is_err(), "{target:?}");
            std::fs::remove_file(dir.join("s")).unwrap();
        }
        assert_eq!(std::fs::read_dir(dir.join("inside")).unwrap().count(), 0);
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
    }

    #[test]
    fn what_is_there_with_the_same_bytes_is_not_missing_and_other_bytes_are_told() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("nas");
        let all = [wanted("a", b"1"), wanted("b", b"2")];
        assert_eq!(missing(&dir, &all).unwrap().len(), 2);
        lay(&dir, &[("a", b"1")]).unwrap();
        assert_eq!(missing(&dir, &all).unwrap(), [&all[1]]);
        assert_eq!(missing(&dir, &[wanted("a", b"x")]).unwrap_err().code, Code::OutputExists);
    }
}
