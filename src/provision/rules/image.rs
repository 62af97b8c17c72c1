//! What the image can do: its flavour, its Ignition, its size. Touches nothing.

use super::context::RuleContext;
use crate::base::{BaseKind, Engine, Finding, Rule, Severity, image_name};
use crate::provision::diagnostics::{DiagnosticSink, place_in};
use crate::provision::facts;
use crate::recipe::Source;

/// Checks a recipe by its image.
pub(crate) fn check(ctx: &RuleContext<'_>, diag: &mut DiagnosticSink) {
    flavour(ctx, diag);
    spec(ctx, diag);
    partition_numbers(ctx, diag);
    size(ctx, diag);
    moving(ctx, diag);
}

/// Finds an image whose flavour does not read what the recipe provides; known by its published name.
fn flavour(ctx: &RuleContext<'_>, diag: &mut DiagnosticSink) {
    let RuleContext { recipe, facts, .. } = ctx;
    if !recipe.provision.is_wanted() || recipe.base.kind == BaseKind::Iso {
        return;
    }
    let place = || Some(facts::place(recipe));
    if facts.says(image_name::SDBOOT) && recipe.provision.engine == Some(Engine::Ignition) {
        diag.warn(Rule::SdbootNoIgnition, "the image's name says sdboot, a flavour without Ignition", place());
    }
    if !recipe.provision.containers.is_empty()
        && facts.says(image_name::MICROOS)
        && !facts.says(image_name::CONTAINER_HOST)
    {
        let text = "the image's name does not say ContainerHost, the flavour that has podman to load containers with";
        diag.warn(Rule::ContainerPodman, text, place());
    }
    if facts.says(image_name::OPENSTACK) {
        let text = "the image's name says OpenStack-Cloud, a flavour that only cloud-init configures";
        diag.warn(Rule::OpenstackCloudinit, text, place());
    }
}

/// Finds a config that the image's Ignition cannot read.
///
/// Where nothing is known of the image, a ready-made config was made for some image, and only what the recipe's own words
/// demand is checked: the spec they need is above the one every image takes.
fn spec(ctx: &RuleContext<'_>, diag: &mut DiagnosticSink) {
    let ready = ctx.config.map(|config| config.ready.spec);
    let spec = ready.max(ctx.typed_spec);
    let Some(spec) = spec else { return };
    let node = ctx.config.filter(|config| config.ready.spec == spec).and_then(|config| {
        let at = config.ready.root.at_path(&["ignition", "version"])?.at;
        Some(place_in(&config.file, at.line, at.column))
    });
    let place = node.unwrap_or_else(|| facts::place(ctx.recipe));
    match ctx.facts.newest_spec {
        Some(newest) if spec > newest => {
            let text =
                format!("the config needs spec 3.{spec}.0, and the image's Ignition knows none above 3.{newest}.0");
            diag.tell(Finding::new(Rule::SpecTooNew, text).at(place).with_severity(Severity::Error));
        }
        None if ready < Some(spec) && spec >= crate::format::ignition::SPECIAL_MODE_SPEC => {
            let text = format!("the config needs spec 3.{spec}.0, which Ignition before 2.26 refuses");
            let hint = "leave out setuid, setgid and sticky bits, or be sure that the image is new enough";
            diag.tell(Finding::new(Rule::SpecTooNew, text).at(place).hint(hint));
        }
        _ => {}
    }
}

/// The day Ignition 2.20.0 came out, the first that fails at a partition without a number.
const FIRST_PARTITION_BUG: u32 = 20_241_022;

fn partition_numbers(ctx: &RuleContext<'_>, diag: &mut DiagnosticSink) {
    if ctx.facts.date().is_some_and(|date| date < FIRST_PARTITION_BUG) {
        return;
    }
    let Some(config) = ctx.config else { return };
    let disks = config.ready.root.list(&["storage", "disks"]);
    for partition in disks.iter().flat_map(|disk| disk.list(&["partitions"])) {
        if partition.whole("number").unwrap_or_default() == 0 {
            let place = place_in(&config.file, partition.at.line, partition.at.column);
            diag.warn(Rule::PartNumber0, "a partition has no number, or 0 for the next free one", Some(place));
        }
    }
}

/// Finds a system disk that the image does not fit on.
fn size(ctx: &RuleContext<'_>, diag: &mut DiagnosticSink) {
    let Some(size) = ctx.recipe.machine.system_size() else { return };
    let place = Some(size.place.clone());
    let known = ctx.facts.virtual_size.filter(|_| ctx.recipe.base.kind != BaseKind::Iso);
    if let Some(needed) = known.filter(|needed| *size.value < *needed) {
        let text = format!("the system disk of {} is smaller than the image's own of {needed}", *size.value);
        let hint = format!("write size = \"{}\" or more, or leave it out", needed.exact());
        diag.tell(Finding::new(Rule::MinDisk, text).at(place).hint(hint));
        return;
    }
    let usual = image_name::published_size(|word| ctx.facts.says(word));
    if let (None, Some(usual)) = (known, usual.filter(|usual| *size.value < *usual)) {
        let text = format!("the system disk of {} is smaller than the {usual} that such images have", *size.value);
        diag.tell(Finding::new(Rule::MinDisk, text).at(place).with_severity(Severity::Warning));
    }
}

/// Finds an address that means another image soon, where only a digest in the recipe says which one it was. A lock has the address
/// of the very file too.
fn moving(ctx: &RuleContext<'_>, diag: &mut DiagnosticSink) {
    let base = &ctx.recipe.base;
    let Source::Url(url) = &base.source.value else { return };
    let moves = image_name::is_tumbleweed(url.file_name()) && image_name::snapshot(url.file_name()).is_none();
    if moves && url.is_remote() && base.sha256.is_some() && ctx.facts.immutable.is_none() {
        let text = "the address means another image every few days, and `sha256` is the digest of one of them";
        let hint = "leave out `sha256` and run `arca-build update`, which pins the image with its lasting address";
        diag.tell(Finding::new(Rule::MovingUrl, text).at(facts::place(ctx.recipe)).hint(hint));
    }
}
