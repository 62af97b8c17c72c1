//! XML 1.0 as a small tree: one bounded reader without entities of its own, and one writer. Touches nothing.
//!
//! `quick-xml` tokenises; it expands nothing, and a document type, where entities and files of the host could be named, is
//! refused whole (XML 1.0, 2.8; OWASP: XML external entities). What is *plain*, [`Limits`] says.

use std::ops::Range;

use quick_xml::XmlVersion;
use quick_xml::escape::escape;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use crate::base::ByteSize;
use crate::base::text::{is_bidi, one_line};

/// What a text may hold.
pub(crate) struct Limits {
    pub bytes: ByteSize,
    /// How deep elements may be nested.
    pub depth: usize,
    /// The most elements.
    pub elements: usize,
    /// Whether only elements, attributes and text are read, and only those that every tool writes alike: no name space, no
    /// comment, no text beside elements or over several lines, no attribute that is empty or needs escapes.
    pub is_plain: bool,
}

/// Why a text is refused, and where in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct XmlError {
    pub reason: String,
    /// Bytes of the text; empty where it is about the whole.
    pub at: Range<usize>,
}

impl XmlError {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), at: 0..0 }
    }

    fn form(error: impl std::fmt::Display) -> Self {
        Self::new(format!("not well-formed XML: {}", one_line(&error.to_string(), 120)))
    }
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
    /// All text right inside, without white space around it.
    pub text: String,
}

/// Returns an empty element.
pub(crate) fn element(name: impl Into<String>) -> Element {
    Element { name: name.into(), ..Element::default() }
}

impl Element {
    /// Adds an attribute.
    #[must_use]
    pub(crate) fn with(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.attributes.push((name.into(), value.to_string()));
        self
    }

    /// Sets the text.
    #[must_use]
    pub(crate) fn with_text(self, text: impl Into<String>) -> Self {
        Self { text: text.into(), ..self }
    }

    /// Adds children.
    #[must_use]
    pub(crate) fn containing(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.children.extend(children);
        self
    }

    /// Sets an attribute.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.attributes.retain(|(known, _)| known != name);
        self.attributes.push((name.to_owned(), value.to_owned()));
    }

    /// Sets an attribute that is not there.
    pub(crate) fn set_default(&mut self, name: &str, value: &str) {
        if self.attribute(name).is_none() {
            self.set(name, value);
        }
    }

    /// Removes the attributes for which `keeps` is false.
    pub(crate) fn retain_attributes(&mut self, keeps: impl Fn(&str, &str) -> bool) {
        self.attributes.retain(|(name, value)| keeps(name, value));
    }

    /// Returns names and values, in the order written.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the value of an attribute.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Returns the first child of a name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.all(name).next()
    }

    /// Returns the first child of a name, which is made where there is none.
    pub(crate) fn child_mut(&mut self, name: &str) -> &mut Self {
        let known = self.children.iter().position(|child| child.name == name);
        let index = known.unwrap_or(self.children.len());
        if known.is_none() {
            self.children.push(element(name));
        }
        &mut self.children[index]
    }

    /// Returns all children of a name.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// Returns an attribute of the first child of a name.
    pub(crate) fn of(&self, child: &str, attribute: &str) -> Option<&str> {
        self.child(child)?.attribute(attribute)
    }

    /// Returns whether something holds for it or any element in it.
    pub(crate) fn any(&self, holds: &dyn Fn(&Self) -> bool) -> bool {
        holds(self) || self.children.iter().any(|child| child.any(holds))
    }

    /// Returns whether two say the same, in whatever order.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let same = |(name, value)| other.attribute(name) == Some(value);
        let mut rest: Vec<_> = other.children.iter().collect();
        let found = |child: &Self| {
            let at = rest.iter().position(|other| child.is_like(other));
            at.map(|at| rest.swap_remove(at)).is_some()
        };
        (&self.name, &self.text) == (&other.name, &other.text)
            && (self.attributes.len(), self.children.len()) == (other.attributes.len(), other.children.len())
            && self.attributes().all(same)
            && self.children.iter().all(found)
    }

    /// Returns whether another says nothing that this does not: what it leaves out is this.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        self.name == other.name
            && (other.text.is_empty() || self.text == other.text)
            && other.attributes().all(|(name, value)| self.attribute(name) == Some(value))
            && other.children.iter().all(|child| self.children.iter().any(|own| own.covers(child)))
    }

    /// Writes the element in one line.
    pub(crate) fn to_text(&self) -> String {
        let mut text = String::new();
        self.write(None, &mut text);
        text
    }

    /// Writes the element as a document of its own, two spaces an indent, a final newline.
    pub(crate) fn to_document(&self) -> String {
        let mut text = String::new();
        self.write(Some(0), &mut text);
        text.push('\n');
        text
    }

    fn write(&self, depth: Option<usize>, to: &mut String) {
        to.push_str(&format!("<{}", self.name));
        for (name, value) in self.attributes() {
            // As they stand they would be read as spaces.
            let value = escape(value).replace('\n', "&#10;").replace('\t', "&#9;");
            to.push_str(&format!(" {name}=\"{value}\""));
        }
        if self.children.is_empty() && self.text.is_empty() {
            return to.push_str("/>");
        }
        to.push('>');
        to.push_str(&escape(&self.text));
        let indent = |depth: usize| format!("\n{}", "  ".repeat(depth));
        for child in &self.children {
            to.push_str(&depth.map(|depth| indent(depth + 1)).unwrap_or_default());
            child.write(depth.map(|depth| depth + 1), to);
        }
        let end = depth.filter(|_| !self.children.is_empty()).map(indent).unwrap_or_default();
        to.push_str(&format!("{end}</{}>", self.name));
    }
}

