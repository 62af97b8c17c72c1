//! `inspect`: what a file is and holds, and what MicroOS would do with it.

use std::path::Path;

use super::Context;
use crate::base::Diagnostic;
use crate::host::files;
use crate::inspect::{self, Report};

/// Looks at a file; nothing is written.
pub(crate) fn inspect(context: &Context<'_>, path: &Path) -> Result<Report, Diagnostic> {
    let mut file = files::open(&context.absolute(path))?;
    let length = files::length(&file)?;
    inspect::inspect(&mut file, length)
}
