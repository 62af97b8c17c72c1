//! `new`: a commented recipe to start from.

use std::path::Path;

use clap::Args;
use serde::Serialize;

use super::context::{Context, named};
use super::printer::{Output, Printer, ShownPath};
use crate::base::{Diagnostics, Name};
use crate::host::files;
use crate::recipe::Recipe;

/// Write a commented recipe NAME.toml to start from
#[derive(Debug, Args)]
pub(crate) struct NewOptions {
    /// Name of the recipe, hence of the machine
    name: String,
}

#[derive(Serialize)]
struct NewOutput {
    recipe: ShownPath,
    #[serde(skip)]
    name: Name,
}

impl NewOptions {
    /// Writes `<name>.toml` in the working directory, never over a file that is there.
    pub(crate) fn run(self, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        let name = named(self.name.strip_suffix(".toml").unwrap_or(&self.name), "recipe")?;
        let path = context.absolute(Path::new(&format!("{name}.toml")));
        files::write_new(&path, Recipe::template(&name).as_bytes())?;
        printer.show(&NewOutput { recipe: path.into(), name })
    }
}

impl Output for NewOutput {
    fn print(&self, printer: &Printer) {
        let name = &self.name;
        printer.line(format_args!("{name}.toml"));
        printer.say("put your ssh key in, where it says so; then");
        let rows = [
            (format!("  arca-build update {name}.toml"), "asks the publisher for today's image and pins it"),
            (format!("  arca-build {name}.toml"), "fetches, verifies, builds"),
            (format!("  arca-build run {name}.toml --test"), "boots it on throw-away disks: did it come up as asked?"),
            (format!("  sudo arca-build install ./result-{name} --start"), "or makes it a libvirt domain that stays"),
        ];
        let rows: Vec<_> = rows.iter().map(|(command, what)| (command.as_str(), (*what).to_owned())).collect();
        printer.say_aligned(&rows);
    }
}
