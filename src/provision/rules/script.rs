//! What a ready-made Combustion script does that is lost or fails where Combustion runs it. Touches nothing.
//!
//! A script is read line by line, not as a shell reads it: comments and here documents are left out, and what only a
//! shell can know, as the value of a variable, is passed over.
//! Sources: openSUSE/combustion, README; transactional-update, lib/Transaction.cpp.

use std::iter::once;

use super::disks::logical_lines;
use crate::base::text::one_line;
use crate::base::{Finding, Rule};
use crate::format::combustion::{self, Flags};
use crate::provision::diagnostics::{DiagnosticSink, place_in};
use crate::provision::ready::Script;
use crate::provision::subvolume;

/// Checks the ready-made script.
pub(crate) fn check(script: &Script, diag: &mut DiagnosticSink) {
    let text = String::from_utf8_lossy(&script.bytes);
    let mut tell = |line, rule, text: String, hint: String| {
        diag.tell(Finding::new(rule, text).at(place_in(&script.file, line, 1)).hint(hint));
    };
    for (line, number) in text.lines().zip(1..).filter(|(line, _)| is_near_miss(line)) {
        let text = format!("Combustion does not read `{}`", one_line(line, 40));
        tell(number, Rule::Script, text, "begin the line with `# combustion:`, without a blank before it".into());
    }
    let lines = code(&text);
    flags(&lines, script.flags, &mut tell);
    for (number, line) in &lines {
        for command in commands(line) {
            services(&command, |text, hint| tell(*number, Rule::RunNoServices, text, hint));
        }
    }
    mounts(&lines, &mut tell);
    side_files(&lines, script, &mut tell);
}

/// Recognizes a comment that was meant for Combustion and is not read by it.
fn is_near_miss(line: &str) -> bool {
    let Some(comment) = line.trim_start().strip_prefix('#').filter(|_| !combustion::is_magic(line.as_bytes())) else {
        return false;
    };
    let comment = comment.trim_start_matches(['#', ' ', '\t']).to_ascii_lowercase();
    let Some(rest) = comment.strip_prefix("combustion") else { return false };
    let mut words = rest.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).peekable();
    // Prose about Combustion goes on with other words.
    words.peek().is_some() && words.all(|word| ["network", "prepare", "and"].contains(&word))
}

/// Returns the lines of code: continued ones joined, without comments and without the bodies of here documents.
fn code(text: &str) -> Vec<(u32, String)> {
    let mut end: Option<String> = None;
    let mut lines = vec![];
    for (number, line) in logical_lines(text) {
        match &end {
            Some(delimiter) if line.trim_start_matches('\t') == delimiter => end = None,
            Some(_) => {}
            None => {
                end = here_document(&line);
                lines.push((number, line));
            }
        }
    }
    lines
}

/// Returns the line that ends a here document which begins in this line.
fn here_document(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("<<").filter(|(_, rest)| !rest.starts_with('<'))?;
    let rest = rest.strip_prefix('-').unwrap_or(rest).trim_start();
    let word: String = rest.chars().take_while(|c| !c.is_whitespace() && !";|&<>)".contains(*c)).collect();
    let word = word.replace(['\'', '"', '\\'], "");
    (!word.is_empty()).then_some(word)
}

/// Splits a line into commands, each into its words without quotes; what stands before the program is left out.
fn commands(line: &str) -> Vec<Vec<&str>> {
    const BEFORE: [&str; 14] =
        ["if", "then", "else", "elif", "do", "while", "until", "!", "sudo", "exec", "env", "command", "time", "nice"];
    let is_before = |word: &&str| {
        let name = word.split_once('=').map(|(name, _)| name);
        BEFORE.contains(word) || name.is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
    };
    let parts = line.split([';', '|', '&', '(', ')', '`']);
    let parts = parts.map(|part| part.split_whitespace().map(unquoted).skip_while(is_before).collect::<Vec<_>>());
    parts.filter(|words| !words.is_empty()).collect()
}

fn unquoted(word: &str) -> &str {
    word.trim_matches(['"', '\''])
}

/// Returns the name of a command's program, without its directory.
fn program<'l>(command: &[&'l str]) -> &'l str {
    command.first().and_then(|word| word.rsplit('/').next()).unwrap_or_default()
}

/// Subcommands of zypper that look at what is there already.
const ZYPPER_OFFLINE: [&str; 12] =
    ["addlock", "addrepo", "al", "ar", "locks", "lr", "modifyrepo", "mr", "remove", "removerepo", "repos", "rm"];

