//! `[[machine.xml]]`: elements of the domain XML that no key stands for (libvirt: formatdomain). Values with their rules.
//!
//! # What an edit does
//!
//! Every edit is done to every domain of the bundle and handed to virt-install, in the order of the recipe, after all that
//! the other keys say; a later edit finds what an earlier one made.
//!
//! * `parent` names the element it happens in, by names below `<domain>` with `/` between them; `.` is the domain itself.
//!   A parent that is not there is made; one that is there twice is refused, as nobody could tell which is meant.
//! * `add` puts the element behind the parent's others.
//! * `replace` puts the element in the place of the parent's one child of the same name. With `match`, the name of an
//!   attribute, it is the one child that has the same value there. None, or more than one, is refused.
//!
//! # What is refused
//!
//! What [`REFUSED`] lists, with what to write instead: a bundle's name, UUID, disks and configuration are its own. Also
//! whatever virt-install's `--xml` cannot write like we do: a prefix or name space, text beside elements, an attribute that
//! is empty or holds `" ' & < >` (virtinst 4.1 escapes those twice). No document type is read, and no entity but XML's five.
//!
//! Touches nothing. Read next: `emit/edit.rs` (the lowering).

use std::ops::Range;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;
use serde::{Deserialize, Serialize};

use crate::base::text::{is_bidi, one_line};
use crate::base::words::vocabulary;

/// The longest element.
pub(crate) const ELEMENT_LIMIT: usize = 16 << 10;
/// How deep elements may lie in each other; libvirt's lie six deep.
const MAX_DEPTH: usize = 16;
/// The most elements in one.
const MAX_ELEMENTS: usize = 200;
/// The most names in a parent.
const MAX_PARENTS: usize = 8;

/// What no edit may bring or go through, and what stands for it.
const REFUSED: &[(&str, &str)] = &[
    ("name", "the recipe has `name`"),
    ("uuid", "it follows from plan and name"),
    ("description", "the recipe has `description`"),
    ("metadata", "its content has name spaces of its own"),
    ("sysinfo", "it brings the configuration"),
    ("memory", "`[machine]` has `memory` and `max_memory`"),
    ("currentMemory", "`[machine]` has `memory`"),
    ("vcpu", "`[machine]` has `vcpus`"),
    ("on_reboot", "an installing machine ends there"),
    ("os/type", "`[machine]` has `arch`"),
    ("os/kernel", "the machine starts from its disk"),
    ("os/initrd", "the machine starts from its disk"),
    ("os/cmdline", "the machine starts from its disk"),
    ("devices/disk", "disks are the bundle's files; `[[machine.disk]]` adds one"),
    ("devices/graphics", "`[machine]` has `graphics`"),
];

/// What may be a parent, but never the element: more is in it than an edit could say.
const WHOLE: &[&str] = &["os", "features", "clock", "devices"];

vocabulary! {
    /// What an edit does.
    XmlAction { Add = "add", Replace = "replace" }
}

/// Why an element or an edit is refused, and where in the element's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct XmlError {
    pub reason: String,
    /// Bytes of the element's text; empty where it is about the edit as a whole.
    pub at: Range<usize>,
}

impl XmlError {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), at: 0..0 }
    }

    fn at(self, at: Range<usize>) -> Self {
        Self { at, ..self }
    }
}

/// One `[[machine.xml]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub(crate) struct XmlEdit {
    parent: Vec<String>,
    element: XmlElement,
    action: XmlAction,
    by: Option<String>,
}

/// An edit as it is written, in a recipe and in `machine.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    pub parent: String,
    pub element: String,
    pub action: XmlAction,
    #[serde(rename = "match", default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl TryFrom<Written> for XmlEdit {
    type Error = XmlError;

    fn try_from(written: Written) -> Result<Self, XmlError> {
        let edit = Self {
            parent: parents(&written.parent)?,
            element: XmlElement::parse(&written.element)?,
            action: written.action,
            by: written.by,
        };
        edit.check()?;
        Ok(edit)
    }
}

impl From<XmlEdit> for Written {
    fn from(edit: XmlEdit) -> Self {
        let parent = if edit.parent.is_empty() { ".".to_owned() } else { edit.parent.join("/") };
        Self { parent, element: edit.element.to_text(), action: edit.action, by: edit.by }
    }
}

impl XmlEdit {
    /// Returns the names of the parents below the domain, outermost first.
    pub(crate) fn parent(&self) -> &[String] {
        &self.parent
    }

