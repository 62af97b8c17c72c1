//! `install` and `uninstall`: their flags, and what they print. Touches the terminal through its printer.

use std::path::PathBuf;

use clap::{Subcommand, ValueHint};
use serde_json::json;

use super::dispatch::lossy;
use crate::base::{ByteSize, Diagnostics, Name, Transport};
use crate::commands::install::{Installed, State};
use crate::commands::printer::Printer;
use crate::commands::uninstall::Uninstalled;
use crate::commands::{self, Context};

/// The commands about machines that libvirt knows.
#[derive(Debug, Subcommand)]
pub(crate) enum InstallCommand {
    /// Make a virtual machine of a bundle: copy it, check every byte, define it in libvirt
    Install {
        /// A bundle (or the link to it), or a recipe, which is built first
        #[arg(value_name = "BUNDLE|RECIPE", value_hint = ValueHint::AnyPath)]
        target: PathBuf,
        /// libvirt to use [default: what virsh takes from the environment, else qemu:///system for root, qemu:///session for others]
        #[arg(long, value_name = "URI")]
        connect: Option<String>,
        /// Directory for instances [default: the recipe's; for a session $XDG_DATA_HOME/arca-build/instances]
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        storage: Option<PathBuf>,
        /// Name of the instance, hence of the domain [default: the recipe's]
        #[arg(long, value_parser = name)]
        name: Option<Name>,
        /// How the configuration reaches the guest [default: the recipe's]
        #[arg(long, value_parser = transport())]
        transport: Option<Transport>,
        /// Start it too
        #[arg(long)]
        start: bool,
        /// Look whether it would work and tell what would be done, do nothing
        #[arg(long)]
        dry_run: bool,
        /// Take a bundle that is not of your own store though its recipe edits the domain by [[machine.xml]]
        #[arg(long)]
        allow_edits: bool,
    },
    /// Take an installed machine away: domain, files, and the base if no other needs it
    Uninstall {
        /// Name of the instance
        #[arg(value_parser = name)]
        name: Name,
        /// Directory it was installed below [default: where `install` puts instances by itself]
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        storage: Option<PathBuf>,
        /// libvirt to use [default: the one it was installed for]
        #[arg(long, value_name = "URI")]
        connect: Option<String>,
        /// Also delete data disks that the guest has written
        #[arg(long)]
        delete_data: bool,
    },
}

/// Reads the name of an instance.
fn name(text: &str) -> Result<Name, crate::base::name::NameError> {
    Name::parse(text)
}

/// Takes a transport by its word.
fn transport() -> impl clap::builder::TypedValueParser<Value = Transport> {
    use clap::builder::TypedValueParser;
    clap::builder::PossibleValuesParser::new(Transport::WORDS)
        .map(|word| Transport::parse(&word).unwrap_or(Transport::Disk))
}

/// Runs one of them.
pub(super) fn dispatch(command: InstallCommand, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
    match command {
        InstallCommand::Install { target, connect, storage, name, transport, start, dry_run, allow_edits } => {
            let options =
                commands::install::InstallOptions { connect, storage, name, transport, start, dry_run, allow_edits };
            print(printer, &commands::install::install(context, &target, &options)?);
        }
        InstallCommand::Uninstall { name, storage, connect, delete_data } => {
            let options = commands::uninstall::UninstallOptions { storage, connect, delete_data };
            print_gone(printer, &commands::uninstall::uninstall(context, &name, &options)?);
        }
    }
    Ok(())
}

/// Prints the instance's directory, or what would be done.
fn print(printer: &Printer, installed: &Installed) {
    if printer.is_json() {
        return printer.json(&to_json(installed));
    }
    installed.doubts.iter().for_each(|doubt| printer.say(&format!("note: {doubt}")));
    if installed.state == State::Planned {
        return print_plan(printer, installed);
    }
    printer.data(&format!("{}\n", installed.directory.display()));
    let mut rows = vec![
        ("instance", installed.directory.display().to_string()),
        ("domain", format!("{}, {}, of {}", installed.name, installed.identity.uuid, installed.connect)),
    ];
    if installed.state == State::Running {
        rows.push(("state", "running".to_owned()));
    } else {
        rows.push(("start it", installed.next.clone()));
    }
    rows.push(("remove it", installed.remove.clone()));
    printer.say_aligned(&rows);
}

fn print_plan(printer: &Printer, installed: &Installed) {
    let directory = installed.directory.display();
    let mut lines = vec![];
    for (name, size, is_shared) in &installed.files {
        let shared = if *is_shared { ", shared with other instances" } else { "" };
        lines.push(format!("write   {directory}/{name}  {}{shared}\n", ByteSize(*size)));
    }
    lines.extend(installed.commands.iter().map(|command| format!("run     {command}\n")));
    printer.data(&lines.concat());
    let free = installed.free.map_or("unknown".to_owned(), |free| ByteSize(free).to_string());
    printer.say_aligned(&[
        ("domain", format!("{}, {}, of {}", installed.name, installed.identity.uuid, installed.connect)),
        (
            "space",
            format!(
                "at most {} are copied, {free} are free; disks grow as the guest writes",
                ByteSize(installed.needed)
            ),
        ),
        ("done", "nothing: this was a dry run, and nothing stands in the way".to_owned()),
    ]);
}

fn to_json(installed: &Installed) -> serde_json::Value {
    let files = installed.files.iter();
    json!({
        "name": installed.name,
        "uuid": installed.identity.uuid,
        "mac": installed.identity.mac,
        "directory": lossy(&installed.directory),
        "connect": installed.connect,
        "state": match installed.state {
            State::Planned => "planned",
            State::Defined => "defined",
            State::Running => "running",
        },
        "files": files.map(|(path, size, shared)| json!({ "path": path, "size": size, "shared": shared })).collect::<Vec<_>>(),
        "needed": installed.needed,
        "free": installed.free,
        "commands": installed.commands,
        "next": installed.next,
        "remove": installed.remove,
        "notes": installed.doubts,
    })
}

/// Tells what is left, if anything.
fn print_gone(printer: &Printer, gone: &Uninstalled) {
    if printer.is_json() {
        let paths = |all: &[std::path::PathBuf]| all.iter().map(|path| lossy(path)).collect::<Vec<_>>();
        return printer.json(&json!({
            "name": gone.name,
            "directory": lossy(&gone.directory),
            "connect": gone.connect,
            "undefined": gone.undefined,
            "kept": paths(&gone.kept),
            "foreign": paths(&gone.foreign),
            "delete": gone.delete,
        }));
    }
    // Each is a path one may hand on.
    gone.kept.iter().for_each(|path| printer.data(&format!("{}\n", path.display())));
    let domain = if gone.undefined { "its domain is undefined" } else { "libvirt knew no domain of it" };
    printer.say(&format!("`{}` is gone from {}; {domain}", gone.name, gone.connect));
    for path in &gone.foreign {
        printer.say(&format!("left alone  {} (not made by `install`)", path.display()));
    }
    if let Some(delete) = &gone.delete {
        printer.say(&format!("the guest has written the disks above, so they are kept; `{delete}` deletes them"));
    }
}
