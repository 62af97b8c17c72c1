//! What a recipe says of files, directories, links and certificates in the guest. Touches nothing.

use super::content::{self, Content, Text};
use super::path::{RecipePath, Source};
use super::table::table;
use super::types::{AccountName, GuestPath, LinkTarget, Mode};
use crate::base::{ByteSize, Digest, Name, Url};
use crate::format::toml::Table;

table! {
    /// `[[provision.file]]`.
    FileSpec in "provision.file[]" by "path" {
        /// absolute path in the guest
        path: GuestPath = "required",
        /// octal, in quotes
        mode: Mode = "0644",
        /// its owner, by name
        user: Option<AccountName> = "root",
        /// its group, by name
        group: Option<AccountName> = "root",
        /// add `text` or `source` to what is there, or make the file
        append: bool = "false",
    } with {
        /// its content; or `source`, or `url`
        text: Option<Text>,
        /// a file beside the recipe, at most 1MiB; or `text`, or `url`
        source: Option<RecipePath>,
        /// its content by URL or large beside the recipe, pinned as `base.url` is
        url: Option<Source>,
        /// the digest of what `url` names
        sha256: Option<Digest> = "from arca.lock",
        /// its size in bytes, checked while it is fetched
        size: Option<ByteSize>,
        /// other addresses of the same bytes, tried in order
        mirrors: Vec<Url>,
    } into {
        content: Content = content::of_file,
    }
    check check_append
}

/// Refuses what cannot be said beside `append`.
fn check_append(table: &Table<'_>, file: &FileSpec) {
    for key in ["mode", "user", "group"].into_iter().filter(|_| file.append) {
        if let Some(other) = table.get(key) {
            let headline = format!("`{key}` and `append` are both given: what is there keeps its mode and owner");
            other.refuse(headline, "remove one of them");
        }
    }
    if let (true, Some(url)) = (file.append, table.get("url")) {
        url.refuse("what comes by `url` cannot be appended: its digest is that of a whole file", "use `source`");
    }
}

table! {
    /// `[[provision.directory]]`; one that is there keeps what it holds.
    DirectorySpec in "provision.directory[]" by "path" {
        /// absolute path in the guest
        path: GuestPath = "required",
        /// octal, in quotes
        mode: Mode = "0755",
        /// its owner, by name
        user: Option<AccountName> = "root",
        /// its group, by name
        group: Option<AccountName> = "root",
    }
}

table! {
    /// `[[provision.link]]`: a symbolic link.
    LinkSpec in "provision.link[]" by "path" {
        /// absolute path in the guest; a file that is there is replaced
        path: GuestPath = "required",
        /// where it leads: absolute, or relative to the link
        target: LinkTarget = "required" like "\"/where/it/leads\"",
    }
}

table! {
    /// `[[provision.ca_certificate]]`: certificates that the guest trusts.
    CaCertificate in "provision.ca_certificate[]" by "name" {
        /// names /etc/pki/trust/anchors/NAME.pem
        name: Name = "required",
    } with {
        /// PEM; or `source`
        text: Option<Text>,
        /// a file of PEM beside the recipe; or `text`
        source: Option<RecipePath>,
    } into {
        /// PEM; checked by `provision`.
        content: Content = certificate,
    }
}

fn certificate(table: &Table<'_>) -> Option<Content> {
    content::required(table, "the certificate", "add `source`, a file of PEM beside the recipe")
}
