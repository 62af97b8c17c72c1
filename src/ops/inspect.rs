//! `inspect`: what a file is and holds, and what MicroOS would do with it.

use std::path::Path;

use super::Session;
use crate::base::Diagnostic;
use crate::host::files;
use crate::inspect::{self, Report};

/// Looks at a file; nothing is written.
pub(crate) fn inspect(session: &Session<'_>, path: &Path) -> Result<Report, Diagnostic> {
    let mut file = files::open(&session.absolute(path))?;
    let length = files::length(&file)?;
    inspect::inspect(&mut file, length)
}