    /// Returns what is brought.
    pub(crate) const fn element(&self) -> &XmlElement {
        &self.element
    }

    /// Tells whether a child of the parent goes.
    pub(crate) fn is_replacing(&self) -> bool {
        self.action == XmlAction::Replace
    }

    /// Returns the attribute that tells which child goes, and its value.
    pub(crate) fn by(&self) -> Option<(&str, &str)> {
        let by = self.by.as_deref()?;
        Some((by, self.element.attribute(by)?))
    }

    fn check(&self) -> Result<(), XmlError> {
        let parent = self.parent.join("/");
        if let Some((path, instead)) = refused(&parent) {
            return Err(XmlError::new(format!("`{path}` is not to be changed: {instead}")));
        }
        check_paths(&self.parent, &self.element)?;
        self.check_match()
    }

    /// The value goes into an XPath of virt-install's, which knows only the plain ones.
    fn check_match(&self) -> Result<(), XmlError> {
        let Some(by) = &self.by else { return Ok(()) };
        if self.action == XmlAction::Add {
            return Err(XmlError::new("`match` tells what is replaced, and the action is to add"));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        match self.element.attribute(by) {
            Some(value) if value.chars().all(plain) => Ok(()),
            Some(_) => Err(XmlError::new("an attribute to match by holds A-Z a-z 0-9 . _ - only")),
            None => Err(XmlError::new("the element has no attribute of the name that `match` says")),
        }
    }
}

fn refused(path: &str) -> Option<(&'static str, &'static str)> {
    let inside = |known: &str| path.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    REFUSED.iter().copied().find(|(known, _)| inside(known))
}

/// Goes through the element and all in it by their paths.
fn check_paths(parent: &[String], element: &XmlElement) -> Result<(), XmlError> {
    let mut path = parent.to_vec();
    path.push(element.name.clone());
    let text = path.join("/");
    if let Some((known, instead)) = refused(&text) {
        return Err(XmlError::new(format!("`{known}` is not to be changed: {instead}")));
    }
    if WHOLE.contains(&text.as_str()) {
        return Err(XmlError::new(format!("`{text}` as a whole is not to be changed; name it as the parent")));
    }
    element.children.iter().try_for_each(|child| check_paths(&path, child))
}

fn parents(text: &str) -> Result<Vec<String>, XmlError> {
    if text == "." {
        return Ok(vec![]);
    }
    let names: Vec<_> = text.split('/').map(str::to_owned).collect();
    if names.len() > MAX_PARENTS || !names.iter().all(|name| is_name(name)) {
        let rule = "a parent is names of elements below the domain with `/` between them, or `.` for the domain itself";
        return Err(XmlError::new(rule));
    }
    Ok(names)
}

/// Tells whether a text is a name of XML that needs no encoding anywhere; libvirt has no other.
fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let first = text.starts_with(|c: char| c.is_ascii_alphabetic());
    first && text.len() <= 64 && text.chars().all(plain) && text != "xmlns"
}

/// An element with attributes, and either elements or a line of text in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct XmlElement {
    name: String,
    attributes: Vec<(String, String)>,
    children: Vec<Self>,
    text: String,
}

impl XmlElement {
    /// Returns the name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns names and values, in the order written.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the elements in it.
    pub(crate) fn children(&self) -> &[Self] {
        &self.children
    }

