//! `build --check`: everything built again from its inputs, and compared with what is there. Nothing is replaced.

use std::path::PathBuf;

use super::build::{build_context, plan_all};
use super::update::PublisherQuery;
use super::{Context, Source, moved};
use crate::base::text::one_line;
use crate::base::{Code, Diagnostic, Diagnostics, Digest, Name};
use crate::plan::Plan;
use crate::realise::{self, BuildContext};
use crate::{bundle, realise::Difference};

/// A recipe whose every byte came out the same again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rebuilt {
    pub name: Name,
    pub plan: Digest,
    /// How many results were compared with their realisation.
    pub derivations: u32,
    /// How many files were compared with the bundle; `None` where it is not in the store.
    pub files: Option<usize>,
}

/// Rebuilds every recipe; every difference in all of them is told.
pub(crate) fn rebuild(context: &Context<'_>, recipes: &[PathBuf]) -> Result<Vec<Rebuilt>, Diagnostics> {
    let planned = plan_all(context, recipes)?;
    let mirrors = context.mirrors()?;
    let store = context.open_store()?;
    let fetch = context.fetcher();
    let rewrite = |source: &Source| Context::candidates(&mirrors, source);
    let mut rebuilt = vec![];
    let mut problems = vec![];
    for (loaded, plan) in &planned {
        let build = build_context(context, &store, fetch.as_ref(), &loaded.beside, &rewrite);
        match rebuild_one(context, plan, &build) {
            Ok(one) => rebuilt.push(one),
            Err(more) => {
                let query = PublisherQuery { context, fetch: fetch.as_ref(), mirrors: &mirrors, loaded };
                problems.extend(more.0.into_iter().map(|problem| moved::explain(problem, loaded, &query)));
            }
        }
    }
    if problems.is_empty() { Ok(rebuilt) } else { Err(Diagnostics(problems)) }
}

fn rebuild_one(context: &Context<'_>, plan: &Plan, build: &BuildContext<'_>) -> Result<Rebuilt, Diagnostics> {
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
    if !problems.is_empty() {
        return Err(Diagnostics(problems));
    }
    let files = place.map(|_| entries.len());
    Ok(Rebuilt { name: plan.name.clone(), plan: plan.id, derivations: checked.compared, files })
}

fn never_built(plan: &Plan) -> Diagnostic {
    Diagnostic::new(Code::Usage, format!("`{}` was not built yet", plan.name))
        .note("there is nothing in the store to compare a rebuild with")
        .hint("build it without `--check` first")
}

fn of_derivation(plan: &Plan, difference: &Difference) -> Diagnostic {
    let title = one_line(&difference.title, 80);
    Diagnostic::new(Code::NotReproducible, format!("`{title}` of `{}` came out otherwise than recorded", plan.name))
        .fact("recorded", format!("sha256:{}", difference.recorded))
        .fact("rebuilt", format!("sha256:{}", difference.rebuilt))
        .note("nothing in the store was replaced")
}

fn of_file(plan: &Plan, difference: &bundle::Difference) -> Diagnostic {
    let shown = |digest: Option<Digest>| digest.map_or_else(|| "no such file".to_owned(), |it| format!("sha256:{it}"));
    let file = one_line(&difference.file, 100);
    Diagnostic::new(Code::NotReproducible, format!("file `{file}` of bundle `{}` came out otherwise", plan.name))
        .fact("bundle", shown(difference.published))
        .fact("rebuilt", shown(difference.rebuilt))
        .note("nothing in the store was replaced")
}
