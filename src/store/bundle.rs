//! Bundles: directories of named files, published whole. Touches `bundles-v1`, `stamps-v1`, `tmp`, `quarantine`.
//! Read next: `super::out`, `crate::bundle`.
//!
//! What a bundle was when it was published stands in `stamps-v1/<plan id>-<name>`:
//!
//! ```text
//! arca-build bundle 1
//! <sha256> <mode> <inode> <size> <mtime seconds> <nanoseconds> <file name>
//! ```
//!
//! It is derivable: without it the bundle is composed again and compared with what is there.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::Mode;

use super::fail;
use super::handle::Store;
use super::layout::{BUNDLES, STAMPS, TMP, object_name};
use super::object::{StoreObject, hash_file};
use super::stamp::Stamp;
use crate::base::{Code, Diagnostic, Digest, Event, Events, Name};
use crate::fs::paced::begin_storing;
use crate::fs::tree::{is_planted, is_refused};
use crate::fs::{TempDir, Tree, copy, whole};
use crate::stream::Progress;

const HEADER: &str = "arca-build bundle 1";
/// The most bytes a record may have: a few thousand files.
const CAP: u64 = 1 << 20;

/// One file that a bundle shall have.
#[derive(Clone, Debug)]
pub(crate) struct BundleEntry {
    pub file_name: String,
    pub source: Source,
}

/// Where a bundle's file comes from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// Hard-linked, with the object's mode; copied where the file system refuses links.
    Object(StoreObject),
    /// The same with this mode; copied where the object has another, as its bytes are also something else's.
    ObjectAs { object: StoreObject, mode: u32 },
    /// Written, with a mode such as `0o444` or `0o555`.
    Bytes { bytes: Vec<u8>, mode: u32 },
}

/// A bundle in the store.
#[derive(Clone, Debug)]
pub(crate) struct Bundle {
    path: PathBuf,
    name: String,
    files: Vec<BundleFile>,
}

/// One file of a bundle, as it was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BundleFile {
    pub file_name: String,
    pub digest: Digest,
    pub size: u64,
    pub mode: u32,
    stamp: Stamp,
}

impl Bundle {
    /// Returns the absolute path of the directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the name of the directory: `<plan id>-<name>`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the files, in order of their names.
    pub(crate) fn files(&self) -> &[BundleFile] {
        &self.files
    }
}

impl<'e> Store<'e> {
    /// Finds a bundle whose files are still those that were published.
    ///
    /// Nothing is hashed (unless stamps are doubted): size, inode and modification time of each file are compared, and the
    /// bytes where those differ. One that is not as it was is put into quarantine with a warning, and counts as absent.
    pub(crate) fn bundle(&self, plan: &Digest, name: &Name) -> Result<Option<Bundle>, Diagnostic> {
        let name = format!("{plan}-{name}");
        let place = Path::new(BUNDLES).join(&name);
        match self.tree.look(&place) {
            Ok(found) if found.is_dir() => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Ok(_) => {
                self.quarantine_bundle(&name, "something that is not a directory");
                return Ok(None);
            }
            Err(error) => return Err(fail::read("cannot look at a bundle", self.dir(), &error)),
        }
        let Some(mut files) = self.bundle_record(&name) else { return Ok(None) };
        match self.tree.sub(&place).and_then(|dir| first_difference(&dir, &files)) {
            Ok(None) => match self.first_rotten(&place, &files) {
                Some(file) => {
                    self.quarantine_bundle(&name, &format!("`{file}` holds other bytes"));
                    Ok(None)
                }
                None => Ok(Some(self.as_bundle(name, files))),
            },
            // Touched, or copied from a backup, is not changed: bytes and modes decide.
            Ok(Some(_)) if self.is_the_same(&place, &mut files) => {
                if self.read_only.is_none() {
                    let record = Path::new(STAMPS).join(&name);
                    let _ = self.write_derivable(&record, print(&files).as_bytes());
                }
                Ok(Some(self.as_bundle(name, files)))
            }
            Ok(Some(file)) => {
                self.quarantine_bundle(&name, &format!("`{file}` was changed"));
                Ok(None)
            }
            Err(error) => Err(fail::read("cannot look at a bundle", self.dir(), &error)),
        }
    }

