//! `explain`: which engine applies each part of a recipe and why, before anything is built.

use clap::Args;
use serde::Serialize;

use super::context::Context;
use super::printer::{Output, Printer};
use super::recipe_file::LoadedRecipe;
use super::recipes::{Recipes, each, unless};
use crate::base::Diagnostics;
use crate::provision::explain::Explanation;

/// Show which engine applies each part of a recipe and why, and what the guest does at its first boot
#[derive(Debug, Args)]
pub(crate) struct ExplainOptions {
    #[command(flatten)]
    recipes: Recipes,
}

#[derive(Serialize)]
struct ExplainOutput {
    explanations: Vec<Explanation>,
    #[serde(skip)]
    text: String,
}

impl ExplainOptions {
    /// Explains every recipe; neither store nor network is opened, and nothing has to be pinned.
    pub(crate) fn run(self, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        let (all, problems) = each(&self.recipes.recipes, |path| LoadedRecipe::read(context, path)?.explain());
        let all = unless(problems, all)?;
        let texts: Vec<_> = all.iter().map(ToString::to_string).collect();
        printer.show(&ExplainOutput { explanations: all, text: texts.join("\n") })
    }
}

impl Output for ExplainOutput {
    fn print(&self, printer: &Printer) {
        printer.text(&self.text);
    }
}
