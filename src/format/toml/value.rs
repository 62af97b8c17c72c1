//! A value of a parsed file and the checks that any value may need; each failure is told where it stands.
//!
//! Touches nothing. A method that returns `None` has told why.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};

use toml::de::DeValue;

use super::table::title;
use super::{Document, Table, is_refused};
use crate::base::text::{is_unsafe, nearest, one_line};
use crate::base::{ByteSize, Code, Diagnostic, Location, Rule, Spanned};

/// The most elements of a list, unless the key says otherwise.
pub(crate) const LIST_LIMIT: usize = 1000;

/// Which characters a text may hold; control and direction characters never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charset {
    /// One line.
    Line,
    /// Lines and tabs too.
    Free,
}

/// A value and where it stands.
pub(crate) struct Value<'d> {
    document: &'d Document<'d>,
    key: &'d str,
    value: &'d DeValue<'d>,
    span: Range<usize>,
}

impl<'d> Value<'d> {
    pub(super) fn new(document: &'d Document<'d>, key: &'d str, value: &'d toml::Spanned<DeValue<'d>>) -> Self {
        Self { document, key, value: value.get_ref(), span: value.span() }
    }

    /// Returns the key the value stands under.
    pub(crate) fn key(&self) -> &'d str {
        self.key
    }

    pub(super) fn value(&self) -> &'d DeValue<'d> {
        self.value
    }

    /// Returns where the value stands.
    pub(crate) fn place(&self) -> Location {
        self.document.lines.place(self.span.clone())
    }

    /// Adds the place.
    pub(crate) fn located<T>(&self, value: T) -> Spanned<T> {
        Spanned { value, place: self.place() }
    }

    /// Begins a problem about the value.
    pub(crate) fn problem(&self, headline: impl Into<String>) -> Diagnostic {
        self.document.problem(self.span.clone(), headline)
    }

    /// Reports that the value breaks a rule.
    pub(crate) fn refuse(&self, headline: impl Into<String>, hint: &str) {
        let problem = self.problem(headline);
        self.document.tell(if hint.is_empty() { problem } else { problem.hint(hint) });
    }

    /// Like [`Value::refuse`], at a part of a text: exactly there where the text is written as it is, without escapes.
    pub(crate) fn refuse_within(&self, part: Range<usize>, headline: impl Into<String>) {
        let written = self.document.lines.slice(self.span.clone());
        let start = self.as_text().and_then(|text| written.find(text)).map(|at| self.span.start + at);
        let span = start.map_or(self.span.clone(), |start| start + part.start..start + part.end);
        self.document.tell(self.document.problem(span, headline));
    }

    /// Like [`Value::refuse`] with another code.
    pub(crate) fn refuse_as(&self, code: Code, headline: impl Into<String>, hint: &str) {
        let mut problem = self.problem(headline).hint(hint);
        problem.code = code;
        self.document.tell(problem);
    }

    /// Like [`Value::refuse`], where a rule of the table is broken.
    pub(crate) fn refuse_by(&self, rule: Rule, headline: impl Into<String>, hint: &str) {
        self.document.tell(self.problem(headline).hint(hint).of(rule));
    }

    /// Gives the value of a check, or tells its reason.
    pub(crate) fn accept<T, E: Display>(&self, result: Result<T, E>, hint: &str) -> Option<T> {
        result.map_err(|reason| self.refuse(format!("`{}`: {reason}", self.key), hint)).ok()
    }

    /// Reports that the type is wrong.
    pub(crate) fn wrong(&self, wanted: &str) {
        let hint = match self.value {
            DeValue::Datetime(_) => "dates and times have no place here; write text in quotes",
            DeValue::String(_) if wanted.starts_with("true") => "write true or false without quotes",
            DeValue::String(_) if wanted.starts_with("a whole number") => "write the number without quotes",
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) if wanted == "text" => "put it in quotes",
            DeValue::Table(_) if wanted.starts_with("a list of tables") => "begin each with two brackets, like `[[…]]`",
            DeValue::String(_) if wanted == "a list" => "put it in brackets: [ \"…\" ]",
            _ => "",
        };
        self.refuse(format!("`{}` must be {wanted}, this is {}", self.key, type_words(self.value)), hint);
    }

    /// Reads text.
    pub(crate) fn text(&self, charset: Charset, limit: ByteSize) -> Option<&'d str> {
        let DeValue::String(text) = self.value else {
            self.wrong("text");
            return None;
        };
        if text.len() as u64 > limit.0 {
            self.refuse(format!("`{}` is longer than {limit}", self.key), "");
            return None;
        }
        self.has_only(charset, text).then_some(text.as_ref())
    }

    /// Reads text of one line that is not empty.
    pub(crate) fn line(&self) -> Option<&'d str> {
        let text = self.text(Charset::Line, ByteSize(16 << 10))?;
        if text.is_empty() {
            self.refuse(format!("`{}` is empty", self.key), "");
            return None;
        }
        Some(text)
    }

    fn has_only(&self, charset: Charset, text: &str) -> bool {
        let line = |c: char| charset == Charset::Line && matches!(c, '\n' | '\t');
        let Some(bad) = text.chars().find(|c| is_unsafe(*c) || is_refused(*c) || line(*c)) else { return true };
        // Written as itself it was told with its own place already.
        let escaped = matches!(bad, '\n' | '\t' | '\r') || !self.document.lines.text().contains(bad);
        if escaped {
            let hint = match bad {
                '\n' | '\t' => "write it in one line, without line ends and tabs",
                _ if self.key == "text" => "put such bytes in a file beside the recipe and name it with `source`",
                _ => "",
            };
            self.refuse(format!("`{}` holds the character U+{:04X}", self.key, u32::from(bad)), hint);
        }
        false
    }

    /// Reads a whole number within bounds.
    pub(crate) fn integer(&self, bounds: RangeInclusive<u64>) -> Option<u64> {
        let DeValue::Integer(number) = self.value else {
            self.wrong("a whole number");
            return None;
        };
        let read = i128::from_str_radix(number.as_str(), number.radix()).ok().and_then(|n| u64::try_from(n).ok());
        let read = read.filter(|number| bounds.contains(number));
        if read.is_none() {
            let bounds = match (bounds.start(), bounds.end()) {
                (low, high) if low == high => low.to_string(),
                (low, high) => format!("{low} to {high}"),
            };
            let shown = one_line(&number.to_string(), 40);
            self.refuse(format!("`{}` must be {bounds}, this is {shown}", self.key), "");
        }
        read
    }

    /// Reads true or false.
    pub(crate) fn boolean(&self) -> Option<bool> {
        let DeValue::Boolean(value) = self.value else {
            self.wrong("true or false");
            return None;
        };
        Some(*value)
    }

    /// Reads a size within bounds, a multiple of `unit`.
    pub(crate) fn size(&self, bounds: RangeInclusive<ByteSize>, unit: ByteSize) -> Option<ByteSize> {
        if matches!(self.value, DeValue::Integer(_) | DeValue::Float(_)) {
            self.wrong("a size: a number and a unit in quotes, like \"30GiB\"");
            return None;
        }
        let size = self.accept(ByteSize::parse(self.line()?), "write a size like \"512MiB\" or \"30GiB\"")?;
        let (low, high) = (bounds.start().exact(), bounds.end().exact());
        if !bounds.contains(&size) {
            self.refuse(format!("`{}` must be {low} to {high}, this is {}", self.key, size.exact()), "");
            return None;
        }
        if !size.0.is_multiple_of(unit.0) {
            let up = ByteSize(size.0.next_multiple_of(unit.0)).exact();
            self.refuse(format!("`{}` is not a multiple of {}", self.key, unit.exact()), &format!("write \"{up}\""));
            return None;
        }
        Some(size)
    }

    /// Reads one of a few words.
    pub(crate) fn word<T>(&self, parse: fn(&str) -> Option<T>, words: &[&'static str]) -> Option<T> {
        let text = self.line()?;
        let word = parse(text);
        if word.is_none() {
            let hint = match nearest(text, words.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("one of: {}", words.join(", ")),
            };
            self.refuse(format!("`{}` cannot be `{}`", self.key, one_line(text, 60)), &hint);
        }
        word
    }

    /// Reads a list; each element is then read by its own.
    pub(crate) fn list(&self) -> Vec<Value<'d>> {
        let DeValue::Array(array) = self.value else {
            self.wrong("a list");
            return vec![];
        };
        if array.len() > LIST_LIMIT {
            self.refuse(format!("`{}` has more than {LIST_LIMIT} entries", self.key), "");
        }
        array.iter().take(LIST_LIMIT).map(|entry| Value::new(self.document, self.key, entry)).collect()
    }

    /// Reads a table, by its path in messages.
    pub(crate) fn table(&self, path: &'static str) -> Option<Table<'d>> {
        let DeValue::Table(entries) = self.value else {
            self.wrong(&format!("a table, `{}`", title(path)));
            return None;
        };
        Some(Table::new(self.document, path, entries, self.span.clone()))
    }

    /// Returns whether a table stands here.
    pub(crate) fn is_table(&self) -> bool {
        matches!(self.value, DeValue::Table(_))
    }

    /// Returns whether this is a list; reports nothing.
    pub(crate) fn is_list(&self) -> bool {
        matches!(self.value, DeValue::Array(_))
    }

    /// Returns text as it was written, unchecked; reports nothing.
    pub(crate) fn as_text(&self) -> Option<&'d str> {
        match self.value {
            DeValue::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns a whole number as it was written, and its radix.
    pub(crate) fn digits(&self) -> Option<(&'d str, u32)> {
        match self.value {
            DeValue::Integer(number) => Some((number.as_str(), number.radix())),
            _ => None,
        }
    }
}

fn type_words(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
