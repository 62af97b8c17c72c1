//! Instances of bundles below a storage directory: made whole or not at all, recorded, removed again.
//!
//! ```text
//! STORAGE/.arca-bases/<sha256>.qcow2   a base; each instance that reads through it has a hard link to it
//! STORAGE/.arca-new-<name>/            an instance that is being made; dead when nobody holds the lock
//! STORAGE/<name>/                      an instance: the bundle's files, its domain XML, and
//!                 instance.json        what was made, so that exactly that is removed ([`Record`])
//!                 .unfinished          until its domain is defined
//! ```
//!
//! The lock is an flock on the storage directory itself: no file of ours stays there, and it dies with its holder. It is
//! held by whoever changes anything there, so that two never make one name or count the links of one base.
//! Touches the storage directory. Read next: `crate::vm::copy`, `crate::commands::install`.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, OFlags, RenameFlags, fcntl_lock, renameat_with};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::base::{Code, Diagnostic, Digest, Event, Name};
use crate::fs::whole::{self, Taken};
use crate::fs::{self, temp_path};
use crate::vm::copy::{self, ExpectedFile, Work};
use crate::vm::medium;

/// The version of `instance.json`.
const FORMAT: u32 = 1;
/// What was made, in the instance's directory.
pub(crate) const RECORD: &str = "instance.json";
const UNFINISHED: &str = ".unfinished";
const BASES: &str = ".arca-bases";
const NEW: &str = ".arca-new-";
/// More instances are no business of one directory; it bounds what a sweep reads.
const RECORD_LIMIT: u64 = 1 << 20;

/// What a file of an instance is to who removes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// A disk for the guest's own data: kept once it was written.
    Data,
    /// A hard link to a base that other instances may share.
    Base,
    /// Everything else: it can be made again from the bundle.
    Part,
}

/// A file as it was installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    pub path: String,
    pub kind: Kind,
    pub sha256: Digest,
    /// Bytes.
    pub size: u64,
}

/// `instance.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    pub format: u32,
    pub name: Name,
    pub plan: Digest,
    /// Digest of the bundle's `manifest.json`.
    pub bundle: Digest,
    pub uuid: String,
    /// The libvirt that knows the domain.
    pub connect: String,
    pub files: Vec<Part>,
}

impl Record {
    /// Begins a record without files.
    pub(crate) const fn new(name: Name, plan: Digest, bundle: Digest, uuid: String, connect: String) -> Self {
        Self { format: FORMAT, name, plan, bundle, uuid, connect, files: vec![] }
    }

    fn to_text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    fn parse(text: &str) -> Result<Self, String> {
        let record: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let odd = |path: &str| path.is_empty() || path.contains('/') || path == "." || path == "..";
        match record.files.iter().find(|part| odd(&part.path)) {
            _ if record.format != FORMAT => Err(format!("format {} is not known to this version", record.format)),
            Some(part) => Err(format!("{:?} is not a file name", part.path)),
            None => Ok(record),
        }
    }
}

/// A storage directory whose lock is held.
#[derive(Debug)]
pub(crate) struct Storage {
    path: PathBuf,
    _lock: File,
}

/// An instance that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instance {
    pub directory: PathBuf,
    pub record: Record,
}

impl Storage {
    /// Takes the lock, waiting for whoever has it, and sweeps what killed runs left.
    pub(crate) fn open(path: &Path, work: &Work<'_>) -> Result<Self, Diagnostic> {
        let shown = path.display().to_string();
        let directory =
            File::open(path).map_err(|error| Diagnostic::io(format!("cannot use the storage `{shown}`"), &error))?;
        copy::lock(&directory, &shown, &|| true, work)?;
        let storage = Self { path: path.to_owned(), _lock: directory };
        storage.sweep();
        Ok(storage)
    }

    /// Takes away what was never finished; the next run tries again what does not go.
    fn sweep(&self) {
        for name in names(&self.path).iter().filter(|name| name.starts_with(NEW)) {
            let _ = std::fs::remove_dir_all(self.path.join(name));
        }
        self.prune();
    }

