//! One difference, and how it is shown. Touches nothing.

use std::fmt;

/// Stands for what may be a secret.
pub(crate) const HIDDEN: &str = "***";
/// What differs there; a side that lacks it is `None`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(untagged)]
pub(crate) enum What {
    /// A value with a name: a JSON key's path, a header's field, `file` or `content` of the whole file.
    Value { at: String, before: Option<String>, after: Option<String> },
    /// Lines, numbered from 1; where a side has none, the number is that of the line they stand before on the other.
    Lines { before_line: usize, before: Vec<String>, after_line: usize, after: Vec<String> },
}

impl What {
    /// Makes a value of both sides.
    pub(crate) fn value(at: impl Into<String>, before: impl Into<String>, after: impl Into<String>) -> Self {
        Self::Value { at: at.into(), before: Some(before.into()), after: Some(after.into()) }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value { at, before: Some(before), after: Some(after) } => writeln!(f, "  {at}: {before} -> {after}"),
            Self::Value { at, before, after } => {
                before.iter().try_for_each(|before| writeln!(f, "- {at}: {before}"))?;
                after.iter().try_for_each(|after| writeln!(f, "+ {at}: {after}"))
            }
            Self::Lines { before_line, before, after_line, after } => {
                writeln!(f, "@@ -{before_line},{} +{after_line},{} @@", before.len(), after.len())?;
                before.iter().try_for_each(|line| writeln!(f, "-{line}"))?;
                after.iter().try_for_each(|line| writeln!(f, "+{line}"))
            }
        }
    }
}

/// Reports that bytes differ which are not looked into.
pub(super) fn opaque(before: u64, after: u64) -> What {
    What::value("content", format!("{before} bytes"), format!("{after} other bytes"))
}
