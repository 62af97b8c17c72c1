//! An element that no key stands for → `[[machine.xml]]`, or a line that says why not. Touches nothing.
//!
//! What an edit may say is `recipe/xml.rs`'s to decide; here are only the reasons of an import: a recipe is read by people and
//! kept in public places, so no secret goes into it, and nothing that nobody would read.

use super::found::Machine;
use crate::base::text::one_line;
use crate::format::xml::Element;
use crate::recipe::XmlEdit;
use crate::recipe::xml::{Written, Xml, XmlAction};

/// The longest element that is still something to be read.
const LONGEST: usize = 2 << 10;
/// The most edits of a recipe.
const MOST: usize = 64;
/// Elements and attributes that are secrets, or lead to one.
const SECRETS: [&str; 10] = [
    "auth",
    "encryption",
    "secret",
    "passwd",
    "password",
    "passphrase",
    "launchsecurity",
    "session",
    "dhcert",
    "token",
];

/// Adds an element to a parent, by the names below the domain.
pub(crate) fn add(machine: &mut Machine, parent: &str, node: &Element) {
    added(machine, parent, node);
}

/// Adds an element to a parent; returns whether it could.
pub(crate) fn added(machine: &mut Machine, parent: &str, node: &Element) -> bool {
    write(machine, parent, node, XmlAction::Add, None)
}

/// Puts an element in the place of the one that every machine of ours has.
pub(crate) fn replace(machine: &mut Machine, parent: &str, node: &Element, by: Option<&str>) {
    write(machine, parent, node, XmlAction::Replace, by);
}

/// Brings what differs from our own elements: what we have otherwise is replaced, what we have not is added.
///
/// `by` tells those of one name apart.
pub(crate) fn differ(
    machine: &mut Machine,
    parent: &str,
    theirs: &[Element],
    mut ours: Vec<Element>,
    by: Option<&str>,
) {
    let mut rest = vec![];
    for node in theirs {
        match ours.iter().position(|own| own.is_like(node)) {
            Some(index) => drop(ours.swap_remove(index)),
            None => rest.push(node),
        }
    }
    let key = |node: &Element| (node.name.clone(), by.map(|by| node.attribute(by).map(str::to_owned)));
    let mut added = vec![];
    for node in rest {
        match ours.iter().position(|own| key(own) == key(node)) {
            Some(index) => {
                ours.swap_remove(index);
                replace(machine, parent, node, by);
            }
            None => added.push(node),
        }
    }
    // Afterwards: what is replaced must be the only one of its name.
    for node in added {
        add(machine, parent, node);
    }
}

fn write(machine: &mut Machine, parent: &str, node: &Element, action: XmlAction, by: Option<&str>) -> bool {
    let element = Xml(node.to_text());
    let written = Written { parent: parent.to_owned(), element, action, by: by.map(str::to_owned) };
    let edit = match hindrance(node, &written.element.0) {
        _ if machine.hardware.xml.len() >= MOST => Err(format!("a recipe has at most {MOST} edits of the XML")),
        Some(why) => Err(why.to_owned()),
        None => XmlEdit::try_from(written).map_err(|error| error.reason),
    };
    match edit {
        Ok(edit) => machine.hardware.xml.push(edit),
        Err(why) => {
            machine.skip(format!("<{}>: {why}", one_line(&node.name, 60)));
            return false;
        }
    }
    true
}

fn hindrance(node: &Element, text: &str) -> Option<&'static str> {
    let is_secret = |name: &str| {
        let name = name.to_ascii_lowercase();
        SECRETS.contains(&name.as_str()) || name.contains("passw") || name.contains("secret")
    };
    let tells = |node: &Element| is_secret(&node.name) || node.attributes().any(|(name, _)| is_secret(name));
    if node.any(&|node| node.is_foreign) {
        return Some("it has a name space of its own, which a recipe cannot say");
    }
    if node.any(&tells) {
        return Some("it may hold a secret, which does not belong into a recipe");
    }
    (text.len() > LONGEST).then_some("it is longer than 2KiB")
}

