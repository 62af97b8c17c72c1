//! What the guest will do at its first boot, in order, and why: what `arca-build explain` prints. Touches nothing.
//!
//! Everything here is derived from the outputs that the engines write, so it cannot describe anything else. Sources of the
//! order: coreos/ignition (stages disks, mount, files), openSUSE/combustion (README: after Ignition is complete, in a new
//! snapshot), systemd (units after the switch to the system).

use std::fmt;

use super::engines::choice::Feature;
use super::engines::{combustion, ignition};
use super::guest::{BY_US, Guest, GuestUnit, Stage};
use super::outputs::{Assignment, EngineOutputs};
use super::ready::Script;
use super::subvolume;
use crate::base::text::{count, one_line};
use crate::base::{DiskLabel, Engine, Finding};

/// Who does a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Actor {
    /// Before any engine runs.
    Initrd,
    Ignition,
    Combustion,
    /// After the engines are done.
    System,
}

/// One step of the first boot.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Step {
    pub by: Actor,
    /// One sentence without a full stop; nothing in it is secret.
    pub what: String,
    /// Which habit of MicroOS it serves; empty where there is nothing odd.
    pub why: &'static str,
}

/// What becomes of a recipe.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Explanation {
    pub name: String,
    /// Who does what, and who said so.
    pub engine: &'static str,
    #[serde(rename = "placed")]
    pub assignments: Vec<Assignment>,
    #[serde(rename = "first_boot")]
    pub steps: Vec<Step>,
    /// What the rules noticed.
    pub warnings: Vec<Finding>,
}

/// Describes the first boot in order, as if everything were on the config disk; `script` is the ready-made script.
pub(crate) fn steps(outputs: &EngineOutputs, has_config: bool, script: Option<&Script>) -> Vec<Step> {
    let has_script = script.is_some() || !outputs.combustion.is_empty();
    let mut steps = vec![];
    let mut step = |by, what: String, why| steps.push(Step { by, what, why });
    if has_config || has_script {
        let what = format!("finds the config disk by its label `{}`, or the fw_cfg entries", DiskLabel::Ignition);
        let why = "lower case: SUSE's helper knows no other spelling; the one disk serves both engines";
        step(Actor::Initrd, what, why);
    }
    if has_script && combustion::flags(Some(&outputs.combustion), script).prepare {
        let what = "runs the script with `--prepare`, before the network is up".to_owned();
        let why = "what it sets up holds in the initrd already, and is written again for the system";
        step(Actor::Combustion, what, why);
    }
    if has_config {
        by_ignition(outputs, &mut step);
    }
    if has_script {
        by_combustion(outputs, script, &mut step);
    }
    let units = outputs.units().filter(|unit| unit.enable == Some(true) && unit.contents.is_some());
    for unit in in_order(units.collect()) {
        step(Actor::System, format!("starts {}", described(unit)), "");
    }
    steps
}

/// Sorts units as systemd starts them, as far as their own texts say (systemd.unit(5): After, Before, RequiresMountsFor); what
/// waits for the whole system is last.
fn in_order(mut units: Vec<&GuestUnit>) -> Vec<&GuestUnit> {
    let said = |unit: &GuestUnit, key: &str| -> Vec<String> {
        let lines = unit.contents.as_deref().unwrap_or_default().lines();
        let values = lines.filter_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
        values.flat_map(str::split_whitespace).map(str::to_owned).collect()
    };
    let waits = |unit: &GuestUnit| said(unit, "After").iter().any(|name| name == "multi-user.target");
    let is_behind = |unit: &GuestUnit, other: &GuestUnit| {
        let mounted = said(other, "Where");
        let needs = said(unit, "RequiresMountsFor");
        said(unit, "After").contains(&other.name)
            || said(other, "Before").contains(&unit.name)
            || needs.iter().any(|path| mounted.iter().any(|place| subvolume::is_within(path, place)))
            || waits(unit) && !waits(other)
    };
    let mut sorted = vec![];
    while !units.is_empty() {
        let is_free = |unit: &&GuestUnit| units.iter().all(|other| other.name == unit.name || !is_behind(unit, other));
        let next = units.iter().position(is_free).unwrap_or_default();
        sorted.push(units.remove(next));
    }
    sorted
}

