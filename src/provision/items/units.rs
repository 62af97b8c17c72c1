//! Units and drop-ins for systemd. Touches nothing.

use super::context::{Context, content_place};
use crate::base::text::one_line;
use crate::base::{Location, Rule, Spanned};
use crate::provision::engines::choice::Feature;
use crate::provision::guest::GuestUnit;
use crate::recipe::{Content, Unit};

/// Adds the units of the recipe.
pub(crate) fn units(cx: &mut Context<'_>) {
    for Spanned { value: unit, place } in &cx.recipe.provision.units {
        let unit = self::unit(unit, place, cx);
        cx.outputs.record(Feature::Units, format!("unit {}", one_line(&unit.name, 100)));
        cx.outputs.guest(Feature::Units).units.push(unit);
    }
}

fn unit(unit: &Unit, place: &Location, cx: &mut Context<'_>) -> GuestUnit {
    let Unit { name, enable, mask, content, dropins } = unit;
    let shown = one_line(name, 80);
    if *mask && (*enable == Some(true) || content.is_some()) {
        let other = if content.is_some() { "has contents" } else { "is enabled" };
        let headline = format!("`{shown}` is masked and {other}; a masked unit never starts");
        cx.diag.refuse_at(place, headline, "keep one of them");
    }
    let contents = content.as_ref().and_then(|content| text(content, place, cx));
    if *enable == Some(true) && contents.as_ref().is_some_and(|contents| !has_install(contents)) {
        let advice = format!("`{shown}` is enabled but its [Install] section says nothing, so nothing will start it");
        cx.diag.warn(Rule::UnitNoInstall, advice, Some(place.clone()));
    }
    let mut texts = vec![];
    for dropin in dropins {
        texts.extend(text(&dropin.content, place, cx).map(|text| (dropin.name.to_string(), text)));
    }
    let (mask, place) = (*mask, place.clone());
    GuestUnit { name: name.to_string(), enable: *enable, is_preset: false, mask, contents, dropins: texts, place }
}

/// Fetches text: Ignition carries units as JSON strings, so they are UTF-8.
fn text(content: &Content, place: &Location, cx: &mut Context<'_>) -> Option<String> {
    let text = String::from_utf8(cx.bytes(content)?).ok().filter(|text| !text.contains('\0'));
    if text.is_none() {
        cx.diag.refuse_at(content_place(content, place), "a unit is text in UTF-8 without NUL", "");
    }
    text
}

/// Returns whether enabling the unit would do anything (systemd.unit(5), "\[Install\] section options").
pub(crate) fn has_install(contents: &str) -> bool {
    let mut lines = contents.lines().map(str::trim).skip_while(|line| *line != "[Install]").skip(1);
    let keys = ["WantedBy", "RequiredBy", "UpheldBy", "Alias", "Also", "DefaultInstance"];
    lines.any(|line| line.split_once('=').is_some_and(|(key, _)| keys.contains(&key.trim())))
}
