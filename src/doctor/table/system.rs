//! The system that came up: the wizard, units of the recipe and others, network, ssh, SELinux. Touches nothing.

use super::{Ailment, EMERGENCY, Kind, LOGIN, PLAIN, SYSTEMD};

const JEOS: (&str, &str) = ("openSUSE/jeos-firstboot", "https://github.com/openSUSE/jeos-firstboot");
const SERVICE: (&str, &str) =
    ("systemd.service(5)", "https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html");

pub(super) const ROWS: &[Ailment] = &[
    Ailment {
        id: "firstboot-wizard",
        kind: Kind::Waiting,
        headline: "the first-boot wizard waits on the console",
        signs: &[
            "Starting {}JeOS First Boot Wizard",
            "The initial configuration takes just a few steps",
            "Please configure your system!",
        ],
        until: &["Finished {}JeOS First Boot Wizard", "Started {}JeOS First Boot Wizard", LOGIN[0]],
        is_symptom: true,
        why: "The wizard asks for language, password and the like where no configuration was applied: Combustion, and Ignition where it \
            had one, remove the mark that starts it. It waits for ever, and nothing after it starts, ssh included.",
        cure: "give the machine its configuration and start it from a fresh system disk; or answer the wizard on the console",
        sources: &[JEOS, super::COMBUSTION],
        ..PLAIN
    },
    Ailment {
        id: "selinux-relabel",
        kind: Kind::Harmless,
        headline: "all files get new SELinux labels, which takes a while and may end in a reboot",
        signs: &["policy relabel is required.", "Relabeling could take a very long time"],
        why: "Files that were written before the SELinux policy was loaded, as Ignition's are, get their labels at the first boot. It \
            happens once; the boot goes on, or begins anew, by itself.",
        cure: "wait",
        sources: &[
            ("coreos/ignition: docs/operator-notes.md", "https://coreos.github.io/ignition/operator-notes/"),
            ("policycoreutils: selinux-autorelabel", "https://github.com/SELinuxProject/selinux"),
        ],
        ..PLAIN
    },
    Ailment {
        id: "packages-failed",
        headline: "the recipe's packages could not be installed",
        signs: &["arca-packages.service: Failed with result", "Failed to start {}Install the recipe's packages"],
        before: 6,
        why: "Under Ignition a unit installs packages in a new snapshot and reboots into it. It tries five times within an hour: \
            no network, a mirror that fails and a name that no repository has end the same way.",
        cure: "see `journalctl -u arca-packages` in the guest; `engine = \"combustion\"` installs them before the system starts",
        sources: &[("openSUSE/transactional-update", "https://github.com/openSUSE/transactional-update")],
        ..PLAIN
    },
    Ailment {
        id: "run-failed",
        headline: "the recipe's script {script} failed",
        signs: &[
            "arca-run-{script}.service: Failed with result",
            "Failed to start arca-run-{script}.service",
            "Failed to start {}Run the recipe's script {script}, once",
        ],
        before: 8,
        why: "Under Ignition each script of the recipe runs by a unit, in the system, whose root is read-only. One that fails is tried \
            again at the next boot, and those after it wait for it.",
        cure: "mend what the lines before say; `journalctl -u 'arca-run-*'` in the guest has all of it",
        sources: &[SERVICE],
        ..PLAIN
    },
    Ailment {
        id: "load-failed",
        headline: "a container image that the recipe carries could not be loaded",
        signs: &["arca-load-{image}.service: Failed with result", "Failed to start arca-load-{image}.service"],
        before: 4,
        why: "A unit loads each carried image into podman's store. The image may lack podman (only the ContainerHost flavours \
            have it), the disk may be full, or the payload disk is missing.",
        cure: "use a ContainerHost image, and see `journalctl -u 'arca-load-*'` in the guest",
        sources: &[("openSUSE: published images", "https://github.com/openSUSE/get-o-o")],
        ..PLAIN
    },
    Ailment {
        id: "network-down",
        kind: Kind::Warning,
        headline: "the network did not come up in time",
        signs: &[
            "Failed to start {}Network Manager Wait Online",
            "Failed to start {}Wait for Network to be Configured",
            "NetworkManager-wait-online.service: Failed with result",
            "systemd-networkd-wait-online.service: Failed with result",
        ],
        why: "Something wants the network and none was there within a minute: no DHCP server answered, the machine has no network \
            device, or a static address is on a device of another name.",
        cure: "see `network` of `[machine]`, and match `[[provision.network]]` by MAC address rather than by name",
        sources: &[(
            "NetworkManager-wait-online.service(8)",
            "https://networkmanager.dev/docs/api/latest/NetworkManager-wait-online.service.html",
        )],
        ..PLAIN
    },
    Ailment {
        id: "sshd-down",
        headline: "the ssh server did not start",
        signs: &[
            "Failed to start {}OpenSSH Daemon",
            "Failed to start {}OpenBSD Secure Shell server",
            "sshd.service: Failed with result",
            "ssh.service: Failed with result",
            "no hostkeys available -- exiting",
        ],
        before: 3,
        why: "sshd ends at a mistake in its configuration, a host key that is not there or may be read by others, or a port that \
            is taken. Nobody can log in but on the console.",
        cure: "look at drop-ins in /etc/ssh/sshd_config.d with `sshd -t`, and give carried host keys mode 0600",
        sources: &[("sshd(8)", "https://man.openbsd.org/sshd.8")],
        ..PLAIN
    },
    Ailment {
        id: "job-waits",
        kind: Kind::Waiting,
        headline: "the boot waits for {job}, which has no limit of time",
        signs: &["A start job is running for {job} ({} / no limit)", "Job {job}/start running ({} / no limit)"],
        except: &["Ignition (fetch", "Job ignition-fetch", "First Boot Wizard"],
        until: &[
            LOGIN[0],
            "Reached target {}multi-user.target",
            "Reached target {}Multi-User System",
            "Power down",
            EMERGENCY[0],
            EMERGENCY[1],
            EMERGENCY[2],
        ],
        is_symptom: true,
        why: "systemd shows what it waits for once nothing else is to be done. This job may run for ever: a script of Combustion's \
            that installs much needs some minutes, one that asks a question never ends.",
        cure: "wait some minutes; else look at what that job does, and let it ask nothing (`--non-interactive`)",
        sources: &[("systemd: src/core/manager.c", "https://github.com/systemd/systemd")],
        ..PLAIN
    },
    Ailment {
        id: "unit-failed",
        kind: Kind::Warning,
        headline: "the unit `{unit}` failed",
        signs: &["^{unit}: Failed with result"],
        // What has a row of its own, or is part of one.
        except: &["ignition", "combustion", "arca-", "ssh", "wait-online", "dev-", ".mount: "],
        why: "A unit ended in failure. The boot goes on unless something needs it.",
        cure: "see `systemctl --failed` and `journalctl -u UNIT` in the guest",
        sources: &[SYSTEMD, SERVICE],
        ..PLAIN
    },
];
