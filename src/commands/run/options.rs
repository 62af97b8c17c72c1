//! The arguments of `run`, and what a run returns.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgGroup, Args, ValueEnum, ValueHint};

use crate::base::{ByteSize, DiskSerial, Transport};
use crate::commands::install::transport;
use crate::commands::kept_vms::VmsDirectory;
use crate::plan::Accel;

/// What the keys of a terminal do while a machine runs.
const KEYS: &str = "Keys in a terminal: Ctrl-A X ends the machine, Ctrl-A Ctrl-A types Ctrl-A.\n\
    Ctrl-C goes to the guest; while --wait, --wait-for or --test waits, it ends the machine.";
/// How long a machine is waited for.
const TIMEOUT: Duration = Duration::from_secs(600);

/// Boot a recipe or bundle right here with QEMU, on throw-away disks, and report whether it came up as asked
#[derive(Debug, Args)]
#[command(
    override_usage = "arca-build run [OPTIONS] <RECIPE|BUNDLE> [-- <QEMU-OPTION>...]\n       arca-build run [OPTIONS] --keep <NAME> [-- <QEMU-OPTION>...]",
    after_help = KEYS,
    group = ArgGroup::new("waiting").multiple(true)
)]
pub(crate) struct RunOptions {
    /// A recipe (it is built first; `demo` is inside the program) or a bundle
    #[arg(value_name = "RECIPE|BUNDLE", required_unless_present = "keep", value_hint = ValueHint::AnyPath)]
    pub(super) target: Option<PathBuf>,
    /// Wait until provisioning is done (by the guest's report, else by its ssh server), then end; in a terminal the machine
    /// goes on, to work with
    #[arg(long, group = "waiting")]
    pub(super) wait: bool,
    /// Wait until TEXT appears on the guest's console, then end; in a terminal the machine goes on, to work with
    #[arg(long, value_name = "TEXT", group = "waiting", conflicts_with_all = ["wait", "test"], value_parser = NonEmptyStringValueParser::new())]
    pub(super) wait_for: Option<String>,
    /// How long --wait, --wait-for or --test waits [default: 600]
    #[arg(long, value_name = "SECONDS", requires = "waiting", value_parser = seconds, allow_negative_numbers = true)]
    pub(super) timeout: Option<Duration>,
    /// Wait, compare the guest's report with the recipe (exit code 1 where it differs), and end
    #[arg(long, group = "waiting")]
    pub(super) test: bool,
    /// Also write the result of --test as JUnit XML
    #[arg(long, value_name = "FILE", requires = "test", value_hint = ValueHint::FilePath)]
    pub(super) junit: Option<PathBuf>,
    /// Write the guest's console to FILE instead of stdout
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) console: Option<PathBuf>,
    /// Keep the machine and what it writes under NAME; without this all of it is thrown away
    #[arg(long, value_name = "NAME")]
    pub(super) keep: Option<String>,
    /// Add a blank disk, such as 30GiB or 30GiB:tank-3; may be given several times
    #[arg(long, value_name = "SIZE[:SERIAL]", value_parser = disk)]
    pub(super) data: Vec<(ByteSize, Option<DiskSerial>)>,
    /// Start without this disk, as if it had failed; may be given several times
    #[arg(long, value_name = "SERIAL", value_parser = DiskSerial::parse)]
    pub(super) detach: Vec<DiskSerial>,
    /// What a machine that an ISO installs boots, where that is not known: its disk as it is, or the installer, which erases it
    #[arg(long, value_name = "WHAT", requires = "keep")]
    pub(super) boot_from: Option<BootFrom>,
    /// KVM or software emulation; auto tries KVM, unless the recipe asks for emulation
    #[arg(long, value_name = "HOW", value_parser = ["auto", "kvm", "tcg"], default_value = "auto")]
    pub(super) accel: String,
    /// How the configuration reaches the guest [default: as the recipe says]
    #[arg(long, value_name = "HOW", value_parser = transport())]
    pub(super) transport: Option<Transport>,
    #[command(flatten)]
    pub(super) vms: VmsDirectory,
    /// Further options for QEMU, behind `--`
    #[arg(last = true, value_name = "QEMU-OPTION")]
    pub(super) options: Vec<String>,
    /// Whether somebody sits at the console, so that the machine goes on after what was waited for.
    #[arg(skip)]
    pub(super) is_interactive: bool,
}

/// What boots: the system on the disk, or the installer, which writes the disk anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BootFrom {
    Disk,
    Installer,
}

impl RunOptions {
    /// Returns how long to wait for what is waited for.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(TIMEOUT)
    }

    /// Returns what was asked for by `--accel`; `None` for `auto`.
    pub(super) fn accel(&self) -> Option<Accel> {
        Accel::parse(&self.accel)
    }
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
