//! `store path|verify|gc`.

use std::path::PathBuf;
use std::time::Duration;

use super::Session;
use crate::base::Problem;
use crate::store::{Collect, GcReport, VerifyReport};

/// Returns the directory of the store that commands here would use.
pub fn path(session: &Session<'_>) -> Result<PathBuf, Problem> {
    session.cache_directory()
}

/// Hashes every object; damaged ones go to quarantine.
pub fn verify(session: &Session<'_>) -> Result<VerifyReport, Problem> {
    session.open_store()?.verify()
}

/// Removes what no root keeps.
pub fn gc(session: &Session<'_>, collect: Collect, grace: Duration) -> Result<GcReport, Problem> {
    session.open_store()?.gc(collect, grace, session.environment.now())
}
