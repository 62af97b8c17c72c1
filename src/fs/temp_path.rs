//! Temporaries beside what they become: named after it, and locked while they are used, so that the next run can tell
//! what a killed one left there and takes it away. Touches the directory of the path. Read next: `super::temp`.

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::Mode;

use super::temp::{self, TempDir, TempFile};
use super::tree::Tree;

/// Of a long name only the beginning is used: with what is added it must stay a name.
const NAME: usize = 60;
/// How often a link that others make too is tried.
const TRIES: usize = 1000;

/// Makes an empty file.
pub(crate) fn file(path: &Path, mode: u32) -> io::Result<TempFile> {
    file_in(&Tree::open(parent(path))?, path.file_name().unwrap_or_default(), mode)
}

/// Makes an empty file in an open directory, beside the name that it gets.
pub(crate) fn file_in(directory: &Tree, name: &OsStr, mode: u32) -> io::Result<TempFile> {
    sweep_in(directory, name);
    TempFile::named_as(directory, ".", &prefix(name), Mode::from_raw_mode(mode))
}

/// Makes an empty directory (0700).
pub(crate) fn directory(path: &Path) -> io::Result<TempDir> {
    let (tree, name) = (Tree::open(parent(path))?, path.file_name().unwrap_or_default());
    sweep_in(&tree, name);
    TempDir::create(&tree, ".", &prefix(name))
}

/// Makes a symbolic link in place of what has the name.
///
/// A link cannot be locked, so its temporary has one name for all: the next run finds it and uses or removes it.
pub(crate) fn link(target: &Path, path: &Path) -> io::Result<()> {
    let temporary = parent(path).join(format!("{}link", prefix(path.file_name().unwrap_or_default())));
    for _ in 0..TRIES {
        match symlink(target, &temporary) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if std::fs::read_link(&temporary).ok().as_deref() != Some(target) {
                    super::remove(&temporary)?;
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

/// Removes what killed runs left for this path; neither age nor process ids decide, as a lock dies with its holder.
pub(crate) fn sweep(path: &Path) {
    if let Ok(tree) = Tree::open(parent(path)) {
        sweep_in(&tree, path.file_name().unwrap_or_default());
    }
}

/// The same in an open directory.
pub(crate) fn sweep_in(directory: &Tree, name: &OsStr) {
    let prefix = prefix(name);
    // A link with such a name is not a temporary, and the directory is the user's.
    let is_link = |left: &OsStr| directory.look(left).is_ok_and(|found| found.is_symlink());
    temp::sweep(directory, ".", |left| is_ours(&left.to_string_lossy(), &prefix) && !is_link(left));
}

/// Returns whether a name is a temporary's: 16 random letters or digits behind the prefix, of earlier versions six.
fn is_ours(name: &str, prefix: &str) -> bool {
    let random = name.strip_prefix(prefix);
    random
        .is_some_and(|random| matches!(random.len(), 6 | 16) && random.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn prefix(name: &OsStr) -> String {
    format!(".{}.arca-", name.to_string_lossy().chars().take(NAME).collect::<String>())
}

/// Returns the directory that a path lies in.
pub(crate) fn parent(path: &Path) -> &Path {
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
        let _living = file(&at("nas"), 0o600).unwrap();
        let directory = directory(&at("nas")).unwrap();
        let mut expected: Vec<_> = stays.iter().map(|name| at(name)).collect();
        let left: Vec<_> = names(place.path()).into_iter().filter(|name| !expected.contains(name)).collect();
        assert!(left.len() == 2 && left.contains(&directory.dir.path().to_owned()), "{left:?}");
        expected.extend(left);
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
        file(&path, 0o600).unwrap().replace(path.file_name().unwrap()).unwrap();
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
