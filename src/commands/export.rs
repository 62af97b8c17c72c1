//! `export`: everything a rebuild needs, as one file.

use std::path::{Path, PathBuf};

use super::build::{build_context, make, plan_all};
use super::update::PublisherQuery;
use super::{Context, Loaded, Packed, moved};
use crate::base::{Diagnostic, Diagnostics};
use crate::plan::{Origin, Plan};
use crate::realise::{self, BuildContext};
use crate::recipe::Source;
use crate::transfer::{self, Piece};

/// What to write besides recipes and inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExportOptions {
    /// The bundles' files too.
    pub bundles: bool,
    /// An archive that the other side has.
    pub since: Option<PathBuf>,
}

/// Brings the inputs of every recipe (and builds the bundles, where they are wanted), then writes the archive.
pub(crate) fn export(
    context: &Context<'_>,
    recipes: &[PathBuf],
    output: &Path,
    options: &ExportOptions,
) -> Result<Packed, Diagnostics> {
    let planned = plan_all(context, recipes)?;
    let there = options.since.as_ref().map(|since| transfer::listed(&context.absolute(since))).transpose()?;
    let mirrors = context.mirrors()?;
    let store = context.open_store()?;
    let fetcher = context.fetcher();
    let rewrite = |source: &Source| Context::candidates(&mirrors, source);
    let mut pieces = vec![];
    for (loaded, plan) in &planned {
        let build = build_context(context, &store, fetcher.as_ref(), &loaded.beside, &rewrite);
        let query = PublisherQuery { context, fetch: fetcher.as_ref(), mirrors: &mirrors, loaded };
        pieces.push(piece(&query, plan, &build, options.bundles)?);
    }
    let mut closure = transfer::gather(&pieces)?;
    if let Some(there) = &there {
        closure.leave_out(there);
    }
    Ok(closure.write(&store, &context.absolute(output), context.events)?)
}

fn piece<'a>(
    query: &PublisherQuery<'a>,
    plan: &'a Plan,
    build: &BuildContext<'_>,
    with_bundle: bool,
) -> Result<Piece<'a>, Diagnostics> {
    let loaded = query.loaded;
    let told = |problem| moved::explain(problem, loaded, query);
    let realised = realise::realise_inputs(plan, build).map_err(told)?;
    let pinned = plan.origins.iter().filter(|(_, origin)| matches!(origin, Origin::Pinned { .. }));
    let inputs = pinned.map(|(id, _)| realised.object(id).cloned()).collect::<Result<_, Diagnostic>>()?;
    let bundle = if with_bundle { Some(make(plan, build).map_err(told)?.0) } else { None };
    let files = loaded.local_files()?;
    let (text, recipe, lock) = (loaded.text.as_str(), &loaded.recipe, &loaded.lock);
    Ok(Piece { file_name: file_name(loaded), text, recipe, lock, files, plan, inputs, bundle })
}

/// Returns the recipe's own file name; that of one inside the program has no ending yet.
fn file_name(loaded: &Loaded) -> String {
    let path = Path::new(&loaded.recipe.file);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if loaded.beside.directory().is_none() { format!("{name}.toml") } else { name }
}
