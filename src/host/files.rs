//! Files the user named: recipes, what lies beside them, the lock, links to results.
//!
//! Each is opened once, must be a regular file, is read through that one descriptor with a cap, and a path in a recipe
//! never leaves the recipe's directory (openat2 with `RESOLVE_BENEATH`).

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::base::{ByteSize, Code, Diagnostic, Digest, Events};
use crate::fs;
use crate::fs::temp_path::{self, parent};
use crate::fs::whole::{self, Taken};
use crate::stream::{BackgroundHasher, ProgressReader};

/// Where the files beside a recipe are.
#[derive(Debug)]
pub(crate) enum RecipeDir {
    /// In a directory, held open.
    Directory { path: PathBuf, handle: OwnedFd },
    /// Inside this program.
    Embedded(&'static [(&'static str, &'static [u8])]),
}

/// A file's digest and size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileSummary {
    pub digest: Digest,
    pub size: ByteSize,
}

/// How every file is opened: a pipe does not block, and a terminal is not taken.
const READ: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

impl RecipeDir {
    /// Opens the directory that a recipe lies in.
    pub(crate) fn open(recipe: &Path) -> Result<Self, Diagnostic> {
        let path = match recipe.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let handle = rustix::fs::open(&path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| {
                Diagnostic::io(format!("cannot open the directory `{}`", path.display()), &error.into())
            })?;
        Ok(Self::Directory { path, handle })
    }

    /// Opens a file beneath the recipe's directory for reading.
    pub(crate) fn reader(&self, path: &str) -> Result<Box<dyn Read + Send>, Diagnostic> {
        match self {
            Self::Directory { handle, .. } => Ok(Box::new(open_beneath(handle, path)?)),
            Self::Embedded(files) => match files.iter().find(|(name, _)| *name == path) {
                Some((_, bytes)) => Ok(Box::new(*bytes)),
                None => Err(missing(path)),
            },
        }
    }

    /// Hashes a file without keeping its bytes; says how far it is.
    pub(crate) fn summarise(&self, path: &str, events: Events<'_>) -> Result<FileSummary, Diagnostic> {
        hash(self.reader(path)?, path, None, events)
            .map_err(|error| Diagnostic::io(format!("cannot read `{path}`"), &error))
    }

    /// Reads a file of at most `cap` bytes whole.
    pub(crate) fn read(&self, path: &str, cap: ByteSize) -> Result<Vec<u8>, Diagnostic> {
        read_capped(&mut self.reader(path)?, path, cap)
    }

    /// Returns the directory, for the lock that lies in it.
    pub(crate) fn directory(&self) -> Option<&Path> {
        match self {
            Self::Directory { path, .. } => Some(path),
            Self::Embedded(_) => None,
        }
    }
}

fn missing(path: &str) -> Diagnostic {
    Diagnostic::new(Code::Recipe, format!("there is no file `{path}` beside the recipe"))
        .hint("paths in a recipe are relative to the recipe's own directory")
}

fn open_beneath(directory: &OwnedFd, path: &str) -> Result<File, Diagnostic> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let opened = rustix::fs::openat2(directory.as_fd(), path, READ, Mode::empty(), resolve);
    match opened.map_err(|error| if error == Errno::NOSYS { Errno::NOTSUP } else { error }) {
        Ok(file) => regular(File::from(file), path),
        Err(Errno::NOENT) => Err(missing(path)),
        Err(Errno::XDEV) => {
            Err(Diagnostic::new(Code::InputEscape, format!("`{path}` leads out of the recipe's directory"))
                .note("a shared recipe could otherwise read any file of its user's")
                .hint("copy the file beside the recipe"))
        }
        Err(error) => Err(Diagnostic::io(format!("cannot open `{path}`"), &error.into())),
    }
}

