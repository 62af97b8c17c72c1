//! Who can log in, and with what that others know. Touches nothing.

use super::context::RuleContext;
use super::family::{self, GROUPS, is_known};
use super::seen::{Seen, SeenUser};
use crate::base::text::one_line;
use crate::base::{Finding, Rule, Severity};
use crate::format::ignition::data::decode;
use crate::provision::diagnostics::{DiagnosticSink, place_in};
use crate::provision::facts;
use crate::provision::guest::BY_US;
use crate::provision::ready::Config;
use crate::recipe::{CONTENT_LIMIT, EXAMPLE_LOGIN, Network};

/// Words by which a script may let somebody in.
const LETS_IN: [&str; 7] =
    ["passwd", "authorized_keys", "useradd", "usermod", "adduser", "ssh-import-id", "/etc/shadow"];

/// Checks accounts, whoever makes them.
pub(crate) fn check(ctx: &RuleContext<'_>, seen: &Seen<'_>, diag: &mut DiagnosticSink) {
    examples(ctx, seen, diag);
    groups(ctx, seen, diag);
    nobody(ctx, seen, diag);
}

fn is_example(text: &str) -> bool {
    EXAMPLE_LOGIN.iter().any(|word| text.contains(word))
}

/// Returns whether an Ignition config or a script, as a bundle has it, lets in whoever knows the examples.
pub(crate) fn holds_example(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    // What a file holds may be encoded; a text that is no data URL decodes to nothing.
    let hidden = || {
        let urls = text.split('"').filter(|part| part.starts_with("data:"));
        urls.flat_map(|url| [false, true].map(|gzip| decode(url, gzip, CONTENT_LIMIT.0))).flatten()
    };
    is_example(&text) || hidden().any(|bytes| is_example(&String::from_utf8_lossy(&bytes)))
}

/// Finds the password and the key of the recipes that come with this program.
fn examples(ctx: &RuleContext<'_>, seen: &Seen<'_>, diag: &mut DiagnosticSink) {
    for user in &seen.users {
        let password = user.hash.is_some_and(is_example).then_some("password");
        let key = user.keys.iter().any(|key| is_example(key)).then_some("ssh key");
        let what: Vec<_> = password.into_iter().chain(key).collect();
        if !what.is_empty() {
            let (what, name) = (what.join(" and "), one_line(user.name, 40));
            let text = format!("the {what} of `{name}` come from an example, and everybody knows them");
            let text =
                if what.contains("and") { text } else { text.replace("come from", "comes from").replace("them", "it") };
            diag.warn(Rule::ExampleLogin, text, Some(user.place.clone()));
        }
    }
    for file in seen.files.iter().filter(|file| is_example(&String::from_utf8_lossy(&file.bytes))) {
        let text = format!(
            "`{}` holds the password or ssh key of an example, and everybody knows them",
            one_line(file.path, 120)
        );
        diag.warn(Rule::ExampleLogin, text, Some(file.place.clone()));
    }
    if let Some(script) = ctx.script.filter(|script| is_example(&String::from_utf8_lossy(&script.bytes))) {
        let text = "the script sets the password or ssh key of an example, and everybody knows them";
        diag.warn(Rule::ExampleLogin, text, Some(place_in(&script.file, 1, 1)));
    }
}

/// Finds groups that nobody makes.
fn groups(ctx: &RuleContext<'_>, seen: &Seen<'_>, diag: &mut DiagnosticSink) {
    if !is_known(ctx) || ctx.script.is_some() {
        return;
    }
    let names = seen.users.iter().map(|user| user.name).chain(seen.groups.iter().copied());
    let made: Vec<_> = names.chain(GROUPS).collect();
    for user in &seen.users {
        for group in user.groups.iter().filter(|group| !made.contains(group)) {
            let (shown, name) = (one_line(group, 40), one_line(user.name, 40));
            let text = format!("`{name}` is put into the group `{shown}`, which neither the recipe nor the image has");
            let hint = format!("add [[provision.group]] name = \"{shown}\", or leave the group out");
            let brings = !ctx.recipe.provision.packages.is_empty() || !ctx.recipe.provision.rpms.is_empty();
            // A package may bring it; under Ignition only after the user was made.
            let severity =
                if brings || family::SOME.contains(group) { Severity::Note } else { Rule::UnknownGroup.row().severity };
            let finding = Finding::new(Rule::UnknownGroup, text).at(user.place.clone());
            diag.tell(finding.hint(hint).with_severity(severity));
        }
    }
}

