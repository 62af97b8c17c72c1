//! `inspect`: what a file is and holds, and what MicroOS would do with it.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::context::Context;
use super::printer::{Output, Printer};
use crate::base::Diagnostics;
use crate::host::files;
use crate::inspect::{self, Report};

/// Show what an image, ISO or config disk is and what MicroOS would do with it
#[derive(Debug, Args)]
pub(crate) struct InspectOptions {
    /// An image, ISO, config disk or a packed one; of any origin
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,
}

impl InspectOptions {
    pub(crate) fn run(self, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        let mut file = files::open(&context.absolute(&self.file))?;
        let length = files::length(&file)?;
        printer.show(&inspect::inspect(&mut file, length)?)
    }
}

impl Output for Report {
    fn print(&self, printer: &Printer) {
        printer.text(&self.to_string());
    }
}
