//! `run`: boots a bundle right here, on disks that are thrown away or kept, and tells whether it came up as asked.
//!
//! Nothing of the bundle is written. Read next: `vm::directory` (the directory), `vm::watch` (the run itself).

mod awaited;
mod disks;
mod installer;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Session;
use super::launchable::Launchable;
use crate::base::{Arch, ByteSize, Code, Diagnostic, Diagnostics, DiskSerial, Event, Name, Transport};
use crate::emit::{Identity, Launch, argv};
pub(crate) use crate::guest_report::unreported;
use crate::guest_report::{Expectation, Verdict};
use crate::host::files;
pub(crate) use crate::plan::Accel;
use crate::plan::{Machine, Network, file};
use crate::store::{Holder, Root};
use crate::vm::accel::{self, Chosen};
pub(crate) use crate::vm::console::Terminal;
use crate::vm::directory::{CONSOLE_LOG, Reach, Record, State, Vm, with_added};
use crate::vm::disks::{BUNDLE, DISKS, VARIABLES, firmware, furnish};
use crate::vm::qemu::Child;
pub(crate) use crate::vm::qemu::{WORD as BECOME_QEMU, become_qemu};
use crate::vm::signals::Signals;
pub(crate) use crate::vm::signals::end_by;
use crate::vm::watch::{self, Running, Start, Until};
use crate::vm::{Program, medium, tpm};

/// What a bundle expects of its guest's report.
const EXPECTATION: &str = file::REPORT;

pub(crate) use installer::BootFrom;

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    /// A bundle or a recipe; may be left out where `keep` names an instance that is there.
    pub target: Option<PathBuf>,
    /// The name to keep it under.
    pub keep: Option<String>,
    /// Where instances are kept; see [`super::vms::directory`].
    pub vms: Option<PathBuf>,
    pub accel: Option<Accel>,
    pub transport: Option<Transport>,
    /// Whether to wait until provisioning is done.
    pub wait: bool,
    /// Wait for this text on the console instead.
    pub wait_for: Option<String>,
    /// How long to wait for it.
    pub timeout: Option<Duration>,
    /// Whether the guest's report is held to the bundle's expectation.
    pub test: bool,
    /// Blank disks to add: size, and the serial where one was given.
    pub data: Vec<(ByteSize, Option<DiskSerial>)>,
    /// Disks to leave out in this run.
    pub detach: Vec<DiskSerial>,
    /// Where a machine that an ISO installs boots from, where its state does not tell.
    pub boot_from: Option<BootFrom>,
    /// Further options for QEMU.
    pub options: Vec<String>,
    /// Whether somebody sits at the console, so that the machine goes on after what was waited for.
    pub interactive: bool,
}

/// How a run went.
#[derive(Debug)]
pub(crate) struct Ran {
    pub name: Name,
    pub accel: Accel,
    pub ssh_port: Option<u16>,
    /// Where the instance is kept.
    pub directory: Option<PathBuf>,
    /// What was waited for and came: `report`, `text`, `ssh`.
    pub reached: Option<&'static str>,
    /// What was waited for, in words, where a signal came first.
    pub missed: Option<String>,
    /// The command that starts it again, where it is kept.
    pub again: Option<String>,
    /// How the machine went off, in QEMU's words, such as `guest-shutdown`; `None` where we ended it.
    pub off: Option<String>,
    pub verdict: Option<Verdict>,
    /// The signal that ended the run, if one did.
    pub signal: Option<i32>,
}

/// A machine about to run: all is decided, nothing of the instance is made.
#[derive(Debug)]
pub(crate) struct Prepared<'w> {
    wish: &'w Wish,
    launchable: Launchable,
    /// The name it is kept under, and where.
    keep: Option<(Name, PathBuf)>,
    name: Name,
    until: Until,
    expectation: Option<Expectation>,
    qemu: Program,
    signals: Signals,
}

/// Finds or builds the bundle and decides how it runs. From its return on a signal no longer ends the process but the run, in order.
pub(crate) fn prepare<'w>(session: &Session<'_>, wish: &'w Wish) -> Result<Prepared<'w>, Diagnostics> {
    Prepared::new(session, wish)
}

impl<'w> Prepared<'w> {
    /// Runs the machine to its end, or until what is waited for comes.
    pub(crate) fn run(self, session: &Session<'_>, terminal: Terminal) -> Result<Ran, Diagnostic> {
        let (vm, state) = self.directory(session)?;
        self.go(session, &vm, state, terminal)
    }

