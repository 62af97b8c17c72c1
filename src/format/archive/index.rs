//! The index: what an archive holds, checked before anything else of it is read. Touches nothing. Read next: `super::reader`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::header::{self, Entry};
use super::{ArchiveError, BLOCK, FILES, FORMAT, INDEX, OBJECTS, padding};
use crate::base::text::{is_unsafe, one_line};
use crate::base::{Digest, Name};

/// The size of the parts of large objects: no tar, however old, stumbles over an entry of 4 GiB.
pub(crate) const PART: u64 = 4 << 30;
/// The most bytes of an index.
pub(crate) const INDEX_LIMIT: u64 = 16 << 20;
/// The most bytes of one file, as of a recipe and of what it names for its content.
pub(crate) const FILE_LIMIT: u64 = 1 << 20;
/// The most bytes of all files together; they are held in memory.
pub(crate) const FILES_LIMIT: u64 = 64 << 20;
/// The most files, roots, and files of a bundle.
pub(crate) const COUNT_LIMIT: usize = 4096;
/// The most objects.
pub(crate) const OBJECTS_LIMIT: usize = 16384;
/// The largest object: a thousand parts have three digits.
const PARTS_LIMIT: u64 = 1000;

/// What an archive holds. Every list is sorted by its first field, without doubles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Index {
    pub format: u32,
    /// The size of the parts of large objects.
    pub part: u64,
    pub files: Vec<FileEntry>,
    pub objects: Vec<ObjectEntry>,
    pub roots: Vec<Root>,
}

/// A file that is laid out beside the recipes: a recipe, what one names, or `arca.lock`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileEntry {
    /// Relative, `/` between parts.
    pub path: String,
    pub size: u64,
    pub sha256: Digest,
}

/// A store object that a root needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ObjectEntry {
    pub sha256: Digest,
    pub size: u64,
    /// It provisions a guest: only its owner may read it.
    pub private: bool,
    /// It is in this archive; else the other side has it from an earlier one.
    pub held: bool,
}

/// A recipe and what it needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Root {
    /// The recipe's path among the files.
    pub recipe: String,
    pub name: String,
    /// The plan's id where the archive was made.
    pub plan: Digest,
    /// Objects that come from outside: the base.
    pub inputs: Vec<Digest>,
    /// The files of the bundle; empty where it was not wanted.
    pub bundle: Vec<BundleFile>,
}

/// A file of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BundleFile {
    pub file: String,
    pub sha256: Digest,
    /// 0400, 0444 or 0555.
    pub mode: u32,
}

/// One content of the archive after its index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Member {
    File(FileEntry),
    Object(ObjectEntry),
}

impl Member {
    /// Returns its path in the archive, without the number of a part.
    pub(crate) fn path(&self) -> String {
        match self {
            Self::File(file) => format!("{FILES}{}", file.path),
            Self::Object(object) => format!("{OBJECTS}{}", object.sha256),
        }
    }

    /// Returns its size in bytes.
    pub(crate) const fn size(&self) -> u64 {
        match self {
            Self::File(file) => file.size,
            Self::Object(object) => object.size,
        }
    }

    /// Returns the digest that its bytes must have.
    pub(crate) const fn sha256(&self) -> Digest {
        match self {
            Self::File(file) => file.sha256,
            Self::Object(object) => object.sha256,
        }
    }

    /// Returns the headers under which it stands, in order.
    pub(super) fn entries(&self, part: u64) -> impl Iterator<Item = Entry> + use<> {
        let (path, size) = (self.path(), self.size());
        let (mode, count) = match self {
            Self::File(_) => (0o600, 1),
            Self::Object(object) => (if object.private { 0o600 } else { 0o644 }, size.div_ceil(part).max(1)),
        };
        (0..count).map(move |number| match count {
            1 => Entry { path: path.clone(), mode, size },
            _ => Entry { path: format!("{path}.{number:03}"), mode, size: part.min(size - number * part) },
        })
    }
}

