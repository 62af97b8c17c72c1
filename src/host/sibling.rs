//! Temporaries beside what they become: named after it, and locked while they are used, so that the next run can tell
//! what a killed one left there and takes it away. Touches the directory of the path. Read next: `super::layout`.

use std::fs::{File, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::Path;

use rustix::fs::OFlags;

/// Of a long name only the beginning is used: with what is added it must stay a name.
const NAME: usize = 60;
/// How often a link that others make too is tried.
const TRIES: usize = 1000;

/// Makes an empty file.
pub(super) fn file(path: &Path, mode: u32) -> io::Result<tempfile::NamedTempFile> {
    sweep(path);
    loop {
        let permissions = Permissions::from_mode(mode);
        let made = tempfile::Builder::new().prefix(&prefix(path)).permissions(permissions).tempfile_in(parent(path))?;
        if is_held(made.as_file(), made.path()) {
            return Ok(made);
        }
    }
}

/// Makes an empty directory (0700), and returns what holds its lock.
pub(super) fn directory(path: &Path) -> io::Result<(tempfile::TempDir, File)> {
    sweep(path);
    loop {
        let private = Permissions::from_mode(0o700);
        let made = tempfile::Builder::new().prefix(&prefix(path)).permissions(private).tempdir_in(parent(path))?;
        match open(made.path()) {
            Ok(lock) if is_held(&lock, made.path()) => return Ok((made, lock)),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
}

/// Makes a symbolic link in place of what has the name.
///
/// A link cannot be locked, so its temporary has one name for all: the next run finds it and uses or removes it.
pub(super) fn link(target: &Path, path: &Path) -> io::Result<()> {
    let temporary = parent(path).join(format!("{}link", prefix(path)));
    for _ in 0..TRIES {
        match symlink(target, &temporary) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if std::fs::read_link(&temporary).ok().as_deref() != Some(target) {
                    gone(std::fs::remove_file(&temporary))?;
                    continue;
                }
            }
            other => other?,
        }
        match std::fs::rename(&temporary, path) {
            // Another run took it for its own.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            other => return other,
        }
    }
    Err(ErrorKind::ResourceBusy.into())
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// Removes what killed runs left for this path; neither age nor process ids decide, as a lock dies with its holder.
pub(super) fn sweep(path: &Path) {
    let prefix = prefix(path);
    let names = std::fs::read_dir(parent(path)).into_iter().flatten().flatten().map(|entry| entry.file_name());
    for name in names.filter(|name| is_ours(&name.to_string_lossy(), &prefix)) {
        let left = parent(path).join(name);
        if let Ok(file) = open(&left)
            && file.try_lock().is_ok()
            && is_named(&file, &left)
        {
            // Best effort: the next run tries again.
            let _ = if left.is_dir() { std::fs::remove_dir_all(&left) } else { std::fs::remove_file(&left) };
        }
    }
}

/// The names that `tempfile` makes: six letters or digits behind the prefix.
fn is_ours(name: &str, prefix: &str) -> bool {
    let random = name.strip_prefix(prefix);
    random.is_some_and(|random| random.len() == 6 && random.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Takes the lock; `false` when a sweep took the new thing for dead before it was locked.
///
/// Where locks do not work nobody sweeps.
fn is_held(file: &File, path: &Path) -> bool {
    !matches!(file.try_lock(), Err(TryLockError::WouldBlock)) && is_named(file, path)
}

fn is_named(file: &File, path: &Path) -> bool {
    let place = |found: &std::fs::Metadata| (found.dev(), found.ino());
    matches!((file.metadata(), path.symlink_metadata()), (Ok(open), Ok(named)) if place(&open) == place(&named))
}

fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

fn prefix(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!(".{}.arca-", name.chars().take(NAME).collect::<String>())
}

/// Returns the directory that a path lies in.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn names(directory: &Path) -> Vec<PathBuf> {
        let mut names: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        names
    }

    #[test]
    fn cas_01_what_a_killed_run_left_goes_and_what_is_in_use_or_not_ours_stays() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        std::fs::write(at(".nas.arca-aaaaaa"), b"dead").unwrap();
        std::fs::create_dir(at(".nas.arca-bbbbbb")).unwrap();
        std::fs::write(at(".nas.arca-bbbbbb/x"), b"dead").unwrap();
        let stays = [".nas.arca-", ".nas.arca-notes.txt", ".other.arca-aaaaaa", "nas.arca-aaaaaa"];
        stays.iter().for_each(|name| std::fs::write(at(name), b"not ours").unwrap());
        let living = file(&at("nas"), 0o600).unwrap();
        let (directory, _lock) = directory(&at("nas")).unwrap();
        let mut expected: Vec<_> = stays.iter().map(|name| at(name)).collect();
        expected.extend([living.path().to_owned(), directory.path().to_owned()]);
        expected.sort();
        assert_eq!(names(place.path()), expected);
        // A link with such a name is none of ours, and what it leads to least of all.
        symlink(at("nas.arca-aaaaaa"), at(".nas.arca-cccccc")).unwrap();
        sweep(&at("nas"));
        assert!(at("nas.arca-aaaaaa").exists() && at(".nas.arca-cccccc").is_symlink());
    }

    #[test]
    fn a_long_name_still_has_room_for_a_temporary() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("ä".repeat(127));
        file(&path, 0o600).unwrap().persist(&path).unwrap();
        assert!(path.exists());
    }

    #[test]
    fn cas_01_the_link_that_a_killed_run_left_is_used_or_replaced() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("result-nas");
        for left in ["/store/a", "/store/old"] {
            symlink(left, place.path().join(".result-nas.arca-link")).unwrap();
            link(Path::new("/store/a"), &path).unwrap();
            assert_eq!(std::fs::read_link(&path).unwrap(), Path::new("/store/a"));
            assert_eq!(names(place.path()), [&*path]);
        }
    }

    #[test]
    fn many_may_make_one_link_at_once() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("result-nas");
        std::thread::scope(|scope| {
            for number in 0..16 {
                let path = &path;
                scope.spawn(move || {
                    (0..20).for_each(|_| link(&PathBuf::from(format!("/store/{}", number % 3)), path).unwrap())
                });
            }
        });
        assert_eq!(names(place.path()), [path]);
    }
}
