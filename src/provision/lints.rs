//! What works, but hardly as meant: warnings that need nothing but the recipe and its files. Touches nothing.
//!
//! The facts they rest on stand in `base::rule`; none looks at a host or an image. Rules on the whole recipe are in `rules`.

use super::diagnostics::{DiagnosticSink, place_in};
use super::hash::{self, Verdict};
use super::{keys, subvolume};
use crate::base::Rule;
use crate::base::text::one_line;
use crate::format::ignition::Node;
use crate::recipe::Recipe;

/// Warns of files that fill the guest's memory: the folder is copied to a tmpfs, whose limit is half of it.
pub(crate) fn memory(recipe: &Recipe, bytes: usize, diag: &mut DiagnosticSink) {
    if u64::try_from(bytes).is_ok_and(|bytes| bytes > recipe.machine.memory.0 / 2) {
        let place = recipe.provision.script.as_ref().map(|script| script.place.clone());
        diag.warn(
            Rule::ShmSize,
            "the script's folder is larger than half of the guest's memory, where it is copied to",
            place,
        );
    }
}

/// Warns of what a ready-made config may do in vain, or fail at.
pub(crate) fn config(recipe: &Recipe, root: &Node, file: &str, diag: &mut DiagnosticSink) {
    let mut warn =
        |id, node: &Node, text: String| diag.warn(id, text, Some(place_in(file, node.at.line, node.at.column)));
    for user in root.list(&["passwd", "users"]) {
        let name = one_line(user.text("name").unwrap_or_default(), 40);
        let (hash, keys) = (user.get("passwordHash"), user.list(&["sshAuthorizedKeys"]));
        if let Some(node) = hash {
            match hash::check(node.as_text().unwrap_or_default()) {
                Verdict::Good => {}
                Verdict::Weak(why) => warn(Rule::WeakHash, node, format!("the password hash of `{name}` is {why}")),
                Verdict::Refused(why) => {
                    warn(Rule::WeakHash, node, format!("`passwordHash` of `{name}` {why}"));
                }
            }
        }
        for node in keys {
            if let Err(error) = node.as_text().map_or(Err(keys::KeyError::Empty), keys::read) {
                warn(Rule::KeyTypo, node, format!("an ssh key of `{name}` is none: {error}"));
            }
        }
        if name == "root" && hash.is_some() && keys.is_empty() {
            let text = "root has a password but no ssh key: openSUSE's sshd refuses passwords for root";
            warn(Rule::RootSshPassword, user, text.to_owned());
        }
    }
    for raid in root.list(&["storage", "raid"]) {
        warn(Rule::RaidMdadm, raid, "openSUSE's initrd may lack mdadm, so `storage.raid` may fail the boot".to_owned());
    }
    for filesystem in root.list(&["storage", "filesystems"]) {
        self::filesystem(filesystem, &mut warn);
    }
    for node in ["files", "directories", "links"].iter().flat_map(|kind| root.list(&["storage", kind])) {
        if let Some(path) = node.text("path").filter(|path| subvolume::is_read_only(path)) {
            warn(Rule::ReadOnlyRoot, node, subvolume::read_only_text(path));
        }
    }
    if !recipe.provision.has_typed() {
        hidden(root, &mut warn);
    }
}

fn filesystem(node: &Node, warn: &mut impl FnMut(Rule, &Node, String)) {
    if node.text("format") == Some("ext4") {
        warn(Rule::FsExt4, node, "MicroOS has no mkfs.ext4, so Ignition cannot make this".to_owned());
    }
    let wiped = node.flag("wipeFilesystem").unwrap_or_default();
    if node.text("device") == Some(subvolume::ROOT_DEVICE) && !wiped && node.get("label").or(node.get("uuid")).is_some()
    {
        let text = "a label or uuid on the kept root file system fails the boot when it differs";
        warn(Rule::FsLabelMismatch, node, text.to_owned());
    }
}

/// A config that goes into the guest as it is must bring its own entries for subvolumes.
fn hidden(root: &Node, warn: &mut impl FnMut(Rule, &Node, String)) {
    let users = root.list(&["passwd", "users"]).iter().filter(|user| user.text("name") != Some("root"));
    let kinds = ["files", "directories", "links"];
    let nodes = kinds.iter().flat_map(|kind| root.list(&["storage", kind]));
    let mut paths: Vec<(String, &Node)> =
        nodes.filter_map(|node| Some((node.text("path")?.to_owned(), node))).collect();
    paths.extend(users.map(|user| (user.text("homeDir").unwrap_or("/home").to_owned(), user)));
    let mounted: Vec<_> = root.list(&["storage", "filesystems"]).iter().filter_map(|node| node.text("path")).collect();
    for directory in subvolume::for_ignition(paths.iter().map(|(path, _)| path.as_str())) {
        let first = paths.iter().find(|(path, _)| subvolume::is_within(path, directory));
        if let (Some((_, node)), false) = (first, mounted.contains(&directory)) {
            let text = format!(
                "{directory} is a subvolume that Ignition does not see: add a `storage.filesystems` entry for it, or what is written there vanishes"
            );
            warn(Rule::HomeSubvol, node, text);
        }
    }
}
