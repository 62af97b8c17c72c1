//! What a recipe says of who may log in: root, users, groups. Touches nothing.

use super::numbers::AccountId;
use super::table::table;
use super::types::{AccountName, Gecos, GuestPath};
use crate::base::{Secret, Spanned};
use crate::format::toml::Table;

table! {
    /// How somebody may log in.
    #[derive(Default)]
    Account in "provision.root" {
        /// made by `arca-build passwd`
        password_hash: Option<Secret<String>>,
        /// OpenSSH public keys
        ssh_keys: Vec<Spanned<String>>,
    }
}

table! {
    /// `[[provision.user]]`.
    User in "provision.user[]" by "name" {
        /// the login name, at most 32 characters
        name: AccountName = "required",
        /// 1 to 4294967294
        uid: Option<AccountId> = "the next free",
        /// further groups
        groups: Vec<AccountName>,
        /// absolute path
        shell: Option<GuestPath> = "the guest's",
        /// absolute path
        home: Option<GuestPath> = "/home/NAME",
        /// the full name
        gecos: Option<Gecos>,
        /// a system user
        system: bool = "false",
    } with {
        /// made by `arca-build passwd`
        password_hash: Option<Secret<String>>,
        /// OpenSSH public keys
        ssh_keys: Vec<Spanned<String>>,
    } into {
        account: Account = Account::read,
    }
    check check_user
}

fn check_user(table: &Table<'_>, user: &User) {
    if let (Some(name), true) = (table.get("name"), user.name == "root") {
        name.refuse("root is not a further user", "write `[provision.root]`");
    }
}

table! {
    /// `[[provision.group]]`.
    GroupSpec in "provision.group[]" by "name" {
        /// at most 32 characters
        name: AccountName = "required",
        /// 1 to 4294967294
        gid: Option<AccountId> = "the next free",
        /// a system group
        system: bool = "false",
    }
}
