//! `[[machine.xml]]`: done to the domain, and as options of virt-install that do the same. Touches nothing.
//!
//! virt-install does what its `--xml` says to its own document, by XPath (virt-install(1); virtinst/xmlbuilder.py,
//! `XMLManualAction`). A step like `name[999]`, which no document has, makes an element behind the others, and
//! `name[last()]` is then that one. It does so as it writes the document, when its defaults are in it (`_add_parse_bits`).
//! The rules stand in `recipe/xml.rs`.

use super::form::Form;
use super::script::{Options, Word, option};
use crate::base::text::one_line;
use crate::base::{Code, Diagnostic};
use crate::format::xml::{Element, element};
use crate::plan::XmlEdit;

/// Does every edit of the machine to its domain, in the order of the recipe.
pub(crate) fn apply(form: &Form, domain: &mut Element) -> Result<(), Diagnostic> {
    let edits = (1..).zip(&form.machine.hardware.xml);
    edits.into_iter().try_for_each(|(number, edit)| one(edit, domain).map_err(|why| refuse(number, edit, &why)))
}

fn refuse(number: usize, edit: &XmlEdit, why: &str) -> Diagnostic {
    let parent = if edit.parent().is_empty() { ".".to_owned() } else { edit.parent().join("/") };
    Diagnostic::new(Code::Recipe, format!("`[[machine.xml]]` number {number} finds no place: {why}"))
        .fact("parent", parent)
        .fact("element", one_line(&edit.element().to_text(), 120))
        .hint("`arca-build build` without it, and look into `domain.xml`")
}

fn one(edit: &XmlEdit, domain: &mut Element) -> Result<(), String> {
    let children = edit.parent().iter().try_fold(domain, |node, name| step(node, name))?;
    let children = &mut children.children;
    if edit.is_replacing() {
        let is_meant = |child: &Element| {
            child.name == edit.element().name
                && edit.by().is_none_or(|(name, value)| child.attribute(name) == Some(value))
        };
        let found: Vec<usize> = (0..children.len()).filter(|index| is_meant(&children[*index])).collect();
        let [index] = found.as_slice() else {
            return Err(format!("there are {} elements `{}` that it could replace", found.len(), edit.element().name));
        };
        // In its place: libxml2 wants what the schema holds together, like the events, side by side.
        children.splice(index..=index, [edit.element().clone()]);
        return Ok(());
    }
    children.push(edit.element().clone());
    Ok(())
}

/// Goes to the child of a name, which is made where there is none.
fn step<'a>(node: &'a mut Element, name: &str) -> Result<&'a mut Element, String> {
    let children = &mut node.children;
    let found: Vec<usize> = (0..children.len()).filter(|index| children[*index].name == *name).collect();
    let index = match found.as_slice() {
        [] => {
            children.push(element(name));
            children.len() - 1
        }
        [index] => *index,
        _ => return Err(format!("there are {} elements `{name}`", found.len())),
    };
    children.get_mut(index).ok_or_else(String::new)
}

/// Writes the edits as options of virt-install.
pub(crate) fn options(form: &Form) -> Vec<Vec<Word>> {
    form.machine.hardware.xml.iter().flat_map(edit_options).collect()
}

fn edit_options(edit: &XmlEdit) -> Vec<Vec<Word>> {
    let parent: String = edit.parent().iter().map(|name| format!("/{name}")).collect();
    let parent = format!(".{parent}");
    let mut lines = vec![];
    if edit.is_replacing() {
        let condition = edit.by().map(|(name, value)| format!("[@{name}='{value}']")).unwrap_or_default();
        let path = format!("{parent}/{}{condition}", edit.element().name);
        lines.push(option("--xml", Options::new("").set("xpath.delete", &path)));
    }
    add(&parent, edit.element(), &mut lines);
    lines
}

