//! Scripts of the recipe: those that run once, and those that run by the calendar. Touches nothing.
//!
//! Under Combustion a script runs in the new snapshot, before the system has started; a failure fails the boot. Under
//! Ignition a unit runs it in the system, where the root file system is read-only; a failure fails the unit, and those
//! after it wait. Either way: as root, in `/`, by its own interpreter, with everything mounted that fstab lists.

use super::ready::place;
use super::split::{Part, Shares, Side};
use super::told::{Told, hushed};
use super::wanted::{self, Bytes, Command, Stage, WantedFile, WantedUnit, Write};
use super::{BY_US, lints, packages, rules, subvolume};
use crate::base::{Code, Diagnostic, Location, Rule, Spanned};
use crate::format::combustion::{inspect, payload};
use crate::recipe::scripts::{Run, Timer};
use crate::recipe::{Content, LocalFiles, Recipe};

/// What a unit says that needs the network (systemd.special(7), "network-online.target").
pub(crate) const ONLINE: &str = "Wants=network-online.target\nAfter=network-online.target\n";

/// Ends what zypper leaves running, for it would keep mounts busy (openSUSE/combustion, `combustion`, "cleanup").
pub(crate) const STRAY: &str = "# zypper leaves gpg-agent running, which would keep what is mounted busy.\n\
                         while pkill -x gpg-agent; do sleep 1; done\n";

/// Beside the script and not in `/tmp`: Combustion itself runs a file there.
const RUN: &str = r#"
# Runs a script that travels in this one: by its own interpreter, in `/`. Its failure fails the boot.
run() {
    name=$1
    shift
    folder=$(mktemp -d "$PWD/run.XXXXXX")
    (umask 077 && "$@" >"$folder/$name")
    chmod 0700 "$folder/$name"
    printf 'arca-build: runs %s\n' "$name"
    (cd / && "$folder/$name")
    rm -rf "$folder"
}
"#;

/// A script that was read and judged.
struct Script {
    /// Its place in the order and its name.
    name: String,
    bytes: Vec<u8>,
    network: bool,
    place: Location,
}

/// Adds every script.
pub(crate) fn add(recipe: &Recipe, files: &LocalFiles, shares: &mut Shares, told: &mut Told) {
    let side = shares.side(Part::Scripts);
    let mut scripts = vec![];
    for (number, run) in (1..).zip(&recipe.provision.runs) {
        let network = if run.value.network { ", with a network" } else { "" };
        shares.account(Part::Scripts, side, format!("script {number:02}-{}{network}", run.value.name), why(side));
        scripts.extend(script(recipe, number, run, files, side, told));
    }
    match side {
        Side::Combustion => by_combustion(&scripts, shares),
        Side::Ignition => by_units(&scripts, shares),
    }
    for timer in &recipe.provision.timers {
        self::timer(recipe, timer, files, shares, told);
    }
}

const fn why(side: Side) -> &'static str {
    match side {
        Side::Ignition => "Ignition runs nothing: a unit does, in the system, whose root is read-only",
        Side::Combustion => {
            "in Combustion's snapshot, which a failure rolls back; what transactional-update hides is mounted for it"
        }
    }
}

fn script(
    recipe: &Recipe,
    number: usize,
    run: &Spanned<Run>,
    files: &LocalFiles,
    side: Side,
    told: &mut Told,
) -> Option<Script> {
    let Spanned { value: Run { name, content, network }, place } = run;
    let bytes = bytes(recipe, name.as_str(), content, place, files, told)?;
    let place = hushed(place);
    lints::run(&bytes, (name.as_str(), &place), side, told);
    if side == Side::Combustion {
        lints::run_below_mounts(recipe, &bytes, (name.as_str(), &place), told);
    }
    if inspect(&bytes).is_ok_and(|found| found.flags.network && !network) {
        let text = format!("the line `# combustion: network` of script `{name}` does nothing; write `network = true`");
        told.warn(Rule::Script, text, Some(place.clone()));
    }
    Some(Script { name: format!("{number:02}-{name}"), bytes, network: *network, place })
}

/// Reads a script, and refuses what no kernel or shell would run.
fn bytes(
    recipe: &Recipe,
    name: &str,
    content: &Content,
    row: &Location,
    files: &LocalFiles,
    told: &mut Told,
) -> Option<Vec<u8>> {
    let bytes = wanted::bytes(recipe, content, files, told)?;
    let at = |line: u32| match content {
        Content::Path(path) => place(&wanted::beside(recipe, &path.value), line, 1),
        Content::Text(_) | Content::Carried(_) => hushed(row),
    };
    let said = |text: &str| text.replace("the script", &format!("script `{name}`"));
    match inspect(&bytes) {
        Ok(found) => {
            rules::disks::script(&bytes, at, told);
            for remark in found.oddities {
                told.warn(Rule::Script, said(&remark.text), Some(at(remark.line)));
            }
            Some(bytes)
        }
        Err(remarks) => {
            for remark in remarks {
                let problem = Diagnostic::new(Code::Provision, said(&remark.text)).at(at(remark.line));
                told.refuse(problem.fact("script", format!("{name}, line {}", remark.line)));
            }
            None
        }
    }
}

