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

use serde::{Deserialize, Serialize};

use super::table::{FromValue, KeyType, keys, table};
use crate::base::ByteSize;
use crate::base::words::vocabulary;
use crate::format::toml::{Charset, Table, Value};
use crate::format::xml::{self, Element, Limits, XmlError, is_plain_name};

/// What an element of an edit may hold; libvirt's are nested six deep.
pub(crate) const ELEMENT: Limits = Limits { bytes: ByteSize(16 << 10), depth: 16, elements: 200, is_plain: true };
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

/// One `[[machine.xml]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub(crate) struct XmlEdit {
    parent: Vec<String>,
    element: Element,
    action: XmlAction,
    by: Option<String>,
}

table! {
    /// An edit as it is written, in a recipe and in `machine.json`.
    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    Written in "machine.xml[]" {
        /// names of elements below the domain with `/` between them (made where missing), `.` for the domain itself
        parent: String = "required" like "\"devices\"",
        /// one element; not name, uuid, sysinfo, disks, nor what a key stands for
        element: Xml = "required" like "\"<hub type='usb'/>\"",
        /// add puts it behind the parent's others; replace puts it in the place of the one child of the same name
        action: XmlAction = "add",
        /// with replace: an attribute of the element; it replaces the one child with the same value there
        #[serde(rename = "match", default, skip_serializing_if = "Option::is_none")]
        by as "match": Option<String>,
    }
}

keys! {
    XmlEdit in "machine.xml[]" limit 64 read read {} flat { Written }
}

fn read(table: &Table<'_>) -> Option<XmlEdit> {
    let refuse = |error: XmlError| {
        table.document.tell(table.problem(format!("the edit is refused: {}", error.reason)));
    };
    XmlEdit::try_from(Written::read(table)?).map_err(refuse).ok()
}

/// The text of one element.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Xml(pub(crate) String);

impl FromValue for Xml {
    const KIND: KeyType = KeyType::Text;

    /// Where the text itself is at fault, it is told where in it.
    fn from_value(value: &Value<'_>) -> Option<Self> {
        let text = value.text(Charset::Free, ELEMENT.bytes)?;
        let refuse = |error: XmlError| {
            value.refuse_within(error.at, format!("`{}` is refused: {}", value.key(), error.reason));
        };
        xml::read(text, &ELEMENT).map_err(refuse).ok().map(|_| Self(text.to_owned()))
    }
}

impl TryFrom<Written> for XmlEdit {
    type Error = XmlError;

    fn try_from(written: Written) -> Result<Self, XmlError> {
        let edit = Self {
            parent: parents(&written.parent)?,
            element: xml::read(&written.element.0, &ELEMENT)?,
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
        Self { parent, element: Xml(edit.element.to_text()), action: edit.action, by: edit.by }
    }
}

impl XmlEdit {
    /// Returns the names of the parents below the domain, outermost first.
    pub(crate) fn parent(&self) -> &[String] {
        &self.parent
    }

    /// Returns what is brought.
    pub(crate) const fn element(&self) -> &Element {
        &self.element
    }

    /// Returns whether a child of the parent goes.
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
fn check_paths(parent: &[String], element: &Element) -> Result<(), XmlError> {
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
    if names.len() > MAX_PARENTS || !names.iter().all(|name| is_plain_name(name)) {
        let rule = "a parent is names of elements below the domain with `/` between them, or `.` for the domain itself";
        return Err(XmlError::new(rule));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(parent: &str, element: &str, action: XmlAction, by: Option<&str>) -> Result<XmlEdit, XmlError> {
        let by = by.map(str::to_owned);
        Written { parent: parent.to_owned(), element: Xml(element.to_owned()), action, by }.try_into()
    }

    fn add(parent: &str, element: &str) -> Result<XmlEdit, XmlError> {
        edit(parent, element, XmlAction::Add, None)
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
