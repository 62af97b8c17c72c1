//! Where the bytes of an input come from: an address, or a path beneath the recipe's directory. Touches nothing.

use super::table::{FromValue, KeyType};
use crate::base::text::{is_unsafe, one_line};
use crate::base::url::UrlError;
use crate::base::{Code, Url};
use crate::format::toml::{Value, is_refused};

/// Where an input comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// `http`, `https` or `file` URL.
    Url(Url),
    /// A path relative to the recipe's directory, beneath it, with `/` between parts; never absolute, no `..`.
    Path(RecipePath),
}

impl Source {
    /// Returns the last part, as written.
    pub(crate) fn file_name(&self) -> &str {
        match self {
            Self::Url(url) => url.file_name(),
            Self::Path(path) => path.file_name(),
        }
    }
}

/// A relative path beneath the recipe's directory: parts of printable characters, none of them empty, `.` or `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RecipePath(String);

/// Why a text is not a path beneath the recipe's directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PathError {
    /// It would name a file outside the recipe's directory, which no review of that directory sees.
    #[error("the path leaves the recipe's directory")]
    Escape,
    /// Two spellings of one path would be two inputs.
    #[error("a path has no empty or `.` parts and does not end in `/`")]
    Parts,
    #[error("a path holds no control or direction characters")]
    Character,
    #[error("a path is at most 1024 bytes long, each part at most 255")]
    Long,
}

impl RecipePath {
    /// Checks the rule: relative, beneath the directory, one spelling.
    pub(crate) fn parse(text: &str) -> Result<Self, PathError> {
        if text.chars().any(|c| is_unsafe(c) || is_refused(c) || matches!(c, '\n' | '\t')) {
            return Err(PathError::Character);
        }
        let mut parts = text.split('/');
        if text.starts_with('/') || parts.clone().next() == Some("~") || parts.clone().any(|part| part == "..") {
            return Err(PathError::Escape);
        }
        if text.len() > 1024 || parts.clone().any(|part| part.len() > 255) {
            return Err(PathError::Long);
        }
        if parts.any(|part| part.is_empty() || part == ".") { Err(PathError::Parts) } else { Ok(Self(text.to_owned())) }
    }

    /// Returns the path with `/` between its parts.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the last part.
    pub(crate) fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// Returns the path of a file in the folder of a script: what lies below the script's directory keeps the path below
    /// it, another file has its name.
    pub(crate) fn beside(&self, script: &Self) -> &str {
        let folder = &script.0[..script.0.len() - script.file_name().len()];
        self.0.strip_prefix(folder).unwrap_or_else(|| self.file_name())
    }
}

impl FromValue for Source {
    const KIND: KeyType = KeyType::Text;

    fn from_value(value: &Value<'_>) -> Option<Self> {
        let text = value.line()?;
        let scheme = text.split_once(':').is_some_and(|(scheme, _)| scheme.len() > 1 && !scheme.contains('/'));
        if scheme { Url::from_value(value).map(Self::Url) } else { RecipePath::from_value(value).map(Self::Path) }
    }
}

impl FromValue for Url {
    const KIND: KeyType = KeyType::Text;
    const LIST: KeyType = KeyType::Urls;

    /// Reads the address of a file.
    fn from_value(value: &Value<'_>) -> Option<Self> {
        let text = value.line()?;
        let hint = match Self::parse(text) {
            Err(UrlError::Character) => "write a space as %20",
            Err(UrlError::Scheme(_)) => "fetch the file yourself and name it by its path",
            _ => "",
        };
        let url = value.accept(Self::parse(text), hint)?;
        if text.contains('#') {
            let hint = "write the address without `#`, or `#` as %23";
            value.refuse("a URL with `#` names a part of a page, not a file", hint);
            return None;
        }
        if url.file_name().is_empty() {
            value.refuse("the URL names a directory, not a file", "add the name of the file");
            return None;
        }
        Some(url)
    }
}

impl FromValue for RecipePath {
    const KIND: KeyType = KeyType::Path;
    const LIST: KeyType = KeyType::Paths;

    fn from_value(value: &Value<'_>) -> Option<Self> {
        let text = value.line()?;
        let shown = one_line(text, 100);
        match Self::parse(text) {
            Ok(path) => return Some(path),
            Err(PathError::Escape) => {
                let headline = format!("the path `{shown}` leaves the recipe's directory");
                let hint = match value.key() {
                    "url" => "name an input elsewhere on this machine by a file:///… URL",
                    _ => "put the file beside the recipe",
                };
                value.refuse_as(Code::InputEscape, headline, hint);
            }
            Err(reason) => {
                let hint = text.strip_prefix("./").map(|rest| format!("write \"{}\"", one_line(rest, 100)));
                value.refuse(format!("`{shown}`: {reason}"), &hint.unwrap_or_default());
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rec_6_a_path_that_leaves_the_directory_is_refused() {
        for good in ["a", "demo/guest.qcow2", "..a/b..", "a b/é", "-rf"] {
            assert_eq!(RecipePath::parse(good).as_ref().map(RecipePath::as_str), Ok(good));
        }
        let long = "a".repeat(256);
        for (bad, why) in [
            ("/etc/shadow", PathError::Escape),
            ("../x", PathError::Escape),
            ("a/../../x", PathError::Escape),
            ("a/..", PathError::Escape),
            ("~/x", PathError::Escape),
            ("", PathError::Parts),
            ("./a", PathError::Parts),
            ("a//b", PathError::Parts),
            ("a/", PathError::Parts),
            ("a\0b", PathError::Character),
            ("a\nb", PathError::Character),
            ("a\u{202e}b", PathError::Character),
            ("a\u{2028}b", PathError::Character),
            (&long, PathError::Long),
        ] {
            assert_eq!(RecipePath::parse(bad), Err(why), "{bad:?}");
        }
    }
}
