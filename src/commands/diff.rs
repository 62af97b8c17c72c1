//! `diff`: what differs between two bundles or between two recipes' plans.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use serde::Serialize;

use super::context::Context;
use super::launch_source::Target;
use super::printer::{Output, Printer};
use super::recipe_file::LoadedRecipe;
use crate::base::text::{count, sanitise};
use crate::base::{Code, Diagnostic, Diagnostics, Events};
use crate::bundle::{Manifest, read_manifest};
use crate::compare::{self, Differences};
use crate::host::files;
use crate::plan::{Plan, Role};

/// Show what differs between two bundles or two recipes' plans; provisioned content shows as ***
#[derive(Debug, Args)]
pub(crate) struct DiffOptions {
    /// A bundle (or the link to it), or a recipe
    #[arg(value_name = "A", value_hint = ValueHint::AnyPath)]
    before: PathBuf,
    /// Another of the same kind
    #[arg(value_name = "B", value_hint = ValueHint::AnyPath)]
    after: PathBuf,
}

#[derive(Serialize)]
struct DiffOutput {
    identical: bool,
    differences: Differences,
}

impl DiffOptions {
    /// Prints what differs; that something does is the answer, which the exit code gives.
    pub(crate) fn run(self, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        let differences = diff(context, &self.before, &self.after)?;
        let many = differences.0.len();
        printer.show(&DiffOutput { identical: many == 0, differences })?;
        match many {
            0 => Ok(()),
            _ => Err(Diagnostic::new(Code::Differs, count(many, "difference")).into()),
        }
    }
}

impl Output for DiffOutput {
    fn print(&self, printer: &Printer) {
        printer.data(&sanitise(&self.differences.to_string()));
        if self.identical {
            printer.say("identical");
        }
    }
}

/// Compares two bundles (directories, or links to them) or two recipes; nothing is written, no socket opened.
fn diff(context: &Context<'_>, before: &Path, after: &Path) -> Result<Differences, Diagnostics> {
    match (Target::by(context, before)?, Target::by(context, after)?) {
        (Target::Bundle(before), Target::Bundle(after)) => Ok(bundles(&before, &after, context.events)?),
        (Target::Recipe, Target::Recipe) => {
            Ok(compare::plans(&plan(context, before)?.to_json(), &plan(context, after)?.to_json()))
        }
        (first, _) => {
            let (bundle, recipe) = if first == Target::Recipe { (after, before) } else { (before, after) };
            Err(Diagnostic::new(Code::Usage, "a bundle and a recipe cannot be compared")
                .fact("bundle", bundle.display())
                .fact("recipe", recipe.display())
                .hint("name two bundles, or two recipes; `arca-build build --check RECIPE` compares a recipe with what was built of it")
                .into())
        }
    }
}

fn plan(context: &Context<'_>, recipe: &Path) -> Result<Plan, Diagnostics> {
    LoadedRecipe::read(context, recipe)?.plan(context)
}

fn bundles(before: &Path, after: &Path, events: Events<'_>) -> Result<Differences, Diagnostic> {
    let sides = [before, after];
    let manifests = (read_manifest(before)?, read_manifest(after)?);
    let (old, new) = (files::list(before)?, files::list(after)?);
    let names: BTreeSet<_> = old.iter().chain(&new).collect();
    let mut differences = Differences::default();
    for name in names {
        let size = |side: &Path| files::summarise(&side.join(name), events).map(|found| found.size.0);
        match (old.contains(name), new.contains(name)) {
            (true, false) => differences.add_lonely(name, Some(size(before)?), None),
            (false, true) => differences.add_lonely(name, None, Some(size(after)?)),
            _ => {
                let is_launch = is_launch(&manifests.0, name) && is_launch(&manifests.1, name);
                file(&sides.map(|side| side.join(name)), name, is_launch, &mut differences, events)?;
            }
        }
    }
    Ok(differences)
}

fn is_launch(manifest: &Manifest, name: &str) -> bool {
    manifest.files.iter().any(|entry| entry.path == name && entry.role == Role::Launch)
}

/// Hashes both files; looks into them only where they differ.
fn file(
    [before, after]: &[PathBuf; 2],
    name: &str,
    is_launch: bool,
    differences: &mut Differences,
    events: Events<'_>,
) -> Result<(), Diagnostic> {
    if files::summarise(before, events)? == files::summarise(after, events)? {
        return Ok(());
    }
    let (mut before, mut after) = (files::open(before)?, files::open(after)?);
    differences
        .add_file(name, is_launch, &mut before, &mut after)
        .map_err(|error| Diagnostic::io(format!("cannot read `{name}`"), &error))
}
