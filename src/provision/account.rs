//! Who may log in, and how: names, hashes, keys. Touches nothing.

use super::hash::{self, Verdict};
use super::told::{Told, hushed};
use super::wanted::Login;
use super::{keys, path};
use crate::base::text::{is_unsafe, one_line};
use crate::base::{Code, Diagnostic, Location, Rule, Secret, Spanned};
use crate::recipe::{Account, User};

/// Checks root's account.
pub(crate) fn root(account: &Spanned<Account>, told: &mut Told) -> Login {
    let Account { password_hash, ssh_keys } = &account.value;
    let login = Login {
        hash: password(password_hash.as_ref(), "root", &account.place, told),
        keys: authorized(ssh_keys, "root", told),
        ..Login::new("root", &account.place)
    };
    if password_hash.is_some() && ssh_keys.is_empty() {
        let text = "root has a password but no ssh key: openSUSE's sshd refuses passwords for root, so it works on the console only";
        told.warn(Rule::RootSshPassword, text, Some(hushed(&account.place)));
    }
    login
}

/// Checks one further user.
pub(crate) fn user(user: &Spanned<User>, told: &mut Told) -> Login {
    let User { name, account, uid, groups, shell, home, gecos, system } = &user.value;
    let place = &hushed(&user.place);
    check_names(&user.value, place, told);
    for (what, value) in [("shell", shell), ("home", home)] {
        if let Some(value) = value.as_ref().filter(|value| !path::is_absolute(value)) {
            told.refuse_at(place, format!("`{}` is no absolute path for `{what}`", one_line(value, 80)), "");
        }
    }
    if gecos.as_ref().is_some_and(|gecos| gecos.chars().any(|c| c == ':' || c == '\n' || c == '\t' || is_unsafe(c))) {
        told.refuse_at(place, "`gecos` holds a `:` or a control character, which /etc/passwd cannot", "");
    }
    let shown = one_line(name, 40);
    if account.password_hash.is_none() && account.ssh_keys.is_empty() && !system {
        let text = format!("user `{shown}` has neither password nor key and cannot log in");
        told.warn(Rule::NoLogin, text, Some(place.clone()));
    }
    Login {
        hash: password(account.password_hash.as_ref(), &shown, place, told),
        keys: authorized(&account.ssh_keys, &shown, told),
        uid: *uid,
        groups: groups.clone(),
        shell: shell.clone(),
        home: home.clone(),
        gecos: gecos.clone(),
        system: *system,
        ..Login::new(name, place)
    }
}

/// Tells of an account in one line, without a secret.
pub(crate) fn told(login: &Login) -> String {
    let who = if login.is_root() { "root".to_owned() } else { format!("user {}", one_line(&login.name, 40)) };
    let hash = if login.hash.is_some() { "a password hash" } else { "no password" };
    let keys = match login.keys.len() {
        1 => "1 ssh key".to_owned(),
        keys => format!("{keys} ssh keys"),
    };
    format!("{who}: {hash}, {keys}")
}

fn check_names(user: &User, place: &Location, told: &mut Told) {
    if user.name == "root" {
        told.refuse_at(place, "root is not a further user", "write `[provision.root]`");
    } else {
        check_name(&user.name, "user", place, told);
    }
    for (index, group) in user.groups.iter().enumerate() {
        check_name(group, "group", place, told);
        if user.groups[..index].contains(group) {
            let headline = format!("group `{}` is there twice", one_line(group, 40));
            told.refuse_at(place, headline, "keep one of them");
        }
    }
}

/// Checks the name of a user or group by the strictest rule in use: useradd(8), and no upper case.
pub(crate) fn check_name(name: &str, what: &str, place: &Location, told: &mut Told) {
    let first = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    if !(first && name.len() <= 32 && name.chars().all(plain)) {
        let hint = "1 to 32 characters of a-z 0-9 _ - that begin with a letter or _";
        told.refuse_at(place, format!("`{}` is no name of a {what} that useradd takes", one_line(name, 40)), hint);
    }
}

fn password(hash: Option<&Secret<String>>, who: &str, place: &Location, told: &mut Told) -> Option<String> {
    let hash = hash?.expose();
    match hash::judge(hash) {
        Verdict::Good => {}
        Verdict::Weak(why) => {
            let text = format!("the password hash of `{who}` is {why}");
            told.warn(Rule::WeakHash, text, Some(hushed(place)));
        }
        Verdict::Refused(why) => {
            let headline = format!("`password_hash` of `{who}` {why}");
            let problem = Diagnostic::new(Code::Secret, headline).at(hushed(place)).of(Rule::WeakHash);
            told.refuse(problem.hint(hash::HOW));
        }
    }
    Some(hash.clone())
}

/// What stands in the place of a key's text in the recipe that `new` writes, and in the documents.
const PLACEHOLDER: &str = "AAAA…";

fn authorized(lines: &[Spanned<String>], who: &str, told: &mut Told) -> Vec<String> {
    let mut taken = vec![];
    for line in lines {
        match keys::read(&line.value) {
            Ok(key) => {
                if let Some(weak) = key.weak {
                    told.warn(Rule::WeakKey, format!("an ssh key of `{who}` is {weak}"), Some(line.place.clone()));
                }
                if !key.has_comment {
                    let text = format!("an ssh key of `{who}` has no comment that says whose it is");
                    told.note(Rule::KeyTypo, text, Some(line.place.clone()));
                }
                if taken.contains(&key.line) {
                    let headline = format!("an ssh key of `{who}` is there twice, which Ignition refuses");
                    told.refuse_at(&hushed(&line.place), headline, "keep one of them");
                }
                taken.push(key.line);
            }
            Err(keys::KeyError::Private) => {
                let headline = format!("a private key stands in `ssh_keys` of `{who}`");
                let hint = "paste the line of the `.pub` file, and consider the key lost";
                let problem = Diagnostic::new(Code::Secret, headline).at(hushed(&line.place)).of(Rule::KeyTypo);
                told.refuse(problem.hint(hint));
            }
            Err(_) if line.value.contains(PLACEHOLDER) => {
                let headline = format!("`ssh_keys` of `{who}` still holds the template's word for your key");
                let problem = Diagnostic::new(Code::Provision, headline).of(Rule::KeyTypo).at(hushed(&line.place));
                told.refuse(
                    problem
                        .hint("put in the line of your `~/.ssh/id_ed25519.pub`, which `ssh-keygen -t ed25519` makes"),
                );
            }
            Err(error) => {
                let problem = Diagnostic::new(Code::Provision, format!("bad ssh key of `{who}`")).of(Rule::KeyTypo);
                let hint = "paste the one line of the `.pub` file";
                told.refuse(problem.cause(error).at(hushed(&line.place)).hint(hint));
            }
        }
    }
    taken
}
