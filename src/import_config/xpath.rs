//! virt-install's `xpath.…` options: a change of the XML, step by step (virt-install(1), "XML OPTIONS"). Touches nothing.
//!
//! Understood is what our own commands are made of: `./a/b[2]/@c=value`, and for `--xml` an element that is made by
//! `xpath.create=./a/b[999]`, the last by then, and filled by `b[last()]`. It is the inverse of `emit/edit.rs`.

use super::edit;
use super::found::Machine;
use super::options::{Pair, value};
use crate::format::xml::{Element, element};

/// What no element has as many of: it makes one more.
const NEW: &str = "999";
/// The most of one name that a path may reach for.
const MOST: usize = 100;

/// One step of a path: a name, and what stands in brackets behind it.
type Step<'a> = (&'a str, Option<&'a str>);

fn steps(path: &str) -> Option<Vec<Step<'_>>> {
    let path = path.strip_prefix("./")?;
    let name =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    let step = |text| match str::split_once(text, '[') {
        Some((step, rest)) => Some((step, Some(rest.strip_suffix(']')?))).filter(|(step, _)| name(step)),
        None => Some((text, None)).filter(|(step, _)| name(step.strip_prefix('@').unwrap_or(step))),
    };
    path.split('/').map(step).collect()
}

/// Does what the `xpathN.set=` and `xpathN.create=` of a device's option say; returns the keys that it does not understand.
pub(crate) fn device(pairs: &[Pair], node: &mut Element) -> Vec<String> {
    let mut skipped = vec![];
    for (key, text) in pairs.iter().filter(|(key, _)| is_step(key)) {
        let text = text.as_deref().unwrap_or_default();
        let done = match key.rsplit_once('.') {
            Some((_, "create")) => steps(text).and_then(|steps| go(node, &steps)).map(drop),
            Some((stem, "set")) => match (value(pairs, &format!("{stem}.value")), text.rsplit_once('=')) {
                (Some(value), _) => set(node, text, value),
                (None, Some((path, value))) => set(node, path, value),
                (None, None) => None,
            },
            Some((_, "value")) => Some(()),
            _ => None,
        };
        if done.is_none() {
            skipped.push(key.clone());
        }
    }
    skipped
}

