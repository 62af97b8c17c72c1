//! The machine a bundle is launched as: its installer, its place on the host. Touches nothing.

use super::super::facts;
use super::super::told::Told;
use super::Sight;
use crate::base::{BaseKind, Finding, Rule, Severity};
use crate::recipe::{Media, Network};

/// Judges the machine.
pub(crate) fn judge(sight: &Sight<'_>, told: &mut Told) {
    if sight.recipe.base.kind == BaseKind::Iso {
        installer(sight, told);
    }
    storage(sight, told);
}

/// Finds what an installer would ask, and a first boot that nothing is there for.
fn installer(sight: &Sight<'_>, told: &mut Told) {
    let place = facts::place(sight.recipe);
    let disks = sight.recipe.machine.disks.len();
    if disks > 0 {
        let by_stick = sight.recipe.provision.media == Some(Media::Gpt);
        let text = "the installer sees several blank disks; only the bundle's launch files tell it which one is meant";
        let severity = if by_stick { Severity::Warning } else { Severity::Note };
        told.tell(Finding::new(Rule::SelfinstallAmbiguousDisk, text).at(place.clone()).with_severity(severity));
    }
    if !sight.recipe.provision.is_wanted() {
        let text = "nothing is provisioned beside the installer, and what lies on its medium is gone at the first boot";
        told.warn(Rule::ConfigOnInstallMedia, text, Some(place));
    }
}

/// Finds a storage directory that the host's own libvirt, which `network:` and `bridge:` need, cannot reach.
fn storage(sight: &Sight<'_>, told: &mut Told) {
    let machine = &sight.recipe.machine;
    let needs_system = matches!(machine.network, Network::Network(_) | Network::Bridge(_));
    let in_home = ["/home/", "/root/"].iter().any(|home| format!("{}/", machine.storage).starts_with(home));
    if needs_system && in_home {
        let text = format!("`storage` is {}, below a home directory that the emulator may not enter", machine.storage);
        told.warn(Rule::LibvirtHome, text, machine.storage_place.clone());
    }
}
