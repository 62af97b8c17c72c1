//! Combustion: finding its script, running it, and what scripts trip over. Touches nothing.

use super::{Ailment, COMBUSTION, Kind, PLAIN};

const README: (&str, &str) = ("openSUSE/combustion: README", "https://github.com/openSUSE/combustion");
const UPDATE: (&str, &str) = ("openSUSE/transactional-update", "https://github.com/openSUSE/transactional-update");
const ZYPPER: (&str, &str) = ("openSUSE/zypper", "https://github.com/openSUSE/zypper");

pub(super) const ROWS: &[Ailment] = &[
    Ailment {
        id: "combustion-no-script",
        headline: "Combustion found its folder, but no script in it",
        signs: &["^No config script found!", "^Failed to copy script from fw_cfg!"],
        why: "A disk with a folder `combustion`, or a fw_cfg entry below `opt/org.opensuse.combustion/`, must bring a file named \
            `script`; anything else there without it fails the boot.",
        cure: "name the script `combustion/script`; by fw_cfg, use `opt/org.opensuse.combustion/script` and no other name",
        sources: &[COMBUSTION],
        ..PLAIN
    },
    Ailment {
        id: "combustion-medium",
        headline: "Combustion could not read its config disk",
        signs: &["^Failed to mount config drive!", "^Failed to copy config!"],
        before: 3,
        why: "A disk with the right label has a file system that the initrd cannot mount (its modules cover FAT and ISO 9660 with \
            Ignition's part, ext4 with Combustion's), or its folder does not fit into /dev/shm, half of the memory.",
        cure: "use the bundle's `config.qcow2`, and give the machine twice the folder's size as `memory`",
        sources: &[COMBUSTION],
        ..PLAIN
    },
    Ailment {
        id: "combustion-url",
        headline: "Combustion could not download its script: {error}",
        signs: &["curl: ({code}) {error}"],
        needs: &["Downloading config..."],
        why: "`combustion.url=` on the kernel's command line names a script that could not be fetched: no network in the initrd, or \
            a server that does not have it.",
        cure: "give the script on the config disk instead, or see that the address answers from the guest's network",
        sources: &[COMBUSTION],
        ..PLAIN
    },
    Ailment {
        id: "script-line-ends",
        headline: "the script has line ends of Windows",
        signs: &[
            "$'\\r': command not found",
            "\\r': No such file or directory",
            "bad interpreter: No such file or directory",
            "cannot execute: required file not found",
        ],
        why: "With a carriage return at the end of its first line, the kernel looks for an interpreter `bash\\r`; with one at the \
            end of others, the shell looks for commands of such names. The same words come for an interpreter that the image \
            does not have.",
        cure: "write the script with `\\n` alone (`sed -i 's/\\r$//' script`), and name an interpreter that is there, as /bin/bash",
        sources: &[README, ("linux: fs/binfmt_script.c", "https://github.com/torvalds/linux")],
        ..PLAIN
    },
    Ailment {
        id: "script-no-shebang",
        headline: "the script does not begin with `#!`",
        signs: &["Exec format error"],
        why: "The kernel starts a script by the interpreter that its first line names. A shell starts one without such a line by \
            itself, as Combustion's does, but systemd does not. A mark of UTF-8 before the `#!` has the same effect.",
        cure: "begin the script with `#!/bin/bash` and nothing before it",
        sources: &[README, ("linux: fs/exec.c", "https://github.com/torvalds/linux")],
        ..PLAIN
    },
    Ailment {
        id: "script-read-only",
        headline: "the script wrote where the system is read-only: {path}",
        signs: &["cannot create {path}: Read-only file system", "{path}: Read-only file system"],
        // systemd-tmpfiles says this of /tmp in passing.
        except: &["Failed to create "],
        needs: &[
            "Command failed, rolling back",
            "^Command failed$",
            "script --prepare failed",
            "Failed to start {}Run the recipe's script",
        ],
        why: "A script of a unit runs in the system, whose root is a read-only snapshot; one of Combustion's runs in a writable \
            snapshot, but `--prepare` runs in the initrd.",
        cure: "write below /etc, /var, /opt or /usr/local, or run it by Combustion (`engine = \"combustion\"`)",
        sources: &[UPDATE],
        ..PLAIN
    },
    Ailment {
        id: "no-space",
        headline: "there was no space left",
        signs: &["No space left on device", "no space left on device"],
        before: 1,
        why: "A disk is full: the system disk (packages and snapshots need some GiB), a data disk, or /dev/shm, to which Combustion \
            copies the script's folder and which holds half of the memory.",
        cure: "make the disk larger (`[machine.system] size`), or give more `memory` where it was /dev/shm; see also the host's own disk",
        sources: &[README, ("tmpfs(5)", "https://man7.org/linux/man-pages/man5/tmpfs.5.html")],
        ..PLAIN
    },
    Ailment {
        id: "package-unknown",
        headline: "no repository has a package {package}",
        signs: &["No provider of {package} found."],
        why: "zypper knows the image's repositories only, and none has this name; in openSUSE many packages have other names than \
            elsewhere, as `-devel` for `-dev`.",
        cure: "correct the name (`zypper search NAME` on an openSUSE), or carry the package by a `[[provision.rpm]]`",
        sources: &[ZYPPER],
        ..PLAIN
    },
    Ailment {
        id: "repository-unreachable",
        headline: "zypper could not reach its repositories",
        signs: &[
            "Repository {repository} is invalid.",
            "Could not resolve host: {host}",
            "Skipping repository {repository} because of the above error.",
        ],
        // transactional-update asks for its own update first, and goes on where it gets no answer.
        needs: &[
            "Command failed, rolling back",
            "^Command failed$",
            "transactional-update failed",
            "arca-packages.service: Failed with result",
            "Failed to start {}Install the recipe's packages",
        ],
        before: 2,
        why: "Packages by name come from the image's repositories, so the guest needs a network with a name service at its first \
            boot: `network = \"none\"`, a proxy that is not named, or a mirror that is out of reach all end here.",
        cure: "give the machine a network (and `proxy`), or carry the packages by `[[provision.rpm]]`, which need none",
        sources: &[ZYPPER],
        ..PLAIN
    },
    Ailment {
        id: "combustion-network",
        headline: "Combustion cannot set up the network in the initrd",
        signs: &["ERROR: unknown network framework"],
        why: "The script asks for the network (`# combustion: network`), and the initrd has neither NetworkManager nor wicked.",
        cure: "use an image whose initrd has the network module, or a script that needs none",
        sources: &[COMBUSTION],
        ..PLAIN
    },
    Ailment {
        id: "prepare-failed",
        headline: "the script failed at `--prepare`, in the initrd",
        signs: &["script --prepare failed with {}"],
        before: 6,
        why: "A script with the flag `prepare` is run twice: first in the initrd with the argument `--prepare`, before the network \
            is up and without the system. Another exit code than 0 fails the boot; the number Combustion prints is not that code.",
        cure: "mend what the lines before say; end with `exit 0` at once where the argument is `--prepare` and nothing is to be done",
        sources: &[COMBUSTION],
        ..PLAIN
    },
    Ailment {
        id: "script-failed",
        headline: "the script failed, and the snapshot it worked in is rolled back",
        signs: &["^Command failed, rolling back", "^Command failed$"],
        before: 8,
        why: "A script that ends with another exit code than 0 fails the boot. Its snapshot is thrown away; what it wrote to /var, \
            /root, /opt or other subvolumes stays, and what Ignition did before stays. The next boot runs it again.",
        cure: "mend what the lines before say; with `set -x` at its top the script tells each command, and `journalctl -u combustion` in the shell has all of it",
        sources: &[COMBUSTION, README],
        ..PLAIN
    },
    Ailment {
        id: "transaction-failed",
        headline: "transactional-update failed, so the script did not run to its end",
        signs: &["^transactional-update failed"],
        is_symptom: true,
        before: 6,
        why: "Combustion runs its script in `transactional-update shell`. Where that fails, no snapshot could be made or mounted: the \
            disk is full, the root is no btrfs, or another transaction was open.",
        cure: "look at the lines before, and at the free space of the system disk",
        sources: &[COMBUSTION, UPDATE],
        ..PLAIN
    },
    Ailment {
        id: "relabel-missing",
        headline: "SELinux labels are needed, and the initrd cannot set them",
        signs: &["ERROR: Relabel (probably) needed, but selinux-microos-relabel not found."],
        why: "Ignition left the mark that asks for new SELinux labels, and Combustion must set them before it makes its snapshot. This \
            image's initrd lacks the part that does.",
        cure: "use a current image, or one engine alone",
        sources: &[COMBUSTION],
        ..PLAIN
    },
    Ailment {
        id: "carried-missing",
        headline: "what the recipe carries did not come with the script",
        signs: &["arca-build: what the recipe carries is missing", "arca-build: the payload disk is missing: "],
        why: "Files, packages and images that a recipe carries lie on the config disk or on the payload disk. By fw_cfg the script comes \
            alone, and a machine that was started by hand may lack the disk.",
        cure: "start the machine by the bundle's own launch files, with `config.qcow2` and, where there is one, `payload.raw`",
        sources: &[README],
        ..PLAIN
    },
    Ailment {
        id: "carried-changed",
        headline: "a carried file is not what the recipe pins: {path}",
        signs: &["arca-build: {path} is not what the recipe pins"],
        why: "The bytes that reached the guest have another digest than the recipe's: the disk was changed or damaged after the \
            bundle was made.",
        cure: "verify the bundle with `arca-build verify`, and build it again if it is damaged",
        sources: &[README],
        ..PLAIN
    },
    Ailment {
        id: "path-taken",
        headline: "a path that the recipe writes to is something else: {path}",
        signs: &["arca-build: {path} is a link, not a directory", "arca-build: {path} is no file to append to"],
        why: "The image has a symbolic link, a directory or nothing where the recipe wants a directory of its own or a file to append to. \
            The generated script does not follow such a link, for it might lead anywhere.",
        cure: "use the path that the link leads to, or another one",
        sources: &[README],
        ..PLAIN
    },
    Ailment {
        id: "no-combustion-folder",
        kind: Kind::Warning,
        headline: "a disk with Combustion's label has no folder `combustion`",
        signs: &["^No config found on drive."],
        unless: super::CONFIGURED,
        why: "Combustion looks into each disk with one of its labels for a folder `combustion`, and at the next disk where there is \
            none. A disk labelled `ignition` for Ignition alone says this too, and is as it should be.",
        cure: "put the script at `combustion/script` on that disk, if it should have one",
        sources: &[COMBUSTION],
        ..PLAIN
    },
];
