//! The report: a unit in the guest that says what was applied, and what it should say. Touches nothing.
//!
//! List and expectation come from the same walk over what the engines get, so they cannot disagree. The unit runs after
//! everything that multi-user.target wants (systemd.target(5): a target is ordered after what it wants), and before the unit
//! that restarts the guest for its kernel arguments. Read next: `report.sh`, `guest_report` (the grammar and the verdict).

use super::checks::{GuestCheck, HEALTHY, any, is};
use super::diagnostics::DiagnosticSink;
use super::engines::choice::{EngineChoice, Feature};
use super::engines::combustion_tasks::{RESTART, RESTARTED};
use super::engines::ignition_tasks::{PACKAGES, PACKAGES_MARK, TRUST_MARK};
use super::engines::template::{Segment, Template};
use super::guest::{Bytes, GuestFile, GuestUnit, GuestUser, HEAD, Write};
use super::items::units::has_install;
use super::outputs::EngineOutputs;
use crate::base::{Digest, Engine, Location};
use crate::guest_report::{Expectation, Expected, Kind, Matcher, PORT};

const SCRIPT: &str = include_str!("report.sh");
const UNIT: &str = "arca-report.service";
const SCRIPT_PATH: &str = "/etc/arca-build/report.sh";
const LIST_PATH: &str = "/etc/arca-build/report.list";
/// Each engine's part leaves a file of its name here, which holds the configuration's digest.
const MARKS: &str = "/etc/arca-build/applied";

/// Adds the report; call it when everything else is there. `digest` is that of the configuration without it, `place` where
/// the recipe begins.
pub(crate) fn add(
    outputs: &mut EngineOutputs,
    digest: Digest,
    place: &Location,
    diag: &mut DiagnosticSink,
) -> Expectation {
    let writer = writer(outputs);
    let engines: Vec<Engine> = [(Engine::Ignition, &outputs.ignition), (Engine::Combustion, &outputs.combustion)]
        .into_iter()
        .filter(|(engine, guest)| *engine == writer || !guest.is_empty())
        .map(|(engine, _)| engine)
        .collect();
    refuse_namesakes(outputs, diag);
    // What told that it is yet to restart the guest, and then failed for good, is told of anew.
    for unit in outputs.ignition.units.iter_mut().filter(|unit| unit.name == PACKAGES) {
        let tells = |text: String| text.replace("[Unit]\n", &format!("[Unit]\nOnFailure={UNIT}\n"));
        unit.contents = unit.contents.take().map(tells);
    }
    let checks = checks(outputs, &engines, digest);
    let list = list(outputs, &checks);
    for engine in engines {
        outputs.on(engine).files.push(GuestFile::new(format!("{MARKS}/{engine}"), format!("{digest}\n"), 0o600, place));
    }
    let script = format!("#!/bin/sh\n{HEAD}#\n{SCRIPT}");
    let guest = outputs.on(writer);
    guest.files.push(GuestFile::new(SCRIPT_PATH, script, 0o700, place));
    guest.files.push(GuestFile::new(LIST_PATH, list, 0o600, place));
    guest.units.push(GuestUnit::new(UNIT, Some(true), unit(), place));
    outputs.record_why(Feature::Report, writer, format!("unit {UNIT} tells what was applied"), "");
    Expectation::new(checks.into_iter().map(|check| check.expected).collect())
}

/// Decides who writes it: who does something anyway, so that no second engine comes into it for its sake.
fn writer(outputs: &EngineOutputs) -> Engine {
    let EngineChoice::Best = outputs.choice else { return outputs.choice.engine(Feature::Report) };
    let has_ready = |engine| outputs.has(Feature::ReadyMade, engine);
    let by_script = has_ready(Engine::Combustion) && !has_ready(Engine::Ignition);
    let is_unused = outputs.ignition.is_empty();
    if is_unused && (!outputs.combustion.is_empty() || by_script) { Engine::Combustion } else { Engine::Ignition }
}

/// Refuses what the recipe itself puts in the report's place.
fn refuse_namesakes(outputs: &EngineOutputs, diag: &mut DiagnosticSink) {
    let hint = "rename it, or write report = false";
    for (path, place) in outputs.nodes() {
        if [SCRIPT_PATH, LIST_PATH, MARKS].contains(&path) || path.starts_with(&format!("{MARKS}/")) {
            diag.refuse_at(place, format!("`{path}` is what the report itself writes"), hint);
        }
    }
    if let Some(unit) = outputs.units().find(|unit| unit.name == UNIT) {
        diag.refuse_at(&unit.place, format!("`{UNIT}` is the report's own unit"), hint);
    }
}