    fn new(session: &Session<'_>, wish: &'w Wish) -> Result<Self, Diagnostics> {
        let keep = match &wish.keep {
            Some(name) => Some((super::vms::name(name)?, super::vms::directory(session, wish.vms.as_deref())?)),
            None => None,
        };
        let launchable = match (&wish.target, &keep) {
            (Some(target), _) => Launchable::of(session, target)?,
            (None, Some((name, vms))) => {
                let link = vms.join(name.as_str()).join(BUNDLE);
                if !files::exists(&link) {
                    return Err(super::vms::unknown(vms, name, wish.vms.as_deref()).into());
                }
                if !files::is_directory(&link) {
                    return Err(gone(name, wish.vms.as_deref()).into());
                }
                Launchable::verified(session, &link)?
            }
            (None, None) => {
                return Err(Diagnostic::new(Code::Usage, "what shall run?").hint("name a recipe or a bundle").into());
            }
        };
        let machine = &launchable.machine;
        let expectation = expectation(&launchable, wish)?;
        let until = until(wish, machine, launchable.has(EXPECTATION))?;
        let name = keep.as_ref().map_or_else(|| machine.name.clone(), |(name, _)| name.clone());
        let qemu = qemu(session, machine.arch)?;
        Ok(Self { wish, keep, name, until, expectation, qemu, launchable, signals: Signals::note()? })
    }

    /// Makes the directory, or takes up the one that is kept; all is judged before anything is made or changed.
    ///
    /// Also returns the state to go back to where the machine does not start.
    fn directory(&self, session: &Session<'_>) -> Result<(Vm, State), Diagnostic> {
        let firmware = self.firmware(session)?;
        let variables = firmware.as_ref().map(|(_, variables)| variables.as_path());
        let kept = match &self.keep {
            Some((name, vms)) => super::vms::open_in(vms, name, self.wish.vms.as_deref())?,
            None => None,
        };
        kept.as_ref().map_or(Ok(()), |vm| self.is_same(vm))?;
        let before = kept.as_ref().map_or_else(|| Ok(State::default()), Vm::state)?;
        let state = self.settled(kept.as_ref(), self.with_asked(&before)?)?;
        let furnish = |vm: &Vm| {
            vm.link(&self.launchable.path)?;
            furnish(vm.directory(), &self.launchable.machine, variables)
        };
        let vm = match (kept, &self.keep) {
            (Some(vm), _) => vm,
            (None, Some((name, vms))) => Vm::create(vms, &self.record(name), furnish)?,
            (None, None) => {
                let vm = Vm::throw_away(&temporary(session))?;
                furnish(&vm)?;
                vm
            }
        };
        if self.keep.is_some() {
            self.root(session, &vm)?;
        }
        disks::go_to(&vm, &before, &state)?;
        Ok((vm, before))
    }

    fn record(&self, name: &Name) -> Record {
        Record { format: 1, name: name.clone(), plan: self.launchable.manifest.plan, bundle: self.launchable.digest }
    }

    /// Refuses another bundle under the same name: its disks are written over the first one's.
    fn is_same(&self, vm: &Vm) -> Result<(), Diagnostic> {
        let record = vm.record()?;
        if record.bundle == self.launchable.digest {
            return Ok(());
        }
        let name = &self.name;
        Err(Diagnostic::new(Code::OutputExists, format!("`{name}` is an instance of another bundle"))
            .fact("kept", format!("sha256:{}", record.bundle))
            .fact("asked", format!("sha256:{}", self.launchable.digest))
            .note("nothing was changed")
            .hint(format!(
                "`{}` goes on with it, `{}` lets it go, another name keeps both",
                self.about(&format!("run --keep {name}")),
                self.about(&format!("vms remove {name}"))
            )))
    }

    /// Writes a command about the kept machine as a person types it.
    fn about(&self, words: &str) -> String {
        super::vms::command(words, self.wish.vms.as_deref())
    }

