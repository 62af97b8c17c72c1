//! `[provision]` on its way into a recipe. Touches nothing.

use crate::recipe::RecipePath;

/// What is set up in the guest.
#[derive(Default)]
pub(crate) struct Provision {
    /// What was written for both engines, or for one.
    pub engine: Option<&'static str>,
    /// Whether the machine gave it by fw_cfg.
    pub by_fw_cfg: bool,
    pub config: Option<RecipePath>,
    pub script: Option<RecipePath>,
    pub side_files: Vec<RecipePath>,
    pub typed: Option<Typed>,
}

/// A config taken apart.
#[derive(Default)]
pub(crate) struct Typed {
    pub kernel_arguments: Vec<String>,
    pub groups: Vec<Group>,
    pub root: Option<Login>,
    pub users: Vec<Login>,
    pub directories: Vec<Directory>,
    pub files: Vec<File>,
    pub links: Vec<Link>,
    pub units: Vec<Unit>,
}

/// A group.
pub(crate) struct Group {
    pub name: String,
    pub gid: Option<i64>,
    pub system: bool,
}

/// A directory in the guest.
pub(crate) struct Directory {
    pub path: String,
    pub mode: u32,
    pub user: Option<String>,
    pub group: Option<String>,
}

/// A symbolic link in the guest.
pub(crate) struct Link {
    pub path: String,
    pub target: String,
}

/// Somebody who may log in.
pub(crate) struct Login {
    pub name: String,
    pub hash: Option<String>,
    pub keys: Vec<String>,
    pub uid: Option<i64>,
    pub groups: Vec<String>,
    pub shell: Option<String>,
    pub home: Option<String>,
    pub gecos: Option<String>,
    pub system: bool,
}

/// A file for the guest.
pub(crate) struct File {
    pub path: String,
    pub text: String,
    /// Whether it is added to what the image holds; then owner and mode are the image's.
    pub appends: bool,
    pub mode: u32,
    pub user: Option<String>,
    pub group: Option<String>,
}

/// A unit of systemd.
pub(crate) struct Unit {
    pub name: String,
    pub enable: Option<bool>,
    pub mask: bool,
    pub text: Option<String>,
    /// Name and text.
    pub dropins: Vec<(String, String)>,
}

impl Login {
    /// Tells whether there is more than a password and keys.
    pub(crate) fn is_more_than_an_account(&self) -> bool {
        let texts = [&self.shell, &self.home, &self.gecos];
        self.uid.is_some() || self.system || !self.groups.is_empty() || texts.iter().any(|text| text.is_some())
    }
}

impl Unit {
    /// Tells whether the entry does anything; one that does not is no unit to a recipe.
    pub(crate) const fn changes_something(&self) -> bool {
        self.enable.is_some() || self.mask || self.text.is_some() || !self.dropins.is_empty()
    }
}
