//! QEMU's options for a form, as words: `run-qemu.sh` has them for the shell, `vm` starts QEMU with them. Touches nothing.
//!
//! Source: QEMU, `qemu-options.hx`. Read next: [`super::qemu_argv`], [`super::scripts`].

use super::form::{self, Drive, Form, Role};
use super::script::Word;
use crate::base::Arch;
use crate::machine::keys;
use crate::plan::{Cpu, Firmware, Forward, Machine};

fn words(text: &str) -> Vec<Word> {
    text.split(' ').map(Word::text).collect()
}

fn pair(option: &str, value: Word) -> [Word; 2] {
    [Word::text(option), value]
}

/// Returns what a machine is besides its drives and its network, in lines; `console` says where the serial console goes.
pub(crate) fn main(form: &Form, console: &[String]) -> Vec<Vec<Word>> {
    let machine = form.machine;
    let layout = machine
        .hardware
        .topology
        .map(|topology| format!(",sockets={},cores={},threads={}", topology.sockets, topology.cores, topology.threads));
    let board = format!("{}{}", form::machine_type(machine.arch), keys::qemu_machine(&machine.hardware));
    let own = [
        ("-name", machine.name.to_string()),
        ("-uuid", form.identity.uuid.clone()),
        ("-machine", board),
        // `max` is all that the accelerator has, on whatever host this runs.
        ("-cpu", if let Cpu::Model(name) = form::cpu(machine) { name.to_string() } else { "max".to_owned() }),
        ("-m", format!("{}M", machine.memory.0 >> 20)),
        ("-smp", format!("{}{}", machine.vcpus, layout.unwrap_or_default())),
        ("-rtc", "base=utc".to_owned()),
    ];
    let screen = if machine.arch == Arch::X86_64 { " -vga std" } else { "" };
    let mut host = words(&format!("-nodefaults -no-user-config -display none{screen}"));
    host.extend(console.iter().map(Word::text));
    host.extend(words("-boot strict=on"));
    let random = words("-object rng-random,id=rng0,filename=/dev/urandom -device virtio-rng-pci,rng=rng0");
    let own = own.into_iter().flat_map(|(option, value)| pair(option, Word::text(value))).collect();
    let keys = keys::qemu(&form.spec());
    [own, host, random].into_iter().chain(keys.iter().map(|options| words(options))).collect()
}

/// Returns the options of a drive; `keep` says what becomes of what is written, `directory` where its file lies.
pub(crate) fn drive(arch: Arch, drive: &Drive, keep: &str, directory: Word) -> Vec<Word> {
    let id = drive.serial.as_ref().map_or("install".to_owned(), |serial| format!("disk-{serial}"));
    let media = if drive.role == Role::Medium { ",media=cdrom" } else { "" };
    let backend = Word::text(format!("if=none,id={id},format={}{keep}{media},file=", drive.format));
    let backend = backend.join(directory).then(format!("/{}", drive.file));
    let boot = drive.role.boot_order().map(|order| format!(",bootindex={order}")).unwrap_or_default();
    let device = match (&drive.serial, arch) {
        (Some(serial), _) => format!("-device virtio-blk-pci,drive={id},serial={serial}{boot}"),
        (None, Arch::X86_64) => format!("-device ide-cd,drive={id},bus=ide.0"),
        (None, Arch::Aarch64) => format!("-device virtio-scsi-pci -device scsi-cd,drive={id}"),
    };
    pair("-drive", backend).into_iter().chain(words(&device)).collect()
}

/// Returns the fw_cfg entries of a form; `directory` is where their files lie.
pub(crate) fn fw_cfg(form: &Form, directory: &Word) -> Vec<Vec<Word>> {
    let entry = |key: &str, name: &str| {
        let value = Word::text(format!("name={key},file=")).join(directory.clone()).then(format!("/{name}"));
        pair("-fw_cfg", value).to_vec()
    };
    form.fw_cfg().iter().map(|(key, name)| entry(key.as_str(), name)).collect()
}

/// The ports of this machine that lead to the guest's, as `-netdev user` takes them.
pub(crate) fn ports(machine: &Machine) -> String {
    let address = |forward: &Forward| forward.address.map(|address| address.to_string()).unwrap_or_default();
    let forwards = machine.hardware.ports.iter().map(|forward| {
        format!(",hostfwd={}:{}:{}-:{}", forward.protocol, address(forward), forward.host, forward.guest)
    });
    forwards.collect()
}

/// Lists where distributions keep UEFI firmware for a machine (code, empty variable store); none for a BIOS.
pub(crate) const fn firmware_places(machine: &Machine) -> &'static [(&'static str, &'static str)] {
    match (machine.firmware, machine.arch) {
        (Firmware::Bios, _) => &[],
        (Firmware::Uefi, Arch::X86_64) if machine.hardware.security.secure_boot => OVMF_SECURE,
        (Firmware::Uefi, Arch::X86_64) => OVMF,
        (Firmware::Uefi, Arch::Aarch64) => AAVMF,
    }
}

/// Where distributions keep UEFI firmware with secure boot and the variables with Microsoft's keys in them, which sign
/// the distributions' first boot loader: Debian and Ubuntu, openSUSE, Fedora.
const OVMF_SECURE: &[(&str, &str)] = &[
    ("/usr/share/OVMF/OVMF_CODE_4M.ms.fd", "/usr/share/OVMF/OVMF_VARS_4M.ms.fd"),
    ("/usr/share/OVMF/OVMF_CODE.ms.fd", "/usr/share/OVMF/OVMF_VARS.ms.fd"),
    ("/usr/share/qemu/ovmf-x86_64-smm-ms-code.bin", "/usr/share/qemu/ovmf-x86_64-smm-ms-vars.bin"),
    ("/usr/share/edk2/ovmf/OVMF_CODE.secboot.fd", "/usr/share/edk2/ovmf/OVMF_VARS.secboot.fd"),
];

/// Where distributions keep UEFI firmware without secure boot and its empty variable store: Debian and Ubuntu, openSUSE,
/// Fedora, Arch, Alpine, NixOS's QEMU.
const OVMF: &[(&str, &str)] = &[
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
const AAVMF: &[(&str, &str)] = &[
    ("/usr/share/AAVMF/AAVMF_CODE.no-secboot.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"),
    ("/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"),
    ("/usr/share/qemu/aavmf-aarch64-code.bin", "/usr/share/qemu/aavmf-aarch64-vars.bin"),
    ("/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw", "/usr/share/edk2/aarch64/vars-template-pflash.raw"),
    ("/run/current-system/sw/share/qemu/edk2-aarch64-code.fd", "/run/current-system/sw/share/qemu/edk2-arm-vars.fd"),
    ("/usr/share/qemu/edk2-aarch64-code.fd", "/usr/share/qemu/edk2-arm-vars.fd"),
];
