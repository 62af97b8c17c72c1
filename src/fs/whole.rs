//! Small files that are written at once, whole or not at all. Touches the file that the caller names. Read next: `super::temp`.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::temp::TempFile;
use super::temp_path;
use super::tree::Tree;

/// Writes a file whole but unsynced, in place of what has the name; `temporary` is the directory of its temporary.
pub(crate) fn write_derivable(tree: &Tree, temporary: &str, name: &Path, bytes: &[u8]) -> io::Result<()> {
    let parent = name.parent().unwrap_or(Path::new("."));
    if tree.look(parent).is_err() {
        tree.make_dir(parent)?;
    }
    let mut temp = TempFile::create(tree, temporary)?;
    temp.file.write_all(bytes)?;
    // Unlink and link, not rename over: ext4 flushes a file renamed over another (auto_da_alloc), 2 ms each time, and
    // a derivable file that is missing for a moment, or for ever, does no harm.
    tree.remove_all(name)?;
    temp.publish(name)
}

/// Writes a file whole and durable, in place of what has the name; `temporary` is the directory of its temporary.
pub(crate) fn write_durable(tree: &Tree, temporary: &str, name: &Path, bytes: &[u8]) -> io::Result<()> {
    let parent = name.parent().unwrap_or(Path::new("."));
    if tree.look(parent).is_err() && tree.make_dir(parent)? {
        tree.sync_dir(".")?;
    }
    let mut temp = TempFile::named(tree, temporary)?;
    temp.file.write_all(bytes)?;
    temp.file.sync_all()?;
    match temp.replace(name) {
        // A directory was put in its place, over which no file can be renamed (rename(2)).
        Err(error) if error.kind() == ErrorKind::IsADirectory => {
            tree.remove_all(name)?;
            temp.replace(name)?;
        }
        other => other?,
    }
    tree.sync_dir(parent)
}

/// How a file gets its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// In place of a file that has it.
    Replace,
    /// Only where it is free; else `AlreadyExists`.
    Refuse,
}

/// Writes a file whole and durable, by a temporary beside it.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32, taken: Taken) -> io::Result<()> {
    let mut temp = temp_path::file(path, mode)?;
    temp.file.write_all(bytes)?;
    temp.file.sync_all()?;
    let name = path.file_name().unwrap_or_default();
    match taken {
        Taken::Replace => temp.replace(name)?,
        Taken::Refuse => temp.publish(name)?,
    }
    temp.tree().sync_dir(".")
}

/// Makes a file (0600 until it is whole) whose name must be free, through no link.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).custom_flags(flags).open(path)
}

/// Gives a whole file its mode, and makes its bytes last.
pub(crate) fn finish(file: &File, mode: u32) -> io::Result<()> {
    rustix::fs::fchmod(file, Mode::from_raw_mode(mode))?;
    file.sync_all()
}
