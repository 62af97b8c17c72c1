//! `doctor`: what a serial log tells, and how it is found.

use std::io::Read;
use std::path::Path;

use super::Session;
use crate::base::text::one_line;
use crate::base::{Code, Problem};
use crate::diagnose::{self, Log};
pub use crate::diagnose::{Diagnosis, Found, Kind};
use crate::host::files;

/// What an instance's directory calls the log of its console.
const CONSOLE: &str = "console.log";

/// Looks through the log `named`: a file, an instance's directory, or `-` for `input`. Nothing is written.
///
/// # Errors
/// [`Code::Usage`] where there is no such log; [`Code::Io`] where it cannot be read.
pub fn doctor(session: &Session<'_>, named: &Path, input: impl Read) -> Result<Diagnosis, Problem> {
    let read = |source: &mut dyn Read| {
        Log::read(source).map_err(|error| Problem::io(format!("cannot read `{}`", shown(named)), &error))
    };
    let mut input = input;
    let log = if named == Path::new("-") { read(&mut input)? } else { read(&mut open(session, named)?)? };
    Ok(diagnose::diagnose(&log))
}

fn open(session: &Session<'_>, named: &Path) -> Result<std::fs::File, Problem> {
    let path = session.absolute(named);
    if files::is_directory(&path) {
        let console = path.join(CONSOLE);
        return if files::exists(&console) { files::open(&console) } else { Err(unlogged(named)) };
    }
    if files::exists(&path) { files::open(&path) } else { Err(unknown(named)) }
}

fn unlogged(directory: &Path) -> Problem {
    let headline = format!("there is no `{CONSOLE}` in `{}`", shown(directory));
    Problem::new(Code::Usage, headline)
        .note(LIBVIRT)
        .hint("run it with `arca-build run --keep NAME`, which keeps that log")
}

fn unknown(named: &Path) -> Problem {
    Problem::new(Code::Usage, format!("there is no log or instance `{}`", shown(named)))
        .note(LIBVIRT)
        .hint("name a file with the console's text, or `-` to read it from a pipe")
}

/// Where the text of a domain's console is.
const LIBVIRT: &str = "libvirt gives a domain's console to whoever attaches and keeps nothing of it: either record it with \
    `script -c 'virsh console NAME' LOG`, or let the domain write it, by `<log file='/var/log/libvirt/qemu/NAME.log'/>` in its `<serial>`";

fn shown(path: &Path) -> String {
    one_line(&path.display().to_string(), 200)
}
