//! `uninstall`: what `install` made goes, and nothing else.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use serde::Serialize;

use super::context::Context;
use super::install::{interruptible, places, recover};
use super::printer::{Output, Printer, ShownPath};
use crate::base::{Code, Diagnostic, Diagnostics, Name};
use crate::libvirt::instance::{self, Data, Instance, Storage};
use crate::libvirt::virsh::Virsh;

/// Remove an installed machine: domain, files, and the base if no other needs it
#[derive(Debug, Args)]
pub(crate) struct UninstallOptions {
    /// Name of the instance
    #[arg(value_parser = Name::parse)]
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
}

/// What was removed, and what stays.
#[derive(Clone, Debug, Serialize)]
struct UninstallOutput {
    name: Name,
    directory: ShownPath,
    connect: String,
    /// Whether libvirt still knew the domain.
    undefined: bool,
    /// Data disks that the guest has written.
    kept: Vec<ShownPath>,
    /// What somebody else put there.
    foreign: Vec<ShownPath>,
    /// The command that deletes the data too.
    delete: Option<String>,
}

impl UninstallOptions {
    pub(crate) fn run(self, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        printer.show(&uninstall(context, &self)?)
    }
}

impl Output for UninstallOutput {
    /// Prints what is left, if anything.
    fn print(&self, printer: &Printer) {
        // Each is a path one may hand on.
        self.kept.iter().for_each(|path| printer.line(path.display()));
        let domain = if self.undefined { "its domain is undefined" } else { "libvirt knew no domain of it" };
        printer.say(&format!("`{}` is gone from {}; {domain}", self.name, self.connect));
        for path in &self.foreign {
            printer.say(&format!("left alone  {} (not made by `install`)", path.display()));
        }
        if let Some(delete) = &self.delete {
            printer.say(&format!("the guest has written the disks above, so they are kept; `{delete}` deletes them"));
        }
    }
}

/// Takes an instance away: its domain, its directory, and the base that nobody shares any more.
///
/// # Errors
///
/// `E_PREFLIGHT` where the domain runs; `E_USAGE` where there is no such instance.
fn uninstall(context: &Context<'_>, options: &UninstallOptions) -> Result<UninstallOutput, Diagnostic> {
    let name = &options.name;
    let found = search(context, name, options.storage.as_deref())?;
    let path = found.directory.parent().unwrap_or(&found.directory).to_owned();
    let connect = options.connect.clone().unwrap_or_else(|| found.record.connect.clone());
    let virsh = Virsh::find(context.environment.search_path(), &connect)?;
    interruptible(context, |work| {
        let storage = Storage::open(&path, work)?;
        recover(&storage, &virsh, work);
        let Some(instance) = storage.find(name)? else { return Err(none(name, std::slice::from_ref(&path))) };
        let undefined = forget(&virsh.heeding(work.signals), &instance)?;
        let data = if options.delete_data { Data::Delete } else { Data::Keep };
        let removed = storage.remove(&instance, data, work)?;
        let delete = format!("arca-build uninstall {name} --storage {} --delete-data", path.display());
        Ok(UninstallOutput {
            name: name.clone(),
            directory: instance.directory.into(),
            connect,
            undefined,
            delete: (!removed.kept.is_empty()).then_some(delete),
            kept: removed.kept.into_iter().map(ShownPath).collect(),
            foreign: removed.foreign.into_iter().map(ShownPath).collect(),
        })
    })
}

/// Undefines the domain, where libvirt knows it and it does not run; by its UUID and files, so that no namesake goes.
fn forget(virsh: &Virsh, instance: &Instance) -> Result<bool, Diagnostic> {
    let record = &instance.record;
    let is_known = virsh.uses(&record.uuid, &instance.directory)?;
    let state = if is_known { virsh.state(&record.uuid)? } else { "shut off".to_owned() };
    if state != "shut off" && state != "crashed" {
        return Err(Diagnostic::new(Code::Preflight, format!("`{}` is {state}", record.name))
            .fact("libvirt", virsh.uri())
            .note("nothing was removed")
            .hint(format!("end it first: `virsh -c {} shutdown {}`", virsh.uri(), record.name)));
    }
    if let Some(path) = instance.in_use() {
        return Err(Diagnostic::new(
            Code::Preflight,
            format!("`{}` runs: QEMU has `{}` open", record.name, path.display()),
        )
        .fact("libvirt", format!("{}, which does not know of it", virsh.uri()))
        .note("nothing was removed")
        .hint("end it first; where another libvirt started it, name that by `--connect URI`"));
    }
    if is_known {
        virsh.undefine(&record.uuid)?;
    }
    Ok(is_known)
}

/// Finds the instance where it was told to be, else where `install` puts them by itself.
fn search(context: &Context<'_>, name: &Name, storage: Option<&Path>) -> Result<Instance, Diagnostic> {
    let places = storage.map_or_else(|| places(context), |asked| vec![context.absolute(asked)]);
    let mut found = vec![];
    let mut odd = None;
    for place in &places {
        match instance::find(place, name) {
            Ok(instance) => found.extend(instance),
            Err(problem) => odd = odd.or(Some(problem)),
        }
    }
    match (found.pop(), odd) {
        (Some(_), _) if !found.is_empty() => {
            Err(Diagnostic::new(Code::Usage, format!("there are two instances `{name}`"))
                .hint("say which with `--storage DIR`"))
        }
        (Some(instance), _) => Ok(instance),
        (None, Some(problem)) => Err(problem),
        (None, None) => Err(none(name, &places)),
    }
}

fn none(name: &Name, places: &[PathBuf]) -> Diagnostic {
    let problem = Diagnostic::new(Code::Usage, format!("there is no instance `{name}`"));
    let problem = places.iter().fold(problem, |problem, place| problem.fact("looked in", place.display()));
    problem.hint("name the directory it was installed below with `--storage DIR`")
}