    /// Hashes a bundle whose stamps do not fit; if bytes and modes are as recorded, takes the new stamps over.
    fn is_the_same(&self, place: &Path, files: &mut [BundleFile]) -> bool {
        let modes: Vec<_> = files.iter().map(|file| file.mode).collect();
        let is_whole = self.tree.sub(place).and_then(|dir| restamp(&dir, files)).unwrap_or(false);
        is_whole && files.iter().map(|file| file.mode).eq(modes)
    }

    /// Hashes the files of a bundle where stamps are doubted; returns the first that holds other bytes.
    fn first_rotten(&self, place: &Path, files: &[BundleFile]) -> Option<String> {
        let is_right = |file: &BundleFile| {
            let Ok((open, metadata)) = self.tree.regular(place.join(&file.file_name)) else { return false };
            if self.is_stamped(&file.digest, &metadata) {
                return true;
            }
            let right = hash_file(open).is_ok_and(|(digest, size)| (digest, size) == (file.digest, file.size));
            if right {
                self.remember(&file.digest, &metadata);
            }
            right
        };
        let wrong = files.iter().filter(|_| self.is_rehashing()).find(|file| !is_right(file))?;
        Some(wrong.file_name.clone())
    }

    /// Returns where a bundle lies, if something does; nothing in it is looked at, and nothing put away.
    pub(crate) fn bundle_place(&self, plan: &Digest, name: &Name) -> Option<PathBuf> {
        let place = Path::new(BUNDLES).join(format!("{plan}-{name}"));
        let is_there = self.tree.look(&place).is_ok_and(|found| found.is_dir());
        is_there.then(|| self.dir().join(place))
    }

    /// Makes a bundle, whole or not at all; one that is there already with the same bytes is left and returned.
    pub(crate) fn publish_bundle(
        &self,
        plan: &Digest,
        name: &Name,
        entries: &[BundleEntry],
    ) -> Result<Bundle, Diagnostic> {
        if let Some(bundle) = self.bundle(plan, name)? {
            return Ok(bundle);
        }
        self.check_writable()?;
        let told = |error: io::Error| fail::write("cannot write a bundle to the store", self.dir(), &error);
        let mut temp = TempDir::create(&self.tree, TMP, "bundle-").map_err(told)?;
        let mut files = Vec::with_capacity(entries.len());
        let mut unsynced = Vec::new();
        for entry in entries {
            files.push(self.add_entry(&temp.dir, entry, &mut unsynced)?);
        }
        // All begun before one is waited for: the journal takes them in few commits instead of one each.
        unsynced.iter().for_each(|file| begin_storing(file, 0, 0));
        unsynced.iter().try_for_each(File::sync_all).map_err(told)?;
        files.sort_by(|a, b| a.file_name.cmp(&b.file_name));
        temp.dir.sync_dir(".").map_err(told)?;
        let name = format!("{plan}-{name}");
        let files = self.publish_directory(&mut temp, &name, files).map_err(told)?;
        // Losing the record costs composing the bundle again.
        let _ = self.write_derivable(&Path::new(STAMPS).join(&name), print(&files).as_bytes());
        Ok(self.as_bundle(name, files))
    }

    fn as_bundle(&self, name: String, files: Vec<BundleFile>) -> Bundle {
        Bundle { path: self.dir().join(BUNDLES).join(&name), name, files }
    }

