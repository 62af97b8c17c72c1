//! XML → a small tree, bounded, without entities of its own. Touches nothing.
//!
//! `quick-xml` reads (the crate writes our XML too, so `roxmltree` would be a second reader); it expands nothing, and a document
//! type, where entities and files of the host could be named, is refused whole (XML 1.0, 2.8; OWASP: XML external entities).

use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use super::LIMIT;
use crate::base::text::one_line;

/// How deep elements may lie in each other; a domain of libvirt's needs ten.
const MAX_DEPTH: usize = 64;
/// The most elements; a domain with a hundred disks has a thousand.
const MAX_ELEMENTS: usize = 20_000;

/// Why a text is no XML that is read here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum XmlError {
    #[error("it is larger than {LIMIT}")]
    Long,
    #[error("it is not UTF-8")]
    Encoding,
    #[error("it is no well-formed XML: {0}")]
    Form(String),
    /// It could name files of this machine, or grow without end.
    #[error("it has a document type or entities of its own, which are not read")]
    Entity,
    #[error("more than {MAX_DEPTH} elements lie in each other")]
    Deep,
    #[error("it has more than {MAX_ELEMENTS} elements")]
    Many,
    #[error("it holds no element, or several at its top")]
    Root,
}

/// One element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    /// Without a prefix.
    pub name: String,
    /// Whether it has a prefix, or declares one: what it means, another document says.
    pub is_foreign: bool,
    attributes: Vec<(String, String)>,
    pub children: Vec<Self>,
    /// All text right inside.
    pub text: String,
}

impl Element {
    /// Makes an element with attributes.
    pub(crate) fn new<'a>(name: &str, attributes: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let attributes = attributes.into_iter().map(owned).collect();
        Self { name: name.to_owned(), attributes, ..Self::default() }
    }

    /// Sets an attribute.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.attributes.retain(|(known, _)| known != name);
        self.attributes.push((name.to_owned(), value.to_owned()));
    }

    /// Takes attributes away for which `keeps` is false.
    pub(crate) fn retain_attributes(&mut self, keeps: impl Fn(&str, &str) -> bool) {
        self.attributes.retain(|(name, value)| keeps(name, value));
    }

    /// Returns names and values.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the first child of a name, which is made where there is none.
    pub(crate) fn reach(&mut self, name: &str) -> &mut Self {
        let known = self.children.iter().position(|child| child.name == name);
        let index = known.unwrap_or(self.children.len());
        if known.is_none() {
            self.children.push(Self::new(name, []));
        }
        &mut self.children[index]
    }

    /// Tells whether something holds for it or any element in it.
    pub(crate) fn any(&self, holds: &dyn Fn(&Self) -> bool) -> bool {
        holds(self) || self.children.iter().any(|child| child.any(holds))
    }

    /// Tells whether two say the same, in whatever order.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let same = |(name, value)| other.attribute(name) == Some(value);
        let mut rest: Vec<_> = other.children.iter().collect();
        let found = |child: &Self| {
            let at = rest.iter().position(|other| child.is_like(other));
            at.map(|at| rest.swap_remove(at)).is_some()
        };
        self.name == other.name
            && self.text.trim() == other.text.trim()
            && (self.attributes.len(), self.children.len()) == (other.attributes.len(), other.children.len())
            && self.attributes().all(same)
            && self.children.iter().all(found)
    }

    /// Writes the element in one line, without the white space between elements.
    pub(crate) fn to_text(&self) -> String {
        let escape = |text: &str| quick_xml::escape::escape(text).into_owned();
        // As they stand they would be read as spaces.
        let value = |text: &str| escape(text).replace('\n', "&#10;").replace('\t', "&#9;").replace('\r', "&#13;");
        let attributes: String = self.attributes().map(|(name, said)| format!(" {name}=\"{}\"", value(said))).collect();
        let inside: String = self.children.iter().map(Self::to_text).collect();
        let (name, text) = (&self.name, escape(self.text.trim()));
        match text.is_empty() && inside.is_empty() {
            true => format!("<{name}{attributes}/>"),
            false => format!("<{name}{attributes}>{text}{inside}</{name}>"),
        }
    }

    /// Returns an attribute.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns the first child of a name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Returns all children of a name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// Returns an attribute of the first child of a name.
    pub(crate) fn of(&self, child: &str, attribute: &str) -> Option<&str> {
        self.child(child)?.attribute(attribute)
    }
}

