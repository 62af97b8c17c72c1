//! The shell scripts of a bundle, from the templates beside this file. Touches nothing.
//!
//! A template is POSIX shell (checked by shellcheck, dash, bash and busybox in `tests/oracle/scripts.rs`); what depends
//! on the machine comes in at places like `@NAME@`, each encoded for the shell. Read next: the `.sh.in` files,
//! [`mod@super::script`].

use super::form::{Drive, Form, INITRD, KERNEL, Role, Stage, installer_arguments, loader_directory};
use super::identity::Identity;
use super::quote::shell;
use super::script::{Word, fill, line};
use super::{qemu, virt_install};
use crate::base::{Arch, BaseKind, Transport};
use crate::machine::keys;
use crate::plan::{Accel, Machine, Network, REPORT_PORT, file};

/// Between two lines of one command.
const BREAK: &str = " \\\n    ";

const COMMON: &str = include_str!("common.sh.in");
const VET: &str = include_str!("vet.sh.in");
const EXTRACT: &str = include_str!("extract.sh.in");
const INSTALL: &str = include_str!("install.sh.in");
const VIRT_INSTALL: &str = include_str!("virt-install.sh.in");
const RUN_QEMU: &str = include_str!("run-qemu.sh.in");

/// Writes `install.sh`, which copies what the VM needs into its directory.
pub(crate) fn install(machine: &Machine, domains: &[String]) -> String {
    let iso = machine.base == BaseKind::Iso;
    let old = format!("{}/{}", machine.storage, machine.name);
    let loader = || loader(machine.arch, "\"$temporary/base.iso\"", "$temporary").replace("    ", "") + "\n";
    let values = [
        ("NAME", shell(machine.name.as_str())),
        ("STORAGE", shell(machine.storage.as_str())),
        ("COMMON", COMMON.trim_end().to_owned()),
        ("VET", VET.trim_end().to_owned()),
        ("EXTRACT", if iso { format!("{}\n\n", EXTRACT.trim_end()) } else { String::new() }),
        ("COPIES", copies(machine, domains)),
        ("LOADER", if iso { loader() } else { String::new() }),
        ("DOMAINS", domains.join(" ")),
        // A dot is the only character of the storage rule that a basic regular expression knows.
        ("OLD", old.replace('.', "[.]")),
        ("NEXT", next(machine)),
    ];
    fill(INSTALL, &values)
}

/// Lists what is copied, and the mode it gets: disks are written by the VM, configurations hold secrets.
fn copies(machine: &Machine, domains: &[String]) -> String {
    let (writable, private, public) = ("0600", "0600", "0444");
    let base = match machine.base {
        BaseKind::Iso => Some(file::BASE_ISO),
        BaseKind::Qcow2 | BaseKind::Raw => machine.backing_file(),
    };
    let mut files = vec![(file::SYSTEM.to_owned(), writable)];
    files.extend(machine.data_files().map(|(_, name)| (name, writable)));
    files.extend(base.map(|name| (name.to_owned(), public)));
    files.extend(machine.payload.then(|| (file::PAYLOAD.to_owned(), private)));
    files.extend(machine.config_disk.map(|_| (file::CONFIG_QCOW2.to_owned(), private)));
    files.extend(machine.fw_cfg.iter().map(|(_, name)| ((*name).to_owned(), private)));
    files.extend(domains.iter().map(|name| (name.clone(), "0644")));
    files.iter().map(|(name, mode)| format!("copy {} {mode}\n", shell(name))).collect::<String>().trim_end().to_owned()
}

/// Takes the installer's kernel and initrd out of the medium.
fn loader(arch: Arch, medium: &str, target: &str) -> String {
    let from = loader_directory(arch);
    [KERNEL, INITRD].map(|name| format!("extract {medium} {from}/{name} \"{target}/{name}\"")).join("\n    ")
}

