//! The machines that `run --keep` keeps: where they are, and how one is found. Read next: [`super::vms`].

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::context::{Context, named, quoted};
use crate::base::{Code, Diagnostic, Name};
use crate::vm::directory::Vm;
use crate::vm::watch;

/// Where kept machines are.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct VmsDirectory {
    /// Directory of kept machines [default: $XDG_DATA_HOME/arca-build/vms; env: ARCA_VMS]
    #[arg(long, value_name = "DIR", global = true, value_hint = ValueHint::DirPath)]
    vms: Option<PathBuf>,
}

impl VmsDirectory {
    /// Returns the directory: `--vms`, else `ARCA_VMS`, else `$XDG_DATA_HOME/arca-build/vms`.
    pub(super) fn path(&self, context: &Context<'_>) -> Result<PathBuf, Diagnostic> {
        context.environment.vms_directory(self.vms.as_deref())
    }

    /// Writes a command about kept machines as a person types it, with the `--vms` that was given.
    pub(super) fn command(&self, words: &str) -> String {
        let place = self.vms.as_ref().map(|vms| format!(" --vms {}", quoted(&vms.to_string_lossy())));
        format!("arca-build {words}{}", place.unwrap_or_default())
    }

    /// Opens a machine that is off, by its name.
    pub(super) fn open(&self, context: &Context<'_>, name: &str) -> Result<(Vm, Name), Diagnostic> {
        let name = named(name, "machine")?;
        let vm = self.find(context, &name)?.ok_or_else(|| self.unknown(context, &name))?;
        Ok((vm, name))
    }

    /// Opens a machine that is off; `None` where there is none. The error of one that runs says how to stop it.
    pub(super) fn find(&self, context: &Context<'_>, name: &Name) -> Result<Option<Vm>, Diagnostic> {
        Vm::open(&self.path(context)?, name).map_err(|problem| match problem.code {
            Code::CacheLock => {
                problem.hint(format!("switch it off first: `{}`", self.command(&format!("vms stop {name}"))))
            }
            _ => problem,
        })
    }

    /// Returns the directory of a machine by its name, whether or not it runs.
    pub(super) fn directory_of(&self, context: &Context<'_>, name: &Name) -> Result<PathBuf, Diagnostic> {
        let directory = self.path(context)?.join(name.as_str());
        if directory.is_dir() { Ok(directory) } else { Err(self.unknown(context, name)) }
    }

    /// Reports that there is no machine of this name.
    pub(super) fn unknown(&self, context: &Context<'_>, name: &Name) -> Diagnostic {
        let looked_in = self.path(context).unwrap_or_default();
        let (list, make) = (self.command("vms"), self.command(&format!("run RECIPE --keep {name}")));
        Diagnostic::new(Code::Usage, format!("there is no machine `{name}`"))
            .fact("looked in", looked_in.display())
            .hint(format!("`{list}` lists them; `{make}` makes one"))
    }
}

/// Returns the sentence that a machine is asked to power off, and what follows.
pub(super) fn powering_off(name: &Name) -> String {
    format!("asked `{name}` to power off; it is forced off after {} s", watch::GRACE.as_secs())
}
