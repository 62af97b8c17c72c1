//! The machine a bundle is launched as: its installer, its place on the host. Touches nothing.

use super::context::RuleContext;
use crate::base::text::one_line;
use crate::base::{BaseKind, Finding, Rule, Severity, Spanned};
use crate::provision::diagnostics::DiagnosticSink;
use crate::provision::facts;
use crate::recipe::network::{Link, NetworkProfile};
use crate::recipe::{Media, Network};

/// Checks the machine.
pub(crate) fn check(ctx: &RuleContext<'_>, diag: &mut DiagnosticSink) {
    if ctx.recipe.base.kind == BaseKind::Iso {
        installer(ctx, diag);
    }
    storage(ctx, diag);
    network(ctx, diag);
    cards(ctx, diag);
}

/// Finds profiles for more cards than the machine has.
fn cards(ctx: &RuleContext<'_>, diag: &mut DiagnosticSink) {
    let has_more = ctx.recipe.machine.hardware.xml.iter().any(|edit| edit.element().name == "interface");
    let is_card = |profile: &&Spanned<NetworkProfile>| matches!(profile.value.link, Link::Ethernet { .. });
    let mut profiles = ctx.recipe.provision.networks.iter().filter(is_card);
    let (Some(first), Some(second), false) = (profiles.next(), profiles.next(), has_more) else { return };
    let text = format!("`{}` and `{}` are for two cards, and the machine has one", first.value.name, second.value.name);
    diag.warn(Rule::ProfileCard, text, Some(second.place.clone()));
}

/// Finds what needs the network that the machine does not have.
fn network(ctx: &RuleContext<'_>, diag: &mut DiagnosticSink) {
    if ctx.recipe.machine.network != Network::None {
        return;
    }
    let provision = &ctx.recipe.provision;
    let packages = provision.packages.first().map(|name| ("`packages` come over a network", &name.place));
    let runs =
        provision.runs.iter().filter(|run| run.value.network).map(|run| ("a script waits for a network", &run.place));
    for (what, place) in packages.into_iter().chain(runs) {
        let text = format!("{what}, and the machine has none: network = \"none\"");
        diag.tell(Finding::new(Rule::NoNetwork, text).at(place.clone()).with_severity(Severity::Error));
    }
}

/// Finds what an installer would ask, and a first boot that nothing is there for.
fn installer(ctx: &RuleContext<'_>, diag: &mut DiagnosticSink) {
    let place = facts::place(ctx.recipe);
    if !["SelfInstall", "selfinstall", "self-install"].iter().any(|word| ctx.facts.says(word)) {
        let text = format!("`{}` is not known as a SelfInstall image", one_line(&ctx.facts.file_name, 80));
        diag.warn(Rule::NotSelfinstall, text, Some(place.clone()));
    }
    let disks = ctx.recipe.machine.disks.len();
    if disks > 0 {
        let by_stick = ctx.recipe.provision.media == Some(Media::Gpt);
        let text = "the installer sees several blank disks; only the bundle's launch files tell it which one is meant";
        let severity = if by_stick { Severity::Warning } else { Severity::Note };
        diag.tell(Finding::new(Rule::SelfinstallAmbiguousDisk, text).at(place.clone()).with_severity(severity));
    }
    if !ctx.recipe.provision.is_wanted() {
        let text = "nothing is provisioned beside the installer, and what lies on its medium is gone at the first boot";
        diag.warn(Rule::ConfigOnInstallMedia, text, Some(place));
    }
}

/// Finds a storage directory that the host's own libvirt, which `network:` and `bridge:` need, cannot reach.
fn storage(ctx: &RuleContext<'_>, diag: &mut DiagnosticSink) {
    let machine = &ctx.recipe.machine;
    let needs_system = matches!(machine.network, Network::Network(_) | Network::Bridge(_));
    let Spanned { value: storage, place } = &machine.storage;
    let in_home = ["/home/", "/root/"].iter().any(|home| format!("{storage}/").starts_with(home));
    if needs_system && in_home {
        let text = format!("`storage` is {storage}, below a home directory that the emulator may not enter");
        diag.warn(Rule::LibvirtHome, text, Some(place.clone()));
    }
}
