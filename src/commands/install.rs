//! `install`: a bundle becomes an instance, whose domain libvirt knows.
//!
//! Read the bundle (or build it), look at all that could fail later, copy under the storage's lock, define the domain.
//! Read next: `crate::libvirt::instance` (what lies where), `crate::vm::preflight`.

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueHint};
use serde::Serialize;

use super::context::Context;
use super::launch_source::LaunchSource;
use super::printer::{Output, Printer, ShownPath};
use crate::base::text::one_line;
use crate::base::{BaseKind, ByteSize, Code, Diagnostic, Diagnostics, Event, Name, Rule, StorageDir, Transport};
use crate::bundle::{Entry, Manifest};
use crate::emit::{self, HostId, Identity, LaunchFile};
use crate::host::files;
use crate::libvirt::instance::{Data, Draft, Instance, Kind, Part, Record, Storage};
use crate::libvirt::preflight::{self, Findings, Subject};
use crate::libvirt::virsh::{self, Virsh};
use crate::plan::{Machine, Network, XmlEdit, file};
use crate::provision::rules::logins::holds_example;
use crate::recipe::DEFAULT_STORAGE;
use crate::vm::copy::Work;
use crate::vm::disks;
use crate::vm::signals::{self, Signals};

/// The most that is read of a configuration to look for an example's login.
const LARGEST_CONFIG: ByteSize = ByteSize::mib(64);
/// Where systemd keeps the id of a host.
const MACHINE_ID: &str = "/etc/machine-id";

/// Make a virtual machine of a bundle: copy it, check every byte, define it in libvirt
#[derive(Debug, Args)]
pub(crate) struct InstallOptions {
    /// A bundle (or the link to it), or a recipe, which is built first
    #[arg(value_name = "BUNDLE|RECIPE", value_hint = ValueHint::AnyPath)]
    target: PathBuf,
    /// libvirt to use [default: what virsh takes from the environment, else qemu:///system for root, qemu:///session for others]
    #[arg(long, value_name = "URI")]
    connect: Option<String>,
    /// Directory for instances [default: the recipe's; for a session $XDG_DATA_HOME/arca-build/instances]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    storage: Option<PathBuf>,
    /// Name of the instance, hence of the domain [default: the recipe's]
    #[arg(long, value_parser = Name::parse)]
    name: Option<Name>,
    /// Give the machine a UUID and a MAC address of its own on this host; else plan and name fix them
    #[arg(long)]
    unique: bool,
    /// How the configuration reaches the guest [default: the recipe's]
    #[arg(long, value_parser = transport())]
    transport: Option<Transport>,
    /// Start it too
    #[arg(long)]
    start: bool,
    /// Check whether it would work and show what would be done, do nothing
    #[arg(long)]
    dry_run: bool,
    /// Accept a bundle that is not of your own store though its recipe edits the domain by [[machine.xml]]
    #[arg(long)]
    allow_edits: bool,
}

/// Takes a transport by its word.
pub(super) fn transport() -> impl TypedValueParser<Value = Transport> {
    PossibleValuesParser::new(Transport::WORDS).map(|word| Transport::parse(&word).unwrap_or(Transport::Disk))
}

/// How far it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// Nothing was done.
    Planned,
    Defined,
    Running,
}