/// Takes away what libvirt gives to every device by itself: its place on a bus, its alias, unless the user chose that.
pub(crate) fn bare(node: &Element, machine: &mut Machine) -> Element {
    let mut node = node.clone();
    let is_own = |child: &Element| child.attribute("name").is_some_and(|name| name.starts_with("ua-"));
    node.children.retain(|child| child.name != "address" && (child.name != "alias" || is_own(child)));
    if node.child("boot").is_some() {
        machine
            .skip(format!("the place of <{}> in the boot order: the system disk is first", one_line(&node.name, 60)));
        node.children.retain(|child| child.name != "boot");
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::xml::{self, fixed};
    use crate::import_config::domain::DOMAIN;
    use crate::recipe::Hardware;

    fn edits(machine: &Machine) -> Vec<String> {
        let shown = |edit: &XmlEdit| {
            format!("{}{}", if edit.is_replacing() { "replace " } else { "" }, edit.element().to_text())
        };
        machine.hardware.xml.iter().map(shown).collect()
    }

    #[test]
    fn only_what_differs_from_our_own_becomes_an_edit() {
        let theirs = [
            "<timer tickpolicy='catchup' name='rtc'/>",
            "<timer name='pit' tickpolicy='discard'/>",
            "<timer name='kvmclock' present='yes'/>",
            "<timer name='kvmclock' present='no'/>",
        ];
        let ours = [
            "<timer name='rtc' tickpolicy='catchup'/>",
            "<timer name='pit' tickpolicy='delay'/>",
            "<timer name='hpet' present='no'/>",
        ];
        let mut machine = Machine::default();
        differ(&mut machine, "clock", &theirs.map(fixed), ours.map(fixed).into(), Some("name"));
        let expected = [
            "replace <timer name=\"pit\" tickpolicy=\"discard\"/>",
            "<timer name=\"kvmclock\" present=\"yes\"/>",
            "<timer name=\"kvmclock\" present=\"no\"/>",
        ];
        assert_eq!((edits(&machine), machine.skipped), (expected.map(str::to_owned).to_vec(), vec![]));
    }

    #[test]
    fn sec_4_a_hostile_or_secret_element_is_left_behind_with_a_sentence() {
        for (text, why) in [
            (format!("<hub type='{}'/>", "x".repeat(LONGEST)), "longer than 2KiB"),
            ("<hub type='a\"b'/>".to_owned(), "one line, not empty"),
            ("<hub type='a&#10;b'/>".to_owned(), "one line, not empty"),
            ("<hub type=''/>".to_owned(), "one line, not empty"),
            ("<hub>a<b/></hub>".to_owned(), "text beside elements"),
            ("<q:hub xmlns:q='u'/>".to_owned(), "name space"),
            ("<hub><b q:x='u'/></hub>".to_owned(), "name space"),
            ("<hub xmlns='u'/>".to_owned(), "name space"),
            ("<hub><auth username='SECRET'/></hub>".to_owned(), "secret"),
            ("<hub Password='SECRET'/>".to_owned(), "secret"),
            ("<tls passwdValidTo='SECRET'/>".to_owned(), "secret"),
            ("<disk type='file'/>".to_owned(), "not to be changed"),
            (format!("<hub>{}</hub>", "<b/>".repeat(201)), "more than 200 elements"),
        ] {
            let mut machine = Machine::default();
            assert!(!added(&mut machine, "devices", &xml::read(&text, &DOMAIN).unwrap()), "{why}");
            assert_eq!((machine.skipped.len(), &machine.hardware), (1, &Hardware::default()), "{why}");
            assert!(
                machine.skipped[0].contains(why) && !machine.skipped[0].contains("SECRET"),
                "{:?}",
                machine.skipped
            );
        }
        let mut machine = Machine::default();
        (0..100).for_each(|_| add(&mut machine, "devices", &fixed("<hub type='usb'/>")));
        assert_eq!((machine.hardware.xml.len(), machine.skipped.len()), (MOST, 1), "{:?}", machine.skipped);
    }
}
