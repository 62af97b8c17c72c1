//! What a recipe says of the guest's settings, groups, directories, links, kernel arguments and certificates. Touches nothing.

use super::Content;
use crate::base::{Name, Spanned, Url};

/// `[[provision.group]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupSpec {
    pub name: String,
    pub gid: Option<u32>,
    pub system: bool,
}

/// `[[provision.directory]]`; one that is there keeps what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DirectorySpec {
    /// Absolute path in the guest.
    pub path: String,
    /// Permission bits, at most `0o7777`; default `0o755`.
    pub mode: u32,
    /// Owner by name; default root.
    pub user: Option<String>,
    pub group: Option<String>,
}

/// `[[provision.link]]`: a symbolic link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinkSpec {
    /// Absolute path in the guest.
    pub path: String,
    /// Where it leads, as it is written into the link: absolute, or relative to the link.
    pub target: String,
}

/// The keys of `[provision]` that are one value each.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Settings {
    /// RFC 1123, at most 64 characters, as the kernel has no room for more.
    pub hostname: Option<Spanned<String>>,
    /// A name of the time zone database, such as `Europe/Berlin`.
    pub timezone: Option<Spanned<String>>,
    /// What becomes `LANG`.
    pub locale: Option<Spanned<String>>,
    /// The console's keyboard.
    pub keymap: Option<Spanned<String>>,
    /// Names or addresses of time servers.
    pub ntp: Vec<Spanned<String>>,
    pub proxy: Option<Spanned<Proxy>>,
    /// Each one argument, as the kernel reads it: white space in double quotes only.
    pub kernel_arguments: Vec<Spanned<String>>,
}

/// `[provision.proxy]`; an address may carry a user and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proxy {
    pub http: Option<Url>,
    pub https: Option<Url>,
    /// Hosts, domains and networks that are reached without it; default this machine.
    pub no_proxy: Option<Vec<String>>,
}

/// `[[provision.ca_certificate]]`: certificates that the guest trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CaCertificate {
    /// Names its file.
    pub name: Name,
    /// PEM; checked by `provision`.
    pub content: Content,
}

impl Settings {
    /// Tells whether any of them is set.
    pub(crate) fn is_set(&self) -> bool {
        *self != Self::default()
    }
}
