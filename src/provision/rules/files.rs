//! Files whose owner or mode keeps them from their use, or gives away what they hold. Touches nothing.

use std::sync::LazyLock;

use regex::bytes::Regex;

use super::seen::{Seen, SeenFile};
use crate::base::text::one_line;
use crate::base::{Finding, Rule};
use crate::provision::diagnostics::DiagnosticSink;
use crate::provision::guest::PROFILES;
use crate::provision::subvolume::is_within;

/// What a secret looks like, and what it is called.
const SECRETS: [(&str, &str); 4] = [
    (r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----", "a private key"),
    (r"(?im)^[ \t]*(?:PrivateKey|PresharedKey|private-key)[ \t]*=[ \t]*[A-Za-z0-9+/]{43}=", "a WireGuard key"),
    (
        r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|glpat-[\w-]{20}|xox[abprs]-[\w-]{10}|A(?:KIA|SIA)[A-Z0-9]{16}|hvs\.[\w-]{24}|tskey-[\w-]{16}|AGE-SECRET-KEY-1[A-Z0-9]{58})",
        "an access token",
    ),
    (
        r#"(?im)^[ \t]*(?:export[ \t]+)?["']?[\w.-]*(?:token|secret|passw(?:or)?d|api[_-]?key)["']?[ \t]*[=:][ \t]*["']?[^\s"'$<{*#/]{12,}"#,
        "a password or token",
    ),
];

/// Checks every file.
pub(crate) fn check(seen: &Seen<'_>, diag: &mut DiagnosticSink) {
    for file in &seen.files {
        profile(file, diag);
        secret(file, diag);
        home(seen, file, diag);
    }
}

/// NetworkManager passes over a profile that others could read or change.
fn profile(file: &SeenFile<'_>, diag: &mut DiagnosticSink) {
    if !is_within(file.path, PROFILES) || (file.mode == 0o600 && file.user.is_none()) {
        return;
    }
    let (path, mode) = (one_line(file.path, 120), file.mode);
    let text = match file.user {
        Some(_) => format!("NetworkManager passes over `{path}`: it does not belong to root"),
        None if mode & 0o077 == 0 => format!("`{path}` has mode {mode:04o}, and NetworkManager's profiles have 0600"),
        None => format!("NetworkManager passes over `{path}`: its mode is {mode:04o}, and must be 0600"),
    };
    diag.warn(Rule::KeyfileMode, text, Some(file.place.clone()));
}

fn secret(file: &SeenFile<'_>, diag: &mut DiagnosticSink) {
    static READERS: LazyLock<Vec<(Regex, &str)>> =
        LazyLock::new(|| SECRETS.iter().filter_map(|(text, what)| Some((Regex::new(text).ok()?, *what))).collect());
    if file.mode & 0o004 == 0 {
        return;
    }
    if let Some((_, what)) = READERS.iter().find(|(regex, _)| regex.is_match(&file.bytes)) {
        let path = one_line(file.path, 120);
        let text = format!("`{path}` holds {what}, and every user of the guest may read it (mode {:04o})", file.mode);
        diag.warn(Rule::PrivateKey, text, Some(file.place.clone()));
    }
}

/// A file in a user's home that is root's cannot be changed by the user, and ssh and others refuse it.
fn home(seen: &Seen<'_>, file: &SeenFile<'_>, diag: &mut DiagnosticSink) {
    let is_home = |home: &str| home != "/" && is_within(file.path, home) && file.path != home;
    let user = seen.users.iter().find(|user| user.name != "root" && is_home(&user.home)).map(|user| user.name);
    let Some(user) = user.or(is_home("/root").then_some("root")) else { return };
    let owner = file.user.as_deref().unwrap_or("root");
    // Which user a number is may be the image's to say.
    if owner != user && !owner.starts_with('#') {
        let (path, name) = (one_line(file.path, 120), one_line(user, 40));
        let text = format!("`{path}` lies in the home of `{name}` and belongs to `{}`", one_line(owner, 40));
        let hint = format!("write user = \"{name}\" for the file");
        diag.tell(Finding::new(Rule::HomeOwner, text).at(file.place.clone()).hint(hint));
    }
}
