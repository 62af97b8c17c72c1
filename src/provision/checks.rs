//! What the report in the guest looks at, and what it should find. Touches nothing.
//!
//! Items add what only the recipe says (a setting, a pool); `report` derives the rest from the files, units and accounts.

use crate::guest_report::{Expected, Kind, Matcher};

/// States of a unit that did not fail; a oneshot's is `inactive` when it is done. Not `auto-restart`, which systemd has as a
/// kind of `activating`.
pub(crate) const HEALTHY: [&str; 5] = ["active", "inactive", "activating", "reloading", "deactivating"];

/// Stands in place of a detail that a check does not need.
const NONE: &str = "-";

/// One thing to look at.
pub(crate) struct GuestCheck {
    pub expected: Expected,
    /// What the script in the guest must know to look.
    pub detail: String,
}

impl GuestCheck {
    /// Makes a check of a thing by facts.
    pub(crate) fn new(kind: Kind, subject: &str, facts: impl IntoIterator<Item = (&'static str, Matcher)>) -> Self {
        let facts = facts.into_iter().map(|(name, wish)| (name.to_owned(), wish)).collect();
        Self { expected: Expected { kind, subject: subject.to_owned(), facts }, detail: NONE.to_owned() }
    }

    /// Gives the script a detail.
    pub(crate) fn with_detail(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }
}

/// Expects one word.
pub(crate) fn is(word: impl ToString) -> Matcher {
    Matcher::Is(word.to_string())
}

/// Expects one of several words.
pub(crate) fn any(words: &[&str]) -> Matcher {
    Matcher::Any(words.iter().map(|word| (*word).to_owned()).collect())
}