    /// Keeps the bundle from collection as long as the instance is there.
    fn root(&self, session: &Session<'_>, vm: &Vm) -> Result<(), Diagnostic> {
        let path = &self.launchable.path;
        let Ok(store) = session.open_store() else { return Ok(()) };
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !files::one_spelling(path).starts_with(files::one_spelling(store.dir())) || !store.holds_bundle(name) {
            return Ok(());
        }
        let objects = self.launchable.manifest.files.iter().map(|entry| entry.sha256).collect();
        let holder = Holder::Link(files::one_spelling(&vm.directory().join(BUNDLE)));
        super::store::keep(session, &store, &Root { holder, bundle: Some(name.to_owned()), objects })
    }

    fn firmware(&self, session: &Session<'_>) -> Result<Option<(PathBuf, PathBuf)>, Diagnostic> {
        let named = |name: &str| session.environment.variable(name).map(PathBuf::from);
        firmware(&self.launchable.machine, named("OVMF_CODE").zip(named("OVMF_VARS")))
    }

    fn go(&self, session: &Session<'_>, vm: &Vm, before: State, terminal: Terminal) -> Result<Ran, Diagnostic> {
        let (chosen, mut running, _tpm) = self.start(session, vm, terminal).inspect_err(|_| {
            // What never ran holds nothing, and the same command shall do once the cause is gone.
            let _ = vm.state().and_then(|state| disks::go_to(vm, &state, &before));
        })?;
        let mut ran = Ran {
            name: self.name.clone(),
            accel: chosen.accel,
            ssh_port: running.ssh_port,
            directory: self.keep.as_ref().map(|_| vm.directory().to_owned()),
            again: self.keep.as_ref().map(|(name, _)| self.about(&format!("run --keep {name}"))),
            reached: None,
            missed: None,
            off: None,
            verdict: None,
            signal: None,
        };
        self.tell_reach(session, vm, &ran)?;
        self.look_after(session, &mut running, &mut ran).map(|()| ran)
    }

    /// Starts the machine, and what it needs beside it.
    fn start(
        &self,
        session: &Session<'_>,
        vm: &Vm,
        terminal: Terminal,
    ) -> Result<(Chosen, Running, Option<Child>), Diagnostic> {
        let state = vm.state()?;
        let machine = Machine { name: self.name.clone(), ..with_added(&self.launchable.machine, &state) };
        let chosen = accel::choose(self.wish.accel, machine.accel, machine.arch, &self.qemu, vm.directory())?;
        tell_accel(session, &chosen);
        let report = self.launchable.has(EXPECTATION);
        let tpm = self.tpm(session, &machine, vm)?;
        let start = Start {
            qemu: &self.qemu,
            directory: vm.directory(),
            arguments: self.arguments(session, &machine, &state, vm, chosen.accel, report)?,
            terminal,
            until: &self.until,
            network: machine.network != Network::None,
            report,
            mark: self.mark(vm, &state),
            signals: self.signals.clone(),
        };
        Ok((chosen, Running::start(start)?, tpm))
    }

    /// Starts what emulates the machine's TPM, where it has one; it ends when the value goes.
    fn tpm(&self, session: &Session<'_>, machine: &Machine, vm: &Vm) -> Result<Option<Child>, Diagnostic> {
        if !machine.hardware.security.tpm {
            return Ok(None);
        }
        let path = session.environment.variable("PATH").map(AsRef::as_ref);
        let swtpm = Program::find("swtpm", path, "install swtpm; it emulates the TPM of this machine")?;
        tpm::start(&swtpm, vm.directory()).map(Some)
    }

    fn arguments(
        &self,
        session: &Session<'_>,
        machine: &Machine,
        state: &State,
        vm: &Vm,
        accel: Accel,
        report: bool,
    ) -> Result<Vec<String>, Diagnostic> {
        let firmware = self.firmware(session)?;
        let code = firmware.map(|(code, _)| code.to_string_lossy().into_owned());
        let identity = Identity::new(&self.launchable.manifest.plan, &self.name);
        let variables = format!("{DISKS}/{VARIABLES}");
        let mut launch = Launch {
            machine,
            identity: &identity,
            transport: self.wish.transport.unwrap_or(machine.transport),
            installed: state.installed,
            accel: &[accel],
            files: BUNDLE,
            disks: Some(DISKS),
            detached: &self.wish.detach,
            firmware: code.as_deref().map(|code| (code, variables.as_str())),
            kernel: None,
            tpm: machine.hardware.security.tpm.then_some(tpm::SOCKET),
            console: &watch::console_options(CONSOLE_LOG),
        };
        if launch.is_installing() {
            medium::extract(vm.directory(), machine.arch)?;
            launch.kernel = Some((medium::KERNEL, medium::INITRD));
        }
        let mut arguments = argv(&launch);
        if report {
            arguments.extend(watch::report_options());
        }
        arguments.extend(self.wish.options.iter().cloned());
        Ok(arguments)
    }

