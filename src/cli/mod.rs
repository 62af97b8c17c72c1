//! Flags, help, progress, printing: the only printer on the terminal.
//!
//! Names `base host ops report`; touches the terminal. stdout is data one can pipe, stderr is talk. Read next: [`args`].
#![expect(clippy::disallowed_methods, reason = "this floor reads the command line and the clock of the progress bar")]

pub(crate) mod args;
mod help;
mod man;
mod shell;
mod usage;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use crate::base::{Code, Diagnostic, Diagnostics, Event, Kind};
use crate::commands::context::Context;
use crate::commands::printer::Printer;
use crate::host::Environment;
use crate::report::{self, Severity};
use crate::vm::qemu::{WORD as BECOME_QEMU, become_qemu};
use args::Cli;

/// Runs the program on the process's own command line.
pub fn main() -> ExitCode {
    let typed: Vec<_> = std::env::args_os().collect();
    // The copy of this program that becomes QEMU; no command of anybody's.
    if typed.get(1).is_some_and(|word| word == BECOME_QEMU) {
        let problem = become_qemu(typed.get(1..).unwrap_or_default());
        let _ = writeln!(std::io::stderr(), "{}", report::render(&problem, Severity::Error, false));
        return ExitCode::from(report::exit_code(problem.code));
    }
    let cli = match parse(args::with_default_command(typed.iter().cloned())) {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(usage::tell(&error, &typed)),
    };
    let environment = match Environment::capture() {
        Ok(environment) => environment,
        Err(problem) => return ExitCode::from(fail(&Printer::new(&cli.global, None), &problem.into())),
    };
    let printer = Printer::new(&cli.global, Some(&environment));
    match run(cli, environment, &printer) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problems) => ExitCode::from(fail(&printer, &suggest_command(problems, &typed))),
    }
}

fn run(cli: Cli, environment: Environment, printer: &Printer) -> Result<(), Diagnostics> {
    let events = |event: Event| printer.hear(event);
    let context = Context { environment, global: cli.global, events: &events };
    if cli.command.only_looks() {
        context.demand_named_store()?;
    }
    let result = cli.command.run(&context, printer).and_then(|()| Ok(printer.delivered()?));
    printer.end_progress();
    result
}

fn parse(words: Vec<std::ffi::OsString>) -> Result<Cli, clap::Error> {
    let mut command = help::grouped(Cli::command());
    let mut matches = command.try_get_matches_from_mut(words)?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

/// Where the first word was taken for a recipe that is not there, it may have been meant as a command.
fn suggest_command(mut problems: Diagnostics, typed: &[std::ffi::OsString]) -> Diagnostics {
    if let Some((word, command)) = args::misspelt_command(typed) {
        let is_meant =
            |problem: &Diagnostic| problem.kind == Some(Kind::NoRecipe) && problem.input.as_deref() == Some(word);
        for problem in problems.0.iter_mut().filter(|problem| is_meant(problem)) {
            problem.hint = Some(format!("did you mean the command `{command}`?"));
        }
    }
    problems
}

/// Prints every problem; the first decides the exit code.
fn fail(printer: &Printer, problems: &Diagnostics) -> u8 {
    printer.end_progress();
    // That two things differ is an answer, which is on stdout already: one document, and no error in it.
    let is_difference = problems.0.iter().all(|problem| problem.code == Code::Differs);
    if printer.is_json() && is_difference {
        return report::exit_code(Code::Differs);
    }
    if printer.is_json() && !printer.has_document() {
        let all: Vec<_> = problems.0.iter().map(report::to_json).collect();
        printer.json(&serde_json::json!({ "errors": all }));
    }
    for problem in &problems.0 {
        printer.problem(problem, Severity::Error);
    }
    if problems.0.len() > 1 {
        let what = if problems.0.iter().all(Diagnostic::is_answer) { "findings" } else { "errors" };
        printer.say(&format!("{} {what}", problems.0.len()));
    }
    problems.0.first().map_or(70, |problem: &Diagnostic| report::exit_code(problem.code))
}
