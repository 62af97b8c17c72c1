//! A realised plan as a directory of named files with a manifest, and its verification.
//!
//! Names `base stream format plan emit store host realise`; touches the world through `store` only. The directory is written whole
//! or not at all, is read-only, and its bytes are a function of the plan. Read next: [`manifest`].

pub(crate) mod manifest;

use std::collections::BTreeMap;
use std::path::Path;

use crate::base::{Code, Diagnostic, Diagnostics, Digest, Events};
use crate::emit::{Identity, launch_files};
use crate::format::checksums;
use crate::host::files;
use crate::plan::{Plan, Role, file};
use crate::realise::Realised;
use crate::store::{BundleEntry, Source};
pub(crate) use manifest::{Entry, Manifest};

/// The way out where a bundle is not what was built.
const BUILD_AGAIN: &str =
    "build again: a damaged bundle in the store is replaced; a copy made with `--out` goes to a new directory";

/// Checks, before anything is fetched, whether the launch files of a plan can be written.
///
/// # Errors
///
/// Those of [`launch_files`].
pub(crate) fn can_launch(plan: &Plan) -> Result<(), Diagnostic> {
    launch_files(&plan.machine, &Identity::new(&plan.id, &plan.name)).map(drop)
}

/// Lays a realised plan out as the entries of a bundle, which the store publishes: its files, the manifest, the checksums.
pub(crate) fn entries(plan: &Plan, realised: &Realised) -> Result<Vec<BundleEntry>, Diagnostic> {
    let mut files: Vec<(Entry, Source)> = vec![];
    for (name, output) in &plan.outputs {
        let object = realised.object(&output.derivation)?;
        let mode = if output.role.is_private() { 0o400 } else { 0o444 };
        let entry = Entry::new(name, object.digest(), object.size(), mode, output.role);
        files.push((entry, Source::ObjectAs { object: object.clone(), mode }));
    }
    for launch in launch_files(&plan.machine, &Identity::new(&plan.id, &plan.name))? {
        let mode = if launch.executable { 0o555 } else { 0o444 };
        let entry = Entry::new(&launch.name, Digest::of(&launch.bytes), launch.bytes.len() as u64, mode, Role::Launch);
        files.push((entry, Source::Bytes { bytes: launch.bytes, mode }));
    }
    files.sort_by(|a, b| a.0.path.cmp(&b.0.path));
    let manifest = Manifest::new(plan, files.iter().map(|(entry, _)| entry.clone()).collect());
    let mut entries: Vec<_> =
        files.into_iter().map(|(entry, source)| BundleEntry { file_name: entry.path, source }).collect();
    for (name, text) in [(file::MANIFEST, manifest.to_text()), (file::SHA256SUMS, sums(&manifest))] {
        let source = Source::Bytes { bytes: text.into_bytes(), mode: 0o444 };
        entries.push(BundleEntry { file_name: name.to_owned(), source });
    }
    Ok(entries)
}

/// Writes `SHA256SUMS`: every file that the manifest lists, and the manifest.
fn sums(manifest: &Manifest) -> String {
    let files = manifest.files.iter().map(|entry| (entry.path.as_str(), entry.sha256));
    checksums::sums(&files.chain([(file::MANIFEST, manifest.digest())]).collect::<Vec<_>>())
}

/// A file of a bundle that a rebuild gives otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub file: String,
    /// What the bundle holds; `None` where it lacks the file.
    pub published: Option<Digest>,
    /// What the entries hold; `None` for a file that is not part of it.
    pub rebuilt: Option<Digest>,
}

/// Compares entries with a published bundle, every byte of which is hashed.
pub(crate) fn compare(
    entries: &[BundleEntry],
    directory: &Path,
    events: Events<'_>,
) -> Result<Vec<Difference>, Diagnostic> {
    let mut found: BTreeMap<String, (Option<Digest>, Option<Digest>)> = BTreeMap::new();
    for name in files::list(directory)? {
        let published = files::summarise(&directory.join(&name), events)?.digest;
        found.entry(name).or_default().0 = Some(published);
    }
    for entry in entries {
        let rebuilt = match &entry.source {
            Source::Object(object) | Source::ObjectAs { object, .. } => object.digest(),
            Source::Bytes { bytes, .. } => Digest::of(bytes),
        };
        found.entry(entry.file_name.clone()).or_default().1 = Some(rebuilt);
    }
    let differing = found.into_iter().filter(|(_, (published, rebuilt))| published != rebuilt);
    Ok(differing.map(|(file, (published, rebuilt))| Difference { file, published, rebuilt }).collect())
}

