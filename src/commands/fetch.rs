//! `fetch`: bring every input of the recipes into the store, so that a later build needs no network.

use clap::Args;
use serde::Serialize;

use super::context::Context;
use super::printer::{Output, Printer, ShownPath};
use super::recipes::{Realiser, Recipes};
use super::roots::{add_root, inputs_root};
use crate::base::{ByteSize, Diagnostics, Digest};
use crate::realise::{self, BuildStats};

/// Bring the inputs of recipes into the store, for a build without network later
#[derive(Debug, Args)]
pub(crate) struct FetchOptions {
    #[command(flatten)]
    recipes: Recipes,
}

#[derive(Debug, Default, Serialize)]
struct FetchOutput {
    inputs: Vec<FetchedInput>,
    work: BuildStats,
}

/// An input that is in the store now.
#[derive(Debug, Serialize)]
struct FetchedInput {
    input: String,
    sha256: Digest,
    size: ByteSize,
    path: ShownPath,
}

impl FetchOptions {
    /// Realises the inputs of every recipe.
    pub(crate) fn run(self, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        let planned = self.recipes.plan(context)?;
        let realiser = Realiser::open(context)?;
        let mut output = FetchOutput::default();
        for (loaded, plan) in &planned {
            let realised = realiser.with(loaded, |build| Ok(realise::realise_inputs(plan, build)?))?;
            if let Some(root) = inputs_root(context, loaded, plan) {
                add_root(context, &realiser.store, &root)?;
            }
            output.work.add(&realised.stats);
            for (derivation, _) in plan.pinned() {
                let object = realised.object(&derivation.id)?;
                output.inputs.push(FetchedInput {
                    input: format!("{}: {}", plan.name, derivation.title),
                    sha256: object.digest(),
                    size: ByteSize(object.size()),
                    path: realiser.store.path(object).into(),
                });
            }
        }
        printer.show(&output)
    }
}

impl Output for FetchOutput {
    fn print(&self, printer: &Printer) {
        for FetchedInput { input, sha256, size, path } in &self.inputs {
            printer.line(path.display());
            printer.say(&format!("{input}  sha256:{}  {size}", sha256.short()));
        }
        let BuildStats { reused, fetched, fetched_bytes, .. } = self.work;
        printer.say(&format!("{reused} reused, {fetched} fetched ({})", ByteSize(fetched_bytes)));
    }
}
