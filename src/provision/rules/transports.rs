//! The way a configuration takes: by fw_cfg where that is read, once, and in the order the engines look. Touches nothing.

use super::context::RuleContext;
use crate::base::{BaseKind, Engine, Finding, Location, Rule, Severity, Transport};
use crate::provision::diagnostics::{DiagnosticSink, place_in};

/// Checks the transports.
pub(crate) fn check(ctx: &RuleContext<'_>, diag: &mut DiagnosticSink) {
    arch(ctx, diag);
    metal(ctx, diag);
    precedence(ctx, diag);
    let config = ctx.config.map(|config| (config.bytes.as_slice(), config.file.as_str()));
    let script = ctx.script.map(|script| (script.bytes.as_slice(), script.file.as_str()));
    for (bytes, file) in config.into_iter().chain(script) {
        looks_itself(bytes, file, diag);
    }
}

fn place(ctx: &RuleContext<'_>) -> Option<Location> {
    ctx.recipe.provision.transport.place.clone()
}

fn any_by_fw_cfg(ctx: &RuleContext<'_>) -> bool {
    let ignition = ctx.payload.has_config && ctx.transports.ignition == Transport::FwCfg;
    ignition || (ctx.payload.script.is_some() && ctx.transports.combustion == Transport::FwCfg)
}

/// Machines of these are not planned yet, but their images are published.
fn arch(ctx: &RuleContext<'_>, diag: &mut DiagnosticSink) {
    let without = ["s390x", "ppc64le"].into_iter().find(|arch| ctx.facts.says(arch));
    if let (Some(arch), true) = (without, any_by_fw_cfg(ctx)) {
        diag.warn(Rule::FwcfgArch, format!("the image's name says {arch}, where there is no fw_cfg"), place(ctx));
    }
}

fn metal(ctx: &RuleContext<'_>, diag: &mut DiagnosticSink) {
    let by_fw_cfg = ctx.payload.has_config && ctx.transports.ignition == Transport::FwCfg;
    if ctx.recipe.base.kind == BaseKind::Raw && by_fw_cfg {
        let text = "a raw image is most likely of a metal flavour, whose Ignition does not look at fw_cfg";
        diag.warn(Rule::PlatformMetal, text, place(ctx));
    }
}

/// Finds two transports: harmless where each engine looks first at its own, doubtful the other way about.
fn precedence(ctx: &RuleContext<'_>, diag: &mut DiagnosticSink) {
    if !ctx.transports.differ(&ctx.payload) {
        return;
    }
    let (text, severity) = match ctx.transports.ignition {
        Transport::Disk => (
            "Ignition takes its config from the disk and Combustion its script by fw_cfg, where each looks first",
            Severity::Note,
        ),
        Transport::FwCfg => (
            "each engine looks first where the other's configuration is: a further disk or entry would win",
            Severity::Warning,
        ),
    };
    diag.tell(Finding::new(Rule::Precedence, text).at(place(ctx)).with_severity(severity));
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
fn looks_itself(bytes: &[u8], file: &str, diag: &mut DiagnosticSink) {
    let text = String::from_utf8_lossy(bytes);
    for (line, number) in text.lines().zip(1..).filter(|(line, _)| !line.trim_start().starts_with('#')) {
        if let Some((_, engine, transport)) = CHANNELS.iter().find(|(part, ..)| line.contains(part)) {
            let (by, without) = match transport {
                Transport::Disk => ("on a disk", "by fw_cfg"),
                Transport::FwCfg => ("by fw_cfg", "on a disk"),
            };
            let text =
                format!("this reads the configuration of {engine} {by}, past the engine; it is not there {without}");
            diag.warn(Rule::DupTransport, text, Some(place_in(file, number, 1)));
        }
    }
}
