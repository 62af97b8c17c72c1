//! `diff`: what differs between two bundles or between two recipes' plans.

use std::collections::BTreeSet;
use std::path::Path;

use super::launch_source::Target;
use super::{Context, Loaded};
use crate::base::{Code, Diagnostic, Diagnostics, Events};
use crate::bundle::{Manifest, read_manifest};
use crate::compare::{self, Differences};
use crate::host::files;
use crate::plan::{Plan, Role};

/// Compares two bundles (directories, or links to them) or two recipes; nothing is written, no socket opened.
pub(crate) fn diff(context: &Context<'_>, before: &Path, after: &Path) -> Result<Differences, Diagnostics> {
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
    Loaded::read(context, recipe)?.plan(context)
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
    [before, after]: &[std::path::PathBuf; 2],
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