fn by_ignition(outputs: &EngineOutputs, step: &mut impl FnMut(Actor, String, &'static str)) {
    let guest = &outputs.ignition;
    // Before all else, so that nothing is done twice (coreos/ignition, ignition-kargs.service: "Stage order").
    if !guest.kernel_arguments.is_empty() {
        let what = format!("adds {} and reboots once", count(guest.kernel_arguments.len(), "kernel argument"));
        step(Actor::Ignition, what, "the running kernel has been started without them");
    }
    for path in if guest.is_empty() { vec![] } else { ignition::subvolumes(guest, outputs.home_subvolume) } {
        let why = "a subvolume that is mounted only later: without the entry what is written there would vanish";
        step(Actor::Ignition, format!("mounts {path}"), why);
    }
    if outputs.has(Feature::ReadyMade, Engine::Ignition) {
        step(Actor::Ignition, "applies the recipe's own config".to_owned(), "");
    }
    for what in done(guest) {
        step(Actor::Ignition, what, "");
    }
}

fn by_combustion(outputs: &EngineOutputs, script: Option<&Script>, step: &mut impl FnMut(Actor, String, &'static str)) {
    let guest = &outputs.combustion;
    if combustion::flags(Some(guest), script).network {
        step(Actor::Combustion, "waits for the network".to_owned(), "the script says `# combustion: network`");
    }
    step(
        Actor::Combustion,
        "runs the script in a new snapshot".to_owned(),
        "any exit code but 0 rolls it back and fails the boot",
    );
    let paths = guest.paths();
    for path in subvolume::for_combustion(paths.iter().map(String::as_str)) {
        let why = "transactional-update does not show it: without the mount what is written there would vanish";
        step(Actor::Combustion, format!("mounts {path} for the script"), why);
    }
    let has = |stage: Stage| guest.commands.iter().any(|command| command.stage == stage);
    let packages = outputs.count(Feature::Packages, Engine::Combustion);
    if packages > 0 {
        let what = format!("installs {}", count(packages, "package"));
        step(Actor::Combustion, what, "before accounts and files, so that what the recipe says stands above them");
    }
    for what in done(guest) {
        step(Actor::Combustion, what, "");
    }
    if has(Stage::Last) {
        let parts: Vec<&str> =
            [Feature::KernelArguments, Feature::Certificates, Feature::Scripts, Feature::Mounts, Feature::Pools]
                .into_iter()
                .filter(|feature| outputs.has(*feature, Engine::Combustion))
                .map(Feature::title)
                .collect();
        step(Actor::Combustion, format!("sets up {}", parts.join(", ")), "");
    }
    if script.is_some() {
        step(Actor::Combustion, "runs the recipe's own script".to_owned(), "last, with its own interpreter");
    }
}

/// Counts what an engine writes, in the order both keep.
fn done(guest: &Guest) -> Vec<String> {
    let nodes = [
        (guest.groups.len(), "makes", "group"),
        (guest.users.len(), "sets up", "account"),
        (guest.directories.len(), "makes", "directory"),
        (guest.files.len(), "writes", "file"),
        (guest.links.len(), "makes", "link"),
        (guest.units.len(), "sets up", "unit"),
    ];
    let plural = |number: usize, noun: &str| match (number, noun) {
        (1, _) => format!("1 {noun}"),
        (_, "directory") => format!("{number} directories"),
        _ => count(number, noun),
    };
    let diag = nodes.into_iter().filter(|(number, ..)| *number > 0);
    diag.map(|(number, verb, noun)| format!("{verb} {}", plural(number, noun))).collect()
}

/// Names a unit and what it says of itself.
fn described(unit: &GuestUnit) -> String {
    let contents = unit.contents.as_deref().unwrap_or_default();
    let said = contents.lines().find_map(|line| line.trim().strip_prefix("Description="));
    let name = one_line(&unit.name, 100);
    // A text of the user's own may hold a secret anywhere; only ours are quoted.
    match said.filter(|_| contents.starts_with(BY_US)) {
        Some(said) => format!("{name}: {}", one_line(said, 100)),
        None => name,
    }
}

impl fmt::Display for Explanation {
    /// Writes the explanation as a person reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.name, self.engine)?;
        for engine in [Engine::Ignition, Engine::Combustion] {
            let mine: Vec<_> = self.assignments.iter().filter(|assigned| assigned.engine == engine).collect();
            if !mine.is_empty() {
                writeln!(f, "\n{} does", engine.title())?;
            }
            let mut diag = None;
            for assigned in mine {
                // The reason of a part stands once, at its first line.
                let why = Some((assigned.feature, &assigned.why))
                    .filter(|why| !assigned.why.is_empty() && diag != Some(*why));
                line(f, &assigned.what, why.map_or("", |(_, why)| why))?;
                diag = why.or(diag);
            }
        }
        if !self.steps.is_empty() {
            writeln!(f, "\nAt its first boot the guest")?;
        }
        for (number, step) in (1..).zip(&self.steps) {
            line(f, &format!("{number}. {}: {}", step.by, step.what), step.why)?;
        }
        if !self.warnings.is_empty() {
            writeln!(f, "\nThe rules notice")?;
        }
        for warning in &self.warnings {
            let place = warning.place.as_ref().map(|place| format!("line {}: ", place.line)).unwrap_or_default();
            line(f, &format!("{place}{} [{}]", warning.text, warning.rule), "")?;
        }
        Ok(())
    }
}

fn line(f: &mut fmt::Formatter<'_>, what: &str, why: &str) -> fmt::Result {
    writeln!(f, "  {what}")?;
    if why.is_empty() { Ok(()) } else { writeln!(f, "      ({why})") }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Initrd => "initrd",
            Self::Ignition => "Ignition",
            Self::Combustion => "Combustion",
            Self::System => "system",
        })
    }
}
