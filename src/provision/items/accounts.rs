//! Who may log in, and how: users, groups, hashes, keys. Touches nothing.

use super::context::Context;
use crate::base::text::one_line;
use crate::base::{Code, Diagnostic, Location, Rule, Secret, Spanned};
use crate::provision::diagnostics::{DiagnosticSink, redacted};
use crate::provision::engines::choice::Feature;
use crate::provision::guest::{GuestGroup, GuestUser};
use crate::provision::hash::{self, Verdict};
use crate::provision::keys;
use crate::recipe::numbers::AccountId;
use crate::recipe::{Account, User};

/// Adds root and users.
pub(crate) fn users(cx: &mut Context<'_>) {
    let (provision, diag) = (&cx.recipe.provision, &mut cx.diag);
    let mut users: Vec<GuestUser> = provision.root.iter().map(|root| self::root(root, diag)).collect();
    users.extend(provision.users.iter().map(|user| self::user(user, diag)));
    let uids: Vec<_> = users.iter().filter_map(|user| Some((user.uid?.to_string(), &user.place))).collect();
    diag.unique("uid", uids.iter().map(|(uid, place)| (uid.as_str(), *place)));
    users.sort_by_key(|user| (!user.is_root(), user.uid.is_none()));
    for user in &users {
        cx.outputs.record(Feature::Accounts, summary(user));
    }
    cx.outputs.guest(Feature::Accounts).users = users;
}

/// Adds groups; call it after the users.
pub(crate) fn groups(cx: &mut Context<'_>) {
    let mut rows: Vec<_> = cx.recipe.provision.groups.iter().collect();
    let gids: Vec<_> = rows.iter().filter_map(|row| Some((row.value.gid?.to_string(), &row.place))).collect();
    cx.diag.unique("gid", gids.iter().map(|(gid, place)| (gid.as_str(), *place)));
    // Those with a number first, before groupadd gives it to one that has none.
    rows.sort_by_key(|row| row.value.gid.is_none());
    for Spanned { value: group, place } in rows {
        let shown = one_line(&group.name, 40);
        // useradd may want to make it itself (login.defs(5), `USERGROUPS_ENAB`), and would then fail.
        if cx.outputs.users().any(|user| user.name == group.name.as_str()) {
            let text = format!(
                "group `{shown}` has the name of a user: where an image gives each user a group of its own, useradd fails, and the boot with it"
            );
            cx.diag.warn(Rule::GroupLikeUser, text, Some(place.clone()));
        }
        cx.outputs.record(Feature::Accounts, format!("group {shown}"));
        let (name, gid, system) = (group.name.to_string(), group.gid.map(|AccountId(gid)| gid), group.system);
        cx.outputs.guest(Feature::Accounts).groups.push(GuestGroup { name, gid, system, place: place.clone() });
    }
}

/// Checks root's account.
fn root(account: &Spanned<Account>, diag: &mut DiagnosticSink) -> GuestUser {
    let Account { password_hash, ssh_keys } = &account.value;
    let login = GuestUser {
        hash: password(password_hash.as_ref(), "root", &account.place, diag),
        keys: authorized(ssh_keys, "root", diag),
        ..GuestUser::new("root", &account.place)
    };
    if password_hash.is_some() && ssh_keys.is_empty() {
        let text = "root has a password but no ssh key: openSUSE's sshd refuses passwords for root, so it works on the console only";
        diag.warn(Rule::RootSshPassword, text, Some(redacted(&account.place)));
    }
    login
}

