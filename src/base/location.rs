//! Where something stands in a text file the user wrote. Touches nothing.

/// A place in a text file: line and column count characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub(crate) struct Location {
    pub file: String,
    pub line: u32,
    pub column: u32,
    /// How many characters are meant, at least 1.
    #[serde(skip)]
    pub width: u32,
    /// The offending line, without its line end; empty where it holds a secret.
    #[serde(skip)]
    pub text: String,
}

/// `file:line:column`.
impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spanned<T> {
    pub value: T,
    pub place: Location,
}
