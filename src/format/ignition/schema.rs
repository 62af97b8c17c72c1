//! The keys of every spec version, with type and the version each came in. Touches nothing.
//!
//! Source: coreos/ignition `docs/configuration-v3_*.md`; a test compares this table with the `ignition-config` crate for all
//! seven versions. Ignition only warns of a key that it does not know, and reads keys in upper and lower case alike.

use super::json::{Fault, Kind, Member, Node};
use super::{DEFAULT_SPEC, SPECS};
use crate::base::text::{nearest, one_line};

/// What a value must be.
pub(crate) enum Shape {
    Flag,
    Whole,
    Text,
    List(&'static Self),
    Object(&'static [Key]),
}

/// One key of an object.
pub(crate) struct Key {
    pub name: &'static str,
    pub shape: Shape,
    /// The minor number of the first spec that knows it.
    pub since: u8,
    pub required: bool,
}

const fn key(name: &'static str, shape: Shape) -> Key {
    Key { name, shape, since: 0, required: false }
}
const fn since(since: u8, name: &'static str, shape: Shape) -> Key {
    Key { name, shape, since, required: false }
}
const fn need(name: &'static str, shape: Shape) -> Key {
    Key { name, shape, since: 0, required: true }
}

use Shape::{Flag, List, Object, Text, Whole};

const TEXTS: Shape = List(&Text);
const VERIFICATION: Shape = Object(&[key("hash", Text)]);
const HEADERS: Shape = List(&Object(&[need("name", Text), key("value", Text)]));
/// Contents of a file: `compression` was there from the start.
const CONTENTS: Shape = Object(&[
    key("source", Text),
    key("compression", Text),
    since(1, "httpHeaders", HEADERS),
    key("verification", VERIFICATION),
]);
/// A reference to a config or certificate, which learned compression in 3.1.
const REFERENCE: Shape = Object(&[
    key("source", Text),
    since(1, "compression", Text),
    since(1, "httpHeaders", HEADERS),
    key("verification", VERIFICATION),
]);
const OWNER: Shape = Object(&[key("id", Whole), key("name", Text)]);

const IGNITION: Shape = Object(&[
    need("version", Text),
    key("config", Object(&[key("merge", List(&REFERENCE)), key("replace", REFERENCE)])),
    since(1, "proxy", Object(&[key("httpProxy", Text), key("httpsProxy", Text), key("noProxy", TEXTS)])),
    key("security", Object(&[key("tls", Object(&[key("certificateAuthorities", List(&REFERENCE))]))])),
    key("timeouts", Object(&[key("httpResponseHeaders", Whole), key("httpTotal", Whole)])),
]);

const USER: Shape = Object(&[
    need("name", Text),
    key("gecos", Text),
    key("groups", TEXTS),
    key("homeDir", Text),
    key("noCreateHome", Flag),
    key("noLogInit", Flag),
    key("noUserGroup", Flag),
    key("passwordHash", Text),
    key("primaryGroup", Text),
    key("shell", Text),
    since(2, "shouldExist", Flag),
    key("sshAuthorizedKeys", TEXTS),
    key("system", Flag),
    key("uid", Whole),
]);
const GROUP: Shape = Object(&[
    need("name", Text),
    key("gid", Whole),
    key("passwordHash", Text),
    since(2, "shouldExist", Flag),
    key("system", Flag),
]);

const PARTITION: Shape = Object(&[
    key("guid", Text),
    key("label", Text),
    key("number", Whole),
    since(2, "resize", Flag),
    key("shouldExist", Flag),
    key("sizeMiB", Whole),
    key("startMiB", Whole),
    key("typeGuid", Text),
    key("wipePartitionEntry", Flag),
]);
const DISK: Shape = Object(&[need("device", Text), key("partitions", List(&PARTITION)), key("wipeTable", Flag)]);
const RAID: Shape = Object(&[
    need("name", Text),
    key("devices", TEXTS),
    key("level", Text),
    key("options", TEXTS),
    key("spares", Whole),
]);
const FILESYSTEM: Shape = Object(&[
    need("device", Text),
    key("format", Text),
    key("label", Text),
    since(1, "mountOptions", TEXTS),
    key("options", TEXTS),
    key("path", Text),
    key("uuid", Text),
    key("wipeFilesystem", Flag),
]);
const FILE: Shape = Object(&[
    need("path", Text),
    key("append", List(&CONTENTS)),
    key("contents", CONTENTS),
    key("group", OWNER),
    key("mode", Whole),
    key("overwrite", Flag),
    key("user", OWNER),
]);
const DIRECTORY: Shape =
    Object(&[need("path", Text), key("group", OWNER), key("mode", Whole), key("overwrite", Flag), key("user", OWNER)]);
const LINK: Shape = Object(&[
    need("path", Text),
    key("group", OWNER),
    key("hard", Flag),
    key("overwrite", Flag),
    key("target", Text),
    key("user", OWNER),
]);
const TANG: Shape = Object(&[key("url", Text), key("thumbprint", Text), since(4, "advertisement", Text)]);
const CLEVIS: Shape = Object(&[
    key("custom", Object(&[key("config", Text), key("needsNetwork", Flag), key("pin", Text)])),
    key("tang", List(&TANG)),
    key("threshold", Whole),
    key("tpm2", Flag),
]);
const LUKS: Shape = Object(&[
    need("name", Text),
    since(5, "cex", Object(&[key("enabled", Flag)])),
    key("clevis", CLEVIS),
    key("device", Text),
    since(4, "discard", Flag),
    key("keyFile", CONTENTS),
    key("label", Text),
    since(4, "openOptions", TEXTS),
    key("options", TEXTS),
    key("uuid", Text),
    key("wipeVolume", Flag),
]);
const STORAGE: Shape = Object(&[
    key("directories", List(&DIRECTORY)),
    key("disks", List(&DISK)),
    key("files", List(&FILE)),
    key("filesystems", List(&FILESYSTEM)),
    key("links", List(&LINK)),
    since(2, "luks", List(&LUKS)),
    key("raid", List(&RAID)),
]);

const UNIT: Shape = Object(&[
    need("name", Text),
    key("contents", Text),
    key("dropins", List(&Object(&[need("name", Text), key("contents", Text)]))),
    key("enabled", Flag),
    key("mask", Flag),
]);

/// The whole config.
pub(crate) const CONFIG: Shape = Object(&[
    Key { name: "ignition", shape: IGNITION, since: 0, required: true },
    since(3, "kernelArguments", Object(&[key("shouldExist", TEXTS), key("shouldNotExist", TEXTS)])),
    key("passwd", Object(&[key("groups", List(&GROUP)), key("users", List(&USER))])),
    key("storage", STORAGE),
    key("systemd", Object(&[key("units", List(&UNIT))])),
]);

/// Returns the minor number of the spec version that a config claims.
pub(crate) fn spec(root: &Node) -> Result<u8, Fault> {
    let Some(version) = root.at_path(&["ignition", "version"]) else {
        return Err(Fault::new(root.at, "`ignition.version` is missing")
            .hint(format!("write {{\"ignition\": {{\"version\": \"3.{DEFAULT_SPEC}.0\"}}}}")));
    };
    let text = version.as_text().unwrap_or_default();
    let minor = text.strip_prefix("3.").and_then(|rest| rest.strip_suffix(".0")).and_then(|minor| minor.parse().ok());
    if let Some(minor) = minor.filter(|minor| SPECS.contains(minor) && text == format!("3.{minor}.0")) {
        return Ok(minor);
    }
    let fault =
        Fault::new(version.at, format!("Ignition spec version `{}` is not one of 3.0.0 to 3.6.0", one_line(text, 30)));
    Err(match text {
        _ if text.starts_with("2.") || text.starts_with("1.") => {
            fault.hint("convert the config to spec 3 with `ign-converter`")
        }
        _ if text.ends_with("-experimental") => fault.hint("an experimental config fails the boot of any release"),
        _ => fault,
    })
}

/// Gives every known key its own spelling: Go's decoder, which Ignition reads with, takes upper and lower case alike.
pub(crate) fn respell(node: &mut Node, shape: &Shape) {
    match (shape, &mut node.kind) {
        (List(inner), Kind::List(items)) => items.iter_mut().for_each(|item| respell(item, inner)),
        (Object(keys), Kind::Object(members)) => {
            for member in members {
                if let Some(key) = keys.iter().find(|key| key.name.eq_ignore_ascii_case(&member.name)) {
                    key.name.clone_into(&mut member.name);
                    respell(&mut member.value, &key.shape);
                }
            }
        }
        _ => {}
    }
}

/// What is wrong with keys and types.
#[derive(Default)]
pub(crate) struct Checked {
    pub faults: Vec<Fault>,
    /// Keys that Ignition does not read, and that are no longer in the config.
    pub ignored: Vec<Fault>,
}

/// Checks keys and types against a spec version, and takes out what Ignition ignores; tells every mistake.
pub(crate) fn check(root: &mut Node, spec: u8) -> Checked {
    let mut checker = Checker { spec, found: Checked::default() };
    checker.value(root, &CONFIG, "");
    checker.found
}

struct Checker {
    spec: u8,
    found: Checked,
}

impl Checker {
    fn value(&mut self, node: &mut Node, shape: &Shape, path: &str) {
        match (shape, &mut node.kind) {
            (_, Kind::Null) | (Flag, Kind::Flag(_)) | (Text, Kind::Text(_)) => {}
            (Whole, Kind::Number(number)) if number.is_i64() => {}
            (List(inner), Kind::List(items)) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.value(item, inner, &format!("{path}[{index}]"));
                }
            }
            (Object(keys), Kind::Object(_)) => self.object(node, keys, path),
            _ => self.wrong_type(node, shape, path),
        }
    }

