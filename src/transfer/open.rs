//! Opens an archive and verifies every byte of it; nothing is written. Touches the archive, read only.
//! Read next: `super::unpack`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom};
use std::path::Path;

use crate::base::text::one_line;
use crate::base::{Code, Diagnostic, Diagnostics, Digest, Events};
use crate::format::archive::{self, Index, Member, Reader};
use crate::host::files;
use crate::lock::{self, Lock};
use crate::recipe::{self, Use};
use crate::stream::{HashingReader, ProgressReader};

/// An archive whose every byte is what its index says.
#[derive(Debug)]
pub(crate) struct Opened {
    file: File,
    /// The sha256 of the whole file; all trust in what it holds hangs on it.
    pub digest: Digest,
    pub size: u64,
    pub index: Index,
    /// The files to lay out, by path.
    pub(super) files: BTreeMap<String, Vec<u8>>,
}

/// Opens and verifies an archive through one descriptor.
pub(crate) fn open(path: &Path, events: Events<'_>) -> Result<Opened, Diagnostic> {
    let told = |problem: Diagnostic| problem.fact("archive", one_line(&path.to_string_lossy(), 300));
    read(path, events).map_err(told)
}

fn read(path: &Path, events: Events<'_>) -> Result<Opened, Diagnostic> {
    let file = files::open(path)?;
    let size = files::length(&file)?;
    let source = HashingReader::new(ProgressReader::new(
        BufReader::with_capacity(256 << 10, &file),
        "archive",
        Some(size),
        events,
    ));
    let mut reader = Reader::open(source, size)?;
    let index = reader.index().clone();
    let mut files = BTreeMap::new();
    while let Some(member) = reader.next_member() {
        match &member {
            Member::File(entry) => {
                let mut bytes = vec![];
                reader.next_into(&mut bytes, &member)?;
                files.insert(entry.path.clone(), bytes);
            }
            Member::Object(_) => reader.next_into(&mut io::sink(), &member)?,
        }
    }
    let (_, digest, _) = reader.finish()?.finish();
    Ok(Opened { file, digest, size, index, files })
}

/// Lists the objects that whoever imported an archive has: those it holds and those it was made to need.
pub(crate) fn listed(path: &Path) -> Result<BTreeSet<Digest>, Diagnostic> {
    let file = files::open(path)?;
    let size = files::length(&file)?;
    let reader = Reader::open(BufReader::new(file), size)?;
    Ok(reader.index().objects.iter().map(|object| object.sha256).collect())
}

/// The archive's file, with progress told.
pub(super) type Again<'a> = ProgressReader<'a, BufReader<&'a File>>;

impl Opened {
    /// Begins reading the archive again, from its start.
    pub(super) fn again<'a>(&'a self, events: Events<'a>) -> Result<Reader<Again<'a>>, Diagnostic> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0)).map_err(|error| Diagnostic::io("cannot read the archive again", &error))?;
        let source = BufReader::with_capacity(256 << 10, &self.file);
        let reader = Reader::open(ProgressReader::new(source, "import", Some(self.size), events), self.size)?;
        if *reader.index() == self.index {
            return Ok(reader);
        }
        Err(Diagnostic::new(Code::Archive, "the archive changed while it was read"))
    }

    /// Checks that the archive is complete: every recipe finds its files and the pin of its base, and nothing is there that no
    /// recipe asks for.
    pub(crate) fn check(&self) -> Result<(), Diagnostics> {
        let lock = match self.files.get(lock::FILE_NAME) {
            Some(bytes) => Lock::parse(text(lock::FILE_NAME, bytes)?, lock::FILE_NAME)?,
            None => Lock::default(),
        };
        let mut asked: BTreeSet<String> = BTreeSet::from([lock::FILE_NAME.to_owned()]);
        for root in &self.index.roots {
            asked.insert(root.recipe.clone());
            asked.extend(self.check_root(root, &lock)?);
        }
        match self.files.keys().find(|path| !asked.contains(*path)) {
            None => Ok(()),
            Some(path) => Err(unfit(format!("no recipe asks for `{}`", one_line(path, 200))).into()),
        }
    }

    /// Checks one recipe; returns the files that it names.
    fn check_root(&self, root: &archive::Root, lock: &Lock) -> Result<Vec<String>, Diagnostics> {
        let file = &root.recipe;
        let bytes = self.files.get(file).map(Vec::as_slice).unwrap_or_default();
        let recipe = recipe::parse(text(file, bytes)?, file)?;
        if file.contains('/') || recipe.name.as_str() != root.name {
            return Err(unfit(format!("`{}` is not the recipe of `{}`", one_line(file, 200), root.name)).into());
        }
        let needed = lock::resolve(&recipe, lock)?.digests();
        if !root.inputs.iter().eq(&needed) {
            let shown: Vec<_> = needed.iter().map(|digest| format!("sha256:{digest}")).collect();
            return Err(unfit(format!("the recipe `{}` needs other inputs", one_line(file, 200)))
                .fact("needs", shown.join(", "))
                .into());
        }
        let named = recipe.local_files().into_iter().filter(|(_, usage)| *usage == Use::Content);
        let named: Vec<_> = named.map(|(path, _)| path.as_str().to_owned()).collect();
        match named.iter().find(|path| !self.files.contains_key(*path)) {
            None => Ok(named),
            Some(path) => Err(unfit(format!("`{}` is missing", one_line(path, 200))).into()),
        }
    }
}

fn text<'b>(path: &str, bytes: &'b [u8]) -> Result<&'b str, Diagnostic> {
    std::str::from_utf8(bytes).map_err(|_| unfit(format!("`{}` is not UTF-8 text", one_line(path, 200))))
}

fn unfit(why: String) -> Diagnostic {
    Diagnostic::new(Code::Archive, "the archive is not complete in itself").cause(why).note("nothing was imported")
}
