//! `[allow]`: rules that a recipe breaks knowingly. Touches nothing.

use super::table::{FromValue, KeyType, Row};
use crate::base::{Rule, Spanned};
use crate::format::toml::{Table, Value};

/// One entry of `[allow]`: a rule that may be broken, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Allow {
    pub rule: Rule,
    pub reason: String,
}

impl FromValue for Allow {
    const KIND: KeyType = KeyType::Reasons;
    const LIST: KeyType = KeyType::Reasons;

    fn from_value(value: &Value<'_>) -> Option<Self> {
        let reason = value.line()?.to_owned();
        Some(Self { rule: Rule::parse(value.key())?, reason })
    }

    fn read_list(root: &Table<'_>, row: &Row) -> Vec<Spanned<Self>> {
        let Some(table) = root.table(row.name, "allow") else { return vec![] };
        // To silence the complaint about what silences nothing would be a circle.
        let known: Vec<_> = Rule::all().filter(|rule| *rule != Rule::UnusedAllow).map(Rule::as_str).collect();
        table.refuse_unknown(&known, |_| Some("`arca-build check --explain all` lists the rules".to_owned()));
        let entries = table.entries().filter(|(key, ..)| known.contains(key));
        entries.filter_map(|(.., value)| super::table::located(&value)).collect()
    }
}
