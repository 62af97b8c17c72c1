//! `run` and what is done with the machines that it keeps. Touches the terminal: the console of a machine is on it.
//!
//! While somebody sits at the console, keys go to the guest as they are typed: echo, line editing and the keyboard's signals
//! are off (termios(3)), and on again at every end but SIGKILL. What the guest says is not sanitised: it is that guest's own
//! terminal, as with `virsh console` or ssh. Read next: [`crate::commands::run`].

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgGroup, Args, Subcommand, ValueHint};
use rustix::termios::{InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use serde_json::{Value, json};

use super::dispatch::lossy;
use crate::base::text::count;
use crate::base::text::one_line;
use crate::base::{ByteSize, Code, Diagnostic, Diagnostics, DiskSerial, Transport};
use crate::commands::printer::Printer;
use crate::commands::run::{Accel, BootFrom, Ran, RunOptions, Terminal};
use crate::commands::vms::Stopped;
use crate::commands::{self, Context, vms};
use crate::host::files;
use crate::report::Severity;

/// The commands about machines that run right here.
#[derive(Debug, Subcommand)]
pub(crate) enum RunCommand {
    /// Boot a recipe or bundle right here with QEMU, on throw-away disks, and tell whether it came up as asked
    #[command(
        override_usage = "arca-build run [OPTIONS] <RECIPE|BUNDLE> [-- <QEMU-OPTION>...]\n       arca-build run [OPTIONS] --keep <NAME> [-- <QEMU-OPTION>...]",
        after_help = KEYS
    )]
    Run(Box<RunArgs>),
    /// Log in to a kept machine that runs
    Ssh {
        /// Its name
        name: String,
        /// Whom to log in as [default: root where it has a key, else the first user who has]
        #[arg(long, short = 'l', value_name = "USER")]
        user: Option<String>,
        #[command(flatten)]
        place: Place,
        /// A command for the guest, behind `--`
        #[arg(last = true, value_name = "COMMAND")]
        words: Vec<OsString>,
    },
    /// Copy the disks of a kept machine that is off
    Snapshot {
        /// Its name
        name: String,
        /// What the copy is called [default: the first of s1, s2 and so on that is free]
        label: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Bring the disks of a kept machine that is off back to a snapshot
    Rollback {
        /// Its name
        name: String,
        /// The snapshot's label
        label: String,
        #[command(flatten)]
        place: Place,
    },
    /// List, stop or remove kept machines
    Vms {
        #[command(subcommand)]
        command: Option<VmsCommand>,
        #[command(flatten)]
        place: Place,
    },
}

/// Runs one of them.
pub(super) fn dispatch(command: RunCommand, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
    match command {
        RunCommand::Run(arguments) => run(*arguments, context, printer)?,
        RunCommand::Ssh { name, user, place, words } => {
            vms::ssh(context, place.vms.as_deref(), &name, user.as_deref(), &words)?;
        }
        RunCommand::Snapshot { name, label, place } => snapshot(&name, label, &place, context, printer)?,
        RunCommand::Rollback { name, label, place } => rollback(&name, &label, &place, context, printer)?,
        RunCommand::Vms { command, place } => vms(command, &place, context, printer)?,
    }
    Ok(())
}

/// What the keys of a terminal do while a machine runs.
const KEYS: &str = "Keys in a terminal: Ctrl-A X ends the machine, Ctrl-A Ctrl-A types Ctrl-A.\n\
    Ctrl-C goes to the guest; while --wait, --wait-for or --test waits, it ends the machine.";
/// How long a machine is waited for.
const TIMEOUT: Duration = Duration::from_secs(600);

