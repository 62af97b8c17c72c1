//! A table of a parsed file: which keys it may hold, and typed access to them. Touches nothing.

use std::ops::Range;
use std::sync::LazyLock;

use toml::de::{DeTable, DeValue};

use super::{Document, Value};
use crate::base::text::{nearest, one_line};
use crate::base::{Diagnostic, Location};

/// The longest key that is compared with the known ones.
const NEAR_LIMIT: usize = 64;

/// One table, with the name a person knows it by.
#[derive(Clone)]
pub(crate) struct Table<'d> {
    pub(crate) document: &'d Document<'d>,
    /// As in the table of keys: `machine.disk[]`; empty for the file.
    pub(crate) path: &'static str,
    entries: &'d DeTable<'d>,
    span: Range<usize>,
}

impl<'d> Table<'d> {
    pub(super) fn root(document: &'d Document<'d>, entries: &'d DeTable<'d>) -> Self {
        Self { document, path: "", entries, span: 0..0 }
    }

    pub(super) fn new(
        document: &'d Document<'d>,
        path: &'static str,
        entries: &'d DeTable<'d>,
        span: Range<usize>,
    ) -> Self {
        Self { document, path, entries, span }
    }

    /// Returns the table without keys that stands for one that is left out.
    pub(crate) fn left_out(&self, path: &'static str) -> Self {
        static EMPTY: LazyLock<DeTable<'static>> = LazyLock::new(DeTable::new);
        Self::new(self.document, path, &EMPTY, 0..0)
    }

    /// Returns the table as it is written in a file: `[machine]`, `[[machine.disk]]`.
    pub(crate) fn title(&self) -> String {
        title(self.path)
    }

    /// Returns where the table begins.
    pub(crate) fn place(&self) -> Location {
        self.document.lines.place(self.span.clone())
    }

    /// Begins a problem about the table as a whole.
    pub(crate) fn problem(&self, headline: impl Into<String>) -> Diagnostic {
        self.document.problem(self.span.clone(), headline)
    }

    /// Returns the keys and values as written.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'d str, Range<usize>, Value<'d>)> {
        let document = self.document;
        self.entries.iter().map(move |(key, value)| {
            let name: &'d str = key.get_ref().as_ref();
            (name, key.span(), Value::new(document, name, value))
        })
    }

    /// Returns the value under a key, if it is there.
    pub(crate) fn get(&self, key: &'static str) -> Option<Value<'d>> {
        self.entries.get(key).map(|value| Value::new(self.document, key, value))
    }

    /// Returns whether a key is there, whatever its value.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Like [`Table::get`]; reports that the key is missing, with a line that would do.
    pub(crate) fn need(&self, key: &'static str, example: &str) -> Option<Value<'d>> {
        let value = self.get(key);
        if value.is_none() && !self.document.is_broken() {
            let place = if self.path.is_empty() { "the file".to_owned() } else { format!("`{}`", self.title()) };
            self.document.tell(self.problem(format!("`{key}` is missing from {place}")).hint(format!("add {example}")));
        }
        value
    }

    /// Returns the table under a key; reports it when something else stands there.
    pub(crate) fn table(&self, key: &'static str, path: &'static str) -> Option<Table<'d>> {
        self.get(key)?.table(path)
    }

    /// Returns the tables of the array of tables under a key, at most `limit` of them.
    pub(crate) fn tables(&self, key: &'static str, path: &'static str, limit: usize) -> Vec<Table<'d>> {
        let Some(value) = self.get(key) else { return vec![] };
        let DeValue::Array(array) = value.value() else {
            value.wrong(&format!("a list of tables, each begun with `{}`", title(path)));
            return vec![];
        };
        if array.len() > limit {
            let headline = format!("{} times `{}`, at most {limit} are allowed", array.len(), title(path));
            self.document.tell(value.problem(headline));
        }
        let rows = array.iter().take(limit);
        rows.filter_map(|entry| Value::new(self.document, key, entry).table(path)).collect()
    }

    /// Reports every key that is not one of `known`; `elsewhere` may know where such a key belongs.
    pub(crate) fn refuse_unknown(&self, known: &[&'static str], elsewhere: impl Fn(&str) -> Option<String>) {
        for (key, _) in self.entries.iter().filter(|(key, _)| !known.contains(&key.get_ref().as_ref())) {
            if self.document.is_full() {
                continue;
            }
            let (word, span) = (key.get_ref().as_ref(), key.span());
            if self.document.is_broken()
                && self.document.told_lines().contains(&self.document.lines.line_of(span.start))
            {
                continue;
            }
            let near = (word.len() <= NEAR_LIMIT).then(|| nearest(word, known.iter().copied())).flatten();
            let hint = match (near, elsewhere(word)) {
                (Some(near), _) => format!("did you mean `{near}`?"),
                (None, Some(hint)) => hint,
                (None, None) => format!("known here: {}", known.join(", ")),
            };
            let place = if self.path.is_empty() { String::new() } else { format!(" in `{}`", self.title()) };
            let headline = format!("unknown key `{}`{place}", one_line(word, 60));
            self.document.tell(self.document.problem(span, headline).hint(hint));
        }
    }
}

/// Writes the path of a table as a file does.
pub(crate) fn title(path: &str) -> String {
    let name = path.replace("[]", "");
    if path.ends_with("[]") { format!("[[{name}]]") } else { format!("[{name}]") }
}