/// Returns what a command fetches over the network, where it does.
fn fetches(command: &[&str]) -> bool {
    let mut words = command.iter().skip(1).copied().filter(|word| !word.starts_with('-'));
    match program(command) {
        "zypper" => words.next().is_some_and(|word| !ZYPPER_OFFLINE.contains(&word)),
        "curl" | "wget" | "SUSEConnect" => true,
        "git" => words.any(|word| word == "clone"),
        "podman" | "skopeo" => words.next().is_some_and(|word| ["pull", "run", "copy"].contains(&word)),
        _ => false,
    }
}

/// Finds what the magic comments and the code say differently.
fn flags(lines: &[(u32, String)], flags: Flags, tell: &mut impl FnMut(u32, Rule, String, String)) {
    let first = |is_meant: &dyn Fn(&[&str]) -> bool| {
        lines.iter().find_map(|(number, line)| {
            let found = commands(line).into_iter().find(|command| is_meant(command))?;
            Some((*number, one_line(program(&found), 40)))
        })
    };
    if let (Some((line, program)), false) = (first(&|command| fetches(command)), flags.network) {
        let text = format!("`{program}` needs the network, which the script does not ask for");
        tell(line, Rule::Script, text, "add the line `# combustion: network`".into());
    }
    let asks = |line: &str| line.contains("--prepare");
    let branch = lines.iter().find(|(_, line)| asks(line));
    match (branch, flags.prepare) {
        (Some((line, _)), false) => {
            let text = "the branch for `--prepare` never runs: the script does not ask for it".to_owned();
            tell(*line, Rule::Script, text, "add the line `# combustion: prepare`".into());
        }
        (None, true) if !lines.is_empty() && !lines.iter().any(|(_, line)| reads_arguments(line)) => {
            let text =
                "the script asks for `prepare` and never looks at its argument: all of it runs in the initrd too";
            let hint = "do that part where `[ \"${1-}\" = --prepare ]`, and end there with `exit 0`";
            tell(1, Rule::Script, text.to_owned(), hint.into());
        }
        _ => {}
    }
    if let Some((line, _)) = first(&|command| program(command) == "transactional-update") {
        let text = "`transactional-update` inside a script that runs in a new snapshot already".to_owned();
        tell(line, Rule::Script, text, "call zypper itself; Combustion makes the snapshot".into());
    }
}

fn reads_arguments(line: &str) -> bool {
    ["$1", "${1", "$@", "$*"].iter().any(|word| line.contains(word))
}

/// Programs that ask a service of the running system, and what does the same without.
const ASKS_A_SERVICE: [(&str, &str); 5] = [
    ("timedatectl", "link the zone: `ln -sf ../usr/share/zoneinfo/ZONE /etc/localtime`"),
    ("hostnamectl", "write the name into /etc/hostname"),
    ("localectl", "write /etc/locale.conf and /etc/vconsole.conf"),
    ("loginctl", "for lingering, `mount /var` and touch /var/lib/systemd/linger/USER"),
    ("firewall-cmd", "use firewall-offline-cmd"),
];

/// Finds what needs services, which do not run yet.
fn services(command: &[&str], mut tell: impl FnMut(String, String)) {
    let name = program(command);
    if let Some((_, hint)) = ASKS_A_SERVICE.iter().find(|(asks, _)| *asks == name) {
        return tell(format!("`{name}` asks a service, and none runs under Combustion"), (*hint).to_owned());
    }
    if name != "systemctl" {
        return;
    }
    let now = command.contains(&"--now");
    let verb = command.iter().skip(1).find(|word| !word.starts_with('-')).copied().unwrap_or_default();
    let starts = ["start", "stop", "restart", "try-restart", "reload", "reload-or-restart", "isolate"].contains(&verb);
    let ends = ["reboot", "poweroff", "halt", "kexec", "soft-reboot"].contains(&verb);
    if now || starts {
        let word = if now { "--now" } else { verb };
        let text = format!("`systemctl {word}` has no service manager to ask under Combustion");
        tell(text, "write `systemctl enable`: what is enabled starts a moment later".into());
    } else if ends {
        let text = format!("`systemctl {verb}` ends the boot before Combustion has kept what the script did");
        tell(text, "leave it out: the boot goes on by itself".into());
    }
}

/// Programs that write to the paths they are given.
const WRITERS: [&str; 14] =
    ["chmod", "chown", "cp", "dd", "install", "ln", "mkdir", "mv", "rsync", "sed", "tar", "tee", "touch", "unzip"];

/// Finds what is written where a script sees nothing mounted, or before it is.
fn mounts(lines: &[(u32, String)], tell: &mut impl FnMut(u32, Rule, String, String)) {
    for directory in subvolume::COMBUSTION_HIDDEN {
        let mounted = lines.iter().find(|(_, line)| is_mounting(line, directory)).map(|(number, _)| *number);
        let used = lines.iter().find(|(_, line)| !is_mounting(line, directory) && uses(line, directory));
        let Some((number, _)) = used.filter(|(number, _)| mounted.is_none_or(|mounted| *number < mounted)) else {
            continue;
        };
        let when = if mounted.is_some() { "before" } else { "without" };
        let text = format!("the script uses {directory} {when} `mount {directory}`: what it writes there vanishes");
        let hint = format!("write `mount {directory}` before it, and `umount {directory}` at the end");
        tell(*number, Rule::CombustionMount, text, hint);
    }
}

