//! `run`: boots a bundle right here, on disks that are thrown away or kept, and reports whether it came up as asked.
//!
//! Nothing of the bundle is written. While somebody sits at the console, keys go to the guest as they are typed: echo, line
//! editing and the keyboard's signals are off (termios(3)), and on again at every end but SIGKILL. What the guest says is not
//! sanitised: it is that guest's own terminal, as with `virsh console` or ssh. Read next: [`prepared`], `vm::directory` (the
//! directory), `vm::watch` (the run itself).

mod awaited;
mod disks;
mod installer;
mod options;
mod prepared;

use std::io::{IsTerminal, Write};
use std::path::Path;

use rustix::termios::{InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use serde::Serialize;

pub(crate) use self::options::RunOptions;
use self::prepared::Prepared;
use super::context::Context;
use super::printer::{Output, Printer, ShownPath};
use super::terminal::TerminalMode;
use crate::base::text::{count, one_line};
use crate::base::{Code, Diagnostic, Diagnostics, Name};
use crate::guest_report::{Check, Verdict, unreported};
use crate::host::files;
use crate::plan::Accel;
use crate::report::Severity;
use crate::vm::console::Terminal;
use crate::vm::signals::end_by;

impl RunOptions {
    /// Runs a machine, and reports how that went.
    pub(crate) fn run(mut self, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        let is_clean = printer.is_json() || printer.is_quiet() || self.console.is_some();
        self.is_interactive = !is_clean && std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let terminal = Terminal {
            out: out(&self, is_clean, context)?,
            keys: self.is_interactive.then(|| Box::new(std::io::stdin()) as Box<dyn std::io::Read + Send>),
        };
        let ran = boot(&self, terminal, context, printer);
        let written = self.junit.as_ref().map_or(Ok(()), |file| write_junit(&context.absolute(file), &self, &ran));
        let ran = match (ran, written) {
            (Ok(ran), written) => written.map(|()| ran)?,
            (Err(problems), Ok(())) => return Err(problems),
            (Err(problems), Err(more)) => return Err(Diagnostics(problems.0.into_iter().chain([more]).collect())),
        };
        printer.show(&ran)?;
        if let Some(signal) = ran.signal {
            let interrupted = interrupted(&ran);
            printer.problem(&interrupted, Severity::Error);
            end_by(signal);
            return Err(interrupted.into());
        }
        ran.judged()
    }
}

/// Runs it, with the terminal set for the guest meanwhile.
fn boot(
    options: &RunOptions,
    terminal: Terminal,
    context: &Context<'_>,
    printer: &Printer,
) -> Result<RunOutput, Diagnostics> {
    let prepared = Prepared::new(context, options)?;
    printer.end_progress();
    let raw = || TerminalMode::change(OptionalActions::Now, make_raw);
    let _raw = options.is_interactive.then(raw).transpose()?;
    Ok(prepared.run(terminal)?)
}

/// Has a terminal hand keys on as they are typed.
fn make_raw(mode: &mut Termios) {
    mode.local_modes -=
        LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::IEXTEN | LocalModes::ISIG;
    mode.input_modes -=
        InputModes::ICRNL | InputModes::INLCR | InputModes::IGNCR | InputModes::IXON | InputModes::ISTRIP;
    mode.special_codes[SpecialCodeIndex::VMIN] = 1;
    mode.special_codes[SpecialCodeIndex::VTIME] = 0;
}

/// Writes how a test went, whatever came of it: what a CI system does not find it does not show.
fn write_junit(file: &Path, options: &RunOptions, ran: &Result<RunOutput, Diagnostics>) -> Result<(), Diagnostic> {
    let named = || {
        options
            .keep
            .clone()
            .or_else(|| options.target.as_ref().map(|target| target.to_string_lossy().into_owned()))
            .unwrap_or_default()
    };
    let bytes = match ran {
        Ok(RunOutput { verdict: Some(verdict), name, .. }) => verdict.junit(name.as_str()),
        Ok(ran) => unreported(ran.name.as_str(), &interrupted(ran).headline),
        Err(problems) => {
            let why: Vec<_> = problems.0.iter().map(|problem| one_line(&problem.headline, 400)).collect();
            unreported(&named(), &why.join("; "))
        }
    };
    files::write_whole(file, &bytes)
}

fn interrupted(ran: &RunOutput) -> Diagnostic {
    let headline = match &ran.missed {
        Some(missed) => format!("`{}` was interrupted before {missed} came", ran.name),
        None => format!("`{}` was interrupted", ran.name),
    };
    Diagnostic::new(Code::Interrupted, headline)
}

fn out(options: &RunOptions, is_clean: bool, context: &Context<'_>) -> Result<Box<dyn Write + Send>, Diagnostic> {
    match &options.console {
        Some(file) => files::stream(&context.absolute(file)).map(|file| Box::new(file) as _),
        None if is_clean => Ok(Box::new(std::io::sink())),
        None => Ok(Box::new(std::io::stdout())),
    }
}

/// How a run went.
#[derive(Serialize)]
struct RunOutput {
    name: Name,
    accel: Accel,
    ssh_port: Option<u16>,
    /// Where the instance is kept.
    kept: Option<ShownPath>,
    /// What was waited for and came: `report`, `text`, `ssh`.
    reached: Option<&'static str>,
    /// How the machine went off, in QEMU's words, such as `guest-shutdown`; `None` where we ended it.
    off: Option<String>,
    /// The signal that ended the run, if one did.
    signal: Option<i32>,
    passed: Option<bool>,
    checks: Option<Vec<CheckOutput>>,
    #[serde(skip)]
    verdict: Option<Verdict>,
    /// What was waited for, in words, where a signal came first.
    #[serde(skip)]
    missed: Option<String>,
    /// The command that starts it again, where it is kept.
    #[serde(skip)]
    again: Option<String>,
}

#[derive(Serialize)]
struct CheckOutput {
    what: String,
    fact: String,
    passed: bool,
    expected: String,
    found: String,
}

impl RunOutput {
    /// Notes what a test of the guest found.
    fn judge(&mut self, verdict: Verdict) {
        let check = |check: &Check| CheckOutput {
            what: check.thing(),
            fact: check.fact.clone(),
            passed: check.passed,
            expected: check.expected.clone(),
            found: check.found.clone(),
        };
        self.passed = Some(verdict.passed());
        self.checks = Some(verdict.checks.iter().map(check).collect());
        self.verdict = Some(verdict);
    }

    /// That the guest is not as asked is an answer, as with `diff`: it stands on stdout, and in the exit code.
    fn judged(&self) -> Result<(), Diagnostics> {
        let failures = self.verdict.as_ref().map_or(0, |verdict| verdict.failures().count());
        if failures == 0 {
            return Ok(());
        }
        let headline = format!("`{}` is not as its recipe says: {}", self.name, count(failures, "fact"));
        Err(Diagnostic::new(Code::Differs, headline).into())
    }
}

impl Output for RunOutput {
    fn print(&self, printer: &Printer) {
        if let Some(verdict) = &self.verdict {
            printer.line(verdict.lines().join("\n"));
        }
        if let (Some(directory), Some(again)) = (&self.kept, &self.again) {
            printer.say(&format!("kept     {}; `{again}` starts it again", directory.display()));
        }
    }
}