fn regular(file: File, path: &str) -> Result<File, Diagnostic> {
    let metadata = file.metadata().map_err(|error| Diagnostic::io(format!("cannot look at `{path}`"), &error))?;
    if metadata.is_file() {
        return Ok(file);
    }
    Err(Diagnostic::new(Code::Recipe, format!("`{path}` is not a regular file"))
        .hint("directories, pipes and devices are not read"))
}

/// Opens any regular file the user named.
pub(crate) fn open(path: &Path) -> Result<File, Diagnostic> {
    opened(path, rustix::fs::open(path, READ, Mode::empty()))
}

/// As [`open`]; `None` where there is none.
fn open_existing(path: &Path) -> Result<Option<File>, Diagnostic> {
    match rustix::fs::open(path, READ, Mode::empty()) {
        // With `HOME=/dev/null`, as services have it, no configuration can be there either.
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        found => opened(path, found).map(Some),
    }
}

fn opened(path: &Path, found: rustix::io::Result<OwnedFd>) -> Result<File, Diagnostic> {
    let shown = path.display().to_string();
    match found {
        Ok(file) => regular(File::from(file), &shown),
        Err(Errno::NOENT | Errno::NOTDIR) => Err(Diagnostic::new(Code::Usage, format!("there is no file `{shown}`"))),
        Err(error) => Err(Diagnostic::io(format!("cannot open `{shown}`"), &error.into())),
    }
}

/// Makes a directory of our own and those above it, which others may pass through but not list.
pub(crate) fn make_directories(path: &Path) -> Result<(), Diagnostic> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o711).create(path);
    made.map_err(|error| Diagnostic::io(format!("cannot make `{}`", path.display()), &error))
}

/// Returns whether something the user named is a directory, or a link to one.
pub(crate) fn is_directory(path: &Path) -> bool {
    path.is_dir()
}

/// Refuses a file in a folder that is a link to something outside of it: who gave the folder could name any file of the user's.
pub(crate) fn refuse_escape(path: &Path, folder: &Path) -> Result<(), Diagnostic> {
    let real = |path: &Path| {
        path.canonicalize().map_err(|error| Diagnostic::io(format!("cannot find `{}`", path.display()), &error))
    };
    if real(path)?.starts_with(real(folder)?) {
        return Ok(());
    }
    Err(Diagnostic::new(Code::InputEscape, format!("`{}` is a link that leads out of its folder", path.display()))
        .hint("copy the file into the folder"))
}

/// Reads a text file the user named, at most 1 MiB of UTF-8; `None` where there is none.
pub(crate) fn read_text(path: &Path) -> Result<Option<String>, Diagnostic> {
    let Some(bytes) = read_small(path, ByteSize::mib(1))? else { return Ok(None) };
    String::from_utf8(bytes).map(Some).map_err(|error| {
        Diagnostic::new(Code::Recipe, format!("`{}` is not UTF-8 text", path.display()))
            .fact("first bad byte", error.utf8_error().valid_up_to())
    })
}

/// Reads a small file the user named, of at most `cap` bytes; `None` where there is none.
pub(crate) fn read_small(path: &Path, cap: ByteSize) -> Result<Option<Vec<u8>>, Diagnostic> {
    let Some(mut file) = open_existing(path)? else { return Ok(None) };
    read_capped(&mut file, &path.display().to_string(), cap).map(Some)
}

/// Reads at most `count` first bytes of a file the user named, and tells how long it is.
pub(crate) fn beginning(path: &Path, count: usize) -> Result<(Vec<u8>, u64), Diagnostic> {
    let file = open(path)?;
    let length = length(&file)?;
    let mut bytes = vec![];
    let read = file.take(count as u64).read_to_end(&mut bytes);
    read.map_err(|error| Diagnostic::unreadable(path, &error))?;
    Ok((bytes, length))
}

