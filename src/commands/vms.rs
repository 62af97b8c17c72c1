//! `vms`, `ssh`, `snapshot`, `rollback`: what is done with the machines that `run --keep` keeps.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Context;
use crate::base::{Code, Diagnostic, Event, Name};
use crate::host::files;
use crate::store::{Holder, Listed};
use crate::vm::directory::{self, SshEndpoint, Vm};
use crate::vm::disks::BUNDLE;
use crate::vm::{Program, ssh, watch};

/// A kept machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub name: Name,
    pub runs: bool,
    /// Labels, sorted.
    pub snapshots: Vec<String>,
    pub directory: PathBuf,
}

/// Tells where instances are kept: `asked`, else `ARCA_VMS`, else `$XDG_DATA_HOME/arca-build/vms`.
pub(crate) fn directory(context: &Context<'_>, asked: Option<&Path>) -> Result<PathBuf, Diagnostic> {
    context.environment.vms_directory(asked)
}

/// Lists them by name.
pub(crate) fn list(context: &Context<'_>, vms: Option<&Path>) -> Result<Vec<Kept>, Diagnostic> {
    let vms = directory(context, vms)?;
    let kept = |(record, runs, snapshots): (directory::Record, bool, Vec<String>)| {
        let directory = vms.join(record.name.as_str());
        Kept { name: record.name, runs, snapshots, directory }
    };
    Ok(directory::list(&vms)?.into_iter().map(kept).collect())
}

/// How a machine came to be off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// It did not run.
    Already,
    /// It powered off when it was asked.
    ByItself,
    /// It did not in time.
    Unplugged,
}

/// Writes a command about kept machines as a person types it, with the `--vms` that was given.
pub(crate) fn command(words: &str, vms: Option<&Path>) -> String {
    let place = vms.map(|vms| format!(" --vms {}", super::quoted(&vms.to_string_lossy())));
    format!("arca-build {words}{}", place.unwrap_or_default())
}

/// Takes one away with its disks and snapshots.
pub(crate) fn remove(context: &Context<'_>, vms: Option<&Path>, name: &str) -> Result<Name, Diagnostic> {
    let (vm, name) = open(context, vms, name)?;
    let link = files::one_spelling(&vm.directory().join(BUNDLE));
    vm.remove()?;
    // The directory of the link is gone, so the store cannot tell by itself that nothing holds the bundle any more.
    if let Ok(store) = context.open_store() {
        let is_its =
            |listed: &Listed| listed.root.as_ref().is_some_and(|root| root.holder == Holder::Link(link.clone()));
        store.list_roots()?.iter().filter(|listed| is_its(listed)).try_for_each(|listed| store.remove_root(listed))?;
    }
    Ok(name)
}

/// Asks one that runs to power off, says so, and waits until it is.
pub(crate) fn stop(context: &Context<'_>, vms: Option<&Path>, name: &str) -> Result<Stopped, Diagnostic> {
    let (place, name) = (directory(context, vms)?, self::name(name)?);
    if !place.join(name.as_str()).is_dir() {
        return Err(unknown(&place, &name, vms));
    }
    if !directory::is_held(&place, &name) {
        return Ok(Stopped::Already);
    }
    let tell = || (context.events)(Event::Told { text: asked(&name) });
    let by_itself = watch::stop(&place.join(name.as_str()), tell)?;
    directory::wait_until_free(&place, &name)?;
    Ok(if by_itself { Stopped::ByItself } else { Stopped::Unplugged })
}

/// Tells that a machine is asked to power off, and what follows.
pub(super) fn asked(name: &Name) -> String {
    format!("asked `{name}` to power off; it is unplugged after {} s", watch::GRACE.as_secs())
}

/// Copies the disks of one that is off under a label.
pub(crate) fn snapshot(context: &Context<'_>, vms: Option<&Path>, name: &str, label: &str) -> Result<(), Diagnostic> {
    let label = self::label(label)?;
    open(context, vms, name)?.0.snapshot(&label)
}

