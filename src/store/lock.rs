//! Advisory locks: shared by whoever uses the store, exclusive for the collector. Touches `lock` in the store and reads
//! `/proc/locks` to name a holder. Read next: `super::gc`.
//!
//! Nothing that is published needs a lock (a final name is taken by link or rename, never over another); the lock only
//! keeps the collector from taking what a running build is about to name. It dies with its holder.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};

use super::fail;
use crate::base::{Code, Diagnostic, Event, Events};
use crate::fs::Tree;
use crate::fs::tree::is_planted;

const LOCK: &str = "lock";
/// How often a waiter looks again.
pub(super) const PAUSE: Duration = Duration::from_millis(25);

/// Takes the shared lock, waiting for a running collector; `None` where the place or the mount allows no lock.
pub(super) fn share(tree: &Tree, patience: Duration, events: Events) -> Result<Option<File>, Diagnostic> {
    let Some(file) = open(tree).map_err(|error| fail::read("cannot open the store's lock", tree.path(), &error))?
    else {
        return Ok(None);
    };
    Ok(wait(tree, &file, patience, events, File::try_lock_shared)?.then_some(file))
}

/// Turns a shared lock into the exclusive one, waiting for those who use the store.
pub(super) fn exclude(tree: &Tree, file: Option<&File>, patience: Duration, events: Events) -> Result<(), Diagnostic> {
    let unlocked = || {
        Diagnostic::new(Code::CacheLock, "the store cannot be locked here, so nothing may be collected")
            .fact("store", fail::path(tree.path()))
            .note("nothing was removed")
    };
    let file = file.ok_or_else(unlocked)?;
    if wait(tree, file, patience, events, File::try_lock)? { Ok(()) } else { Err(unlocked()) }
}

fn open(tree: &Tree) -> io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
    match tree.regular(LOCK) {
        Ok((file, _)) => return Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Ok(None),
        // Nobody holds what is not a file, so nobody is robbed.
        Err(error) if is_planted(&error) => drop(tree.remove_all(LOCK)),
        Err(error) => return Err(error),
    }
    match tree.open_at(LOCK, flags | OFlags::CREATE, Mode::RUSR | Mode::WUSR) {
        Ok(fd) => Ok(Some(fd.into())),
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Tries until the lock is held (`true`), the system says it has none (`false`), or patience ends.
fn wait(
    tree: &Tree,
    file: &File,
    patience: Duration,
    events: Events,
    take: impl Fn(&File) -> Result<(), TryLockError>,
) -> Result<bool, Diagnostic> {
    let begun = Instant::now();
    let mut told = false;
    loop {
        match take(file) {
            Ok(()) => return Ok(true),
            Err(TryLockError::Error(_)) => return Ok(false),
            Err(TryLockError::WouldBlock) if begun.elapsed() >= patience => return Err(held(tree, file)),
            Err(TryLockError::WouldBlock) => {
                if !std::mem::replace(&mut told, true) {
                    events(Event::Waiting { what: "the store".into() });
                }
                std::thread::sleep(PAUSE);
            }
        }
    }
}

fn held(tree: &Tree, file: &File) -> Diagnostic {
    let mut problem = Diagnostic::new(Code::CacheLock, "the store is in use by another process");
    if let Some(holder) = holder(file) {
        problem = problem.fact("held by", format!("process {holder}"));
    }
    problem.fact("store", fail::path(tree.path())).hint("wait for it to end, then run the same command again")
}

/// Returns which process holds a lock on the file, where the system shows it (proc_locks(5)).
pub(super) fn holder(file: &File) -> Option<u32> {
    let inode = file.metadata().ok()?.ino();
    find_holder(&std::fs::read_to_string("/proc/locks").ok()?, inode)
}

/// Finds the process in a line like `3: FLOCK  ADVISORY  WRITE 708 08:01:2097 0 EOF`; waiters have `->` behind the number.
fn find_holder(locks: &str, inode: u64) -> Option<u32> {
    locks.lines().find_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let [_, "FLOCK", _, _, process, place, ..] = words[..] else { return None };
        let (_, found) = place.rsplit_once(':')?;
        (found.parse() == Ok(inode)).then(|| process.parse().ok()).flatten().filter(|process| *process != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cas_08_the_holder_of_a_lock_is_named() {
        let text = "1: POSIX  ADVISORY  WRITE 5 08:01:2097 0 EOF\n2: -> FLOCK  ADVISORY  WRITE 6 08:01:2097 0 EOF\n\
                    3: FLOCK  ADVISORY  WRITE 708 08:01:2097 0 EOF\n";
        assert_eq!(find_holder(text, 2097), Some(708));
        assert_eq!(find_holder(text, 97), None);
        let place = tempfile::tempfile().unwrap();
        place.lock().unwrap();
        assert_eq!(holder(&place), Some(std::process::id()));
    }
}
