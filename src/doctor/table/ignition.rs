//! Ignition: finding, reading and applying its config. Touches nothing.

use super::{Ailment, CONFIGURED, IGNITION, Kind, PACKAGE, PLAIN};

const ENGINE: (&str, &str) = ("coreos/ignition: internal/exec/engine.go", IGNITION);
const STAGES: (&str, &str) = ("coreos/ignition: internal/exec/stages", IGNITION);
const FW_CFG: (&str, &str) = ("coreos/ignition: internal/providers/qemu/qemu_fwcfg.go", IGNITION);

pub(super) const ROWS: &[Ailment] = &[
    Ailment {
        id: "ignition-platform-unknown",
        headline: "Ignition does not know the platform {platform}",
        signs: &["invalid value {platform} for flag -platform: "],
        why: "The kernel's command line names, by `ignition.platform.id=`, a platform that this Ignition was not built with, so \
            it does not even start.",
        cure: "let the command line say `ignition.platform.id=qemu` for a virtual machine, `metal` for real hardware",
        sources: &[
            ("coreos/ignition: internal/main.go", IGNITION),
            ("coreos/ignition: supported platforms", "https://coreos.github.io/ignition/supported-platforms/"),
        ],
        ..PLAIN
    },
    Ailment {
        id: "ignition-platform-offline",
        headline: "Ignition asks a platform that this machine is not",
        signs: &[
            "Ignition failed: config provider was not online",
            "Ignition failed: fetching to buffer: failed to fetch resource",
        ],
        why: "The image is of a flavour for another hypervisor or cloud: its kernel command line names a platform (VMware, \
            VirtualBox, a cloud) whose channel this machine does not have.",
        cure: "use the flavour `kvm-and-xen`, or give the config on a disk labelled `ignition`, which every platform reads first",
        sources: &[ENGINE, ("openSUSE: published images", "https://github.com/openSUSE/get-o-o")],
        ..PLAIN
    },
    Ailment {
        id: "ignition-waits",
        kind: Kind::Waiting,
        headline: "Ignition waits without end for its platform's config",
        signs: &[
            "A start job is running for {}Ignition (fetch{} / no limit)",
            "Job ignition-fetch{}/start running ({} / no limit)",
        ],
        until: &["fetch-offline passed", "fetch passed", "Finished {}Ignition (fetch", "Ignition failed: "],
        why: "Some platforms bring the config on a drive of their own, which Ignition waits for without a limit: the image's \
            `ignition.platform.id` names such a platform, and this machine does not bring it. A wait for `by-label/ignition` \
            before that is not the reason.",
        cure: "let the kernel's command line say `ignition.platform.id=qemu` for QEMU and libvirt, or give the config on a disk labelled `ignition`, which every platform reads first",
        sources: &[("coreos/ignition: internal/providers", IGNITION), PACKAGE],
        ..PLAIN
    },
    Ailment {
        id: "ignition-platform-metal",
        headline: "Ignition runs for the platform `metal`, where fw_cfg is not read",
        signs: &["not a config (empty): provider config was empty"],
        needs: &["base.platform.d/metal"],
        unless: CONFIGURED,
        why: "Ignition reads fw_cfg where its platform is `qemu`. This image says, or was found, to be `metal`, which has no \
            channel of its own: only a disk labelled `ignition` is looked at. Since mid-2025 openSUSE chooses a platform only when its \
            kernel modules are there.",
        cure: "give the config on the config disk (`transport = \"disk\"`), or use the flavour `kvm-and-xen`",
        sources: &[("bsc#1234315", "https://bugzilla.suse.com/show_bug.cgi?id=1234315"), PACKAGE],
        ..PLAIN
    },
    Ailment {
        id: "no-config",
        headline: "no configuration was found: the machine comes up unprovisioned",
        signs: &["not a config (empty): provider config was empty", "^No config source found$"],
        unless: CONFIGURED,
        is_symptom: true,
        why: "Ignition found no `ignition/config.ign` on a disk labelled `ignition`, in lower case and with the label in the FAT's \
            root directory, and nothing in fw_cfg `opt/com.coreos/config`; Combustion no folder `combustion` on a disk \
            labelled `combustion` or `ignition`, and no `opt/org.opensuse.combustion/script`. Without either, nobody can log in.",
        cure: "attach the bundle's `config.qcow2`, or give the machine its fw_cfg entries; `arca-build inspect FILE` tells what an engine sees on a disk",
        sources: &[PACKAGE, FW_CFG, super::COMBUSTION],
        ..PLAIN
    },
    Ailment {
        id: "ignition-parse",
        headline: "Ignition cannot read its config: line {line}, column {column}: {error}",
        signs: &["error at line {line} col {column}: {error}"],
        why: "The config is no JSON, or a value is of another kind than the specification says. Ignition counts lines and columns \
            of the file as it got it, from 1; the mistake is at that place or just before it. A mark of UTF-8 at the beginning, a \
            comment or YAML are mistakes too.",
        cure: "mend that place; for Butane's YAML, run `butane` first; `arca-build check` finds such mistakes before a boot does",
        sources: &[("coreos/ignition: config/util/helpers.go", IGNITION)],
        ..PLAIN
    },
    Ailment {
        id: "ignition-invalid",
        headline: "Ignition refuses its config at `{key}`, line {line}, column {column}: {error}",
        signs: &["error at {key}, line {line} col {column}: {error}"],
        why: "The config can be read but breaks a rule of the specification: a path that is not absolute, an entry that is there \
            twice, a value that is not allowed. `$` is the config; numbers count entries from 0.",
        cure: "mend what stands at that place; `arca-build check` finds such mistakes before a boot does",
        sources: &[("coreos/ignition: configuration specification", "https://coreos.github.io/ignition/specs/")],
        ..PLAIN
    },
    Ailment {
        id: "ignition-spec",
        headline: "Ignition does not know the config's specification version",
        signs: &[
            "Ignition failed: unsupported config version",
            "Ignition failed: invalid config version (couldn't parse)",
        ],
        why: "`ignition.version` is newer than this Ignition, older than 3.0.0, or missing. 3.1 needs Ignition 2.3, 3.2 needs 2.7, \
            3.3 needs 2.11, 3.4 needs 2.15, 3.5 needs 2.20 and 3.6 needs 2.26.",
        cure: "write version 3.2.0 unless something newer is used, or use a newer image",
        sources: &[(
            "coreos/ignition: docs/migrating-configs.md",
            "https://coreos.github.io/ignition/migrating-configs/",
        )],
        ..PLAIN
    },
    Ailment {
        id: "ignition-unknown-key",
        kind: Kind::Warning,
        headline: "Ignition leaves out `{key}`, line {line}, column {column}: it does not know the key",
        signs: &["warning at {key}, line {line} col {column}: Unused key "],
        why: "A key that the config's version does not have is passed over: misspelt, in the wrong place, or of a newer version of \
            the specification. Nothing happens for it, and the boot goes on.",
        cure: "correct the key, or raise `ignition.version` to one that has it",
        sources: &[("coreos/ignition: configuration specification", "https://coreos.github.io/ignition/specs/")],
        ..PLAIN
    },
    Ailment {
        id: "ignition-filesystem",
        headline: "Ignition finds another file system than the config says on {device}: {found}",
        signs: &[
            "filesystem at {device} is not of the correct type, label, or UUID (found {found}) and a filesystem wipe was not requested",
        ],
        why: "With `wipeFilesystem: false` Ignition compares format, label and UUID with what is there, and stops where one \
            differs. An entry that only mounts a subvolume must not name a label of its own.",
        cure: "take `label` and `uuid` out of that entry, or set `wipeFilesystem` if all on the device may go",
        sources: &[("coreos/ignition: internal/exec/stages/disks/filesystems.go", IGNITION)],
        ..PLAIN
    },
    Ailment {
        id: "ignition-mkfs-missing",
        headline: "the initrd has no program {program}",
        signs: &[
            "[failed]   creating {} filesystem on {}: exec: {program}: executable file not found in $PATH",
            "mkfs failed: exec: {program}: executable file not found in $PATH",
        ],
        why: "Ignition makes file systems with the programs of the initrd. That of MicroOS has those for btrfs, xfs and vfat, but \
            not for ext4.",
        cure: "use btrfs, xfs or vfat, or make the file system later, by a unit",
        sources: &[("coreos/ignition: internal/exec/stages/disks/filesystems.go", IGNITION)],
        ..PLAIN
    },
    Ailment {
        id: "ignition-mkfs-failed",
        headline: "Ignition could not make the file system on {device}",
        signs: &["[failed]   creating {} filesystem on {device}: exit status {status}: "],
        why: "The program that makes the file system refused: the disk is too small for it (btrfs wants 109 MiB), in use, or \
            carries what it does not overwrite.",
        cure: "look at the program's own words at the end of the line",
        sources: &[("coreos/ignition: internal/exec/stages/disks/filesystems.go", IGNITION)],
        ..PLAIN
    },
    Ailment {
        id: "ignition-device",
        headline: "Ignition waited in vain for {devices}",
        signs: &["[failed]   waiting for devices [{devices}]: "],
        why: "The config partitions, formats or mounts a device that does not appear. Either the disk is not attached, or its name \
            is another: /dev/vdX depends on the order, /dev/disk/by-id/virtio-SERIAL does not.",
        cure: "attach the disk under that name; in a recipe, give it a `serial` and name it by that",
        sources: &[("coreos/ignition: internal/exec/stages/disks/disks.go", IGNITION)],
        ..PLAIN
    },
    Ailment {
        id: "ignition-account",
        headline: "Ignition could not make or change the user {user}",
        signs: &[
            "[failed]   creating or modifying user {user}: exit status {status}: ",
            "Ignition failed: {} failed to create user {user}: exit status {status}: ",
        ],
        why: "useradd or usermod refused; its own words stand at the end of the line. The usual reason is a group that the image \
            does not have, then a uid that is taken.",
        cure: "make the group first (`[[provision.group]]`), or leave it out",
        sources: &[("coreos/ignition: internal/exec/util/passwd.go", IGNITION)],
        ..PLAIN
    },
    Ailment {
        id: "ignition-fetch",
        headline: "Ignition could not fetch what the config refers to",
        signs: &[
            "Ignition failed: unable to fetch resource in time",
            "Ignition failed: failed to fetch resource",
            "[failed]   {}: unable to fetch resource in time",
        ],
        before: 4,
        why: "The config names something by URL. The initrd has no network, no route or no name service for it, or the server does \
            not answer or has no such file.",
        cure: "carry the content in the recipe, which needs no network; else see that the address answers from the guest's network",
        sources: &[("coreos/ignition: internal/resource/http.go", IGNITION)],
        ..PLAIN
    },
    Ailment {
        id: "ignition-hash",
        headline: "what Ignition fetched is not what the config pins: calculated {calculated}",
        signs: &["hash verification failed (calculated {calculated} but expected {expected})"],
        why: "The content has another digest than its `verification` says: it changed at its address, or the digest is of another \
            file.",
        cure: "pin the content anew if the change is meant; `arca-build update` does for what a recipe names",
        sources: &[("coreos/ignition: internal/util/verification.go", IGNITION)],
        ..PLAIN
    },
    Ailment {
        id: "ignition-read-only",
        headline: "Ignition was to write where the system is read-only",
        signs: &["[failed]   {}: read-only file system", "Ignition failed: {}: read-only file system"],
        why: "The root of MicroOS is a read-only snapshot while Ignition runs. It can write below /etc, /root, /var, and where the \
            config mounts a subvolume.",
        cure: "let Combustion write it (`engine = \"combustion\"`), or use a path below /etc, /var or /usr/local",
        sources: &[STAGES],
        ..PLAIN
    },
    Ailment {
        id: "fwcfg-slow",
        kind: Kind::Harmless,
        headline: "a large config comes slowly by fw_cfg",
        signs: &["Reading QEMU fw_cfg takes quadratic time."],
        why: "The kernel reads fw_cfg from its first byte for each page, so the time grows with the square of the size. The boot goes \
            on when it is done.",
        cure: "give the config on the config disk (`transport = \"disk\"`)",
        sources: &[FW_CFG],
        ..PLAIN
    },
    Ailment {
        id: "ignition-failed",
        headline: "Ignition ended the boot: {error}",
        signs: &["Ignition failed: {error}"],
        is_symptom: true,
        why: "Ignition applies all of a config or fails the boot, in the emergency shell; what it did before stays done. At the next \
            boot it tries again from the beginning.",
        cure: "mend what it says, and boot again; a line with `[failed]` before it says more",
        sources: &[ENGINE],
        ..PLAIN
    },
    Ailment {
        id: "secrets-in-log",
        kind: Kind::Warning,
        headline: "this log holds a password's hash: do not give it away whole",
        signs: &["\"passwordHash\": \"${}", "\"--password\" \"${}"],
        why: "When a stage fails, Ignition prints the whole config, and what it ran with all its arguments, hashes and keys \
            among them. What is shown here has none of that in it.",
        cure: "take those lines out before you send the log to anybody, or change the password",
        sources: &[ENGINE],
        ..PLAIN
    },
];
