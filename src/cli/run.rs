//! `run` and what is done with the machines that it keeps. Touches the terminal: the console of a machine is on it.
//!
//! While somebody sits at the console, keys go to the guest as they are typed: echo, line editing and the keyboard's signals
//! are off (termios(3)), and on again at every end but SIGKILL. What the guest says is not sanitised: it is that guest's own
//! terminal, as with `virsh console` or ssh. Read next: [`crate::ops::run`].

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueHint};
use rustix::termios::{InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use serde_json::{Value, json};

use super::commands::lossy;
use super::out::Voice;
use crate::base::text::count;
use crate::base::{ByteSize, Code, DiskSerial, Problem, Problems, Transport};
use crate::host::files;
use crate::ops::run::{Accel, BootFrom, Ran, Terminal, Wish};
use crate::ops::{self, Session, vms};

/// The commands about machines that run right here.
#[derive(Debug, Subcommand)]
pub enum HereCommand {
    /// Boot a recipe or bundle right here with QEMU, on throw-away disks, and tell whether it came up as asked
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
pub(super) fn dispatch(command: HereCommand, session: &Session<'_>, voice: &Voice) -> Result<(), Problems> {
    match command {
        HereCommand::Run(arguments) => run(*arguments, session, voice)?,
        HereCommand::Ssh { name, user, place, words } => {
            vms::ssh(session, place.vms.as_deref(), &name, user.as_deref(), &words)?;
        }
        HereCommand::Snapshot { name, label, place } => snapshot(&name, label, &place, session, voice)?,
        HereCommand::Rollback { name, label, place } => rollback(&name, &label, &place, session, voice)?,
        HereCommand::Vms { command, place } => vms(command, &place, session, voice)?,
    }
    Ok(())
}

/// The arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// A recipe (it is built first; `demo` is inside the program) or a bundle
    #[arg(value_name = "RECIPE|BUNDLE", required_unless_present = "keep", value_hint = ValueHint::AnyPath)]
    target: Option<PathBuf>,
    /// Wait until provisioning is done (told by the guest's report, else by its ssh server), then end
    #[arg(long)]
    wait: bool,
    /// Wait until the guest says TEXT on its console
    #[arg(long, value_name = "TEXT", conflicts_with = "test")]
    wait_for: Option<String>,
    /// How long to wait
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
    /// Wait, then hold the guest's report to the recipe: exit code 1 where it differs
    #[arg(long)]
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
pub struct Place {
    /// Directory of kept machines [default: $XDG_DATA_HOME/arca-build/vms; env: ARCA_VMS]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    vms: Option<PathBuf>,
}

/// What can be done with kept machines.
#[derive(Debug, Subcommand)]
pub enum VmsCommand {
    /// List them (the default)
    List,
    /// Ask one that runs to power off
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

/// Reads a size, and a serial behind a colon.
fn disk(text: &str) -> Result<(ByteSize, Option<DiskSerial>), String> {
    let (size, serial) = text.split_once(':').map_or((text, None), |(size, serial)| (size, Some(serial)));
    let size = ByteSize::parse(size).map_err(|error| error.to_string())?;
    let serial = serial.map(DiskSerial::parse).transpose().map_err(|error| error.to_string())?;
    Ok((size, serial))
}

/// Runs a machine, and tells how that went.
fn run(arguments: RunArgs, session: &Session<'_>, voice: &Voice) -> Result<(), Problems> {
    let is_clean = voice.is_json() || voice.is_quiet() || arguments.console.is_some();
    let interactive = !is_clean && std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let terminal = Terminal {
        out: out(&arguments, is_clean, session)?,
        keys: interactive.then(|| Box::new(std::io::stdin()) as Box<dyn std::io::Read + Send>),
    };
    let (junit, tested) = (arguments.junit.clone(), arguments.test);
    let wish = wish(arguments, interactive);
    let prepared = ops::run::prepare(session, &wish)?;
    voice.end_progress();
    let raw = if interactive { Some(Raw::begin()?) } else { None };
    let ran = prepared.run(session, terminal);
    drop(raw);
    let ran = ran?;
    if let (Some(file), Some(verdict)) = (junit, &ran.verdict) {
        files::write_whole(&session.environment.directory().join(file), &verdict.junit(ran.name.as_str())?)?;
    }
    print(voice, &ran, tested);
    if let Some(signal) = ran.signal {
        ops::run::end_by(signal);
        return Err(Problem::new(Code::Interrupted, "interrupted").into());
    }
    judged(&ran, tested)
}

fn out(arguments: &RunArgs, is_clean: bool, session: &Session<'_>) -> Result<Box<dyn Write + Send>, Problem> {
    match &arguments.console {
        Some(file) => files::stream(&session.environment.directory().join(file)).map(|file| Box::new(file) as _),
        None if is_clean => Ok(Box::new(std::io::sink())),
        None => Ok(Box::new(std::io::stdout())),
    }
}

fn wish(arguments: RunArgs, interactive: bool) -> Wish {
    Wish {
        target: arguments.target,
        keep: arguments.keep,
        vms: arguments.place.vms,
        accel: Accel::parse(&arguments.accel),
        transport: arguments.transport.as_deref().and_then(Transport::parse),
        wait: arguments.wait,
        wait_for: arguments.wait_for,
        timeout: Some(Duration::from_secs(arguments.timeout)),
        test: arguments.test,
        data: arguments.data,
        detach: arguments.detach,
        boot_from: arguments.boot_from.as_deref().and_then(BootFrom::parse),
        options: arguments.options,
        interactive,
    }
}

fn print(voice: &Voice, ran: &Ran, tested: bool) {
    if voice.is_json() {
        return voice.json(&document(ran, tested));
    }
    if let Some(verdict) = ran.verdict.as_ref().filter(|_| tested) {
        voice.data(&format!("{}\n", verdict.lines().join("\n")));
    }
    if let Some(directory) = &ran.directory {
        voice.say(&format!("kept     {}; `arca-build run --keep {}` starts it again", directory.display(), ran.name));
    }
}

fn document(ran: &Ran, tested: bool) -> Value {
    let check = |check: &crate::ops::Check| {
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
        "passed": verdict.map(crate::ops::Verdict::passed),
        "checks": verdict.map(|verdict| verdict.checks.iter().map(check).collect::<Vec<_>>()),
    })
}

/// That the guest is not as asked is an answer, as with `diff`: it stands on stdout, and in the exit code.
fn judged(ran: &Ran, tested: bool) -> Result<(), Problems> {
    let failures = ran.verdict.as_ref().filter(|_| tested).map_or(0, |verdict| verdict.failures().count());
    if failures == 0 {
        return Ok(());
    }
    let headline = format!("`{}` is not as its recipe says: {}", ran.name, count(failures, "fact"));
    Err(Problem::new(Code::Differs, headline).into())
}

/// Lists, stops or removes kept machines.
fn vms(command: Option<VmsCommand>, place: &Place, session: &Session<'_>, voice: &Voice) -> Result<(), Problem> {
    let place = place.vms.as_deref();
    match command.unwrap_or(VmsCommand::List) {
        VmsCommand::List => print_list(voice, &vms::list(session, place)?),
        VmsCommand::Stop { name } => {
            let by_itself = vms::stop(session, place, &name)?;
            done(voice, &name, if by_itself { "stopped" } else { "unplugged: it did not power off in a minute" });
        }
        VmsCommand::Remove { name } => {
            vms::remove(session, place, &name)?;
            done(voice, &name, "removed");
        }
    }
    Ok(())
}

fn print_list(voice: &Voice, all: &[vms::Kept]) {
    if voice.is_json() {
        let show = |one: &vms::Kept| json!({ "name": one.name, "runs": one.runs, "snapshots": one.snapshots, "path": lossy(&one.directory) });
        return voice.json(&json!({ "machines": all.iter().map(show).collect::<Vec<_>>() }));
    }
    for one in all {
        let state = if one.runs { "runs" } else { "off" };
        let snapshots =
            if one.snapshots.is_empty() { String::new() } else { format!("  ({})", one.snapshots.join(", ")) };
        voice.data(&format!("{}  {state}{}\n", one.name, crate::base::text::sanitise(&snapshots)));
    }
    if all.is_empty() {
        voice.say("no machine is kept; `arca-build run RECIPE --keep NAME` keeps one");
    }
}

/// Copies a machine's disks, and tells under which label.
fn snapshot(
    name: &str,
    label: Option<String>,
    place: &Place,
    session: &Session<'_>,
    voice: &Voice,
) -> Result<(), Problem> {
    let place = place.vms.as_deref();
    let label = label.map_or_else(|| vms::free_label(session, place, name), Ok)?;
    vms::snapshot(session, place, name, &label)?;
    if voice.is_json() {
        voice.json(&json!({ "name": name, "snapshot": label }));
    } else {
        voice.data(&format!("{label}\n"));
        voice.say(&format!("`arca-build rollback {name} {label}` brings it back"));
    }
    Ok(())
}

/// Brings a machine's disks back to a snapshot.
fn rollback(name: &str, label: &str, place: &Place, session: &Session<'_>, voice: &Voice) -> Result<(), Problem> {
    vms::rollback(session, place.vms.as_deref(), name, label)?;
    done(voice, name, &format!("is as it was at {label}"));
    Ok(())
}

fn done(voice: &Voice, name: &str, what: &str) {
    if voice.is_json() {
        voice.json(&json!({ "name": name, "done": what }))
    } else {
        voice.say(&format!("{name}: {what}"))
    }
}

/// The terminal while keys go to the guest.
struct Raw(Termios);

impl Raw {
    fn begin() -> Result<Self, Problem> {
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin).map_err(|error| Problem::io("the terminal cannot be read", &error.into()))?;
        let mut raw = before.clone();
        raw.local_modes -=
            LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::IEXTEN | LocalModes::ISIG;
        raw.input_modes -=
            InputModes::ICRNL | InputModes::INLCR | InputModes::IGNCR | InputModes::IXON | InputModes::ISTRIP;
        raw.special_codes[SpecialCodeIndex::VMIN] = 1;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(&stdin, OptionalActions::Now, &raw)
            .map_err(|error| Problem::io("the terminal cannot be set", &error.into()))?;
        Ok(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.0);
    }
}