/// Reads a text; the result is its one root.
pub(crate) fn read(text: &str, limits: &Limits) -> Result<Element, XmlError> {
    if text.len() as u64 > limits.bytes.0 {
        return Err(XmlError::new(format!("longer than {}", limits.bytes)));
    }
    if let Some(bad) = text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(XmlError::form(format!("the character U+{:04X} may not stand in it", u32::from(bad))));
    }
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    reader.config_mut().expand_empty_elements = true;
    let mut tree = Tree { limits, root: None, open: vec![], count: 0 };
    loop {
        let from = position(reader.buffer_position());
        let event = reader.read_event().map_err(|error| {
            let at = position(reader.error_position());
            XmlError { at: at..at, ..XmlError::form(error) }
        })?;
        let at = from..position(reader.buffer_position()).max(from);
        match tree.take(&event) {
            Ok(None) => {}
            Ok(Some(root)) => return Ok(root),
            Err(error) => return Err(XmlError { at, ..error }),
        }
    }
}

/// Reads an element that the program itself holds.
pub(crate) fn fixed(text: &'static str) -> Element {
    let limits = Limits { bytes: ByteSize::mib(1), depth: 16, elements: 200, is_plain: true };
    read(text, &limits).unwrap_or_default()
}

fn position(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

/// The elements that are open, each with what was found in it so far.
struct Tree<'a> {
    limits: &'a Limits,
    root: Option<Element>,
    open: Vec<Element>,
    count: usize,
}

impl Tree<'_> {
    /// Takes one event; at the end of the text returns the root.
    fn take(&mut self, event: &Event<'_>) -> Result<Option<Element>, XmlError> {
        match event {
            Event::Start(start) => self.open(start)?,
            Event::End(_) => self.close()?,
            Event::Text(text) => self.text(text)?,
            Event::GeneralRef(reference) => self.text(resolve(reference)?.encode_utf8(&mut [0; 4]))?,
            Event::Eof => return self.finish().map(Some),
            Event::DocType(_) => return Err(XmlError::new("a document type is not read, nor are its entities")),
            _ if self.limits.is_plain => return Err(XmlError::new("only elements, attributes and text are read")),
            Event::CData(text) => self.text(text)?,
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
        Ok(None)
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), XmlError> {
        self.count += 1;
        let Limits { depth, elements, is_plain, .. } = *self.limits;
        if self.count > elements || self.open.len() >= depth {
            return Err(XmlError::new(format!("more than {elements} elements, or {depth} in each other")));
        }
        if self.root.is_some() {
            return Err(XmlError::new("there is more than one element"));
        }
        let (full, local) = (start.name(), start.local_name());
        let mut element = element(if is_plain { plain_name(full.as_ref())? } else { local.as_ref() });
        element.is_foreign = full.prefix().is_some();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(XmlError::form)?;
            let (name, value): (&str, _) =
                (attribute.key.as_ref(), attribute.normalized_value(XmlVersion::Implicit1_0).map_err(XmlError::form)?);
            if is_plain {
                plain_name(name)?;
                plain_value(&value)?;
            }
            element.is_foreign |= name.contains(':') || name == "xmlns";
            element.attributes.push((name.to_owned(), value.into_owned()));
        }
        self.open.push(element);
        Ok(())
    }

    fn close(&mut self) -> Result<(), XmlError> {
        let mut element = self.open.pop().ok_or_else(|| XmlError::new("an element ends that never began"))?;
        let text = element.text.trim();
        if self.limits.is_plain && !text.is_empty() && !element.children.is_empty() {
            return Err(XmlError::new("text beside elements: virt-install could not be told"));
        }
        if self.limits.is_plain && text.chars().any(is_unwritable) {
            return Err(XmlError::new("a text is one line"));
        }
        element.text = text.to_owned();
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), XmlError> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err(XmlError::new("text outside the element")),
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Element, XmlError> {
        match self.open.last() {
            Some(open) => Err(XmlError::new(format!("`{}` is never closed", one_line(&open.name, 60)))),
            None => self.root.take().ok_or_else(|| XmlError::new("there is no element")),
        }
    }
}