    /// Gives the directory its final name; what has the name already is compared, and put away if it differs.
    fn publish_directory(
        &self,
        temp: &mut TempDir,
        name: &str,
        mut files: Vec<BundleFile>,
    ) -> io::Result<Vec<BundleFile>> {
        let place = Path::new(BUNDLES).join(name);
        for _ in 0..8 {
            match temp.publish(&self.tree, &place, 0o500) {
                Ok(()) => {
                    self.tree.sync_dir(BUNDLES)?;
                    return Ok(files);
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    self.tree.make_dir(BUNDLES)?;
                    self.tree.sync_dir(".")?;
                }
                // A directory that is not empty may also say ENOTEMPTY (rename(2)).
                Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty) => {
                    match self.tree.sub(&place).and_then(|dir| restamp(&dir, &mut files)) {
                        Ok(true) => return Ok(files),
                        // A process without a descriptor or a right left has not seen damage.
                        Err(error) if !is_planted(&error) => return Err(error),
                        Ok(false) | Err(_) => self.quarantine_bundle(name, "other files"),
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::ResourceBusy.into())
    }

    fn add_entry(&self, dir: &Tree, entry: &BundleEntry, unsynced: &mut Vec<File>) -> Result<BundleFile, Diagnostic> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !entry.file_name.chars().all(plain) || matches!(&*entry.file_name, "" | "." | "..") {
            return Err(Diagnostic::new(
                Code::Bug,
                format!("`{}` cannot be the name of a file in a bundle", entry.file_name),
            ));
        }
        let told = |error: io::Error| fail::write("cannot write a bundle to the store", self.dir(), &error);
        let digest = match &entry.source {
            Source::Bytes { bytes, mode } => {
                unsynced.push(write_file(dir, &entry.file_name, bytes, *mode).map_err(told)?);
                Digest::of(bytes)
            }
            Source::Object(object) => {
                self.link_object(dir, &entry.file_name, object)?;
                object.digest()
            }
            Source::ObjectAs { object, mode } => {
                let found = self.tree.look(object_name(&object.digest())).map(|found| found.mode() & 0o777);
                match found {
                    Ok(found) if found != *mode => self.copy_object(dir, &entry.file_name, object, Some(*mode))?,
                    _ => self.link_object(dir, &entry.file_name, object)?,
                }
                object.digest()
            }
        };
        let found = dir.look(&entry.file_name).map_err(told)?;
        let file_name = entry.file_name.clone();
        let (stamp, mode) = (Stamp::of(&found), found.mode() & 0o777);
        Ok(BundleFile { file_name, digest, size: stamp.size, mode, stamp })
    }

    /// Links an object that is still as it was when it was hashed last.
    fn link_object(&self, dir: &Tree, file_name: &str, object: &StoreObject) -> Result<(), Diagnostic> {
        let digest = object.digest();
        if self.find(&digest)?.as_ref() != Some(object) {
            return Err(fail::corrupt(&digest, "other bytes or nothing", self.dir()));
        }
        match self.tree.link(object_name(&digest), dir, file_name) {
            Ok(()) => Ok(()),
            Err(error) if is_refused(&error) => self.copy_object(dir, file_name, object, None),
            Err(error) => Err(fail::write("cannot write a bundle to the store", self.dir(), &error)),
        }
    }

    fn copy_object(
        &self,
        dir: &Tree,
        file_name: &str,
        object: &StoreObject,
        mode: Option<u32>,
    ) -> Result<(), Diagnostic> {
        let source = self.open_object(object)?;
        let metadata = source.metadata().map_err(|error| self.unreadable(&object.digest(), &error))?;
        let mode = mode.unwrap_or(metadata.mode() & 0o777);
        let found = copy_file(&source, object.size(), dir, file_name, mode, self.events)
            .map_err(|error| self.unwritable(Some(object.size()), &error))?;
        self.check_copied(object, &metadata, &found)
    }

    /// Puts a bundle that is not what it was into quarantine, with a warning.
    pub(crate) fn quarantine_bundle(&self, name: &str, found: &str) {
        let place = Path::new(BUNDLES).join(name);
        // Without its write bit a directory cannot be moved by anyone but root (rename(2), EACCES).
        if self.read_only.is_none()
            && let Ok(dir) = self.tree.sub(&place)
        {
            let _ = dir.set_mode(0o700);
        }
        let _ = self.tree.remove_all(Path::new(STAMPS).join(name));
        let moved = self.move_to_quarantine(&place, None);
        let kept = if moved { "it is kept in `quarantine`" } else { "it could not be moved away" };
        let text = format!("bundle `{name}` in the store was damaged ({found}); {kept}");
        (self.events)(Event::Warning { text });
    }

    pub(super) fn bundle_record(&self, name: &str) -> Option<Vec<BundleFile>> {
        parse(&self.tree.read_small(Path::new(STAMPS).join(name), CAP).ok()?)
    }
}

/// Returns the first file that is missing, new, or not as it was published.
fn first_difference(dir: &Tree, files: &[BundleFile]) -> io::Result<Option<String>> {
    let names = dir.list(".")?;
    if let Some(name) = names.iter().find(|name| !files.iter().any(|file| *name == file.file_name.as_str())) {
        return Ok(Some(name.to_string_lossy().into_owned()));
    }
    for file in files {
        match dir.look(&file.file_name) {
            Ok(found) if found.is_file() && Stamp::of(&found) == file.stamp => {}
            Ok(_) => return Ok(Some(file.file_name.clone())),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some(file.file_name.clone())),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Hashes every file of a directory; returns whether they are these, and if so takes their stamps over.
pub(super) fn restamp(dir: &Tree, files: &mut [BundleFile]) -> io::Result<bool> {
    if !holds_exactly(dir, files)? {
        return Ok(false);
    }
    for file in files {
        let found = dir.look(&file.file_name)?;
        (file.stamp, file.mode) = (Stamp::of(&found), found.mode() & 0o777);
    }
    // A kill behind the renaming left it writable.
    let _ = dir.set_mode(0o500);
    Ok(true)
}

/// Hashes every file of a directory and returns whether names and bytes are exactly these.
pub(super) fn holds_exactly(dir: &Tree, files: &[BundleFile]) -> io::Result<bool> {
    let names = dir.list(".")?;
    if names.len() != files.len() {
        return Ok(false);
    }
    for file in files {
        let (open, metadata) = match dir.regular(&file.file_name) {
            Ok(found) => found,
            Err(error) if is_planted(&error) => return Ok(false),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) => return Ok(false),
            Err(error) => return Err(error),
        };
        if metadata.len() != file.size || hash_file(open)?.0 != file.digest {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Writes a new file, not yet durable.
fn write_file(dir: &Tree, name: &str, bytes: &[u8], mode: u32) -> io::Result<File> {
    let mut file = dir.new_file(name)?;
    file.write_all(bytes)?;
    rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?;
    Ok(file)
}

/// Copies a file into a directory with its holes, by reflink where the file system can, and returns what was copied.
pub(super) fn copy_file(
    source: &File,
    size: u64,
    dir: &Tree,
    name: &str,
    mode: u32,
    events: Events<'_>,
) -> io::Result<Digest> {
    let file = dir.new_file(name)?;
    let progress = Progress::new(name, Some(size), events);
    let digest = copy::fill(source, size, &file, &|at| progress.tell(at))?;
    whole::finish(&file, mode)?;
    Ok(digest)
}

pub(super) fn print(files: &[BundleFile]) -> String {
    let line =
        |file: &BundleFile| format!("{} {:o} {} {}\n", file.digest, file.mode, file.stamp.text(), file.file_name);
    format!("{HEADER}\n{}", files.iter().map(line).collect::<String>())
}

fn parse(bytes: &[u8]) -> Option<Vec<BundleFile>> {
    let text = std::str::from_utf8(bytes).ok()?.strip_prefix(HEADER)?.strip_prefix('\n')?;
    let lines = text.strip_suffix('\n').unwrap_or_default().split('\n');
    lines.map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<BundleFile> {
    let mut words = line.splitn(3, ' ');
    let digest = Digest::parse(words.next()?).ok()?;
    let mode = u32::from_str_radix(words.next()?, 8).ok()?;
    let (stamp, file_name) = words.next()?.rsplit_once(' ')?;
    let stamp = Stamp::parse(stamp)?;
    Some(BundleFile { file_name: file_name.to_owned(), digest, size: stamp.size, mode, stamp })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cas_06_a_record_reads_back_and_a_cut_one_is_none() {
        let stamp = Stamp::parse("5 3 7 8").unwrap();
        let file = |name: &str| BundleFile {
            file_name: name.into(),
            digest: Digest::of(name.as_bytes()),
            size: 3,
            mode: 0o444,
            stamp,
        };
        let files = vec![file("base.qcow2"), file("domain.xml")];
        let text = print(&files);
        assert_eq!(parse(text.as_bytes()), Some(files));
        for end in 0..text.len() {
            // A cut at a line's end shows as a file too many in the directory.
            let cut = parse(&text.as_bytes()[..end]);
            assert!(cut.is_none_or(|files| files.len() < 2), "cut at {end}");
        }
    }
}
