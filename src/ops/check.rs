//! `check` and `plan`: everything decided, nothing touched.

use std::path::PathBuf;

use super::Session;
use super::build::plan_all;
use crate::base::Problems;
use crate::plan::Plan;

/// Reads and plans every recipe; neither store nor network is opened.
pub fn check(session: &Session<'_>, recipes: &[PathBuf]) -> Result<Vec<Plan>, Problems> {
    Ok(plan_all(session, recipes)?.into_iter().map(|(_, plan)| plan).collect())
}
