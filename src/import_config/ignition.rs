//! An Ignition config → what `[provision]` can say, or why it cannot. Touches nothing.
//!
//! Specification: coreos/ignition, `docs/configuration-v3_6.md`. Part by part nothing is given up: one thing that a recipe cannot
//! say leaves the whole config as it is. Whether the recipe really means the same is asked again of what it becomes:
//! [`super::same`], which knows nothing of this file.

use super::provision::Section;
use crate::base::text::one_line;
use crate::format::ignition::data::decode;
use crate::format::ignition::{Node, Ready, SPECIAL_MODE_SPEC};
use crate::recipe::CONTENT_LIMIT;

/// The label of the root file system in every published image of MicroOS.
const ROOT_DEVICE: &str = "/dev/disk/by-label/ROOT";
/// Its subvolumes that are not mounted when Ignition writes (openSUSE: read-only-root-fs).
const SUBVOLUMES: [&str; 5] = ["/boot/writable", "/home", "/opt", "/srv", "/usr/local"];

/// What was found on the way.
#[derive(Default)]
pub(crate) struct Notes {
    /// What a recipe cannot say.
    pub stops: Vec<String>,
    /// What it says a little differently.
    pub changes: Vec<String>,
}

impl Notes {
    fn stop(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.stops.contains(&text) {
            self.stops.push(text);
        }
    }
}

