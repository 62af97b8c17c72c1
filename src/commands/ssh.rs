//! `ssh`: log in to a kept machine that runs.

use std::ffi::OsString;

use clap::Args;

use super::context::{Context, named};
use super::kept_vms::VmsDirectory;
use super::printer::Printer;
use crate::base::{Code, Diagnostic, Diagnostics};
use crate::vm::{directory, ssh};

/// Log in to a kept machine that runs
#[derive(Debug, Args)]
pub(crate) struct SshOptions {
    /// Its name
    name: String,
    /// User to log in as [default: root where it has a key, else the first user who has]
    #[arg(long, short = 'l', value_name = "USER")]
    user: Option<String>,
    #[command(flatten)]
    vms: VmsDirectory,
    /// A command for the guest, behind `--`
    #[arg(last = true, value_name = "COMMAND")]
    words: Vec<OsString>,
}

impl SshOptions {
    /// Replaces this process by ssh; returns only where that fails.
    pub(crate) fn run(self, context: &Context<'_>, _: &Printer) -> Result<(), Diagnostics> {
        let name = named(&self.name, "machine")?;
        let place = self.vms.directory_of(context, &name)?;
        let reach = directory::reach(&self.vms.path(context)?, &name).ok_or_else(|| {
            let start = self.vms.command(&format!("run --keep {name}"));
            Diagnostic::new(Code::Usage, format!("`{name}` does not run")).hint(format!("`{start}` starts it"))
        })?;
        let Some(port) = reach.ssh_port else {
            return Err(Diagnostic::new(Code::Usage, format!("`{name}` has no network to log in by")).into());
        };
        let program = context.program("ssh", "install an OpenSSH client")?;
        let user = self.user.as_deref().unwrap_or(&reach.user);
        Err(ssh::become_ssh(&program, &ssh::arguments(&place, &name, port, user, &self.words)?).into())
    }
}