fn read_capped(reader: &mut impl Read, path: &str, cap: ByteSize) -> Result<Vec<u8>, Diagnostic> {
    let mut bytes = Vec::new();
    reader
        .take(cap.0 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Diagnostic::io(format!("cannot read `{path}`"), &error))?;
    if bytes.len() as u64 > cap.0 {
        return Err(Diagnostic::new(Code::Recipe, format!("`{path}` is larger than {cap}"))
            .note("recipes and what they bring into the guest are read whole; only the base may be large"));
    }
    Ok(bytes)
}

/// Hashes a file the user named; says how far it is.
pub(crate) fn summarise(path: &Path, events: Events<'_>) -> Result<FileSummary, Diagnostic> {
    let file = open(path)?;
    let (what, size) = (path.file_name().unwrap_or_default().to_string_lossy(), length(&file)?);
    hash(file, &what, Some(size), events).map_err(|error| Diagnostic::unreadable(path, &error))
}

/// Returns the length of an open file in bytes.
pub(crate) fn length(file: &File) -> Result<u64, Diagnostic> {
    file.metadata().map(|metadata| metadata.len()).map_err(|error| Diagnostic::io("cannot look at the file", &error))
}

/// Returns whether a name is taken, be it by a link that leads nowhere.
pub(crate) fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Lists the names in a directory, sorted; names that are not UTF-8 are shown as well as they can be.
pub(crate) fn list(directory: &Path) -> Result<Vec<String>, Diagnostic> {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    let shown = directory.display();
    fs::names(directory).map_err(|error| match error.kind() {
        NotFound | NotADirectory => Diagnostic::new(Code::Usage, format!("there is no directory `{shown}`")),
        _ => Diagnostic::io(format!("cannot list `{shown}`"), &error),
    })
}

fn hash(reader: impl Read, what: &str, total: Option<u64>, events: Events<'_>) -> std::io::Result<FileSummary> {
    hash_all(ProgressReader::new(reader, &format!("hashing {what}"), total, events))
}

/// Hashes what a reader gives.
pub(super) fn hash_all(mut reader: impl Read) -> std::io::Result<FileSummary> {
    let mut hasher = BackgroundHasher::new();
    let size = ByteSize(hasher.drain(&mut reader)?);
    Ok(FileSummary { digest: hasher.finish()?, size })
}

/// Returns a file's path with its directory in the one spelling that it has without links, `.` and `..`.
///
/// A directory that is not there keeps its spelling; writing into it will tell.
pub(crate) fn one_spelling(path: &Path) -> PathBuf {
    let parent = parent(path);
    match (std::fs::canonicalize(parent), path.file_name()) {
        (Ok(parent), Some(name)) => parent.join(name),
        _ => path.to_owned(),
    }
}

/// Returns where a path leads, every link followed; `None` where nothing is.
pub(crate) fn destination(path: &Path) -> Option<PathBuf> {
    std::fs::canonicalize(path).ok()
}

/// Holds the directory that a path lies in until the value goes, so that who reads, changes and writes a file there comes alone.
///
/// `None` where that cannot be had: then two writers only overtake each other, as without it.
pub(crate) fn hold_directory(path: &Path) -> Option<File> {
    let directory = File::open(parent(path)).ok()?;
    directory.lock().ok().map(|()| directory)
}

/// Writes a file whole or not at all, over the old one.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Diagnostic> {
    write(path, bytes, 0o644, Taken::Replace)
}

/// Writes a new file; one that is there already is left alone and told.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Diagnostic> {
    write_new_as(path, bytes, 0o644)
}

/// Like [`write_new`], for a file that may hold secrets: nobody else may read it.
pub(crate) fn write_new_private(path: &Path, bytes: &[u8]) -> Result<(), Diagnostic> {
    write_new_as(path, bytes, 0o600)
}

/// Opens a file that is written as long as something goes on, in place of what was there; nobody else may read it.
pub(crate) fn stream(path: &Path) -> Result<File, Diagnostic> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let opened = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    opened.map_err(|error| unwritable(path, &error))
}

