//! The judge: what a directory holds, and whether that may be. Touches nothing but reads. Read next: `trace.rs`.
//!
//! It knows nothing about the store's code: a world after a fault and the plain command must be byte for byte the world
//! without a fault; in between, whatever has a final name must be as it was before or as it will be, and whole.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::base::Digest;

/// One name: its permission bits, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub mode: u32,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Directory,
    File(Digest),
    Link(PathBuf),
    Other,
}

/// Everything in a directory, by relative path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture(pub BTreeMap<PathBuf, Entry>);

/// What is derivable, and holds inode numbers and times: it differs between two runs that are the same.
const DERIVABLE: &str = "cache/stamps-v1";
/// What was damaged before is kept here under random names.
const QUARANTINE: &str = "cache/quarantine";
const TMP: &str = "cache/tmp";
const OBJECTS: &str = "cache/objects-v1";
const BUNDLES: &str = "cache/bundles-v1";

impl Picture {
    /// Looks at a directory; every file is hashed.
    pub fn of(root: &Path) -> Self {
        let mut picture = Self::default();
        picture.add(root, Path::new(""));
        picture
    }

    fn add(&mut self, root: &Path, below: &Path) {
        // What vanishes meanwhile is not there: another process may sweep.
        for entry in std::fs::read_dir(root.join(below)).into_iter().flatten().flatten() {
            let name = below.join(entry.file_name());
            let Ok(found) = std::fs::symlink_metadata(root.join(&name)) else { continue };
            let what = if found.is_dir() {
                What::Directory
            } else if found.is_symlink() {
                What::Link(std::fs::read_link(root.join(&name)).unwrap_or_default())
            } else if found.is_file() {
                What::File(
                    std::fs::read(root.join(&name)).map_or(Digest::of(b"unreadable"), |bytes| Digest::of(&bytes)),
                )
            } else {
                What::Other
            };
            let is_directory = what == What::Directory;
            self.0.insert(name.clone(), Entry { mode: found.permissions().mode() & 0o7777, what });
            if is_directory {
                self.add(root, &name);
            }
        }
    }

    /// The names beneath one directory.
    fn names(&self, directory: &Path) -> BTreeSet<&Path> {
        self.0.keys().map(PathBuf::as_path).filter(|name| name.starts_with(directory) && *name != directory).collect()
    }
}

/// What a command makes of a world.
#[derive(Clone, Debug)]
pub struct Reference {
    pub before: Picture,
    pub after: Picture,
    /// Something was damaged before, so quarantine holds what it may.
    pub is_damaged: bool,
}

fn is_temporary(name: &Path) -> bool {
    let first = name.iter().next().map(|first| first.to_string_lossy().into_owned()).unwrap_or_default();
    name.starts_with(TMP) || (first.starts_with('.') && first.contains("arca-"))
}

impl Reference {
    fn is_passed_over(&self, name: &Path) -> bool {
        name.starts_with(DERIVABLE) || (self.is_damaged && name.starts_with(QUARANTINE))
    }

    /// After the fault: nothing wrong has a final name, and what comes whole or not at all is whole.
    pub fn judge_between(&self, now: &Picture) -> Result<(), String> {
        for (name, entry) in now.0.iter().filter(|(name, _)| !self.is_passed_over(name) && !is_temporary(name)) {
            let known = [&self.before, &self.after].map(|picture| picture.0.get(name));
            let is_known = known.iter().flatten().any(|known| {
                // A directory gets its last mode behind its name.
                *known == entry || (known.what == What::Directory && entry.what == What::Directory)
            });
            if !is_known {
                return Err(format!("`{}` is neither as before nor as after: {entry:?}", name.display()));
            }
        }
        names_are_digests(now, &self.before)?;
        let bundles = now.0.keys().filter(|name| name.parent() == Some(Path::new(BUNDLES))).cloned();
        for whole in bundles.chain([PathBuf::from("out")]).filter(|whole| now.0.contains_key(whole)) {
            let names = now.names(&whole);
            if names != self.before.names(&whole) && names != self.after.names(&whole) {
                return Err(format!("`{}` is there, but not whole: {names:?}", whole.display()));
            }
        }
        Ok(())
    }

    /// After a command that said it is done although something failed: all is there and right. What is left over is a
    /// temporary, or was there before: a collector keeps what it cannot look at.
    pub fn judge_done(&self, now: &Picture) -> Result<(), String> {
        let mut counted = now.clone();
        counted.0.retain(|name, _| {
            self.after.0.contains_key(name) || !(is_temporary(name) || self.before.0.contains_key(name))
        });
        // Where it may not be made, or no lock works, the store goes without.
        let lock = Path::new("cache/lock");
        counted.0.extend(self.after.0.get(lock).map(|entry| (lock.to_owned(), entry.clone())));
        self.judge_healed(&counted).map_err(|why| format!("it said it is done, but: {why}"))
    }

