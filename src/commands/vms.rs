//! `vms`: list, stop and remove kept machines.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::context::{Context, named};
use super::kept_vms::{VmsDirectory, powering_off};
use super::printer::{Output, Printer, ShownPath};
use crate::base::text::sanitise;
use crate::base::{Diagnostic, Diagnostics, Name};
use crate::host::files;
use crate::store::{Holder, Listed};
use crate::vm::directory;
use crate::vm::disks::BUNDLE;
use crate::vm::watch;

/// List, stop or remove kept machines
#[derive(Debug, Args)]
pub(crate) struct VmsOptions {
    #[command(subcommand)]
    command: Option<VmsCommand>,
    #[command(flatten)]
    vms: VmsDirectory,
}

/// What can be done with kept machines.
#[derive(Debug, Subcommand)]
enum VmsCommand {
    /// List them (the default)
    List,
    /// Ask one that runs to power off; one that has not done so after a minute is forced off
    Stop {
        /// Its name
        name: String,
    },
    /// Remove one with its disks and snapshots
    Remove {
        /// Its name
        name: String,
    },
}

#[derive(Serialize)]
struct VmList {
    machines: Vec<ListedVm>,
    #[serde(skip)]
    run: String,
}

/// A kept machine.
#[derive(Serialize)]
struct ListedVm {
    name: Name,
    runs: bool,
    /// Labels, sorted.
    snapshots: Vec<String>,
    path: ShownPath,
}

#[derive(Serialize)]
struct StoppedVm {
    name: Name,
    off: Off,
}

/// How a machine came to be off.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Off {
    /// It did not run.
    Already,
    /// It powered off when it was asked.
    ByItself,
    /// It did not in time.
    Unplugged,
}

#[derive(Serialize)]
struct RemovedVm {
    name: Name,
    removed: bool,
}

impl VmsOptions {
    pub(crate) const fn only_looks(&self) -> bool {
        matches!(self.command, None | Some(VmsCommand::List))
    }

    pub(crate) fn run(self, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        let vms = &self.vms;
        match self.command.unwrap_or(VmsCommand::List) {
            VmsCommand::List => printer.show(&list(context, vms)?),
            VmsCommand::Stop { name } => printer.show(&stop(context, vms, named(&name, "machine")?)?),
            VmsCommand::Remove { name } => printer.show(&remove(context, vms, &name)?),
        }
    }
}

/// Lists them by name.
fn list(context: &Context<'_>, vms: &VmsDirectory) -> Result<VmList, Diagnostic> {
    let path = vms.path(context)?;
    let listed = |(record, runs, snapshots): (directory::Record, bool, Vec<String>)| {
        let path = path.join(record.name.as_str()).into();
        ListedVm { name: record.name, runs, snapshots, path }
    };
    let machines = directory::list(&path)?.into_iter().map(listed).collect();
    Ok(VmList { machines, run: vms.command("run RECIPE --keep NAME") })
}

/// Removes one with its disks and snapshots.
fn remove(context: &Context<'_>, vms: &VmsDirectory, name: &str) -> Result<RemovedVm, Diagnostic> {
    let (vm, name) = vms.open(context, name)?;
    let link = files::one_spelling(&vm.directory().join(BUNDLE));
    vm.remove()?;
    // The directory of the link is gone, so the store cannot tell by itself that nothing holds the bundle any more.
    if let Ok(Some(store)) = context.open_existing_store() {
        let is_its =
            |listed: &Listed| listed.root.as_ref().is_some_and(|root| root.holder == Holder::Link(link.clone()));
        store.list_roots()?.iter().filter(|listed| is_its(listed)).try_for_each(|listed| store.remove_root(listed))?;
    }
    Ok(RemovedVm { name, removed: true })
}

/// Asks one that runs to power off, and waits until it is.
fn stop(context: &Context<'_>, vms: &VmsDirectory, name: Name) -> Result<StoppedVm, Diagnostic> {
    let directory = vms.directory_of(context, &name)?;
    let place = vms.path(context)?;
    if !directory::is_held(&place, &name) {
        return Ok(StoppedVm { name, off: Off::Already });
    }
    let by_itself = watch::stop(&directory, || context.tell(powering_off(&name)))?;
    directory::wait_until_free(&place, &name)?;
    Ok(StoppedVm { name, off: if by_itself { Off::ByItself } else { Off::Unplugged } })
}

impl Output for VmList {
    fn print(&self, printer: &Printer) {
        for ListedVm { name, runs, snapshots, .. } in &self.machines {
            let state = if *runs { "runs" } else { "off" };
            let snapshots = if snapshots.is_empty() { String::new() } else { format!("  ({})", snapshots.join(", ")) };
            printer.line(format_args!("{name}  {state}{}", sanitise(&snapshots)));
        }
        if self.machines.is_empty() {
            printer.say(&format!("no machine is kept; `{}` keeps one", self.run));
        }
    }
}

impl Output for StoppedVm {
    fn print(&self, printer: &Printer) {
        let how = match self.off {
            Off::Already => "is off already",
            Off::ByItself => "has powered off",
            Off::Unplugged => "was forced off: it did not power off in time",
        };
        printer.say(&format!("`{}` {how}", self.name));
    }
}

impl Output for RemovedVm {
    fn print(&self, printer: &Printer) {
        printer.say(&format!("`{}` is removed", self.name));
    }
}