impl Index {
    /// Writes the index; the same value gives the same bytes.
    pub(crate) fn print(&self) -> Vec<u8> {
        // The only values are numbers, texts and lists: writing them to memory cannot fail.
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Reads an index and checks it; only the spelling that [`Index::print`] writes is one.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, ArchiveError> {
        #[derive(Deserialize)]
        struct Version {
            format: u64,
        }
        let told = |error: serde_json::Error| ArchiveError::Index(one_line(&error.to_string(), 200));
        let version: Version = serde_json::from_slice(bytes).map_err(told)?;
        if version.format != u64::from(FORMAT) {
            return Err(ArchiveError::Format(version.format));
        }
        let index: Self = serde_json::from_slice(bytes).map_err(told)?;
        index.check().map_err(ArchiveError::Index)?;
        if index.print() != bytes {
            return Err(ArchiveError::Index("it is not spelt as arca-build does".to_owned()));
        }
        Ok(index)
    }

    /// Goes through what stands after the index, in order.
    pub(crate) fn members(&self) -> impl Iterator<Item = Member> {
        let files = self.files.iter().cloned().map(Member::File);
        files.chain(self.objects.iter().filter(|object| object.held).cloned().map(Member::Object))
    }

    /// Returns the length of the whole archive.
    pub(crate) fn length(&self) -> u64 {
        // Parts are whole blocks, so only the last one is padded.
        let stand = |size: u64, headers: u64| headers * BLOCK as u64 + size + padding(size) as u64;
        let files = self.files.iter().map(|file| stand(file.size, 1)).sum::<u64>();
        let held = self.objects.iter().filter(|object| object.held);
        let objects = held.map(|object| stand(object.size, object.size.div_ceil(self.part).max(1))).sum::<u64>();
        stand(self.print().len() as u64, 1) + files + objects + 2 * BLOCK as u64
    }

    /// Returns the bytes of all objects that are held, and of those that are not.
    pub(crate) fn sizes(&self) -> (u64, u64) {
        let sum = |held: bool| self.objects.iter().filter(|one| one.held == held).map(|one| one.size).sum();
        (sum(true), sum(false))
    }

    /// Lists every path that is laid out on the other side: files, and the bundles under `bundles/<name>/`.
    pub(crate) fn layout(&self) -> impl Iterator<Item = String> {
        let bundles = self.roots.iter().flat_map(|root| root.bundle.iter().map(|file| root.place(file)));
        self.files.iter().map(|file| file.path.clone()).chain(bundles)
    }

    /// Checks every rule of the index; returns the first that is broken.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("`format` is {}", self.format));
        }
        if self.part == 0 || self.part > PART || !self.part.is_multiple_of(BLOCK as u64) {
            return Err(format!("`part` is {}", self.part));
        }
        let counts = [self.files.len(), self.roots.len()];
        if counts.into_iter().any(|count| count > COUNT_LIMIT) || self.objects.len() > OBJECTS_LIMIT {
            return Err("it lists more than any archive holds".to_owned());
        }
        self.check_files()?;
        let sizes = self.check_objects()?;
        self.check_roots(&sizes)?;
        self.check_layout()
    }

    fn check_files(&self) -> Result<(), String> {
        sorted(self.files.iter().map(|file| &file.path), "files")?;
        for file in &self.files {
            let shown = one_line(&file.path, 100);
            if !is_path(&file.path) || !header::fits(&format!("{FILES}{}", file.path)) {
                return Err(format!("`{shown}` cannot be the path of a file of an archive"));
            }
            if file.size > FILE_LIMIT {
                return Err(format!("the file `{shown}` is larger than 1 MiB"));
            }
        }
        let total: u64 = self.files.iter().map(|file| file.size).sum();
        if total > FILES_LIMIT { Err("its files are larger than 64 MiB together".to_owned()) } else { Ok(()) }
    }

    fn check_objects(&self) -> Result<BTreeSet<Digest>, String> {
        sorted(self.objects.iter().map(|object| object.sha256), "objects")?;
        let largest = self.part * PARTS_LIMIT;
        if let Some(object) = self.objects.iter().find(|object| object.size > largest) {
            return Err(format!("object `{}` has more than {PARTS_LIMIT} parts", object.sha256.short()));
        }
        Ok(self.objects.iter().map(|object| object.sha256).collect())
    }

    fn check_roots(&self, objects: &BTreeSet<Digest>) -> Result<(), String> {
        sorted(self.roots.iter().map(|root| &root.recipe), "roots")?;
        let files: BTreeSet<_> = self.files.iter().map(|file| file.path.as_str()).collect();
        let mut needed = BTreeSet::new();
        for root in &self.roots {
            if !files.contains(root.recipe.as_str()) {
                return Err(format!("the recipe `{}` is not among the files", one_line(&root.recipe, 100)));
            }
            root.check()?;
            needed.extend(root.inputs.iter().chain(root.bundle.iter().map(|file| &file.sha256)));
        }
        match needed.symmetric_difference(objects).next() {
            None => Ok(()),
            Some(one) if objects.contains(one) => Err(format!("nothing needs object `{}`", one.short())),
            Some(one) => Err(format!("object `{}` is needed and not listed", one.short())),
        }
    }

    /// Refuses two things of one path, and a file where another needs a directory.
    fn check_layout(&self) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for path in self.layout() {
            if !seen.insert(path.clone()) {
                return Err(format!("`{}` would be laid out twice", one_line(&path, 100)));
            }
        }
        for path in &seen {
            let mut parents = path.match_indices('/').map(|(at, _)| &path[..at]);
            if let Some(parent) = parents.find(|parent| seen.contains(*parent)) {
                return Err(format!("`{}` is both a file and a directory", one_line(parent, 100)));
            }
        }
        Ok(())
    }
}

