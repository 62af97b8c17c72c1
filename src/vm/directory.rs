//! The directory of a machine that runs right here: a throw-away one, or one that is kept under a name.
//!
//! ```text
//! <directory>/lock               held (flock) by who works on it, and by QEMU while it runs
//!             bundle             link to the bundle, which is only read
//!             disks/             what the guest writes: overlays, added disks, UEFI's variables; and state.json, known_hosts
//!             console.log        what the guest said on its serial port in the last run
//!             instance.json      whose it is: name, plan, digest of the bundle; run.json: the ssh port while it runs
//!             snapshots/<label>/ copies of disks/
//!             *.sock             QEMU's monitor, console and report while it runs
//! ```
//!
//! A throw-away directory is taken away at every end but SIGKILL and power loss; the next run sweeps those whose lock nobody
//! holds. A new directory has its `lock` only once it is held, so a sweep never takes one that is being made for left behind;
//! who only looks whether a machine runs asks for a share of the lock, and writes nothing. Touches these directories only. Read next: [`super::disks`].

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use serde::{Deserialize, Serialize};

use super::copy;
use super::disks::{self, DISKS, names};
use crate::base::{Code, Diagnostic, Digest, Name};
use crate::fs::whole::{self, Taken};
use crate::plan::{DataDisk, Machine};

const LOCK: &str = "lock";
const RECORD: &str = "instance.json";
const STATE: &str = "state.json";
const RUN: &str = "run.json";
const SNAPSHOTS: &str = "snapshots";
/// What the console said in the last run.
pub(crate) const CONSOLE_LOG: &str = "console.log";
/// How the directories begin that are not, or not yet, anybody's.
const TEMPORARY: &str = ".arca-build-vm-";
/// How long a directory may be without its lock while it is being made.
const YOUNG: Duration = Duration::from_secs(60);
/// How long the lock is asked for: who only looks has it for a moment.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long the last breath of a machine may take that has been stopped.
const OFF_LIMIT: Duration = Duration::from_secs(30);
/// How often a lock is asked for.
const TICK: Duration = Duration::from_millis(5);

/// Whose an instance is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub format: u32,
    pub name: Name,
    pub plan: Digest,
    /// Digest of the bundle's `manifest.json`.
    pub bundle: Digest,
}

/// What belongs to the disks, and goes back with them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Whether an installer's run is done.
    pub installed: bool,
    /// Disks besides the bundle's.
    pub added: Vec<DataDisk>,
}

/// How to reach it while it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SshEndpoint {
    pub ssh_port: Option<u16>,
    pub user: String,
}

/// An instance's directory, held alone.
#[derive(Debug)]
pub(crate) struct Vm {
    directory: PathBuf,
    /// QEMU inherits it, so that it stays held as long as either lives.
    _lock: File,
    throw_away: bool,
}

impl Vm {
    /// Makes a throw-away directory in `place`, after sweeping what killed runs left there.
    pub(crate) fn throw_away(place: &Path) -> Result<Self, Diagnostic> {
        sweep(place);
        // Disks and console may hold what only the guest should know.
        let private = std::fs::Permissions::from_mode(0o700);
        let made =
            tempfile::Builder::new().prefix(TEMPORARY).permissions(private).tempdir_in(place).map_err(|error| {
                Diagnostic::io(format!("cannot make a directory in `{}`", place.display()), &error).hint("set TMPDIR")
            })?;
        let directory = made.keep();
        let lock = make_lock(&directory)?;
        Ok(Self { directory, _lock: lock, throw_away: true })
    }

