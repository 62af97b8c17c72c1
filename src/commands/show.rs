//! `show`: what an archive holds, without importing it.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use serde::Serialize;

use super::context::Context;
use super::export::contents;
use super::printer::{Output, Printer};
use crate::base::text::{count, one_line};
use crate::base::{ByteSize, Diagnostics, Digest};
use crate::transfer::{self, Index};

/// Verify an exported archive and list it, importing nothing
#[derive(Debug, Args)]
pub(crate) struct ShowOptions {
    /// What `arca-build export` wrote
    #[arg(value_name = "ARCHIVE", value_hint = ValueHint::FilePath)]
    archive: PathBuf,
}

#[derive(Serialize)]
struct ShowOutput {
    digest: Digest,
    size: u64,
    index: Index,
}

impl ShowOptions {
    /// Verifies every byte of an archive; the store is not opened.
    pub(crate) fn run(self, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        let opened = transfer::open(&context.absolute(&self.archive), context.events)?;
        printer.show(&ShowOutput { digest: opened.digest, size: opened.size, index: opened.index })
    }
}

impl Output for ShowOutput {
    fn print(&self, printer: &Printer) {
        let index = &self.index;
        let mut lines = vec![format!("sha256:{}  {}", self.digest, ByteSize(self.size)), contents(index)];
        for root in &index.roots {
            let bundle = match root.bundle.len() {
                0 => String::new(),
                files => format!(", bundle of {}", count(files, "file")),
            };
            lines.push(format!("recipe {} ({}), plan {}{bundle}", root.recipe, root.name, root.plan.short()));
        }
        lines.extend(index.files.iter().map(|file| format!("file   {}  {}", file.sha256.short(), file.path)));
        for object in &index.objects {
            let there = if object.held { "" } else { "  (not in this archive)" };
            lines.push(format!("object {}  {}{there}", object.sha256, ByteSize(object.size)));
        }
        lines.iter().for_each(|line| printer.line(one_line(line, 4096)));
    }
}