impl Root {
    /// Returns where a file of the bundle is laid out.
    pub(crate) fn place(&self, file: &BundleFile) -> String {
        format!("bundles/{}/{}", self.name, file.file)
    }

    fn check(&self) -> Result<(), String> {
        Name::parse(&self.name).map_err(|error| format!("`{}`: {error}", one_line(&self.name, 80)))?;
        sorted(self.inputs.iter(), "inputs")?;
        sorted(self.bundle.iter().map(|file| &file.file), "bundle")?;
        if self.bundle.len() > COUNT_LIMIT || self.inputs.len() > COUNT_LIMIT {
            return Err("a root lists more than any has".to_owned());
        }
        let plain = |file: &&BundleFile| is_path(&file.file) && !file.file.contains('/');
        let moded = |file: &&BundleFile| matches!(file.mode, 0o400 | 0o444 | 0o555);
        match self.bundle.iter().find(|file| !plain(file) || !moded(file)) {
            Some(file) => Err(format!("`{}` is not a file of a bundle", one_line(&file.file, 100))),
            None => Ok(()),
        }
    }
}

/// Returns whether a path is relative, stays beneath its directory, and has one spelling on every system.
fn is_path(path: &str) -> bool {
    let bad = |c: char| is_unsafe(c) || matches!(c, '\n' | '\t' | '\\' | '\0');
    let part = |part: &str| !matches!(part, "" | "." | ".." | "~") && part.len() <= 255;
    path.len() <= 255 && !path.chars().any(bad) && path.split('/').all(part) && !has_drive(path)
}

fn has_drive(path: &str) -> bool {
    path.len() >= 2 && path.as_bytes()[0].is_ascii_alphabetic() && path.as_bytes()[1] == b':'
}

fn sorted<T: Ord>(values: impl Iterator<Item = T>, list: &str) -> Result<(), String> {
    let values: Vec<_> = values.collect();
    match values.windows(2).all(|pair| pair[0] < pair[1]) {
        true => Ok(()),
        false => Err(format!("`{list}` is out of order, or lists something twice")),
    }
}

/// Returns the header of the index itself.
pub(super) fn entry(size: u64) -> Entry {
    Entry { path: INDEX.to_owned(), mode: 0o644, size }
}
