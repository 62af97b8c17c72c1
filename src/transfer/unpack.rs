//! Brings a verified archive's objects into the store, then lays its files out. Touches the store, and the directory that is
//! asked for. Read next: `crate::commands`.

use std::io;
use std::path::Path;

use super::Opened;
use crate::base::{ByteSize, Code, Diagnostic, Diagnostics, Digest, Events};
use crate::format::archive::{ArchiveError, Member, ObjectEntry};
use crate::host::layout::{self, ExpectedFile, Stage};
use crate::store::{Privacy, Store};

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Unpacked {
    /// Objects that were added to the store, and their bytes.
    pub added: u32,
    pub added_bytes: u64,
    /// Objects that were there.
    pub reused: u32,
    /// Files that were laid out now.
    pub files: u32,
}

/// Records what keeps the objects; called when all are in the store, before anything is laid out, so that a failure of it
/// leaves nothing there.
pub(crate) type Keep<'k> = &'k dyn Fn() -> Result<(), Diagnostic>;

/// Imports an archive: everything is decided before a byte is written, the layout comes last and all at once.
///
/// # Errors
/// Objects may be in the store after a failure, each verified; nothing is in the directory.
pub(crate) fn unpack(
    opened: &Opened,
    store: &Store<'_>,
    dir: &Path,
    keep: Keep<'_>,
    events: Events<'_>,
) -> Result<Unpacked, Diagnostics> {
    opened.check()?;
    let wanted = wanted(opened);
    layout::sweep(dir);
    let missing = layout::missing(dir, &wanted)?;
    refuse_missing_objects(opened, store)?;
    refuse_full_disk(opened, store)?;
    let mut unpacked = Unpacked { files: missing.len() as u32, ..Unpacked::default() };
    add_objects(opened, store, events, &mut unpacked)?;
    keep()?;
    if !missing.is_empty() {
        lay_out(opened, store, dir, &missing)?;
    }
    Ok(unpacked)
}

/// Lists what shall lie in the directory.
fn wanted(opened: &Opened) -> Vec<ExpectedFile> {
    let files = opened.index.files.iter().map(|file| ExpectedFile {
        path: file.path.clone(),
        size: file.size,
        digest: file.sha256,
        mode: 0o600,
    });
    let size = |digest: &Digest| {
        opened.index.objects.iter().find(|object| object.sha256 == *digest).map_or(0, |object| object.size)
    };
    let bundles = opened.index.roots.iter().flat_map(|root| {
        root.bundle.iter().map(move |file| ExpectedFile {
            path: root.place(file),
            size: size(&file.sha256),
            digest: file.sha256,
            mode: file.mode,
        })
    });
    files.chain(bundles).collect()
}

/// Reports every object that is neither here nor there, before anything is written.
fn refuse_missing_objects(opened: &Opened, store: &Store<'_>) -> Result<(), Diagnostic> {
    let mut missing = vec![];
    for object in opened.index.objects.iter().filter(|object| !object.held) {
        let found = store.find(&object.sha256)?;
        if found.is_none_or(|found| found.size() != object.size) {
            missing.push(object);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let problem = Diagnostic::new(Code::Archive, "the archive builds on an earlier one that was not imported here");
    let missing = missing.iter().take(8);
    let problem = missing.fold(problem, |problem, object| {
        problem.fact("missing", format!("sha256:{} ({})", object.sha256, ByteSize(object.size)))
    });
    Err(problem
        .fact("store", store.dir().display())
        .note("nothing was imported")
        .hint("import the archive first that `--since` named, or ask for one made without `--since`"))
}

fn refuse_full_disk(opened: &Opened, store: &Store<'_>) -> Result<(), Diagnostic> {
    let mut needed = 0;
    for object in opened.index.objects.iter().filter(|object| object.held) {
        if store.find(&object.sha256)?.is_none() {
            needed += object.size;
        }
    }
    match store.free() {
        Some(free) if free.0 < needed => Err(Diagnostic::new(Code::NoSpace, "the store has no room for the archive")
            .fact("needed", ByteSize(needed))
            .fact("free", free)
            .note("nothing was imported")),
        _ => Ok(()),
    }
}

fn add_objects(
    opened: &Opened,
    store: &Store<'_>,
    events: Events<'_>,
    unpacked: &mut Unpacked,
) -> Result<(), Diagnostic> {
    let mut reader = opened.again(events)?;
    while let Some(member) = reader.next_member() {
        let Member::Object(object) = &member else {
            reader.next_into(&mut io::sink(), &member)?;
            continue;
        };
        let is_there = store.find(&object.sha256)?.is_some();
        unpacked.reused += u32::from(is_there);
        // What becomes private goes through the store even if it is there, which then closes it to others.
        if is_there && !object.private {
            reader.next_into(&mut io::sink(), &member)?;
            continue;
        }
        let mut writer = store.create(privacy(object), Some(object.size))?;
        reader.next_into(&mut writer, &member).map_err(|error| match error {
            ArchiveError::Write(cause) => writer.told(&cause),
            other => other.into(),
        })?;
        writer.finish(Some((&object.sha256, Some(object.size))), None)?;
        if !is_there {
            unpacked.added += 1;
            unpacked.added_bytes += object.size;
        }
    }
    reader.finish().map(drop).map_err(Diagnostic::from)
}

const fn privacy(object: &ObjectEntry) -> Privacy {
    if object.private { Privacy::Provisioning } else { Privacy::Public }
}

fn lay_out(opened: &Opened, store: &Store<'_>, dir: &Path, missing: &[&ExpectedFile]) -> Result<(), Diagnostic> {
    let mut stage = Stage::begin(dir)?;
    for wanted in missing {
        match opened.files.get(&wanted.path) {
            Some(bytes) => stage.write(wanted, &mut bytes.as_slice())?,
            None => {
                let object = store.find(&wanted.digest)?;
                let object = object.ok_or_else(|| Diagnostic::new(Code::CacheCorrupt, "an imported object is gone"))?;
                stage.write(wanted, &mut store.reader(&object)?)?;
            }
        }
    }
    stage.publish()
}
