//! What a machine looks like in one form: by one transport, and, for an ISO, while it installs or afterwards.
//!
//! Domain XML, virt-install's options and QEMU's are all written from [`Form::drives`] and [`Form::kernel`].
//! Touches nothing.

use super::identity::Identity;
use crate::base::{Arch, BaseKind, FwCfgName, MacAddress, Transport};
use crate::machine::keys::Spec;
use crate::plan::{Accel, CONFIG_SERIAL, Cpu, CpuMode, Machine, PAYLOAD_SERIAL, SYSTEM_SERIAL, file};

/// The kernel and initrd that `install.sh` takes out of `base.iso`, by their names in the instance's directory.
pub(crate) const KERNEL: &str = "linux";
/// See [`KERNEL`].
pub(crate) const INITRD: &str = "initrd";

/// When in a machine's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The system disk holds a system from the start.
    Ready,
    /// The system disk is blank and the installer runs.
    Installing,
    /// The installer is done.
    Installed,
}

/// One form of a machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form<'a> {
    pub machine: &'a Machine,
    pub identity: &'a Identity,
    pub transport: Transport,
    pub stage: Stage,
}

/// What a drive is to the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Where the system lives; what boots.
    System,
    /// Blank, for the guest to use.
    Data,
    /// What is carried besides the configuration: raw and read-only.
    Payload,
    /// The config disk: read-only.
    Config,
    /// The installer's medium: a CD, read-only.
    Medium,
}

impl Role {
    /// Returns the place in the boot order, where it has one.
    ///
    /// Only the system disk is meant to boot. The config disk comes behind it because SeaBIOS, told a strict order as libvirt
    /// tells it, sets up no disk outside that order (seabios: src/boot.c, `HALT`): a guest that reads disks through the
    /// BIOS, as boot loaders and our demo do, would not see the configuration.
    pub(crate) const fn boot_order(self) -> Option<&'static str> {
        match self {
            Self::System => Some("1"),
            Self::Config => Some("2"),
            Self::Data | Self::Payload | Self::Medium => None,
        }
    }
}

/// One drive. Its format is always told, and its chain of backing files always ends: nobody may probe (a guest can
/// write any header into a disk of its own).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Drive {
    pub role: Role,
    /// The bundle file's name, the same in the instance's directory.
    pub file: String,
    /// `qcow2` or `raw`.
    pub format: &'static str,
    /// What the guest finds it by; a CD has none.
    pub serial: Option<String>,
    /// libvirt's name of the device; it orders the disks, the guest may name them otherwise.
    pub target: String,
    /// The file that the disk reads through to, a qcow2 without a further one (the base gate saw to it).
    pub backing: Option<&'static str>,
}

impl Drive {
    /// Returns whether the guest may only read.
    pub(crate) const fn is_readonly(&self) -> bool {
        matches!(self.role, Role::Payload | Role::Config | Role::Medium)
    }
}

impl Form<'_> {
    /// Returns what the hardware's keys are written for.
    pub(crate) fn spec(&self) -> Spec<'_> {
        Spec { arch: self.machine.arch, memory: self.machine.memory, hardware: &self.machine.hardware }
    }

    /// Lists the drives: system, data in the recipe's order, payload, config, medium.
    ///
    /// The config disk follows the others so that these have the same names in both sets, and the data disks keep theirs
    /// when config and payload are taken away after the first boot.
    pub(crate) fn drives(&self) -> Vec<Drive> {
        let machine = self.machine;
        let disk = |role, file: String, serial: &str| (role, file, serial.to_owned());
        let mut disks = vec![disk(Role::System, file::SYSTEM.into(), SYSTEM_SERIAL)];
        disks.extend(machine.data_files().map(|(serial, file)| disk(Role::Data, file, serial.as_str())));
        if machine.payload {
            disks.push(disk(Role::Payload, file::PAYLOAD.into(), PAYLOAD_SERIAL));
        }
        if self.config_disk() {
            disks.push(disk(Role::Config, file::CONFIG_QCOW2.into(), CONFIG_SERIAL));
        }
        let backing = |role| if role == Role::System { machine.backing_file() } else { None };
        let mut drives: Vec<Drive> = (0..)
            .zip(disks)
            .map(|(index, (role, file, serial))| {
                let target = target("vd", index);
                let format = if role == Role::Payload { "raw" } else { "qcow2" };
                Drive { role, file, format, serial: Some(serial), target, backing: backing(role) }
            })
            .collect();
        if machine.base == BaseKind::Iso {
            let (file, target) = (file::BASE_ISO.to_owned(), target("sd", 0));
            drives.push(Drive { role: Role::Medium, file, format: "raw", serial: None, target, backing: None });
        }
        drives
    }

    /// Returns the address of the network card: the recipe's, or the one that follows from plan and name.
    pub(crate) fn mac(&self) -> &str {
        self.machine.hardware.mac.as_ref().map_or(&self.identity.mac, MacAddress::as_str)
    }

    /// Returns whether the form carries the configuration on a disk.
    pub(crate) const fn config_disk(&self) -> bool {
        matches!(self.transport, Transport::Disk) && self.machine.config_disk.is_some()
    }

    /// Lists the fw_cfg entries of the form: key and bundle file.
    pub(crate) fn fw_cfg(&self) -> &[(FwCfgName, &'static str)] {
        if self.transport == Transport::FwCfg { &self.machine.fw_cfg } else { &self.machine.mixed }
    }

    /// Returns the installer's command line, while it is what boots.
    pub(crate) fn kernel(&self) -> Option<String> {
        (self.stage == Stage::Installing).then(|| installer_arguments(self.machine.arch))
    }
}