    /// Makes an instance named `record.name`, whole or not at all: `furnish` fills the directory before it gets its name.
    pub(crate) fn create(
        vms: &Path,
        record: &Record,
        furnish: impl FnOnce(&Self) -> Result<(), Diagnostic>,
    ) -> Result<Self, Diagnostic> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700).create(vms).map_err(|error| Diagnostic::unwritable(vms, &error))?;
        let mut vm = Self::throw_away(vms)?;
        write_json(&vm.directory, RECORD, record)?;
        furnish(&vm)?;
        copy::sync(&vm.directory)?;
        let target = vms.join(record.name.as_str());
        let named = renameat_with(CWD, &vm.directory, CWD, &target, RenameFlags::NOREPLACE);
        named.map_err(|error| match error {
            Errno::EXIST | Errno::NOTEMPTY => {
                Diagnostic::new(Code::CacheLock, format!("`{}` was made by another run just now", record.name))
                    .note("that one is as it was")
            }
            error => Diagnostic::io(format!("cannot make the instance `{}`", record.name), &error.into()),
        })?;
        vm.directory = target;
        vm.throw_away = false;
        copy::sync(vms)?;
        Ok(vm)
    }

    /// Takes hold of an instance; `None` where there is none of this name.
    ///
    /// # Errors
    ///
    /// `E_CACHE_LOCK` where it runs, or somebody works on it.
    pub(crate) fn open(vms: &Path, name: &Name) -> Result<Option<Self>, Diagnostic> {
        let directory = vms.join(name.as_str());
        if !directory.join(RECORD).is_file() {
            return Ok(None);
        }
        match lock(&directory) {
            Ok(lock) => {
                // What a killed run left leads to a port that may be anybody's by now.
                let _ = std::fs::remove_file(directory.join(RUN));
                Ok(Some(Self { directory, _lock: lock, throw_away: false }))
            }
            Err(problem) if problem.code == Code::CacheLock => {
                Err(Diagnostic::new(Code::CacheLock, format!("`{name}` runs, or is being worked on"))
                    .note("nothing was changed"))
            }
            Err(problem) => Err(problem),
        }
    }

    /// Returns the directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Links the bundle.
    pub(crate) fn link(&self, bundle: &Path) -> Result<(), Diagnostic> {
        let link = self.directory.join(disks::BUNDLE);
        symlink(bundle, &link).map_err(|error| Diagnostic::unwritable(&link, &error))
    }

    /// Reads what belongs to the disks.
    pub(crate) fn state(&self) -> Result<State, Diagnostic> {
        let path = self.directory.join(DISKS).join(STATE);
        if path.exists() { read_json(&path) } else { Ok(State::default()) }
    }

    /// Writes what belongs to the disks.
    pub(crate) fn set_state(&self, state: &State) -> Result<(), Diagnostic> {
        write_json(&self.directory, &format!("{DISKS}/{STATE}"), state)
    }

    /// Returns what notes in this state that the installer is done.
    pub(crate) fn mark(&self, state: &State) -> InstalledMarker {
        InstalledMarker { directory: self.directory.clone(), state: State { installed: true, ..state.clone() } }
    }

    /// Writes down how to reach it while it runs.
    pub(crate) fn set_reach(&self, reach: &SshEndpoint) -> Result<(), Diagnostic> {
        write_json(&self.directory, RUN, reach)
    }

    /// Copies the disks under a label.
    pub(crate) fn snapshot(&self, label: &Name) -> Result<(), Diagnostic> {
        let all = self.directory.join(SNAPSHOTS);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&all)
            .map_err(|error| Diagnostic::unwritable(&all, &error))?;
        let target = all.join(label.as_str());
        if target.exists() {
            return Err(Diagnostic::new(Code::OutputExists, format!("there is a snapshot `{label}` already"))
                .note("nothing was changed")
                .hint("choose another label"));
        }
        let temporary = self.copy_of(&self.directory.join(DISKS), &all)?;
        rename(&temporary, &target, RenameFlags::NOREPLACE)?;
        copy::sync(&all)
    }

    /// Puts the disks of a snapshot in place of the present ones, at once.
    pub(crate) fn rollback(&self, label: &Name) -> Result<(), Diagnostic> {
        let from = self.directory.join(SNAPSHOTS).join(label.as_str());
        if !from.is_dir() {
            let there = snapshots(&self.directory)?.join(", ");
            let problem = Diagnostic::new(Code::Usage, format!("there is no snapshot `{label}`"));
            return Err(if there.is_empty() { problem } else { problem.fact("there are", there) });
        }
        let temporary = self.copy_of(&from, &self.directory)?;
        rename(&temporary, &self.directory.join(DISKS), RenameFlags::EXCHANGE)?;
        copy::sync(&self.directory)?;
        remove(&temporary)
    }

    /// Takes the instance away with all it holds.
    pub(crate) fn remove(mut self) -> Result<(), Diagnostic> {
        // Under a name that the next sweep knows, so that half an instance is never one.
        let parent = self.directory.parent().unwrap_or(Path::new("/"));
        let made = tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(parent);
        let temporary = made.map_err(|error| Diagnostic::unwritable(parent, &error))?.keep();
        // Over the empty directory.
        rename(&self.directory, &temporary, RenameFlags::empty())?;
        self.directory.clone_from(&temporary);
        self.throw_away = true;
        remove(&temporary)
    }

    fn copy_of(&self, from: &Path, beside: &Path) -> Result<PathBuf, Diagnostic> {
        let temporary = beside.join(format!("{TEMPORARY}copy"));
        // A killed copy of before; nobody else is here, as the lock is ours.
        if temporary.exists() {
            remove(&temporary)?;
        }
        disks::copy_all(from, &temporary).inspect_err(|_| drop(remove(&temporary)))?;
        Ok(temporary)
    }
}