/// Writes the unit. A shell runs the script, as SELinux has it (see `scripts`).
fn unit() -> String {
    format!(
        "{HEAD}\
         [Unit]\n\
         Description=Tell what was applied to this system\n\
         # Where somebody listens, at every boot; else until it was told once.\n\
         ConditionPathExists=|/dev/virtio-ports/{PORT}\n\
         ConditionPathExists=|!/var/lib/arca-build/reported\n\
         RequiresMountsFor=/etc/arca-build /var/lib/arca-build\n\
         After=multi-user.target\n\
         Before={RESTART}\n\
         \n\
         [Service]\n\
         Type=oneshot\n\
         TimeoutStartSec=10min\n\
         ExecStart=/bin/sh {SCRIPT_PATH}\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n"
    )
}

/// Writes the list that the script reads: kind, detail, subject, with a tab between them.
fn list(outputs: &EngineOutputs, checks: &[GuestCheck]) -> String {
    let lines = checks
        .iter()
        .map(|GuestCheck { expected, detail }| format!("{}\t{detail}\t{}\n", expected.kind.as_str(), expected.subject));
    let done = format!("/var/lib/arca-build/done/{PACKAGES_MARK}");
    let restarts = [(PACKAGES, done.as_str()), (RESTART, RESTARTED)];
    let restarts = restarts.into_iter().filter(|(name, _)| outputs.units().any(|unit| unit.name == *name));
    lines.chain(restarts.map(|(name, done)| format!("restart\t{done}\t{name}\n"))).collect()
}

/// Hashes a configuration: what each engine gets, bytes that come later by their digest.
pub(crate) fn digest(config: Option<&[u8]>, template: Option<&Template>, script: Option<&[u8]>) -> Digest {
    let mut parts: Vec<Vec<u8>> = vec![config.unwrap_or_default().into(), script.unwrap_or_default().into()];
    parts.extend(template.into_iter().flat_map(|template| &template.0).map(|part| match part {
        Segment::Text(text) => text.expose().clone(),
        Segment::Base64(input) => input.digest.as_bytes().to_vec(),
    }));
    let digests: Vec<u8> = parts.iter().flat_map(|part| *Digest::of(part).as_bytes()).collect();
    Digest::of(&digests)
}

/// Lists what to look at: what items added, and what follows from accounts, files and units.
fn checks(outputs: &mut EngineOutputs, engines: &[Engine], digest: Digest) -> Vec<GuestCheck> {
    let marks =
        engines.iter().map(|one| GuestCheck::new(Kind::Engine, one.as_str(), [("config", Matcher::Digest(digest))]));
    let mut checks: Vec<GuestCheck> = marks.collect();
    let mut added = std::mem::take(&mut outputs.checks);
    let mut of = |features: &[Feature]| -> Vec<GuestCheck> {
        added.extract_if(.., |(feature, _)| features.contains(feature)).map(|(_, check)| check).collect()
    };
    checks.extend(of(&[Feature::Settings, Feature::KernelArguments]));
    let groups = outputs.both().flat_map(|guest| &guest.groups);
    checks.extend(groups.map(|one| GuestCheck::new(Kind::Group, &one.name, one.gid.map(|gid| ("gid", is(gid))))));
    checks.extend(outputs.users().map(user));
    nodes(outputs, &mut checks);
    checks.extend(of(&[Feature::Packages]));
    checks.extend(outputs.units().filter_map(of_unit));
    for feature in [Feature::Containers, Feature::Pools, Feature::Mounts] {
        checks.extend(of(&[feature]));
    }
    once(checks)
}

/// Joins what is said twice, such as a package that is asked for by two names: the guest tells of each thing once.
fn once(checks: Vec<GuestCheck>) -> Vec<GuestCheck> {
    let mut joined: Vec<GuestCheck> = vec![];
    for check in checks {
        let Expected { kind, subject, .. } = &check.expected;
        match joined.iter_mut().find(|one| one.expected.kind == *kind && one.expected.subject == *subject) {
            Some(one) => {
                for (name, wish) in check.expected.facts {
                    one.expected.facts.entry(name).or_insert(wish);
                }
            }
            None => joined.push(check),
        }
    }
    joined
}

