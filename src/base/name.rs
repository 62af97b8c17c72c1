//! Names that people give: of a recipe, hence of a bundle, a domain and a link on disk. Touches nothing.

use std::fmt;

/// A name of 1 to 63 characters `[A-Za-z0-9._-]` that begins with a letter or digit.
///
/// It goes into paths, shell scripts, XML and a libvirt domain name, so it is kept to what is plain in all of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Name(String);

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

/// Why a text is no name; the text itself is for the caller to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name is 1 to 63 characters of A-Z a-z 0-9 . _ - and begins with a letter or digit")]
pub(crate) struct NameError;

impl Name {
    /// Checks the rule.
    pub(crate) fn parse(text: &str) -> Result<Self, NameError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let first = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
        if first && text.len() <= 63 && text.chars().all(plain) { Ok(Self(text.to_owned())) } else { Err(NameError) }
    }

    /// Returns the text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rec_3_names_outside_the_policy_are_refused() {
        for good in ["nas", "n", "Arca.1_x-y", &"a".repeat(63)] {
            assert!(Name::parse(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "-rf", "a/b", "a b", "a\0", "é", "a\u{202e}b", "a\n", &"a".repeat(64)] {
            assert!(Name::parse(bad).is_err(), "{bad:?}");
        }
    }
}