/// Finds a guest that is configured, so that the image's wizard does not ask, and that lets nobody in.
fn nobody(ctx: &RuleContext<'_>, seen: &Seen<'_>, diag: &mut DiagnosticSink) {
    let provision = &ctx.recipe.provision;
    if !is_known(ctx) || !provision.is_wanted() {
        return;
    }
    let commands = ctx.guests.iter().flat_map(|guest| &guest.commands).map(|command| command.text.as_bytes());
    let is_theirs = |bytes: &[u8]| !String::from_utf8_lossy(bytes.get(..200).unwrap_or(bytes)).contains(BY_US);
    let programs = seen.files.iter().filter(|file| file.mode & 0o100 != 0 && is_theirs(&file.bytes));
    let programs = programs.map(|file| &*file.bytes);
    let scripts = ctx.script.iter().map(|script| script.bytes.as_slice()).chain(commands).chain(programs);
    let may_let_in = |bytes: &[u8]| {
        // To lock an account, or to look one up, lets nobody in.
        let text = String::from_utf8_lossy(bytes).replace("/etc/passwd", "").replace("passwd -l", "");
        LETS_IN.iter().any(|word| text.contains(word))
    };
    let brings = |config: &Config, key| {
        config.ready.root.at_path(&["ignition", "config", key]).is_some_and(|node| node.children().next().is_some())
    };
    let is_merged = ctx.config.is_some_and(|config| brings(config, "merge") || brings(config, "replace"));
    if is_merged || scripts.into_iter().any(may_let_in) || seen.files.iter().any(|file| lets_in(file.path)) {
        return;
    }
    let sshd = seen
        .units
        .iter()
        .find(|unit| matches!(unit.name, "sshd.service" | "sshd.socket") && unit.is_enabled == Some(false));
    let is_cut_off = ctx.recipe.machine.network == Network::None || sshd.is_some();
    if seen.users.iter().any(|user| can_log_in(user, is_cut_off)) {
        return;
    }
    let keys = seen.users.iter().any(|user| !user.keys.is_empty());
    let text = match (keys && is_cut_off, sshd) {
        (true, Some(_)) => "nobody can log in: there are ssh keys only, and sshd is disabled",
        (true, None) => "nobody can log in: there are ssh keys only, and the machine has no network",
        (false, _) => "nobody can log in: no account has a password or an ssh key that works",
    };
    let hint = "add [provision.root] with `ssh_keys` or `password_hash`; if nobody should, say why in `[allow]`";
    let place = seen.users.first().map_or_else(|| facts::place(ctx.recipe), |user| user.place.clone());
    diag.tell(Finding::new(Rule::NoLogin, text).at(place).with_severity(Severity::Error).hint(hint));
}

fn lets_in(path: &str) -> bool {
    path.ends_with("/authorized_keys")
        || path.starts_with("/etc/ssh/sshd_config")
        || matches!(path, "/etc/shadow" | "/etc/passwd")
        || path.starts_with("/etc/pam.d/")
        || path.starts_with("/etc/sssd/")
        || path.starts_with("/etc/userdb/")
}

fn can_log_in(user: &SeenUser<'_>, is_cut_off: bool) -> bool {
    let has_shell = !user.shell.is_some_and(|shell| shell.ends_with("/nologin") || shell.ends_with("/false"));
    let has_password = user.hash.is_some_and(|hash| !hash.starts_with(['!', '*']));
    has_shell && (has_password || !user.keys.is_empty() && !is_cut_off)
}