    /// Tells how to reach the guest, here and to `arca-build ssh`.
    fn tell_reach(&self, session: &Session<'_>, vm: &Vm, ran: &Ran) -> Result<(), Diagnostic> {
        let tell = |text: String| (session.events)(Event::Told { text });
        let user = self.launchable.user();
        if let Some(port) = ran.ssh_port {
            tell(match &self.keep {
                Some((name, _)) => {
                    let command = self.about(&format!("ssh {name}"));
                    format!("ssh      {command}    (port {port} of this machine)")
                }
                None => format!(
                    "ssh      ssh -p {port} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null {user}@127.0.0.1"
                ),
            });
        }
        if let Some(line) = self.wait_line() {
            tell(line);
        }
        if self.wish.interactive {
            tell(self.console_line());
        }
        if self.keep.is_some() {
            vm.set_reach(&Reach { ssh_port: ran.ssh_port, user })?;
        }
        Ok(())
    }
}

/// Decides what the end of provisioning is known by.
fn until(wish: &Wish, machine: &Machine, reports: bool) -> Result<Until, Diagnostic> {
    match (&wish.wait_for, wish.wait || wish.test) {
        (Some(text), _) if !wish.test => Ok(Until::Pattern(text.clone())),
        (_, false) => Ok(Until::Off),
        _ if reports => Ok(Until::Report),
        _ if machine.network != Network::None => Ok(Until::Ssh),
        _ => Err(Diagnostic::new(Code::Usage, format!("nothing tells when `{}` is done", machine.name))
            .cause("its recipe has no report, and the machine no network to ask its ssh server by")
            .hint("set `report = true` below `[provision]`, or wait for a text on the console: `--wait-for TEXT`")),
    }
}

/// Reads what the bundle expects, where it is to be tested.
fn expectation(launchable: &Launchable, wish: &Wish) -> Result<Option<Expectation>, Diagnostic> {
    if !launchable.has(EXPECTATION) {
        return if wish.test { Err(no_report(&launchable.machine.name)) } else { Ok(None) };
    }
    let bytes = files::read_small(&launchable.path.join(EXPECTATION), ByteSize::mib(16))?.unwrap_or_default();
    Expectation::parse(&bytes).map(Some)
}

fn no_report(name: &Name) -> Diagnostic {
    Diagnostic::new(Code::Usage, format!("`{name}` cannot be tested: its guest does not report"))
        .cause("the recipe says `report = false`, or provisions nothing that could report")
        .hint("set `report = true` below `[provision]` and build it again")
}

/// Tells that a kept machine's bundle is not there any more.
fn gone(name: &Name, vms: Option<&Path>) -> Diagnostic {
    let again = super::vms::command(&format!("run RECIPE --keep {name}"), vms);
    Diagnostic::new(Code::Usage, format!("the bundle of `{name}` is gone"))
        .cause("it was removed, or collected from the store; the machine's disks are as they were")
        .hint(format!("`{again}` with the recipe that it came from builds it again"))
}

fn qemu(session: &Session<'_>, arch: Arch) -> Result<Program, Diagnostic> {
    let path = session.environment.variable("PATH").map(AsRef::as_ref);
    let hint = format!(
        "install QEMU for {arch}: `qemu-system-{}` or `qemu-{arch}`, by the name of your distribution",
        package(arch)
    );
    Program::find(&format!("qemu-system-{arch}"), path, &hint)
}

const fn package(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "x86",
        Arch::Aarch64 => "arm",
    }
}

/// Where throw-away disks lie: not in `/tmp`, which may be memory.
fn temporary(session: &Session<'_>) -> PathBuf {
    session.environment.variable("TMPDIR").map_or_else(|| Path::new("/var/tmp").to_owned(), PathBuf::from)
}

fn tell_accel(session: &Session<'_>, chosen: &Chosen) {
    let word = match chosen.accel {
        Accel::Kvm => "KVM",
        Accel::Tcg => "software emulation, which is slow",
    };
    (session.events)(Event::Told { text: format!("accel    {word}: {}", chosen.why) });
}
