//! What only the whole shows: two things at one path, what would be hidden, and directories that follow. Touches nothing.

use super::context::Context;
use super::settings;
use crate::base::text::one_line;
use crate::provision::diagnostics::{DiagnosticSink, redacted};
use crate::provision::guest::{Guest, GuestDirectory};
use crate::provision::outputs::EngineOutputs;
use crate::provision::path;
use crate::provision::subvolume::is_within;

/// Checks the whole and completes it; call it when every item is there.
pub(crate) fn finish(cx: &mut Context<'_>) {
    let Context { recipe, outputs, diag, .. } = cx;
    let files: Vec<_> = outputs.files().map(|file| file.path.as_str()).collect();
    path::check_all(outputs.nodes(), &files, &settings::paths(&recipe.provision.settings), diag);
    below_links(outputs, diag);
    diag.unique("unit", outputs.units().map(|unit| (unit.name.as_str(), &unit.place)));
    implied(outputs, diag);
    for guest in [&mut outputs.ignition, &mut outputs.combustion] {
        let implied = directories(guest);
        guest.directories.extend(implied);
        guest.directories.sort_by(|a, b| a.path.cmp(&b.path));
    }
    hidden(outputs, diag);
}

/// Refuses what lies below a link: it would be written wherever that leads. Ignition refuses it too.
fn below_links(outputs: &EngineOutputs, diag: &mut DiagnosticSink) {
    let links: Vec<_> = outputs.both().flat_map(|guest| &guest.links).collect();
    for (path, place) in outputs.nodes() {
        let link = links.iter().find(|link| link.path != path && is_within(path, &link.path));
        if let Some(link) = link {
            let headline = format!("`{}` lies below the link `{}`", one_line(path, 80), one_line(&link.path, 80));
            diag.refuse_at(place, headline, "write the path that the link leads to");
        }
    }
}

/// Refuses a file where an account or a unit puts one of its own: the last writer would win, without a word.
fn implied(outputs: &EngineOutputs, diag: &mut DiagnosticSink) {
    let keyed = outputs.users().filter(|user| !user.keys.is_empty());
    let keys =
        keyed.map(|user| (format!("{}/.ssh/authorized_keys", user.home()), format!("the keys of `{}`", user.name)));
    let units = outputs.units().flat_map(|unit| {
        let of = format!("the unit `{}`", one_line(&unit.name, 80));
        unit.texts().map(move |(path, _)| (path, of.clone()))
    });
    for (path, of) in keys.chain(units) {
        if let Some((_, place)) = outputs.nodes().find(|(other, _)| *other == path) {
            let headline = format!("`{}` is also written for {of}", one_line(&path, 80));
            diag.refuse_at(place, headline, "keep one of them");
        }
    }
}

/// Refuses what would lie beneath a later mount, or keep a subvolume from being made.
fn hidden(outputs: &EngineOutputs, diag: &mut DiagnosticSink) {
    let late = &outputs.late_paths;
    for (index, one) in late.iter().enumerate() {
        if let Some(first) = late[..index].iter().find(|other| other.path == one.path) {
            let headline =
                format!("`{}` is a mount point twice, first in line {}", one_line(&one.path, 80), first.place.line);
            diag.refuse_at(&one.place, headline, "keep one of them");
        }
    }
    let homes = outputs.users().filter(|user| !user.is_root()).map(|user| (user.home(), &user.place));
    for (path, place) in outputs.nodes().map(|(path, place)| (path.to_owned(), place)).chain(homes) {
        if let Some(over) = late.iter().find(|late| is_within(&path, &late.path)) {
            let headline = format!(
                "`{}` would be written before {} `{}` is there, and be hidden by it",
                one_line(&path, 80),
                over.what,
                one_line(&over.path, 80)
            );
            diag.refuse_at(&redacted(place), headline, "put it there when the guest runs, by a unit of your own");
        }
    }
}

/// Finds the directories between a user's home and the user's files: left to the engines they would be root's, and the
/// user could not write beside the file (Ignition makes missing parents with owner root).
fn directories(guest: &Guest) -> Vec<GuestDirectory> {
    let mut directories: Vec<GuestDirectory> = vec![];
    let files = guest.files.iter().map(|file| (&file.path, &file.user, &file.group));
    let asked = guest.directories.iter().map(|directory| (&directory.path, &directory.user, &directory.group));
    for (path, user, group) in files.chain(asked) {
        let Some(owner) = guest.users.iter().find(|login| user.as_deref() == Some(&login.name)) else {
            continue;
        };
        let home = owner.home();
        if !is_within(path, &home) {
            continue;
        }
        for (end, _) in path.match_indices('/').filter(|(end, _)| *end > home.len()) {
            let path = path[..end].to_owned();
            let mode = if path.ends_with("/.ssh") { 0o700 } else { 0o755 };
            if guest.directories.iter().chain(&directories).all(|directory| directory.path != path) {
                let (user, group) = (Some(owner.name.clone()), group.clone());
                directories.push(GuestDirectory { path, mode, user, group, place: None });
            }
        }
    }
    directories
}