/// The arguments of `run`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("waiting").multiple(true))]
pub(crate) struct RunArgs {
    /// A recipe (it is built first; `demo` is inside the program) or a bundle
    #[arg(value_name = "RECIPE|BUNDLE", required_unless_present = "keep", value_hint = ValueHint::AnyPath)]
    target: Option<PathBuf>,
    /// Wait until provisioning is done (told by the guest's report, else by its ssh server), then end; in a terminal the machine
    /// goes on, to work with
    #[arg(long, group = "waiting")]
    wait: bool,
    /// Wait until the guest says TEXT on its console, then end; in a terminal the machine goes on, to work with
    #[arg(long, value_name = "TEXT", group = "waiting", conflicts_with_all = ["wait", "test"], value_parser = NonEmptyStringValueParser::new())]
    wait_for: Option<String>,
    /// How long --wait, --wait-for or --test waits [default: 600]
    #[arg(long, value_name = "SECONDS", requires = "waiting", value_parser = seconds, allow_negative_numbers = true)]
    timeout: Option<Duration>,
    /// Wait, hold the guest's report to the recipe (exit code 1 where it differs), and end
    #[arg(long, group = "waiting")]
    test: bool,
    /// Also write the result of --test as JUnit XML
    #[arg(long, value_name = "FILE", requires = "test", value_hint = ValueHint::FilePath)]
    junit: Option<PathBuf>,
    /// Write what the guest says to FILE instead of stdout
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    console: Option<PathBuf>,
    /// Keep the machine and what it writes under NAME; without this all of it is thrown away
    #[arg(long, value_name = "NAME")]
    keep: Option<String>,
    /// Add a blank disk, such as 30GiB or 30GiB:tank-3; may be given several times
    #[arg(long, value_name = "SIZE[:SERIAL]", value_parser = disk)]
    data: Vec<(ByteSize, Option<DiskSerial>)>,
    /// Start without this disk, as if it had failed; may be given several times
    #[arg(long, value_name = "SERIAL", value_parser = DiskSerial::parse)]
    detach: Vec<DiskSerial>,
    /// What a machine that an ISO installs boots, where that is not known: its disk as it is, or the installer, which erases it
    #[arg(long, value_name = "WHAT", requires = "keep", value_parser = ["disk", "installer"])]
    boot_from: Option<String>,
    /// KVM or software emulation; auto tries KVM, unless the recipe asks for emulation
    #[arg(long, value_name = "HOW", value_parser = ["auto", "kvm", "tcg"], default_value = "auto")]
    accel: String,
    /// How the configuration reaches the guest [default: as the recipe says]
    #[arg(long, value_name = "HOW", value_parser = ["disk", "fw_cfg"])]
    transport: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Further options for QEMU, behind `--`
    #[arg(last = true, value_name = "QEMU-OPTION")]
    options: Vec<String>,
}

/// Where kept machines are.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Directory of kept machines [default: $XDG_DATA_HOME/arca-build/vms; env: ARCA_VMS]
    #[arg(long, value_name = "DIR", global = true, value_hint = ValueHint::DirPath)]
    vms: Option<PathBuf>,
}

/// What can be done with kept machines.
#[derive(Debug, Subcommand)]
pub(crate) enum VmsCommand {
    /// List them (the default)
    List,
    /// Ask one that runs to power off; one that has not done so after a minute is unplugged
    Stop {
        /// Its name
        name: String,
    },
    /// Remove one with its disks and snapshots
    Remove {
        /// Its name
        name: String,
    },
}

/// Reads how long to wait.
fn seconds(text: &str) -> Result<Duration, &'static str> {
    match text.parse::<u32>() {
        Ok(seconds @ 1..) => Ok(Duration::from_secs(seconds.into())),
        _ => Err("it is a whole number of seconds, at least 1"),
    }
}

/// Reads a size, and a serial behind a colon.
fn disk(text: &str) -> Result<(ByteSize, Option<DiskSerial>), String> {
    let (size, serial) = text.split_once(':').map_or((text, None), |(size, serial)| (size, Some(serial)));
    let size = ByteSize::parse(size).map_err(|error| error.to_string())?;
    let serial = serial.map(DiskSerial::parse).transpose().map_err(|error| error.to_string())?;
    Ok((size, serial))
}

/// Runs a machine, and tells how that went.
fn run(arguments: RunArgs, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
    let is_clean = printer.is_json() || printer.is_quiet() || arguments.console.is_some();
    let interactive = !is_clean && std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let terminal = Terminal {
        out: out(&arguments, is_clean, context)?,
        keys: interactive.then(|| Box::new(std::io::stdin()) as Box<dyn std::io::Read + Send>),
    };
    let (junit, tested) = (arguments.junit.clone(), arguments.test);
    let options = options(arguments, interactive);
    let ran = go(&options, terminal, context, printer);
    let written = junit.map_or(Ok(()), |file| write_junit(&context.environment.directory().join(file), &options, &ran));
    let ran = match (ran, written) {
        (Ok(ran), written) => written.map(|()| ran)?,
        (Err(problems), Ok(())) => return Err(problems),
        (Err(problems), Err(more)) => return Err(Diagnostics(problems.0.into_iter().chain([more]).collect())),
    };
    print(printer, &ran, tested);
    if let Some(signal) = ran.signal {
        let problem = interrupted(&ran);
        printer.problem(&problem, Severity::Error);
        commands::run::end_by(signal);
        return Err(problem.into());
    }
    judged(&ran, tested)
}