/// What was installed, or would be.
#[derive(Clone, Debug, Serialize)]
struct InstallOutput {
    name: Name,
    #[serde(flatten)]
    identity: Identity,
    directory: ShownPath,
    connect: String,
    state: State,
    files: Vec<InstanceFile>,
    /// Bytes that are copied at most, and that are free.
    needed: u64,
    free: Option<u64>,
    /// The commands of virsh, with all their words.
    commands: Vec<String>,
    /// What a person does next, and what removes it.
    next: String,
    remove: String,
    /// What the preflight could not see.
    #[serde(rename = "notes")]
    doubts: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
struct InstanceFile {
    path: String,
    size: u64,
    /// Whether other instances may share it.
    shared: bool,
}

impl InstallOptions {
    pub(crate) fn run(self, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        printer.show(&install(context, &self)?)
    }
}

impl Output for InstallOutput {
    /// Prints the instance's directory, or what would be done.
    fn print(&self, printer: &Printer) {
        self.doubts.iter().for_each(|doubt| printer.say(&format!("note: {doubt}")));
        if self.state == State::Planned {
            return self.print_plan(printer);
        }
        let directory = self.directory.display().to_string();
        printer.line(&directory);
        let state = match self.state {
            State::Running => ("state", "running".to_owned()),
            _ => ("start it", self.next.clone()),
        };
        printer.say_aligned(&[
            ("instance", directory),
            ("domain", self.domain()),
            state,
            ("remove it", self.remove.clone()),
        ]);
    }
}

impl InstallOutput {
    fn domain(&self) -> String {
        format!("{}, {}, of {}", self.name, self.identity.uuid, self.connect)
    }

