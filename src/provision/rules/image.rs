//! What the image can do: its flavour, its Ignition, its size. Touches nothing.

use super::super::facts;
use super::super::ready;
use super::super::told::Told;
use super::Sight;
use crate::base::{BaseKind, Engine, Finding, Rule, Severity, image_name};

/// Judges a recipe by its image.
pub(crate) fn judge(sight: &Sight<'_>, told: &mut Told) {
    flavour(sight, told);
    spec(sight, told);
    partition_numbers(sight, told);
    size(sight, told);
    moving(sight, told);
}

/// Finds an image whose flavour does not read what the recipe provides; known by its published name.
fn flavour(sight: &Sight<'_>, told: &mut Told) {
    let Sight { recipe, facts, .. } = sight;
    if !recipe.provision.is_wanted() || recipe.base.kind == BaseKind::Iso {
        return;
    }
    let place = || Some(facts::place(recipe));
    if facts.says(image_name::SDBOOT) && recipe.provision.engine() == Engine::Ignition {
        told.warn(Rule::SdbootNoIgnition, "the image's name says sdboot, a flavour without Ignition", place());
    }
    if !recipe.provision.containers.is_empty()
        && facts.says(image_name::MICROOS)
        && !facts.says(image_name::CONTAINER_HOST)
    {
        let text = "the image's name does not say ContainerHost, the flavour that has podman to load containers with";
        told.warn(Rule::ContainerPodman, text, place());
    }
    if facts.says(image_name::OPENSTACK) {
        let text = "the image's name says OpenStack-Cloud, a flavour that only cloud-init configures";
        told.warn(Rule::OpenstackCloudinit, text, place());
    }
}

/// Finds a config that the image's Ignition cannot read.
///
/// Where nothing is known of the image, a ready-made config was made for some image, and only what the recipe's own words
/// demand is told: the spec they need is above the one every image takes.
fn spec(sight: &Sight<'_>, told: &mut Told) {
    let ready = sight.config.map(|config| config.ready.spec);
    let spec = ready.max(sight.typed_spec);
    let Some(spec) = spec else { return };
    let node = sight.config.filter(|config| config.ready.spec == spec).and_then(|config| {
        let at = config.ready.root.at_path(&["ignition", "version"])?.at;
        Some(ready::place(&config.file, at.line, at.column))
    });
    let place = node.unwrap_or_else(|| facts::place(sight.recipe));
    match sight.facts.newest_spec {
        Some(newest) if spec > newest => {
            let text =
                format!("the config needs spec 3.{spec}.0, and the image's Ignition knows none above 3.{newest}.0");
            told.tell(Finding::new(Rule::SpecTooNew, text).at(place).with_severity(Severity::Error));
        }
        None if ready < Some(spec) && spec >= crate::format::ignition::SPECIAL_MODE_SPEC => {
            let text = format!("the config needs spec 3.{spec}.0, which Ignition before 2.26 refuses");
            let hint = "leave out setuid, setgid and sticky bits, or be sure that the image is new enough";
            told.tell(Finding::new(Rule::SpecTooNew, text).at(place).hint(hint));
        }
        _ => {}
    }
}

/// The day Ignition 2.20.0 came out, the first that fails at a partition without a number.
const FIRST_PARTITION_BUG: u32 = 20_241_022;

fn partition_numbers(sight: &Sight<'_>, told: &mut Told) {
    if sight.facts.date().is_some_and(|date| date < FIRST_PARTITION_BUG) {
        return;
    }
    let Some(config) = sight.config else { return };
    let disks = config.ready.root.list(&["storage", "disks"]);
    for partition in disks.iter().flat_map(|disk| disk.list(&["partitions"])) {
        if partition.whole("number").unwrap_or_default() == 0 {
            let place = ready::place(&config.file, partition.at.line, partition.at.column);
            told.warn(Rule::PartNumber0, "a partition has no number, or 0 for the next free one", Some(place));
        }
    }
}

/// Finds a system disk that the image does not fit on.
fn size(sight: &Sight<'_>, told: &mut Told) {
    let Some(size) = &sight.recipe.machine.system.size else { return };
    let place = Some(size.place.clone());
    let known = sight.facts.virtual_size.filter(|_| sight.recipe.base.kind != BaseKind::Iso);
    if let Some(needed) = known.filter(|needed| size.value < *needed) {
        let text = format!("the system disk of {} is smaller than the image's own of {needed}", size.value);
        let hint = format!("write size = \"{}\" or more, or leave it out", needed.exact());
        told.tell(Finding::new(Rule::MinDisk, text).at(place).hint(hint));
        return;
    }
    let usual = image_name::published_size(|word| sight.facts.says(word));
    if let (None, Some(usual)) = (known, usual.filter(|usual| size.value < *usual)) {
        let text = format!("the system disk of {} is smaller than the {usual} that such images have", size.value);
        told.tell(Finding::new(Rule::MinDisk, text).at(place).with_severity(Severity::Warning));
    }
}

/// Finds an address that means another image soon, although the very file has an address too.
fn moving(sight: &Sight<'_>, told: &mut Told) {
    if let Some(immutable) = &sight.facts.immutable {
        let text = "the address means another image every few days; the lock says which one it was";
        let hint = format!("to hold on to it write url = \"{immutable}\"");
        told.tell(Finding::new(Rule::MovingUrl, text).at(facts::place(sight.recipe)).hint(hint));
    }
}
