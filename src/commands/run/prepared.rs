//! A machine about to run: everything is decided, then it is started, watched and ended.
//!
//! Nothing of the bundle is written. Read next: `vm::directory` (the directory), `vm::watch` (the run itself).

use std::path::PathBuf;

use super::options::RunOptions;
use super::{RunOutput, disks};
use crate::base::{Arch, ByteSize, Code, Diagnostic, Diagnostics, Name};
use crate::commands::context::{Context, named};
use crate::commands::kept_vms::VmsDirectory;
use crate::commands::launch_source::LaunchSource;
use crate::commands::roots::add_root;
use crate::emit::{Identity, Launch, argv};
use crate::guest_report::Expectation;
use crate::host::files;
use crate::plan::{Accel, Machine, Network, file};
use crate::store::{Holder, Root};
use crate::vm::accel::{self, Chosen};
use crate::vm::console::Terminal;
use crate::vm::directory::{CONSOLE_LOG, Record, SshEndpoint, State, Vm, record, with_added};
use crate::vm::disks::{BUNDLE, DISKS, VARIABLES, firmware, furnish};
use crate::vm::qemu::Child;
use crate::vm::signals::Signals;
use crate::vm::watch::{self, Running, Start, WaitFor};
use crate::vm::{Program, medium, tpm};

/// What a bundle expects of its guest's report.
const EXPECTATION: &str = file::REPORT;

/// A machine about to run: all is decided, nothing of the instance is made.
pub(super) struct Prepared<'w> {
    pub(super) context: &'w Context<'w>,
    pub(super) options: &'w RunOptions,
    pub(super) source: LaunchSource,
    /// The name it is kept under, and where.
    pub(super) keep: Option<(Name, PathBuf)>,
    pub(super) name: Name,
    pub(super) until: WaitFor,
    pub(super) expectation: Option<Expectation>,
    pub(super) qemu: Program,
    pub(super) signals: Signals,
}

impl<'w> Prepared<'w> {
    /// Runs the machine to its end, or until what is waited for comes.
    pub(super) fn run(self, terminal: Terminal) -> Result<RunOutput, Diagnostic> {
        let (vm, before) = self.directory()?;
        let (chosen, mut running, _tpm) = self.start(&vm, terminal).inspect_err(|_| {
            // What never ran holds nothing, and the same command shall do once the cause is gone.
            let _ = vm.state().and_then(|state| disks::go_to(&vm, &state, &before));
        })?;
        let mut ran = RunOutput {
            name: self.name.clone(),
            accel: chosen.accel,
            ssh_port: running.ssh_port,
            kept: self.keep.as_ref().map(|_| vm.directory().into()),
            again: self.keep.as_ref().map(|(name, _)| self.about(&format!("run --keep {name}"))),
            reached: None,
            missed: None,
            off: None,
            passed: None,
            checks: None,
            verdict: None,
            signal: None,
        };
        self.tell_reach(&vm, ran.ssh_port)?;
        self.look_after(&mut running, &vm.directory().join(CONSOLE_LOG), &mut ran).map(|()| ran)
    }

    /// Finds or builds the bundle and decides how it runs. From its return on a signal no longer ends the process but the run, in
    /// order.
    pub(super) fn new(context: &'w Context<'w>, options: &'w RunOptions) -> Result<Self, Diagnostics> {
        let keep = match &options.keep {
            Some(name) => Some((named(name, "machine")?, options.vms.path(context)?)),
            None => None,
        };
        let source = match (&options.target, &keep) {
            (Some(target), _) => LaunchSource::of(context, target)?,
            (None, Some((name, vms))) => {
                let link = vms.join(name.as_str()).join(BUNDLE);
                if !files::exists(&link) {
                    return Err(options.vms.unknown(context, name).into());
                }
                if !files::is_directory(&link) {
                    return Err(gone(name, &options.vms).into());
                }
                LaunchSource::verified(context, &link)?
            }
            (None, None) => {
                return Err(Diagnostic::new(Code::Usage, "a recipe or bundle is required")
                    .hint("name a recipe or a bundle")
                    .into());
            }
        };
        let machine = &source.machine;
        let expectation = expectation(&source, options)?;
        let until = until(options, machine, source.has(EXPECTATION))?;
        let name = keep.as_ref().map_or_else(|| machine.name.clone(), |(name, _)| name.clone());
        let qemu = qemu(context, machine.arch)?;
        Ok(Self { context, options, keep, name, until, expectation, qemu, source, signals: Signals::note()? })
    }