    fn print_plan(&self, printer: &Printer) {
        let directory = self.directory.display();
        for InstanceFile { path, size, shared } in &self.files {
            let shared = if *shared { ", shared with other instances" } else { "" };
            printer.line(format_args!("write   {directory}/{path}  {}{shared}", ByteSize(*size)));
        }
        self.commands.iter().for_each(|command| printer.line(format_args!("run     {command}")));
        let free = self.free.map_or("unknown".to_owned(), |free| ByteSize(free).to_string());
        let needed = ByteSize(self.needed);
        printer.say_aligned(&[
            ("domain", self.domain()),
            ("space", format!("at most {needed} are copied, {free} are free; disks grow as the guest writes")),
            ("done", "nothing: this was a dry run, and nothing stands in the way".to_owned()),
        ]);
    }
}

/// A bundle, and the machine that an instance of it is.
struct Source {
    path: PathBuf,
    manifest: Manifest,
    machine: Machine,
    identity: Identity,
    /// The domains of the instance, the one to start with first.
    domains: Vec<LaunchFile>,
    /// The bundle's files that the instance needs, and the mode that each gets.
    parts: Vec<(Part, u32)>,
}

/// Installs a bundle, or a recipe that is built first.
fn install(context: &Context<'_>, options: &InstallOptions) -> Result<InstallOutput, Diagnostics> {
    let connect = context.environment.libvirt_uri(options.connect.as_deref());
    virsh::refuse_remote(&connect)?;
    let source = LaunchSource::unverified(context, &options.target)?;
    let edits = &source.machine.hardware.xml;
    if !edits.is_empty() && !options.allow_edits && !source.is_in_store(context) {
        return Err(edited(edits).into());
    }
    let LaunchSource { path, manifest, machine, .. } = source;
    refuse_example(&path)?;
    let (storage, makes_storage) = storage(context, options.storage.as_deref(), &machine, &connect)?;
    let is_alone = virsh::is_session(&connect) && is_default(&machine.network);
    let machine = Machine {
        name: options.name.clone().unwrap_or(machine.name),
        network: if is_alone { Network::User } else { machine.network },
        transport: options.transport.unwrap_or(machine.transport),
        storage,
        ..machine
    };
    let identity = identity(options, &manifest, &machine)?;
    let source = Source::new(path, manifest, machine, identity)?;
    let search = context.environment.search_path();
    let virsh = Virsh::find(search, &connect);
    let findings = look(&source, makes_storage, &virsh, search);
    let mut installed = source.planned(&findings, &connect, context);
    installed.doubts.extend(twins(options, &source.machine));
    installed.doubts.extend(is_alone.then(|| {
        "a session has no network `default`: the machine uses user networking, as with `run`, and nobody else reaches it \
         except by the ports that are forwarded"
            .to_owned()
    }));
    installed.commands.extend(options.start.then(|| installed.next.clone()));
    if !findings.problems.is_empty() {
        return Err(Diagnostics(findings.problems));
    }
    if options.dry_run {
        return Ok(installed);
    }
    if makes_storage {
        files::make_directories(Path::new(source.machine.storage.as_str()))?;
    }
    interruptible(context, |work| {
        let virsh = virsh.clone()?.heeding(work.signals);
        put(&source, &virsh, work)?;
        installed.state = State::Defined;
        if options.start {
            start(&source, &installed, &virsh)?;
            installed.state = State::Running;
        }
        Ok(())
    })?;
    Ok(installed)
}

/// Refuses to make a lasting machine that everybody can log in to, whatever the recipe allows.
fn refuse_example(bundle: &Path) -> Result<(), Diagnostic> {
    for name in [file::CONFIG_IGN, file::SCRIPT] {
        let bytes = files::read_small(&bundle.join(name), LARGEST_CONFIG)?.unwrap_or_default();
        if holds_example(&bytes) {
            return Err(Diagnostic::new(
                Code::Preflight,
                "the machine would have the password or ssh key of an example",
            )
            .of(Rule::ExampleLogin)
            .note(format!("it stands in the bundle's `{name}`; everybody who has the example can log in"))
            .hint(
                "make a hash with `arca-build passwd` and a key with `ssh-keygen -t ed25519`, and write them into a \
                     copy of the recipe; `arca-build run` tries the bundle as it is",
            ));
        }
    }
    Ok(())
}

/// Says who the machine is, on this host alone where that is asked.
fn identity(options: &InstallOptions, manifest: &Manifest, machine: &Machine) -> Result<Identity, Diagnostic> {
    if !options.unique {
        return Ok(Identity::new(&manifest.plan, &machine.name));
    }
    let text = files::read_text(Path::new(MACHINE_ID))?;
    let host = text.as_deref().and_then(HostId::parse).ok_or_else(|| {
        Diagnostic::new(Code::Preflight, format!("`--unique` needs this host's id, and `{MACHINE_ID}` has none"))
            .hint("make it by `systemd-machine-id-setup`, or tell the machines apart by `--name NAME`")
    })?;
    Ok(Identity::on_host(&manifest.plan, &machine.name, &host))
}

/// Returns whether this is the network that libvirt has from the start, of which only the system's has one.
fn is_default(network: &Network) -> bool {
    matches!(network, Network::Network(name) if name.as_str() == "default")
}

/// Tells what another host's instance of the same bundle would have in common with this one.
fn twins(options: &InstallOptions, machine: &Machine) -> Option<String> {
    match options.unique {
        true if machine.hardware.mac.is_some() => Some(
            "the recipe's `mac` stays as it is on every host: two machines that have it must not meet in one network".into(),
        ),
        false if options.name.is_none() => Some(
            "on another host this bundle gets the same UUID and MAC address, so the guest the same machine-id and DHCP \
             identity; `--unique` makes them this host's own"
                .into(),
        ),
        _ => None,
    }
}

/// Refuses what a bundle of unknown origin has its domain do: an edit can name any file of the host.
fn edited(edits: &[XmlEdit]) -> Diagnostic {
    let problem = Diagnostic::new(Code::Preflight, "the bundle's recipe edits the domain by `[[machine.xml]]`").cause(
        "such an edit can share any file of this host with the guest, and this bundle is not one of your store's",
    );
    let shown = edits.iter().map(|edit| {
        let parent = if edit.parent().is_empty() { ".".to_owned() } else { edit.parent().join("/") };
        one_line(&format!("{} in {parent}", edit.element().to_text()), 300)
    });
    shown
        .fold(problem, |problem, edit| problem.fact("edit", edit))
        .hint("install from the recipe, or, where you know who made the bundle, say `--allow-edits`")
}

/// Does something that a signal ends tidily; then the process ends by the signal.
pub(super) fn interruptible<T>(
    context: &Context<'_>,
    act: impl FnOnce(&Work<'_>) -> Result<T, Diagnostic>,
) -> Result<T, Diagnostic> {
    let noted = Signals::note()?;
    let done = act(&Work { events: context.events, signals: &noted });
    if let Some(signal) = noted.take().filter(|_| done.is_err()) {
        signals::end_by(signal);
    }
    done
}

/// Chooses the storage directory, and tells whether it is ours to make.
fn storage(
    context: &Context<'_>,
    asked: Option<&Path>,
    machine: &Machine,
    connect: &str,
) -> Result<(StorageDir, bool), Diagnostic> {
    let own = || context.environment.instances_directory().filter(|_| virsh::is_session(connect));
    let (path, is_own) = match asked {
        Some(asked) => (context.absolute(asked), false),
        None if machine.storage.as_str() != DEFAULT_STORAGE => return Ok((machine.storage.clone(), false)),
        None => match own() {
            Some(own) => (own, true),
            None => return Ok((machine.storage.clone(), false)),
        },
    };
    let shown = path.to_string_lossy();
    let storage = StorageDir::parse(&shown).map_err(|error| {
        Diagnostic::new(Code::Preflight, format!("`{}` is not a valid storage directory", one_line(&shown, 200)))
            .cause(error)
            .hint("name a directory with a plain path by `--storage DIR`")
    })?;
    Ok((storage, is_own))
}

fn look(
    source: &Source,
    makes_storage: bool,
    virsh: &Result<Virsh, Diagnostic>,
    search: Option<&std::ffi::OsStr>,
) -> Findings {
    let path = |part: &Part| source.path.join(&part.path);
    let (bases, copies): (Vec<_>, Vec<_>) =
        source.parts.iter().map(|(part, _)| part).partition(|part| part.kind == Kind::Base);
    let copies: Vec<_> = copies.into_iter().map(path).collect();
    let base = bases.first().map(|part| (path(part), part.sha256));
    let machine = &source.machine;
    let subject = Subject {
        machine,
        uuid: &source.identity.uuid,
        copies: &copies,
        base: base.as_ref().map(|(path, digest)| (path.as_path(), *digest)),
        virt_type: emit::virt_type(machine.accel),
        machine_type: emit::machine_type(machine.arch),
        makes_storage,
    };
    preflight::look(&subject, virsh, search)
}

/// Makes the instance and defines its domain; either both or none of it stays.
fn put(source: &Source, virsh: &Virsh, work: &Work<'_>) -> Result<(), Diagnostic> {
    let machine = &source.machine;
    let storage = Storage::open(Path::new(machine.storage.as_str()), work)?;
    recover(&storage, virsh, work);
    if let Some(there) = storage.find(&machine.name)? {
        // Another run was faster, while we looked or waited.
        return Err(Diagnostic::new(Code::OutputExists, format!("`{}` exists already", there.directory.display())));
    }
    let bundle = source.manifest.digest();
    let uuid = source.identity.uuid.clone();
    let record = Record::new(machine.name.clone(), source.manifest.plan, bundle, uuid, virsh.uri().to_owned());
    let mut draft = storage.begin(record)?;
    source.fill(&mut draft, work)?;
    let unfinished = draft.publish()?;
    match define(source, &unfinished, virsh, work) {
        Ok(()) => unfinished.finish(),
        Err(problem) => {
            let undone = undo(&storage, &unfinished, virsh, work);
            Err(match undone {
                Ok(()) => problem.note("nothing stays installed"),
                Err(more) => problem.cause(format!("and it could not be taken away again: {more}")),
            })
        }
    }
}

fn define(source: &Source, unfinished: &Instance, virsh: &Virsh, work: &Work<'_>) -> Result<(), Diagnostic> {
    work.goes_on()?;
    let alone = virsh.alone(work)?;
    let uuid = &source.identity.uuid;
    if virsh.knows(uuid)? {
        // Another run was faster, in another storage.
        return Err(Diagnostic::new(Code::Preflight, format!("libvirt knows `{uuid}` already"))
            .cause("one plan and name have one UUID, in whatever storage")
            .hint("install it under another name by `--name NAME`"));
    }
    virsh.define(&unfinished.directory.join(source.stays()))?;
    drop(alone);
    if source.machine.hardware.autostart {
        virsh.autostart(uuid)?;
    }
    work.goes_on()
}

/// Takes an instance away that was never finished, with the domain that may have come of it.
fn undo(storage: &Storage, instance: &Instance, virsh: &Virsh, work: &Work<'_>) -> Result<(), Diagnostic> {
    // Who ends the work by a signal wants it undone all the same.
    let signals = Signals::default();
    let work = Work { signals: &signals, ..*work };
    let virsh = virsh.clearing();
    if virsh.uses(&instance.record.uuid, &instance.directory)? {
        virsh.undefine(&instance.record.uuid)?;
    }
    storage.remove(instance, Data::Keep, &work).map(drop)
}

/// Finishes or takes away what killed runs left in place; what cannot be told stays.
pub(super) fn recover(storage: &Storage, virsh: &Virsh, work: &Work<'_>) {
    for instance in storage.unfinished() {
        let other = virsh.at(&instance.record.connect);
        let done = other.uses(&instance.record.uuid, &instance.directory).and_then(|is_defined| match is_defined {
            // The person may have started it meanwhile.
            true => instance.finish(),
            false => storage.remove(&instance, Data::Keep, work).map(drop),
        });
        if let Err(problem) = done {
            let text = format!(
                "`{}` is half an instance that could not be taken away: {problem}",
                instance.directory.display()
            );
            (work.events)(Event::Warning { text });
        }
    }
}

fn start(source: &Source, installed: &InstallOutput, virsh: &Virsh) -> Result<(), Diagnostic> {
    let started = match source.machine.base {
        BaseKind::Iso => virsh.create(&installed.directory.join(file::DOMAIN)),
        BaseKind::Qcow2 | BaseKind::Raw => virsh.start(&source.identity.uuid),
    };
    started.map_err(|problem| {
        problem.note("it is installed and defined, and not started").hint(format!("next: `{}`", installed.next))
    })
}

impl Source {
    fn new(path: PathBuf, manifest: Manifest, machine: Machine, identity: Identity) -> Result<Self, Diagnostic> {
        let mut domains = emit::launch_files(&machine, &identity)?;
        let installed = file::DOMAIN.replace(".xml", "-installed.xml");
        domains.retain(|launch| launch.name == file::DOMAIN || launch.name == installed);
        domains.sort_by_key(|launch| launch.name.len());
        let parts = parts(&manifest, &machine)?;
        Ok(Self { path, manifest, machine, identity, domains, parts })
    }

    /// Returns the file name of the domain that stays defined: after an installer, the one without it.
    fn stays(&self) -> &str {
        self.domains.last().map_or(file::DOMAIN, |launch| &launch.name)
    }

    fn fill(&self, draft: &mut Draft<'_>, work: &Work<'_>) -> Result<(), Diagnostic> {
        for (part, mode) in &self.parts {
            let from = self.path.join(&part.path);
            match part.kind {
                Kind::Base => draft.share(&from, part.clone(), *mode, work)?,
                Kind::Data | Kind::Part => draft.copy(&from, part.clone(), *mode, work)?,
            }
            // A bundle may be a stranger's, whose digests are right and whose images name files of this host.
            if part.path.ends_with(".qcow2") {
                let backing = if part.path == file::SYSTEM { self.machine.backing_file() } else { None };
                disks::judge(&draft.path(&part.path), backing)?;
            }
        }
        if self.machine.base == BaseKind::Iso {
            for name in [emit::KERNEL, emit::INITRD] {
                let inside = format!("{}/{name}", emit::loader_directory(self.machine.arch));
                draft.extract(file::BASE_ISO, &inside, name, work)?;
            }
        }
        self.domains.iter().try_for_each(|launch| draft.write(&launch.name, &launch.bytes, 0o600))
    }

    fn planned(&self, findings: &Findings, connect: &str, context: &Context<'_>) -> InstallOutput {
        let machine = &self.machine;
        let directory = Path::new(machine.storage.as_str()).join(machine.name.as_str());
        let file = |path: &str, size, shared| InstanceFile { path: path.to_owned(), size, shared };
        let parts = self.parts.iter().map(|(part, _)| file(&part.path, part.size, part.kind == Kind::Base));
        let domains = self.domains.iter().map(|launch| file(&launch.name, launch.bytes.len() as u64, false));
        let virsh = |words: &str| format!("virsh -c {} {words}", shlex::try_quote(connect).unwrap_or_default());
        let xml = |name: &str| directory.join(name).display().to_string();
        let next = match machine.base {
            BaseKind::Iso => virsh(&format!("create {}", xml(file::DOMAIN))),
            BaseKind::Qcow2 | BaseKind::Raw => virsh(&format!("start {}", machine.name)),
        };
        let mut commands = vec![virsh(&format!("define --validate {}", xml(self.stays())))];
        commands.extend(machine.hardware.autostart.then(|| virsh(&format!("autostart {}", self.identity.uuid))));
        // `uninstall` looks in some places by itself.
        let is_searched = places(context).iter().any(|place| place == Path::new(machine.storage.as_str()));
        let storage = if is_searched { String::new() } else { format!(" --storage {}", machine.storage) };
        InstallOutput {
            name: machine.name.clone(),
            identity: self.identity.clone(),
            connect: connect.to_owned(),
            state: State::Planned,
            files: parts.chain(domains).collect(),
            needed: findings.needed,
            free: findings.free,
            commands,
            next,
            remove: format!("arca-build uninstall {}{storage}", machine.name),
            doubts: findings.doubts.clone(),
            directory: directory.into(),
        }
    }
}

/// Lists the bundle's files that the instance needs, and the mode that each gets: the guest writes disks, and configurations
/// hold secrets.
fn parts(manifest: &Manifest, machine: &Machine) -> Result<Vec<(Part, u32)>, Diagnostic> {
    let mut wanted = vec![(file::SYSTEM.to_owned(), Kind::Part, 0o600)];
    wanted.extend(machine.data_files().map(|(_, name)| (name, Kind::Data, 0o600)));
    wanted.extend(machine.backing_file().map(|name| (name.to_owned(), Kind::Base, 0o444)));
    wanted.extend((machine.base == BaseKind::Iso).then(|| (file::BASE_ISO.to_owned(), Kind::Part, 0o444)));
    wanted.extend(machine.payload.then(|| (file::PAYLOAD.to_owned(), Kind::Part, 0o600)));
    let fw_cfg = match machine.transport {
        Transport::Disk => {
            wanted.extend(machine.config_disk.map(|_| (file::CONFIG_QCOW2.to_owned(), Kind::Part, 0o600)));
            &machine.mixed
        }
        Transport::FwCfg => &machine.fw_cfg,
    };
    wanted.extend(fw_cfg.iter().map(|(_, name)| (name.to_string(), Kind::Part, 0o600)));
    let part = |(path, kind, mode)| match manifest.files.iter().find(|entry| entry.path == path) {
        Some(Entry { sha256, size, .. }) => Ok((Part { path, kind, sha256: *sha256, size: *size }, mode)),
        None => Err(Diagnostic::new(Code::Hash, format!("the bundle's manifest lists no `{path}`"))),
    };
    wanted.into_iter().map(part).collect()
}

/// Lists where instances lie that nobody named a storage for.
pub(super) fn places(context: &Context<'_>) -> Vec<PathBuf> {
    context.environment.instances_directory().into_iter().chain([PathBuf::from(DEFAULT_STORAGE)]).collect()
}