/// Checks one further user.
fn user(user: &Spanned<User>, diag: &mut DiagnosticSink) -> GuestUser {
    let User { name, account, uid, groups, shell, home, gecos, system } = &user.value;
    let place = &redacted(&user.place);
    let shown = one_line(name, 40);
    if account.password_hash.is_none() && account.ssh_keys.is_empty() && !system {
        let text = format!("user `{shown}` has neither password nor key and cannot log in");
        diag.warn(Rule::NoLogin, text, Some(place.clone()));
    }
    GuestUser {
        hash: password(account.password_hash.as_ref(), &shown, place, diag),
        keys: authorized(&account.ssh_keys, &shown, diag),
        uid: uid.map(|AccountId(uid)| uid),
        groups: groups.iter().map(ToString::to_string).collect(),
        shell: shell.as_ref().map(ToString::to_string),
        home: home.as_ref().map(ToString::to_string),
        gecos: gecos.as_ref().map(ToString::to_string),
        system: *system,
        ..GuestUser::new(name, place)
    }
}

/// Describes an account in one line, without a secret.
fn summary(user: &GuestUser) -> String {
    let who = if user.is_root() { "root".to_owned() } else { format!("user {}", one_line(&user.name, 40)) };
    let hash = if user.hash.is_some() { "a password hash" } else { "no password" };
    let keys = match user.keys.len() {
        1 => "1 ssh key".to_owned(),
        keys => format!("{keys} ssh keys"),
    };
    format!("{who}: {hash}, {keys}")
}

fn password(hash: Option<&Secret<String>>, who: &str, place: &Location, diag: &mut DiagnosticSink) -> Option<String> {
    let hash = hash?.expose();
    match hash::check(hash) {
        Verdict::Good => {}
        Verdict::Weak(why) => {
            let text = format!("the password hash of `{who}` is {why}");
            diag.warn(Rule::WeakHash, text, Some(redacted(place)));
        }
        Verdict::Refused(why) => {
            let headline = format!("`password_hash` of `{who}` {why}");
            let problem = Diagnostic::new(Code::Secret, headline).at(redacted(place)).of(Rule::WeakHash);
            diag.refuse(problem.hint(hash::HOW));
        }
    }
    Some(hash.clone())
}

/// What stands in the place of a key's text in the recipe that `new` writes, and in the documents.
const PLACEHOLDER: &str = "AAAA…";

fn authorized(lines: &[Spanned<String>], who: &str, diag: &mut DiagnosticSink) -> Vec<String> {
    let mut taken = vec![];
    for line in lines {
        match keys::read(&line.value) {
            Ok(key) => {
                if let Some(weak) = key.weak {
                    diag.warn(Rule::WeakKey, format!("an ssh key of `{who}` is {weak}"), Some(line.place.clone()));
                }
                if !key.has_comment {
                    let text = format!("an ssh key of `{who}` has no comment that says whose it is");
                    diag.note(Rule::KeyTypo, text, Some(line.place.clone()));
                }
                if taken.contains(&key.line) {
                    let headline = format!("an ssh key of `{who}` is there twice, which Ignition refuses");
                    diag.refuse_at(&redacted(&line.place), headline, "keep one of them");
                }
                taken.push(key.line);
            }
            Err(keys::KeyError::Private) => {
                let headline = format!("a private key stands in `ssh_keys` of `{who}`");
                let hint = "paste the line of the `.pub` file, and consider the key lost";
                let problem = Diagnostic::new(Code::Secret, headline).at(redacted(&line.place)).of(Rule::KeyTypo);
                diag.refuse(problem.hint(hint));
            }
            Err(_) if line.value.contains(PLACEHOLDER) => {
                let headline = format!("`ssh_keys` of `{who}` still holds the template's word for your key");
                let problem = Diagnostic::new(Code::Provision, headline).of(Rule::KeyTypo).at(redacted(&line.place));
                diag.refuse(
                    problem
                        .hint("put in the line of your `~/.ssh/id_ed25519.pub`, which `ssh-keygen -t ed25519` makes"),
                );
            }
            Err(error) => {
                let problem = Diagnostic::new(Code::Provision, format!("bad ssh key of `{who}`")).of(Rule::KeyTypo);
                let hint = "paste the one line of the `.pub` file";
                diag.refuse(problem.cause(error).at(redacted(&line.place)).hint(hint));
            }
        }
    }
    taken
}
