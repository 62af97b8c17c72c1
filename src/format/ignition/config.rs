//! The part of a config that we write, and its canonical form. Touches nothing.
//!
//! Field order follows the spec's names alphabetically after serialisation; absent means left out, never null.

use base64::Engine as _;
use percent_encoding::percent_encode;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::base::text::URI_PATH;

/// A config.
#[derive(Serialize)]
pub(crate) struct Config {
    pub ignition: Header,
    #[serde(rename = "kernelArguments", skip_serializing_if = "KernelArguments::is_empty")]
    pub kernel_arguments: KernelArguments,
    #[serde(skip_serializing_if = "Passwd::is_empty")]
    pub passwd: Passwd,
    #[serde(skip_serializing_if = "Storage::is_empty")]
    pub storage: Storage,
    #[serde(skip_serializing_if = "Systemd::is_empty")]
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<User>,
}

/// One of `passwd.groups`.
#[derive(Serialize, Default)]
pub(crate) struct Group {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<bool>,
}

/// One of `passwd.users`.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gecos: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home_dir: Option<String>,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ssh_authorized_keys: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
}

/// `storage`.
#[derive(Serialize, Default)]
pub(crate) struct Storage {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub directories: Vec<Directory>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<File>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filesystems: Vec<Filesystem>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
}

/// One of `storage.directories`.
#[derive(Serialize)]
pub(crate) struct Directory {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Owner>,
    pub mode: u32,
    pub path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Owner>,
}

/// One of `storage.links`.
#[derive(Serialize)]
pub(crate) struct Link {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Owner>,
    /// Without it Ignition refuses to replace what the image already holds.
    pub overwrite: bool,
    pub path: String,
    /// Taken as it is: a relative one is relative to the link.
    pub target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Owner>,
}

/// One of `storage.files`; `mode` is written in decimal, as JSON must.
#[derive(Serialize)]
pub(crate) struct File {
    /// What is added at the end of what the image holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub append: Vec<Contents>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contents: Option<Contents>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Owner>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// Without it Ignition refuses to touch a file that the image already holds; nothing is appended with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overwrite: Option<bool>,
    pub path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contents: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dropins: Vec<Dropin>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask: Option<bool>,
    pub name: String,
}

/// One of a unit's `dropins`.
#[derive(Serialize)]
pub(crate) struct Dropin {
    pub contents: String,
    pub name: String,
}

impl KernelArguments {
    fn is_empty(&self) -> bool {
        self.should_exist.is_empty()
    }
}

impl Passwd {
    fn is_empty(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty()
    }
}

impl Storage {
    fn is_empty(&self) -> bool {
        self.directories.is_empty() && self.files.is_empty() && self.filesystems.is_empty() && self.links.is_empty()
    }
}

impl Systemd {
    fn is_empty(&self) -> bool {
        self.units.is_empty()
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