/// What notes that an installer is done, while its machine still runs.
#[derive(Clone, Debug)]
pub(crate) struct InstalledMarker {
    directory: PathBuf,
    state: State,
}

impl InstalledMarker {
    /// Writes it, to last.
    pub(crate) fn write(&self) -> Result<(), Diagnostic> {
        write_json(&self.directory, &format!("{DISKS}/{STATE}"), &self.state)
    }
}

/// Writes a file of an instance whole, to last.
fn write_json(directory: &Path, name: &str, value: &impl Serialize) -> Result<(), Diagnostic> {
    let path = directory.join(name);
    let text = serde_json::to_string_pretty(value).unwrap_or_default() + "\n";
    whole::write(&path, text.as_bytes(), 0o600, Taken::Replace).map_err(|error| Diagnostic::unwritable(&path, &error))
}

impl Drop for Vm {
    fn drop(&mut self) {
        if self.throw_away {
            let _ = std::fs::remove_dir_all(&self.directory);
        } else {
            let _ = std::fs::remove_file(self.directory.join(RUN));
        }
    }
}

/// Returns the machine with the disks that were added to it.
pub(crate) fn with_added(machine: &Machine, state: &State) -> Machine {
    let mut machine = machine.clone();
    machine.data.extend(state.added.iter().cloned());
    machine
}

/// Lists the instances: name, and whether it runs.
pub(crate) fn list(vms: &Path) -> Result<Vec<(Record, bool, Vec<String>)>, Diagnostic> {
    let is_instance = |name: &String| !name.starts_with('.') && vms.join(name).join(RECORD).is_file();
    let told = |name: String| {
        let directory = vms.join(name);
        Ok((record(&directory)?, is_locked(&directory), snapshots(&directory)?))
    };
    names(vms)?.into_iter().filter(is_instance).map(told).collect()
}

/// Returns whether somebody holds an instance: it runs, or is being worked on.
pub(crate) fn is_held(vms: &Path, name: &Name) -> bool {
    is_locked(&vms.join(name.as_str()))
}

/// Waits until nobody holds an instance any more, its QEMU and the run around it neither.
///
/// # Errors
///
/// `E_CACHE_LOCK` where that takes longer than half a minute.
pub(crate) fn wait_until_free(vms: &Path, name: &Name) -> Result<(), Diagnostic> {
    let begun = Instant::now();
    while is_held(vms, name) {
        if begun.elapsed() >= OFF_LIMIT {
            let seconds = OFF_LIMIT.as_secs();
            return Err(Diagnostic::new(Code::CacheLock, format!("`{name}` is off, but still held after {seconds} s"))
                .cause("the run that started it, or its QEMU, has not ended"));
        }
        std::thread::sleep(TICK);
    }
    Ok(())
}

