//! JSON text → a tree that knows where everything stands. Touches nothing.
//!
//! Grammar is `serde_json`'s business (RFC 8259, depth at most 128), but it tells a position only for an error. So a second
//! walk over text already known to be valid notes line and column of every key and value, and keeps duplicate keys.

use serde_json::{Number, Value};

/// A place in the text; line and column count characters from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At {
    pub line: u32,
    pub column: u32,
}

/// One mistake; the text names keys but never shows a value that may be secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub at: At,
    /// Lower case, no full stop.
    pub text: String,
    pub hint: Option<String>,
}

impl Fault {
    /// Begins a fault.
    pub(crate) fn new(at: At, text: impl Into<String>) -> Self {
        Self { at, text: text.into(), hint: None }
    }

    /// Says the way out.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// One value and where it begins.
#[derive(Clone)]
pub(crate) struct Node {
    pub at: At,
    pub kind: Kind,
}

/// What a value is.
#[derive(Clone)]
pub(crate) enum Kind {
    Null,
    Flag(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Object(Vec<Member>),
}

/// One key of an object with its value.
#[derive(Clone)]
pub(crate) struct Member {
    pub at: At,
    pub name: String,
    pub value: Node,
}

impl Node {
    /// Returns the members of an object; none for anything else.
    pub(crate) fn members(&self) -> &[Member] {
        if let Kind::Object(members) = &self.kind { members } else { &[] }
    }

    /// Returns the items of a list; none for anything else.
    pub(crate) fn items(&self) -> &[Self] {
        if let Kind::List(items) = &self.kind { items } else { &[] }
    }

    /// Goes through the values of an object or list.
    pub(crate) fn children(&self) -> impl Iterator<Item = &Self> {
        self.members().iter().map(|member| &member.value).chain(self.items())
    }

    /// Returns the value of a key, unless it is null.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let found = self.members().iter().find(|member| member.name == name).map(|member| &member.value);
        found.filter(|node| !matches!(node.kind, Kind::Null))
    }

    /// Follows keys from object to object.
    pub(crate) fn at_path(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, name| node.get(name))
    }

    /// Returns the items of the list at a path; none where there is none.
    pub(crate) fn list(&self, path: &[&str]) -> &[Self] {
        self.at_path(path).map_or(&[], Self::items)
    }

    /// Returns the text of a key.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Self::as_text)
    }

    /// Returns the text, where the value is one.
    pub(crate) fn as_text(&self) -> Option<&str> {
        if let Kind::Text(text) = &self.kind { Some(text) } else { None }
    }

    /// Returns the whole number of a key.
    pub(crate) fn whole(&self, name: &str) -> Option<i64> {
        if let Kind::Number(number) = &self.get(name)?.kind { number.as_i64() } else { None }
    }

    /// Returns the flag of a key.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        if let Kind::Flag(flag) = self.get(name)?.kind { Some(flag) } else { None }
    }

    /// Returns the value without nulls, which mean the same as an absent key.
    pub(crate) fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Flag(flag) => Value::Bool(*flag),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Kind::Object(members) => {
                let present = members.iter().filter(|member| !matches!(member.value.kind, Kind::Null));
                Value::Object(present.map(|member| (member.name.clone(), member.value.to_value())).collect())
            }
        }
    }
}