/// Of an account that the image may have already, only what the recipe says.
fn user(user: &GuestUser) -> GuestCheck {
    let password = user.hash.as_ref().map(|hash| if hash.starts_with(['!', '*']) { "locked" } else { "set" });
    let lines: String = user.keys.iter().map(|key| format!("{key}\n")).collect();
    let keys = (!user.keys.is_empty()).then(|| Matcher::Digest(Digest::of(lines.as_bytes())));
    let groups = (!user.groups.is_empty()).then(|| Matcher::Has(user.groups.clone()));
    let facts = [
        ("uid", user.uid.map(is)),
        ("groups", groups),
        ("gecos", user.gecos.as_ref().map(is)),
        ("home", user.home.as_ref().map(is)),
        ("shell", user.shell.as_ref().map(is)),
        ("password", password.map(is)),
        ("keys", keys),
    ];
    GuestCheck::new(Kind::User, &user.name, facts.into_iter().filter_map(|(name, wish)| Some((name, wish?))))
}

fn nodes(outputs: &EngineOutputs, checks: &mut Vec<GuestCheck>) {
    let directories = outputs.both().flat_map(|wanted| &wanted.directories).filter(|one| one.place.is_some());
    checks.extend(directories.map(|one| {
        GuestCheck::new(Kind::Directory, &one.path, owned(one.mode, one.user.as_ref(), one.group.as_ref()))
    }));
    checks.extend(outputs.files().filter(|file| file.path != TRUST_MARK).map(of_file));
    for unit in outputs.units() {
        checks.extend(unit.texts().map(|(path, text)| {
            let digest = Matcher::Digest(Digest::of(text.as_bytes()));
            GuestCheck::new(Kind::File, &path, owned(0o644, None, None).into_iter().chain([("sha256", digest)]))
        }));
    }
    let links = outputs.both().flat_map(|wanted| &wanted.links);
    checks.extend(links.map(|link| GuestCheck::new(Kind::Link, &link.path, [("target", is(&link.target))])));
}

fn owned(mode: u32, user: Option<&String>, group: Option<&String>) -> [(&'static str, Matcher); 3] {
    let name = |name: Option<&String>| is(name.map_or("root", String::as_str));
    [("mode", is(format!("{mode:o}"))), ("user", name(user)), ("group", name(group))]
}

fn of_file(file: &GuestFile) -> GuestCheck {
    let digest = match &file.bytes {
        Bytes::Here(bytes) => Digest::of(bytes),
        Bytes::Remote(input) => input.digest,
    };
    match (file.write, &file.bytes) {
        (Write::Append, Bytes::Here(bytes)) => {
            let check = GuestCheck::new(Kind::File, &file.path, [("tail", Matcher::Digest(digest))]);
            check.with_detail(bytes.len().to_string())
        }
        (Write::Append, Bytes::Remote(_)) => GuestCheck::new(Kind::File, &file.path, []),
        (Write::Replace, _) => {
            let facts = owned(file.mode, file.user.as_ref(), file.group.as_ref());
            GuestCheck::new(Kind::File, &file.path, facts.into_iter().chain([("sha256", Matcher::Digest(digest))]))
        }
    }
}

/// States of the files of a unit that the image has and that starts at boot.
const ENABLED: [&str; 7] = ["enabled", "enabled-runtime", "static", "alias", "indirect", "generated", "linked"];
/// What starts at every boot.
const BOOT: [&str; 5] = ["multi-user.target", "timers.target", "sockets.target", "paths.target", "local-fs.target"];

fn of_unit(unit: &GuestUnit) -> Option<GuestCheck> {
    if unit.enable.is_none() && !unit.mask && unit.contents.is_none() {
        return None;
    }
    let text = unit.contents.as_deref();
    let enabled = match (unit.mask, unit.enable) {
        (true, _) => Some(is("masked")),
        (false, Some(false)) => Some(is("disabled")),
        (false, Some(true)) if text.is_some_and(has_install) => Some(is("enabled")),
        (false, Some(true)) if text.is_none() => Some(any(&ENABLED)),
        (false, _) => None,
    };
    let stays = [".timer", ".path", ".socket", ".mount"].iter().any(|ending| unit.name.ends_with(ending));
    let at_boot = text.is_some_and(|text| BOOT.iter().any(|target| text.contains(&format!("WantedBy={target}"))));
    let active = if unit.enable == Some(true) && stays && at_boot { is("active") } else { any(&HEALTHY) };
    let is_template = unit.name.contains("@.");
    let active = (!is_template).then_some(("active", active));
    Some(GuestCheck::new(Kind::Unit, &unit.name, enabled.map(|enabled| ("enabled", enabled)).into_iter().chain(active)))
}
