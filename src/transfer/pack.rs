//! Gathers what recipes need and writes it as one file. Touches the store (reading) and the file that is asked for.
//! Read next: `super::open`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::base::text::one_line;
use crate::base::{Code, Diagnostic, Digest, Events};
use crate::format::archive::{self, BundleFile, FileEntry, Index, Member, ObjectEntry, Root, Writer};
use crate::host::{files, layout};
use crate::lock::{self, Lock};
use crate::plan::Plan;
use crate::recipe::{LocalFiles, Recipe, RecipePath};
use crate::store::{Bundle, Store, StoreObject};
use crate::stream::{HashingWriter, ProgressReader};

/// One recipe and what belongs to it.
#[derive(Debug)]
pub(crate) struct Piece<'a> {
    /// Its own file name, without directories.
    pub file_name: String,
    /// Its text as it was read.
    pub text: &'a str,
    pub recipe: &'a Recipe,
    pub lock: &'a Lock,
    /// The files it names for their content.
    pub files: LocalFiles,
    pub plan: &'a Plan,
    /// What comes from outside.
    pub inputs: Vec<StoreObject>,
    /// The bundle, where it shall go along.
    pub bundle: Option<Bundle>,
}

/// Everything some recipes need.
#[derive(Debug, Default)]
pub(crate) struct Closure {
    files: BTreeMap<String, Vec<u8>>,
    lock: Lock,
    objects: BTreeMap<Digest, (ObjectEntry, Origin)>,
    roots: BTreeMap<String, Root>,
}

