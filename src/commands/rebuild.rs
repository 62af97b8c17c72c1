//! `build --check`: everything built again from its inputs, and compared with what is there. Nothing is replaced.

use serde::Serialize;

use super::context::Context;
use super::printer::{Output, Printer};
use super::recipes::{Realiser, Recipes, each, unless};
use crate::base::text::{count, one_line};
use crate::base::{Code, Diagnostic, Diagnostics, Digest, Name};
use crate::plan::Plan;
use crate::realise::{self, BuildContext};
use crate::{bundle, realise::Difference};

#[derive(Debug, Serialize)]
pub(super) struct RebuildOutput {
    rebuilt: Vec<IdenticalRebuild>,
}

/// A recipe whose every byte was built the same again.
#[derive(Debug, Serialize)]
struct IdenticalRebuild {
    name: Name,
    plan: Digest,
    identical: bool,
    /// How many results were compared with their realisation.
    derivations: u32,
    /// How many files were compared with the bundle; `None` where it is not in the store.
    files: Option<usize>,
}

impl RebuildOutput {
    /// Rebuilds every recipe; every difference in all of them is reported.
    pub(super) fn of(context: &Context<'_>, recipes: &Recipes) -> Result<Self, Diagnostics> {
        let planned = recipes.plan(context)?;
        let realiser = Realiser::open(context)?;
        let (rebuilt, problems) =
            each(&planned, |(loaded, plan)| realiser.with(loaded, |build| rebuild_one(context, plan, build)));
        unless(problems, Self { rebuilt })
    }
}

impl Output for RebuildOutput {
    fn print(&self, printer: &Printer) {
        for one in &self.rebuilt {
            let files =
                one.files.map_or_else(|| "the bundle is not in the store".to_owned(), |files| count(files, "file"));
            let derivations = count(one.derivations, "derivation");
            printer.line(format_args!("{}: identical; {derivations}, {files}", one.name));
        }
    }
}

fn rebuild_one(context: &Context<'_>, plan: &Plan, build: &BuildContext<'_>) -> Result<IdenticalRebuild, Diagnostics> {
    let store = build.store;
    let place = store.bundle_place(&plan.id, &plan.name);
    let is_known = plan.derivations.iter().any(|derivation| store.recorded(&derivation.id).is_some());
    if place.is_none() && !is_known {
        return Err(never_built(plan).into());
    }
    let checked = realise::check(plan, build)?;
    let entries = bundle::entries(plan, &checked.realised)?;
    let mut problems: Vec<_> = checked.differences.iter().map(|one| of_derivation(plan, one)).collect();
    if let Some(directory) = &place {
        problems.extend(bundle::compare(&entries, directory, context.events)?.iter().map(|one| of_file(plan, one)));
    }
    let files = place.map(|_| entries.len());
    let (name, derivations) = (plan.name.clone(), checked.compared);
    unless(problems, IdenticalRebuild { name, plan: plan.id, identical: true, derivations, files })
}

fn never_built(plan: &Plan) -> Diagnostic {
    Diagnostic::new(Code::Usage, format!("`{}` is not built yet", plan.name))
        .note("the store holds nothing to compare a rebuild with")
        .hint("build it without `--check` first")
}

fn of_derivation(plan: &Plan, difference: &Difference) -> Diagnostic {
    let what = format!("`{}` of `{}`", one_line(&difference.title, 80), plan.name);
    other_bytes(&format!("{what} was rebuilt with different bytes than recorded"))
        .fact("recorded", format!("sha256:{}", difference.recorded))
        .fact("rebuilt", format!("sha256:{}", difference.rebuilt))
}

fn of_file(plan: &Plan, difference: &bundle::Difference) -> Diagnostic {
    let shown = |digest: Option<Digest>| digest.map_or_else(|| "no such file".to_owned(), |it| format!("sha256:{it}"));
    let what = format!("file `{}` of bundle `{}`", one_line(&difference.file, 100), plan.name);
    other_bytes(&format!("{what} was rebuilt with different bytes"))
        .fact("bundle", shown(difference.published))
        .fact("rebuilt", shown(difference.rebuilt))
}

fn other_bytes(headline: &str) -> Diagnostic {
    Diagnostic::new(Code::NotReproducible, headline).note("nothing in the store was replaced")
}
