//! The shell scripts of a bundle, from the templates beside this file. Touches nothing.
//!
//! A template is POSIX shell (checked by shellcheck, dash, bash and busybox in `tests/oracle/scripts.rs`); what depends
//! on the machine comes in at places like `@NAME@`, each encoded for the shell. Read next: the `.sh.in` files,
//! [`mod@super::script`].

use super::form::{self, Cpu, Drive, Form, INITRD, KERNEL, Role, Stage, installer_arguments, loader_directory};
use super::identity::Identity;
use super::quote::shell;
use super::script::{Word, fill, line};
use super::virt_install;
use crate::base::{Arch, BaseKind, Transport};
use crate::machine::keys;
use crate::plan::{Accel, Firmware, Forward, Machine, Network, REPORT_PORT, file};

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
        ("NAME", shell(machine.name.as_str()).into_owned()),
        ("STORAGE", shell(machine.storage.as_str()).into_owned()),
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
        ("NAME", shell(form.machine.name.as_str()).into_owned()),
        ("STORAGE", shell(form.machine.storage.as_str()).into_owned()),
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
        ("NAME", shell(machine.name.as_str()).into_owned()),
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

fn main_arguments(form: &Form) -> String {
    let (machine, identity) = (form.machine, form.identity);
    // Each on a line of its own.
    let further: String = keys::qemu(&form.spec()).iter().map(|words| format!(" \\\n    {words}")).collect();
    let screen = if machine.arch == Arch::X86_64 { "-vga std " } else { "" };
    format!(
        "-name {} -uuid {} -machine {} -cpu {} -m {}M -smp {} -rtc base=utc \\\n    \
         -nodefaults -no-user-config -display none {screen}-serial mon:stdio -boot strict=on \\\n    \
         -object rng-random,id=rng0,filename=/dev/urandom -device virtio-rng-pci,rng=rng0{}",
        shell(machine.name.as_str()),
        identity.uuid,
        machine_options(machine),
        cpu(machine),
        machine.memory.0 >> 20,
        processors(machine),
        further,
    )
}

/// `max` is all that the accelerator has, on whatever host this runs.
pub(super) fn cpu(machine: &Machine) -> &str {
    match form::cpu(machine) {
        Cpu::Mode(_) => "max",
        Cpu::Model(name) => name.as_str(),
    }
}

pub(super) fn machine_options(machine: &Machine) -> String {
    format!("{}{}", form::machine_type(machine.arch), keys::qemu_machine(&machine.hardware))
}

pub(super) fn processors(machine: &Machine) -> String {
    let layout = machine
        .hardware
        .topology
        .map(|topology| format!(",sockets={},cores={},threads={}", topology.sockets, topology.cores, topology.threads));
    format!("{}{}", machine.vcpus, layout.unwrap_or_default())
}

/// A line that puts words before those collected so far.
fn collect(words: &str) -> String {
    format!("set -- {words} \"$@\"")
}

fn drives(arch: Arch, drives: &[&Drive]) -> String {
    if drives.is_empty() {
        return ":".to_owned();
    }
    collect(&drives.iter().map(|drive| drive_arguments(arch, drive)).collect::<Vec<_>>().join(" \\\n    "))
}

/// `snapshot=on` puts every write into a file that QEMU makes in `TMPDIR` and has unlinked already.
fn drive_arguments(arch: Arch, drive: &Drive) -> String {
    let id = drive.serial.as_ref().map_or("install".to_owned(), |serial| format!("disk-{serial}"));
    let keep = if drive.is_readonly() { "readonly=on" } else { "snapshot=on" };
    let media = if drive.role == Role::Medium { ",media=cdrom" } else { "" };
    let backend = Word::text(format!("if=none,id={id},format={},{keep}{media},file=", drive.format));
    let backend = backend.variable("files").then(format!("/{}", drive.file));
    let boot = drive.role.boot_order().map(|order| format!(",bootindex={order}")).unwrap_or_default();
    let device = match (&drive.serial, arch) {
        (Some(serial), _) => format!("-device virtio-blk-pci,drive={id},serial={serial}{boot}"),
        (None, Arch::X86_64) => format!("-device ide-cd,drive={id},bus=ide.0"),
        (None, Arch::Aarch64) => format!("-device virtio-scsi-pci -device scsi-cd,drive={id}"),
    };
    format!("-drive {} {device}", backend.shell())
}

fn fw_cfg(form: &Form) -> String {
    if form.fw_cfg().is_empty() {
        return ":".to_owned();
    }
    let item = |key: &str, name: &str| {
        let word = Word::text(format!("name={key},file=")).variable("files").then(format!("/{name}"));
        format!("-fw_cfg {}", word.shell())
    };
    collect(&form.fw_cfg().iter().map(|(key, name)| item(key.as_str(), name)).collect::<Vec<_>>().join(" \\\n    "))
}