    /// Makes the directory, or takes up the one that is kept; all is judged before anything is made or changed.
    ///
    /// Also returns the state to go back to where the machine does not start.
    fn directory(&self) -> Result<(Vm, State), Diagnostic> {
        let firmware = self.firmware()?;
        let variables = firmware.as_ref().map(|(_, variables)| variables.as_path());
        let kept = match &self.keep {
            Some((name, _)) => self.options.vms.find(self.context, name)?,
            None => None,
        };
        kept.as_ref().map_or(Ok(()), |vm| self.is_same(vm))?;
        let before = kept.as_ref().map_or_else(|| Ok(State::default()), Vm::state)?;
        let state = self.settled(kept.as_ref(), self.with_asked(&before)?)?;
        let furnish = |vm: &Vm| {
            vm.link(&self.source.path)?;
            furnish(vm.directory(), &self.source.machine, variables)
        };
        let vm = match (kept, &self.keep) {
            (Some(vm), _) => vm,
            (None, Some((name, vms))) => Vm::create(vms, &self.record(name), furnish)?,
            (None, None) => {
                let vm = Vm::throw_away(&self.temporary())?;
                furnish(&vm)?;
                vm
            }
        };
        if self.keep.is_some() {
            self.root(&vm)?;
        }
        disks::go_to(&vm, &before, &state)?;
        Ok((vm, before))
    }

    fn record(&self, name: &Name) -> Record {
        Record { format: 1, name: name.clone(), plan: self.source.manifest.plan, bundle: self.source.digest }
    }

