//! Whether a machine that an ISO installs boots the installer, or its own disk.
//!
//! The installer erases the disk without a question, so it runs only where nothing was ever written there, or somebody asks
//! for it. That it is done is noted when the new system speaks, or the guest ends by itself: [`crate::vm::watch`].

use super::options::BootFrom;
use super::prepared::Prepared;
use crate::base::{BaseKind, Code, Diagnostic};
use crate::plan::file;
use crate::vm::directory::{InstalledMarker, State, Vm};
use crate::vm::disks::{DISKS, is_written};

impl Prepared<'_> {
    /// Decides what boots.
    ///
    /// # Errors
    ///
    /// `E_USAGE` where the disk was written and nothing told that the installer was done: what is there may be all somebody has.
    pub(super) fn settled(&self, kept: Option<&Vm>, state: State) -> Result<State, Diagnostic> {
        let name = &self.name;
        if self.source.machine.base != BaseKind::Iso {
            return match self.options.boot_from {
                Some(_) => Err(Diagnostic::new(Code::Usage, format!("`{name}` is not installed by an ISO"))
                    .hint("leave out `--boot-from`; it boots from its disk")),
                None => Ok(state),
            };
        }
        let written = kept.map(|vm| is_written(&vm.directory().join(DISKS).join(file::SYSTEM)));
        let is_written = written.transpose()?.unwrap_or(false);
        match self.options.boot_from {
            None if state.installed || !is_written => Ok(state),
            None => Err(self.in_doubt()),
            Some(BootFrom::Disk) if !is_written => {
                Err(Diagnostic::new(Code::Usage, format!("there is nothing on the disk of `{name}` yet"))
                    .hint("leave out `--boot-from`; the installer writes it"))
            }
            Some(from) => Ok(State { installed: from == BootFrom::Disk, ..state }),
        }
    }

    /// Returns what notes that the installer is done, where that is to be learnt.
    pub(super) fn mark(&self, vm: &Vm, state: &State) -> Option<InstalledMarker> {
        let is_installing = self.source.machine.base == BaseKind::Iso && !state.installed;
        (is_installing && self.keep.is_some()).then(|| vm.mark(state))
    }

    fn in_doubt(&self) -> Diagnostic {
        let name = &self.name;
        let again = self.about(&format!("run --keep {name}"));
        Diagnostic::new(Code::Usage, format!("`{name}` may be installed, and the installer would erase it"))
            .cause("the installer ran and the system disk was written, but the run ended before the new system started")
            .note("nothing was changed")
            .hint(format!("`{again} --boot-from disk` boots what is there, `--boot-from installer` installs again"))
    }
}
