//! The part of a config that we write, and its canonical form. Touches nothing.
//!
//! Absent and empty mean left out, never null. The crate `ignition-config` has such types for each of seven versions, with every
//! key of the specification and each of them optional: more to compile and to fill in than these, so only the tests use it.

use base64::Engine as _;
use percent_encoding::percent_encode;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::base::text::URI_PATH;

/// A config.
#[derive(Serialize)]
pub(crate) struct Config {
    pub ignition: Header,
    #[serde(rename = "kernelArguments")]
    pub kernel_arguments: KernelArguments,
    pub passwd: Passwd,
    pub storage: Storage,
    pub systemd: Systemd,
}

/// `ignition`.
#[derive(Serialize)]
pub(crate) struct Header {
    pub version: String,
}

/// `kernelArguments`, since spec 3.3.0.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KernelArguments {
    pub should_exist: Vec<String>,
}

/// `passwd`.
#[derive(Serialize, Default)]
pub(crate) struct Passwd {
    pub groups: Vec<Group>,
    pub users: Vec<User>,
}

/// One of `passwd.groups`.
#[derive(Serialize, Default)]
pub(crate) struct Group {
    pub gid: Option<u32>,
    pub name: String,
    pub system: Option<bool>,
}

/// One of `passwd.users`.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    pub gecos: Option<String>,
    pub groups: Vec<String>,
    pub home_dir: Option<String>,
    pub name: String,
    pub password_hash: Option<String>,
    pub shell: Option<String>,
    pub ssh_authorized_keys: Vec<String>,
    pub system: Option<bool>,
    pub uid: Option<u32>,
}

/// `storage`.
#[derive(Serialize, Default)]
pub(crate) struct Storage {
    pub directories: Vec<Directory>,
    pub files: Vec<File>,
    pub filesystems: Vec<Filesystem>,
    pub links: Vec<Link>,
}

/// One of `storage.directories`.
#[derive(Serialize)]
pub(crate) struct Directory {
    pub group: Option<Owner>,
    pub mode: u32,
    pub path: String,
    pub user: Option<Owner>,
}

/// One of `storage.links`.
#[derive(Serialize)]
pub(crate) struct Link {
    pub group: Option<Owner>,
    /// Without it Ignition refuses to replace what the image already holds.
    pub overwrite: bool,
    pub path: String,
    /// Taken as it is: a relative one is relative to the link.
    pub target: String,
    pub user: Option<Owner>,
}

/// One of `storage.files`; `mode` is written in decimal, as JSON must.
#[derive(Serialize)]
pub(crate) struct File {
    /// What is added at the end of what the image holds.
    pub append: Vec<Contents>,
    pub contents: Option<Contents>,
    pub group: Option<Owner>,
    pub mode: Option<u32>,
    /// Without it Ignition refuses to touch a file that the image already holds; nothing is appended with it.
    pub overwrite: Option<bool>,
    pub path: String,
    pub user: Option<Owner>,
}

/// Where a file's bytes come from; always a data URL.
#[derive(Serialize)]
pub(crate) struct Contents {
    pub source: String,
}

/// A user or group, by name.
#[derive(Serialize)]
pub(crate) struct Owner {
    pub name: String,
}

/// One of `storage.filesystems`: something to mount, never to make.
///
/// It carries no label: with `wipeFilesystem: false` Ignition compares format, label and UUID and gives up on a mismatch
/// (internal/exec/stages/disks/filesystems.go).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Filesystem {
    pub device: String,
    pub format: String,
    pub mount_options: Vec<String>,
    pub path: String,
    pub wipe_filesystem: bool,
}

/// `systemd`.
#[derive(Serialize, Default)]
pub(crate) struct Systemd {
    pub units: Vec<Unit>,
}

/// One of `systemd.units`.
#[derive(Serialize)]
pub(crate) struct Unit {
    pub contents: Option<String>,
    pub dropins: Vec<Dropin>,
    pub enabled: Option<bool>,
    pub mask: Option<bool>,
    pub name: String,
}

/// One of a unit's `dropins`.
#[derive(Serialize)]
pub(crate) struct Dropin {
    pub contents: String,
    pub name: String,
}

impl Config {
    /// Returns the config as JSON, without what is absent or empty.
    pub(crate) fn to_value(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(self).map(pruned)
    }
}

fn pruned(value: Value) -> Value {
    let is_there = |value: &Value| match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    };
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(pruned).collect()),
        Value::Object(members) => {
            let members = members.into_iter().map(|(name, value)| (name, pruned(value)));
            Value::Object(members.filter(|(_, value)| is_there(value)).collect())
        }
        other => other,
    }
}

/// Writes a config in its one form: keys sorted, two spaces, a final newline.
pub(crate) fn canonical(value: &Value) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec_pretty(&sorted(value))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Sorts keys here, because whether `serde_json` does depends on a feature that any crate may turn on.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        Value::Object(members) => {
            let order: std::collections::BTreeMap<_, _> = members.iter().collect();
            Value::Object(order.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

/// Writes bytes as a data URL (RFC 2397): percent-encoded where that is no longer than base64, so that people can read it.
pub(crate) fn data_url(bytes: &[u8]) -> String {
    let percent = format!("data:,{}", percent_encode(bytes, URI_PATH));
    let base64 = format!("data:;base64,{}", base64::engine::general_purpose::STANDARD.encode(bytes));
    if percent.len() <= base64.len() { percent } else { base64 }
}
