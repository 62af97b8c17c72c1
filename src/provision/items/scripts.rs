//! Scripts of the recipe: those that run once, and those that run by the calendar. Touches nothing.
//!
//! Under either engine: as root, in `/`, by its own interpreter, with everything mounted that fstab lists.

use super::context::Context;
use crate::base::{Code, Diagnostic, Location, Rule, Spanned};
use crate::format::combustion::inspect;
use crate::provision::diagnostics::{place_in, redacted};
use crate::provision::engines::choice::Feature;
use crate::provision::guest::{GuestFile, GuestScript, GuestUnit, HEAD, Task};
use crate::provision::rules::disks;
use crate::provision::subvolume;
use crate::recipe::Content;
use crate::recipe::{Run, Timer};

/// Adds every script.
pub(crate) fn scripts(cx: &mut Context<'_>) {
    let mut scripts = vec![];
    for (number, row) in (1..).zip(&cx.recipe.provision.runs) {
        let network = if row.value.network { ", with a network" } else { "" };
        cx.outputs.record(Feature::Scripts, format!("script {number:02}-{}{network}", row.value.name));
        scripts.extend(script(number, row, cx));
    }
    if !scripts.is_empty() {
        cx.outputs.guest(Feature::Scripts).tasks.push(Task::Scripts(scripts));
    }
}

/// Adds the scripts that run by the calendar.
pub(crate) fn timers(cx: &mut Context<'_>) {
    cx.recipe.provision.timers.iter().for_each(|row| timer(row, cx));
}

fn script(number: usize, row: &Spanned<Run>, cx: &mut Context<'_>) -> Option<GuestScript> {
    let Spanned { value: Run { name, content, network }, place } = row;
    let bytes = bytes(name.as_str(), content, place, cx)?;
    let place = redacted(place);
    if inspect(&bytes).is_ok_and(|found| found.flags.network && !network) {
        let text = format!("the line `# combustion: network` of script `{name}` does nothing; write `network = true`");
        cx.diag.warn(Rule::Script, text, Some(place.clone()));
    }
    for directory in subvolume::COMBUSTION_HIDDEN {
        let mounts = |line: &str| line.trim().strip_prefix("mount ").is_some_and(|rest| rest.trim() == directory);
        if String::from_utf8_lossy(&bytes).lines().any(mounts) {
            let text = format!("script `{name}` mounts {directory}, which is mounted already when it runs, and fails");
            cx.diag.warn(Rule::RunMount, text, Some(place.clone()));
        }
    }
    let (title, name) = (name.to_string(), format!("{number:02}-{name}"));
    Some(GuestScript { title, name, bytes, network: *network, place })
}

/// Reads a script, and refuses what no kernel or shell would run.
fn bytes(name: &str, content: &Content, row: &Location, cx: &mut Context<'_>) -> Option<Vec<u8>> {
    let bytes = cx.bytes(content)?;
    let file = if let Content::Path(path) = content { Some(cx.beside(&path.value)) } else { None };
    let at = |line: u32| file.as_ref().map_or_else(|| redacted(row), |file| place_in(file, line, 1));
    let said = |text: &str| text.replace("the script", &format!("script `{name}`"));
    match inspect(&bytes) {
        Ok(found) => {
            disks::script(&bytes, at, &mut cx.diag);
            for warning in found.oddities {
                cx.diag.warn(Rule::Script, said(&warning.text), Some(at(warning.line)));
            }
            Some(bytes)
        }
        Err(warnings) => {
            for warning in warnings {
                let problem = Diagnostic::new(Code::Provision, said(&warning.text)).at(at(warning.line));
                cx.diag.refuse(problem.fact("script", format!("{name}, line {}", warning.line)));
            }
            None
        }
    }
}

/// Adds a script and the two units that run it by the calendar.
fn timer(row: &Spanned<Timer>, cx: &mut Context<'_>) {
    let Spanned { value: Timer { name, on_calendar, content }, place } = row;
    cx.outputs.record(Feature::Units, format!("timer {name}, at {on_calendar}"));
    let Some(bytes) = bytes(name.as_str(), content, place, cx) else { return };
    let place = &redacted(place);
    let path = format!("/etc/arca-build/timers/{name}");
    let service = format!(
        "{HEAD}[Unit]\nDescription=Run the recipe's script {name}\n\n\
         [Service]\nType=oneshot\nExecStart=/bin/sh -c 'exec {path}'\n"
    );
    let clock = format!(
        "{HEAD}[Unit]\nDescription=Run the recipe's script {name} by the calendar\n\n\
         [Timer]\nOnCalendar={on_calendar}\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n"
    );
    let guest = cx.outputs.guest(Feature::Units);
    guest.files.push(GuestFile::new(path, bytes, 0o700, place));
    guest.units.push(GuestUnit::new(format!("arca-timer-{name}.service"), None, service, place));
    guest.units.push(GuestUnit::new(format!("arca-timer-{name}.timer"), Some(true), clock, place));
}