/// Returns whether a line mounts a directory, or is the head of a loop that may.
fn is_mounting(line: &str, directory: &str) -> bool {
    let names = line.split_whitespace().any(|word| unquoted(word).trim_end_matches([';', '/']) == directory);
    let mount = |command: &Vec<&str>| program(command) == "mount" && (names || command.contains(&"-a"));
    commands(line).iter().any(mount) || (names && line.trim_start().starts_with("for "))
}

fn uses(line: &str, directory: &str) -> bool {
    if directory == "/var" {
        return writes_below_var(line);
    }
    let makes_home = |command: &Vec<&str>| {
        let has = |words: &[&str]| command.iter().any(|word| words.contains(word));
        let wants = has(&["-m", "--create-home"]);
        program(command) == "useradd" && (wants || !has(&["-M", "--no-create-home", "-r", "--system"]))
    };
    line.contains(&format!("{directory}/")) || (directory == "/home" && commands(line).iter().any(makes_home))
}

/// Much of /var is there, and much is read only; so what counts is a path that is written to.
fn writes_below_var(line: &str) -> bool {
    let hidden = |word: &str| {
        let path = unquoted(word.trim_start_matches('>'));
        let scratch = ["/var/tmp", "/var/run", "/var/lock"].iter().any(|scratch| subvolume::is_within(path, scratch));
        path.starts_with("/var/") && !scratch && subvolume::for_combustion(once(path)).contains(&"/var")
    };
    let mut after = line.split('>').skip(1).filter_map(|rest| rest.split_whitespace().next());
    let mut writers = commands(line).into_iter().filter(|command| WRITERS.contains(&program(command)));
    after.any(hidden) || writers.any(|command| command[1..].iter().any(|word| hidden(word)))
}

/// How a script names what lies beside it, wherever it runs.
const BESIDE: [&str; 5] =
    ["/dev/shm/combustion/config/", "${0%/*}/", "dirname \"$0\")/", "dirname \"$0\")\"/", "dirname $0)/"];

/// Finds files that the script takes from beside it, and that are not there.
fn side_files(lines: &[(u32, String)], script: &Script, tell: &mut impl FnMut(u32, Rule, String, String)) {
    let written: Vec<&str> = lines.iter().flat_map(|(_, line)| line.split('>').skip(1)).filter_map(name_at).collect();
    let is_there = |name: &str| {
        let below = format!("{name}/");
        let mut beside = script.side_files.iter().map(|(side, _)| side.as_str());
        name == "script" || written.contains(&name) || beside.any(|side| side == name || side.starts_with(&below))
    };
    let mut elsewhere = false;
    let mut told = vec![];
    for (number, line) in lines {
        elsewhere |= commands(line).iter().any(|command| ["cd", "pushd"].contains(&program(command)));
        let named = BESIDE.iter().flat_map(|beside| line.split(beside).skip(1)).filter_map(name_at);
        let here = || {
            line.split_whitespace().filter_map(|word| name_at(word.trim_start_matches(['"', '\'']).strip_prefix("./")?))
        };
        let here: Vec<_> = if elsewhere || is_test(line) { vec![] } else { here().collect() };
        for name in named.chain(here) {
            if !is_there(name) && !told.contains(&name) {
                told.push(name);
                let shown = one_line(name, 80);
                let text = format!("the script uses `{shown}` from beside it, and no such file is there");
                tell(*number, Rule::Script, text, format!("add \"{shown}\" to `side_files`"));
            }
        }
    }
}

/// A script that asks whether a file is there knows that it may not be.
fn is_test(line: &str) -> bool {
    [" -e ", " -f ", " -x ", " -r ", " -s ", " -d "].iter().any(|test| line.contains(test))
}

/// Reads a file's name as far as it is one without a shell.
fn name_at(text: &str) -> Option<&str> {
    let text = text.trim_start().trim_start_matches(['"', '\'']);
    let text = text.strip_prefix("./").unwrap_or(text);
    let end = text.find(|c: char| c.is_whitespace() || "\"';|&<>()".contains(c)).unwrap_or(text.len());
    let name = text[..end].trim_end_matches('/');
    (!name.is_empty() && !name.contains(['$', '*', '?', '{', '[', '`', '=', ','])).then_some(name)
}

#[cfg(test)]
mod tests;
