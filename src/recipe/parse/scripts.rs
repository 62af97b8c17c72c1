//! What runs in the guest: `[[provision.run]]`, `[[provision.timer]]`, `packages`; form only. Touches nothing.

use super::super::scripts::{Run, Timer, is_calendar, is_package};
use super::super::{Content, RecipePath};
use super::path;
use super::provision::content;
use crate::base::text::one_line;
use crate::base::{Name, Spanned};
use crate::format::toml::{Table, Value};

/// Reads `script`: the path of a ready-made one. Tables under that name are meant for another key.
pub(super) fn ready(value: &Value<'_>) -> Option<Spanned<RecipePath>> {
    if value.is_list() {
        let headline = "`script` is the path of one ready-made Combustion script";
        value.refuse(headline, "scripts that are part of the recipe are `[[provision.run]]`");
        return None;
    }
    Some(value.located(path(value)?))
}

/// Reads `[[provision.run]]`.
pub(super) fn run(table: &Table<'_>) -> Option<Run> {
    let (name, content) = (name(table), script(table));
    let network = table.get("network").and_then(|value| value.boolean()).unwrap_or(false);
    Some(Run { name: name?, content: content?, network })
}

/// Reads `[[provision.timer]]`.
pub(super) fn timer(table: &Table<'_>) -> Option<Timer> {
    let on_calendar = table.need("on_calendar", "`on_calendar = \"daily\"`").and_then(|value| calendar(&value));
    let (name, content) = (name(table), script(table));
    Some(Timer { name: name?, on_calendar: on_calendar?, content: content? })
}

/// Reads `packages`, of which none may stand twice.
pub(super) fn packages(table: &Table<'_>) -> Vec<Spanned<String>> {
    let mut packages: Vec<Spanned<String>> = vec![];
    for value in table.get("packages").map(|value| value.list()).unwrap_or_default() {
        let Some(text) = value.line() else { continue };
        let shown = one_line(text, 80);
        if !is_package(text) {
            let hint = "a name like \"htop\", or \"pattern:NAME\", maybe with \"=VERSION\"; a file by address is a `[[provision.rpm]]`";
            value.refuse(format!("`{shown}` is no name of a package"), hint);
        } else if packages.iter().any(|other| other.value == text) {
            value.refuse(format!("the package `{shown}` is there twice"), "remove one of them");
        } else {
            packages.push(value.located(text.to_owned()));
        }
    }
    packages
}

fn name(table: &Table<'_>) -> Option<Name> {
    table.get("name").and_then(|value| value.accept(Name::parse(value.line()?), ""))
}

fn script(table: &Table<'_>) -> Option<Content> {
    let content = content(table);
    if !table.has("text") && !table.has("source") && !table.document.is_broken() {
        let problem = table.problem(format!("`{}` has neither `text` nor `source`", table.title()));
        table.document.tell(problem.hint("add `text`, or `source` with a file beside the recipe"));
    }
    content
}

fn calendar(value: &Value<'_>) -> Option<String> {
    let text = value.line()?;
    if !is_calendar(text) {
        let headline = format!("`{}` is no calendar event of systemd", one_line(text, 80));
        value.refuse(
            headline,
            "write \"daily\", \"Mon 03:00\" or \"*-*-01 04:00\"; `systemd-analyze calendar` tells what one means",
        );
        return None;
    }
    Some(text.to_owned())
}
