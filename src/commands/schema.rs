//! `schema`: what can be written in a recipe, for editors.

use super::context::Context;
use super::printer::Printer;
use crate::base::Diagnostics;

/// Print the JSON Schema of recipes, for editors
#[derive(Debug, clap::Args)]
pub(crate) struct SchemaOptions {}

impl SchemaOptions {
    pub(crate) fn run(self, _: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        printer.json(&crate::recipe::reference::schema());
        Ok(())
    }
}