/// Returns how to reach an instance; `None` where it does not run.
pub(crate) fn reach(vms: &Path, name: &Name) -> Option<SshEndpoint> {
    if is_held(vms, name) { read_json(&vms.join(name.as_str()).join(RUN)).ok() } else { None }
}

/// Lists the labels of a machine's snapshots, sorted.
pub(crate) fn snapshots(directory: &Path) -> Result<Vec<String>, Diagnostic> {
    Ok(names(&directory.join(SNAPSHOTS))?.into_iter().filter(|name| !name.starts_with('.')).collect())
}

/// Reads whose a directory is.
pub(crate) fn record(directory: &Path) -> Result<Record, Diagnostic> {
    read_json(&directory.join(RECORD))
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, Diagnostic> {
    let text = std::fs::read_to_string(path).map_err(|error| Diagnostic::unreadable(path, &error))?;
    serde_json::from_str(&text).map_err(|error| {
        Diagnostic::new(Code::CacheCorrupt, format!("`{}` is not one of ours", path.display())).cause(error)
    })
}

fn rename(from: &Path, to: &Path, flags: RenameFlags) -> Result<(), Diagnostic> {
    renameat_with(CWD, from, CWD, to, flags).map_err(|error| Diagnostic::unwritable(to, &error.into()))
}

fn remove(directory: &Path) -> Result<(), Diagnostic> {
    std::fs::remove_dir_all(directory)
        .map_err(|error| Diagnostic::io(format!("cannot remove `{}`", directory.display()), &error))
}

/// Takes the lock of a directory, alone; it stays open in what we start.
fn lock(directory: &Path) -> Result<File, Diagnostic> {
    let path = directory.join(LOCK);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(&path).map_err(|error| Diagnostic::unwritable(&path, &error))?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return inherited(file, &path),
            Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => std::thread::sleep(TICK),
            Err(TryLockError::WouldBlock) => {
                return Err(Diagnostic::new(Code::CacheLock, "somebody holds the directory"));
            }
            Err(TryLockError::Error(error)) => return Err(Diagnostic::unwritable(&path, &error)),
        }
    }
}

/// Makes the lock of a new directory, which has its name only once it is held.
fn make_lock(directory: &Path) -> Result<File, Diagnostic> {
    let (path, temporary) = (directory.join(LOCK), directory.join(format!("{LOCK}.new")));
    let mut options = OpenOptions::new();
    let made = options.read(true).write(true).create_new(true).mode(0o600).open(&temporary).and_then(|file| {
        file.try_lock().map_err(std::io::Error::from)?;
        std::fs::rename(&temporary, &path)?;
        Ok(file)
    });
    inherited(made.map_err(|error| Diagnostic::unwritable(&path, &error))?, &path)
}

fn inherited(file: File, path: &Path) -> Result<File, Diagnostic> {
    fcntl_setfd(&file, FdFlags::empty()).map_err(|error| Diagnostic::unwritable(path, &error.into()))?;
    Ok(file)
}

