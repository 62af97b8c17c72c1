//! What keeps objects from collection after a command: the roots of results and of fetched inputs.

use super::context::Context;
use super::recipe_file::LoadedRecipe;
use crate::base::{Code, Diagnostic, Digest};
use crate::host::files;
use crate::plan::{Builder, Plan};
use crate::store::{Holder, Root, Store};

/// Records a root for something that was done already; in a store that may only be read the work still counts.
pub(super) fn add_root(context: &Context<'_>, store: &Store<'_>, root: &Root) -> Result<(), Diagnostic> {
    match store.add_root(root) {
        // One that could be written and did not take this is a failure: nobody would know until the next collection.
        Err(problem) if problem.code == Code::CacheReadOnly && !store.is_writable() => {
            let text = "the store may only be read here, so it does not record what the next collection must keep";
            context.warn(text);
            Ok(())
        }
        other => other,
    }
}

/// Lists what a plan takes from outside, by its pins.
pub(super) fn inputs(plan: &Plan) -> impl Iterator<Item = Digest> + '_ {
    plan.derivations.iter().filter_map(|derivation| match &derivation.builder {
        Builder::Fixed { digest } => Some(*digest),
        _ => None,
    })
}

/// Returns the root that keeps a recipe's inputs as long as the recipe's file is there.
///
/// `None` for the recipe inside the program, which has no file.
pub(super) fn inputs_root(context: &Context<'_>, loaded: &LoadedRecipe, plan: &Plan) -> Option<Root> {
    loaded.beside.directory()?;
    let path = files::one_spelling(&context.absolute(std::path::Path::new(&loaded.recipe.file)));
    Some(Root { holder: Holder::Link(path), bundle: None, objects: inputs(plan).collect() })
}

/// Moves the root of a recipe that was fetched once to its pins of today, so that what it no longer names can be collected.
pub(super) fn follow_pins(
    context: &Context<'_>,
    store: &Store<'_>,
    loaded: &LoadedRecipe,
    plan: &Plan,
) -> Result<(), Diagnostic> {
    let Some(root) = inputs_root(context, loaded, plan) else { return Ok(()) };
    if store.root(&root.holder).is_none() { Ok(()) } else { add_root(context, store, &root) }
}
