//! Rules of Ignition's validators about single values and about lists; touches nothing.
//!
//! Source: coreos/ignition, `config/v3_*/types`: node.go, file.go, resource.go, verification.go, filesystem.go, unit.go,
//! and the duplicates that its `config/validate` finds by each type's key. Read next: [`super::meaning`].

use std::collections::BTreeSet;

use super::json::{Fault, Node};
use crate::base::text::one_line;

/// What a unit's name may end in (unit.go).
const UNIT_ENDINGS: [&str; 11] =
    ["service", "socket", "device", "mount", "automount", "swap", "target", "path", "timer", "slice", "scope"];

/// What a file system can be; `none` came with spec 3.3 (filesystem.go).
const FORMATS: [&str; 6] = ["ext4", "btrfs", "xfs", "vfat", "swap", "none"];

/// Checks a file, directory or link.
pub(crate) fn node(node: &Node, faults: &mut Vec<Fault>) {
    for owner in ["user", "group"].iter().filter_map(|key| node.get(key)) {
        if owner.get("id").is_some() && owner.text("name").is_some_and(|name| !name.is_empty()) {
            faults.push(Fault::new(owner.at, "an owner has an id or a name, not both"));
        }
    }
    let path = node.text("path").unwrap_or_default();
    if path.starts_with('/') && path != "/" && path[1..].split('/').any(|part| matches!(part, "" | "." | "..")) {
        let text = format!("`{}` is not in its one spelling, without empty, `.` or `..` parts", one_line(path, 80));
        faults.extend(node.get("path").map(|node| Fault::new(node.at, text)));
    }
}

/// Checks a file beyond what it has in common with directories.
pub(crate) fn file(file: &Node, faults: &mut Vec<Fault>) {
    let source = file.at_path(&["contents", "source"]);
    if let (Some(overwrite), Some(true), None) = (file.get("overwrite"), file.flag("overwrite"), source) {
        faults.push(Fault::new(overwrite.at, "`overwrite` is for a file with `contents.source`"));
    }
}

/// Checks something to fetch, beyond its source.
pub(crate) fn resource(resource: &Node, faults: &mut Vec<Fault>) {
    if let Some(node) = resource.get("compression").filter(|node| !matches!(node.as_text(), Some("" | "gzip"))) {
        faults.push(Fault::new(node.at, "`compression` is `gzip` or left out"));
    }
    if let Some(node) = resource.at_path(&["verification", "hash"]).filter(|node| !is_hash(node)) {
        faults.push(Fault::new(node.at, "a hash is `sha256-` and 64 hex digits, or `sha512-` and 128"));
    }
}

fn is_hash(node: &Node) -> bool {
    let (method, sum) = node.as_text().and_then(|text| text.split_once('-')).unwrap_or_default();
    let digits = sum.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits && matches!((method, sum.len()), ("sha256", 64) | ("sha512", 128))
}

/// Checks an entry of `storage.filesystems`.
pub(crate) fn filesystem(filesystem: &Node, faults: &mut Vec<Fault>) {
    for node in ["device", "path"].iter().filter_map(|key| filesystem.get(key)) {
        if !node.as_text().is_some_and(|text| text.is_empty() || text.starts_with('/')) {
            faults.push(Fault::new(node.at, "not an absolute path"));
        }
    }
    match filesystem.get("format").map(|node| (node, node.as_text().unwrap_or_default())) {
        Some((_, format)) if FORMATS.contains(&format) => {}
        Some((node, format)) if !format.is_empty() => {
            faults.push(Fault::new(node.at, format!("a format is one of {}", FORMATS.join(", "))));
        }
        _ => {
            let texts =
                ["path", "label", "uuid"].iter().any(|key| filesystem.text(key).is_some_and(|text| !text.is_empty()));
            let lists = ["options", "mountOptions"].iter().any(|key| !filesystem.list(&[key]).is_empty());
            if texts || lists || filesystem.flag("wipeFilesystem") == Some(true) {
                faults.push(Fault::new(filesystem.at, "a file system that is used needs a `format`"));
            }
        }
    }
}

/// Checks the names of a unit and its drop-ins.
pub(crate) fn unit_names(unit: &Node, faults: &mut Vec<Fault>) {
    let ending = |text: &str, endings: &[&str]| text.rsplit_once('.').is_some_and(|(_, end)| endings.contains(&end));
    if !ending(unit.text("name").unwrap_or_default(), &UNIT_ENDINGS) {
        let text = format!("the name of a unit ends in one of .{}", UNIT_ENDINGS.join(", ."));
        faults.push(Fault::new(unit.get("name").unwrap_or(unit).at, text));
    }
    for dropin in unit.list(&["dropins"]) {
        if !ending(dropin.text("name").unwrap_or_default(), &["conf"]) {
            faults.push(Fault::new(dropin.get("name").unwrap_or(dropin).at, "the name of a drop-in ends in .conf"));
        }
    }
}

/// Finds texts that stand twice where Ignition takes each once; they are not shown, for they may be keys.
pub(crate) fn repeated<'a>(what: &str, nodes: impl Iterator<Item = &'a Node>, faults: &mut Vec<Fault>) {
    let mut seen = BTreeSet::new();
    for node in nodes {
        if node.as_text().is_some_and(|text| !seen.insert(text)) {
            faults.push(Fault::new(node.at, format!("this {what} is there twice, which Ignition refuses")));
        }
    }
}