/// Returns what the installer's kernel is told (kiwi: `59kiwi-lib/kiwi-lib.sh`, `kiwi/bootloader/config/grub2.py`).
///
/// The medium's volume id is kiwi's default. The serial console comes last, so it is the one that reports.
pub(crate) fn installer_arguments(arch: Arch) -> String {
    let console = match arch {
        Arch::X86_64 => "ttyS0,115200",
        Arch::Aarch64 => "ttyAMA0,115200",
    };
    format!(
        "root=install:CDLABEL=INSTALL rd.kiwi.oem.installdevice=/dev/disk/by-id/virtio-{SYSTEM_SERIAL} \
         console=tty0 console={console}"
    )
}

/// Returns where in kiwi's ISO the installer's kernel and initrd lie.
pub(crate) const fn loader_directory(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "boot/x86_64/loader",
        Arch::Aarch64 => "boot/aarch64/loader",
    }
}

/// Returns QEMU's machine type, without a version: the host's newest.
pub(crate) const fn machine_type(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "q35",
        Arch::Aarch64 => "virt",
    }
}

/// Returns libvirt's name of the accelerator.
pub(crate) const fn virt_type(accel: Accel) -> &'static str {
    match accel {
        Accel::Kvm => "kvm",
        Accel::Tcg => "qemu",
    }
}

/// Returns what processor the guest sees.
///
/// Emulation gives all it can: distributions ask for x86-64-v2 by now, which the old default `qemu64` is not.
pub(crate) fn cpu(machine: &Machine) -> Cpu {
    match (&machine.hardware.cpu, machine.accel) {
        (Some(cpu), _) => cpu.clone(),
        (None, Accel::Kvm) => Cpu::Mode(CpuMode::HostPassthrough),
        (None, Accel::Tcg) => Cpu::Mode(CpuMode::Maximum),
    }
}

/// Returns what UEFI firmware must and must not be able to do.
///
/// Left to itself, libvirt on Debian picks the variant that refuses an unsigned boot loader.
pub(crate) const fn firmware_features(machine: &Machine) -> &'static [(&'static str, &'static str)] {
    if machine.hardware.security.secure_boot {
        &[("enrolled-keys", "yes"), ("secure-boot", "yes")]
    } else {
        &[("secure-boot", "no")]
    }
}

/// Returns the bus of the CD drive: q35 has a SATA controller, `virt` has none.
pub(crate) const fn cd_bus(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "sata",
        Arch::Aarch64 => "scsi",
    }
}

/// Returns the device name of a disk: `vda` … `vdz`, `vdaa` …, as Linux and libvirt count.
fn target(prefix: &str, index: usize) -> String {
    let letter = |n: usize| char::from(b'a' + u8::try_from(n % 26).unwrap_or_default());
    let mut letters = vec![letter(index)];
    let mut rest = index / 26;
    while rest > 0 {
        letters.push(letter(rest - 1));
        rest = (rest - 1) / 26;
    }
    prefix.chars().chain(letters.into_iter().rev()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_names_count_as_linux_does() {
        for (index, name) in
            [(0, "vda"), (25, "vdz"), (26, "vdaa"), (51, "vdaz"), (52, "vdba"), (701, "vdzz"), (702, "vdaaa")]
        {
            assert_eq!(target("vd", index), name);
        }
    }
}
