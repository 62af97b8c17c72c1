//! `uninstall`: what `install` made goes, and nothing else.

use std::path::{Path, PathBuf};

use super::Context;
use super::install::{interruptible, places, recover};
use crate::base::{Code, Diagnostic, Name};
use crate::libvirt::instance::{self, Data, Instance, Storage};
use crate::libvirt::virsh::Virsh;

/// What a person asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct UninstallOptions {
    pub storage: Option<PathBuf>,
    /// Another libvirt than the one it was installed for.
    pub connect: Option<String>,
    pub delete_data: bool,
}

/// What was taken away, and what stays.
#[derive(Clone, Debug)]
pub(crate) struct Uninstalled {
    pub name: Name,
    pub directory: PathBuf,
    pub connect: String,
    /// Whether libvirt still knew the domain.
    pub undefined: bool,
    /// Data disks that the guest has written.
    pub kept: Vec<PathBuf>,
    /// What somebody else put there.
    pub foreign: Vec<PathBuf>,
    /// The command that takes the data away too.
    pub delete: Option<String>,
}

/// Takes an instance away: its domain, its directory, and the base that nobody shares any more.
///
/// # Errors
///
/// `E_PREFLIGHT` where the domain runs; `E_USAGE` where there is no such instance.
pub(crate) fn uninstall(
    context: &Context<'_>,
    name: &Name,
    options: &UninstallOptions,
) -> Result<Uninstalled, Diagnostic> {
    let found = search(context, name, options.storage.as_deref())?;
    let path = found.directory.parent().unwrap_or(&found.directory).to_owned();
    let connect = options.connect.clone().unwrap_or_else(|| found.record.connect.clone());
    let virsh = Virsh::find(context.environment.variable("PATH").map(AsRef::as_ref), &connect)?;
    interruptible(context, |work| {
        let storage = Storage::open(&path, work)?;
        recover(&storage, &virsh, work);
        let Some(instance) = storage.find(name)? else { return Err(none(name, std::slice::from_ref(&path))) };
        let undefined = forget(&virsh.heeding(work.signals), &instance)?;
        let data = if options.delete_data { Data::Delete } else { Data::Keep };
        let removed = storage.remove(&instance, data, work)?;
        let delete = format!("arca-build uninstall {name} --storage {} --delete-data", path.display());
        Ok(Uninstalled {
            name: name.clone(),
            directory: instance.directory,
            connect,
            undefined,
            delete: (!removed.kept.is_empty()).then_some(delete),
            kept: removed.kept,
            foreign: removed.foreign,
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
