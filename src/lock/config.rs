//! The configuration file as values. Touches nothing. Read next: [`super::mirrors`].
//!
//! ```toml
//! keyring = "opensuse.asc"                    # or a list; relative to this file
//! unsigned = ["https://github.com/"]          # who signs nothing, and is taken all the same
//!
//! [mirrors]
//! "https://download.opensuse.org/" = "/srv/opensuse/"
//! ```

use super::Mirrors;
use crate::base::{Diagnostics, Url};
use crate::format::toml::{Document, Value};

/// What the configuration file says.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Config {
    pub mirrors: Mirrors,
    /// Files with the keys that signatures are checked by, as written: absolute, or relative to the configuration file.
    pub keyrings: Vec<String>,
    /// Beginnings of addresses whose publishers sign nothing.
    pub unsigned: Vec<Url>,
}

impl Config {
    /// Reads the file; everything wrong is told at once.
    pub(crate) fn parse(text: &str, file: &str) -> Result<Self, Diagnostics> {
        let document = Document::open(text, file)?;
        let root = document.root();
        root.refuse_unknown(&["mirrors", "keyring", "unsigned"], |_| None);
        let keyrings = root.get("keyring").map(|value| keyrings(&value)).unwrap_or_default();
        let unsigned = root.get("unsigned").map(|value| value.list()).unwrap_or_default();
        let unsigned = unsigned.iter().filter_map(prefix).collect();
        let mirrors = root.table("mirrors", "mirrors").map(|table| Mirrors::read(&root, &table)).unwrap_or_default();
        document.finish(Some(Self { mirrors, keyrings, unsigned }))
    }

    /// Returns whether the publisher at an address is said to sign nothing.
    pub(crate) fn takes_unsigned(&self, url: &Url) -> bool {
        let url = url.without_secrets();
        self.unsigned.iter().any(|prefix| url.expose().starts_with(prefix.expose()))
    }
}

fn keyrings(value: &Value<'_>) -> Vec<String> {
    let one = |value: &Value<'_>| value.line().map(str::to_owned);
    match value.as_text() {
        Some(_) => one(value).into_iter().collect(),
        None => value.list().iter().filter_map(one).collect(),
    }
}

/// Reads the beginning of an address; it ends in `/`, so that it never matches half a host or directory name.
fn prefix(value: &Value<'_>) -> Option<Url> {
    let url = value.accept(Url::parse(value.line()?), "write a prefix like \"https://github.com/\"")?;
    if url.expose().ends_with('/') && url.without_secrets() == url {
        return Some(url);
    }
    value.refuse("a prefix ends in `/` and has no user name, password, query or `#`", "");
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyrings_are_one_or_many() {
        for (text, expected) in [
            ("", &[][..]),
            ("keyring = \"a.asc\"", &["a.asc"]),
            ("keyring = [\"a.asc\", \"/k/b.gpg\"]", &["a.asc", "/k/b.gpg"]),
        ] {
            assert_eq!(Config::parse(text, "config.toml").unwrap().keyrings, expected);
        }
    }

    #[test]
    fn who_signs_nothing_is_named_by_whole_directories() {
        let config = Config::parse("unsigned = [\"https://h/d/\"]", "config.toml").unwrap();
        for (url, expected) in [
            ("https://h/d/x", true),
            ("https://u:p@h/d/e/x?y", true),
            ("https://h/dx", false),
            ("https://h.evil/d/x", false),
        ] {
            assert_eq!(config.takes_unsigned(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn a_broken_configuration_is_told_with_its_place() {
        for (text, words) in [
            ("keyrings = \"a\"", "unknown key `keyrings`"),
            ("keyring = 1", "must be a list"),
            ("keyring = [1]", "must be text"),
            ("keyring = \"\"", "is empty"),
            ("unsigned = \"https://h/\"", "must be a list"),
            ("unsigned = [\"https://h/d\"]", "ends in `/`"),
            ("unsigned = [\"https://u:p@h/\"]", "ends in `/`"),
        ] {
            let problems = Config::parse(text, "config.toml").expect_err(text).0;
            assert!(problems[0].headline.contains(words), "{problems:#?}");
        }
    }
}
