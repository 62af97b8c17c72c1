//! `[allow]`: rules that a recipe breaks knowingly. Touches nothing.

use super::model::Recipe;
use crate::base::{Rule, Spanned};

/// One entry of `[allow]`: a rule that may be broken, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Allow {
    pub rule: Rule,
    pub reason: String,
}

impl Recipe {
    /// Returns why a rule may be broken, where the recipe says so.
    pub(crate) fn allows(&self, rule: Rule) -> Option<&Spanned<Allow>> {
        self.allow.iter().find(|allow| allow.value.rule == rule)
    }
}