/// The ports of this machine that lead to the guest's, as `-netdev user` takes them.
pub(super) fn ports(machine: &Machine) -> String {
    let address = |forward: &Forward| forward.address.map(|address| address.to_string()).unwrap_or_default();
    let forwards = machine.hardware.ports.iter().map(|forward| {
        format!(",hostfwd={}:{}:{}-:{}", forward.protocol, address(forward), forward.host, forward.guest)
    });
    forwards.collect()
}

fn network(form: &Form) -> String {
    let machine = form.machine;
    if machine.network == Network::None {
        return "[ -z \"$ssh_port\" ] || fail 'this machine has no network'".to_owned();
    }
    let ports = ports(machine);
    let (ports, before) = if ports.is_empty() { ("''".to_owned(), "") } else { (ports, "$forward") };
    let values = [("MAC", form.mac().to_owned()), ("PORTS", ports), ("BEFORE", before.to_owned())];
    fill(include_str!("network.sh.in"), &values).trim_end().to_owned()
}

fn firmware(machine: &Machine) -> String {
    let candidates = match (machine.firmware, machine.arch) {
        (Firmware::Bios, _) => return String::new(),
        (Firmware::Uefi, Arch::X86_64) if machine.hardware.security.secure_boot => OVMF_SECURE,
        (Firmware::Uefi, Arch::X86_64) => OVMF,
        (Firmware::Uefi, Arch::Aarch64) => AAVMF,
    };
    let pairs: String = candidates.iter().map(|(code, vars)| format!("    {code} {vars} \\\n")).collect();
    fill(include_str!("firmware.sh.in"), &[("PAIRS", pairs.trim_end().trim_end_matches('\\').trim().to_owned())])
}

/// Where distributions keep UEFI firmware with secure boot and the variables with Microsoft's keys in them, which sign
/// the distributions' first boot loader: Debian and Ubuntu, openSUSE, Fedora.
pub(super) const OVMF_SECURE: &[(&str, &str)] = &[
    ("/usr/share/OVMF/OVMF_CODE_4M.ms.fd", "/usr/share/OVMF/OVMF_VARS_4M.ms.fd"),
    ("/usr/share/OVMF/OVMF_CODE.ms.fd", "/usr/share/OVMF/OVMF_VARS.ms.fd"),
    ("/usr/share/qemu/ovmf-x86_64-smm-ms-code.bin", "/usr/share/qemu/ovmf-x86_64-smm-ms-vars.bin"),
    ("/usr/share/edk2/ovmf/OVMF_CODE.secboot.fd", "/usr/share/edk2/ovmf/OVMF_VARS.secboot.fd"),
];

/// Where distributions keep UEFI firmware without secure boot and its empty variable store: Debian and Ubuntu, openSUSE,
/// Fedora, Arch, Alpine, NixOS's QEMU.
pub(super) const OVMF: &[(&str, &str)] = &[
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
    ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
    ("/usr/share/qemu/ovmf-x86_64-4m-code.bin", "/usr/share/qemu/ovmf-x86_64-4m-vars.bin"),
    ("/usr/share/qemu/ovmf-x86_64-code.bin", "/usr/share/qemu/ovmf-x86_64-vars.bin"),
    ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
    ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),
    ("/run/current-system/sw/share/qemu/edk2-x86_64-code.fd", "/run/current-system/sw/share/qemu/edk2-i386-vars.fd"),
    ("/usr/share/qemu/edk2-x86_64-code.fd", "/usr/share/qemu/edk2-i386-vars.fd"),
];

/// See [`OVMF`].
pub(super) const AAVMF: &[(&str, &str)] = &[
    ("/usr/share/AAVMF/AAVMF_CODE.no-secboot.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"),
    ("/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"),
    ("/usr/share/qemu/aavmf-aarch64-code.bin", "/usr/share/qemu/aavmf-aarch64-vars.bin"),
    ("/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw", "/usr/share/edk2/aarch64/vars-template-pflash.raw"),
    ("/run/current-system/sw/share/qemu/edk2-aarch64-code.fd", "/run/current-system/sw/share/qemu/edk2-arm-vars.fd"),
    ("/usr/share/qemu/edk2-aarch64-code.fd", "/usr/share/qemu/edk2-arm-vars.fd"),
];

fn tpm(machine: &Machine) -> String {
    if !machine.hardware.security.tpm {
        return String::new();
    }
    fill(include_str!("tpm.sh.in"), &[("MODEL", keys::tpm_device(machine.arch).to_owned())])
}

/// The installer's kernel must not come back after a reboot, so the run ends there.
fn kernel(arch: Arch) -> String {
    let arguments = shell(&installer_arguments(arch)).into_owned();
    let values = [("LOADER", loader(arch, "\"$here/base.iso\"", "$temporary")), ("ARGUMENTS", arguments)];
    fill(include_str!("kernel.sh.in"), &values)
}
