//! `snapshot` and `rollback`: copies of a kept machine's disks.

use clap::Args;
use serde::Serialize;

use super::context::{Context, named};
use super::kept_vms::VmsDirectory;
use super::printer::{Output, Printer};
use crate::base::{Diagnostics, Name};
use crate::vm::directory;

/// Copy the disks of a kept machine that is off
#[derive(Debug, Args)]
pub(crate) struct SnapshotOptions {
    /// Its name
    name: String,
    /// What the copy is called [default: the first of s1, s2 and so on that is free]
    label: Option<String>,
    #[command(flatten)]
    vms: VmsDirectory,
}

/// Bring the disks of a kept machine that is off back to a snapshot
#[derive(Debug, Args)]
pub(crate) struct RollbackOptions {
    /// Its name
    name: String,
    /// The snapshot's label
    label: String,
    #[command(flatten)]
    vms: VmsDirectory,
}

#[derive(Serialize)]
struct SnapshotOutput {
    name: Name,
    snapshot: Name,
    #[serde(skip)]
    rollback: String,
}

#[derive(Serialize)]
struct RollbackOutput {
    name: Name,
    rolled_back_to: Name,
}

impl SnapshotOptions {
    pub(crate) fn run(self, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        let given = self.label.as_deref().map(|label| named(label, "snapshot")).transpose()?;
        let (vm, name) = self.vms.open(context, &self.name)?;
        let snapshot = match given {
            Some(given) => given,
            None => {
                let taken = directory::snapshots(vm.directory())?;
                let free = (1..).map(|n: u32| format!("s{n}")).find(|label| !taken.contains(label));
                named(&free.unwrap_or_default(), "snapshot")?
            }
        };
        vm.snapshot(&snapshot)?;
        let rollback = self.vms.command(&format!("rollback {name} {snapshot}"));
        printer.show(&SnapshotOutput { name, snapshot, rollback })
    }
}

impl RollbackOptions {
    pub(crate) fn run(self, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        let label = named(&self.label, "snapshot")?;
        let (vm, name) = self.vms.open(context, &self.name)?;
        vm.rollback(&label)?;
        printer.show(&RollbackOutput { name, rolled_back_to: label })
    }
}

impl Output for SnapshotOutput {
    fn print(&self, printer: &Printer) {
        printer.line(&self.snapshot);
        printer.say(&format!("`{}` brings it back", self.rollback));
    }
}

impl Output for RollbackOutput {
    fn print(&self, printer: &Printer) {
        printer.say(&format!("`{}` is back at snapshot `{}`", self.name, self.rolled_back_to));
    }
}