    /// After the plain command: as if there had been no fault, and nothing left over.
    pub fn judge_healed(&self, now: &Picture) -> Result<(), String> {
        names_are_digests(now, &Picture::default())?;
        let names: BTreeSet<_> = now.0.keys().chain(self.after.0.keys()).collect();
        for name in names.into_iter().filter(|name| !self.is_passed_over(name)) {
            let (found, expected) = (now.0.get(name), self.after.0.get(name));
            if found != expected {
                return Err(format!("`{}`: {found:?} instead of {expected:?}", name.display()));
            }
        }
        Ok(())
    }
}

/// The store's promise read literally: a file under a digest's name has that digest, unless it was damaged before.
fn names_are_digests(now: &Picture, before: &Picture) -> Result<(), String> {
    for (name, entry) in now.0.iter().filter(|(name, _)| name.starts_with(OBJECTS) && name.iter().count() == 4) {
        let digits: String = name.iter().skip(2).map(|part| part.to_string_lossy()).collect();
        let is_right = matches!(&entry.what, What::File(digest) if digest.to_string() == digits);
        if !is_right && before.0.get(name) != Some(entry) {
            return Err(format!("wrong bytes under a final name: `{}`, {entry:?}", name.display()));
        }
    }
    Ok(())
}

/// What is spoiled, and how.
#[cfg(test)]
type Spoiler<'a> = (&'a str, &'a dyn Fn(&Path));

/// A world with one object, a bundle of two files and a link; and what breaks it.
#[test]
fn the_judge_sees_every_kind_of_damage() {
    let (object, digest) = (b"right".to_vec(), Digest::of(b"right").to_string());
    let path = format!("{OBJECTS}/{}/{}", &digest[..2], &digest[2..]);
    let place = tempfile::tempdir().unwrap();
    let make = |root: &Path| {
        let bundle = root.join(BUNDLES).join("id-tiny");
        for directory in [root.join(&path).parent().unwrap(), &bundle, &root.join(TMP), &root.join(QUARANTINE)] {
            std::fs::create_dir_all(directory).unwrap();
        }
        std::fs::write(root.join(&path), &object).unwrap();
        std::fs::write(bundle.join("disk"), b"disk").unwrap();
        std::fs::write(bundle.join("manifest.json"), b"{}").unwrap();
        std::os::unix::fs::symlink("bundle", root.join("result-tiny")).unwrap();
        std::fs::write(root.join("tiny.arca"), b"archive").unwrap();
    };
    let good = place.path().join("good");
    make(&good);
    let reference = Reference { before: Picture::default(), after: Picture::of(&good), is_damaged: false };
    let bundle = |root: &Path| root.join(BUNDLES).join("id-tiny");
    // What a final name must never show, even just behind a kill.
    let wrong: [Spoiler<'_>; 7] = [
        ("a wrong byte", &|root| std::fs::write(root.join(&path), b"wrong").unwrap()),
        ("half an object", &|root| std::fs::write(root.join(&path), b"ri").unwrap()),
        ("an empty object", &|root| std::fs::write(root.join(&path), b"").unwrap()),
        ("a bundle less a file", &|root| std::fs::remove_file(bundle(root).join("disk")).unwrap()),
        ("a bundle with half a file", &|root| std::fs::write(bundle(root).join("disk"), b"di").unwrap()),
        ("half an archive", &|root| std::fs::write(root.join("tiny.arca"), b"arch").unwrap()),
        ("a link elsewhere", &|root| {
            std::fs::remove_file(root.join("result-tiny")).unwrap();
            std::os::unix::fs::symlink("elsewhere", root.join("result-tiny")).unwrap();
        }),
    ];
    // What may be so behind a kill, but not behind the plain command.
    let unfinished: [Spoiler<'_>; 5] = [
        ("a stale temporary in the store", &|root| std::fs::write(root.join(TMP).join("file-x"), b"x").unwrap()),
        ("a stale temporary beside a result", &|root| std::fs::write(root.join(".tiny.arca.arca-x"), b"x").unwrap()),
        ("no object", &|root| std::fs::remove_file(root.join(&path)).unwrap()),
        ("no link", &|root| std::fs::remove_file(root.join("result-tiny")).unwrap()),
        ("no bundle", &|root| std::fs::remove_dir_all(bundle(root)).unwrap()),
    ];
    for (number, (what, spoil)) in wrong.iter().chain(&unfinished).enumerate() {
        let root = place.path().join(number.to_string());
        make(&root);
        reference.judge_between(&Picture::of(&root)).unwrap();
        reference.judge_healed(&Picture::of(&root)).unwrap();
        spoil(&root);
        let now = Picture::of(&root);
        assert!(reference.judge_healed(&now).is_err(), "{what}");
        assert_eq!(reference.judge_between(&now).is_err(), number < wrong.len(), "{what}");
    }
}
