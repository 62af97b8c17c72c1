//! The typed part joined with a ready-made config, as JSON. Touches nothing.
//!
//! Nothing is overridden: what both define is refused by name, with both places. Lists are joined, the ready-made part
//! first; the spec version is the higher one, which only ever adds meaning (coreos/ignition, docs/migrating-configs.md).

use serde_json::Value;

use super::ignition;
use crate::base::text::one_line;
use crate::base::{Code, Diagnostic, Finding, Location, Rule, Severity};
use crate::format::ignition::Node;
use crate::provision::diagnostics::{DiagnosticSink, place_in, redacted};
use crate::provision::guest::Guest;
use crate::provision::ready::Config;
use crate::provision::subvolume;

/// Joins both parts; `None` when one of them cannot be said in JSON.
pub(crate) fn join(
    guest: &Guest,
    config: Option<&Config>,
    home_subvolume: bool,
    diag: &mut DiagnosticSink,
) -> Option<Value> {
    if let Some(config) = config {
        conflicts(guest, config, diag);
        refuse_replacement(config, diag);
    }
    let root = config.map(|config| &config.ready.root);
    let mounted: Vec<_> = root.map_or(&[][..], |root| root.list(&["storage", "filesystems"])).iter().collect();
    let is_mounted = |path: &str| mounted.iter().any(|node| node.text("path") == Some(path));
    let mut subvolumes = ignition::subvolumes(guest, home_subvolume);
    subvolumes.retain(|path| !is_mounted(path));
    note_subvolumes(guest, &subvolumes, diag);
    warn_read_only(guest, diag);
    let spec = ignition::spec(guest).max(config.map_or(0, |config| config.ready.spec));
    let mut typed = ignition::config(guest, spec, &subvolumes);
    // Those between a home and a file were not asked for, and Ignition takes no path twice.
    let directories = root.map_or(&[][..], |root| root.list(&["storage", "directories"]));
    let is_there = |path: &str| directories.iter().any(|node| node.text("path") == Some(path));
    typed.storage.directories.retain(|directory| !is_there(&directory.path));
    let typed = typed.to_value().ok();
    if typed.is_none() {
        diag.refuse(Diagnostic::new(Code::Bug, "cannot write the typed part as JSON"));
    }
    Some(joined(root.map(Node::to_value), typed?))
}

/// Notes entries nobody asked for, but the one for `/home`, which is the usual case.
fn note_subvolumes(guest: &Guest, subvolumes: &[&str], diag: &mut DiagnosticSink) {
    for directory in subvolumes.iter().filter(|directory| **directory != "/home") {
        let place = guest.nodes().find(|(path, _)| subvolume::is_within(path, directory));
        let text = format!("{directory} is a subvolume that Ignition does not see; an entry that mounts it was added");
        let finding = Finding::new(Rule::HomeSubvol, text).with_severity(Severity::Note);
        let place = place.map(|(_, place)| redacted(place));
        diag.tell(finding.at(place).hint("nothing to do: the config that is built has that entry"));
    }
}

fn warn_read_only(guest: &Guest, diag: &mut DiagnosticSink) {
    let homes = guest.users.iter().map(|user| (user.home(), &user.place));
    let nodes = guest.nodes().map(|(path, place)| (path.to_owned(), place));
    for (path, place) in homes.chain(nodes).filter(|(path, _)| subvolume::is_read_only(path)) {
        diag.warn(Rule::ReadOnlyRoot, subvolume::read_only_text(&path), Some(redacted(place)));
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

fn refuse_replacement(config: &Config, diag: &mut DiagnosticSink) {
    if let Some(node) = config.ready.root.at_path(&["ignition", "config", "replace", "source"]) {
        let headline = "`ignition.config.replace` makes Ignition drop all that the recipe adds to this config";
        let there = place_in(&config.file, node.at.line, node.at.column);
        diag.refuse_at(&there, headline, "use `ignition.config.merge`, or leave the typed part out");
    }
}

/// Refuses what both a share of the recipe and the ready-made config define.
pub(crate) fn conflicts(guest: &Guest, config: &Config, diag: &mut DiagnosticSink) {
    let root = &config.ready.root;
    let mut check = |what: &str, name: &str, place: &Location, lists: &[[&str; 2]], key: &str| {
        let nodes = lists.iter().flat_map(|path| root.list(path));
        for node in nodes.filter(|node| node.text(key) == Some(name)) {
            let headline = format!("{what} `{}` is defined in the recipe and in `{}`", one_line(name, 80), config.file);
            diag.refuse(conflict(headline, place, node, config));
        }
    };
    for user in &guest.users {
        check("user", &user.name, &user.place, &[["passwd", "users"]], "name");
    }
    for group in &guest.groups {
        check("group", &group.name, &group.place, &[["passwd", "groups"]], "name");
    }
    for (path, place) in guest.nodes() {
        let lists = [["storage", "files"], ["storage", "directories"], ["storage", "links"]];
        check("path", path, place, &lists, "path");
    }
    for unit in &guest.units {
        check("unit", &unit.name, &unit.place, &[["systemd", "units"]], "name");
    }
    // Ignition takes no argument twice.
    let lists = ["shouldExist", "shouldNotExist"].map(|kind| root.list(&["kernelArguments", kind]));
    for argument in &guest.kernel_arguments {
        let node = lists.iter().copied().flatten().find(|node| node.as_text() == Some(&argument.value));
        let Some(node) = node else { continue };
        let shown = one_line(&argument.value, 80);
        let headline = format!("kernel argument `{shown}` is named in the recipe and in `{}`", config.file);
        diag.refuse(conflict(headline, &argument.place, node, config));
    }
}

fn conflict(headline: String, place: &Location, node: &Node, config: &Config) -> Diagnostic {
    let there = place_in(&config.file, node.at.line, node.at.column);
    Diagnostic::new(Code::Provision, headline)
        .at(redacted(place))
        .fact("config", there)
        .hint("keep it in one of the two")
}
