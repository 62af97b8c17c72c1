//! Whose a store is that is not ours, by name where this machine knows one. Touches the store's place and `/etc/passwd`.

use std::fmt::Display;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::fail;
use crate::base::text::one_line;
use crate::base::{Code, Diagnostic};
use crate::fs::Tree;

/// Reports a store that is another user's; none where it is our own.
pub(super) fn of(tree: &Tree) -> Option<Diagnostic> {
    let uid = tree.metadata().ok()?.uid();
    (uid != rustix::process::geteuid().as_raw())
        .then(|| foreign(format!("the store `{}`", fail::path(tree.path())), uid))
}

/// Reports what belongs to another user.
fn foreign(what: impl Display, uid: u32) -> Diagnostic {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    Diagnostic::new(Code::CachePerm, format!("{what} belongs to another user"))
        .fact("owner", user(&users, uid))
        .fact("you", user(&users, rustix::process::geteuid().as_raw()))
        .note("nothing in it was read or written")
        .hint("name a store of your own with `--cache DIR`; a bundle, such as `./result-NAME`, needs no store to be installed")
}

/// Reports a place that cannot be entered and is another user's, or lies in a directory of one; none where it is our own.
pub(super) fn closed(dir: &Path) -> Option<Diagnostic> {
    // What lies in a closed directory cannot be looked at: then the directory is what belongs to somebody.
    let denied = |path: &&Path| std::fs::metadata(path).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied);
    let seen = dir.ancestors().find(|path| !denied(path))?;
    let uid = std::fs::metadata(seen).ok()?.uid();
    if uid == rustix::process::geteuid().as_raw() {
        return None;
    }
    let shown = fail::path(dir);
    let problem = match seen == dir {
        true => foreign(format!("the store `{shown}`"), uid),
        false => foreign(format!("`{}`, where the store `{shown}` is,", fail::path(seen)), uid),
    };
    Some(problem.fact("mode", format!("{:04o}", std::fs::metadata(seen).ok()?.mode() & 0o7777)))
}

/// Shows a user as `name (uid)`, where `/etc/passwd` (passwd(5)) has the name.
fn user(users: &str, uid: u32) -> String {
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    });
    name.map_or_else(|| format!("uid {uid}"), |name| format!("{} (uid {uid})", one_line(name, 64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_where_the_name_is_known() {
        let users = "root:x:0:0:root:/root:/bin/bash\n\nbob:x:1001:100::/home/bob:/bin/sh\n:x:7::::\nodd\u{1b}:x:8:8:::\nshort:x\n";
        for (uid, want) in [
            (0, "root (uid 0)"),
            (1001, "bob (uid 1001)"),
            (1002, "uid 1002"),
            (7, "uid 7"),
            (8, "odd\\u{1b} (uid 8)"),
            (100, "uid 100"),
        ] {
            assert_eq!(user(users, uid), want);
        }
        assert_eq!(user("", 0), "uid 0");
    }
}
