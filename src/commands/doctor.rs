//! `doctor`: what a serial log tells, and how it is found.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::Context;
use crate::base::text::one_line;
use crate::base::{Code, Diagnostic, Name};
use crate::doctor::{self, Log};
pub(crate) use crate::doctor::{Diagnosis, Found, Kind};
use crate::host::files;
use crate::vm::directory::CONSOLE_LOG;

/// Looks through the log `named`: a file, an instance by its name or directory, or `-` for `input`. Nothing is written.
///
/// # Errors
/// [`Code::Usage`] where there is no such log; [`Code::Io`] where it cannot be read.
pub(crate) fn doctor(
    context: &Context<'_>,
    vms: Option<&Path>,
    named: &Path,
    mut input: impl Read,
) -> Result<Diagnosis, Diagnostic> {
    let read = |source: &mut dyn Read| {
        Log::read(source).map_err(|error| Diagnostic::io(format!("cannot read `{}`", shown(named)), &error))
    };
    let log = if named == Path::new("-") { read(&mut input)? } else { read(&mut open(context, vms, named)?)? };
    Ok(doctor::diagnose(&log))
}

/// Opens a file, else the console's log in a directory, else that of a kept instance.
fn open(context: &Context<'_>, vms: Option<&Path>, named: &Path) -> Result<std::fs::File, Diagnostic> {
    let path = context.absolute(named);
    let is_directory = files::is_directory(&path);
    if files::exists(&path) && !is_directory {
        return files::open(&path);
    }
    let kept = kept(context, vms, named)?.filter(|kept| files::is_directory(kept));
    let directories = is_directory.then_some(path).into_iter().chain(kept);
    let mut is_any = false;
    for directory in directories {
        is_any = true;
        let console = directory.join(CONSOLE_LOG);
        if files::exists(&console) {
            return files::open(&console);
        }
    }
    Err(if is_any { unlogged(named) } else { unknown(named) })
}

/// Returns where an instance of this name would be, if it is a name.
fn kept(context: &Context<'_>, vms: Option<&Path>, named: &Path) -> Result<Option<PathBuf>, Diagnostic> {
    let name = named.to_str().and_then(|name| Name::parse(name).ok());
    let place = |name: Name| Ok(super::vms::directory(context, vms)?.join(name.as_str()));
    name.map(place).transpose()
}

fn unlogged(named: &Path) -> Diagnostic {
    let headline = format!("there is no `{CONSOLE_LOG}` in `{}`", shown(named));
    Diagnostic::new(Code::Usage, headline)
        .note(LIBVIRT)
        .hint("`arca-build run --keep NAME` writes it while the machine runs")
}

fn unknown(named: &Path) -> Diagnostic {
    Diagnostic::new(Code::Usage, format!("there is no log and no kept machine `{}`", shown(named)))
        .note(LIBVIRT)
        .hint("name a file with the console's text, a machine that `arca-build vms` lists, or `-` to read from a pipe")
}

/// Where the text of a domain's console is.
const LIBVIRT: &str = "libvirt gives a domain's console to whoever attaches and keeps nothing of it: either record it with \
    `script -c 'virsh console NAME' LOG`, or let the domain write it, by `<log file='/var/log/libvirt/qemu/NAME.log'/>` in its `<serial>`";

fn shown(path: &Path) -> String {
    one_line(&path.display().to_string(), 200)
}