    fn object(&mut self, node: &mut Node, keys: &[Key], path: &str) {
        let dot = if path.is_empty() { "" } else { "." };
        if let Kind::Object(members) = &mut node.kind {
            members.retain_mut(|member| {
                let inner = format!("{path}{dot}{}", one_line(&member.name, 60));
                let key = keys.iter().find(|key| key.name == member.name);
                match key.filter(|key| key.since <= self.spec) {
                    Some(key) => self.value(&mut member.value, &key.shape, &inner),
                    None => self.found.ignored.push(self.ignored(member, &inner, key, keys)),
                }
                key.is_some_and(|key| key.since <= self.spec)
            });
        }
        for key in keys.iter().filter(|key| key.required && node.get(key.name).is_none()) {
            // `ignition.version` has a message of its own.
            if !matches!(key.name, "ignition" | "version") {
                self.found.faults.push(Fault::new(node.at, format!("`{path}{dot}{}` is missing", key.name)));
            }
        }
    }

    fn ignored(&self, member: &Member, path: &str, key: Option<&Key>, keys: &[Key]) -> Fault {
        if let Some(Key { since, .. }) = key {
            let text =
                format!("Ignition ignores `{path}` in a 3.{}.0 config: it came with spec 3.{since}.0", self.spec);
            return Fault::new(member.at, text).hint(format!("set `ignition.version` to \"3.{since}.0\""));
        }
        let fault = Fault::new(member.at, format!("Ignition ignores the unknown key `{path}`"));
        match nearest(&member.name, keys.iter().map(|key| key.name)) {
            Some(near) => fault.hint(format!("did you mean `{near}`?")),
            None => fault,
        }
    }

    fn wrong_type(&mut self, node: &Node, shape: &Shape, path: &str) {
        let wanted = match shape {
            Flag => "true or false",
            Whole => "a whole number",
            Text => "a string",
            List(_) => "a list",
            Object(_) => "an object",
        };
        let path = if path.is_empty() { "the config" } else { path };
        let fault = Fault::new(node.at, format!("`{path}` must be {wanted}"));
        let octal = path.ends_with(".mode") && node.as_text().is_some();
        self.found.faults.push(if octal {
            fault.hint("JSON modes are decimal numbers: 0644 is 420, 0600 is 384")
        } else {
            fault
        });
    }
}