    /// Returns where throw-away disks lie: not in `/tmp`, which may be memory.
    fn temporary(&self) -> PathBuf {
        self.context.environment.variable("TMPDIR").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from)
    }

    /// Refuses another bundle under the same name: its disks are written over the first one's.
    fn is_same(&self, vm: &Vm) -> Result<(), Diagnostic> {
        let record = record(vm.directory())?;
        if record.bundle == self.source.digest {
            return Ok(());
        }
        let name = &self.name;
        Err(Diagnostic::new(Code::OutputExists, format!("`{name}` is an instance of another bundle"))
            .fact("kept", format!("sha256:{}", record.bundle))
            .fact("asked", format!("sha256:{}", self.source.digest))
            .note("nothing was changed")
            .hint(format!(
                "`{}` goes on with it, `{}` lets it go, another name keeps both",
                self.about(&format!("run --keep {name}")),
                self.about(&format!("vms remove {name}"))
            )))
    }

    /// Writes a command about the kept machine as a person types it.
    pub(super) fn about(&self, words: &str) -> String {
        self.options.vms.command(words)
    }

    /// Keeps the bundle from collection as long as the instance is there.
    fn root(&self, vm: &Vm) -> Result<(), Diagnostic> {
        let path = &self.source.path;
        let Ok(Some(store)) = self.context.open_existing_store() else { return Ok(()) };
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !files::one_spelling(path).starts_with(files::one_spelling(store.dir())) || !store.holds_bundle(name) {
            return Ok(());
        }
        let objects = self.source.manifest.files.iter().map(|entry| entry.sha256).collect();
        let holder = Holder::Link(files::one_spelling(&vm.directory().join(BUNDLE)));
        add_root(self.context, &store, &Root { holder, bundle: Some(name.to_owned()), objects })
    }

    fn firmware(&self) -> Result<Option<(PathBuf, PathBuf)>, Diagnostic> {
        let named = |name: &str| self.context.environment.variable(name).map(PathBuf::from);
        firmware(&self.source.machine, named("OVMF_CODE").zip(named("OVMF_VARS")))
    }

    /// Starts the machine, and what it needs beside it.
    fn start(&self, vm: &Vm, terminal: Terminal) -> Result<(Chosen, Running, Option<Child>), Diagnostic> {
        let state = vm.state()?;
        let machine = Machine { name: self.name.clone(), ..with_added(&self.source.machine, &state) };
        let chosen = accel::choose(self.options.accel(), machine.accel, machine.arch, &self.qemu, vm.directory())?;
        let word = match chosen.accel {
            Accel::Kvm => "KVM",
            Accel::Tcg => "software emulation, which is slow",
        };
        self.context.tell(format!("accel    {word}: {}", chosen.why));
        let tpm = self.tpm(&machine, vm)?;
        let start = Start {
            qemu: &self.qemu,
            directory: vm.directory(),
            arguments: self.arguments(&machine, &state, vm, chosen.accel)?,
            terminal,
            until: &self.until,
            network: machine.network != Network::None,
            report: self.source.has(EXPECTATION),
            ends_in_emergency: self.options.test,
            mark: self.mark(vm, &state),
            signals: self.signals.clone(),
        };
        Ok((chosen, Running::start(start)?, tpm))
    }

    /// Starts what emulates the machine's TPM, where it has one; it ends when the value goes.
    fn tpm(&self, machine: &Machine, vm: &Vm) -> Result<Option<Child>, Diagnostic> {
        if !machine.hardware.security.tpm {
            return Ok(None);
        }
        let swtpm = self.context.program("swtpm", "install swtpm; it emulates the TPM of this machine")?;
        tpm::start(&swtpm, vm.directory()).map(Some)
    }

    fn arguments(&self, machine: &Machine, state: &State, vm: &Vm, accel: Accel) -> Result<Vec<String>, Diagnostic> {
        let firmware = self.firmware()?;
        let code = firmware.map(|(code, _)| code.to_string_lossy().into_owned());
        let identity = Identity::new(&self.source.manifest.plan, &self.name);
        let variables = format!("{DISKS}/{VARIABLES}");
        let mut launch = Launch {
            machine,
            identity: &identity,
            transport: self.options.transport.unwrap_or(machine.transport),
            installed: state.installed,
            accel: &[accel],
            files: BUNDLE,
            disks: Some(DISKS),
            detached: &self.options.detach,
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
        if self.source.has(EXPECTATION) {
            arguments.extend(watch::report_options());
        }
        if self.options.test {
            arguments.extend(watch::journal_options());
        }
        arguments.extend(self.options.options.iter().cloned());
        Ok(arguments)
    }

    /// Prints how to reach the guest, here and to `arca-build ssh`.
    fn tell_reach(&self, vm: &Vm, ssh_port: Option<u16>) -> Result<(), Diagnostic> {
        let tell = |text: String| self.context.tell(text);
        let user = self.source.user();
        if let Some(port) = ssh_port {
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
        self.wait_line().into_iter().for_each(tell);
        if self.options.is_interactive {
            tell(self.console_line());
        }
        if self.keep.is_some() {
            vm.set_reach(&SshEndpoint { ssh_port, user })?;
        }
        Ok(())
    }
}

/// Decides what the end of provisioning is known by.
fn until(options: &RunOptions, machine: &Machine, reports: bool) -> Result<WaitFor, Diagnostic> {
    match (&options.wait_for, options.wait || options.test) {
        (Some(text), _) if !options.test => Ok(WaitFor::Pattern(text.clone())),
        (_, false) => Ok(WaitFor::Off),
        _ if reports => Ok(WaitFor::Report),
        _ if machine.network != Network::None => Ok(WaitFor::Ssh),
        _ => Err(Diagnostic::new(Code::Usage, format!("nothing tells when `{}` is done", machine.name))
            .cause("its recipe has no report, and the machine no network to ask its ssh server by")
            .hint("set `report = true` below `[provision]`, or wait for a text on the console: `--wait-for TEXT`")),
    }
}

/// Reads what the bundle expects, where it is to be tested.
fn expectation(source: &LaunchSource, options: &RunOptions) -> Result<Option<Expectation>, Diagnostic> {
    if !source.has(EXPECTATION) {
        return if options.test { Err(no_report(&source.machine.name)) } else { Ok(None) };
    }
    let bytes = files::read_small(&source.path.join(EXPECTATION), ByteSize::mib(16))?.unwrap_or_default();
    Expectation::parse(&bytes).map(Some)
}

fn no_report(name: &Name) -> Diagnostic {
    Diagnostic::new(Code::Usage, format!("`{name}` cannot be tested: its guest does not report"))
        .cause("the recipe says `report = false`, or provisions nothing that could report")
        .hint("set `report = true` below `[provision]` and build it again")
}

/// Reports that a kept machine's bundle is not there any more.
fn gone(name: &Name, vms: &VmsDirectory) -> Diagnostic {
    let again = vms.command(&format!("run RECIPE --keep {name}"));
    Diagnostic::new(Code::Usage, format!("the bundle of `{name}` is gone"))
        .cause("it was removed, or collected from the store; the machine's disks are as they were")
        .hint(format!("`{again}` with the recipe that it came from builds it again"))
}

fn qemu(context: &Context<'_>, arch: Arch) -> Result<Program, Diagnostic> {
    let package = match arch {
        Arch::X86_64 => "x86",
        Arch::Aarch64 => "arm",
    };
    let hint =
        format!("install QEMU for {arch}: `qemu-system-{package}` or `qemu-{arch}`, by the name of your distribution");
    context.program(&format!("qemu-system-{arch}"), &hint)
}