/// Returns whether a key of an option is one of these.
pub(crate) fn is_step(key: &str) -> bool {
    let number = key.strip_prefix("xpath").and_then(|rest| rest.split_once('.')).map(|(number, _)| number);
    number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Sets an attribute or a text by its path below an element, which is made where it is missing.
pub(crate) fn set(node: &mut Element, path: &str, value: &str) -> Option<()> {
    let steps = steps(path)?;
    match steps.split_last()? {
        ((last, None), parents) if last.starts_with('@') => go(node, parents)?.set(last.trim_start_matches('@'), value),
        _ => value.clone_into(&mut go(node, &steps)?.text),
    }
    Some(())
}

fn go<'a>(node: &'a mut Element, steps: &[Step<'_>]) -> Option<&'a mut Element> {
    steps.iter().try_fold(node, |node, (name, which)| {
        let found: Vec<usize> = (0..node.children.len()).filter(|index| node.children[*index].name == *name).collect();
        let wanted = match *which {
            None => 0,
            Some("last()") => found.len().saturating_sub(1),
            Some(NEW) => found.len(),
            Some(number) => number.parse::<usize>().ok()?.checked_sub(1).filter(|index| *index < MOST)?,
        };
        if name.starts_with('@') || wanted > found.len() {
            return None;
        }
        let index = found.get(wanted).copied().unwrap_or(node.children.len());
        if index == node.children.len() {
            node.children.push(element(*name));
        }
        node.children.get_mut(index)
    })
}

/// One element that `--xml` makes.
struct Made {
    parent: String,
    /// The path that the further options fill it by.
    path: String,
    element: Element,
    /// Whether it stands for one that was deleted, and the attribute that told which.
    replaces: Option<Option<String>>,
}

/// Reads all `--xml` of a command, in their order.
pub(crate) fn domain(options: &[Vec<Pair>], machine: &mut Machine) {
    let (mut made, mut deleted) = (None::<Made>, None::<(String, Option<String>)>);
    for pairs in options {
        let get = |key: &str| value(pairs, &format!("xpath.{key}"));
        let done = match (get("delete"), get("create"), get("set")) {
            (Some(path), None, None) => {
                finish(made.take(), machine);
                let gone = deletion(path);
                let understood = gone.is_some();
                forget(std::mem::replace(&mut deleted, gone), machine);
                understood
            }
            (None, Some(path), None) => match made.as_mut().and_then(|made| made.inside(path)) {
                Some(done) => done,
                None => {
                    finish(made.take(), machine);
                    made = begin(path, &mut deleted);
                    made.is_some()
                }
            },
            (None, None, Some(path)) => made.as_mut().is_some_and(|made| made.fill(path, get("value"))),
            _ => false,
        };
        if !done {
            machine.skip("--xml: a change that is not a new element");
        }
    }
    finish(made, machine);
    forget(deleted, machine);
}

fn forget(deleted: Option<(String, Option<String>)>, machine: &mut Machine) {
    if deleted.is_some() {
        machine.skip("--xml xpath.delete: nothing comes in its place");
    }
}

fn finish(made: Option<Made>, machine: &mut Machine) {
    let Some(Made { parent, element, replaces, .. }) = made else { return };
    match replaces {
        Some(by) => edit::replace(machine, &parent, &element, by.as_deref()),
        None => edit::add(machine, &parent, &element),
    };
}

/// Reads `./a/b` or `./a/b[@c='d']`: the path, and the attribute.
fn deletion(path: &str) -> Option<(String, Option<String>)> {
    let Some((path, condition)) = path.split_once("[@") else {
        return steps(path)?.iter().all(|(_, which)| which.is_none()).then(|| (path.to_owned(), None));
    };
    let (name, _) = condition.strip_suffix("']")?.split_once("='")?;
    steps(path)?;
    Some((path.to_owned(), Some(name.to_owned())))
}

fn begin(path: &str, deleted: &mut Option<(String, Option<String>)>) -> Option<Made> {
    let stem = path.strip_suffix("[999]")?;
    let all = steps(stem)?;
    let ((name, _), parents) = all.split_last().filter(|_| all.iter().all(|(_, which)| which.is_none()))?;
    let names: Vec<_> = parents.iter().map(|(name, _)| *name).collect();
    let parent = if names.is_empty() { ".".to_owned() } else { names.join("/") };
    let replaces = deleted.take_if(|(gone, _)| gone == stem).map(|(_, by)| by);
    Some(Made { parent, path: format!("{stem}[last()]"), element: element(*name), replaces })
}

impl Made {
    fn below<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(self.path.as_str()).filter(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Makes an element within; `None` where the path leads elsewhere.
    fn inside(&mut self, path: &str) -> Option<bool> {
        let rest = self.below(path)?.to_owned();
        Some(steps(&format!(".{rest}")).is_some_and(|steps| go(&mut self.element, &steps).is_some()))
    }

    fn fill(&mut self, path: &str, value: Option<&str>) -> bool {
        let Some((rest, value)) = self.below(path).zip(value) else { return false };
        if rest.is_empty() {
            value.clone_into(&mut self.element.text);
            return true;
        }
        let path = format!(".{rest}");
        set(&mut self.element, &path, value).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import_config::options::virt;
    use crate::recipe::xml::Written;

    fn read(options: &[&str]) -> (Vec<String>, Vec<String>) {
        let options: Vec<_> = options.iter().map(|text| virt(text).unwrap()).collect();
        let mut machine = Machine::default();
        domain(&options, &mut machine);
        let shown = |edit: &crate::recipe::XmlEdit| {
            let Written { parent, element, action, by } = edit.clone().into();
            format!("{action} {parent} {} {}", element.0, by.unwrap_or_default())
        };
        (machine.hardware.xml.iter().map(shown).collect(), machine.skipped)
    }

    #[test]
    fn what_our_commands_say_by_steps_is_read_back() {
        let (edits, skipped) = read(&[
            "xpath.delete=\"./clock/timer[@name='pit']\"",
            "xpath.create=\"./clock/timer[999]\"",
            "xpath.set=\"./clock/timer[last()]/@name\",xpath.value=pit",
            "xpath.create=\"./clock/timer[last()]/catchup[999]\"",
            "xpath.set=\"./clock/timer[last()]/catchup[last()]/@limit\",xpath.value=\"1,2\"",
            "xpath.create=\"./title[999]\"",
            "xpath.set=\"./title[last()]\",xpath.value=\"a = b\"",
            "xpath.delete=./pm",
            "xpath.create=\"./pm[999]\"",
        ]);
        let expected = [
            "replace clock <timer name=\"pit\"><catchup limit=\"1,2\"/></timer> name",
            "add . <title>a = b</title> ",
            "replace . <pm/> ",
        ];
        assert_eq!((edits, skipped), (expected.map(str::to_owned).to_vec(), vec![]));
    }

    #[test]
    fn rec_14_other_steps_are_named_and_end_in_bounded_time() {
        for options in [
            &["./on_crash=restart"][..],
            &["xpath.set=./on_crash=restart"],
            &["xpath.set=./on_crash,xpath.value=restart"],
            &["xpath.delete=./devices/sound"],
            &["xpath.create=./devices/sound"],
            &["xpath.create=//devices/sound[999]"],
            &["xpath.create=\"./devices/*[999]\""],
            &["xpath.create=\"./devices[2]/sound[999]\""],
            &["xpath.delete=\"./a[b]\""],
        ] {
            let (edits, skipped) = read(options);
            assert_eq!((edits.len(), skipped.len()), (0, 1), "{options:?} {skipped:?}");
        }
        let mut node = Element::default();
        assert_eq!(set(&mut node, "./a[4000000000]/@b", "c"), None);
        assert_eq!(set(&mut node, "./a[3]/@b", "c"), None);
        assert!(node.children.is_empty());
    }
}