/// Runs it, with the terminal set for the guest meanwhile.
fn go(options: &RunOptions, terminal: Terminal, context: &Context<'_>, printer: &Printer) -> Result<Ran, Diagnostics> {
    let prepared = commands::run::prepare(context, options)?;
    printer.end_progress();
    let _raw = if options.interactive { Some(Raw::begin()?) } else { None };
    Ok(prepared.run(context, terminal)?)
}

/// Writes how a test went, whatever came of it: what a CI system does not find it does not show.
fn write_junit(file: &Path, options: &RunOptions, ran: &Result<Ran, Diagnostics>) -> Result<(), Diagnostic> {
    let named =
        || options.keep.clone().or_else(|| options.target.as_ref().map(|target| lossy(target))).unwrap_or_default();
    let bytes = match ran {
        Ok(Ran { verdict: Some(verdict), name, .. }) => verdict.junit(name.as_str()),
        Ok(ran) => commands::run::unreported(ran.name.as_str(), &interrupted(ran).headline),
        Err(problems) => {
            let why: Vec<_> = problems.0.iter().map(|problem| one_line(&problem.headline, 400)).collect();
            commands::run::unreported(&named(), &why.join("; "))
        }
    };
    files::write_whole(file, &bytes)
}

fn interrupted(ran: &Ran) -> Diagnostic {
    let headline = match &ran.missed {
        Some(missed) => format!("`{}` was interrupted before {missed} came", ran.name),
        None => format!("`{}` was interrupted", ran.name),
    };
    Diagnostic::new(Code::Interrupted, headline)
}

fn out(arguments: &RunArgs, is_clean: bool, context: &Context<'_>) -> Result<Box<dyn Write + Send>, Diagnostic> {
    match &arguments.console {
        Some(file) => files::stream(&context.environment.directory().join(file)).map(|file| Box::new(file) as _),
        None if is_clean => Ok(Box::new(std::io::sink())),
        None => Ok(Box::new(std::io::stdout())),
    }
}

fn options(arguments: RunArgs, interactive: bool) -> RunOptions {
    RunOptions {
        target: arguments.target,
        keep: arguments.keep,
        vms: arguments.place.vms,
        accel: Accel::parse(&arguments.accel),
        transport: arguments.transport.as_deref().and_then(Transport::parse),
        wait: arguments.wait,
        wait_for: arguments.wait_for,
        timeout: Some(arguments.timeout.unwrap_or(TIMEOUT)),
        test: arguments.test,
        data: arguments.data,
        detach: arguments.detach,
        boot_from: arguments.boot_from.as_deref().and_then(BootFrom::parse),
        options: arguments.options,
        interactive,
    }
}

fn print(printer: &Printer, ran: &Ran, tested: bool) {
    if printer.is_json() {
        return printer.json(&document(ran, tested));
    }
    if let Some(verdict) = ran.verdict.as_ref().filter(|_| tested) {
        printer.data(&format!("{}\n", verdict.lines().join("\n")));
    }
    if let (Some(directory), Some(again)) = (&ran.directory, &ran.again) {
        printer.say(&format!("kept     {}; `{again}` starts it again", directory.display()));
    }
}

fn document(ran: &Ran, tested: bool) -> Value {
    let check = |check: &crate::commands::Check| {
        json!({
            "what": check.thing(), "fact": check.fact, "passed": check.passed,
            "expected": check.expected, "found": check.found,
        })
    };
    let verdict = ran.verdict.as_ref().filter(|_| tested);
    json!({
        "name": ran.name,
        "accel": ran.accel,
        "ssh_port": ran.ssh_port,
        "kept": ran.directory.as_deref().map(lossy),
        "reached": ran.reached,
        "off": ran.off,
        "signal": ran.signal,
        "passed": verdict.map(crate::commands::Verdict::passed),
        "checks": verdict.map(|verdict| verdict.checks.iter().map(check).collect::<Vec<_>>()),
    })
}