fn next(machine: &Machine) -> String {
    let name = shell(machine.name.as_str());
    let autostart = if machine.hardware.autostart { format!(" && virsh autostart {name}") } else { String::new() };
    match machine.base {
        BaseKind::Qcow2 | BaseKind::Raw => {
            format!("virsh define $target/domain.xml{autostart} && virsh start {name}")
        }
        BaseKind::Iso => {
            format!("virsh create $target/domain.xml && virsh define $target/domain-installed.xml{autostart}")
        }
    }
}

/// Writes a `virt-install*.sh` under the name `own`.
pub(crate) fn virt_install(form: &Form, own: &str) -> String {
    let lines = virt_install::arguments(form);
    let arguments: Vec<_> = lines.iter().map(|words| format!("    {}", line(words))).collect();
    let values = [
        ("OWN", own.to_owned()),
        ("NAME", shell(form.machine.name.as_str())),
        ("STORAGE", shell(form.machine.storage.as_str())),
        ("TRANSPORT", transport_words(form).to_owned()),
        ("COMMON", COMMON.trim_end().to_owned()),
        ("VET", VET.trim_end().to_owned()),
        ("ARGUMENTS", arguments.join(" \\\n")),
        ("AFTER", if form.stage == Stage::Installing { INSTALLING } else { "" }.to_owned()),
    ];
    fill(VIRT_INSTALL, &values)
}

fn transport_words(form: &Form) -> &'static str {
    match form.transport {
        Transport::Disk if form.machine.is_mixed() => "the configuration on a disk and by fw_cfg",
        Transport::Disk => "the configuration on a disk",
        Transport::FwCfg => "the configuration by fw_cfg",
    }
}

/// What a person wants to know about an installing machine.
const INSTALLING: &str =
    "It installs without asking, goes on into the installed system, and is switched off at that system's first
reboot; start it again with virsh.
";

/// Writes `run-qemu.sh`, which boots the bundle as it lies there.
pub(crate) fn run_qemu(machine: &Machine, identity: &Identity) -> String {
    let iso = machine.base == BaseKind::Iso;
    let stage = if iso { Stage::Installing } else { Stage::Ready };
    let form = |transport| Form { machine, identity, transport, stage };
    let disk = form(Transport::Disk).drives();
    let (config, plain): (Vec<&Drive>, Vec<&Drive>) = disk.iter().partition(|drive| drive.role == Role::Config);
    // With different transports the case of the disk brings the rest by fw_cfg.
    let with_disk = if machine.is_mixed() { "mixed" } else { Transport::Disk.as_str() };
    let default = if machine.transport == Transport::Disk { with_disk } else { machine.transport.as_str() };
    let mut config_disk = drives(machine.arch, &config);
    if machine.is_mixed() {
        config_disk = format!("{config_disk}\n    {}", fw_cfg(&form(Transport::Disk)));
    }
    let values = [
        ("NAME", shell(machine.name.as_str())),
        ("TRANSPORT", default.to_owned()),
        ("WITH_DISK", with_disk.to_owned()),
        ("COMMON", COMMON.trim_end().to_owned()),
        ("EXTRACT", if iso { format!("{}\n\n", EXTRACT.trim_end()) } else { String::new() }),
        ("ACCEL", if machine.accel == Accel::Tcg { "tcg" } else { "auto" }.to_owned()),
        ("QEMU", format!("qemu-system-{}", machine.arch)),
        ("MACHINE", main_arguments(&form(Transport::Disk))),
        ("DRIVES", drives(machine.arch, &plain)),
        ("CONFIG_DISK", config_disk),
        ("CONFIG_FW_CFG", fw_cfg(&form(Transport::FwCfg))),
        ("NETWORK", network(&form(Transport::Disk))),
        ("TPM", tpm(machine)),
        ("FIRMWARE", firmware(machine)),
        ("KERNEL", if iso { kernel(machine.arch) } else { String::new() }),
    ];
    fill(RUN_QEMU, &values.into_iter().chain(report(machine)).collect::<Vec<_>>())
}

