//! Units that cannot be enabled, or that are not there. Touches nothing.

use super::context::RuleContext;
use super::family::{UNITS, is_known};
use super::seen::{Seen, SeenUnit};
use crate::base::text::one_line;
use crate::base::{Finding, Rule, Severity};
use crate::provision::diagnostics::DiagnosticSink;

/// Where podman's generator finds quadlets (podman-systemd.unit(5)), and what it adds to the name of each kind.
const QUADLETS: [&str; 2] = ["/etc/containers/systemd/", "/usr/share/containers/systemd/"];
const KINDS: [(&str, &str); 7] = [
    ("container", ""),
    ("kube", ""),
    ("pod", "-pod"),
    ("volume", "-volume"),
    ("network", "-network"),
    ("image", "-image"),
    ("build", "-build"),
];

/// Time servers are asked by chrony.
const CHRONY: [&str; 2] = ["chronyd.service", "chrony.service"];

/// Checks units that are to be enabled.
pub(crate) fn check(ctx: &RuleContext<'_>, seen: &Seen<'_>, diag: &mut DiagnosticSink) {
    let generated: Vec<String> = seen.files.iter().filter_map(|file| service(file.path, &file.bytes)).collect();
    for unit in seen.units.iter().filter(|unit| unit.is_enabled == Some(true)) {
        match generated.iter().any(|name| name == unit.name) {
            true => quadlet(unit, diag),
            false => unknown(ctx, seen, unit, diag),
        }
    }
    let off = seen.units.iter().find(|unit| CHRONY.contains(&unit.name) && unit.is_enabled == Some(false));
    if let (Some(server), Some(unit)) = (ctx.recipe.provision.settings.ntp.first(), off) {
        let text = format!("`ntp` names time servers, and `{}`, which would ask them, is disabled", unit.name);
        diag.warn(Rule::NtpDisabled, text, Some(server.place.clone()));
    }
}

/// Returns the service that the generator makes of a file; those of users are not the system's.
fn service(path: &str, bytes: &[u8]) -> Option<String> {
    let below = QUADLETS.iter().find_map(|folder| path.strip_prefix(folder))?;
    let (stem, ending) = below.rsplit('/').next()?.rsplit_once('.')?;
    let (_, suffix) = KINDS.iter().find(|(kind, _)| *kind == ending)?;
    let text = String::from_utf8_lossy(bytes);
    let named = text.lines().find_map(|line| line.trim().strip_prefix("ServiceName="));
    (!below.starts_with("users/")).then(|| match named {
        Some(name) => format!("{}.service", name.trim()),
        None => format!("{stem}{suffix}.service"),
    })
}

fn quadlet(unit: &SeenUnit<'_>, diag: &mut DiagnosticSink) {
    let text = format!("`{}` is generated from a quadlet at each boot and cannot be enabled", one_line(unit.name, 80));
    let hint = "leave `enable` out, and write `[Install]` with `WantedBy=multi-user.target` into the quadlet";
    diag.tell(Finding::new(Rule::QuadletUnit, text).at(unit.place.clone()).hint(hint));
}

/// Finds a unit that neither the image nor the recipe has, as far as that is known.
fn unknown(ctx: &RuleContext<'_>, seen: &Seen<'_>, unit: &SeenUnit<'_>, diag: &mut DiagnosticSink) {
    let is_ours = |other: &SeenUnit<'_>| other.has_text && is_instance(unit.name, other.name);
    let in_files = seen.files.iter().any(|file| {
        file.path.contains("/systemd/system/")
            && is_instance(unit.name, file.path.rsplit('/').next().unwrap_or_default())
    });
    let in_image = UNITS.iter().any(|known| is_instance(unit.name, known)) || unit.name.starts_with("systemd-");
    if !is_known(ctx) || in_image || in_files || seen.units.iter().any(is_ours) || ctx.script.is_some() {
        return;
    }
    let provision = &ctx.recipe.provision;
    let brings = !provision.packages.is_empty() || !provision.rpms.is_empty();
    let shown = one_line(unit.name, 80);
    let (severity, text) = match brings {
        true => (
            Severity::Note,
            format!("`{shown}` is enabled: the image is not known to have it; one of the packages must bring it"),
        ),
        false => (
            Severity::Warning,
            format!("`{shown}` is enabled, and neither the image nor the recipe is known to have it"),
        ),
    };
    diag.tell(Finding::new(Rule::UnitUnknown, text).at(unit.place.clone()).with_severity(severity));
}

/// Returns whether a unit is another, or an instance of that template.
fn is_instance(name: &str, of: &str) -> bool {
    name == of
        || name.split_once('@').is_some_and(|(stem, rest)| {
            let ending = rest.rsplit('.').next().unwrap_or_default();
            of.split_once('@')
                .is_some_and(|(template, suffix)| template == stem && suffix.strip_prefix('.') == Some(ending))
        })
}
