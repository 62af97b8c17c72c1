//! `verify`: a bundle against its own manifest, with nothing else at hand.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::context::Context;
use super::printer::{Output, Printer};
use crate::base::text::count;
use crate::base::{ByteSize, Code, Diagnostic, Diagnostics, Kind};
use crate::bundle::{self, Verified};

/// Check a bundle against its manifest
#[derive(Debug, Args)]
pub(crate) struct VerifyOptions {
    /// A bundle's directory, or the link to it, such as `./result-nas`
    #[arg(value_name = "BUNDLE", value_hint = ValueHint::DirPath)]
    bundle: PathBuf,
}

impl VerifyOptions {
    /// Hashes every file of a bundle; every difference is reported.
    pub(crate) fn run(self, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        let verified = bundle::verify(&context.absolute(&self.bundle), context.events).map_err(|problems| {
            let answer = |problem: Diagnostic| match problem.code {
                Code::Hash => problem.kind(Kind::Answer),
                _ => problem,
            };
            Diagnostics(problems.0.into_iter().map(answer).collect())
        })?;
        printer.show(&verified)
    }
}

impl Output for Verified {
    fn print(&self, printer: &Printer) {
        let (files, size) = (count(self.files, "file"), ByteSize(self.bytes));
        printer.line(format_args!("{}: {files}, {size}, good; sha256:{}", self.name, self.digest));
    }
}