/// Where an object's bytes are.
#[derive(Clone, Debug)]
enum Origin {
    Object(StoreObject),
    /// A file of a bundle that is no object of its own.
    File(PathBuf),
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Packed {
    /// The sha256 of the whole file.
    pub digest: Digest,
    pub size: u64,
    /// The file was there with these bytes.
    pub unchanged: bool,
    #[serde(skip)]
    pub index: Index,
}

/// Gathers pieces into one closure; two files of one path must be the same, and so must two pins of one input.
pub(crate) fn gather(pieces: &[Piece<'_>]) -> Result<Closure, Diagnostic> {
    let mut closure = Closure::default();
    for piece in pieces {
        closure.add(piece)?;
    }
    if closure.lock != Lock::default() {
        let text = closure.lock.print();
        closure.add_file(lock::FILE_NAME, text.as_bytes())?;
    }
    Ok(closure)
}

impl Closure {
    fn add(&mut self, piece: &Piece<'_>) -> Result<(), Diagnostic> {
        let shown = one_line(&piece.file_name, 100);
        RecipePath::parse(&piece.file_name).map_err(|error| {
            Diagnostic::new(Code::Usage, format!("`{shown}` is not a file name for an archive")).cause(error)
        })?;
        self.add_file(&piece.file_name, piece.text.as_bytes())?;
        for path in piece.files.0.keys() {
            self.add_file(path.as_str(), piece.files.content(path).unwrap_or_default())?;
        }
        self.add_pins(piece)?;
        for object in &piece.inputs {
            self.add_object(object.digest(), object.size(), false, Origin::Object(object.clone()));
        }
        let mut inputs: Vec<_> = piece.inputs.iter().map(StoreObject::digest).collect();
        inputs.sort_unstable();
        inputs.dedup();
        let bundle = piece.bundle.as_ref().map(|bundle| self.add_bundle(bundle)).unwrap_or_default();
        let (recipe, name) = (piece.file_name.clone(), piece.plan.name.to_string());
        self.roots.insert(recipe.clone(), Root { recipe, name, plan: piece.plan.id, inputs, bundle });
        Ok(())
    }

    fn add_file(&mut self, path: &str, bytes: &[u8]) -> Result<(), Diagnostic> {
        match self.files.insert(path.to_owned(), bytes.to_vec()) {
            Some(other) if other != bytes => Err(Diagnostic::new(
                Code::Usage,
                format!("two different files would be `{}` in the archive", one_line(path, 100)),
            )
            .note("an archive has one directory of recipes")
            .hint("export the recipes one by one, or rename one of the files")),
            _ => Ok(()),
        }
    }

    /// Takes the part of the lock that the recipe needs.
    fn add_pins(&mut self, piece: &Piece<'_>) -> Result<(), Diagnostic> {
        let keys = piece.recipe.inputs().into_iter().map(|input| lock::key(&input.source.value));
        for pin in keys.filter_map(|key| piece.lock.pins.get(&key)) {
            if self.lock.insert(pin.clone()).is_some_and(|other| other != *pin) {
                let headline = format!("two locks pin `{}` differently", one_line(&pin.url, 200));
                return Err(Diagnostic::new(Code::Usage, headline).hint("export the recipes one by one"));
            }
        }
        let arch = piece.recipe.machine.arch;
        let keys = piece.recipe.images().map(|(_, reference)| (reference.value.to_string(), arch));
        for image in keys.filter_map(|key| piece.lock.images.get(&key)) {
            if self.lock.insert_image(image.clone()).is_some_and(|other| other != *image) {
                let headline = format!("two locks pin the image `{}` differently", one_line(&image.reference, 200));
                return Err(Diagnostic::new(Code::Usage, headline).hint("export the recipes one by one"));
            }
        }
        Ok(())
    }

    fn add_object(&mut self, sha256: Digest, size: u64, private: bool, origin: Origin) {
        let entry = ObjectEntry { sha256, size, private, held: true };
        self.objects.entry(sha256).or_insert((entry, origin)).0.private |= private;
    }

    fn add_bundle(&mut self, bundle: &Bundle) -> Vec<BundleFile> {
        for file in bundle.files() {
            let origin = Origin::File(bundle.path().join(&file.file_name));
            self.add_object(file.digest, file.size, file.mode == 0o400, origin);
        }
        let entry = |file: &crate::store::BundleFile| BundleFile {
            file: file.file_name.clone(),
            sha256: file.digest,
            mode: file.mode,
        };
        bundle.files().iter().map(entry).collect()
    }

    fn index(&self) -> Index {
        let entry = |(path, bytes): (&String, &Vec<u8>)| FileEntry {
            path: path.clone(),
            size: bytes.len() as u64,
            sha256: Digest::of(bytes),
        };
        Index {
            format: archive::FORMAT,
            part: archive::PART,
            files: self.files.iter().map(entry).collect(),
            objects: self.objects.values().map(|(entry, _)| entry.clone()).collect(),
            roots: self.roots.values().cloned().collect(),
        }
    }

    /// Leaves out the objects that the other side has; the archive says that it needs them.
    pub(crate) fn leave_out(&mut self, there: &BTreeSet<Digest>) {
        self.objects.iter_mut().for_each(|(digest, (entry, _))| entry.held = !there.contains(digest));
    }

    /// Writes the archive (mode 0600), whole or not at all, and never over another file.
    ///
    /// A file that is there is compared by digest; the same bytes are a success.
    pub(crate) fn write(&self, store: &Store<'_>, path: &Path, events: Events<'_>) -> Result<Packed, Diagnostic> {
        let index = self.index();
        let size = index.length();
        let is_there = files::exists(path);
        layout::sweep(path);
        if is_there && files::open(path).and_then(|file| files::length(&file)).ok() != Some(size) {
            return Err(layout::exists(path, "another file"));
        }
        let digest = if is_there {
            let (_, digest) = self.stream(io::sink(), &index, store, events).map_err(told)?;
            if files::summarise(path, events)?.digest != digest {
                return Err(layout::exists(path, "another file"));
            }
            digest
        } else {
            let file = layout::NewFile::begin(path)?;
            let (file, digest) = self.stream(file, &index, store, events).map_err(told)?;
            file.publish()?;
            digest
        };
        Ok(Packed { digest, size, unchanged: is_there, index })
    }

    fn stream<W: Write>(
        &self,
        into: W,
        index: &Index,
        store: &Store<'_>,
        events: Events<'_>,
    ) -> Result<(W, Digest), archive::ArchiveError> {
        let mut writer = Writer::begin(HashingWriter::new(into), index)?;
        for member in index.members() {
            match &member {
                Member::File(file) => {
                    let content = self.files.get(&file.path).map(Vec::as_slice).unwrap_or_default();
                    writer.add(&member, &mut &*content)?;
                }
                Member::Object(object) => {
                    let read = |problem| archive::ArchiveError::Read(io::Error::other(problem));
                    let content = self.object(&object.sha256, store).map_err(read)?;
                    let what = object.sha256.short();
                    writer.add(&member, &mut ProgressReader::new(content, &what, Some(object.size), events))?;
                }
            }
        }
        let (into, digest, _) = writer.finish()?.finish().map_err(archive::ArchiveError::Write)?;
        Ok((into, digest))
    }

    fn object<'s>(&self, digest: &Digest, store: &'s Store<'_>) -> Result<Box<dyn Read + 's>, Diagnostic> {
        match self.objects.get(digest) {
            Some((_, Origin::Object(object))) => Ok(Box::new(store.reader(object)?)),
            Some((_, Origin::File(path))) => Ok(Box::new(files::open(path)?)),
            None => Err(Diagnostic::new(Code::Bug, format!("object `{}` was not gathered", digest.short()))),
        }
    }
}

/// Reports an error in words of this side: what is read is the store, what is written the archive.
fn told(error: archive::ArchiveError) -> Diagnostic {
    let problem = match error {
        archive::ArchiveError::Read(cause) => match cause.downcast::<Diagnostic>() {
            Ok(problem) => problem,
            Err(cause) => Diagnostic::io("cannot read what the archive is made of", &cause),
        },
        archive::ArchiveError::Write(cause) => Diagnostic::io("cannot write the archive", &cause),
        archive::ArchiveError::Digest(path) => {
            Diagnostic::new(Code::CacheCorrupt, format!("what `{path}` is made of changed meanwhile"))
                .hint("run the same command again")
        }
        archive::ArchiveError::Index(why) => {
            Diagnostic::new(Code::Usage, "an archive cannot hold what these recipes name").cause(why)
        }
        other => other.into(),
    };
    if problem.note.is_some() { problem } else { problem.note("no archive was written") }
}
