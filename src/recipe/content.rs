//! Where bytes for the guest come from: a text in the recipe, a file beside it, or an address with its pin. Touches nothing.

use super::path::{RecipePath, Source};
use super::table::{Field, FromValue, KeyType, Row, located};
use crate::base::{ByteSize, Digest, Secret, Spanned, Url};
use crate::format::toml::{Charset, Table, Value};

/// The most that a file may hold whose content enters the plan: ready-made configs, scripts, files for the guest.
pub(crate) const CONTENT_LIMIT: ByteSize = ByteSize::mib(1);

/// The most mirrors of one input.
const MIRROR_LIMIT: usize = 16;

/// The keys that say more of an address.
const OF_URL: [&str; 3] = ["sha256", "size", "mirrors"];

/// Where bytes for the guest come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Text(Secret<String>),
    /// A file beside the recipe, at most 1 MiB.
    Path(Spanned<RecipePath>),
    /// Bytes by address, pinned like the base; `[[provision.file]]` only.
    Carried(Carried),
}

/// Bytes that have an address and a pin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Carried {
    pub source: Spanned<Source>,
    /// The pin, when the recipe itself carries it; else the lock does.
    pub sha256: Option<Digest>,
    pub size: Option<ByteSize>,
    pub mirrors: Vec<Url>,
}

impl Carried {
    /// Returns the last part of its address, as written.
    pub(crate) fn file_name(&self) -> &str {
        self.source.value.file_name()
    }

    /// Reads an address and its pin; `None` where there is none, or not a good one.
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        Self::of(table, table.get("url").and_then(|value| located(&value)))
    }

    /// Reads the pin of an address.
    pub(super) fn of(table: &Table<'_>, source: Option<Spanned<Source>>) -> Option<Self> {
        let sha256 = table.get("sha256").and_then(|value| Digest::from_value(&value));
        let size = table.get("size").and_then(|value| ByteSize::from_value(&value));
        let mirrors = mirrors(table, source.as_ref());
        Some(Self { source: source?, sha256, size, mirrors })
    }
}

/// The content of a `text` key: any number of lines, or none.
pub(super) struct Text(Secret<String>);

impl FromValue for Text {
    const KIND: KeyType = KeyType::Content;

    fn from_value(value: &Value<'_>) -> Option<Self> {
        value.text(Charset::Free, CONTENT_LIMIT).map(|text| Self(Secret::new(text.to_owned())))
    }
}

/// Reads `text` or `source`; both are a mistake, none is for the caller to judge.
pub(super) fn given(table: &Table<'_>) -> Option<Content> {
    let (text, source) = (table.get("text"), table.get("source"));
    if let (Some(_), Some(source)) = (&text, &source) {
        source.refuse("`text` and `source` are both given", "keep one of them");
    }
    let text = text.and_then(|value| Text::from_value(&value)).map(|Text(text)| Content::Text(text));
    let source = source.and_then(|value| located(&value)).map(Content::Path);
    text.or(source)
}

/// Like [`given`], where the table may have none.
pub(super) fn optional(table: &Table<'_>) -> Option<Option<Content>> {
    Some(given(table))
}

/// Like [`given`]; `what` is said to have neither, with a way out.
pub(super) fn required(table: &Table<'_>, what: &str, hint: &str) -> Option<Content> {
    let content = given(table);
    if !table.has("text") && !table.has("source") && !table.document.is_broken() {
        let headline = format!("{what} has neither `text` nor `source`");
        table.document.tell(table.problem(headline).hint(hint));
    }
    content
}

/// Reads `text`, `source` or `url`.
pub(super) fn of_file(table: &Table<'_>) -> Option<Content> {
    refuse_pin_without_url(table);
    let url = table.get("url");
    let other = ["text", "source"].into_iter().find(|key| table.has(key));
    if let (Some(url), Some(other)) = (&url, other) {
        url.refuse(format!("`{other}` and `url` are both given"), "keep one of them");
    }
    let carried = Carried::read(table).map(Content::Carried);
    let content = given(table).or(carried);
    if url.is_none() && other.is_none() && !table.document.is_broken() {
        let problem = table.problem("the file has neither `text` nor `source` nor `url`");
        table.document.tell(problem.hint("for an empty file add `text = \"\"`"));
    }
    content
}

/// Refuses a pin of nothing.
pub(super) fn refuse_pin_without_url(table: &Table<'_>) {
    if table.has("url") || table.document.is_broken() {
        return;
    }
    for value in OF_URL.iter().filter_map(|key| table.get(key)) {
        value.refuse(format!("`{}` requires `url`", value.key()), "add `url`, or remove it");
    }
}

/// Reads other addresses of the same bytes.
pub(super) fn mirrors(table: &Table<'_>, source: Option<&Spanned<Source>>) -> Vec<Url> {
    let Some(value) = table.get("mirrors") else { return vec![] };
    let own = source.map(|source| &source.value);
    let list = value.list();
    if matches!(own, Some(Source::Path(_))) {
        if !list.is_empty() {
            value.refuse("an input beside the recipe has no mirrors", "remove `mirrors`");
        }
        return vec![];
    }
    if list.len() > MIRROR_LIMIT {
        value.refuse(format!("more than {MIRROR_LIMIT} mirrors"), "");
    }
    let mut mirrors: Vec<Url> = vec![];
    for entry in list.iter().take(MIRROR_LIMIT) {
        let Some(url) = Url::from_value(entry) else { continue };
        if mirrors.contains(&url) || own.is_some_and(|own| matches!(own, Source::Url(own) if *own == url)) {
            entry.refuse("this address is named twice", "remove one of them");
        } else {
            mirrors.push(url);
        }
    }
    mirrors
}

/// Reads the value under a key that is declared elsewhere.
pub(super) fn field<T: Field>(table: &Table<'_>, name: &'static str) -> Option<T> {
    T::read(table, &Row { name, default: "", example: "", doc: "" })
}
