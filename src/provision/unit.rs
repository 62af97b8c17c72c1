//! Units and drop-ins for systemd. Touches nothing.

use super::split::Side;
use super::told::Told;
use super::wanted::{self, WantedUnit};
use crate::base::text::one_line;
use crate::base::{Location, Rule, Spanned};
use crate::format::ignition::unit::{LINE_LIMIT, fault};
use crate::recipe::{Content, LocalFiles, Recipe, Unit};

/// The endings of unit names (systemd.unit(5)).
const ENDINGS: [&str; 11] =
    ["automount", "device", "mount", "path", "scope", "service", "slice", "socket", "swap", "target", "timer"];

/// Checks one unit and fetches its texts.
pub(crate) fn unit(
    recipe: &Recipe,
    unit: &Spanned<Unit>,
    files: &LocalFiles,
    side: Side,
    told: &mut Told,
) -> WantedUnit {
    let Spanned { value: Unit { name, enable, mask, content, dropins }, place } = unit;
    let shown = one_line(name, 80);
    if !is_name(name) {
        told.refuse_at(
            place,
            format!("`{shown}` is no name of a systemd unit"),
            "it ends in .service, .timer, .mount, …",
        );
    }
    if *mask && (*enable == Some(true) || content.is_some()) {
        let other = if content.is_some() { "has contents" } else { "is enabled" };
        told.refuse_at(
            place,
            format!("`{shown}` is masked and {other}; a masked unit never starts"),
            "keep one of them",
        );
    }
    let text = |content: &Content, told: &mut Told| self::text(recipe, content, files, (side, place), told);
    let contents = content.as_ref().and_then(|content| text(content, told));
    if *enable == Some(true) && contents.as_ref().is_some_and(|contents| !has_install(contents)) {
        let advice = format!("`{shown}` is enabled but its [Install] section says nothing, so nothing will start it");
        told.warn(Rule::UnitNoInstall, advice, Some(place.clone()));
    }
    let mut kept = vec![];
    for dropin in dropins {
        if !is_dropin_name(&dropin.name) || dropins.iter().filter(|other| other.name == dropin.name).count() > 1 {
            let headline =
                format!("`{}` is no name of a drop-in of `{shown}`, or there twice", one_line(&dropin.name, 80));
            told.refuse_at(place, headline, "each ends in .conf, holds no `/`, and has a name of its own");
        }
        kept.extend(text(&dropin.content, told).map(|text| (dropin.name.clone(), text)));
    }
    WantedUnit { name: name.clone(), enable: *enable, mask: *mask, contents, dropins: kept, place: place.clone() }
}

/// Tells whether enabling the unit would do anything (systemd.unit(5), "\[Install\] section options").
pub(crate) fn has_install(contents: &str) -> bool {
    let mut lines = contents.lines().map(str::trim).skip_while(|line| *line != "[Install]").skip(1);
    let keys = ["WantedBy", "RequiredBy", "UpheldBy", "Alias", "Also", "DefaultInstance"];
    lines.any(|line| line.split_once('=').is_some_and(|(key, _)| keys.contains(&key.trim())))
}

/// Fetches text: Ignition carries units as JSON strings, so they are UTF-8.
fn text(
    recipe: &Recipe,
    content: &Content,
    files: &LocalFiles,
    (side, place): (Side, &Location),
    told: &mut Told,
) -> Option<String> {
    let bytes = wanted::bytes(recipe, content, files, told)?;
    let place = if let Content::Path(path) = content { &path.place } else { place };
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => {
            if side == Side::Ignition {
                readable(&text, place, told);
            }
            Some(text)
        }
        _ => {
            told.refuse_at(place, "a unit is text in UTF-8 without NUL", "");
            None
        }
    }
}

/// Refuses what systemd takes but Ignition, which reads units too, fails the boot at.
fn readable(text: &str, place: &Location, told: &mut Told) {
    let long = text.lines().position(|line| line.len() >= LINE_LIMIT);
    let long = long.map(|line| (line + 1, "a line has 2048 bytes or more; continue it in the next by a final `\\`"));
    if let Some((line, what)) = fault(text).or(long) {
        let headline = format!("Ignition cannot read line {line} of this unit: {what}");
        told.refuse_at(place, headline, "Ignition is stricter than systemd here; engine = \"combustion\" is not");
    }
}

fn plain(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.' | '\\' | '@');
    text.len() <= 255 && text.chars().all(plain)
}

fn is_name(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(stem, ending)| !stem.is_empty() && ENDINGS.contains(&ending)) && plain(name)
}

fn is_dropin_name(name: &str) -> bool {
    name.strip_suffix(".conf").is_some_and(|stem| !stem.is_empty()) && plain(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_names_are_those_of_systemd() {
        for good in ["sshd.service", "a@b.timer", "srv-x\\x2dy.mount", "multi-user.target"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "sshd", ".service", "a/b.service", "a b.service", "a.conf", "a.service\n", &"a".repeat(300)] {
            assert!(!is_name(bad), "{bad:?}");
        }
        assert!(is_dropin_name("10-a.conf") && !is_dropin_name(".conf") && !is_dropin_name("../a.conf"));
    }
}
