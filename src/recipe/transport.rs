//! `provision.transport` as written: one word for both engines, or one for each. Touches nothing.
//!
//! What `auto` comes to is decided by `provision`, which knows what there is to carry.

use super::table::{FromValue, Key, KeyType, table};
use crate::base::{Engine, Location, Transport};
use crate::format::toml::{Table, Value};

/// How the configuration shall reach each engine; none where arca-build chooses (`auto`).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Transports {
    pub ignition: Option<Transport>,
    pub combustion: Option<Transport>,
    /// Where it was written.
    pub place: Option<Location>,
}

impl Transports {
    /// Every word a recipe may use.
    pub(crate) const WORDS: &'static [&'static str] = &["auto", "disk", "fw_cfg"];

    /// Refuses a transport for an engine that takes no part.
    pub(super) fn check(&self, table: &Table<'_>, engine: Option<Engine>) {
        let Some(value) = table.get("transport").filter(Value::is_table) else { return };
        let Some(engine) = engine else { return };
        let each = [(Engine::Ignition, self.ignition), (Engine::Combustion, self.combustion)];
        for (name, transport) in each.into_iter().filter(|(name, _)| *name != engine) {
            if let Some(transport) = transport {
                let headline = format!("`transport` says {transport} for {name}, but the engine is {engine}");
                value.refuse(headline, &format!("remove `{name}`, or write engine = \"auto\""));
            }
        }
    }
}

/// The way to one engine; `auto` is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Way(Option<Transport>);

impl FromValue for Way {
    const KIND: KeyType = KeyType::Word(Transports::WORDS);

    fn from_value(value: &Value<'_>) -> Option<Self> {
        let read = |text: &str| {
            if text == "auto" { Some(Self(None)) } else { Transport::parse(text).map(|way| Self(Some(way))) }
        };
        value.word(read, Transports::WORDS)
    }
}

table! {
    /// A way to each engine.
    #[derive(Default)]
    Ways in "provision.transport" {
        /// how it reaches Ignition
        ignition: Option<Way> = "auto",
        /// how it reaches Combustion
        combustion: Option<Way> = "auto",
    }
}

impl FromValue for Transports {
    const KIND: KeyType = KeyType::Word(Self::WORDS);

    /// Reads a word for both engines, or a table with one for each.
    fn from_value(value: &Value<'_>) -> Option<Self> {
        let Ways { ignition, combustion } = if value.is_table() {
            Ways::from_value(value)?
        } else {
            let way = Way::from_value(value);
            Ways { ignition: way, combustion: way }
        };
        let way = |way: Option<Way>| way.and_then(|Way(way)| way);
        Some(Self { ignition: way(ignition), combustion: way(combustion), place: Some(value.place()) })
    }

    fn from_default(_: &str) -> Option<Self> {
        Some(Self::default())
    }

    fn describe(keys: &mut Vec<Key>) {
        Ways::describe(keys);
    }
}
