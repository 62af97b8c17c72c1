//! Words and lines of POSIX shell, and the templates they are put into. Touches nothing.

use super::quote::{self, virt_option};

/// One word of a command line, parts of which are known only when the script runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Word(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// A shell variable of our own scripts.
    Variable(&'static str),
}

impl Word {
    /// Begins a word with text that is not yet encoded for the shell.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::default().then(text)
    }

    /// Appends text.
    #[must_use]
    pub(crate) fn then(mut self, text: impl Into<String>) -> Self {
        match (self.0.last_mut(), text.into()) {
            (Some(Piece::Text(last)), text) => last.push_str(&text),
            (_, text) => self.0.push(Piece::Text(text)),
        }
        self
    }

    /// Appends the value that a variable of the script has when it runs.
    #[must_use]
    pub(crate) fn variable(mut self, name: &'static str) -> Self {
        self.0.push(Piece::Variable(name));
        self
    }

    /// Appends another word.
    #[must_use]
    pub(crate) fn join(mut self, other: Self) -> Self {
        for piece in other.0 {
            match piece {
                Piece::Text(text) => self = self.then(text),
                piece => self.0.push(piece),
            }
        }
        self
    }

    /// Returns the text of a word without variables.
    pub(crate) fn plain(&self) -> String {
        self.texts().collect()
    }

    /// Writes the word for the shell, as plainly as is safe: bare, in one pair of double quotes, or piece by piece.
    pub(crate) fn shell(&self) -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || ",=./_:@+-".contains(c);
        let quotable = |c: char| !"\\\"$`!".contains(c);
        match self.0.as_slice() {
            [Piece::Text(text)] if !text.is_empty() && text.chars().all(plain) => text.clone(),
            [Piece::Text(text)] => quote::shell(text),
            pieces if self.texts().all(|text| text.chars().all(quotable)) => {
                format!("\"{}\"", pieces.iter().map(Piece::quoted).collect::<String>())
            }
            pieces => pieces.iter().map(Piece::shell).collect(),
        }
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(text.as_str()),
            Piece::Variable(_) => None,
        })
    }
}

impl Piece {
    /// Writes the piece for the inside of double quotes.
    fn quoted(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Variable(name) => format!("${{{name}}}"),
        }
    }

    /// Writes the piece by itself.
    fn shell(&self) -> String {
        match self {
            Self::Text(text) => quote::shell(text),
            Self::Variable(name) => format!("\"${name}\""),
        }
    }
}

/// The shell variable that holds the instance's directory; it is vetted before, so it needs no encoding for virt-install.
const DIRECTORY: &str = "directory";

/// An option's value being put together: `a=…,b=…`.
pub(crate) struct Options(Word);

impl Options {
    pub(crate) fn new(first: &str) -> Self {
        Self(Word::text(first))
    }

    fn key(self, key: &str) -> Word {
        let separator = if self.0 == Word::text("") { "" } else { "," };
        self.0.then(format!("{separator}{key}="))
    }

    pub(crate) fn set(self, key: &str, value: &str) -> Self {
        Self(self.key(key).then(virt_option(value)))
    }

    /// Sets a key to a file of the instance.
    pub(crate) fn file(self, key: &str, name: &str) -> Self {
        Self(self.key(key).variable(DIRECTORY).then(format!("/{name}")))
    }

    /// Sets a node of the device's XML to a file of the instance.
    pub(crate) fn node_file(self, index: usize, path: &str, name: &str) -> Self {
        let key = self.key(&format!("xpath{index}.set")).then(format!("{path}="));
        Self(key.variable(DIRECTORY).then(format!("/{name}")))
    }

    /// Makes or sets a node of the device's XML: `path` or `path=value`.
    pub(crate) fn node(self, index: usize, path: &str) -> Self {
        let verb = if path.contains('=') { "set" } else { "create" };
        self.set(&format!("xpath{index}.{verb}"), path)
    }
}

/// Returns an option of a command and its value.
pub(crate) fn option(name: &str, options: Options) -> Vec<Word> {
    vec![Word::text(name), options.0]
}

/// Writes words in one line.
pub(crate) fn line(words: &[Word]) -> String {
    words.iter().map(Word::shell).collect::<Vec<_>>().join(" ")
}

/// Puts values into a template's places, each written `@NAME@`, in one pass: a value is never looked into.
pub(crate) fn fill(template: &str, values: &[(&str, String)]) -> String {
    let (mut filled, mut rest) = (String::with_capacity(template.len()), template);
    while let Some(at) = rest.find('@') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        let place = |name: &str| after.strip_prefix(name).and_then(|tail| tail.strip_prefix('@'));
        filled.push_str(before);
        match values.iter().find_map(|(name, value)| place(name).map(|tail| (value.as_str(), tail))) {
            Some((value, tail)) => {
                filled.push_str(value);
                rest = tail;
            }
            None => {
                filled.push('@');
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_1_text_is_quoted_and_variables_expand_as_one_word() {
        let path = |end: &str| Word::text("path=").variable("directory").then(end);
        for (word, shell) in [
            (path("/a b,c=d"), r#""path=${directory}/a b,c=d""#),
            (path("/'$c"), r#"'path='"$directory""/'"'$c'"#),
            (Word::text("a=b,c"), "a=b,c"),
            (Word::text("-rf"), "-rf"),
            (Word::text("~"), "'~'"),
            (Word::text("$x"), "'$x'"),
            (Word::text(""), "''"),
        ] {
            assert_eq!(word.shell(), shell);
        }
        assert_eq!(line(&[Word::text("a"), Word::text("b c")]), "a 'b c'");
    }

    #[test]
    fn places_are_filled_and_values_are_not_looked_into() {
        let values = [("A", "1@B@".to_owned()), ("B", "2".to_owned())];
        assert_eq!(fill("x=@A@ [@-]@A@;@B@@", &values), "x=1@B@ [@-]1@B@;2@");
    }
}
