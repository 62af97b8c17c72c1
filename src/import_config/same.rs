//! Do two Ignition configs mean the same? Touches nothing.
//!
//! This is the proof that a config was taken apart exactly: it compares what was given with what the recipe becomes, from their
//! JSON alone. Alike are: the order of lists that Ignition takes in any order, an absent key and its default, the spelling of a
//! data URL, the spec version, and the entries that mount a subvolume of MicroOS while Ignition runs. `overwrite` is not
//! compared: a recipe always replaces, and where the image holds nothing at the path it makes no difference. Nor is the preset
//! file that a recipe adds: it says of units what the units say, which are compared.

use std::collections::BTreeMap;

use super::ignition::is_subvolume;
use crate::base::text::one_line;
use crate::format::ignition::data::decode;
use crate::format::ignition::{self, Kind, Node, PRESET};
use crate::recipe::CONTENT_LIMIT;

/// What a config does: one line for each thing, by what it is done to.
type Meaning = BTreeMap<String, BTreeMap<String, String>>;

/// Lists what differs between a config and what its recipe becomes, by name and never by value; empty where both mean the same.
pub(crate) fn differences(given: &[u8], built: &[u8]) -> Vec<String> {
    match (ignition::read(given), ignition::read(built)) {
        (Ok(given), Ok(built)) => {
            let (given, mut built) = (meaning(&given.root), meaning(&built.root));
            let preset = format!("file `{PRESET}`");
            if !given.contains_key(&preset) {
                built.remove(&preset);
            }
            compare(&given, &built)
        }
        _ => vec!["one of them is no Ignition config".to_owned()],
    }
}

fn compare(one: &Meaning, other: &Meaning) -> Vec<String> {
    let mut found = vec![];
    let empty = BTreeMap::new();
    let things: std::collections::BTreeSet<_> = one.keys().chain(other.keys()).collect();
    for thing in things {
        let (one, other) = (one.get(thing).unwrap_or(&empty), other.get(thing).unwrap_or(&empty));
        let keys: std::collections::BTreeSet<_> = one.keys().chain(other.keys()).collect();
        for key in keys.into_iter().filter(|key| one.get(*key) != other.get(*key)) {
            found.push(format!("{}: {}", one_line(thing, 120), one_line(key, 40)));
        }
    }
    found
}

fn meaning(root: &Node) -> Meaning {
    let mut meaning = Meaning::new();
    for member in root.members() {
        for part in member.value.members() {
            let path = format!("{}.{}", member.name, part.name);
            match path.as_str() {
                "ignition.version" => {}
                "kernelArguments.shouldExist" => {
                    let arguments = part.value.items().iter().filter_map(Node::as_text).map(str::to_owned);
                    let arguments: BTreeMap<_, _> = arguments.map(|argument| (argument, String::new())).collect();
                    meaning.extend((!arguments.is_empty()).then_some((path, arguments)));
                }
                "passwd.groups" => named(&part.value, "group", "name", user, &mut meaning),
                "storage.directories" => named(&part.value, "directory", "path", directory, &mut meaning),
                "storage.links" => named(&part.value, "link", "path", link, &mut meaning),
                "passwd.users" => named(&part.value, "user", "name", user, &mut meaning),
                "storage.files" => named(&part.value, "file", "path", file, &mut meaning),
                "systemd.units" => named(&part.value, "unit", "name", unit, &mut meaning),
                "storage.filesystems" => others(&path, &part.value, |node| !is_subvolume(node), &mut meaning),
                _ => others(&path, &part.value, |_| true, &mut meaning),
            }
        }
    }
    meaning
}

fn named(list: &Node, what: &str, key: &str, read: fn(&Node) -> BTreeMap<String, String>, meaning: &mut Meaning) {
    for node in list.items() {
        let facts = read(node);
        // A unit about which nothing is said is not a unit.
        if what != "unit" || !facts.is_empty() {
            meaning.insert(format!("{what} `{}`", node.text(key).unwrap_or_default()), facts);
        }
    }
}

