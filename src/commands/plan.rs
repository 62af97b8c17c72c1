//! `plan`, and `build --dry-run`: everything decided, nothing touched.

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::context::Context;
use super::printer::{Output, Printer};
use super::recipes::Recipes;
use crate::base::Diagnostics;

/// Print the plans of recipes
#[derive(Debug, Args)]
pub(crate) struct PlanOptions {
    #[command(flatten)]
    recipes: Recipes,
}

#[derive(Debug, Serialize)]
pub(super) struct PlanOutput {
    plans: Vec<Value>,
    #[serde(skip)]
    texts: Vec<String>,
}

impl PlanOptions {
    pub(crate) fn run(self, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        printer.show(&PlanOutput::of(context, &self.recipes)?)
    }
}

impl PlanOutput {
    /// Reads and plans every recipe; neither store nor network is opened.
    pub(super) fn of(context: &Context<'_>, recipes: &Recipes) -> Result<Self, Diagnostics> {
        let planned = recipes.plan(context)?;
        let (plans, texts) = planned.iter().map(|(_, plan)| (plan.to_json(), plan.to_string())).unzip();
        Ok(Self { plans, texts })
    }
}

impl Output for PlanOutput {
    fn print(&self, printer: &Printer) {
        self.texts.iter().for_each(|text| printer.text(text));
    }
}
