//! What a well-formed config must also mean: paths, modes, sources, and nothing said twice. Touches nothing.
//!
//! Source: the validators of coreos/ignition (`config/v3_*/types`), and `ignition-validate`'s own output.

use std::collections::BTreeMap;

use base64::Engine as _;

use super::json::{Fault, Node};
use super::rules;
use crate::base::text::one_line;

/// What Ignition can fetch from; anything else fails the boot.
const SCHEMES: [&str; 7] = ["http", "https", "tftp", "s3", "arn", "gs", "data"];

/// Decimal numbers that somebody wrote thinking of octal permissions; none of them is a sane mode.
///
/// 400 and 440 are left out: as decimal they are 0620 (a terminal's) and 0670.
const OCTAL_LOOKING: [i64; 15] = [444, 555, 600, 640, 644, 660, 664, 666, 700, 750, 755, 770, 775, 777, 1777];

/// Lists whose entries differ by a key: what one is called, where they are, the key.
///
/// openSUSE's Ignition takes several file systems for one device as long as their paths differ; so the path is their key.
const KEYED: [(&str, &[&str], &str); 7] = [
    ("user", &["passwd", "users"], "name"),
    ("group", &["passwd", "groups"], "name"),
    ("unit", &["systemd", "units"], "name"),
    ("mount point", &["storage", "filesystems"], "path"),
    ("disk", &["storage", "disks"], "device"),
    ("array", &["storage", "raid"], "name"),
    ("volume", &["storage", "luks"], "name"),
];

/// Checks meaning; keys and types are right already.
pub(crate) fn check(root: &Node) -> Vec<Fault> {
    let mut faults = vec![];
    let nodes = ["files", "directories", "links"].map(|kind| root.list(&["storage", kind]));
    for node in nodes.iter().copied().flatten() {
        paths(node, &mut faults);
        modes(node, &mut faults);
        rules::node(node, &mut faults);
    }
    below_links(&nodes, &mut faults);
    let fetched = root.list(&["storage", "files"]).iter().flat_map(resources).chain(configs(root));
    for contents in fetched {
        source(contents, &mut faults);
        rules::resource(contents, &mut faults);
    }
    root.list(&["storage", "files"]).iter().for_each(|file| rules::file(file, &mut faults));
    root.list(&["storage", "filesystems"]).iter().for_each(|entry| rules::filesystem(entry, &mut faults));
    lists(root, &mut faults);
    root.list(&["systemd", "units"]).iter().for_each(|unit| units(unit, &mut faults));
    twice("path", nodes.iter().copied().flatten().map(|node| (node.text("path"), node)), &mut faults);
    for (what, path, key) in KEYED {
        twice(what, root.list(path).iter().map(|node| (node.text(key), node)), &mut faults);
    }
    for unit in root.list(&["systemd", "units"]) {
        twice("drop-in", unit.list(&["dropins"]).iter().map(|node| (node.text("name"), node)), &mut faults);
    }
    for disk in root.list(&["storage", "disks"]) {
        partitions(disk, &mut faults);
    }
    faults
}

fn paths(node: &Node, faults: &mut Vec<Fault>) {
    if let Some(path) = node.get("path")
        && !path.as_text().is_some_and(|text| text.starts_with('/'))
    {
        let shown = one_line(path.as_text().unwrap_or_default(), 80);
        faults.push(Fault::new(path.at, format!("`{shown}` is not an absolute path")));
    }
}

fn modes(node: &Node, faults: &mut Vec<Fault>) {
    let (Some(mode), Some(at)) = (node.whole("mode"), node.get("mode").map(|mode| mode.at)) else { return };
    if !(0..=0o7777).contains(&mode) {
        faults.push(Fault::new(at, format!("mode {mode} is outside 0 to 4095 (octal 7777)")));
    } else if OCTAL_LOOKING.contains(&mode) {
        let meant = i64::from_str_radix(&mode.to_string(), 8).unwrap_or_default();
        let text = format!("mode {mode} is decimal in JSON and means octal {mode:04o}");
        faults.push(Fault::new(at, text).hint(format!("for 0{mode} write {meant}")));
    }
}

