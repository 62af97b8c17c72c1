//! `export`: everything a rebuild needs, as one file.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use serde::Serialize;

use super::build::make;
use super::context::Context;
use super::printer::{Output, Printer, ShownPath};
use super::recipe_file::LoadedRecipe;
use super::recipes::{Realiser, Recipes};
use crate::base::text::{count, one_line};
use crate::base::{ByteSize, Diagnostic, Diagnostics};
use crate::plan::{Origin, Plan};
use crate::realise::{self, BuildContext};
use crate::transfer::{self, Index, Packed, Piece};

/// Write all that a rebuild elsewhere needs into one file: recipes, their files, pins, inputs
#[derive(Debug, Args)]
pub(crate) struct ExportOptions {
    #[command(flatten)]
    recipes: Recipes,
    /// File to write, such as nas.arca; never over another one
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: PathBuf,
    /// Also the bundles, to compare with or to use as they are
    #[arg(long)]
    bundles: bool,
    /// Leave out what the importer of this archive has
    #[arg(long, value_name = "ARCHIVE", value_hint = ValueHint::FilePath)]
    since: Option<PathBuf>,
}

#[derive(Serialize)]
struct ExportOutput {
    path: ShownPath,
    #[serde(flatten)]
    packed: Packed,
}

impl ExportOptions {
    /// Brings the inputs of every recipe (and builds the bundles, where they are wanted), then writes the archive.
    pub(crate) fn run(self, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        let planned = self.recipes.plan(context)?;
        let there = self.since.map(|since| transfer::listed(&context.absolute(&since))).transpose()?;
        let realiser = Realiser::open(context)?;
        let mut pieces = vec![];
        for (loaded, plan) in &planned {
            pieces.push(realiser.with(loaded, |build| piece(loaded, plan, build, self.bundles))?);
        }
        let mut closure = transfer::gather(&pieces)?;
        if let Some(there) = &there {
            closure.leave_out(there);
        }
        let packed = closure.write(&realiser.store, &context.absolute(&self.output), context.events)?;
        printer.show(&ExportOutput { path: self.output.into(), packed })
    }
}

fn piece<'a>(
    loaded: &'a LoadedRecipe,
    plan: &'a Plan,
    build: &BuildContext<'_>,
    with_bundle: bool,
) -> Result<Piece<'a>, Diagnostics> {
    let realised = realise::realise_inputs(plan, build)?;
    let pinned = plan.origins.iter().filter(|(_, origin)| matches!(origin, Origin::Pinned { .. }));
    let inputs = pinned.map(|(id, _)| realised.object(id).cloned()).collect::<Result<_, Diagnostic>>()?;
    let bundle = if with_bundle { Some(make(plan, build)?.0) } else { None };
    let files = loaded.local_files()?;
    let (text, recipe, lock) = (loaded.text.as_str(), &loaded.recipe, &loaded.lock);
    Ok(Piece { file_name: file_name(loaded), text, recipe, lock, files, plan, inputs, bundle })
}

/// Returns the recipe's own file name; that of one inside the program has no ending yet.
fn file_name(loaded: &LoadedRecipe) -> String {
    let path = Path::new(&loaded.recipe.file);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if loaded.beside.directory().is_none() { format!("{name}.toml") } else { name }
}

impl Output for ExportOutput {
    /// Prints one line as `sha256sum` writes it, so that `sha256sum -c` reads it.
    fn print(&self, printer: &Printer) {
        let Packed { digest, size, unchanged, index } = &self.packed;
        printer.line(format_args!("{digest}  {}", one_line(&self.path.to_string_lossy(), 4096)));
        printer.say_aligned(&[
            ("archive", format!("{}{}", ByteSize(*size), if *unchanged { " (nothing to do)" } else { "" })),
            ("holds", contents(index)),
            ("import", format!("arca-build import {} --expect {digest}", carried_name(&self.path))),
        ]);
    }
}

/// Returns the archive's own name, as one types it where it is carried to.
fn carried_name(path: &Path) -> String {
    let name = path.file_name().and_then(|name| name.to_str());
    let is_plain =
        |name: &&str| !name.starts_with('-') && name.chars().all(|c| c.is_ascii_alphanumeric() || "._+-".contains(c));
    name.filter(is_plain).unwrap_or("ARCHIVE").to_owned()
}

/// Returns in one line what an archive holds.
pub(super) fn contents(index: &Index) -> String {
    let (held, elsewhere) = index.sizes();
    let objects = |held: bool| index.objects.iter().filter(|object| object.held == held).count();
    let there = match objects(false) {
        0 => String::new(),
        more => format!("; {more} more ({}) must be there already", ByteSize(elsewhere)),
    };
    let (recipes, files) = (count(index.roots.len(), "recipe"), count(index.files.len(), "file"));
    format!("{recipes}, {files}, {} ({}){there}", count(objects(true), "object"), ByteSize(held))
}