/// Takes a config apart; it counts only where nothing stops it.
pub(crate) fn typed(ready: &Ready) -> (Vec<Section>, Notes) {
    let (root, spec) = (&ready.root, ready.spec);
    let mut notes = Notes::default();
    unsaid(root, &mut notes);
    filesystems(root, &mut notes);
    let kernel_arguments = texts(root.get("kernelArguments").unwrap_or(root), "shouldExist");
    let mut sections = vec![Section::default().list("kernel_arguments", &kernel_arguments)];
    let users = root.list(&["passwd", "users"]);
    let (admin, users): (Vec<&Node>, Vec<_>) = users.iter().partition(|node| node.text("name") == Some("root"));
    let nodes = |path: [&'static str; 2]| root.list(&path).iter();
    sections.extend(nodes(["passwd", "groups"]).map(|node| group(node, &mut notes)));
    sections.extend(admin.iter().chain(&users).map(|node| login(node, &mut notes)));
    sections.extend(nodes(["storage", "directories"]).map(|node| directory(node, spec, &mut notes)));
    sections.extend(nodes(["storage", "files"]).map(|node| file(node, spec, &mut notes)));
    sections.extend(nodes(["storage", "links"]).map(|node| link(node, &mut notes)));
    sections.extend(nodes(["systemd", "units"]).flat_map(|node| unit(node, &mut notes)));
    (sections, notes)
}

/// Finds whole parts that have no key.
fn unsaid(root: &Node, notes: &mut Notes) {
    for (name, node) in root.members().iter().map(|member| (&member.name, &member.value)) {
        let known: &[&str] = match name.as_str() {
            "ignition" => &["version"],
            "kernelArguments" => &["shouldExist"],
            "passwd" => &["groups", "users"],
            "storage" => &["directories", "files", "filesystems", "links"],
            "systemd" => &["units"],
            _ => &[],
        };
        for member in node.members().iter().filter(|member| !known.contains(&member.name.as_str())) {
            if says_something(&member.value) {
                notes.stop(format!("`{}.{}` has no key in a recipe", one_line(name, 40), one_line(&member.name, 40)));
            }
        }
    }
}

/// Returns whether a value is more than an empty shell.
fn says_something(node: &Node) -> bool {
    use crate::format::ignition::Kind;
    match &node.kind {
        Kind::Null => false,
        Kind::Flag(flag) => *flag,
        Kind::Text(text) => !text.is_empty(),
        Kind::Number(_) => true,
        Kind::List(items) => items.iter().any(says_something),
        Kind::Object(members) => members.iter().any(|member| says_something(&member.value)),
    }
}

/// Returns whether an entry is one of those that a recipe's config gets by itself.
pub(crate) fn is_subvolume(node: &Node) -> bool {
    let path = node.text("path").unwrap_or_default();
    let options = node.list(&["mountOptions"]);
    let subvolume = |option: &str| option == format!("subvol=/@{path}") || option == format!("subvol=@{path}");
    let other = ["label", "uuid", "options", "wipeFilesystem"];
    SUBVOLUMES.contains(&path)
        && node.text("device") == Some(ROOT_DEVICE)
        && node.text("format") == Some("btrfs")
        && matches!(options, [option] if option.as_text().is_some_and(subvolume))
        && !other.iter().filter_map(|key| node.get(key)).any(says_something)
}

fn filesystems(root: &Node, notes: &mut Notes) {
    let entries = root.list(&["storage", "filesystems"]);
    if entries.iter().any(|node| !is_subvolume(node)) {
        notes.stop("`storage.filesystems` holds more than the entry for /home, which is added by itself");
    }
    let home = entries.iter().any(|node| node.text("path") == Some("/home"));
    let user = |node: &Node| node.text("name") != Some("root");
    if !home && root.list(&["passwd", "users"]).iter().any(user) {
        let text =
            "the entry that mounts /home while Ignition runs is added: without it MicroOS hides what is written there";
        notes.changes.push(text.to_owned());
    }
}

fn texts(node: &Node, key: &str) -> Vec<String> {
    node.list(&[key]).iter().filter_map(Node::as_text).map(str::to_owned).collect()
}

fn filled(node: &Node, key: &str) -> Option<String> {
    node.text(key).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn login(node: &Node, notes: &mut Notes) -> Section {
    for key in ["noCreateHome", "noLogInit", "noUserGroup", "primaryGroup"] {
        if node.get(key).is_some_and(says_something) {
            notes.stop(format!("`{key}` of a user has no key in a recipe"));
        }
    }
    if node.flag("shouldExist") == Some(false) {
        notes.stop("a recipe cannot remove a user (`shouldExist`)");
    }
    let name = node.text("name").unwrap_or_default();
    let is_root = name == "root";
    let keys: Vec<_> = texts(node, "sshAuthorizedKeys").iter().map(|key| key.trim().to_owned()).collect();
    let access = Section::new(if is_root { "[provision.root]" } else { "[[provision.user]]" })
        .text("name", (!is_root).then(|| name.to_owned()))
        .text("password_hash", filled(node, "passwordHash"))
        .list("ssh_keys", &keys);
    let count = access.keys.len();
    let login = access
        .with("uid", node.whole("uid"))
        .list("groups", &texts(node, "groups"))
        .text("shell", filled(node, "shell"))
        .text("home", filled(node, "homeDir"))
        .text("gecos", filled(node, "gecos"))
        .flag("system", node.flag("system") == Some(true));
    if is_root && login.keys.len() > count {
        notes.stop("root has more than a password and keys, which is all that a recipe gives root");
    }
    login
}

fn group(node: &Node, notes: &mut Notes) -> Section {
    if node.flag("shouldExist") == Some(false) {
        notes.stop("a recipe cannot remove a group (`shouldExist`)");
    }
    if filled(node, "passwordHash").is_some() {
        notes.stop("the password of a group has no key in a recipe");
    }
    Section::new("[[provision.group]]")
        .text("name", Some(said(node, "name")))
        .with("gid", node.whole("gid"))
        .flag("system", node.flag("system") == Some(true))
}

fn said(node: &Node, key: &str) -> String {
    node.text(key).unwrap_or_default().to_owned()
}

/// Reads permission bits.
fn mode(node: &Node, default: u32, spec: u8, shown: &str, notes: &mut Notes) -> u32 {
    let mode = node.whole("mode").and_then(|mode| u32::try_from(mode).ok()).unwrap_or(default);
    if mode & 0o7000 != 0 && spec < SPECIAL_MODE_SPEC {
        let text = "mean nothing in its spec, and would in a recipe";
        notes.stop(format!("the special bits in the mode of `{shown}` {text}"));
    }
    mode
}

fn directory(node: &Node, spec: u8, notes: &mut Notes) -> Section {
    let path = said(node, "path");
    let shown = one_line(&path, 80);
    if node.flag("overwrite") == Some(true) {
        notes.stop(format!("`{shown}` is emptied (`overwrite`); a recipe's directory keeps what it holds"));
    }
    let (user, group) = (owner(node, "user", &shown, notes), owner(node, "group", &shown, notes));
    let mode = mode(node, 0o755, spec, &shown, notes);
    let section = Section::new("[[provision.directory]]").text("path", Some(path)).mode(mode, 0o755);
    section.text("user", user).text("group", group)
}

fn link(node: &Node, notes: &mut Notes) -> Section {
    let path = said(node, "path");
    let shown = one_line(&path, 80);
    if node.flag("hard") == Some(true) {
        notes.stop(format!("`{shown}` is a hard link"));
    }
    for key in ["user", "group"] {
        if owner(node, key, &shown, notes).is_some_and(|name| name != "root") {
            notes.stop(format!("the link `{shown}` has an owner"));
        }
    }
    if node.flag("overwrite") != Some(true) {
        notes.changes.push(format!("`{shown}` replaces what the image may hold; the config failed the boot there"));
    }
    Section::new("[[provision.link]]").text("path", Some(path)).text("target", Some(said(node, "target")))
}

fn file(node: &Node, spec: u8, notes: &mut Notes) -> Section {
    let path = said(node, "path");
    let shown = one_line(&path, 80);
    let appends = !node.list(&["append"]).is_empty();
    let text = if appends { appended(node, &shown, notes) } else { content(node.get("contents"), &shown, notes) };
    if !appends && text.is_some() && node.flag("overwrite") != Some(true) {
        notes.changes.push(format!("`{shown}` replaces what the image may hold; the config failed the boot there"));
    }
    let mode = mode(node, 0o644, spec, &shown, notes);
    let (user, group) = (owner(node, "user", &shown, notes), owner(node, "group", &shown, notes));
    let section =
        Section::new("[[provision.file]]").text("path", Some(path)).lines("text", text.or(Some(String::new())));
    match appends {
        true => section.flag("append", true),
        false => section.mode(mode, 0o644).text("user", user).text("group", group),
    }
}

/// Reads what is added to a file: a recipe adds once, and says nothing else of the file.
fn appended(node: &Node, shown: &str, notes: &mut Notes) -> Option<String> {
    let more = ["contents", "mode", "user", "group"].iter().any(|key| node.get(key).is_some_and(says_something));
    match node.list(&["append"]) {
        [once] if !more => content(Some(once), shown, notes),
        _ => {
            notes.stop(format!("`{shown}` is appended to, and more than that"));
            None
        }
    }
}

fn content(contents: Option<&Node>, shown: &str, notes: &mut Notes) -> Option<String> {
    let Some(source) = contents.and_then(|node| filled(node, "source")) else {
        notes.stop(format!("`{shown}` has no content of its own"));
        return None;
    };
    let gzip = contents.and_then(|node| node.text("compression")) == Some("gzip");
    if contents.and_then(|node| node.at_path(&["verification", "hash"])).is_some() {
        notes.stop(format!("`{shown}` is verified by a hash in the config"));
    }
    if !source.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:")) {
        notes.stop(format!("`{shown}` is fetched by the guest"));
        return None;
    }
    let text = decode(&source, gzip, CONTENT_LIMIT.0).and_then(|bytes| String::from_utf8(bytes).ok());
    if text.is_none() {
        notes.stop(format!("`{shown}` is not text, or is too long"));
    }
    text
}

/// Reads an owner; root is what both take where nothing is said.
fn owner(node: &Node, key: &str, shown: &str, notes: &mut Notes) -> Option<String> {
    let owner = node.get(key)?;
    if owner.whole("id").is_some_and(|id| id != 0) {
        notes.stop(format!("the {key} of `{shown}` is a number"));
    }
    filled(owner, "name")
}

/// Reads a unit and its drop-ins; an entry that does nothing is not a unit to a recipe.
fn unit(node: &Node, notes: &mut Notes) -> Vec<Section> {
    let name = said(node, "name");
    let shown = one_line(&name, 80);
    let unit = Section::new("[[provision.unit]]")
        .text("name", Some(name))
        .with("enable", node.flag("enabled"))
        .flag("mask", node.flag("mask") == Some(true))
        .lines("text", filled(node, "contents"));
    let mut sections = vec![unit];
    for dropin in node.list(&["dropins"]) {
        let section = Section::new("[[provision.unit.dropin]]").text("name", Some(said(dropin, "name")));
        match filled(dropin, "contents") {
            Some(text) => sections.push(section.lines("text", Some(text))),
            None => notes.stop(format!("a drop-in of `{shown}` has no contents")),
        }
    }
    if sections.len() == 1 && sections[0].keys.len() == 1 { vec![] } else { sections }
}