/// Runs scripts at the end of the generated one, in the order written.
fn by_combustion(scripts: &[Script], shares: &mut Shares) {
    if scripts.is_empty() {
        return;
    }
    shares.combustion.flags.network |= scripts.iter().any(|script| script.network);
    let mut text = RUN.to_owned();
    text.push_str("# As it is in the system: what a script writes there must not vanish.\n");
    subvolume::COMBUSTION_HIDDEN.iter().for_each(|directory| text.push_str(&format!("show {directory}\n")));
    for script in scripts {
        // Nothing in such a name means anything to a shell.
        text.push_str(&payload(&script.bytes).render(&format!("run {}", script.name)));
    }
    text.push_str(STRAY);
    shares.combustion.commands.push(Command { stage: Stage::Last, text });
}

/// Runs scripts by units, each after the one before; packages come first, and their reboot.
fn by_units(scripts: &[Script], shares: &mut Shares) {
    let wanted = &mut shares.ignition;
    let has_packages = wanted.units.iter().any(|unit| unit.name == packages::UNIT);
    let mut before: Option<String> = None;
    for script in scripts {
        let path = format!("/etc/arca-build/scripts/{}", script.name);
        let unit = unit_name(&script.name);
        let contents = unit_of(script, &path, before.as_deref(), has_packages);
        wanted.files.push(file(path, script.bytes.clone(), &script.place));
        wanted.units.push(self::unit(unit.clone(), Some(true), contents, &script.place));
        before = Some(unit);
    }
}

fn unit_name(name: &str) -> String {
    format!("arca-run-{name}.service")
}

/// Writes a unit. A shell runs the script, for SELinux lets a service of a shell do what an administrator may, and one
/// that begins with a file below `/etc` hardly anything.
fn unit_of(script: &Script, path: &str, before: Option<&str>, has_packages: bool) -> String {
    let name = &script.name;
    let network = if script.network { ONLINE } else { "" };
    let before = before.map(|unit| format!("Requires={unit}\nAfter={unit}\n")).unwrap_or_default();
    let packages = if has_packages {
        format!("ConditionPathExists=/var/lib/arca-build/done/{}\nAfter={}\n", packages::MARK, packages::UNIT)
    } else {
        String::new()
    };
    format!(
        "{BY_US}: change the recipe, not this file.\n\
         [Unit]\n\
         Description=Run the recipe's script {name}, once\n\
         ConditionPathExists=!/var/lib/arca-build/done/{name}\n\
         {packages}{before}{network}\
         \n\
         [Service]\n\
         Type=oneshot\n\
         RemainAfterExit=yes\n\
         StateDirectory=arca-build/done\n\
         ExecStart=/bin/sh -c 'exec {path}'\n\
         ExecStartPost=/usr/bin/touch /var/lib/arca-build/done/{name}\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n"
    )
}

/// Writes a script and the two units that run it by the calendar, on either side.
fn timer(recipe: &Recipe, timer: &Spanned<Timer>, files: &LocalFiles, shares: &mut Shares, told: &mut Told) {
    let Spanned { value: Timer { name, on_calendar, content }, place } = timer;
    let side = shares.side(Part::Units);
    shares.account(Part::Units, side, format!("timer {name}, at {on_calendar}"), "");
    let Some(bytes) = bytes(recipe, name.as_str(), content, place, files, told) else { return };
    let path = format!("/etc/arca-build/timers/{name}");
    let service = format!(
        "{BY_US}: change the recipe, not this file.\n[Unit]\nDescription=Run the recipe's script {name}\n\n\
         [Service]\nType=oneshot\nExecStart=/bin/sh -c 'exec {path}'\n"
    );
    let clock = format!(
        "{BY_US}: change the recipe, not this file.\n[Unit]\nDescription=Run the recipe's script {name} by the calendar\n\n\
         [Timer]\nOnCalendar={on_calendar}\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n"
    );
    let wanted = shares.on(side);
    wanted.files.push(file(path, bytes, place));
    wanted.units.push(unit(format!("arca-timer-{name}.service"), None, service, place));
    wanted.units.push(unit(format!("arca-timer-{name}.timer"), Some(true), clock, place));
}

fn file(path: String, bytes: Vec<u8>, place: &Location) -> WantedFile {
    let place = hushed(place);
    WantedFile { path, bytes: Bytes::Here(bytes), write: Write::Replace, mode: 0o700, user: None, group: None, place }
}

fn unit(name: String, enable: Option<bool>, contents: String, place: &Location) -> WantedUnit {
    WantedUnit { name, enable, mask: false, contents: Some(contents), dropins: vec![], place: hushed(place) }
}