/// Finds what lies below a link: Ignition cannot tell where that would be.
fn below_links(nodes: &[&[Node]; 3], faults: &mut Vec<Fault>) {
    let links: Vec<_> = nodes[2].iter().filter_map(|link| link.text("path")).collect();
    let below = |path: &str, link: &str| path.strip_prefix(link).is_some_and(|rest| rest.starts_with('/'));
    for node in nodes.iter().copied().flatten() {
        let path = node.text("path").unwrap_or_default();
        if let Some(link) = links.iter().find(|link| below(path, link)) {
            let text = format!("`{}` lies below the link `{}`", one_line(path, 80), one_line(link, 80));
            faults.push(Fault::new(node.at, text));
        }
    }
}

/// Lists what else is fetched: other configs, and certificates.
fn configs(root: &Node) -> impl Iterator<Item = &Node> {
    let lists = [&["ignition", "config", "merge"][..], &["ignition", "security", "tls", "certificateAuthorities"]];
    let lists = lists.into_iter().flat_map(|path| root.list(path));
    lists.chain(root.at_path(&["ignition", "config", "replace"]))
}

/// Finds what stands twice in lists of plain texts, and of things with a key of their own.
fn lists(root: &Node, faults: &mut Vec<Fault>) {
    for user in root.list(&["passwd", "users"]) {
        rules::repeated("key", user.list(&["sshAuthorizedKeys"]).iter(), faults);
        rules::repeated("group", user.list(&["groups"]).iter(), faults);
    }
    let arguments = ["shouldExist", "shouldNotExist"].map(|kind| root.list(&["kernelArguments", kind]));
    rules::repeated("argument", arguments.into_iter().flatten(), faults);
    let merged = root.list(&["ignition", "config", "merge"]);
    rules::repeated("source", merged.iter().filter_map(|node| node.get("source")), faults);
}

fn units(unit: &Node, faults: &mut Vec<Fault>) {
    rules::unit_names(unit, faults);
    for contents in [unit].into_iter().chain(unit.list(&["dropins"])).filter_map(|node| node.get("contents")) {
        if let Some((line, what)) = super::unit::fault(contents.as_text().unwrap_or_default()) {
            faults.push(Fault::new(contents.at, format!("Ignition cannot read line {line} of this unit: {what}")));
        }
    }
}

fn resources(file: &Node) -> Vec<&Node> {
    file.get("contents").into_iter().chain(file.list(&["append"])).collect()
}

fn source(contents: &Node, faults: &mut Vec<Fault>) {
    let Some(source) = contents.get("source") else { return };
    let text = source.as_text().unwrap_or_default();
    let scheme = text.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase()).unwrap_or_default();
    if text.is_empty() {
        return;
    }
    if !SCHEMES.contains(&scheme.as_str()) {
        let list = SCHEMES.join(", ");
        faults.push(Fault::new(source.at, format!("a source is a URL of scheme {list}")));
    } else if scheme == "data" && !is_data_url(&text[5..]) {
        faults.push(Fault::new(source.at, "malformed data URL").hint("write data:,text%0A or data:;base64,dGV4dAo="));
    }
}

/// Returns whether what follows `data:` is media type, `,`, and well-encoded data (RFC 2397).
fn is_data_url(rest: &str) -> bool {
    let Some((head, data)) = rest.split_once(',') else { return false };
    if head.ends_with(";base64") {
        let plain = data.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
        return base64::engine::general_purpose::STANDARD.decode(plain).is_ok();
    }
    let mut escapes = data.split('%').skip(1);
    let visible = data.bytes().all(|byte| byte.is_ascii_graphic());
    visible && escapes.all(|part| part.get(..2).is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit())))
}

/// 0 means "the next free number" and may repeat.
fn partitions(disk: &Node, faults: &mut Vec<Fault>) {
    let mut seen = BTreeMap::new();
    for node in disk.list(&["partitions"]) {
        let Some(number) = node.whole("number").filter(|number| *number != 0) else { continue };
        if seen.insert(number, node.at).is_some() {
            faults.push(Fault::new(node.at, format!("partition {number} is defined twice")));
        }
    }
}

fn twice<'a>(what: &str, items: impl Iterator<Item = (Option<&'a str>, &'a Node)>, faults: &mut Vec<Fault>) {
    let mut seen = BTreeMap::new();
    for (name, node) in items {
        let Some(name) = name else { continue };
        if let Some(first) = seen.insert(name, node.at) {
            let text = format!("{what} `{}` is defined twice, first in line {}", one_line(name, 80), first.line);
            faults.push(Fault::new(node.at, text));
        }
    }
}