    /// Removes the bases that no instance reads through, and their directory with the last.
    pub(crate) fn prune(&self) {
        let bases = self.path.join(BASES);
        for name in names(&bases) {
            let path = bases.join(&name);
            if path.symlink_metadata().is_ok_and(|found| found.is_file() && found.nlink() == 1) {
                let _ = std::fs::remove_file(path);
            }
        }
        let _ = std::fs::remove_dir(bases);
    }

    /// As [`find`].
    pub(crate) fn find(&self, name: &Name) -> Result<Option<Instance>, Diagnostic> {
        find(&self.path, name)
    }

    /// Lists the instances whose domain may not be defined, because the run that made them was killed.
    pub(crate) fn unfinished(&self) -> Vec<Instance> {
        let found = names(&self.path).into_iter().filter(|name| self.path.join(name).join(UNFINISHED).exists());
        found.filter_map(|name| self.find(&Name::parse(&name).ok()?).ok().flatten()).collect()
    }

    /// Begins an instance under a temporary name.
    pub(crate) fn begin(&self, record: Record) -> Result<Draft<'_>, Diagnostic> {
        let directory = self.path.join(format!("{NEW}{}", record.name));
        DirBuilder::new().mode(0o700).create(&directory).map_err(|error| Diagnostic::unwritable(&directory, &error))?;
        Ok(Draft { storage: self, directory, record, is_published: false })
    }

    /// Removes the files of an instance, data disks that were written only when told so.
    pub(crate) fn remove(&self, instance: &Instance, data: Data, work: &Work<'_>) -> Result<Removed, Diagnostic> {
        let Instance { directory, record } = instance;
        // A disk that cannot be read is taken for written.
        let keeps = |part: &Part| part.kind == Kind::Data && data == Data::Keep && is_written(directory, part, work);
        let kept: Vec<Part> = record.files.iter().filter(|part| keeps(part)).cloned().collect();
        for part in record.files.iter().filter(|part| !kept.contains(part)) {
            gone(&directory.join(&part.path))?;
        }
        gone(&directory.join(UNFINISHED))?;
        temp_path::sweep(&directory.join(RECORD));
        let paths = kept.iter().map(|part| directory.join(&part.path)).collect::<Vec<_>>();
        let foreign = names(directory).into_iter().map(|name| directory.join(name));
        let foreign: Vec<_> =
            foreign.filter(|path| !paths.contains(path) && path.file_name() != Some(RECORD.as_ref())).collect();
        match (kept.is_empty(), foreign.is_empty()) {
            (false, _) => replace_record(directory, &Record { files: kept, ..record.clone() })?,
            (true, false) => gone(&directory.join(RECORD))?,
            (true, true) => self.discard(instance)?,
        }
        self.prune();
        copy::sync(&self.path)?;
        Ok(Removed { kept: paths, foreign })
    }

    /// Removes a directory that holds nothing but the record; without a record it would be nobody's, so its name goes first.
    fn discard(&self, instance: &Instance) -> Result<(), Diagnostic> {
        let dead = self.path.join(format!("{NEW}{}", instance.record.name));
        let removed = std::fs::rename(&instance.directory, &dead).and_then(|()| std::fs::remove_dir_all(&dead));
        removed.map_err(|error| unremovable(&instance.directory, &error))
    }
}

/// Finds the instance of a name without taking the lock; `None` where nothing has the name.
///
/// # Errors
///
/// `E_USAGE` where something has the name that `install` did not make.
pub(crate) fn find(storage: &Path, name: &Name) -> Result<Option<Instance>, Diagnostic> {
    let directory = storage.join(name.as_str());
    let Ok(found) = directory.symlink_metadata() else { return Ok(None) };
    let other = |why: &str| {
        Diagnostic::new(Code::Usage, format!("`{}` is not an instance of ours", directory.display()))
            .cause(why)
            .note("it is left alone")
    };
    if !found.is_dir() {
        return Err(other("it is not a directory"));
    }
    let path = directory.join(RECORD);
    let size = path.symlink_metadata().ok().filter(std::fs::Metadata::is_file).map(|found| found.len());
    let Some(_) = size.filter(|size| *size <= RECORD_LIMIT) else {
        return Err(other("it holds no `instance.json`"));
    };
    let text = std::fs::read_to_string(&path).map_err(|error| Diagnostic::unreadable(&path, &error))?;
    match Record::parse(&text) {
        Ok(record) if record.name == *name => Ok(Some(Instance { directory, record })),
        Ok(_) => Err(other("its `instance.json` has another name: the directory was renamed")),
        Err(why) => Err(other(&crate::base::text::one_line(&format!("its `instance.json`: {why}"), 200))),
    }
}

