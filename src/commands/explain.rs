//! `explain`: what becomes of a recipe's wish, before anything is built.

use std::path::{Path, PathBuf};

use super::{Context, Explanation, Loaded};
use crate::base::Diagnostics;

/// Explains every recipe; neither store nor network is opened, and nothing has to be pinned.
pub(crate) fn explain(context: &Context<'_>, recipes: &[PathBuf]) -> Result<Vec<Explanation>, Diagnostics> {
    let mut explained = vec![];
    let mut problems = vec![];
    for path in recipes {
        match one(context, path) {
            Ok(explanation) => explained.push(explanation),
            Err(more) => problems.extend(more.0),
        }
    }
    if problems.is_empty() { Ok(explained) } else { Err(Diagnostics(problems)) }
}

fn one(context: &Context<'_>, path: &Path) -> Result<Explanation, Diagnostics> {
    Loaded::read(context, path)?.explain()
}
