//! `doctor`: the known failures of a first boot that a serial log shows, and how the log is found.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use serde_json::{Map, Value, json};

use super::context::Context;
use super::kept_vms::VmsDirectory;
use super::printer::Printer;
use crate::base::text::{count, one_line, sanitise};
use crate::base::{Code, Diagnostic, Diagnostics, Name};
use crate::doctor::{self, Diagnosis, Found, Kind, Log};
use crate::host::files;
use crate::vm::directory::CONSOLE_LOG;

/// Name the known first-boot failures that a guest's console shows, with the fix
#[derive(Debug, Args)]
pub(crate) struct DoctorOptions {
    /// A serial log, a machine that `run --keep` keeps, by its name or directory, or `-` to read from a pipe
    #[arg(value_name = "LOG|NAME", value_hint = ValueHint::AnyPath)]
    log: PathBuf,
    #[command(flatten)]
    vms: VmsDirectory,
}

impl DoctorOptions {
    /// Looks through a log; nothing is written.
    ///
    /// # Errors
    /// [`Code::Usage`] where there is no such log; [`Code::Io`] where it cannot be read.
    pub(crate) fn run(self, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        let named = &self.log;
        let mut source: Box<dyn Read> = match named == Path::new("-") {
            true => Box::new(std::io::stdin().lock()),
            false => Box::new(open(context, &self.vms, named)?),
        };
        let log = Log::read(&mut source)
            .map_err(|error| Diagnostic::io(format!("cannot read `{}`", shown(named)), &error))?;
        print(printer, &doctor::diagnose(&log))
    }
}

/// Prints a diagnosis; fails where something must be done, or no boot is seen: silence is no good news.
fn print(printer: &Printer, diagnosis: &Diagnosis) -> Result<(), Diagnostics> {
    if printer.is_json() {
        printer.json(&document(diagnosis));
    } else {
        printer.data(&sanitise(&diagnosis.to_string()));
    }
    if diagnosis.is_blind() {
        return Err(Diagnostic::new(Code::Lint, diagnosis.blindness()).into());
    }
    if !diagnosis.is_wrong() {
        return Ok(());
    }
    let told = Kind::all().into_iter().map(|kind| (diagnosis.count(kind), kind)).filter(|(many, _)| *many > 0);
    let told: Vec<_> = told.map(|(many, kind)| format!("{many} {}", kind.as_str())).collect();
    let many = diagnosis.findings.len();
    Err(Diagnostic::new(Code::Lint, format!("{} in the log: {}", count(many, "finding"), told.join(", "))).into())
}

fn document(diagnosis: &Diagnosis) -> Value {
    json!({
        "lines": diagnosis.lines,
        "skipped_bytes": diagnosis.skipped,
        "boots": diagnosis.boots,
        "wrong": diagnosis.is_wrong(),
        "findings": diagnosis.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn finding(found: &Found) -> Value {
    let issue = found.issue;
    let sources = issue.sources.iter().map(|(name, url)| json!({ "name": name, "url": url }));
    let facts: Map<_, _> = found.facts.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    json!({
        "id": issue.id,
        "kind": issue.kind,
        "headline": found.headline(),
        "boot": found.boot + 1,
        "line": found.line,
        "seconds": found.at.map(|at| at as f64 / 1000.0),
        "times": found.times,
        "after": found.after,
        "facts": facts,
        "said": found.said,
        "why": issue.why,
        "seen": issue.seen,
        "fix": issue.fix,
        "sources": sources.collect::<Vec<_>>(),
    })
}

/// Opens a file, else the console's log in a directory, else that of a kept instance.
fn open(context: &Context<'_>, vms: &VmsDirectory, named: &Path) -> Result<std::fs::File, Diagnostic> {
    let path = context.absolute(named);
    let is_directory = files::is_directory(&path);
    if files::exists(&path) && !is_directory {
        return files::open(&path);
    }
    // A machine is kept under a name.
    let name = named.to_str().and_then(|name| Name::parse(name).ok());
    let kept = name.map(|name| vms.path(context).map(|vms| vms.join(name.as_str()))).transpose()?;
    let directories = is_directory.then_some(path).into_iter().chain(kept.filter(|kept| files::is_directory(kept)));
    let consoles: Vec<_> = directories.map(|directory| directory.join(CONSOLE_LOG)).collect();
    match consoles.iter().find(|console| files::exists(console)) {
        Some(console) => files::open(console),
        None if consoles.is_empty() => Err(unknown(named)),
        None => Err(unlogged(named)),
    }
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