/// Keeps what is not known here as it is written.
fn others(path: &str, value: &Node, keep: fn(&Node) -> bool, meaning: &mut Meaning) {
    let kept: Vec<String> = match &value.kind {
        Kind::List(items) => items.iter().filter(|node| keep(node)).map(|node| node.to_value().to_string()).collect(),
        _ => vec![value.to_value().to_string()],
    };
    let facts: BTreeMap<_, _> = kept
        .into_iter()
        .filter(|text| !matches!(text.as_str(), "{}" | "null" | "[]"))
        .enumerate()
        .map(|(index, text)| (index.to_string(), text))
        .collect();
    if !facts.is_empty() {
        meaning.insert(path.to_owned(), facts);
    }
}

/// Takes every key that says more than its default does.
fn facts(node: &Node, skip: &[&str]) -> BTreeMap<String, String> {
    let said = node.members().iter().filter(|member| !skip.contains(&member.name.as_str()));
    let said = said.map(|member| (member.name.clone(), member.value.to_value().to_string()));
    said.filter(|(_, text)| !matches!(text.as_str(), "null" | "\"\"" | "false" | "[]" | "{}")).collect()
}

fn sorted(node: &Node, key: &str) -> Option<String> {
    let mut texts: Vec<_> = node.list(&[key]).iter().filter_map(Node::as_text).map(str::trim).collect();
    texts.sort_unstable();
    (!texts.is_empty()).then(|| texts.join("\n"))
}

fn user(node: &Node) -> BTreeMap<String, String> {
    let mut facts = facts(node, &["name", "groups", "sshAuthorizedKeys", "shouldExist"]);
    facts.insert("exists".to_owned(), String::new());
    for key in ["groups", "sshAuthorizedKeys"] {
        facts.extend(sorted(node, key).map(|text| (key.to_owned(), text)));
    }
    if node.flag("shouldExist") == Some(false) {
        facts.insert("shouldExist".to_owned(), "false".to_owned());
    }
    facts
}

/// Returns the owner that differs from root, by name or number.
fn owners(node: &Node) -> impl Iterator<Item = (String, String)> {
    ["user", "group"].into_iter().filter_map(|key| {
        let owner = node.get(key)?;
        let name = owner.text("name").filter(|name| !matches!(*name, "" | "root")).map(str::to_owned);
        let id = owner.whole("id").filter(|id| *id != 0).map(|id| format!("#{id}"));
        name.or(id).map(|owner| (key.to_owned(), owner))
    })
}

fn directory(node: &Node) -> BTreeMap<String, String> {
    let mut facts = facts(node, &["path", "mode", "user", "group"]);
    facts.insert("mode".to_owned(), node.whole("mode").unwrap_or(0o755).to_string());
    facts.extend(owners(node));
    facts
}

fn link(node: &Node) -> BTreeMap<String, String> {
    let mut facts = facts(node, &["path", "overwrite", "user", "group"]);
    facts.extend(owners(node));
    facts
}

fn file(node: &Node) -> BTreeMap<String, String> {
    let mut facts = facts(node, &["path", "mode", "overwrite", "contents", "append", "user", "group"]);
    let appended = node.list(&["append"]);
    // Where something is added, the mode is the image's unless it is said.
    let mode = node.whole("mode").or(appended.is_empty().then_some(0o644));
    facts.extend(mode.map(|mode| ("mode".to_owned(), mode.to_string())));
    facts.extend(owners(node));
    facts.insert("contents".to_owned(), node.get("contents").map_or_else(|| "none".to_owned(), contents));
    facts.extend(appended.iter().enumerate().map(|(index, node)| (format!("append {index}"), contents(node))));
    facts
}