/// Lets the guest's report go to a file, where the guest has something to tell.
fn report(machine: &Machine) -> [(&'static str, String); 7] {
    let device = format!(
        "if [ -n \"$report\" ]; then\n    \
         set -- -device virtio-serial-pci -chardev \"file,id=report,path=$(comma \"$report\")\" \\\n        \
         -device virtserialport,chardev=report,name={REPORT_PORT} \"$@\"\nfi\n"
    );
    [
        ("REPORT_VALUE", "report=''\n"),
        ("REPORT_WORD", "[--report FILE] "),
        ("REPORT_HELP", "  --report FILE    write what the guest tells of itself to FILE\n"),
        ("REPORT_CASE", " | --report"),
        ("REPORT_TAKE", "        --report) report=$2 ;;\n"),
        ("REPORT_IS", "    --report=*) report=${1#*=} ;;\n"),
        ("REPORT", &device),
    ]
    .map(|(name, text)| (name, if machine.report { text.to_owned() } else { String::new() }))
}

/// A line that puts words before those collected so far.
fn collect(words: &str) -> String {
    format!("set -- {words} \"$@\"")
}

fn main_arguments(form: &Form) -> String {
    let console = ["-serial", "mon:stdio"].map(str::to_owned);
    qemu::main(form, &console).iter().map(|words| line(words)).collect::<Vec<_>>().join(BREAK)
}

/// Puts options before those collected so far; without any does nothing.
fn collected(options: &[Vec<Word>]) -> String {
    let lines: Vec<_> = options.iter().map(|words| line(words)).collect();
    if lines.is_empty() { ":".to_owned() } else { collect(&lines.join(BREAK)) }
}

/// `snapshot=on` puts every write into a file that QEMU makes in `TMPDIR` and has unlinked already.
fn drives(arch: Arch, drives: &[&Drive]) -> String {
    let keep = |drive: &Drive| if drive.is_readonly() { ",readonly=on" } else { ",snapshot=on" };
    collected(&drives.iter().map(|drive| qemu::drive(arch, drive, keep(drive), files())).collect::<Vec<_>>())
}

fn fw_cfg(form: &Form) -> String {
    collected(&qemu::fw_cfg(form, &files()))
}

/// The directory of the bundle's files, as the script encodes it for QEMU.
fn files() -> Word {
    Word::default().variable("files")
}

fn firmware(machine: &Machine) -> String {
    let places = qemu::firmware_places(machine);
    let pairs: Vec<_> = places.iter().map(|(code, vars)| format!("{code} {vars}")).collect();
    match pairs.is_empty() {
        true => String::new(),
        false => fill(include_str!("firmware.sh.in"), &[("PAIRS", pairs.join(BREAK))]),
    }
}

fn network(form: &Form) -> String {
    let machine = form.machine;
    if machine.network == Network::None {
        return "[ -z \"$ssh_port\" ] || fail 'this machine has no network'".to_owned();
    }
    let ports = qemu::ports(machine);
    let (ports, before) = if ports.is_empty() { ("''".to_owned(), "") } else { (ports, "$forward") };
    let values = [("MAC", form.mac().to_owned()), ("PORTS", ports), ("BEFORE", before.to_owned())];
    fill(include_str!("network.sh.in"), &values).trim_end().to_owned()
}

fn tpm(machine: &Machine) -> String {
    if !machine.hardware.security.tpm {
        return String::new();
    }
    fill(include_str!("tpm.sh.in"), &[("MODEL", keys::tpm_device(machine.arch).to_owned())])
}

/// The installer's kernel must not come back after a reboot, so the run ends there.
fn kernel(arch: Arch) -> String {
    let arguments = shell(&installer_arguments(arch));
    let values = [("LOADER", loader(arch, "\"$here/base.iso\"", "$temporary")), ("ARGUMENTS", arguments)];
    fill(include_str!("kernel.sh.in"), &values)
}
