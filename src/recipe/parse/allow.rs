//! `[allow]` and `transport`: rules that may be broken, and the way a configuration takes. Touches nothing.

use super::super::{Allow, Provision, Transports};
use super::refuse_unknown;
use crate::base::{Engine, Rule, Spanned, Transport};
use crate::format::toml::{Table, Value};

/// Reads `[allow]`: rule ids, each with the reason.
pub(super) fn allow(root: &Table<'_>) -> Vec<Spanned<Allow>> {
    let Some(table) = root.table("allow", "allow") else { return vec![] };
    // To silence the complaint about what silences nothing would be a circle.
    let known: Vec<_> = Rule::all().filter(|rule| *rule != Rule::UnusedAllow).map(Rule::as_str).collect();
    table.refuse_unknown(&known, |_| Some("`arca-build check --explain all` lists the rules".to_owned()));
    let entries = table.entries().filter(|(key, ..)| known.contains(key));
    entries
        .filter_map(|(key, _, value)| {
            let reason = value.line()?.to_owned();
            Some(value.located(Allow { rule: Rule::parse(key)?, reason }))
        })
        .collect()
}

/// Reads `transport`: a word for both engines, or a table with one for each.
pub(super) fn transports(table: &Table<'_>) -> Transports {
    let Some(value) = table.get("transport") else { return Transports::default() };
    let place = Some(value.place());
    if !value.is_table() {
        let word = word(&value).flatten();
        return Transports { ignition: word, combustion: word, place };
    }
    let Some(each) = table.table("transport", "provision.transport") else { return Transports::default() };
    refuse_unknown(&each);
    let of = |key| each.get(key).and_then(|value| word(&value)).flatten();
    Transports { ignition: of("ignition"), combustion: of("combustion"), place }
}

fn word(value: &Value<'_>) -> Option<Option<Transport>> {
    value.word(Transports::word, Transports::WORDS)
}

/// Refuses a transport for an engine that takes no part.
pub(super) fn transports_of_nobody(table: &Table<'_>, provision: &Provision) {
    let Some(value) = table.get("transport").filter(Value::is_table) else { return };
    let Some(engine) = provision.engine else { return };
    let each = [(Engine::Ignition, provision.transport.ignition), (Engine::Combustion, provision.transport.combustion)];
    for (name, transport) in each.into_iter().filter(|(name, _)| *name != engine) {
        if let Some(transport) = transport {
            let headline = format!("`transport` says {transport} for {name}, but the engine is {engine}");
            value.refuse(headline, &format!("remove `{name}`, or write engine = \"auto\""));
        }
    }
}
