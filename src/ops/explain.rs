//! `explain`: what becomes of a recipe's wish, before anything is built.

use std::path::{Path, PathBuf};

use super::{Explanation, Loaded, Session};
use crate::base::Diagnostics;

/// Explains every recipe; neither store nor network is opened, and nothing has to be pinned.
pub(crate) fn explain(session: &Session<'_>, recipes: &[PathBuf]) -> Result<Vec<Explanation>, Diagnostics> {
    let mut explained = vec![];
    let mut problems = vec![];
    for path in recipes {
        match one(session, path) {
            Ok(explanation) => explained.push(explanation),
            Err(more) => problems.extend(more.0),
        }
    }
    if problems.is_empty() { Ok(explained) } else { Err(Diagnostics(problems)) }
}

fn one(session: &Session<'_>, path: &Path) -> Result<Explanation, Diagnostics> {
    Loaded::read(session, path)?.explain()
}
