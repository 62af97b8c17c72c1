//! The one table of rules. Touches nothing.
//!
//! A new rule is a new row here, in the words of the others, and a recipe that breaks it and one that does not in
//! `provision::tests::rules`, which a test demands.

use crate::base::words::vocabulary;

vocabulary! {
    /// How severe something that is told is.
    Severity {
        /// The guest would not come up as the recipe says; nothing is built.
        Error = "error",
        /// It will work, but hardly as meant.
        Warning = "warning",
        /// Something was done without being asked, or could be better; nothing is wrong.
        Note = "note",
    }
}

/// What is known of a rule besides its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub rule: Rule,
    /// The usual one; a finding may be milder, or harder where more is known.
    pub severity: Severity,
    /// One line, lower case, without a full stop.
    pub summary: &'static str,
    /// A paragraph.
    pub reason: &'static str,
    /// Names and addresses of what the reason rests on; at least one.
    pub sources: &'static [(&'static str, &'static str)],
    /// What to do, one line without a full stop.
    pub fix: &'static str,
}

impl Rule {
    /// Returns the row of the table.
    pub(crate) fn row(self) -> &'static Row {
        // The table is written in the order of the ids, which a test holds it to; the first row is never meant.
        ROWS.iter().find(|row| row.rule == self).unwrap_or(&ROWS[0])
    }

    /// Lists every rule, in the order of the table.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().map(|row| row.rule)
    }
}

