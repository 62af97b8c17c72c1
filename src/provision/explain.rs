//! What the guest will do at its first boot, in order, and why: what `arca-build explain` prints. Touches nothing.
//!
//! Everything here is told from the shares that the writers write from, so it cannot tell of something else. Sources of the
//! order: coreos/ignition (stages disks, mount, files), openSUSE/combustion (README: after Ignition is complete, in a new
//! snapshot), systemd (units after the switch to the system).

use std::fmt;

use super::ready::Script;
use super::split::{Part, Placed, Shares, Side, lacks_ignition};
use super::wanted::{Stage, Wanted, WantedUnit};
use super::{ignition, subvolume};
use crate::base::text::{count, one_line};
use crate::base::{DiskLabel, Engine, Finding};
use crate::recipe::Recipe;

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

/// What became of a recipe's wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Explanation {
    pub name: String,
    /// Who does what, and who said so.
    pub engine: &'static str,
    pub placed: Vec<Placed>,
    pub steps: Vec<Step>,
    /// What the rules noticed.
    pub warnings: Vec<Finding>,
}

impl Explanation {
    /// Tells what `lower` made of the recipe.
    pub(crate) fn of(recipe: &Recipe, lowered: super::Lowered) -> Self {
        let name = recipe.name.to_string();
        let super::Lowered { placed, steps, warnings, .. } = lowered;
        Self { name, engine: engine(recipe), placed, steps, warnings }
    }
}

/// Tells who decided and how.
fn engine(recipe: &Recipe) -> &'static str {
    match recipe.provision.engine() {
        Engine::Ignition => "the recipe says Ignition",
        Engine::Combustion => "the recipe says Combustion",
        Engine::Auto if lacks_ignition(recipe) => "the image's flavour has no Ignition: Combustion does everything",
        Engine::Auto => "each part goes to the one that does it best",
    }
}

/// Tells the first boot in order. `config` is whether there is an Ignition config, `script` the ready-made script.
pub(crate) fn steps(recipe: &Recipe, shares: &Shares, config: bool, script: Option<&Script>) -> Vec<Step> {
    let has_script = script.is_some() || !shares.combustion.is_empty();
    let mut steps = vec![];
    let mut step = |by, what: String, why| steps.push(Step { by, what, why });
    if let Some(label) = super::label(config, has_script) {
        step(
            Actor::Initrd,
            format!("finds the config disk by its label `{label}`, or the fw_cfg entries"),
            of_label(label),
        );
    }
    if has_script && super::combustion::flags(Some(&shares.combustion), script).prepare {
        let what = "runs the script with `--prepare`, before the network is up".to_owned();
        step(
            Actor::Combustion,
            what,
            "what it sets up holds in the initrd already, and is written again for the system",
        );
    }
    if config {
        ignition(recipe, shares, &mut step);
    }
    if has_script {
        combustion(shares, script, &mut step);
    }
    for unit in shares.units().filter(|unit| unit.enable == Some(true) && unit.contents.is_some()) {
        step(Actor::System, format!("starts {}", described(unit)), "");
    }
    steps
}

fn of_label(label: DiskLabel) -> &'static str {
    match label {
        DiskLabel::Ignition => "lower case: SUSE's helper knows no other spelling; the one disk serves both engines",
        DiskLabel::Combustion => "without Ignition's label its helper waits ten seconds for one, and the boot goes on",
    }
}