/// That the guest is not as asked is an answer, as with `diff`: it stands on stdout, and in the exit code.
fn judged(ran: &Ran, tested: bool) -> Result<(), Diagnostics> {
    let failures = ran.verdict.as_ref().filter(|_| tested).map_or(0, |verdict| verdict.failures().count());
    if failures == 0 {
        return Ok(());
    }
    let headline = format!("`{}` is not as its recipe says: {}", ran.name, count(failures, "fact"));
    Err(Diagnostic::new(Code::Differs, headline).into())
}

/// Lists, stops or removes kept machines.
fn vms(command: Option<VmsCommand>, place: &Place, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostic> {
    let place = place.vms.as_deref();
    match command.unwrap_or(VmsCommand::List) {
        VmsCommand::List => print_list(printer, &vms::list(context, place)?, place),
        VmsCommand::Stop { name } => {
            let (how, told) = match vms::stop(context, place, &name)? {
                Stopped::Already => ("already", format!("`{name}` is off already")),
                Stopped::ByItself => ("by-itself", format!("`{name}` has powered off")),
                Stopped::Unplugged => ("unplugged", format!("`{name}` is unplugged: it did not power off in time")),
            };
            done(printer, &json!({ "name": name, "off": how }), &told);
        }
        VmsCommand::Remove { name } => {
            vms::remove(context, place, &name)?;
            done(printer, &json!({ "name": name, "removed": true }), &format!("`{name}` is removed"));
        }
    }
    Ok(())
}

fn print_list(printer: &Printer, all: &[vms::Kept], place: Option<&Path>) {
    if printer.is_json() {
        let show = |one: &vms::Kept| json!({ "name": one.name, "runs": one.runs, "snapshots": one.snapshots, "path": lossy(&one.directory) });
        return printer.json(&json!({ "machines": all.iter().map(show).collect::<Vec<_>>() }));
    }
    for one in all {
        let state = if one.runs { "runs" } else { "off" };
        let snapshots =
            if one.snapshots.is_empty() { String::new() } else { format!("  ({})", one.snapshots.join(", ")) };
        printer.data(&format!("{}  {state}{}\n", one.name, crate::base::text::sanitise(&snapshots)));
    }
    if all.is_empty() {
        printer.say(&format!("no machine is kept; `{}` keeps one", vms::command("run RECIPE --keep NAME", place)));
    }
}

/// Copies a machine's disks, and tells under which label.
fn snapshot(
    name: &str,
    label: Option<String>,
    place: &Place,
    context: &Context<'_>,
    printer: &Printer,
) -> Result<(), Diagnostic> {
    let place = place.vms.as_deref();
    let label = label.map_or_else(|| vms::free_label(context, place, name), Ok)?;
    vms::snapshot(context, place, name, &label)?;
    if printer.is_json() {
        printer.json(&json!({ "name": name, "snapshot": label }));
    } else {
        printer.data(&format!("{label}\n"));
        let command = vms::command(&format!("rollback {name} {label}"), place);
        printer.say(&format!("`{command}` brings it back"));
    }
    Ok(())
}

/// Brings a machine's disks back to a snapshot.
fn rollback(
    name: &str,
    label: &str,
    place: &Place,
    context: &Context<'_>,
    printer: &Printer,
) -> Result<(), Diagnostic> {
    vms::rollback(context, place.vms.as_deref(), name, label)?;
    done(
        printer,
        &json!({ "name": name, "rolled_back_to": label }),
        &format!("`{name}` is back at snapshot `{label}`"),
    );
    Ok(())
}

fn done(printer: &Printer, document: &Value, told: &str) {
    if printer.is_json() { printer.json(document) } else { printer.say(told) }
}

/// The terminal while keys go to the guest.
struct Raw(Termios);

impl Raw {
    fn begin() -> Result<Self, Diagnostic> {
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin).map_err(|error| Diagnostic::io("the terminal cannot be read", &error.into()))?;
        let mut raw = before.clone();
        raw.local_modes -=
            LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::IEXTEN | LocalModes::ISIG;
        raw.input_modes -=
            InputModes::ICRNL | InputModes::INLCR | InputModes::IGNCR | InputModes::IXON | InputModes::ISTRIP;
        raw.special_codes[SpecialCodeIndex::VMIN] = 1;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(&stdin, OptionalActions::Now, &raw)
            .map_err(|error| Diagnostic::io("the terminal cannot be set", &error.into()))?;
        Ok(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.0);
    }
}