    /// Returns the text in it, where there is some.
    pub(crate) fn text(&self) -> Option<&str> {
        Some(self.text.as_str()).filter(|text| !text.is_empty())
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Writes the element in one line.
    pub(crate) fn to_text(&self) -> String {
        let attributes: String = self.attributes().map(|(name, value)| format!(" {name}=\"{value}\"")).collect();
        let text = quick_xml::escape::escape(&self.text);
        let inside: String = self.children.iter().map(Self::to_text).collect();
        let (name, end) = (&self.name, !text.is_empty() || !inside.is_empty());
        if end { format!("<{name}{attributes}>{text}{inside}</{name}>") } else { format!("<{name}{attributes}/>") }
    }

    /// Reads one element.
    pub(crate) fn parse(text: &str) -> Result<Self, XmlError> {
        if text.len() > ELEMENT_LIMIT {
            return Err(XmlError::new("the element is longer than 16KiB"));
        }
        let mut reader = Reader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        let mut tree = Tree::default();
        loop {
            let from = position(reader.buffer_position());
            let event = reader.read_event().map_err(|error| {
                let at = position(reader.error_position());
                XmlError::new(form(&error)).at(at..at)
            })?;
            let at = from..position(reader.buffer_position()).max(from);
            match tree.take(&event) {
                Ok(true) => {}
                Ok(false) => return tree.finish().map_err(|error| error.at(at)),
                Err(error) => return Err(error.at(at)),
            }
        }
    }
}

fn position(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

fn form(error: &dyn std::fmt::Display) -> String {
    format!("no well-formed XML: {}", one_line(&error.to_string(), 120))
}

/// The elements that are open, each with what was found in it so far.
#[derive(Default)]
struct Tree {
    root: Option<XmlElement>,
    open: Vec<XmlElement>,
    count: usize,
}

impl Tree {
    /// Takes one event; tells whether more may come.
    fn take(&mut self, event: &Event<'_>) -> Result<bool, XmlError> {
        match event {
            Event::Start(start) => self.open(start)?,
            Event::End(_) => self.close()?,
            Event::Text(text) => self.hear(text)?,
            Event::GeneralRef(reference) => self.hear(resolve(reference)?.encode_utf8(&mut [0; 4]))?,
            Event::Eof => return Ok(false),
            Event::DocType(_) => return Err(XmlError::new("a document type is not read")),
            Event::Empty(_) | Event::CData(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {
                return Err(XmlError::new("only elements, attributes and text are read"));
            }
        }
        Ok(true)
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), XmlError> {
        self.count += 1;
        if self.count > MAX_ELEMENTS || self.open.len() >= MAX_DEPTH {
            let limits = format!("more than {MAX_ELEMENTS} elements, or {MAX_DEPTH} in each other");
            return Err(XmlError::new(limits));
        }
        if self.root.is_some() {
            return Err(XmlError::new("there is more than one element"));
        }
        let mut element = XmlElement { name: named(start.name().as_ref())?, ..XmlElement::default() };
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| XmlError::new(form(&error)))?;
            let name = named(attribute.key.as_ref())?;
            let value =
                attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| XmlError::new(form(&error)))?;
            element.attributes.push((name, plain(&value)?));
        }
        self.open.push(element);
        Ok(())
    }