/// Returns whether a text is a name of XML that needs no encoding anywhere; libvirt has no other.
pub(crate) fn is_plain_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let first = text.starts_with(|c: char| c.is_ascii_alphabetic());
    first && text.len() <= 64 && text.chars().all(plain) && text != "xmlns"
}

fn plain_name(name: &str) -> Result<&str, XmlError> {
    let hint = "names are A-Z a-z 0-9 _ -, without a prefix; no name space is declared";
    let refused = || XmlError::new(format!("the name `{}`: {hint}", one_line(name, 40)));
    is_plain_name(name).then_some(name).ok_or_else(refused)
}

fn plain_value(value: &str) -> Result<(), XmlError> {
    if value.is_empty() || value.chars().any(|c| matches!(c, '"' | '\'' | '&' | '<' | '>') || is_unwritable(c)) {
        let rule = "an attribute is one line, not empty and without \" ' & < > (virt-install mishandles those)";
        return Err(XmlError::new(rule));
    }
    Ok(())
}

fn is_unwritable(c: char) -> bool {
    c.is_control() || is_bidi(c) || matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{2028}' | '\u{2029}')
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
    let found = reference.resolve_char_ref().map_err(XmlError::form)?;
    if found.is_some_and(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(XmlError::form("a reference to a control character"));
    }
    found.or(named).ok_or_else(|| XmlError::new("no entity is read but XML's own five"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Limits = Limits { bytes: ByteSize(16 << 10), depth: 16, elements: 200, is_plain: true };
    const DOCUMENT: Limits = Limits { bytes: ByteSize::mib(1), depth: 64, elements: 20_000, is_plain: false };

    #[test]
    fn a_tree_has_names_attributes_and_text() {
        let text = "<?xml version='1.0'?>\r\n<!-- x --><d xmlns:q='u' a='1 &lt;&#65;'>\n <q:b c=\"2\"/>t&amp;<![CDATA[<]]></d>\n";
        let root = read(text, &DOCUMENT).unwrap();
        assert_eq!((root.name.as_str(), root.attribute("a"), root.of("b", "c")), ("d", Some("1 <A"), Some("2")));
        assert_eq!((root.text.as_str(), root.is_foreign), ("t&<", true));
    }

    #[test]
    fn rec_14_xml_that_names_entities_or_has_no_end_is_refused() {
        let deep = |n: usize| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n));
        assert!(read(&deep(DOCUMENT.depth), &DOCUMENT).is_ok());
        for (text, reason) in [
            (deep(DOCUMENT.depth + 1), "more than 20000 elements, or 64"),
            (format!("<a>{}</a>", "<b/>".repeat(DOCUMENT.elements)), "more than 20000 elements, or 64"),
            ("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>".to_owned(), "a document type"),
            ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>".to_owned(), "a document type"),
            ("<a>&b;</a>".to_owned(), "no entity"),
            ("<a/><a/>".to_owned(), "there is more than one element"),
            ("<a/>text".to_owned(), "text outside the element"),
            ("<!-- -->".to_owned(), "there is no element"),
            (" ".repeat((1 << 20) + 1), "longer than 1 MiB"),
            ("<a>".to_owned(), "`a` is never closed"),
        ] {
            let error = read(&text, &DOCUMENT).unwrap_err();
            assert!(error.reason.starts_with(reason), "{} {error}", one_line(&text, 60));
        }
        for text in ["<a", "<a></b>", "<a b='1' b='2'/>", "<a b='&c;'/>", "<a>\0</a>", "<a>&#0;</a>", "<a>&#27;</a>"] {
            let error = read(text, &DOCUMENT).unwrap_err();
            assert!(error.reason.starts_with("not well-formed XML"), "{text:?} {error}");
        }
    }

    #[test]
    fn a_document_is_indented_and_what_was_written_is_read_again() {
        let tree = element("a").with("b", "1 <\n").containing([element("c").with_text("x & y"), element("d")]);
        assert_eq!(tree.to_document(), "<a b=\"1 &lt;&#10;\">\n  <c>x &amp; y</c>\n  <d/>\n</a>\n");
        for text in [tree.to_document(), tree.to_text()] {
            assert_eq!(read(&text, &DOCUMENT), Ok(tree.clone()), "{text}");
        }
    }

    #[test]
    fn an_element_is_read_and_written_in_one_line() {
        for (text, written) in [
            ("<watchdog model='itco' action='reset'/>", "<watchdog model=\"itco\" action=\"reset\"/>"),
            ("\n <a>\n  <b c='1 2'></b>\n  <d> x&amp;y &#65; </d>\n </a>\n", "<a><b c=\"1 2\"/><d>x&amp;y A</d></a>"),
            ("<emulator>/usr/bin/é</emulator>", "<emulator>/usr/bin/é</emulator>"),
        ] {
            let element = read(text, &PLAIN).unwrap();
            assert_eq!(element.to_text(), written);
            assert_eq!(read(written, &PLAIN), Ok(element));
        }
    }

    #[test]
    fn out_6_what_is_no_plain_element_is_refused_at_its_place() {
        let deep = format!("{}{}", "<a>".repeat(PLAIN.depth + 1), "</a>".repeat(PLAIN.depth + 1));
        let many = format!("<a>{}</a>", "<b/>".repeat(PLAIN.elements));
        let long = format!("<a b='{}'/>", "x".repeat(PLAIN.bytes.0 as usize));
        for (text, reason, at) in [
            ("", "there is no element", 0),
            ("<a", "not well-formed XML", 0),
            ("<a><b></a>", "not well-formed XML", 6),
            ("<a>", "`a` is never closed", 3),
            ("</a>", "not well-formed XML", 0),
            ("<a/><b/>", "there is more than one element", 4),
            ("<a/>x", "text outside the element", 4),
            ("<a>x<b/></a>", "text beside elements", 8),
            ("<a>x\ny</a>", "a text is one line", 6),
            ("<a>&#27;</a>", "not well-formed XML: a reference", 3),
            ("<a b='&#10;'/>", "an attribute is one line", 0),
            ("<a b=''/>", "an attribute is one line", 0),
            ("<a b='x&amp;y'/>", "an attribute is one line", 0),
            ("<a b='1' b='2'/>", "not well-formed XML", 0),
            ("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", "a document type is not read", 0),
            ("<a>&b;</a>", "no entity is read", 3),
            ("<a><!-- x --></a>", "only elements, attributes and text", 3),
            ("<a><![CDATA[x]]></a>", "only elements, attributes and text", 3),
            ("<?xml version='1.0'?><a/>", "only elements, attributes and text", 0),
            ("<q:a xmlns:q='u'/>", "the name `q:a`", 0),
            ("<a xmlns='u'/>", "the name `xmlns`", 0),
            ("<a q:b='u'/>", "the name `q:b`", 0),
            (&deep, "more than 200 elements, or 16", 48),
            (&many, "more than 200 elements, or 16", 799),
            (&long, "longer than 16 KiB", 0),
        ] {
            let error = read(text, &PLAIN).unwrap_err();
            assert!(error.reason.starts_with(reason), "{text}: {error:?}");
            assert_eq!(error.at.start, at, "{text}: {error:?}");
        }
    }
}
