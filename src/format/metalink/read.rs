//! Reads a list event by event; what is unknown is passed over with all it holds. Touches nothing.

use quick_xml::NsReader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};

use super::{File, LAST, MAX_FILES, MAX_LENGTH, MAX_URLS, Metalink, MetalinkError, Mirror, NAMESPACE};
use crate::base::text::one_line;
use crate::base::{Digest, Url};

/// How deep elements may lie in each other; a list needs four.
const MAX_DEPTH: usize = 32;
/// The longest text of one element; a longer address is none of ours anyway.
const MAX_TEXT: usize = 4096;

/// Where the reader stands; what is not listed here is [`At::Elsewhere`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Metalink,
    File,
    Size,
    Hash,
    Url,
    Elsewhere,
}

/// Reads a whole list.
///
/// # Errors
/// What is no such list, is larger than the bounds, or says one thing twice.
pub(crate) fn parse(bytes: &[u8]) -> Result<Metalink, MetalinkError> {
    if bytes.len() as u64 > MAX_LENGTH {
        return Err(MetalinkError::TooLong(bytes.len()));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| MetalinkError::Form("it is not UTF-8".into()))?;
    let mut reader = NsReader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut state = State::default();
    loop {
        let (namespace, event) = reader.read_resolved_event().map_err(form)?;
        let ours = matches!(namespace, ResolveResult::Bound(Namespace(NAMESPACE)));
        match event {
            Event::Start(element) => state.open(ours, &element)?,
            Event::End(_) => state.close()?,
            Event::Text(text) => state.hear(&text),
            Event::CData(text) => state.hear(&text),
            Event::GeneralRef(reference) => state.hear(resolve(&reference)?.encode_utf8(&mut [0; 4])),
            Event::DocType(_) => return Err(MetalinkError::Entity),
            Event::Eof => break,
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    if state.seen && state.path.is_empty() { Ok(state.list) } else { Err(MetalinkError::Other) }
}

fn form(error: impl std::fmt::Display) -> MetalinkError {
    MetalinkError::Form(one_line(&error.to_string(), 120))
}

fn resolve(reference: &BytesRef<'_>) -> Result<char, MetalinkError> {
    match reference.resolve_char_ref().map_err(form)? {
        Some(c) => Ok(c),
        None => match &**reference {
            "amp" => Ok('&'),
            "lt" => Ok('<'),
            "gt" => Ok('>'),
            "quot" => Ok('"'),
            "apos" => Ok('\''),
            _ => Err(MetalinkError::Entity),
        },
    }
}

#[derive(Default)]
struct State {
    list: Metalink,
    path: Vec<At>,
    /// Whether a root was there.
    seen: bool,
    text: String,
    file: File,
    /// Of the element that is open, where it is one of sha-256.
    is_sha256: bool,
    priority: u32,
    urls: usize,
}

impl State {
    fn open(&mut self, ours: bool, element: &BytesStart<'_>) -> Result<(), MetalinkError> {
        let name = element.local_name();
        let at = match (self.path.last(), name.as_ref()) {
            _ if !ours => At::Elsewhere,
            (None, "metalink") => At::Metalink,
            (Some(At::Metalink), "file") => At::File,
            (Some(At::File), "size") => At::Size,
            (Some(At::File), "hash") => At::Hash,
            (Some(At::File), "url") => At::Url,
            _ => At::Elsewhere,
        };
        if self.path.is_empty() && (self.seen || at != At::Metalink) {
            return Err(MetalinkError::Other);
        }
        if self.path.len() >= MAX_DEPTH {
            return Err(MetalinkError::TooMany("elements in each other"));
        }
        self.seen = true;
        self.path.push(at);
        self.text.clear();
        self.begin(at, element)
    }

    fn begin(&mut self, at: At, element: &BytesStart<'_>) -> Result<(), MetalinkError> {
        match at {
            At::File => {
                let name = attribute(element, "name")?.unwrap_or_default();
                self.file = File { name, ..File::default() };
            }
            At::Hash => self.is_sha256 = is_sha256(element)?,
            At::Url => {
                let priority = attribute(element, "priority")?.and_then(|text| text.trim().parse().ok());
                self.priority = priority.unwrap_or(LAST).clamp(1, LAST);
            }
            At::Metalink | At::Size | At::Elsewhere => {}
        }
        Ok(())
    }

    /// Takes text; what is longer than any value of ours is cut one byte behind the bound, so that it fits nothing.
    fn hear(&mut self, text: &str) {
        if matches!(self.path.last(), Some(At::Size | At::Hash | At::Url)) && self.text.len() <= MAX_TEXT {
            self.text.extend(text.chars().take(MAX_TEXT + 1 - self.text.len()));
        }
    }

    fn close(&mut self) -> Result<(), MetalinkError> {
        let text = std::mem::take(&mut self.text);
        let text = text.trim();
        match self.path.pop() {
            Some(At::Size) => once(&mut self.file.size, number(text, "size")?, "sizes"),
            Some(At::Hash) if self.is_sha256 => once(&mut self.file.sha256, digest(text)?, "sha-256 digests"),
            Some(At::Url) => self.take_mirror(text),
            Some(At::File) if self.list.files.len() >= MAX_FILES => Err(MetalinkError::TooMany("files")),
            Some(At::File) => {
                self.list.files.push(std::mem::take(&mut self.file));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Takes an address of the kinds we ask; others, as `ftp` and `rsync`, are as good as unknown.
    fn take_mirror(&mut self, text: &str) -> Result<(), MetalinkError> {
        self.urls += 1;
        if self.urls > MAX_URLS {
            return Err(MetalinkError::TooMany("addresses"));
        }
        if let Some(url) = Url::parse(text).ok().filter(|url| url.is_remote() && !url.has_credentials()) {
            self.file.mirrors.push(Mirror { url, priority: self.priority });
        }
        Ok(())
    }
}

fn once<T>(place: &mut Option<T>, value: T, what: &'static str) -> Result<(), MetalinkError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(MetalinkError::Twice(what)),
    }
}

fn is_sha256(element: &BytesStart<'_>) -> Result<bool, MetalinkError> {
    Ok(attribute(element, "type")?.as_deref() == Some("sha-256"))
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Result<Option<String>, MetalinkError> {
    let mut found = None;
    // To the end, because only then one that stands twice is an error.
    for attribute in element.attributes() {
        let attribute = attribute.map_err(form)?;
        if attribute.key.as_ref() == name {
            found = Some(attribute.normalized_value(XmlVersion::Implicit1_0).map_err(form)?.into_owned());
        }
    }
    Ok(found)
}

/// Reads decimal digits only: `str::parse` would take a sign.
fn number(text: &str, what: &'static str) -> Result<u64, MetalinkError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { text.parse().ok() } else { None };
    number.ok_or_else(|| MetalinkError::Value(one_line(text, 40), what))
}

fn digest(text: &str) -> Result<Digest, MetalinkError> {
    Digest::parse(&text.to_ascii_lowercase()).map_err(|_| MetalinkError::Value(one_line(text, 80), "sha-256 digest"))
}