    fn close(&mut self) -> Result<(), XmlError> {
        let mut element = self.open.pop().ok_or_else(|| XmlError::new("an element ends that never began"))?;
        let text = element.text.trim();
        if !text.is_empty() && !element.children.is_empty() {
            return Err(XmlError::new("text beside elements: virt-install could not be told"));
        }
        if text.chars().any(is_unwritable) {
            return Err(XmlError::new("a text is one line"));
        }
        element.text = text.to_owned();
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
            None => return Err(XmlError::new("text outside the element")),
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<XmlElement, XmlError> {
        match self.open.last() {
            Some(open) => Err(XmlError::new(format!("`{}` is never closed", open.name))),
            None => self.root.take().ok_or_else(|| XmlError::new("there is no element")),
        }
    }
}

fn named(name: &str) -> Result<String, XmlError> {
    if is_name(name) {
        return Ok(name.to_owned());
    }
    let hint = "names are A-Z a-z 0-9 _ -, without a prefix; no name space is declared";
    Err(XmlError::new(format!("the name `{}`: {hint}", one_line(name, 40))))
}

/// Checks an attribute's value.
fn plain(value: &str) -> Result<String, XmlError> {
    if value.is_empty() || value.chars().any(|c| matches!(c, '"' | '\'' | '&' | '<' | '>') || is_unwritable(c)) {
        let rule = "an attribute is one line, not empty and without \" ' & < > (virt-install mishandles those)";
        return Err(XmlError::new(rule));
    }
    Ok(value.to_owned())
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
    let found = reference.resolve_char_ref().map_err(|error| XmlError::new(form(&error)))?;
    found.or(named).ok_or_else(|| XmlError::new("no entity is read but XML's own five"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(parent: &str, element: &str, action: XmlAction, by: Option<&str>) -> Result<XmlEdit, XmlError> {
        let by = by.map(str::to_owned);
        Written { parent: parent.to_owned(), element: element.to_owned(), action, by }.try_into()
    }

    fn add(parent: &str, element: &str) -> Result<XmlEdit, XmlError> {
        edit(parent, element, XmlAction::Add, None)
    }

    #[test]
    fn an_element_is_read_and_written_in_one_line() {
        for (text, written) in [
            ("<watchdog model='itco' action='reset'/>", "<watchdog model=\"itco\" action=\"reset\"/>"),
            ("\n <a>\n  <b c='1 2'></b>\n  <d> x&amp;y &#65; </d>\n </a>\n", "<a><b c=\"1 2\"/><d>x&amp;y A</d></a>"),
            ("<emulator>/usr/bin/é</emulator>", "<emulator>/usr/bin/é</emulator>"),
        ] {
            let element = XmlElement::parse(text).unwrap();
            assert_eq!(element.to_text(), written);
            assert_eq!(XmlElement::parse(written), Ok(element));
        }
    }

    #[test]
    fn out_6_what_is_no_plain_element_is_refused_at_its_place() {
        let deep = format!("{}{}", "<a>".repeat(MAX_DEPTH + 1), "</a>".repeat(MAX_DEPTH + 1));
        let many = format!("<a>{}</a>", "<b/>".repeat(MAX_ELEMENTS));
        let long = format!("<a b='{}'/>", "x".repeat(ELEMENT_LIMIT));
        for (text, reason, at) in [
            ("", "there is no element", 0),
            ("<a", "no well-formed XML", 0),
            ("<a><b></a>", "no well-formed XML", 6),
            ("<a>", "`a` is never closed", 3),
            ("</a>", "no well-formed XML", 0),
            ("<a/><b/>", "there is more than one element", 4),
            ("<a/>x", "text outside the element", 4),
            ("<a>x<b/></a>", "text beside elements", 8),
            ("<a>x\ny</a>", "a text is one line", 6),
            ("<a>&#27;</a>", "a text is one line", 8),
            ("<a b='&#10;'/>", "an attribute is one line", 0),
            ("<a b=''/>", "an attribute is one line", 0),
            ("<a b='x&amp;y'/>", "an attribute is one line", 0),
            ("<a b='1' b='2'/>", "no well-formed XML", 0),
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
            (&long, "the element is longer than 16KiB", 0),
        ] {
            let error = XmlElement::parse(text).unwrap_err();
            assert!(error.reason.starts_with(reason), "{text}: {error:?}");
            assert_eq!(error.at.start, at, "{text}: {error:?}");
        }
    }

    #[test]
    fn out_6_the_bundles_own_elements_are_refused_however_they_are_reached() {
        for (parent, element) in [
            (".", "<name>x</name>"),
            (".", "<uuid>x</uuid>"),
            (".", "<sysinfo type='fwcfg'/>"),
            ("sysinfo", "<entry name='opt/x'>y</entry>"),
            (".", "<devices><rng model='virtio'/></devices>"),
            ("devices", "<disk type='file'/>"),
            ("devices/disk", "<serial>x</serial>"),
            (".", "<os><kernel>/x</kernel></os>"),
            ("os", "<cmdline>x</cmdline>"),
            (".", "<metadata/>"),
            ("devices", "<graphics type='vnc'/>"),
        ] {
            let error = add(parent, element).unwrap_err();
            assert!(error.reason.contains("is not to be changed"), "{parent} {element}: {error:?}");
        }
        assert!(add("devices", "<diskette type='file'/>").is_ok(), "names are compared whole");
        assert!(add("os", "<bootmenu enable='yes'/>").is_ok());
        for bad in ["", "/", "devices/", "./devices", "..", "devices/disk[1]", "a:b", "a/b/c/d/e/f/g/h/i"] {
            assert!(add(bad, "<a/>").unwrap_err().reason.starts_with("a parent is"), "{bad}");
        }
    }

    #[test]
    fn a_match_is_an_attribute_of_what_replaces() {
        let replace = |element, by| edit("clock", element, XmlAction::Replace, by);
        let pit = replace("<timer name='pit' present='no'/>", Some("name")).unwrap();
        assert_eq!((pit.by(), pit.is_replacing()), (Some(("name", "pit")), true));
        assert!(replace("<timer name='pit'/>", Some("x")).is_err());
        assert!(replace("<timer name=\"p/t\"/>", Some("name")).is_err());
        assert!(edit("clock", "<timer name='pit'/>", XmlAction::Add, Some("name")).is_err());
    }

    #[test]
    fn rec_14_an_edit_read_back_is_held_to_its_rules() {
        let edit = add("devices", "<hub type='usb'/>").unwrap();
        let text = serde_json::to_string(&edit).unwrap();
        assert_eq!(text, r#"{"parent":"devices","element":"<hub type=\"usb\"/>","action":"add"}"#);
        assert_eq!(serde_json::from_str::<XmlEdit>(&text).unwrap(), edit);
        assert!(serde_json::from_str::<XmlEdit>(&text.replace("hub", "disk")).is_err());
    }
}
