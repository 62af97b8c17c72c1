//! Firmware, boot loader, kernel, devices, memory, and the shells a boot may end in. Touches nothing.

use super::{Ailment, EMERGENCY, Kind, LOGIN, PLAIN, SYSTEMD, UNCONFIGURED};

const KERNEL: &str = "https://github.com/torvalds/linux";

/// Devices whose wait is said by name elsewhere.
const CONFIG_DEVICES: &[&str] =
    &["by-label/ignition", "combustion/config", "dev-combustion-config", "by\\x2dlabel-ignition"];
const TIMED_OUT: &[&str] = &["Timed out waiting for device {} - {device}.$", "Timed out waiting for device {device}.$"];
/// That the system's own file system was not found.
const ROOTLESS: &[&str] = &[
    "Dependency failed for {} - Initrd Root Device",
    "Dependency failed for Initrd Root Device",
    "Dependency failed for {} - /sysroot",
    "Dependency failed for /sysroot",
    "dracut-initqueue: timeout, still waiting for",
    "Warning: dracut-initqueue timeout",
];

pub(super) const ROWS: &[Ailment] = &[
    Ailment {
        id: "no-boot-device",
        headline: "the firmware found nothing to boot",
        signs: &["No bootable device.", "BdsDxe: No bootable option or device was found"],
        why: "No disk, or none that this firmware can start from: the system disk is missing, is not the one that boots first, \
            or holds a system for the other firmware. The images with systemd-boot and all for aarch64 need UEFI.",
        cure: "see that the system disk is attached with `<boot order='1'/>`, and write `firmware = \"uefi\"` for an image that needs it",
        sources: &[
            ("SeaBIOS: src/boot.c", "https://github.com/coreboot/seabios"),
            ("EDK II: MdeModulePkg/Universal/BdsDxe", "https://github.com/tianocore/edk2"),
        ],
        ..PLAIN
    },
    Ailment {
        id: "secure-boot",
        headline: "Secure Boot refused to start {entry}",
        signs: &[
            "BdsDxe: failed to load Boot{} {entry} from {}: Access Denied",
            "BdsDxe: failed to load Boot{} {entry} from {}: Security Violation",
        ],
        why: "The firmware has Secure Boot on, with keys that the image's boot loader is not signed by: a firmware without \
            enrolled keys, or an image of one's own making.",
        cure: "use firmware with Microsoft's keys enrolled, or switch Secure Boot off for this machine",
        sources: &[("EDK II: MdeModulePkg/Library/UefiBootManagerLib", "https://github.com/tianocore/edk2")],
        ..PLAIN
    },
    Ailment {
        id: "uefi-shell",
        kind: Kind::Waiting,
        headline: "the firmware's shell waits at its prompt",
        signs: &["UEFI Interactive Shell", "^Shell> "],
        until: &["^Linux version ", "Welcome to "],
        why: "UEFI firmware starts its shell when no boot entry and no disk leads on: there is no disk with an EFI system \
            partition, or Secure Boot refused what is on it.",
        cure: "attach the system disk, or switch Secure Boot off where the image's boot loader is not signed for it",
        sources: &[("EDK II: ShellPkg/Application/Shell", "https://github.com/tianocore/edk2")],
        ..PLAIN
    },
    Ailment {
        id: "grub-shell",
        kind: Kind::Waiting,
        headline: "the boot loader waits at its prompt",
        signs: &["grub rescue>", "^Entering rescue mode...", "^grub> "],
        until: &["^Linux version ", "Welcome to "],
        why: "GRUB started but did not find its files or the kernel: the disk is damaged, was cut short, or is not whole, as an \
            overlay whose backing file changed.",
        cure: "verify the bundle with `arca-build verify`, and make the overlay anew from the base it was made for",
        sources: &[("GRUB: grub-core/kern/rescue_reader.c", "https://git.savannah.gnu.org/cgit/grub.git")],
        ..PLAIN
    },
    Ailment {
        id: "initrd-unpacking",
        headline: "the initrd did not fit into the memory",
        signs: &["Initramfs unpacking failed: write error"],
        why: "The kernel unpacks the initrd into memory, several times its size, and had too little; what it then starts lacks files, \
            most often the first program.",
        cure: "give the machine more `memory`: 1 GiB or more",
        sources: &[("linux: init/initramfs.c", KERNEL)],
        ..PLAIN
    },
    Ailment {
        id: "kernel-no-root",
        headline: "the kernel has no root file system to start from",
        signs: &["VFS: Cannot open root device {device} or unknown-block"],
        why: "The kernel was started without an initrd that finds the disk, or with a `root=` that is not there. MicroOS always \
            boots by its initrd, which knows the root file system by its UUID.",
        cure: "boot the image by its own boot loader, or give the kernel the image's own initrd",
        sources: &[("linux: init/do_mounts.c", KERNEL)],
        ..PLAIN
    },
    Ailment {
        id: "kernel-panic",
        headline: "the kernel stopped: {reason}",
        signs: &["Kernel panic - not syncing: {reason}"],
        except: &["end Kernel panic"],
        is_symptom: true,
        why: "The kernel cannot go on. What stands in the lines before tells why: no root file system, no memory, an init that \
            ended, or a processor that emulation does not have.",
        cure: "look at the lines before it; where there are none, give the machine another `cpu` model or more memory",
        sources: &[("linux: kernel/panic.c", KERNEL)],
        ..PLAIN
    },
    Ailment {
        id: "out-of-memory",
        headline: "the memory was used up, and the kernel ended `{program}`",
        signs: &[
            "Out of memory: Killed process {pid} ({program})",
            "Memory cgroup out of memory: Killed process {pid} ({program})",
        ],
        why: "The kernel ends a program when nothing is left. At a first boot the initrd, the copy of Combustion's folder in \
            /dev/shm and zypper share the memory; 1 GiB is little for installing packages.",
        cure: "give the machine more `memory`",
        sources: &[("linux: mm/oom_kill.c", KERNEL)],
        ..PLAIN
    },
    Ailment {
        id: "disk-errors",
        headline: "the device `{device}` gives errors",
        signs: &[
            "I/O error, dev {device}, sector",
            "Buffer I/O error on dev {device},",
            "BTRFS error (device {device}): bdev {} errs:",
        ],
        // Empty drives say this of themselves.
        except: &["dev fd0,", "dev sr0,"],
        why: "Reading or writing a disk failed. In a virtual machine the cause is outside: the host's disk is full, the file \
            behind the disk is cut short, or it may not be written to.",
        cure: "look at the free space where the disk's file lies, and at the file with `qemu-img check`",
        sources: &[("linux: block/blk-core.c", KERNEL)],
        ..PLAIN
    },
    Ailment {
        id: "soft-lockup",
        kind: Kind::Harmless,
        headline: "a processor of the guest stood still for a while",
        signs: &[
            "watchdog: BUG: soft lockup - CPU#{} stuck for {time}",
            "rcu: INFO: rcu_{} detected stalls",
            "rcu: INFO: rcu_{} self-detected stall",
        ],
        why: "The host did not let the guest's processor run: it is busy, was asleep, or emulates in software. The guest goes \
            on when it is let.",
        cure: "nothing, unless the boot ended there; then use KVM, or fewer `vcpus` than the host has",
        sources: &[("linux: kernel/watchdog.c", KERNEL)],
        ..PLAIN
    },
    Ailment {
        id: "label-wait",
        kind: Kind::Harmless,
        headline: "no disk with a configuration appeared, which was waited for in vain",
        signs: &[
            "Timed out waiting for device {}by-label/ignition",
            "Timed out waiting for device {}combustion/config",
            "dev-combustion-config.device: Job {} timed out",
            "by\\x2dlabel-ignition.device: Job {} timed out",
        ],
        unless: UNCONFIGURED,
        why: "Both engines wait 10 seconds (Combustion 30 on aarch64) for a disk labelled `ignition` or `combustion`. Where the \
            configuration comes by fw_cfg there is none, and the boot goes on.",
        cure: "nothing; a disk labelled `ignition` as the transport (`transport = \"disk\"`) saves the wait",
        sources: &[super::PACKAGE, super::COMBUSTION],
        ..PLAIN
    },
    Ailment {
        id: "root-device",
        headline: "the system's own disk did not appear: {device}",
        signs: TIMED_OUT,
        except: CONFIG_DEVICES,
        needs: ROOTLESS,
        why: "The initrd waits for the root file system by its label or UUID and gives up. The disk is not attached, is \
            attached by a bus that the initrd has no driver for, or is not the image it should be.",
        cure: "attach the system disk with `bus=virtio`, and verify the base with `arca-build verify`",
        sources: &[SYSTEMD],
        ..PLAIN
    },
    Ailment {
        id: "device-timeout",
        headline: "a device that the boot needs did not appear: {device}",
        signs: TIMED_OUT,
        except: CONFIG_DEVICES,
        needs: EMERGENCY,
        unless: &[
            ROOTLESS[0],
            ROOTLESS[1],
            ROOTLESS[2],
            ROOTLESS[3],
            ROOTLESS[4],
            ROOTLESS[5],
            "[failed]   waiting for devices",
        ],
        why: "A mount without `nofail` waits for its device, then fails, and with it the boot. Either the disk is not \
            attached, or its name is not the one that is waited for: /dev/vdX changes, /dev/disk/by-id/virtio-SERIAL does not.",
        cure: "attach the disk under the serial the recipe gives it, or let its mount say `nofail,x-systemd.device-timeout=30s`",
        sources: &[
            SYSTEMD,
            ("systemd.mount(5): nofail", "https://www.freedesktop.org/software/systemd/man/latest/systemd.mount.html"),
        ],
        ..PLAIN
    },
    Ailment {
        id: "device-late",
        kind: Kind::Warning,
        headline: "a device did not appear, and the boot went on without it: {device}",
        signs: TIMED_OUT,
        except: CONFIG_DEVICES,
        unless: &[
            ROOTLESS[0],
            ROOTLESS[1],
            ROOTLESS[2],
            ROOTLESS[3],
            ROOTLESS[4],
            ROOTLESS[5],
            EMERGENCY[0],
            EMERGENCY[1],
            EMERGENCY[2],
        ],
        why: "Something waited for a disk and went on when it did not come, as a mount with `nofail` does. What is on that disk \
            is not there.",
        cure: "attach the disk under the serial the recipe gives it, if it should be there",
        sources: &[SYSTEMD],
        ..PLAIN
    },
    Ailment {
        id: "emergency",
        headline: "the boot ended in a shell",
        signs: EMERGENCY,
        is_symptom: true,
        why: "Something that the boot needs failed; what it was stands before. MicroOS waits in that shell for ever, and a \
            machine without a console looks hung. Ignition and Combustion try again at the next boot.",
        cure: "mend what failed first, and boot again; in the shell, `journalctl -b -p err` shows more",
        sources: &[
            ("dracut: modules.d/98dracut-systemd/dracut-emergency.sh", "https://github.com/dracutdevs/dracut"),
            ("systemd: units/emergency.service.in", "https://github.com/systemd/systemd"),
        ],
        ..PLAIN
    },
    Ailment {
        id: "installer-asks",
        kind: Kind::Waiting,
        headline: "the installer waits for an answer",
        signs: &["Select Installation Disk", "Destroying ALL data on {}, continue ?"],
        until: LOGIN,
        unless: &["^Loading {}... [/dev/"],
        why: "The self-installing image asks which disk to use where it finds several, and before it overwrites one. It goes on \
            by itself only with `rd.kiwi.oem.installdevice=` or `rd.kiwi.oem.unattended` on its command line.",
        cure: "attach only one blank disk while it installs, or use the qcow2 image, which needs no installer",
        sources: &[(
            "OSInside/kiwi: dracut/modules.d/55kiwi-dump/kiwi-dump-image.sh",
            "https://github.com/OSInside/kiwi",
        )],
        ..PLAIN
    },
    Ailment {
        id: "installer-failed",
        headline: "the installer gave up",
        signs: &[
            "No device(s) for installation found",
            "Not enough space available for this image",
            "Given device {} does not exist",
            "Failed to install image",
            "System installation canceled",
        ],
        why: "The self-installing image found no disk, one that is too small (MicroOS wants 20 GiB), or not the one that its \
            command line names. It reboots a minute later, and does the same again.",
        cure: "give the machine one blank disk of 20 GiB or more",
        sources: &[(
            "OSInside/kiwi: dracut/modules.d/55kiwi-dump/kiwi-dump-image.sh",
            "https://github.com/OSInside/kiwi",
        )],
        ..PLAIN
    },
];
