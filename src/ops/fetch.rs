//! `fetch`: bring every input of the recipes into the store, so that a later build needs no network.

use std::path::PathBuf;

use super::Session;
use super::build::{inputs, plan_all, workshop};
use super::store::keep;
use super::update::Asker;
use super::{Loaded, moved};
use crate::base::{ByteSize, Diagnostic, Diagnostics, Digest};
use crate::host::files;
use crate::plan::Plan;
use crate::realise::{self, Tally};
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
pub(crate) fn fetch(session: &Session<'_>, recipes: &[PathBuf]) -> Result<(Vec<Fetched>, Tally), Diagnostics> {
    let planned = plan_all(session, recipes)?;
    let mirrors = session.mirrors()?;
    let store = session.open_store()?;
    let fetcher = session.fetcher();
    let rewrite = |source: &Source| Session::candidates(&mirrors, source);
    let mut fetched = vec![];
    let mut tally = Tally::default();
    for (loaded, plan) in &planned {
        let workshop = workshop(session, &store, fetcher.as_ref(), &loaded.beside, &rewrite);
        let realised = realise::realise_inputs(plan, &workshop).map_err(|problem| {
            let asker = Asker { session, fetch: fetcher.as_ref(), mirrors: &mirrors, loaded };
            moved::explain(problem, loaded, &asker)
        })?;
        if let Some(root) = root(session, loaded, plan) {
            keep(session, &store, &root)?;
        }
        tally.reused += realised.tally.reused;
        tally.fetched += realised.tally.fetched;
        tally.fetched_bytes += realised.tally.fetched_bytes;
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
    Ok((fetched, tally))
}

/// Returns the root that keeps a recipe's inputs as long as the recipe's file is there.
///
/// `None` for the recipe inside the program, which has no file.
fn root(session: &Session<'_>, loaded: &Loaded, plan: &Plan) -> Option<Root> {
    loaded.beside.directory()?;
    let path = files::one_spelling(&session.absolute(std::path::Path::new(&loaded.recipe.file)));
    Some(Root { holder: Holder::Link(path), bundle: None, objects: inputs(plan).collect() })
}

/// Lets the root of a recipe that was fetched once follow its pins, so that what it names no more can be collected.
pub(super) fn move_root(
    session: &Session<'_>,
    store: &Store<'_>,
    loaded: &Loaded,
    plan: &Plan,
) -> Result<(), Diagnostic> {
    let Some(root) = root(session, loaded, plan) else { return Ok(()) };
    if store.root(&root.holder).is_none() { Ok(()) } else { keep(session, store, &root) }
}
