//! `import`: an archive's objects into the store, its recipes into a directory.

use std::path::{Path, PathBuf};

use super::store::keep;
use super::{Context, Unpacked};
use crate::base::{ByteSize, Code, Diagnostic, Diagnostics, Digest, text::one_line};
use crate::host::files;
use crate::store::{Holder, Root, Store};
use crate::transfer::{self, Opened};

/// Why an archive may say what its recipes are built from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Its sha256 came another way, and must be this.
    Digest(Digest),
    /// The person says so.
    Blind,
    /// Nothing was said.
    None,
}

/// What an import gave.
#[derive(Debug)]
pub(crate) struct Imported {
    /// Where the recipes are.
    pub directory: PathBuf,
    /// The recipes' file names in it.
    pub recipes: Vec<String>,
    pub digest: Digest,
    pub unpacked: Unpacked,
}

/// Verifies an archive whole, asks for trust, then imports it into the store and `into`.
pub(crate) fn import(
    context: &Context<'_>,
    archive: &Path,
    trust: &Trust,
    into: Option<&Path>,
) -> Result<Imported, Diagnostics> {
    let directory = context.absolute(&into.map_or_else(|| default_directory(archive), |into| Ok(into.to_owned()))?);
    let opened = transfer::open(&context.absolute(archive), context.events)?;
    demand_trust(&opened, archive, trust)?;
    let store = context.open_store()?;
    let unpacked =
        transfer::unpack(&opened, &store, &directory, &|| hold(context, &store, &opened, &directory), context.events)?;
    let recipes = opened.index.roots.iter().map(|root| root.recipe.clone()).collect();
    Ok(Imported { directory, recipes, digest: opened.digest, unpacked })
}

/// Lets the directory keep what its recipes are built from, as long as it is there; several archives may lie in one.
fn hold(context: &Context<'_>, store: &Store<'_>, opened: &Opened, directory: &Path) -> Result<(), Diagnostic> {
    let holder = Holder::Link(files::one_spelling(directory));
    let earlier = store.root(&holder).filter(|_| files::is_directory(directory)).map(|root| root.objects);
    let objects =
        opened.index.objects.iter().map(|object| object.sha256).chain(earlier.into_iter().flatten()).collect();
    keep(context, store, &Root { holder, bundle: None, objects })
}

/// `nas.arca` is laid out in `./nas`.
fn default_directory(archive: &Path) -> Result<PathBuf, Diagnostic> {
    let stem = archive.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".arca"));
    stem.filter(|stem| !stem.is_empty() && !matches!(*stem, "." | "..")).map(PathBuf::from).ok_or_else(|| {
        Diagnostic::new(Code::Usage, "the archive's name does not end in `.arca`, so it names no directory")
            .hint("name one with `--into DIR`")
    })
}

/// The bytes of an archive prove themselves; that its recipes mean what somebody promised does not.
fn demand_trust(opened: &Opened, archive: &Path, trust: &Trust) -> Result<(), Diagnostic> {
    let digest = opened.digest;
    let shown = one_line(&archive.to_string_lossy(), 200);
    match trust {
        Trust::Blind => Ok(()),
        Trust::Digest(expected) if *expected == digest => Ok(()),
        Trust::Digest(expected) => Err(Diagnostic::new(Code::Hash, format!("`{shown}` is not the archive you expect"))
            .fact("expected", format!("sha256:{expected}"))
            .fact("found", format!("sha256:{digest}"))
            .note("nothing was imported")),
        Trust::None => {
            let recipes: Vec<_> = opened.index.roots.iter().map(|root| root.recipe.as_str()).collect();
            let (held, elsewhere) = opened.index.sizes();
            let objects = format!("{} ({})", opened.index.objects.len(), ByteSize(held.saturating_add(elsewhere)));
            Err(Diagnostic::new(Code::UntrustedRoot, format!("nobody vouches for `{shown}`"))
                .fact("digest", format!("sha256:{digest}"))
                .fact("recipes", one_line(&recipes.join(" "), 300))
                .fact("objects", objects)
                .note("nothing was imported")
                .hint("compare the digest with what `arca-build export` printed, then name it with `--expect DIGEST`"))
        }
    }
}
