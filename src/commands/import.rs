//! `import`: an archive's objects into the store, its recipes into a directory.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use serde::Serialize;

use super::context::Context;
use super::printer::{Output, Printer, ShownPath};
use super::roots::add_root;
use crate::base::text::{count, one_line};
use crate::base::{ByteSize, Code, Diagnostic, Diagnostics, Digest};
use crate::host::files;
use crate::store::{Holder, Root, Store};
use crate::transfer::{self, Opened, Unpacked};

/// Import an exported archive into the store, and write its recipes to a directory
#[derive(Debug, Args)]
pub(crate) struct ImportOptions {
    /// What `arca-build export` wrote
    #[arg(value_name = "ARCHIVE", value_hint = ValueHint::FilePath)]
    archive: PathBuf,
    /// What `arca-build export` printed: the archive's sha256
    #[arg(long, value_name = "DIGEST", value_parser = digest)]
    expect: Option<Digest>,
    /// Import it without comparing its digest, whoever made it
    #[arg(long, conflicts_with = "expect")]
    trust: bool,
    /// Directory for the recipes [default: the archive's name without `.arca`]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    into: Option<PathBuf>,
}

/// Reads a digest, with or without the `sha256:` before it.
fn digest(text: &str) -> Result<Digest, crate::base::digest::DigestError> {
    Digest::parse(text.strip_prefix("sha256:").unwrap_or(text))
}

#[derive(Serialize)]
struct ImportOutput {
    /// Where the recipes are.
    directory: ShownPath,
    /// The recipes' file names in it.
    recipes: Vec<String>,
    digest: Digest,
    #[serde(flatten)]
    unpacked: Unpacked,
}

impl ImportOptions {
    /// Verifies an archive whole, asks for trust, then imports it.
    pub(crate) fn run(self, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        let archive = &self.archive;
        let directory = context.absolute(&self.into.map_or_else(|| default_directory(archive), Ok)?);
        let opened = transfer::open(&context.absolute(archive), context.events)?;
        demand_trust(&opened, archive, self.expect, self.trust)?;
        let store = context.open_store()?;
        let hold = || hold(context, &store, &opened, &directory);
        let unpacked = transfer::unpack(&opened, &store, &directory, &hold, context.events)?;
        let recipes = opened.index.roots.iter().map(|root| root.recipe.clone()).collect();
        printer.show(&ImportOutput { directory: directory.into(), recipes, digest: opened.digest, unpacked })
    }
}

impl Output for ImportOutput {
    fn print(&self, printer: &Printer) {
        let directory = &self.directory;
        for recipe in &self.recipes {
            printer.line(one_line(&directory.join(recipe).to_string_lossy(), 4096));
        }
        let Unpacked { added, added_bytes, reused, files } = self.unpacked;
        printer.say(&format!(
            "{} added ({}), {reused} there already; {} laid out in {}",
            count(added, "object"),
            ByteSize(added_bytes),
            count(files, "file"),
            directory.display()
        ));
        printer.say("build them with `arca-build --offline build RECIPE`");
    }
}

/// Lets the directory keep what its recipes are built from, as long as it is there; several archives may lie in one.
fn hold(context: &Context<'_>, store: &Store<'_>, opened: &Opened, directory: &Path) -> Result<(), Diagnostic> {
    let holder = Holder::Link(files::one_spelling(directory));
    let earlier = store.root(&holder).filter(|_| files::is_directory(directory)).map(|root| root.objects);
    let objects =
        opened.index.objects.iter().map(|object| object.sha256).chain(earlier.into_iter().flatten()).collect();
    add_root(context, store, &Root { holder, bundle: None, objects })
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
fn demand_trust(opened: &Opened, archive: &Path, expect: Option<Digest>, is_trusted: bool) -> Result<(), Diagnostic> {
    let digest = opened.digest;
    let shown = one_line(&archive.to_string_lossy(), 200);
    match expect {
        None if is_trusted => Ok(()),
        Some(expected) if expected == digest => Ok(()),
        Some(expected) => Err(Diagnostic::new(Code::Hash, format!("`{shown}` is not the archive you expect"))
            .fact("expected", format!("sha256:{expected}"))
            .fact("received", format!("sha256:{digest}"))
            .note("nothing was imported")),
        None => {
            let recipes: Vec<_> = opened.index.roots.iter().map(|root| root.recipe.as_str()).collect();
            let (held, elsewhere) = opened.index.sizes();
            let objects = format!("{} ({})", opened.index.objects.len(), ByteSize(held.saturating_add(elsewhere)));
            Err(Diagnostic::new(Code::UntrustedRoot, format!("`{shown}` is not authenticated"))
                .fact("digest", format!("sha256:{digest}"))
                .fact("recipes", one_line(&recipes.join(" "), 300))
                .fact("objects", objects)
                .note("nothing was imported")
                .hint("compare the digest with what `arca-build export` printed, then name it with `--expect DIGEST`"))
        }
    }
}
