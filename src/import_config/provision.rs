//! `[provision]` on its way into a recipe. Touches nothing.

use std::fmt::Display;

use super::toml_text::{lines, list, quoted};
use crate::recipe::RecipePath;

/// What is set up in the guest.
#[derive(Default)]
pub(crate) struct Provision {
    pub engine: Option<&'static str>,
    /// Whether the machine gave it by fw_cfg.
    pub by_fw_cfg: bool,
    pub config: Option<RecipePath>,
    pub script: Option<RecipePath>,
    pub side_files: Vec<RecipePath>,
    /// An Ignition config as keys: those of `[provision]` itself, then its tables.
    pub typed: Option<Vec<Section>>,
}

/// A table of the recipe: its title, and its keys with their values as TOML writes them.
#[derive(Default)]
pub(crate) struct Section {
    pub title: &'static str,
    pub keys: Vec<(&'static str, String)>,
}

impl Section {
    pub(crate) fn new(title: &'static str) -> Self {
        Self { title, keys: vec![] }
    }

    /// Sets a value that is written as it is shown.
    #[must_use]
    pub(crate) fn with(mut self, key: &'static str, value: Option<impl Display>) -> Self {
        self.keys.extend(value.map(|value| (key, value.to_string())));
        self
    }

    #[must_use]
    pub(crate) fn text(self, key: &'static str, text: Option<impl Display>) -> Self {
        self.with(key, text.map(|text| quoted(&text.to_string())))
    }

    /// Sets a text of several lines.
    #[must_use]
    pub(crate) fn lines(self, key: &'static str, text: Option<String>) -> Self {
        self.with(key, text.map(|text| lines(&text)))
    }

    #[must_use]
    pub(crate) fn list(self, key: &'static str, texts: &[String]) -> Self {
        self.with(key, (!texts.is_empty()).then(|| list(texts)))
    }

    #[must_use]
    pub(crate) fn flag(self, key: &'static str, is_set: bool) -> Self {
        self.with(key, is_set.then_some(true))
    }

    /// Sets permission bits that differ from a key's default.
    #[must_use]
    pub(crate) fn mode(self, mode: u32, default: u32) -> Self {
        self.with("mode", (mode != default).then(|| format!("\"{mode:04o}\"")))
    }
}
