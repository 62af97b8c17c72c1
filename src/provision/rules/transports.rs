//! The way a configuration takes: by fw_cfg where that is read, once, and in the order the engines look. Touches nothing.

use super::super::ready;
use super::super::told::Told;
use super::Sight;
use crate::base::{BaseKind, Engine, Finding, Location, Rule, Severity, Transport};

/// Judges the transports.
pub(crate) fn judge(sight: &Sight<'_>, told: &mut Told) {
    arch(sight, told);
    metal(sight, told);
    precedence(sight, told);
    let config = sight.config.map(|config| (config.bytes.as_slice(), config.file.as_str()));
    let script = sight.script.map(|script| (script.bytes.as_slice(), script.file.as_str()));
    for (bytes, file) in config.into_iter().chain(script) {
        looks_itself(bytes, file, told);
    }
}

fn place(sight: &Sight<'_>) -> Option<Location> {
    sight.recipe.provision.transport.place.clone()
}

fn any_by_fw_cfg(sight: &Sight<'_>) -> bool {
    let ignition = sight.freight.has_config && sight.ways.ignition == Transport::FwCfg;
    ignition || (sight.freight.script.is_some() && sight.ways.combustion == Transport::FwCfg)
}

/// Machines of these are not planned yet, but their images are published.
fn arch(sight: &Sight<'_>, told: &mut Told) {
    let without = ["s390x", "ppc64le"].into_iter().find(|arch| sight.facts.says(arch));
    if let (Some(arch), true) = (without, any_by_fw_cfg(sight)) {
        told.warn(Rule::FwcfgArch, format!("the image's name says {arch}, where there is no fw_cfg"), place(sight));
    }
}

fn metal(sight: &Sight<'_>, told: &mut Told) {
    let by_fw_cfg = sight.freight.has_config && sight.ways.ignition == Transport::FwCfg;
    if sight.recipe.base.kind == BaseKind::Raw && by_fw_cfg {
        let text = "a raw image is most likely of a metal flavour, whose Ignition does not look at fw_cfg";
        told.warn(Rule::PlatformMetal, text, place(sight));
    }
}

/// Finds two transports: harmless where each engine looks first at its own, doubtful the other way about.
fn precedence(sight: &Sight<'_>, told: &mut Told) {
    if !sight.ways.differ(&sight.freight) {
        return;
    }
    let (text, severity) = match sight.ways.ignition {
        Transport::Disk => (
            "Ignition takes its config from the disk and Combustion its script by fw_cfg, where each looks first",
            Severity::Note,
        ),
        Transport::FwCfg => (
            "each engine looks first where the other's configuration is: a further disk or entry would win",
            Severity::Warning,
        ),
    };
    told.tell(Finding::new(Rule::Precedence, text).at(place(sight)).with_severity(severity));
}

/// Where a script or unit finds a configuration by itself, and by which transport.
const CHANNELS: [(&str, Engine, Transport); 6] = [
    ("by_name/opt/com.coreos", Engine::Ignition, Transport::FwCfg),
    ("by_name/opt/org.opensuse.combustion", Engine::Combustion, Transport::FwCfg),
    ("by-label/ignition", Engine::Ignition, Transport::Disk),
    ("by-label/IGNITION", Engine::Ignition, Transport::Disk),
    ("by-label/combustion", Engine::Combustion, Transport::Disk),
    ("by-label/COMBUSTION", Engine::Combustion, Transport::Disk),
];

/// Finds a ready-made file that reads a configuration itself, past the engine that was given it.
fn looks_itself(bytes: &[u8], file: &str, told: &mut Told) {
    let text = String::from_utf8_lossy(bytes);
    for (line, number) in text.lines().zip(1..).filter(|(line, _)| !line.trim_start().starts_with('#')) {
        if let Some((_, engine, transport)) = CHANNELS.iter().find(|(part, ..)| line.contains(part)) {
            let (by, without) = match transport {
                Transport::Disk => ("on a disk", "by fw_cfg"),
                Transport::FwCfg => ("by fw_cfg", "on a disk"),
            };
            let text =
                format!("this reads the configuration of {engine} {by}, past the engine; it is not there {without}");
            told.warn(Rule::DupTransport, text, Some(ready::place(file, number, 1)));
        }
    }
}