fn add(parent: &str, written: &Element, lines: &mut Vec<Vec<Word>>) {
    let path = |which: &str| format!("{parent}/{}[{which}]", written.name);
    lines.push(option("--xml", Options::new("").set("xpath.create", &path("999"))));
    let last = path("last()");
    let mut set = |path: &str, value: &str| {
        lines.push(option("--xml", Options::new("").set("xpath.set", path).set("xpath.value", value)));
    };
    written.attributes().for_each(|(name, value)| set(&format!("{last}/@{name}"), value));
    if !written.text.is_empty() {
        set(&last, &written.text);
    }
    written.children.iter().for_each(|child| add(&last, child, lines));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::script::line;
    use crate::format::xml::fixed;

    fn xml_edit(parent: &str, element: &str, action: &str, by: Option<&str>) -> XmlEdit {
        let written = serde_json::json!({"parent": parent, "element": element, "action": action, "match": by});
        serde_json::from_value(written).unwrap()
    }

    fn domain() -> Element {
        let text = "<clock><timer name='rtc'/><timer name='pit'/></clock>";
        element("domain").containing([text, "<devices><rng/></devices>"].map(fixed))
    }

    fn done(edits: &[XmlEdit]) -> Result<String, String> {
        let mut domain = domain();
        edits.iter().try_for_each(|edit| one(edit, &mut domain))?;
        Ok(domain.to_document().split_whitespace().collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn edits_are_done_in_order_and_what_is_added_stands_last() {
        let edits = [
            xml_edit("devices", "<hub type='usb'/>", "add", None),
            xml_edit("devices/hub", "<address bus='0'/>", "add", None),
            xml_edit("clock", "<timer name='rtc' track='wall'/>", "replace", Some("name")),
            xml_edit("memtune", "<hard_limit>1</hard_limit>", "add", None),
            xml_edit("devices", "<rng model='virtio'/>", "replace", None),
        ];
        let text = done(&edits).unwrap();
        assert_eq!(
            text,
            "<domain> <clock> <timer name=\"rtc\" track=\"wall\"/> <timer name=\"pit\"/> </clock> <devices> \
             <rng model=\"virtio\"/> <hub type=\"usb\"> <address bus=\"0\"/> </hub> </devices> \
             <memtune> <hard_limit>1</hard_limit> </memtune> </domain>"
        );
    }

    #[test]
    fn an_edit_that_could_mean_none_or_several_is_refused() {
        for (edit, why) in [
            (
                xml_edit("clock", "<timer name='x'/>", "replace", None),
                "there are 2 elements `timer` that it could replace",
            ),
            (xml_edit("clock", "<timer name='x'/>", "replace", Some("name")), "there are 0 elements `timer`"),
            (xml_edit("devices", "<hub type='usb'/>", "replace", None), "there are 0 elements `hub`"),
            (xml_edit("clock/timer", "<catchup limit='1'/>", "add", None), "there are 2 elements `timer`"),
        ] {
            let told = done(&[edit]).unwrap_err();
            assert!(told.starts_with(why), "{told}");
        }
    }

    #[test]
    fn out_2_virt_install_is_told_each_step_with_its_value_apart() {
        let edit = xml_edit(
            "clock",
            "<timer name='pit'><catchup limit='a=b,c'/><x>d, \"e\"</x></timer>",
            "replace",
            Some("name"),
        );
        let lines: Vec<_> = edit_options(&edit).iter().map(|words| line(words)).collect();
        let expected = [
            r#"xpath.delete="./clock/timer[@name='pit']""#,
            r#"xpath.create="./clock/timer[999]""#,
            r#"xpath.set="./clock/timer[last()]/@name",xpath.value=pit"#,
            r#"xpath.create="./clock/timer[last()]/catchup[999]""#,
            r#"xpath.set="./clock/timer[last()]/catchup[last()]/@limit",xpath.value="a=b,c""#,
            r#"xpath.create="./clock/timer[last()]/x[999]""#,
            r#"xpath.set="./clock/timer[last()]/x[last()]",xpath.value="d, \"e\"""#,
        ];
        let expected: Vec<_> = expected.iter().map(|text| line(&[Word::text("--xml"), Word::text(*text)])).collect();
        assert_eq!(lines, expected);
    }
}
