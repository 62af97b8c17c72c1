//! `fetch`: bring every input of the recipes into the store, so that a later build needs no network.

use std::path::PathBuf;

use super::Context;
use super::build::{build_context, inputs, plan_all};
use super::store::keep;
use super::update::PublisherQuery;
use super::{Loaded, moved};
use crate::base::{ByteSize, Diagnostic, Diagnostics, Digest};
use crate::host::files;
use crate::plan::Plan;
use crate::realise::{self, BuildStats};
use crate::recipe::Source;
use crate::store::{Holder, Root, Store};

/// An input that is in the store now.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub title: String,
    pub digest: Digest,
    pub size: ByteSize,
    pub path: PathBuf,
}

/// Realises the inputs of every recipe.
pub(crate) fn fetch(context: &Context<'_>, recipes: &[PathBuf]) -> Result<(Vec<Fetched>, BuildStats), Diagnostics> {
    let planned = plan_all(context, recipes)?;
    let mirrors = context.mirrors()?;
    let store = context.open_store()?;
    let fetcher = context.fetcher();
    let rewrite = |source: &Source| Context::candidates(&mirrors, source);
    let mut fetched = vec![];
    let mut stats = BuildStats::default();
    for (loaded, plan) in &planned {
        let build = build_context(context, &store, fetcher.as_ref(), &loaded.beside, &rewrite);
        let realised = realise::realise_inputs(plan, &build).map_err(|problem| {
            let query = PublisherQuery { context, fetch: fetcher.as_ref(), mirrors: &mirrors, loaded };
            moved::explain(problem, loaded, &query)
        })?;
        if let Some(root) = root(context, loaded, plan) {
            keep(context, &store, &root)?;
        }
        stats.reused += realised.stats.reused;
        stats.fetched += realised.stats.fetched;
        stats.fetched_bytes += realised.stats.fetched_bytes;
        for (derivation, _) in plan.pinned() {
            let object = realised.object(&derivation.id)?;
            fetched.push(Fetched {
                title: format!("{}: {}", plan.name, derivation.title),
                digest: object.digest(),
                size: ByteSize(object.size()),
                path: store.path(object),
            });
        }
    }
    Ok((fetched, stats))
}

/// Returns the root that keeps a recipe's inputs as long as the recipe's file is there.
///
/// `None` for the recipe inside the program, which has no file.
fn root(context: &Context<'_>, loaded: &Loaded, plan: &Plan) -> Option<Root> {
    loaded.beside.directory()?;
    let path = files::one_spelling(&context.absolute(std::path::Path::new(&loaded.recipe.file)));
    Some(Root { holder: Holder::Link(path), bundle: None, objects: inputs(plan).collect() })
}

/// Lets the root of a recipe that was fetched once follow its pins, so that what it names no more can be collected.
pub(super) fn move_root(
    context: &Context<'_>,
    store: &Store<'_>,
    loaded: &Loaded,
    plan: &Plan,
) -> Result<(), Diagnostic> {
    let Some(root) = root(context, loaded, plan) else { return Ok(()) };
    if store.root(&root.holder).is_none() { Ok(()) } else { keep(context, store, &root) }
}
