//! The typed wish joined with a ready-made config, as JSON. Touches nothing.
//!
//! Nothing is overridden: what both define is refused by name, with both places. Lists are joined, the ready-made part
//! first; the spec version is the higher one, which only ever adds meaning (coreos/ignition, docs/migrating-configs.md).

use serde_json::Value;

use super::ready::{self, Config};
use super::told::Told;
use super::wanted::Wanted;
use super::{ignition, told};
use crate::base::text::one_line;
use crate::base::{Code, Diagnostic, Finding, Location, Rule, Severity};
use crate::format::ignition::Node;

/// Joins both parts; `None` when one of them cannot be said in JSON.
pub(crate) fn join(wanted: &Wanted, config: Option<&Config>, home_subvolume: bool, told: &mut Told) -> Option<Value> {
    if let Some(config) = config {
        conflicts(wanted, config, told);
        refuse_replacement(config, told);
    }
    let root = config.map(|config| &config.ready.root);
    let mounted: Vec<_> = root.map_or(&[][..], |root| root.list(&["storage", "filesystems"])).iter().collect();
    let is_mounted = |path: &str| mounted.iter().any(|node| node.text("path") == Some(path));
    let mut subvolumes = ignition::subvolumes(wanted, home_subvolume);
    subvolumes.retain(|path| !is_mounted(path));
    note_subvolumes(wanted, &subvolumes, told);
    warn_read_only(wanted, told);
    let spec = ignition::spec(wanted).max(config.map_or(0, |config| config.ready.spec));
    let mut typed = ignition::config(wanted, spec, &subvolumes);
    // Those between a home and a file were not asked for, and Ignition takes no path twice.
    let directories = root.map_or(&[][..], |root| root.list(&["storage", "directories"]));
    let is_there = |path: &str| directories.iter().any(|node| node.text("path") == Some(path));
    typed.storage.directories.retain(|directory| !is_there(&directory.path));
    let typed = serde_json::to_value(typed).ok();
    if typed.is_none() {
        told.refuse(Diagnostic::new(Code::Bug, "cannot write the typed part as JSON"));
    }
    Some(joined(root.map(Node::to_value), typed?))
}

/// Tells of entries nobody asked for, but the one for `/home`, which is the usual case.
fn note_subvolumes(wanted: &Wanted, subvolumes: &[&str], told: &mut Told) {
    for directory in subvolumes.iter().filter(|directory| **directory != "/home") {
        let place = wanted.nodes().find(|(path, _)| super::subvolume::is_within(path, directory));
        let text = format!("{directory} is a subvolume that Ignition does not see; an entry that mounts it was added");
        let finding = Finding::new(Rule::HomeSubvol, text).with_severity(Severity::Note);
        let place = place.map(|(_, place)| told::hushed(place));
        told.tell(finding.at(place).hint("nothing to do: the config that is built has that entry"));
    }
}

fn warn_read_only(wanted: &Wanted, told: &mut Told) {
    let homes = wanted.logins.iter().map(|login| (login.home(), &login.place));
    let nodes = wanted.nodes().map(|(path, place)| (path.to_owned(), place));
    for (path, place) in homes.chain(nodes).filter(|(path, _)| super::subvolume::is_read_only(path)) {
        told.warn(Rule::ReadOnlyRoot, super::lints::read_only(&path), Some(told::hushed(place)));
    }
}

/// Joins objects key by key and lists end to end; of two scalars the typed one stays.
fn joined(ready: Option<Value>, typed: Value) -> Value {
    match (ready, typed) {
        (Some(Value::Object(mut ready)), Value::Object(typed)) => {
            for (name, value) in typed {
                let value = joined(ready.remove(&name), value);
                ready.insert(name, value);
            }
            Value::Object(ready)
        }
        (Some(Value::Array(mut ready)), Value::Array(typed)) => {
            ready.extend(typed);
            Value::Array(ready)
        }
        (_, typed) => typed,
    }
}

fn refuse_replacement(config: &Config, told: &mut Told) {
    if let Some(node) = config.ready.root.at_path(&["ignition", "config", "replace", "source"]) {
        let headline = "`ignition.config.replace` makes Ignition drop all that the recipe adds to this config";
        let there = ready::place(&config.file, node.at.line, node.at.column);
        told.refuse_at(&there, headline, "use `ignition.config.merge`, or leave the typed part out");
    }
}

/// Refuses what both a share of the recipe and the ready-made config define.
pub(crate) fn conflicts(wanted: &Wanted, config: &Config, told: &mut Told) {
    let root = &config.ready.root;
    let mut check = |what: &str, name: &str, place: &Location, lists: &[[&str; 2]], key: &str| {
        let nodes = lists.iter().flat_map(|path| root.list(path));
        for node in nodes.filter(|node| node.text(key) == Some(name)) {
            let headline = format!("{what} `{}` is defined in the recipe and in `{}`", one_line(name, 80), config.file);
            let there = ready::place(&config.file, node.at.line, node.at.column);
            let problem = Diagnostic::new(Code::Provision, headline)
                .at(told::hushed(place))
                .fact("config", format!("{}:{}:{}", there.file, there.line, there.column))
                .hint("keep it in one of the two");
            told.refuse(problem);
        }
    };
    for login in &wanted.logins {
        check("user", &login.name, &login.place, &[["passwd", "users"]], "name");
    }
    for group in &wanted.groups {
        check("group", &group.name, &group.place, &[["passwd", "groups"]], "name");
    }
    for (path, place) in wanted.nodes() {
        let lists = [["storage", "files"], ["storage", "directories"], ["storage", "links"]];
        check("path", path, place, &lists, "path");
    }
    for unit in &wanted.units {
        check("unit", &unit.name, &unit.place, &[["systemd", "units"]], "name");
    }
}
