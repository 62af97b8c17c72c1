//! What the guest gets, of the recipe's own keys and of a ready-made Ignition config alike. Touches nothing.

use std::borrow::Cow;

use super::context::RuleContext;
use crate::base::Location;
use crate::format::ignition::{Node, data::decode};
use crate::provision::diagnostics::{place_in, redacted};
use crate::provision::guest::{Bytes, Guest, GuestFile, Write};
use crate::recipe::CONTENT_LIMIT;

/// One file that is written whole.
pub(crate) struct SeenFile<'a> {
    pub path: &'a str,
    pub mode: u32,
    /// A name, or a number behind `#`; `None` is root.
    pub user: Option<Cow<'a, str>>,
    /// Empty where the bytes are not at hand.
    pub bytes: Cow<'a, [u8]>,
    /// Its line is not shown.
    pub place: Location,
}

/// One account.
pub(crate) struct SeenUser<'a> {
    pub name: &'a str,
    pub hash: Option<&'a str>,
    pub keys: Vec<&'a str>,
    pub groups: Vec<&'a str>,
    pub shell: Option<&'a str>,
    pub home: String,
    pub place: Location,
}

/// One unit about which something is said.
pub(crate) struct SeenUnit<'a> {
    pub name: &'a str,
    /// `None` where it stays as the image has it.
    pub is_enabled: Option<bool>,
    /// Whether a text of its own comes with it.
    pub has_text: bool,
    pub place: Location,
}

/// All of it.
pub(crate) struct Seen<'a> {
    pub files: Vec<SeenFile<'a>>,
    pub users: Vec<SeenUser<'a>>,
    pub groups: Vec<&'a str>,
    pub units: Vec<SeenUnit<'a>>,
}

impl<'a> Seen<'a> {
    /// Gathers what each engine is told.
    pub(crate) fn of(ctx: &RuleContext<'a>) -> Self {
        let mut seen = Self { files: vec![], users: vec![], groups: vec![], units: vec![] };
        ctx.guests.iter().for_each(|guest| seen.typed(guest));
        if let Some(config) = ctx.config {
            seen.ready(&config.ready.root, &config.file);
        }
        seen
    }

    fn typed(&mut self, guest: &'a Guest) {
        let whole = guest.files.iter().filter(|file| file.write == Write::Replace);
        self.files.extend(whole.map(|file: &GuestFile| SeenFile {
            path: &file.path,
            mode: file.mode,
            user: file.user.as_deref().map(Cow::Borrowed),
            bytes: if let Bytes::Here(bytes) = &file.bytes { Cow::Borrowed(bytes) } else { Cow::default() },
            place: redacted(&file.place),
        }));
        self.users.extend(guest.users.iter().map(|user| SeenUser {
            name: &user.name,
            hash: user.hash.as_deref(),
            keys: user.keys.iter().map(String::as_str).collect(),
            groups: user.groups.iter().map(String::as_str).collect(),
            shell: user.shell.as_deref(),
            home: user.home(),
            place: redacted(&user.place),
        }));
        self.groups.extend(guest.groups.iter().map(|group| group.name.as_str()));
        self.units.extend(guest.units.iter().map(|unit| SeenUnit {
            name: &unit.name,
            is_enabled: unit.enable.filter(|_| !unit.mask).or(unit.mask.then_some(false)),
            has_text: unit.contents.is_some(),
            place: unit.place.clone(),
        }));
    }

    fn ready(&mut self, root: &'a Node, file: &str) {
        let place = |node: &Node| place_in(file, node.at.line, node.at.column);
        let texts = |node: &'a Node, key| node.list(&[key]).iter().filter_map(Node::as_text).collect::<Vec<_>>();
        let files = root.list(&["storage", "files"]).iter().filter(|node| node.list(&["append"]).is_empty());
        self.files.extend(files.filter_map(|node| {
            Some(SeenFile {
                path: node.text("path")?,
                mode: node.whole("mode").and_then(|mode| u32::try_from(mode).ok()).unwrap_or(0o644),
                user: node.get("user").and_then(owner),
                bytes: node.get("contents").and_then(content).map(Cow::Owned).unwrap_or_default(),
                place: place(node),
            })
        }));
        self.users.extend(root.list(&["passwd", "users"]).iter().filter_map(|node| {
            let name = node.text("name")?;
            let home = if name == "root" { "/root".to_owned() } else { format!("/home/{name}") };
            Some(SeenUser {
                name,
                hash: node.text("passwordHash").filter(|hash| !hash.is_empty()),
                keys: texts(node, "sshAuthorizedKeys"),
                groups: texts(node, "groups"),
                shell: node.text("shell"),
                home: node.text("homeDir").map_or(home, str::to_owned),
                place: place(node),
            })
        }));
        self.groups.extend(root.list(&["passwd", "groups"]).iter().filter_map(|node| node.text("name")));
        self.units.extend(root.list(&["systemd", "units"]).iter().filter_map(|node| {
            let is_masked = node.flag("mask") == Some(true);
            Some(SeenUnit {
                name: node.text("name")?,
                is_enabled: if is_masked { Some(false) } else { node.flag("enabled") },
                has_text: node.text("contents").is_some_and(|text| !text.is_empty()),
                place: place(node),
            })
        }));
    }
}

fn owner(node: &Node) -> Option<Cow<'_, str>> {
    let number = node.whole("id").filter(|id| *id != 0).map(|id| Cow::Owned(format!("#{id}")));
    number.or_else(|| node.text("name").filter(|name| !matches!(*name, "" | "root")).map(Cow::Borrowed))
}

fn content(node: &Node) -> Option<Vec<u8>> {
    decode(node.text("source")?, node.text("compression") == Some("gzip"), CONTENT_LIMIT.0)
}