/// Reads a document; the result is its one root.
pub(crate) fn read(bytes: &[u8]) -> Result<Element, XmlError> {
    if bytes.len() as u64 > LIMIT.0 {
        return Err(XmlError::Long);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| XmlError::Encoding)?;
    if let Some(bad) = text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(XmlError::Form(format!("the character U+{:04X} may not stand in it", u32::from(bad))));
    }
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    reader.config_mut().expand_empty_elements = true;
    let mut tree = Tree::default();
    loop {
        match reader.read_event().map_err(form)? {
            Event::Start(start) => tree.open(&start)?,
            Event::End(_) => tree.close()?,
            Event::Text(text) => tree.hear(&text)?,
            Event::CData(text) => tree.hear(&text)?,
            Event::GeneralRef(reference) => tree.hear(resolve(&reference)?.encode_utf8(&mut [0; 4]))?,
            Event::DocType(_) => return Err(XmlError::Entity),
            Event::Eof => return tree.finish(),
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
}

fn form(error: impl std::fmt::Display) -> XmlError {
    XmlError::Form(one_line(&error.to_string(), 120))
}

fn resolve(reference: &BytesRef<'_>) -> Result<char, XmlError> {
    let named = match &**reference {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    };
    let found = reference.resolve_char_ref().map_err(form)?.or(named).ok_or(XmlError::Entity)?;
    if found.is_control() && !matches!(found, '\n' | '\r' | '\t') {
        return Err(XmlError::Form("a reference to a control character".to_owned()));
    }
    Ok(found)
}

#[derive(Default)]
struct Tree {
    root: Option<Element>,
    open: Vec<Element>,
    count: usize,
}

impl Tree {
    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), XmlError> {
        self.count += 1;
        if self.count > MAX_ELEMENTS {
            return Err(XmlError::Many);
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(XmlError::Deep);
        }
        if self.root.is_some() {
            return Err(XmlError::Root);
        }
        let is_foreign = start.name().prefix().is_some();
        let mut element = Element { name: start.local_name().as_ref().to_owned(), is_foreign, ..Element::default() };
        for attribute in start.attributes() {
            let attribute = attribute.map_err(form)?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(form)?;
            let name: &str = attribute.key.as_ref();
            element.is_foreign |= name.contains(':') || name == "xmlns";
            element.attributes.push((name.to_owned(), value.into_owned()));
        }
        self.open.push(element);
        Ok(())
    }

    fn close(&mut self) -> Result<(), XmlError> {
        let element = self.open.pop().ok_or(XmlError::Root)?;
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
        Ok(())
    }

    fn hear(&mut self, text: &str) -> Result<(), XmlError> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err(XmlError::Root),
        }
        Ok(())
    }

    fn finish(self) -> Result<Element, XmlError> {
        match self.open.last() {
            Some(open) => Err(XmlError::Form(format!("`{}` is never closed", one_line(&open.name, 60)))),
            None => self.root.ok_or(XmlError::Root),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_has_names_attributes_and_text() {
        let text = "<?xml version='1.0'?>\r\n<!-- x --><d xmlns:q='u' a='1 &lt;&#65;'>\n <q:b c=\"2\"/>t&amp;<![CDATA[<]]></d>\n";
        let root = read(text.as_bytes()).unwrap();
        assert_eq!((root.name.as_str(), root.attribute("a"), root.of("b", "c")), ("d", Some("1 <A"), Some("2")));
        assert_eq!(root.text.trim(), "t&<");
    }

    #[test]
    fn rec_14_xml_that_names_entities_or_has_no_end_is_refused() {
        let deep = |n: usize| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n));
        assert!(read(deep(MAX_DEPTH).as_bytes()).is_ok());
        for (text, error) in [
            (deep(MAX_DEPTH + 1), XmlError::Deep),
            (format!("<a>{}</a>", "<b/>".repeat(MAX_ELEMENTS)), XmlError::Many),
            ("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>".to_owned(), XmlError::Entity),
            ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>".to_owned(), XmlError::Entity),
            ("<a>&b;</a>".to_owned(), XmlError::Entity),
            ("<a/><a/>".to_owned(), XmlError::Root),
            ("<a/>text".to_owned(), XmlError::Root),
            ("<!-- -->".to_owned(), XmlError::Root),
            (" ".repeat((1 << 20) + 1), XmlError::Long),
        ] {
            assert_eq!(read(text.as_bytes()), Err(error), "{}", one_line(&text, 60));
        }
        for text in
            ["<a", "<a>", "<a></b>", "<a b='1' b='2'/>", "<a b='&c;'/>", "<a>\0</a>", "<a>&#0;</a>", "<a>&#27;</a>"]
        {
            assert!(matches!(read(text.as_bytes()), Err(XmlError::Form(_))), "{text:?} {:?}", read(text.as_bytes()));
        }
        assert_eq!(read(b"<a>\xff</a>"), Err(XmlError::Encoding));
    }
}