/// Reads one JSON document.
pub(crate) fn read(bytes: &[u8]) -> Result<Node, Fault> {
    let start = At { line: 1, column: 1 };
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(Fault::new(start, "the file begins with a byte-order mark, which Ignition refuses")
            .hint("save it as UTF-8 without BOM"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| Fault::new(utf8_place(bytes, &error), "not UTF-8"))?;
    if text.trim().is_empty() {
        return Err(Fault::new(start, "the file is empty: the guest would boot unprovisioned, without a word"));
    }
    if let Err(error) = serde_json::from_str::<Value>(text) {
        return Err(syntax(&error));
    }
    Walk { rest: text, at: start }.value().ok_or_else(|| Fault::new(start, "not JSON"))
}

fn utf8_place(bytes: &[u8], error: &std::str::Utf8Error) -> At {
    let good = bytes.get(..error.valid_up_to()).and_then(|part| std::str::from_utf8(part).ok()).unwrap_or_default();
    let mut walk = Walk { rest: good, at: At { line: 1, column: 1 } };
    walk.skip(good.len());
    walk.at
}

fn syntax(error: &serde_json::Error) -> Fault {
    let shown = error.to_string();
    let what = shown.split(" at line ").next().unwrap_or_default();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).max(1);
    Fault::new(At { line: count(error.line()), column: count(error.column()) }, format!("not JSON: {what}"))
}

/// Finds every key that stands twice in one object.
pub(crate) fn duplicates(node: &Node) -> Vec<Fault> {
    let mut faults: Vec<_> = node.items().iter().flat_map(duplicates).collect();
    let mut seen = std::collections::BTreeMap::new();
    for member in node.members() {
        if let Some(first) = seen.insert(&member.name, member.at) {
            let name = crate::base::text::one_line(&member.name, 60);
            let text = format!("duplicate key `{name}`: the one in line {} would be dropped silently", first.line);
            faults.push(Fault::new(member.at, text));
        }
        faults.extend(duplicates(&member.value));
    }
    faults
}

/// Walks text that is known to be valid JSON; `None` would mean that it is not.
struct Walk<'a> {
    rest: &'a str,
    at: At,
}

impl<'a> Walk<'a> {
    fn value(&mut self) -> Option<Node> {
        self.space();
        let at = self.at;
        let kind = match self.rest.bytes().next()? {
            b'{' => self.object()?,
            b'[' => self.list()?,
            b'"' => Kind::Text(self.string()?),
            _ => scalar(self.word())?,
        };
        Some(Node { at, kind })
    }

    fn object(&mut self) -> Option<Kind> {
        let mut members = vec![];
        while self.next_item('}') {
            let at = self.at;
            let name = self.string()?;
            self.space();
            self.skip(1);
            members.push(Member { at, name, value: self.value()? });
        }
        Some(Kind::Object(members))
    }

    fn list(&mut self) -> Option<Kind> {
        let mut items = vec![];
        while self.next_item(']') {
            items.push(self.value()?);
        }
        Some(Kind::List(items))
    }

    /// Steps over `{`, `[` or `,` to the next item; false when the closing character was there instead.
    fn next_item(&mut self, close: char) -> bool {
        self.space();
        if !self.rest.starts_with(close) {
            self.skip(1);
            self.space();
        }
        let more = !self.rest.starts_with(close);
        if !more {
            self.skip(1);
        }
        more
    }

    fn string(&mut self) -> Option<String> {
        let mut escaped = false;
        let end = self.rest.bytes().skip(1).position(|byte| {
            let closes = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            closes
        })?;
        serde_json::from_str(self.skip(end + 2)).ok()
    }

    fn word(&mut self) -> &'a str {
        let end = self.rest.find(|c: char| c.is_ascii_whitespace() || ",]}".contains(c)).unwrap_or(self.rest.len());
        self.skip(end)
    }

    fn space(&mut self) {
        let blank = self.rest.len() - self.rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
        self.skip(blank);
    }

    fn skip(&mut self, count: usize) -> &'a str {
        let (gone, rest) = self.rest.split_at_checked(count).unwrap_or((self.rest, ""));
        for c in gone.chars() {
            self.at = match c {
                '\n' => At { line: self.at.line + 1, column: 1 },
                _ => At { column: self.at.column + 1, ..self.at },
            };
        }
        self.rest = rest;
        gone
    }
}

fn scalar(word: &str) -> Option<Kind> {
    Some(match word {
        "null" => Kind::Null,
        "true" => Kind::Flag(true),
        "false" => Kind::Flag(false),
        number => Kind::Number(serde_json::from_str(number).ok()?),
    })
}