/// Tells that a file cannot be written; where its directory is not there, the path is at fault and not this machine.
fn unwritable(path: &Path, error: &std::io::Error) -> Diagnostic {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    let problem = Diagnostic::unwritable(path, error);
    match error.kind() {
        NotFound | NotADirectory => Diagnostic { code: Code::OutputPath, ..problem }.hint("make its directory first"),
        _ => problem,
    }
}

/// Refuses a name that is taken, before other files are written for it.
pub(crate) fn refuse_existing(path: &Path) -> Result<(), Diagnostic> {
    if exists(path) { Err(taken(path)) } else { Ok(()) }
}

fn taken(path: &Path) -> Diagnostic {
    Diagnostic::new(Code::OutputExists, format!("`{}` exists already", path.display()))
        .note("nothing was written")
        .hint("choose another name, or move that file away")
}

fn write_new_as(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Diagnostic> {
    refuse_existing(path)?;
    write(path, bytes, mode, Taken::Refuse)
}

fn write(path: &Path, bytes: &[u8], mode: u32, taken: Taken) -> Result<(), Diagnostic> {
    whole::write(path, bytes, mode, taken).map_err(|error| unwritable(path, &error))
}

/// Makes `link` a symbolic link to `target`, replacing an older link of ours but nothing else.
///
/// Returns whether anything changed. A file, directory or foreign link in the way is `E_OUTPUT_EXISTS`.
pub(crate) fn link_result(link: &Path, target: &Path, is_ours: impl Fn(&Path) -> bool) -> Result<bool, Diagnostic> {
    let shown = link.display();
    let exists = |what: &str| {
        Diagnostic::new(Code::OutputExists, format!("`{shown}` exists and is {what}"))
            .note("the bundle is in the store; only the link was not made")
            .hint("move it away, or build with `--no-link` or `--out DIR`")
    };
    match std::fs::symlink_metadata(link) {
        Ok(metadata) if !metadata.file_type().is_symlink() => return Err(exists("no link of ours")),
        Ok(_) => match std::fs::read_link(link) {
            // Perhaps of a run that was killed before it could sync.
            Ok(old) if old == target => return sync_parent(link).map(|()| false),
            Ok(old) if is_ours(&old) => {}
            _ => return Err(exists("a link to something else")),
        },
        Err(_) => {}
    }
    temp_path::link(target, link).map_err(|error| {
        Diagnostic::io(format!("cannot make the link `{shown}`"), &error)
            .note("the bundle is in the store; only the link was not made")
            .hint("build where you may write, or with `--no-link` or `--out DIR`")
    })?;
    sync_parent(link).map(|()| true)
}

/// Makes the names of a directory survive a power cut: on btrfs no other sync would write a new link down.
///
/// A directory that cannot be opened, which may still be written, is left to the kernel.
fn sync_parent(path: &Path) -> Result<(), Diagnostic> {
    match File::open(parent(path)) {
        Ok(directory) => directory
            .sync_all()
            .map_err(|error| Diagnostic::io(format!("cannot sync the directory of `{}`", path.display()), &error)),
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::base::Event;
    use crate::stream::progress::STEP as REPORT;

    fn tree() -> (tempfile::TempDir, RecipeDir) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        std::fs::write(dir.path().join("sub/file"), b"content").unwrap();
        let beside = RecipeDir::open(&dir.path().join("recipe.toml")).unwrap();
        (dir, beside)
    }

    #[test]
    fn a_file_beside_the_recipe_is_read_with_its_digest() {
        let (_dir, beside) = tree();
        let read = beside.read("sub/file", ByteSize(7)).unwrap();
        assert_eq!(read, b"content");
        let summary = beside.summarise("sub/file", &drop).unwrap();
        assert_eq!(summary, FileSummary { digest: Digest::of(b"content"), size: ByteSize(7) });
        assert!(beside.read("sub/file", ByteSize(6)).unwrap_err().headline.contains("larger than 6 B"));
    }

    #[test]
    fn hashing_a_large_file_says_how_far_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("large");
        File::create(&path).unwrap().set_len(2 * REPORT + 1).unwrap();
        let told = std::sync::Mutex::new(vec![]);
        let summary = summarise(&path, &|event| told.lock().unwrap().push(event)).unwrap();
        let what = || "hashing large".to_owned();
        let progress = |done| Event::Progress { what: what(), done: ByteSize(done) };
        let started = Event::Started { what: what(), total: Some(summary.size) };
        let expected = [started, progress(REPORT), progress(2 * REPORT), Event::Finished { what: what() }];
        assert_eq!(told.into_inner().unwrap(), expected);
    }

    #[test]
    fn what_cannot_be_there_is_not_there() {
        assert_eq!(read_text(Path::new("/dev/null/.config/arca-build/config.toml")), Ok(None));
        assert!(read_text(Path::new("/dev")).is_err());
    }

    #[test]
    fn rec_6_no_path_leaves_the_recipes_directory() {
        let (dir, beside) = tree();
        symlink("/etc/hostname", dir.path().join("absolute")).unwrap();
        symlink("../../../../../../etc/hostname", dir.path().join("relative")).unwrap();
        symlink("sub/file", dir.path().join("inside")).unwrap();
        for escape in ["absolute", "relative", "../x", "/etc/hostname"] {
            let code = beside.reader(escape).map(drop).unwrap_err().code;
            assert_eq!(code, Code::InputEscape, "{escape}");
        }
        assert!(beside.reader("inside").is_ok());
    }

    #[test]
    fn net_19_pipes_and_directories_are_not_read() {
        let (dir, beside) = tree();
        rustix::fs::mkfifoat(rustix::fs::CWD, dir.path().join("pipe"), Mode::from_raw_mode(0o600)).unwrap();
        for odd in ["pipe", "sub"] {
            assert!(beside.reader(odd).map(drop).unwrap_err().headline.contains("not a regular file"), "{odd}");
        }
        assert!(open(Path::new("/dev/zero")).unwrap_err().headline.contains("not a regular file"));
    }

    #[test]
    fn out_15_a_result_link_replaces_only_a_link_of_ours() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("result-nas");
        let ours = |old: &Path| old.starts_with("/store");
        assert!(link_result(&link, Path::new("/store/a"), ours).unwrap());
        assert!(!link_result(&link, Path::new("/store/a"), ours).unwrap());
        assert!(link_result(&link, Path::new("/store/b"), ours).unwrap());
        assert_eq!(std::fs::read_link(&link).unwrap(), Path::new("/store/b"));
        std::fs::remove_file(&link).unwrap();
        symlink("/somewhere", &link).unwrap();
        assert_eq!(link_result(&link, Path::new("/store/b"), ours).unwrap_err().code, Code::OutputExists);
        std::fs::remove_file(&link).unwrap();
        std::fs::write(&link, "precious").unwrap();
        assert_eq!(link_result(&link, Path::new("/store/b"), ours).unwrap_err().code, Code::OutputExists);
        assert_eq!(std::fs::read(&link).unwrap(), b"precious");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary stays");
    }

    #[test]
    fn a_failure_to_write_names_the_file_and_no_temporary() {
        for target in ["/proc/none/file", "/proc/file"] {
            let problems = [
                write_whole(Path::new(target), b"").unwrap_err(),
                link_result(Path::new(target), Path::new("/x"), |_| true).unwrap_err(),
            ];
            for problem in problems {
                let shown = problem.to_string();
                assert!(shown.contains(target) && !shown.contains(".arca-"), "{shown}");
            }
        }
    }

    #[test]
    fn a_new_file_never_replaces_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new.toml");
        write_new(&path, b"1").unwrap();
        assert_eq!(write_new(&path, b"2").unwrap_err().code, Code::OutputExists);
        write_whole(&path, b"3").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"3");
    }
}
