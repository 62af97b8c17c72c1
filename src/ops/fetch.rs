//! `fetch`: bring every input of the recipes into the store, so that a later build needs no network.

use std::path::PathBuf;

use super::Session;
use super::build::{plan_all, workshop};
use super::moved;
use super::update::Asker;
use crate::base::{ByteSize, Digest, Problems};
use crate::realise::{self, Tally};
use crate::recipe::Source;

/// An input that is in the store now.
#[derive(Debug)]
pub struct Fetched {
    pub title: String,
    pub digest: Digest,
    pub size: ByteSize,
    pub path: PathBuf,
}

/// Realises the inputs of every recipe.
pub fn fetch(session: &Session<'_>, recipes: &[PathBuf]) -> Result<(Vec<Fetched>, Tally), Problems> {
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