fn ignition(recipe: &Recipe, shares: &Shares, step: &mut impl FnMut(Actor, String, &'static str)) {
    let wanted = &shares.ignition;
    // Before all else, so that nothing is done twice (coreos/ignition, ignition-kargs.service: "Stage order").
    if !wanted.kernel_arguments.is_empty() {
        let what = format!("adds {} and reboots once", count(wanted.kernel_arguments.len(), "kernel argument"));
        step(Actor::Ignition, what, "the running kernel has been started without them");
    }
    let home = recipe.provision.home_subvolume.unwrap_or(true);
    for path in if wanted.is_empty() { vec![] } else { ignition::subvolumes(wanted, home) } {
        let why = "a subvolume that is mounted only later: without the entry what is written there would vanish";
        step(Actor::Ignition, format!("mounts {path}"), why);
    }
    if recipe.provision.config.is_some() {
        step(Actor::Ignition, "applies the recipe's own config".to_owned(), "");
    }
    for what in done(wanted) {
        step(Actor::Ignition, what, "");
    }
}

fn combustion(shares: &Shares, script: Option<&Script>, step: &mut impl FnMut(Actor, String, &'static str)) {
    let wanted = &shares.combustion;
    if super::combustion::flags(Some(wanted), script).network {
        step(Actor::Combustion, "waits for the network".to_owned(), "the script says `# combustion: network`");
    }
    step(
        Actor::Combustion,
        "runs the script in a new snapshot".to_owned(),
        "any exit code but 0 rolls it back and fails the boot",
    );
    let paths = wanted.paths();
    for path in subvolume::for_combustion(paths.iter().map(String::as_str)) {
        let why = "transactional-update does not show it: without the mount what is written there would vanish";
        step(Actor::Combustion, format!("mounts {path} for the script"), why);
    }
    let has = |stage: Stage| wanted.commands.iter().any(|command| command.stage == stage);
    let packages =
        shares.placed.iter().filter(|placed| placed.part == Part::Packages && placed.side == Side::Combustion);
    let packages = packages.count();
    if packages > 0 {
        let what = format!("installs {}", count(packages, "package"));
        step(Actor::Combustion, what, "before accounts and files, so that what the recipe says stands above them");
    }
    for what in done(wanted) {
        step(Actor::Combustion, what, "");
    }
    if has(Stage::Last) {
        let parts: Vec<&str> = [Part::KernelArguments, Part::Certificates, Part::Scripts, Part::Mounts, Part::Pools]
            .into_iter()
            .filter(|part| shares.placed.iter().any(|placed| placed.part == *part && placed.side == Side::Combustion))
            .map(Part::title)
            .collect();
        step(Actor::Combustion, format!("sets up {}", parts.join(", ")), "");
    }
    if script.is_some() {
        step(Actor::Combustion, "runs the recipe's own script".to_owned(), "last, with its own interpreter");
    }
}

/// Tells what either writer writes, in the order both keep.
fn done(wanted: &Wanted) -> Vec<String> {
    let nodes = [
        (wanted.groups.len(), "makes", "group"),
        (wanted.logins.len(), "sets up", "account"),
        (wanted.directories.len(), "makes", "directory"),
        (wanted.files.len(), "writes", "file"),
        (wanted.links.len(), "makes", "link"),
        (wanted.units.len(), "sets up", "unit"),
    ];
    let plural = |number: usize, noun: &str| match (number, noun) {
        (1, _) => format!("1 {noun}"),
        (_, "directory") => format!("{number} directories"),
        _ => count(number, noun),
    };
    let told = nodes.into_iter().filter(|(number, ..)| *number > 0);
    told.map(|(number, verb, noun)| format!("{verb} {}", plural(number, noun))).collect()
}

/// Names a unit and what it says of itself.
fn described(unit: &WantedUnit) -> String {
    let contents = unit.contents.as_deref().unwrap_or_default();
    let said = contents.lines().find_map(|line| line.trim().strip_prefix("Description="));
    let name = one_line(&unit.name, 100);
    // A text of the user's own may hold a secret anywhere; only ours are quoted.
    match said.filter(|_| contents.starts_with(super::BY_US)) {
        Some(said) => format!("{name}: {}", one_line(said, 100)),
        None => name,
    }
}

impl fmt::Display for Explanation {
    /// Writes the explanation as a person reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.name, self.engine)?;
        for side in [Side::Ignition, Side::Combustion] {
            let mine: Vec<_> = self.placed.iter().filter(|placed| placed.side == side).collect();
            if !mine.is_empty() {
                writeln!(f, "\n{side} does")?;
            }
            let mut told = None;
            for placed in mine {
                // The reason of a part stands once, at its first line.
                let why = Some((placed.part, &placed.why)).filter(|why| !placed.why.is_empty() && told != Some(*why));
                line(f, &placed.what, why.map_or("", |(_, why)| why))?;
                told = why.or(told);
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
