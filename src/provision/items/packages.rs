//! Packages: from the image's repositories by name, and carried files. Touches nothing.

use super::context::Context;
use crate::base::text::one_line;
use crate::guest_report::Kind;
use crate::provision::checks::GuestCheck;
use crate::provision::engines::choice::Feature;
use crate::provision::guest::{GuestPackage, Task};

/// Adds the packages.
pub(crate) fn packages(cx: &mut Context<'_>) {
    let (names, rpms) = (&cx.recipe.provision.packages, &cx.recipe.provision.rpms);
    let mut packages: Vec<GuestPackage> = rpms.iter().map(|rpm| cx.pins.package(&rpm.value)).collect();
    let all = names.iter().map(|name| name.value.as_str()).chain(packages.iter().map(|package| package.name.as_str()));
    all.for_each(|name| cx.outputs.record(Feature::Packages, format!("package {}", one_line(name, 100))));
    // Of a pattern rpm knows nothing.
    let asked = names.iter().map(|name| name.value.as_str()).filter(|name| !name.contains(':'));
    let asked = asked.map(|name| name.split(['=', '<', '>']).next().unwrap_or_default().trim_end());
    let installed = asked.chain(rpms.iter().filter_map(|rpm| installed_name(rpm.value.file_name())));
    let checks = installed.map(|name| (Feature::Packages, GuestCheck::new(Kind::Package, name, [])));
    cx.outputs.checks.extend(checks);
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    let mut places = names.iter().map(|name| &name.place).chain(rpms.iter().map(|rpm| &rpm.place));
    if let Some(place) = places.next() {
        let guest = cx.outputs.guest(Feature::Packages);
        guest.packages = packages;
        guest.tasks.push(Task::Packages(names.clone(), place.clone()));
    }
}

/// Returns the name of the package in a file, where the file's name is as rpm writes it.
fn installed_name(file: &str) -> Option<&str> {
    let stem = file.strip_suffix(".rpm")?;
    let (name, arch) = stem.rsplit_once('.')?;
    let is_usual = name.matches('-').count() >= 2
        && ["noarch", "x86_64", "aarch64", "i586", "i686"].contains(&arch)
        && stem.chars().all(|c| c.is_ascii_alphanumeric() || "._+~^-".contains(c));
    is_usual.then(|| stem.rsplitn(3, '-').nth(2)).flatten()
}