/// What verification looked at.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Verified {
    pub name: String,
    /// Digest of `manifest.json`.
    pub digest: Digest,
    pub files: usize,
    pub bytes: u64,
}

/// Reads a bundle's manifest from a directory.
pub(crate) fn read_manifest(directory: &Path) -> Result<Manifest, Diagnostic> {
    let path = directory.join(file::MANIFEST);
    let text = files::read_text(&path)?.ok_or_else(|| no_bundle(directory))?;
    Manifest::parse(&text)
}

/// Reports that a directory is no bundle.
pub(crate) fn no_bundle(directory: &Path) -> Diagnostic {
    Diagnostic::new(Code::Usage, format!("`{}` is not a bundle", directory.display()))
        .cause(format!("it has no `{}`", file::MANIFEST))
        .hint("name the directory or link that a build gave, such as `./result-nas`")
}

/// Lists the files of a bundle that are not there, each as a problem.
pub(crate) fn missing(directory: &Path, manifest: &Manifest) -> Vec<Diagnostic> {
    let listed = manifest.files.iter().map(|entry| entry.path.as_str());
    listed.filter(|name| !files::exists(&directory.join(name))).map(is_missing).collect()
}

/// Reports that a file of a bundle is not there: as with one that was changed, the bundle is not what was built.
pub(crate) fn is_missing(name: &str) -> Diagnostic {
    Diagnostic::new(Code::Hash, format!("`{name}` is missing from the bundle")).hint(BUILD_AGAIN)
}

/// Hashes every file a manifest lists and looks for files it does not list; every difference is a problem of its own.
pub(crate) fn verify(directory: &Path, events: Events<'_>) -> Result<Verified, Diagnostics> {
    let manifest = read_manifest(directory)?;
    let mut problems = vec![];
    let mut bytes = 0;
    for entry in &manifest.files {
        match verify_file(directory, entry, events) {
            Ok(()) => bytes += entry.size,
            Err(problem) => problems.push(problem),
        }
    }
    problems.extend(verify_sums(directory, &manifest).err());
    let listed = |name: &str| {
        [file::MANIFEST, file::SHA256SUMS].contains(&name) || manifest.files.iter().any(|entry| entry.path == name)
    };
    for name in files::list(directory)?.iter().filter(|name| !listed(name)) {
        let name = crate::base::text::one_line(name, 100);
        problems.push(Diagnostic::new(Code::Hash, format!("`{name}` is not a file of the bundle")));
    }
    if !problems.is_empty() {
        return Err(Diagnostics(problems));
    }
    let digest = manifest.digest();
    Ok(Verified { name: manifest.name, digest, files: manifest.files.len() + 2, bytes })
}

fn verify_file(directory: &Path, entry: &Entry, events: Events<'_>) -> Result<(), Diagnostic> {
    let path = directory.join(&entry.path);
    if !files::exists(&path) {
        return Err(is_missing(&entry.path));
    }
    let found = files::summarise(&path, events)?;
    if found.digest == entry.sha256 && found.size.0 == entry.size {
        return Ok(());
    }
    Err(Diagnostic::new(Code::Hash, format!("`{}` is not what the manifest says", entry.path))
        .fact("expected", format!("sha256:{} ({} bytes)", entry.sha256, entry.size))
        .fact("received", format!("sha256:{} ({} bytes)", found.digest, found.size.0))
        .hint(BUILD_AGAIN))
}

/// The manifest and the sums must say the same, or `sha256sum -c` and this command would disagree.
fn verify_sums(directory: &Path, manifest: &Manifest) -> Result<(), Diagnostic> {
    let found = files::read_text(&directory.join(file::SHA256SUMS))?.ok_or_else(|| is_missing(file::SHA256SUMS))?;
    let on_disk = files::read_text(&directory.join(file::MANIFEST))?.unwrap_or_default();
    if found == sums(manifest) && on_disk == manifest.to_text() {
        return Ok(());
    }
    Err(Diagnostic::new(Code::Hash, format!("`{}` and `{}` do not agree", file::SHA256SUMS, file::MANIFEST)))
}
