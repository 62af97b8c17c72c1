//! What a good report says: `report.json` of a bundle. Touches nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::text::one_line;
use crate::base::{Code, Diagnostic, Digest};

/// The version of the file.
const FORMAT: u64 = 1;

/// Everything that a report should say of a machine. It holds digests of provisioned content, so it is private.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expectation {
    format: u64,
    /// In the order of the report.
    pub lines: Vec<Expected>,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    pub kind: Kind,
    /// As it is, not escaped.
    pub subject: String,
    /// By name.
    pub facts: BTreeMap<String, Matcher>,
}

/// What a line is about; the word stands in the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// An engine that did its part.
    Engine,
    Setting,
    KernelArgument,
    Group,
    User,
    Directory,
    File,
    Link,
    Package,
    Unit,
    Pool,
    Mount,
    Subvolume,
}

/// What a fact should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Matcher {
    Is(String),
    /// Each of these among words with `,` between them.
    Has(Vec<String>),
    /// One of these.
    Any(Vec<String>),
    /// This sha256 digest, which is never shown: it may be that of a secret which is easy to guess.
    Digest(Digest),
}

impl Kind {
    /// Returns the word.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Setting => "setting",
            Self::KernelArgument => "kernel-argument",
            Self::Group => "group",
            Self::User => "user",
            Self::Directory => "directory",
            Self::File => "file",
            Self::Link => "link",
            Self::Package => "package",
            Self::Unit => "unit",
            Self::Pool => "pool",
            Self::Mount => "mount",
            Self::Subvolume => "subvolume",
        }
    }
}

impl Expectation {
    /// Makes the expectation of these lines.
    pub(crate) const fn new(lines: Vec<Expected>) -> Self {
        Self { format: FORMAT, lines }
    }

    /// Writes the file.
    ///
    /// # Errors
    /// `E_BUG`, as JSON has a way to write every value of this type.
    pub(crate) fn to_json(&self) -> Result<Vec<u8>, Diagnostic> {
        let text = serde_json::to_string_pretty(self);
        let text = text.map_err(|error| Diagnostic::new(Code::Bug, "cannot write the expectation").cause(error))?;
        Ok(format!("{text}\n").into_bytes())
    }

    /// Reads the file back.
    ///
    /// # Errors
    /// `E_CACHE_CORRUPT` where it is no such file, or one of a newer format.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Diagnostic> {
        let bad = |cause: String| {
            Diagnostic::new(Code::CacheCorrupt, "`report.json` does not say what to expect")
                .cause(one_line(&cause, 200))
        };
        let read: Self = serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))?;
        if read.format == FORMAT { Ok(read) } else { Err(bad(format!("it has the format {}", read.format))) }
    }
}