/// Returns whether somebody holds a directory, and leaves no trace: it may be one that only can be read.
fn is_locked(directory: &Path) -> bool {
    let lock = File::open(directory.join(LOCK));
    lock.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Takes away what killed runs of this user left in `place`; what cannot be told for sure stays.
fn sweep(place: &Path) {
    let me = rustix::process::geteuid().as_raw();
    for name in names(place).unwrap_or_default().iter().filter(|name| name.starts_with(TEMPORARY)) {
        let directory = place.join(name);
        let Ok(found) = std::fs::symlink_metadata(&directory) else { continue };
        let is_young = found.modified().ok().and_then(|time| time.elapsed().ok()).is_none_or(|age| age < YOUNG);
        if !found.is_dir() || found.uid() != me {
            continue;
        }
        let held = match OpenOptions::new().read(true).write(true).open(directory.join(LOCK)) {
            Ok(lock) => lock.try_lock().is_ok().then_some(lock),
            // It has none yet, or none any more.
            Err(_) if is_young => continue,
            Err(_) => None,
        };
        if held.is_some() || !directory.join(LOCK).exists() {
            let _ = std::fs::remove_dir_all(&directory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str) -> Record {
        let digest = Digest::of(b"x");
        Record { format: 1, name: Name::parse(name).unwrap(), plan: digest, bundle: digest }
    }

    fn made(vms: &Path, name: &str) -> Vm {
        Vm::create(vms, &record(name), |_| Ok(())).unwrap()
    }

    #[test]
    fn run_2_a_sweep_never_takes_what_another_run_is_just_making() {
        let place = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let place = place.path();
                scope.spawn(move || {
                    for run in 0..40 {
                        let vm = Vm::throw_away(place).unwrap();
                        write_json(&vm.directory, RUN, &run).unwrap();
                        drop(vm);
                        made(place, &format!("vm-{thread}-{run}"));
                    }
                });
            }
        });
        assert_eq!(list(place.path()).unwrap().len(), 8 * 40);
        let left = names(place.path()).unwrap().into_iter().filter(|name| name.starts_with('.')).count();
        assert_eq!(left, 0);
    }

    #[test]
    fn run_2_a_sweep_takes_what_nobody_holds_and_spares_what_is_young_and_has_no_lock_yet() {
        let place = tempfile::tempdir().unwrap();
        let [free, held, young, old] = ["free", "held", "young", "old"].map(|name| {
            let directory = place.path().join(format!("{TEMPORARY}{name}"));
            std::fs::create_dir(&directory).unwrap();
            directory
        });
        drop(make_lock(&free).unwrap());
        let _held = make_lock(&held).unwrap();
        let long_ago = std::time::SystemTime::now() - 2 * YOUNG;
        File::open(&old).unwrap().set_modified(long_ago).unwrap();
        sweep(place.path());
        assert_eq!([&free, &held, &young, &old].map(|directory| directory.exists()), [false, true, true, false]);
    }

    #[test]
    fn run_5_who_looks_is_in_nobodys_way_and_leaves_no_trace() {
        let vms = tempfile::tempdir().unwrap();
        drop(made(vms.path(), "play"));
        let name = Name::parse("play").unwrap();
        let over = std::sync::atomic::AtomicBool::new(false);
        let is_over = || over.load(std::sync::atomic::Ordering::Relaxed);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !is_over() {
                        list(vms.path()).unwrap();
                    }
                });
            }
            let opened: Vec<_> = (0..200).map(|_| Vm::open(vms.path(), &name).map(|vm| vm.is_some())).collect();
            over.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(opened.iter().all(|opened| *opened.as_ref().unwrap()));
        });
        let held = Vm::open(vms.path(), &name).unwrap().unwrap();
        assert!(list(vms.path()).unwrap()[0].1 && is_held(vms.path(), &name));
        assert_eq!(Vm::open(vms.path(), &name).unwrap_err().code, Code::CacheLock);
        drop(held);
        std::fs::remove_file(vms.path().join("play/lock")).unwrap();
        assert!(!list(vms.path()).unwrap()[0].1 && reach(vms.path(), &name).is_none());
        assert_eq!(names(&vms.path().join("play")).unwrap(), [RECORD], "who looks makes no lock");
    }

    #[test]
    fn run_5_the_port_of_a_killed_run_is_forgotten() {
        let vms = tempfile::tempdir().unwrap();
        let vm = made(vms.path(), "play");
        vm.set_reach(&SshEndpoint { ssh_port: Some(22), user: "root".into() }).unwrap();
        let name = Name::parse("play").unwrap();
        assert_eq!(reach(vms.path(), &name).unwrap().ssh_port, Some(22));
        let left = std::fs::read(vms.path().join("play/run.json")).unwrap();
        drop(vm);
        std::fs::write(vms.path().join("play/run.json"), left).unwrap();
        assert_eq!(reach(vms.path(), &name), None, "nobody holds it");
        let _held = Vm::open(vms.path(), &name).unwrap().unwrap();
        assert_eq!(reach(vms.path(), &name), None, "whoever holds it now does not run yet");
    }
}
