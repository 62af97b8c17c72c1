//! `provision.transport` as written: one word for both engines, or one for each. Touches nothing.
//!
//! What `auto` comes to is decided by `provision`, which knows what there is to carry.

use crate::base::{Location, Transport};

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

    /// Reads a word; `auto` is none.
    pub(super) fn word(text: &str) -> Option<Option<Transport>> {
        if text == "auto" { Some(None) } else { Transport::parse(text).map(Some) }
    }
}
