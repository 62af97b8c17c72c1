//! `explain`: which engine applies each part of a recipe and why, before anything is built.

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

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
    explanations: Vec<Value>,
    #[serde(skip)]
    text: String,
}

impl ExplainOptions {
    /// Explains every recipe; neither store nor network is opened, and nothing has to be pinned.
    pub(crate) fn run(self, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        let (all, problems) = each(&self.recipes.recipes, |path| LoadedRecipe::read(context, path)?.explain());
        let all = unless(problems, all)?;
        let texts: Vec<_> = all.iter().map(ToString::to_string).collect();
        printer.show(&ExplainOutput { explanations: all.iter().map(json_of).collect(), text: texts.join("\n") })
    }
}

impl Output for ExplainOutput {
    fn print(&self, printer: &Printer) {
        printer.text(&self.text);
    }
}

fn json_of(one: &Explanation) -> Value {
    let placed = one.assignments.iter().map(|placed| {
        json!({
            "engine": placed.engine,
            "part": placed.feature.title(),
            "what": placed.what,
            "why": placed.why,
        })
    });
    let warnings = one.warnings.iter();
    let warnings = warnings.map(|one| json!({ "rule": one.rule, "severity": one.severity, "text": one.text }));
    json!({
        "name": one.name,
        "engine": one.engine,
        "placed": placed.collect::<Vec<_>>(),
        "first_boot": one.steps,
        "warnings": warnings.collect::<Vec<_>>(),
    })
}