/// What is done with data disks that the guest has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    Keep,
    Delete,
}

/// What removing left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Removed {
    /// Data disks that the guest has written.
    pub kept: Vec<PathBuf>,
    /// What somebody else put into the directory.
    pub foreign: Vec<PathBuf>,
}

/// Returns whether a disk differs from what was installed. A blank image is small, so one of another size is not read.
fn is_written(directory: &Path, part: &Part, work: &Work<'_>) -> bool {
    let path = directory.join(&part.path);
    match path.symlink_metadata() {
        Err(error) => error.kind() != ErrorKind::NotFound,
        Ok(found) if !found.is_file() || found.len() != part.size => true,
        Ok(_) => !matches!(copy::digest(&path, work), Ok(Some(found)) if found.digest == part.sha256),
    }
}

impl Instance {
    /// Notes that the domain is defined: nobody takes the instance away but `uninstall`.
    pub(crate) fn finish(&self) -> Result<(), Diagnostic> {
        gone(&self.directory.join(UNFINISHED))?;
        copy::sync(&self.directory)
    }

    /// Returns a file of its own that some program has open as QEMU opens disks, whatever libvirt says of the domain: there
    /// may be more than one libvirt on a host.
    ///
    /// Source: QEMU's block/file-posix.c; it locks bytes from 100 on for what it does, and from 200 on for what it lets
    /// others do. The shared base is locked by other instances too.
    pub(crate) fn in_use(&self) -> Option<PathBuf> {
        let own = self.record.files.iter().filter(|part| part.kind != Kind::Base);
        own.map(|part| self.directory.join(&part.path)).find(|path| is_locked(path).unwrap_or(false))
    }
}

fn is_locked(path: &Path) -> io::Result<bool> {
    let file =
        OpenOptions::new().read(true).write(true).custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(path)?;
    // A question alone would do, but the library cannot hold its answer, whose process is -1. Ours goes with the file.
    let taken = fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive);
    Ok(matches!(taken, Err(Errno::AGAIN | Errno::ACCESS)))
}

/// An instance that is being made; gone when dropped before it is published.
#[derive(Debug)]
pub(crate) struct Draft<'s> {
    storage: &'s Storage,
    directory: PathBuf,
    record: Record,
    is_published: bool,
}