fn contents(contents: &Node) -> String {
    let gzip = contents.text("compression") == Some("gzip");
    let plain = contents.list(&["httpHeaders"]).is_empty() && contents.at_path(&["verification", "hash"]).is_none();
    match decode(contents.text("source").unwrap_or_default(), gzip, CONTENT_LIMIT.0) {
        Some(bytes) if plain => format!("{bytes:?}"),
        _ => contents.to_value().to_string(),
    }
}

fn unit(node: &Node) -> BTreeMap<String, String> {
    let mut facts = facts(node, &["name", "dropins", "enabled"]);
    facts.extend(node.flag("enabled").map(|flag| ("enabled".to_owned(), flag.to_string())));
    for dropin in node.list(&["dropins"]) {
        let text = dropin.text("contents").unwrap_or_default().to_owned();
        facts.insert(format!("drop-in {}", dropin.text("name").unwrap_or_default()), text);
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(rest: &str) -> Vec<u8> {
        format!("{{\"ignition\": {{\"version\": \"3.2.0\"}}{rest}}}").into_bytes()
    }

    #[test]
    fn what_means_the_same_is_the_same() {
        for (one, other) in [
            ("", ", \"passwd\": {\"users\": []}, \"systemd\": {}"),
            (
                r#", "passwd": {"users": [{"name": "a", "groups": ["x", "y"], "system": false}, {"name": "b", "gecos": ""}]}"#,
                r#", "passwd": {"users": [{"name": "b"}, {"name": "a", "groups": ["y", "x"], "uid": null}]}"#,
            ),
            (
                r#", "storage": {"files": [{"path": "/etc/a", "contents": {"source": "data:,hi%0A"}, "user": {"name": "root"}}]}"#,
                r#", "storage": {"files": [{"path": "/etc/a", "mode": 420, "overwrite": true, "contents": {"source": "data:;base64,aGkK", "compression": ""}}]}"#,
            ),
            (
                "",
                r#", "storage": {"filesystems": [{"path": "/home", "device": "/dev/disk/by-label/ROOT", "format": "btrfs", "mountOptions": ["subvol=/@/home"], "wipeFilesystem": false}]}"#,
            ),
            (r#", "systemd": {"units": [{"name": "a.service"}]}"#, ""),
        ] {
            assert_eq!(differences(&config(one), &config(other)), [""; 0], "{one} {other}");
        }
    }

    #[test]
    fn what_means_something_else_is_named_and_its_value_is_not() {
        for (one, other, named) in [
            (r#", "passwd": {"users": [{"name": "a"}]}"#, "", "user `a`: exists"),
            (
                r#", "passwd": {"users": [{"name": "a", "passwordHash": "SECRET"}]}"#,
                r#", "passwd": {"users": [{"name": "a"}]}"#,
                "user `a`: passwordHash",
            ),
            (
                r#", "storage": {"files": [{"path": "/etc/a", "mode": 384, "contents": {"source": "data:,SECRET"}}]}"#,
                r#", "storage": {"files": [{"path": "/etc/a", "contents": {"source": "data:,SECRET"}}]}"#,
                "file `/etc/a`: mode",
            ),
            (
                r#", "storage": {"files": [{"path": "/etc/a", "contents": {"source": "data:,SECRET"}}]}"#,
                r#", "storage": {"files": [{"path": "/etc/a", "contents": {"source": "data:,OTHER"}}]}"#,
                "file `/etc/a`: contents",
            ),
            (
                r#", "systemd": {"units": [{"name": "a.service", "enabled": false}]}"#,
                r#", "systemd": {"units": [{"name": "a.service", "enabled": true}]}"#,
                "unit `a.service`: enabled",
            ),
            (r#", "storage": {"links": [{"path": "/etc/l", "target": "/x"}]}"#, "", "link `/etc/l`: target"),
        ] {
            let found = differences(&config(one), &config(other));
            assert_eq!(found, [named], "{one} {other}");
            assert!(!found[0].contains("SECRET"));
        }
        assert_eq!(differences(b"{}", &config("")).len(), 1);
    }
}
