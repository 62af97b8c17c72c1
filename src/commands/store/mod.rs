//! `store …`: what the store holds, and what is done with it. Read next: [`gc`], [`root`], [`verify`].

mod gc;
mod root;
mod usage;
mod verify;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::context::Context;
use super::printer::{Output, Printer, ShownPath};
use crate::base::Diagnostics;

/// Look after the store
#[derive(Debug, Args)]
pub(crate) struct StoreOptions {
    #[command(subcommand)]
    command: StoreCommand,
}

/// What can be done with the store.
#[derive(Debug, Subcommand)]
enum StoreCommand {
    /// Print the store's directory
    Path,
    Verify(verify::StoreVerifyOptions),
    Gc(gc::GcOptions),
    /// Show what uses the space
    Du,
    Root(root::RootOptions),
}

#[derive(Serialize)]
struct StorePath {
    path: ShownPath,
}

impl StoreOptions {
    /// Only a store that exists can be looked after; `path` tells where one would be.
    pub(crate) const fn only_looks(&self) -> bool {
        !matches!(self.command, StoreCommand::Path)
    }

    pub(crate) fn run(self, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        match self.command {
            StoreCommand::Path => printer.show(&StorePath { path: context.cache_directory()?.into() }),
            StoreCommand::Verify(options) => options.run(context, printer),
            StoreCommand::Gc(options) => options.run(context, printer),
            StoreCommand::Du => printer.show(&usage::UsageOutput::of(context)?),
            StoreCommand::Root(options) => options.run(context, printer),
        }
    }
}

impl Output for StorePath {
    fn print(&self, printer: &Printer) {
        printer.line(self.path.display());
    }
}