/// Finds a label that is free: `1`, `2` and so on.
pub(crate) fn free_label(context: &Context<'_>, vms: Option<&Path>, name: &str) -> Result<String, Diagnostic> {
    let taken = open(context, vms, name)?.0.snapshots()?;
    Ok((1..).map(|n: u32| format!("s{n}")).find(|label| !taken.contains(label)).unwrap_or_default())
}

/// Puts the disks of a snapshot in place of the present ones.
pub(crate) fn rollback(context: &Context<'_>, vms: Option<&Path>, name: &str, label: &str) -> Result<(), Diagnostic> {
    let label = self::label(label)?;
    open(context, vms, name)?.0.rollback(&label)
}

/// Becomes ssh to one that runs; returns only where that fails.
pub(crate) fn ssh(
    context: &Context<'_>,
    vms: Option<&Path>,
    name: &str,
    user: Option<&str>,
    words: &[OsString],
) -> Result<(), Diagnostic> {
    let asked = vms;
    let (vms, name) = (directory(context, vms)?, self::name(name)?);
    let reach = running(&vms, &name, asked)?;
    let Some(port) = reach.ssh_port else {
        return Err(Diagnostic::new(Code::Usage, format!("`{name}` has no network to log in by")));
    };
    let path = context.environment.variable("PATH").map(AsRef::as_ref);
    let program = Program::find("ssh", path, "install an OpenSSH client")?;
    let user = user.unwrap_or(&reach.user);
    Err(ssh::become_ssh(&program, &ssh::arguments(&vms.join(name.as_str()), &name, port, user, words)?))
}

/// Reads the name of an instance.
pub(super) fn name(text: &str) -> Result<Name, Diagnostic> {
    Name::parse(text).map_err(|error| {
        let shown = crate::base::text::one_line(text, 80);
        Diagnostic::new(Code::Usage, format!("`{shown}` is no name for a machine")).cause(error)
    })
}

fn label(text: &str) -> Result<Name, Diagnostic> {
    Name::parse(text).map_err(|error| {
        let shown = crate::base::text::one_line(text, 80);
        Diagnostic::new(Code::Usage, format!("`{shown}` is no label for a snapshot")).cause(error)
    })
}

/// Tells that there is no instance of this name.
pub(super) fn unknown(vms: &Path, name: &Name, asked: Option<&Path>) -> Diagnostic {
    Diagnostic::new(Code::Usage, format!("there is no machine `{name}`")).fact("looked in", vms.display()).hint(
        format!(
            "`{}` lists them; `{}` makes one",
            command("vms", asked),
            command(&format!("run RECIPE --keep {name}"), asked)
        ),
    )
}

fn open(context: &Context<'_>, asked: Option<&Path>, name: &str) -> Result<(Vm, Name), Diagnostic> {
    let (vms, name) = (directory(context, asked)?, self::name(name)?);
    let vm = open_in(&vms, &name, asked)?.ok_or_else(|| unknown(&vms, &name, asked))?;
    Ok((vm, name))
}

/// Takes hold of one; `None` where there is none. One that runs is told how to stop.
pub(super) fn open_in(vms: &Path, name: &Name, asked: Option<&Path>) -> Result<Option<Vm>, Diagnostic> {
    Vm::open(vms, name).map_err(|problem| match problem.code {
        Code::CacheLock => {
            problem.hint(format!("switch it off first: `{}`", command(&format!("vms stop {name}"), asked)))
        }
        _ => problem,
    })
}

fn running(vms: &Path, name: &Name, asked: Option<&Path>) -> Result<SshEndpoint, Diagnostic> {
    if !vms.join(name.as_str()).is_dir() {
        return Err(unknown(vms, name, asked));
    }
    directory::reach(vms, name).ok_or_else(|| {
        Diagnostic::new(Code::Usage, format!("`{name}` does not run"))
            .hint(format!("`{}` starts it", command(&format!("run --keep {name}"), asked)))
    })
}
