//! What a recipe says of systemd units, of scripts that run once and of those that run by the calendar. Touches nothing.

use super::content::{self, Content, Text};
use super::path::RecipePath;
use super::table::table;
use super::types::{CalendarEvent, DropinName, UnitName};
use crate::base::Name;
use crate::format::toml::Table;

table! {
    /// `[[provision.unit]]`: a systemd unit.
    Unit in "provision.unit[]" by "name" {
        /// with its ending, like `nas.service`
        name: UnitName = "required",
        /// start it at boot, or not
        enable: Option<bool>,
        /// make it impossible to start
        mask: bool = "false",
        /// a drop-in for the unit
        dropins as "dropin": Vec<Dropin>,
    } with {
        /// the unit file; or `source`
        text: Option<Text>,
        /// a file beside the recipe; or `text`
        source: Option<RecipePath>,
    } into {
        content: Option<Content> = content::optional,
    }
    check check_unit
}

fn check_unit(table: &Table<'_>, unit: &Unit) {
    if !["enable", "mask", "text", "source", "dropin"].into_iter().any(|key| table.has(key)) {
        let problem = table.problem(format!("the unit `{}` would change nothing", unit.name));
        table.document.tell(problem.hint("add `enable`, `mask`, `text`, `source` or a `[[provision.unit.dropin]]`"));
    }
}

table! {
    /// `[[provision.unit.dropin]]`.
    Dropin in "provision.unit[].dropin[]" by "name" {
        /// ends in .conf
        name: DropinName = "required",
    } with {
        /// its content; or `source`
        text: Option<Text>,
        /// a file beside the recipe; or `text`
        source: Option<RecipePath>,
    } into {
        content: Content = dropin,
    }
}

fn dropin(table: &Table<'_>) -> Option<Content> {
    content::required(table, "the drop-in", "add `text`")
}

table! {
    /// `[[provision.run]]`: a script that runs once, at the first boot, in the order written.
    Run in "provision.run[]" by "name" {
        /// names it in messages and its unit, arca-run-NN-NAME.service
        name: Name = "required",
        /// it needs the network
        network: bool = "false",
    } with {
        /// the script, with its `#!` line; or `source`
        text: Option<Text>,
        /// a file beside the recipe; or `text`
        source: Option<RecipePath>,
    } into {
        content: Content = script,
    }
}

table! {
    /// `[[provision.timer]]`: a script that runs by the calendar.
    Timer in "provision.timer[]" by "name" {
        /// names its units, arca-timer-NAME.timer and .service
        name: Name = "required",
        /// when, as systemd.time(7) writes it, like "Mon 03:00"
        on_calendar: CalendarEvent = "required" like "\"daily\"",
    } with {
        /// the script, with its `#!` line; or `source`
        text: Option<Text>,
        /// a file beside the recipe; or `text`
        source: Option<RecipePath>,
    } into {
        content: Content = script,
    }
}

fn script(table: &Table<'_>) -> Option<Content> {
    content::required(table, &format!("`{}`", table.title()), "add `text`, or `source` with a file beside the recipe")
}
