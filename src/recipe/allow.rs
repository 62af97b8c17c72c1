//! `[allow]`: rules that a recipe breaks knowingly. Touches nothing.

use super::model::{Located, Recipe};
use crate::base::Rule;

/// One entry of `[allow]`: a rule that may be broken, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Allow {
    pub rule: Rule,
    pub reason: String,
}

impl Recipe {
    /// Returns why a rule may be broken, where the recipe says so.
    pub(crate) fn allows(&self, rule: Rule) -> Option<&Located<Allow>> {
        self.allow.iter().find(|allow| allow.value.rule == rule)
    }
}