impl Draft<'_> {
    /// Returns where a file of it lies for now.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Copies a file of the bundle.
    pub(crate) fn copy(&mut self, from: &Path, part: Part, mode: u32, work: &Work<'_>) -> Result<(), Diagnostic> {
        let wanted = ExpectedFile { digest: part.sha256, size: part.size };
        copy::copy(from, &self.directory.join(&part.path), wanted, mode, work)?;
        self.record.files.push(part);
        Ok(())
    }

    /// Takes a file out of an ISO that lies in the instance already.
    ///
    /// # Errors
    ///
    /// `E_IMAGE_FORMAT` where the ISO has no such file.
    pub(crate) fn extract(&mut self, iso: &str, inside: &str, name: &str, work: &Work<'_>) -> Result<(), Diagnostic> {
        let mut file = medium::open(&self.directory.join(iso), inside)?;
        let expected = file.limit();
        let ExpectedFile { digest, size } = copy::save(&mut file, &self.directory.join(name), 0o600, work)?;
        if size != expected {
            return Err(Diagnostic::new(Code::ImageFormat, format!("the ISO ends within `{inside}`")));
        }
        self.record.files.push(Part { path: name.to_owned(), kind: Kind::Part, sha256: digest, size });
        Ok(())
    }

    /// Writes a file of the instance's own.
    pub(crate) fn write(&mut self, name: &str, bytes: &[u8], mode: u32) -> Result<(), Diagnostic> {
        copy::write(&self.directory.join(name), bytes, mode)?;
        let (path, sha256, size) = (name.to_owned(), Digest::of(bytes), bytes.len() as u64);
        self.record.files.push(Part { path, kind: Kind::Part, sha256, size });
        Ok(())
    }

    /// Links the base that instances share, which is copied for the first and verified for the others.
    ///
    /// Where it cannot be linked (a file system without links; a base that libvirt gave to its own user) the instance gets
    /// a copy of its own.
    pub(crate) fn share(&mut self, from: &Path, part: Part, mode: u32, work: &Work<'_>) -> Result<(), Diagnostic> {
        let wanted = ExpectedFile { digest: part.sha256, size: part.size };
        let shared = shared(&self.storage.path, &part.sha256);
        self.storage.vouch(from, &shared, wanted, mode, work)?;
        match std::fs::hard_link(&shared, self.directory.join(&part.path)) {
            Ok(()) => {
                self.record.files.push(part);
                Ok(())
            }
            Err(_) => self.copy(from, part, mode, work),
        }
    }

    /// Gives the instance its name, which must be free; its domain is still to be defined.
    pub(crate) fn publish(mut self) -> Result<Instance, Diagnostic> {
        copy::write(&self.directory.join(UNFINISHED), b"", 0o600)?;
        copy::write(&self.directory.join(RECORD), self.record.to_text().as_bytes(), 0o600)?;
        copy::sync(&self.directory)?;
        // libvirt hands the files to the user that QEMU runs as; that user must also get through the directory.
        let open = std::fs::set_permissions(&self.directory, Permissions::from_mode(0o711));
        open.map_err(|error| Diagnostic::unwritable(&self.directory, &error))?;
        let target = self.storage.path.join(self.record.name.as_str());
        match renameat_with(CWD, &self.directory, CWD, &target, RenameFlags::NOREPLACE) {
            Ok(()) => self.is_published = true,
            Err(rustix::io::Errno::EXIST) => {
                return Err(Diagnostic::new(Code::OutputExists, format!("`{}` exists already", target.display())));
            }
            Err(error) => return Err(Diagnostic::unwritable(&target, &error.into())),
        }
        copy::sync(&self.storage.path)?;
        Ok(Instance { directory: target, record: self.record.clone() })
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.is_published {
            // The next run sweeps what does not go.
            let _ = std::fs::remove_dir_all(&self.directory);
            self.storage.prune();
        }
    }
}

/// Returns where a base lies that instances share.
pub(crate) fn shared(storage: &Path, digest: &Digest) -> PathBuf {
    storage.join(BASES).join(format!("{digest}.qcow2"))
}

impl Storage {
    /// Makes sure that the shared base is there and right; a damaged one makes room, as instances keep their own link.
    fn vouch(
        &self,
        from: &Path,
        shared: &Path,
        wanted: ExpectedFile,
        mode: u32,
        work: &Work<'_>,
    ) -> Result<(), Diagnostic> {
        match copy::digest(shared, work) {
            Ok(Some(found)) if found == wanted => return Ok(()),
            Ok(None) => {}
            Ok(Some(_)) => {
                let text = format!("`{}` was changed; instances that use it are damaged", shared.display());
                (work.events)(Event::Warning { text });
                gone(shared)?;
            }
            Err(problem) if problem.code == Code::Interrupted => return Err(problem),
            // Given to another user: the link decides.
            Err(_) => return Ok(()),
        }
        let bases = self.path.join(BASES);
        match DirBuilder::new().mode(0o711).create(&bases) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(Diagnostic::unwritable(&bases, &error));
            }
            _ => {}
        }
        // Nobody trusts the name alone, so one that a kill left half is copied anew.
        copy::copy(from, shared, wanted, mode, work).inspect_err(|_| drop(gone(shared)))?;
        copy::sync(&bases)
    }
}

fn replace_record(directory: &Path, record: &Record) -> Result<(), Diagnostic> {
    let path = directory.join(RECORD);
    whole::write(&path, record.to_text().as_bytes(), 0o600, Taken::Replace)
        .map_err(|error| Diagnostic::unwritable(&path, &error))
}

/// Lists the names in a directory; none where it cannot be read.
fn names(directory: &Path) -> Vec<String> {
    fs::names(directory).unwrap_or_default()
}

fn gone(path: &Path) -> Result<(), Diagnostic> {
    fs::remove(path).map_err(|error| unremovable(path, &error))
}

fn unremovable(path: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic::io(format!("cannot remove `{}`", path.display()), error)
}

#[cfg(test)]
mod tests;
