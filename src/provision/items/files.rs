//! Files, directories and links. Touches nothing.
//!
//! Both engines make missing parents of a directory or link with mode 0755 and owner root, give a directory that is there the
//! mode and owner asked for, and fail at a file in its place. Where they differ: Ignition removes a directory that stands at a
//! link's path, with all it holds (coreos/ignition, internal/exec/util/file.go: `DeletePathOnOverwrite`), and the script
//! fails there; so the directories that every system has are refused here.

use super::context::Context;
use crate::base::text::one_line;
use crate::base::{Location, Spanned};
use crate::provision::engines::choice::Feature;
use crate::provision::guest::{Bytes, GuestDirectory, GuestFile, GuestLink, Write};
use crate::provision::{path, subvolume};
use crate::recipe::types::AccountName;
use crate::recipe::{Content, DirectorySpec, FileSpec, LinkSpec};

/// Adds the files.
pub(crate) fn files(cx: &mut Context<'_>) {
    for Spanned { value: FileSpec { path, content, append, mode, user, group }, place } in &cx.recipe.provision.files {
        let large = matches!(content, Content::Carried(carried) if cx.pins.is_large(carried));
        let (engine, why) = cx.outputs.choice.engine_of_path(path, large);
        path::check(path, place, &mut cx.diag);
        let bytes = match content {
            Content::Carried(carried) => Some(Bytes::Remote(cx.pins.file(path, carried))),
            Content::Text(_) | Content::Path(_) => cx.bytes(content).map(Bytes::Here),
        };
        let Some(bytes) = bytes else { continue };
        cx.outputs.record_why(Feature::Files, engine, format!("file {}", one_line(path, 100)), why);
        let write = if *append { Write::Append } else { Write::Replace };
        let (path, user, group) = (path.to_string(), owner(user.as_ref()), owner(group.as_ref()));
        let file = GuestFile { path, bytes, write, mode: mode.0, user, group, place: place.clone() };
        cx.outputs.on(engine).files.push(file);
    }
}

fn owner(name: Option<&AccountName>) -> Option<String> {
    name.map(ToString::to_string)
}

/// Adds directories and links; call it after the accounts.
pub(crate) fn directories_and_links(cx: &mut Context<'_>) {
    for Spanned { value: DirectorySpec { path, mode, user, group }, place } in &cx.recipe.provision.directories {
        let (engine, why) = cx.outputs.choice.engine_of_path(path, false);
        path::check(path, place, &mut cx.diag);
        cx.outputs.record_why(Feature::Files, engine, format!("directory {}", one_line(path, 100)), why);
        let (path, user, group) = (path.to_string(), owner(user.as_ref()), owner(group.as_ref()));
        let directory = GuestDirectory { path, mode: mode.0, user, group, place: Some(place.clone()) };
        cx.outputs.on(engine).directories.push(directory);
    }
    for Spanned { value: LinkSpec { path, target }, place } in &cx.recipe.provision.links {
        let (engine, why) = cx.outputs.choice.engine_of_path(path, false);
        check_link(path, target, place, cx);
        cx.outputs.record_why(Feature::Files, engine, format!("link {}", one_line(path, 100)), why);
        let link = GuestLink { path: path.to_string(), target: target.to_string(), place: place.clone() };
        cx.outputs.on(engine).links.push(link);
    }
}

fn check_link(path: &str, target: &str, place: &Location, cx: &mut Context<'_>) {
    path::check(path, place, &mut cx.diag);
    if subvolume::is_system_directory(path) {
        let headline = format!("`{path}` is a directory of the system, and no link can take its place");
        cx.diag.refuse_at(place, headline, "link to something below it, or from elsewhere");
    }
    let mut homes = cx.outputs.users().filter(|user| !user.is_root());
    if let Some(user) = homes.find(|user| subvolume::is_within(&user.home(), path)) {
        let headline = format!("`{}` is or holds the home of `{}`", one_line(path, 80), one_line(&user.name, 40));
        cx.diag.refuse_at(place, headline, "let the user's `home` name the directory that the link should lead to");
    }
    if target == path {
        cx.diag.refuse_at(place, format!("the link `{}` leads to itself", one_line(path, 80)), "");
    }
}