macro_rules! rules {
    ($($variant:ident = $id:literal, $severity:ident, $summary:literal;
        why $reason:literal;
        by $(($source:literal, $address:literal)),+;
        fix $fix:literal;)+) => {
        vocabulary! {
            /// A rule, by its stable id.
            Rule { $(#[doc = $summary] $variant = $id),+ }
        }

        /// The table, in the order of the ids.
        const ROWS: &[Row] = &[$(Row {
            rule: Rule::$variant,
            severity: Severity::$severity,
            summary: $summary,
            reason: $reason,
            sources: &[$(($source, $address)),+],
            fix: $fix,
        }),+];
    };
}

rules! {
    // What the guest hides from the engines.
    HomeSubvol = "home-subvol", Warning, "a path lies on a subvolume that Ignition does not see";
        why "MicroOS keeps /home, /opt, /srv, /usr/local and /boot/writable on btrfs subvolumes of their own. Only \
            /etc, /root and /var are mounted in the initrd, so what Ignition writes below the others is hidden by the \
            later mount: there is no error, and the file is gone. An entry in `storage.filesystems` that mounts the \
            subvolume helps; arca-build adds it for the recipe's own keys, never inside a ready-made config.";
        by ("read-only-root-fs: the subvolumes marked x-initrd.mount", "https://build.opensuse.org/package/show/openSUSE:Factory/read-only-root-fs"),
            ("coreos/ignition: configuration specification, `storage.filesystems`", "https://coreos.github.io/ignition/configuration-v3_2/");
        fix "add a `storage.filesystems` entry for the subvolume, or use the keys of `[provision]` instead";
    CombustionMount = "combustion-mount", Warning, "a script writes where nothing is mounted under Combustion";
        why "Combustion runs its script in a new snapshot through transactional-update, which binds /root, /opt, \
            /boot/writable and a few directories below /var. /home, /srv, /usr/local and the rest of /var are not \
            mounted there: what the script writes to them is hidden by the later mount, without an error.";
        by ("transactional-update: lib/Transaction.cpp", "https://github.com/openSUSE/transactional-update"),
            ("openSUSE/combustion: README", "https://github.com/openSUSE/combustion");
        fix "mount the directory before it is used, and unmount it at the end";
    ReadOnlyRoot = "read-only-root", Warning, "Ignition is told to write into the read-only root snapshot";
        why "The root file system of MicroOS is a read-only snapshot while Ignition runs, and remounting it does not \
            help: Ignition fails, and with it the boot. Below /etc, /root, /var and the subvolumes it may write. \
            Combustion has a writable snapshot and can write everywhere else.";
        by ("SUSE/elemental: docs/firstboot-configuration.md", "https://github.com/SUSE/elemental");
        fix "let Combustion write it, or use a path below /etc, /var or /usr/local";
    // How a configuration reaches the guest.
    DupTransport = "dup-transport", Warning, "a configuration reaches one engine by a disk and by fw_cfg";
        why "Each engine takes the first configuration it finds and never looks at the second, so one that comes \
            twice is either a copy that will drift or a part that is never read. The launch files give each engine \
            exactly one transport. A ready-made script or config that itself looks for the config disk or for fw_cfg \
            depends on the one that some of the launch files leave out.";
        by ("openSUSE/combustion: README", "https://github.com/openSUSE/combustion"),
            ("coreos/ignition: internal/exec/engine.go", "https://github.com/coreos/ignition");
        fix "read what lies beside the script in its working directory, which is the same by either transport";
    Precedence = "precedence", Warning, "the two engines get their configuration by different transports";
        why "The engines disagree on what comes first: Ignition takes a config disk before fw_cfg, Combustion takes \
            fw_cfg before any disk. With one of them on a disk and the other by fw_cfg, a further disk or entry, \
            such as a stick left in the machine, silently wins over the configuration of the engine that looks there \
            first.";
        by ("coreos/ignition: internal/exec/engine.go", "https://github.com/coreos/ignition"),
            ("openSUSE/combustion: README", "https://github.com/openSUSE/combustion");
        fix "give both engines one transport: leave `transport` out, or write transport = \"disk\"";
    FwcfgSize = "fwcfg-size", Warning, "a configuration is too large to read quickly from fw_cfg";
        why "The guest's kernel reads a fw_cfg entry through sysfs a page at a time and begins from its first byte \
            each time, so the cost grows with the square of the size: 64 KiB take half a million port reads, which is \
            not noticeable; 1 MiB takes over a hundred million, and the boot stands still for minutes. From a disk any \
            size is read at once.";
        by ("linux: drivers/firmware/qemu_fw_cfg.c", "https://github.com/torvalds/linux/blob/master/drivers/firmware/qemu_fw_cfg.c"),
            ("coreos/ignition#1259", "https://github.com/coreos/ignition/issues/1259");
        fix "write transport = \"disk\", or carry what is large by `url`";
    FwcfgArch = "fwcfg-arch", Error, "the guest's architecture has no fw_cfg";
        why "QEMU has no fw_cfg device that a guest could read on s390x and ppc64le, so a configuration that comes by \
            it never arrives and the machine boots unprovisioned. Ignition reads a virtio disk there, and Combustion \
            its labelled disk as everywhere.";
        by ("coreos/fedora-coreos-tracker#1307", "https://github.com/coreos/fedora-coreos-tracker/issues/1307"),
            ("QEMU: docs/specs/fw_cfg.rst", "https://www.qemu.org/docs/master/specs/fw_cfg.html");
        fix "write transport = \"disk\"";
    PlatformMetal = "platform-metal", Warning, "Ignition of a metal image does not look at fw_cfg";
        why "Ignition asks fw_cfg only where its platform is qemu. The kvm-and-xen images say so on their kernel \
            command line; raw images are most often of a flavour for bare metal, whose platform is metal, so a \
            config that comes by fw_cfg is never read. The config disk works on every platform.";
        by ("coreos/ignition: supported platforms", "https://coreos.github.io/ignition/supported-platforms/"),
            ("bsc#1234315", "https://bugzilla.suse.com/show_bug.cgi?id=1234315");
        fix "write transport = \"disk\"";
    CarriedFwcfg = "carried-fwcfg", Warning, "what the recipe carries cannot travel by fw_cfg";
        why "Combustion takes a single file from fw_cfg, the script; its README lists more as to be done. Packages \
            and large files lie beside the script on the config disk, so the launch files for fw_cfg would bring a \
            script that misses them.";
        by ("openSUSE/combustion: README", "https://github.com/openSUSE/combustion");
        fix "use the launch files of the transport `disk`, which are the default ones";
    CarriedUsb = "carried-usb", Warning, "what the recipe carries is not on the USB stick";
        why "Much content travels on a payload disk of its own, a raw file the guest finds by its serial. \
            `config-usb.raw` is the config disk as a stick and nothing else, so a machine started with the stick \
            alone misses what the recipe carries.";
        by ("openSUSE/combustion: README", "https://github.com/openSUSE/combustion");
        fix "give the machine `payload.raw` as a disk of its own, or leave `media` out";
    ShmSize = "shm-size", Warning, "the script's folder may not fit into the guest's memory";
        why "Combustion copies the folder the script lies in to /dev/shm, a tmpfs that holds half of the memory at \
            most. A larger folder fails the copy and with it the first boot.";
        by ("openSUSE/combustion: README", "https://github.com/openSUSE/combustion"),
            ("tmpfs(5)", "https://man7.org/linux/man-pages/man5/tmpfs.5.html");
        fix "give the machine more memory, or carry the files by `url`";
    // What the image can do.
    SdbootNoIgnition = "sdboot-no-ignition", Error, "the image with systemd-boot has no Ignition";
        why "The flavour of MicroOS that boots by systemd-boot is published without Ignition, so nothing reads the \
            config: the machine comes up with no user, no key and the first-boot wizard on its console. It has \
            Combustion.";
        by ("openSUSE/get-o-o: _data/microos.yml", "https://github.com/openSUSE/get-o-o");
        fix "write engine = \"combustion\"";
    OpenstackCloudinit = "openstack-cloudinit", Error, "the image for OpenStack is configured by cloud-init only";
        why "The OpenStack-Cloud flavour carries cloud-init in the place of Ignition and Combustion, so neither a \
            config disk nor fw_cfg is ever read there and the machine comes up unprovisioned.";
        by ("openSUSE/get-o-o: _data/microos.yml", "https://github.com/openSUSE/get-o-o");
        fix "use the flavour `kvm-and-xen` or `ContainerHost-kvm-and-xen`";
    ContainerPodman = "container-podman", Warning, "the image may lack podman";
        why "Container images are loaded by podman at the first boot. The ContainerHost flavours of MicroOS have it; \
            the base flavour does not, so the unit that loads them fails.";
        by ("openSUSE/get-o-o: _data/microos.yml", "https://github.com/openSUSE/get-o-o");
        fix "use a ContainerHost image, or install podman by a `[[provision.rpm]]`";
    ContainerImageName = "container-image-name", Warning, "the quadlet runs another image than the one that is carried";
        why "A carried image is loaded under the name that the recipe's `image` gives it. A quadlet that names another \
            one makes podman pull that from its registry, when the machine first starts and whatever it is then.";
        by ("podman-systemd.unit(5): Image=", "https://docs.podman.io/en/latest/markdown/podman-systemd.unit.5.html");
        fix "write the name that is told here behind `Image=`";
    SpecTooNew = "spec-too-new", Warning, "the config's spec version is newer than the image's Ignition";
        why "Ignition refuses a config of a spec version it does not know, and the first boot fails. Spec 3.3 needs \
            Ignition 2.11, 3.4 needs 2.15, 3.5 needs 2.20 and 3.6 needs 2.26, which openSUSE Factory has since \
            2026-02-27; a snapshot from before a release cannot hold it.";
        by ("coreos/ignition: specification versions", "https://coreos.github.io/ignition/specs/"),
            ("coreos/ignition: docs/release-notes.md", "https://coreos.github.io/ignition/release-notes/");
        fix "use a newer image, or a lower spec version without what only the newer one has";
    IgnitionKey = "ignition-key", Warning, "a key of the config that Ignition ignores";
        why "Ignition warns of a key that it does not know, or that came with a later specification than the one the config \
            names, and goes on without it. So does arca-build: the config passes on byte for byte. Where the key is \
            a slip of the pen, the guest lacks what it should have brought.";
        by ("coreos/ignition: config/validate, unused keys", "https://coreos.github.io/ignition/configuration-v3_2/"),
            ("Go: encoding/json, Unmarshal", "https://pkg.go.dev/encoding/json#Unmarshal");
        fix "correct the key, raise `ignition.version`, or leave the key out";
    PartNumber0 = "part-number-0", Warning, "partition number 0 fails in today's Ignition";
        why "A partition without a number, or with 0 for the next free one, fails in the disks stage of Ignition \
            2.20.0 to 2.26.0, and with it the boot. Explicit numbers work in every release.";
        by ("coreos/ignition#2234", "https://github.com/coreos/ignition/issues/2234");
        fix "write the number of the partition";
    FsExt4 = "fs-ext4", Warning, "MicroOS cannot make an ext4 file system";
        why "The default package set of MicroOS, and so its initrd, has no mkfs.ext4. Ignition fails when it is to \
            make one, and with it the boot. btrfs, xfs and vfat can be made.";
        by ("os-autoinst-distri-opensuse: Ignition tests", "https://github.com/os-autoinst/os-autoinst-distri-opensuse");
        fix "use btrfs, xfs or vfat";
    RaidMdadm = "raid-mdadm", Warning, "the initrd may lack mdadm";
        why "mdadm is only suggested by openSUSE's Ignition package, so the initrd of an image need not have it, and \
            `storage.raid` then fails the boot. A btrfs pool over several disks needs no mdadm.";
        by ("openSUSE: package ignition", "https://build.opensuse.org/package/show/openSUSE:Factory/ignition");
        fix "use a btrfs pool, which `[[provision.pool]]` describes";
    FsLabelMismatch = "fs-label-mismatch", Warning, "a label or UUID on a file system that is kept";
        why "Where `wipeFilesystem` is not set, Ignition compares format, label and UUID of the entry with what it \
            finds, and stops the boot at the first difference. The UUID of the root file system differs in every \
            image, and labels change.";
        by ("coreos/ignition: internal/exec/stages/disks/filesystems.go", "https://github.com/coreos/ignition");
        fix "leave `label` and `uuid` out of the entry";
    MinDisk = "min-disk", Error, "the system disk is smaller than the image's own";
        why "An image holds a disk of a certain virtual size, and what starts from it cannot be smaller: its last \
            partition and the second partition table would be cut off. openSUSE publishes most MicroOS images with \
            20 GiB, those for VMware, Vagrant and OpenStack with 24 and for Hyper-V with 30.";
        by ("openSUSE: package openSUSE-MicroOS", "https://build.opensuse.org/package/show/openSUSE:Factory/openSUSE-MicroOS");
        fix "raise `size` in `[machine.system]`, or leave it out to take the image's own";
    MovingUrl = "moving-url", Note, "the address leads to another image every few days, and no lock says where that one stays";
        why "Names without a `Snapshot` or `Build` are links that move to the newest image, and old Tumbleweed \
            snapshots are deleted after days to weeks. Where `sha256` in the recipe pins such a name, the build stops as \
            soon as the link moves, and nothing shows which image was meant. A lock keeps the address of the very file \
            beside its digest; then this rule is silent.";
        by ("openSUSE/MirrorCache: t/Directory/01-smoke.t", "https://github.com/openSUSE/MirrorCache");
        fix "leave out `sha256` and run `update`, which writes digest and lasting address into the lock, or write that address";
    SelfinstallAmbiguousDisk = "selfinstall-ambiguous-disk", Note, "an installer that sees several disks asks which one";
        why "The SelfInstall medium takes the only disk it finds, and shows a menu when there are several; a wrong \
            choice destroys data. The launch files of a bundle name the system disk to it by \
            `rd.kiwi.oem.installdevice`. A machine that is started otherwise, as real hardware from a stick, needs \
            the same argument, or its data disks attached only afterwards.";
        by ("kiwi: dracut/modules.d/55kiwi-dump/kiwi-dump-image.sh", "https://github.com/OSInside/kiwi"),
            ("kiwi: OEM images, `rd.kiwi.oem.installdevice`", "https://osinside.github.io/kiwi/");
        fix "start the installation by the bundle's launch files, or attach the data disks after it";
    NotSelfinstall = "not-selfinstall", Warning, "an ISO that is no SelfInstall image";
        why "The launch files of an ISO start an unattended installation as openSUSE's SelfInstall images have it. A live or \
            network ISO starts its own installer or desktop instead, and reads neither config disk nor fw_cfg.";
        by ("openSUSE: MicroOS downloads", "https://get.opensuse.org/microos/");
        fix "take an image whose name says SelfInstall, or a qcow2 image";
    ConfigOnInstallMedia = "config-on-install-media", Warning, "an installer that finds no configuration";
        why "A configuration that lies on the installation medium itself is gone when it is needed: libvirt detaches \
            the medium after the first phase, and the installed system looks for its configuration at its own first \
            boot. Without any, the first-boot wizard waits on the console. The bundle's config disk, or fw_cfg, is \
            still there.";
        by ("suse-edge/edge-image-builder: docs/testing-guide.md", "https://github.com/suse-edge/edge-image-builder"),
            ("openSUSE/combustion: README", "https://github.com/openSUSE/combustion");
        fix "describe the guest in `[provision]`";
    // Who may log in.
    ExampleLogin = "example-login", Warning, "a password or ssh key that comes from an example";
        why "The recipes that ship with arca-build have a password hash and an ssh key so that they build as they are. \
            Everybody has them. `install`, which makes a machine that lasts, refuses a bundle with one of them, \
            whatever `[allow]` says.";
        by ("CWE-798: Use of Hard-coded Credentials", "https://cwe.mitre.org/data/definitions/798.html");
        fix "make a hash with `arca-build passwd`, a key with `ssh-keygen -t ed25519`, and write them in their place";
    UnknownGroup = "unknown-group", Warning, "a user is put into a group that nobody makes";
        why "useradd fails for a group that does not exist, and with it Ignition or the Combustion script: the boot ends \
            in an emergency shell. The groups of openSUSE's images are few; `docker` and the like come with packages, \
            and `wheel` is not in every image.";
        by ("openSUSE: package system-users", "https://build.opensuse.org/package/show/openSUSE:Factory/system-users"),
            ("coreos/ignition: configuration specification, `passwd.users.groups`", "https://coreos.github.io/ignition/configuration-v3_2/");
        fix "add a `[[provision.group]]`, or leave the group out";
    RootSshPassword = "root-ssh-password", Warning, "root has a password but no ssh key";
        why "openSUSE's sshd refuses passwords for root unless the package openssh-server-config-rootlogin is there, \
            so root's password works on the console only. With an ssh key root can log in from elsewhere.";
        by ("openSUSE: package openssh", "https://build.opensuse.org/package/show/openSUSE:Factory/openssh");
        fix "add `ssh_keys`, or allow it in `[allow]`, if the console is enough";
    NoNetwork = "no-network", Error, "something needs a network, and the machine has none";
        why "Packages by name come from the image's repositories, and a script with `network = true` waits for a \
            network. With `network = \"none\"` the machine has no card: under Combustion the packages fail the boot, \
            under Ignition their unit gives up after five tries, and the script has nothing to wait for.";
        by ("openSUSE/combustion: README", "https://github.com/openSUSE/combustion"),
            ("systemd.special(7): network-online.target", "https://www.freedesktop.org/software/systemd/man/latest/systemd.special.html");
        fix "give the machine a network, or carry the packages by `[[provision.rpm]]`, which need none";
    NoLogin = "no-login", Warning, "a user, or nobody at all, can log in";
        why "An account without a password is locked, and without a key sshd refuses the login, so the user exists but \
            cannot be used. For a system user that is intended. Where that is so for every account, nobody can log in at all, \
            on the console neither, and it is an error: a guest that is configured is not asked by the image's wizard.";
        by ("shadow(5)", "https://man7.org/linux/man-pages/man5/shadow.5.html");
        fix "add `ssh_keys` or `password_hash`, or write system = true";
    WeakHash = "weak-hash", Warning, "a password hash that is weak, or not a hash";
        why "MD5 hashes are broken in minutes and bcrypt's `$2a$` has a known flaw; a text without a method is most \
            likely the password itself, readable by everybody who can read the recipe. `$6$`, `$5$`, `$y$`, `$gy$`, \
            `$2b$` and `$2y$` are accepted.";
        by ("libxcrypt: crypt(5)", "https://github.com/besser82/libxcrypt");
        fix "make a hash with `arca-build passwd` and write that";
    KeyTypo = "key-typo", Warning, "an ssh key that is damaged, private, or has no comment";
        why "sshd passes over a line it cannot read, so a key that lost a character when it was pasted locks its \
            owner out, and a private key in a recipe must be taken for lost. A key without a comment works, but \
            nobody can tell later whose it is.";
        by ("sshd(8): AUTHORIZED_KEYS FILE FORMAT", "https://man.openbsd.org/sshd.8#AUTHORIZED_KEYS_FILE_FORMAT");
        fix "paste the whole line of the `.pub` file, its comment included";
    WeakKey = "weak-key", Warning, "an ssh key of a type or size that is no longer secure";
        why "DSA keys are refused by every current sshd, and short RSA keys can be factored. With only such a key the \
            user cannot log in, or others can.";
        by ("OpenSSH: release notes", "https://www.openssh.com/releasenotes.html");
        fix "make a new key with `ssh-keygen -t ed25519`";
    GroupLikeUser = "group-like-user", Warning, "a group with the name of a user";
        why "Where an image gives each user a group of its own (USERGROUPS_ENAB in login.defs), useradd makes the \
            group itself and fails if the group exists already, and the boot fails with it. Where it does not, the \
            user is not in the group unless `groups` says so.";
        by ("shadow: useradd(8), login.defs(5)", "https://man7.org/linux/man-pages/man8/useradd.8.html");
        fix "give the group another name, or leave it to the user";
    // Settings.
    LocaleMissing = "locale-missing", Warning, "a locale that the image does not have";
        why "MicroOS is built with the locales C, C.utf8, en_US.utf8 and POSIX only. With another in /etc/locale.conf \
            programs warn and fall back to C, until a package brings it.";
        by ("openSUSE/microos-tools: README, locale-check", "https://github.com/openSUSE/microos-tools");
        fix "use C.UTF-8 or en_US.UTF-8, or install the locale's package";
    ProxyPassword = "proxy-password", Warning, "a proxy's password that every user of the guest can read";
        why "openSUSE reads its proxy from /etc/sysconfig/proxy. With a password in it the file is for root alone, so \
            that login shells of other users cannot read it, say so, and go without a proxy. Where MicroOS's \
            setup-systemd-proxy-env.service is enabled it copies the address to a file that everybody may read.";
        by ("openSUSE/aaa_base: profile.sh", "https://github.com/openSUSE/aaa_base"),
            ("openSUSE/microos-tools: setup-systemd-proxy-env", "https://github.com/openSUSE/microos-tools");
        fix "let the proxy recognise the guest by its address, and leave the password out";
    // Units and scripts.
    HomeOwner = "home-owner", Warning, "a file in a user's home belongs to somebody else";
        why "Ignition and arca-build give a file to root unless the recipe names an owner. The user cannot change it then, and \
            ssh refuses keys and configurations in a home that belong to somebody else.";
        by ("coreos/ignition: configuration specification, `storage.files.user`", "https://coreos.github.io/ignition/configuration-v3_2/"),
            ("sshd_config(5): StrictModes", "https://man.openbsd.org/sshd_config.5#StrictModes");
        fix "write `user` for the file";
    PrivateKey = "private-key", Warning, "a secret in a file that every user of the guest may read";
        why "A private key, a WireGuard key, a password or an access token in a file with a mode such as 0644 is there for every \
            program of the guest, of whatever user. What looks like one is reported; its value is never shown.";
        by ("wg(8): CONFIGURATION FILE FORMAT", "https://man7.org/linux/man-pages/man8/wg.8.html"),
            ("ssh-keygen(1)", "https://man.openbsd.org/ssh-keygen.1");
        fix "write mode = \"0600\" for the file, and `user` for the account that reads it";
    KeyfileMode = "keyfile-mode", Warning, "a network profile that NetworkManager passes over";
        why "NetworkManager reads only profiles that belong to root and that nobody else may read, since they may hold \
            passwords. One with another mode or owner is passed over with a line in the journal, and the guest is without its network.";
        by ("nm-settings-keyfile(5)", "https://networkmanager.dev/docs/api/latest/nm-settings-keyfile.html");
        fix "write mode = \"0600\" and leave the owner out, or use `[[provision.network]]`";
    TimeZone = "time-zone", Warning, "a time zone that does not exist";
        why "The guest's /etc/localtime would be a link to a file that is not there, and the guest would keep UTC.";
        by ("localtime(5)", "https://www.freedesktop.org/software/systemd/man/latest/localtime.html"),
            ("IANA: time zone database", "https://www.iana.org/time-zones");
        fix "write the name of a zone, such as Europe/Berlin";
    NtpDisabled = "ntp-disabled", Warning, "time servers whose daemon is disabled";
        why "`ntp` writes the servers for chrony, which asks them only where its service runs.";
        by ("chrony.conf(5)", "https://chrony-project.org/doc/latest/chrony.conf.html");
        fix "leave `ntp` or the entry that disables `chronyd.service` out";
    QuadletUnit = "quadlet-unit", Warning, "a unit that a quadlet generates is enabled";
        why "podman's generator makes the service of a quadlet at each boot, below /run. systemd cannot enable such a unit: \
            under Combustion the boot fails, under Ignition nothing happens. Whether it starts is said by `[Install]` \
            in the quadlet.";
        by ("podman-systemd.unit(5): Enabling unit files", "https://docs.podman.io/en/latest/markdown/podman-systemd.unit.5.html");
        fix "leave `enable` out, and write `[Install]` with `WantedBy=multi-user.target` into the quadlet";
    UnitUnknown = "unit-unknown", Warning, "a unit is enabled that nothing is known to bring";
        why "Under Combustion `systemctl enable` of a unit that is not there fails the script, and the boot with it; under \
            Ignition nothing happens and nothing runs. What openSUSE's images have is known in part, what packages bring \
            is not, so this may be a false alarm.";
        by ("openSUSE: package systemd-presets-common-SUSE", "https://build.opensuse.org/package/show/openSUSE:Factory/systemd-presets-common-SUSE"),
            ("systemctl(1): enable", "https://www.freedesktop.org/software/systemd/man/latest/systemctl.html");
        fix "correct the name, add the package that brings it, or allow the rule where the image has it";
    UnitNoInstall = "unit-no-install", Warning, "a unit is enabled that nothing will start";
        why "Enabling creates the links that the unit's [Install] section names. Without WantedBy, RequiredBy, \
            UpheldBy, Alias, Also or DefaultInstance in it there is nothing to link, so the unit is never started.";
        by ("systemd.unit(5): [Install] section options", "https://www.freedesktop.org/software/systemd/man/latest/systemd.unit.html");
        fix "add an [Install] section, as in `WantedBy=multi-user.target`";
    Script = "script", Warning, "a script that Combustion reads differently than it seems";
        why "Combustion makes the script executable and runs it, and looks for lines beginning `# combustion:` that \
            hold the words `network` or `prepare`. A line that holds neither, or is written otherwise, a missing line \
            end or bytes that are no text are harmless to the shell, but are probably a mistake. What needs the \
            network, the initrd or a file beside the script must be asked for. Scripts are read line by line, not as a \
            shell reads them; their syntax is not checked.";
        by ("openSUSE/combustion: README", "https://github.com/openSUSE/combustion");
        fix "correct the line";
    // Disks and pools.
    DevVdx = "dev-vdx", Warning, "a disk is named by the order in which it was found";
        why "Names like /dev/vdb and /dev/sda follow the order in which the kernel finds the disks, which differs \
            between machines, boots and launchers: what was meant for a blank disk then hits another. A serial \
            stays: /dev/disk/by-id/virtio-SERIAL.";
        by ("systemd: persistent names, 60-persistent-storage.rules", "https://github.com/systemd/systemd/blob/main/rules.d/60-persistent-storage.rules.in");
        fix "name the disk as /dev/disk/by-id/virtio-SERIAL";
    Raid1Odd = "raid1-odd", Warning, "a profile over fewer disks than its copies need";
        why "raid1 keeps two copies on two disks, raid1c3 three, raid1c4 four, and raid10 stripes over mirrored \
            pairs. mkfs.btrfs refuses fewer disks than copies, and the first boot fails with it.";
        by ("btrfs: mkfs.btrfs(8), profiles", "https://btrfs.readthedocs.io/en/latest/mkfs.btrfs.html");
        fix "add disks, or use the profile `single` or `dup`";
    RaidMetadata = "raid-metadata", Warning, "metadata that does not survive the loss of a disk, or may not";
        why "Without its metadata a pool is gone, whatever happened to the data. The profiles single, dup and raid0 \
            lose it with one disk, and raid5 and raid6 may after a power cut, which is why the btrfs documentation \
            advises against them for metadata.";
        by ("btrfs: btrfs(5), RAID56 status and recommended practices", "https://btrfs.readthedocs.io/en/latest/btrfs-man5.html");
        fix "use raid1 for metadata, or raid1c3 beside raid6";
    PoolCapacity = "pool-capacity", Note, "members of different sizes leave room unused";
        why "Mirrored profiles can only use what fits on other disks too: with raid1 that is half of all, but never \
            more than all the disks but the largest hold. What is left over on the largest disk stays unused.";
        by ("btrfs: mkfs.btrfs(8), profiles", "https://btrfs.readthedocs.io/en/latest/mkfs.btrfs.html");
        fix "give the members one size, or none larger than the others together";
    LibvirtHome = "libvirt-home", Warning, "the host's libvirt cannot reach below a home directory";
        why "Under `qemu:///system` the emulator runs as a separate user, and home directories are mostly closed to \
            others, so a disk or fw_cfg file below one ends in `Permission denied` although its own permissions are \
            right.";
        by ("libvirt: QEMU driver, security", "https://libvirt.org/drvqemu.html"),
            ("libvirt: domain XML, sysinfo", "https://libvirt.org/formatdomain.html");
        fix "use a directory such as /var/lib/libvirt/images as `storage`";
    // What the recipe says in its own words of networks and scripts.
    GatewaySubnet = "gateway-subnet", Warning, "a gateway lies in none of the profile's networks";
        why "A gateway is reached over the link, so it usually has an address in one of the networks there. \
            NetworkManager accepts any other address too and creates a route to it; if it was a typing mistake, the \
            guest reaches nothing beyond its own network.";
        by ("NetworkManager: nm-settings-nmcli(5), ipv4.gateway", "https://networkmanager.dev/docs/api/latest/nm-settings-nmcli.html");
        fix "write a gateway that one of `addresses` reaches, or allow the rule";
    MtuAbove = "mtu-above", Warning, "a link carries larger packets than what it lies on";
        why "A VLAN or bridge sends its packets through its parent or ports. One that is larger than their MTU is dropped \
            there, so small requests work and large answers never come. A card about which nothing is said has 1500.";
        by ("linux: Documentation/networking/bridge.rst", "https://docs.kernel.org/networking/bridge.html");
        fix "give the ports or the parent a profile with the same `mtu`, or lower this one";
    ProfileCard = "profile-card", Warning, "profiles for more cards than the machine has";
        why "A machine of a recipe has one network card. Two profiles for cards are either both for that one, and which of \
            them comes up is left to chance, or one of them never does.";
        by ("nm-settings(5): connection.interface-name", "https://networkmanager.dev/docs/api/latest/nm-settings-nmcli.html");
        fix "keep one, or add the second card by `[[machine.xml]]`";
    MtuIpv6 = "mtu-ipv6", Warning, "an MTU that is too small for IPv6";
        why "IPv6 requires every link to carry packets of 1280 bytes. The kernel disables IPv6 on an interface with a \
            smaller MTU, without an error.";
        by ("RFC 8200, section 5", "https://www.rfc-editor.org/rfc/rfc8200#section-5");
        fix "write an mtu of 1280 or more, or ipv6 = \"disabled\"";
    RunReadOnly = "run-read-only", Warning, "a script installs packages where the root is read-only";
        why "Under Ignition a unit runs the recipe's scripts in the system, whose root file system is a read-only \
            snapshot: zypper and rpm fail there. `packages` and `[[provision.rpm]]` make a snapshot of their own and \
            reboot into it.";
        by ("transactional-update(8)", "https://kubic.opensuse.org/documentation/man-pages/transactional-update.8.html");
        fix "use `packages` or `[[provision.rpm]]`, or engine = \"combustion\"";
    RunNoServices = "run-no-services", Warning, "a script asks a service where none runs";
        why "Combustion runs scripts in the initrd, in a chroot of the new snapshot. No service manager runs there that \
            could start a unit of the system: systemctl either fails or does nothing, and so do programs that ask a \
            service, as hostnamectl and firewall-cmd. What is enabled starts with the system a moment later.";
        by ("openSUSE/combustion: README", "https://github.com/openSUSE/combustion"),
            ("systemctl(1), SYSTEMD_OFFLINE", "https://www.freedesktop.org/software/systemd/man/latest/systemctl.html");
        fix "write `systemctl enable`, or `enable = true` in `[[provision.unit]]`";
    RunMount = "run-mount", Warning, "a script mounts what is already mounted";
        why "Scripts of the recipe find /home, /srv, /usr/local and /var mounted under either engine, so that they \
            work under both. mount(8) fails the second time, and with `set -e` the script fails too.";
        by ("mount(8)", "https://man7.org/linux/man-pages/man8/mount.8.html");
        fix "leave the `mount` out; a ready-made script, named by `script`, does need it";
    // About the rules themselves.
    UnusedAllow = "unused-allow", Note, "an entry of `[allow]` that has no effect";
        why "The finding was fixed, or never existed. If the entry stays, it hides the same mistake when it is made \
            again.";
        by ("rustc: unfulfilled_lint_expectations, the same idea", "https://doc.rust-lang.org/rustc/lints/listing/warn-by-default.html");
        fix "remove the entry from `[allow]`";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_has_its_own_row_and_every_row_says_all_of_it() {
        assert_eq!(
            Rule::all().map(Rule::as_str).collect::<Vec<_>>(),
            Rule::WORDS,
            "the table is in the order of the ids"
        );
        for row in ROWS {
            assert_eq!(row.rule.row(), row);
            let id = row.rule.as_str();
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(id.chars().all(plain) && id.len() <= 40, "{id}");
            for line in [row.summary, row.fix] {
                assert!(
                    !line.is_empty() && !line.ends_with('.') && !line.contains('\n') && line.len() <= 130,
                    "{id}: {line}"
                );
            }
            assert!(
                row.reason.ends_with('.') && row.reason.len() > 80 && !row.reason.contains("  "),
                "{id}: {}",
                row.reason
            );
            assert!(!row.sources.is_empty(), "{id}");
            for (name, address) in row.sources {
                assert!(!name.is_empty() && crate::base::Url::parse(address).is_ok(), "{id}: {address}");
            }
        }
    }
}
