//! A SelfInstall bundle goes through all its life: the installer writes the system disk without a question, enters the new
//! system by kexec in the same run, that system finds its configuration and its data disks, ends at its first reboot, and
//! comes up from its own disk ever after. By each transport, through `run-qemu.sh` and through `install.sh` with libvirt.
//! Starts QEMU in software emulation and a private libvirtd. Read next: `selfinstall/medium.rs`, `selfinstall/installer`.

mod medium;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::base::Digest;
use crate::bundle::Manifest;

use crate::tests::support::libvirtd::{self, Libvirtd, give};
use crate::tests::support::{BOOT_LIMIT, Bin, Running, boot, output, skip, tools, workdir};
use medium::Medium;

/// What the machine has besides its system disk.
const DATA: [&str; 2] = ["tank-0", "tank-1"];
const MIB: u64 = 1 << 20;
/// The firmware of a machine with UEFI, where Debian keeps it.
const OVMF: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";

/// A bundle of the medium.
struct Built {
    world: tempfile::TempDir,
    bundle: PathBuf,
}

/// Builds the bundle of a machine with these data disks, and with further keys of `[machine]`.
fn build(medium: &Medium, data: &[&str]) -> Built {
    build_with(medium, data, "")
}

fn build_with(medium: &Medium, data: &[&str], keys: &str) -> Built {
    let world = workdir();
    let disks: String =
        data.iter().map(|serial| format!("[[machine.disk]]\nserial = \"{serial}\"\nsize = \"32MiB\"\n")).collect();
    let recipe = format!(
        "format = 1\nname = \"box\"\n[base]\nurl = \"file://{}\"\nsha256 = \"{}\"\n[machine]\nmemory = \"512MiB\"\n\
         vcpus = 1\naccel = \"tcg\"\nnetwork = \"none\"\n{keys}[machine.system]\nsize = \"64MiB\"\n{disks}\
         [provision]\nengine = \"auto\"\nscript = \"script\"\n[[provision.file]]\npath = \"/etc/motd\"\ntext = \"installed\\n\"\n",
        medium.iso.display(),
        medium.sha256,
    );
    fs::write(world.path().join("box.toml"), recipe).unwrap();
    fs::write(world.path().join("script"), "#!/bin/sh\necho applied >/etc/applied\n").unwrap();
    let bundle = PathBuf::from(Bin::new(world.path()).args(["build", "box.toml"]).run().success().line());
    Built { world, bundle }
}

/// What the installed system told of one boot.
#[derive(Debug, Default)]
struct Told {
    boot: String,
    command_line: String,
    /// Size, access and state, by serial.
    disks: BTreeMap<String, String>,
    medium: String,
    /// `transport digest name`, as the boot sees them.
    config: Vec<String>,
    /// `boot transport digest name`, as first boots kept them.
    kept: Vec<String>,
}

impl Told {
    /// Reads the report of the only boot in a serial log.
    #[track_caller]
    fn read(log: &str) -> Self {
        let block = log.split_once("SYSTEM-BEGIN\n").and_then(|(_, rest)| rest.split_once("SYSTEM-END\n"));
        let (block, _) = block.unwrap_or_else(|| panic!("the system did not come up:\n{log}"));
        assert_eq!(log.matches("SYSTEM-BEGIN").count(), 1, "{log}");
        assert!(!log.contains("PROBLEM") && !log.contains("INSTALLER ASKS") && !log.contains("REFUSES"), "{log}");
        let mut told = Self::default();
        for line in block.lines() {
            let (word, rest) = line.split_once(' ').unwrap_or_else(|| panic!("{line:?}\n{log}"));
            match word {
                "BOOT" => rest.clone_into(&mut told.boot),
                "COMMAND-LINE" => rest.clone_into(&mut told.command_line),
                "MEDIUM" => rest.clone_into(&mut told.medium),
                "CONFIG" => told.config.push(rest.to_owned()),
                "KEPT" => told.kept.push(rest.to_owned()),
                "DISK" => {
                    let (serial, facts) = rest.split_once(' ').unwrap();
                    told.disks.insert(serial.to_owned(), facts.to_owned());
                }
                _ => panic!("not understood: {line:?}\n{log}"),
            }
        }
        told
    }

    /// Demands what holds at every boot of the installed system.
    #[track_caller]
    fn sees(&self, transport: &str, bundle: &Path) {
        let mut disks: BTreeMap<String, String> =
            DATA.map(|serial| (serial.to_owned(), format!("{} rw blank", 32 * MIB))).into();
        disks.insert("system".to_owned(), format!("{} rw written", 64 * MIB));
        if transport == "disk" {
            disks.insert("config".to_owned(), format!("{MIB} ro written"));
        }
        assert_eq!(self.disks, disks);
        assert_eq!(self.config, configuration(transport, bundle));
    }
}

/// The configuration as the system is to find it by a transport.
fn configuration(transport: &str, bundle: &Path) -> Vec<String> {
    let manifest = Manifest::parse(&fs::read_to_string(bundle.join("manifest.json")).unwrap()).unwrap();
    let names = match transport {
        "disk" => [("script", "disk", "combustion/script"), ("config.ign", "disk", "ignition/config.ign")],
        _ => [
            ("config.ign", "fw_cfg", "opt/com.coreos/config"),
            ("script", "fw_cfg", "opt/org.opensuse.combustion/script"),
        ],
    };
    let digest = |file: &str| manifest.files.iter().find(|entry| entry.path == file).unwrap().sha256;
    names.map(|(file, transport, name)| format!("{transport} {} {name}", digest(file))).to_vec()
}

/// Demands that the installer wrote the system disk, asked nothing, and that the system came up for the first time.
#[track_caller]
fn installs_and_comes_up(log: &str, transport: &str, bundle: &Path) {
    let written = log.find("INSTALLER WRITES /dev/disk/by-id/virtio-system\n").unwrap_or_else(|| panic!("{log}"));
    let entered = log.find("INSTALLER ENTERS").unwrap_or_else(|| panic!("{log}"));
    let told = Told::read(log);
    assert!(written < entered && entered < log.find("SYSTEM-BEGIN").unwrap(), "{log}");
    assert_eq!((told.boot.as_str(), told.medium.as_str()), ("first", "present"), "{log}");
    // By kexec: these are the system's own options, and no boot loader of a disk has added to them.
    assert_eq!(told.command_line, medium::BOOT_OPTIONS);
    told.sees(transport, bundle);
    let kept: Vec<_> = configuration(transport, bundle).iter().map(|file| format!("0 {file}")).collect();
    assert_eq!(told.kept, kept);
}

#[test]
#[ignore = "full: boots guests for a minute or more"]
fn run_qemu_installs_unattended_and_the_first_boot_finds_everything_by_each_transport() {
    let (Some(()), Some(medium)) = (tools(&["sha256sum"]), Medium::prepare()) else { return };
    let built = build(&medium, &DATA);
    for transport in ["disk", "fw_cfg"] {
        let begun = Instant::now();
        let mut command = Command::new(built.bundle.join("run-qemu.sh"));
        command.args(["--transport", transport, "--accel", "tcg"]).env("TMPDIR", built.world.path());
        installs_and_comes_up(&boot(&mut command, BOOT_LIMIT), transport, &built.bundle);
        eprintln!("{transport}: installed and up for the first time in {:?}", begun.elapsed());
    }
    Bin::new(built.world.path()).args(["verify", "result-box"]).run().success();
}

#[test]
fn run_installs_unattended_and_the_first_boot_finds_everything() {
    let Some(medium) = Medium::prepare() else { return };
    let built = build(&medium, &DATA);
    let begun = Instant::now();
    let run = Bin::new(built.world.path()).env("PATH", std::env::var_os("PATH").unwrap());
    run.args(["run", "box.toml", "--console", "log"]).run().success();
    let log = fs::read_to_string(built.world.path().join("log")).unwrap().replace('\r', "");
    installs_and_comes_up(&log, "disk", &built.bundle);
    eprintln!("run: installed and up for the first time in {:?}", begun.elapsed());
}

#[test]
#[ignore = "full: boots guests for a minute or more"]
fn libvirt_takes_an_installing_machine_through_both_boots_with_the_config_on_a_disk() {
    let Some(machine) = Instance::prepare() else { return };
    machine.installs("disk", |log| machine.creates("domain-disk.xml", log));
    machine.comes_up_from_its_own_disk("disk", |log| machine.defines("domain-disk-installed.xml", log));
}

#[test]
#[ignore = "full: boots guests for a minute or more"]
fn libvirt_takes_an_installing_machine_through_both_boots_with_the_config_by_fw_cfg() {
    let Some(machine) = Instance::prepare() else { return };
    machine.installs("fw_cfg", |log| machine.creates("domain-fwcfg.xml", log));
    machine.comes_up_from_its_own_disk("fw_cfg", |log| machine.defines("domain-fwcfg-installed.xml", log));
}

#[test]
#[ignore = "full: boots guests for a minute or more"]
fn libvirt_takes_an_installing_machine_with_uefi_through_both_boots() {
    if !Path::new(OVMF).exists() {
        return skip(OVMF);
    }
    let Some(machine) = Instance::prepare_with("firmware = \"uefi\"\n") else { return };
    machine.installs("disk", |log| machine.creates("domain.xml", log));
    machine.comes_up_from_its_own_disk("disk", |log| machine.defines("domain-installed.xml", log));
}

#[test]
#[ignore = "full: boots guests for a minute or more"]
fn virt_install_takes_an_installing_machine_through_both_boots() {
    let (Some(()), Some(machine)) = (tools(&["virt-install"]), Instance::prepare()) else { return };
    machine.installs("disk", |log| {
        // Where the ordinary user that libvirt runs as may read it.
        let script = machine.place.path().join("virt-install.sh");
        fs::copy(machine.built.bundle.join("virt-install.sh"), &script).unwrap();
        let mut command = libvirtd::alone(&machine.place.path().join("libvirt"), script.to_str().unwrap());
        command.arg("--storage").arg(machine.place.path().join("storage"));
        command.args(["--installed", "--connect", "qemu:///session", "--", "--xml", "./devices/serial/@type=file"]);
        command.arg("--xml").arg(format!("./devices/serial/source/@path={}", log.display()));
        output(&mut command).success();
    });
    // virt-install defined what it installed, without the installer's kernel.
    machine.comes_up_from_its_own_disk("disk", |log| {
        fs::remove_file(log).unwrap();
        machine.virsh(&["start", "box"]);
    });
}

/// A bundle that `install.sh` put in place, in a libvirt of the test's own.
struct Instance {
    built: Built,
    libvirt: Libvirtd,
    dir: PathBuf,
    /// Goes last: the machine ends with libvirtd.
    place: tempfile::TempDir,
}

impl Instance {
    fn prepare() -> Option<Self> {
        Self::prepare_with("")
    }

    /// The same with further keys of `[machine]` in its recipe.
    fn prepare_with(keys: &str) -> Option<Self> {
        tools(&libvirtd::TOOLS).and_then(|()| tools(&["sha256sum"]))?;
        let built = build_with(&Medium::prepare()?, &DATA, keys);
        let place = workdir();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let [storage, talk] = ["storage", "talk"].map(|name| place.path().join(name));
        fs::create_dir(&storage).unwrap();
        fs::create_dir(&talk).unwrap();
        output(Command::new(built.bundle.join("install.sh")).arg("--storage").arg(&storage)).success();
        let dir = storage.join("box");
        [&dir, &talk].into_iter().for_each(|dir| give(dir));
        fs::read_dir(&dir).unwrap().for_each(|entry| give(&entry.unwrap().path()));
        let libvirt = Libvirtd::start(place.path());
        Some(Self { built, libvirt, dir, place })
    }

    /// Demands that the machine, started by `start` with its serial port in a file, installs and comes up.
    fn installs(&self, transport: &str, start: impl FnOnce(&Path)) {
        let (log, wall) = self.run(start);
        installs_and_comes_up(&log, transport, &self.built.bundle);
        eprintln!("{transport}: installed and up for the first time in {wall:?}");
        for serial in DATA {
            let name = format!("data-{serial}.qcow2");
            let [now, before] = [&self.dir, &self.built.bundle].map(|dir| fs::read(dir.join(&name)).unwrap());
            assert!(now == before, "{name} was written to");
        }
    }

    /// Demands that the machine comes up again without anything of the installer.
    fn comes_up_from_its_own_disk(&self, transport: &str, start: impl FnOnce(&Path)) {
        for name in ["linux", "initrd", "base.iso"] {
            fs::remove_file(self.dir.join(name)).unwrap();
        }
        let (log, wall) = self.run(start);
        let told = Told::read(&log);
        assert_eq!((told.boot.as_str(), told.medium.as_str()), ("later", "absent"), "{log}");
        assert!(told.command_line.contains("BOOT_IMAGE=/linux") && !told.command_line.contains("kiwi"), "{log}");
        assert!(!log.contains("INSTALLER"), "{log}");
        // The configuration is still attached; that the first boot kept it, and no later one, is told by the disk.
        told.sees(transport, &self.built.bundle);
        let kept: Vec<_> =
            configuration(transport, &self.built.bundle).iter().map(|file| format!("0 {file}")).collect();
        assert_eq!(told.kept, kept);
        eprintln!("{transport}: up from its own disk in {wall:?}");
        Bin::new(self.built.world.path()).args(["verify", "result-box"]).run().success();
    }

    /// A domain that is forgotten when it ends: the installer's.
    fn creates(&self, description: &str, log: &Path) {
        self.virsh(&["create", "--validate", self.listened(description, log).to_str().unwrap()]);
    }

    /// A domain that stays.
    fn defines(&self, description: &str, log: &Path) {
        assert!(!self.libvirt.virsh(&["domstate", "box"]).status.success(), "the installing domain is still there");
        self.virsh(&["define", "--validate", self.listened(description, log).to_str().unwrap()]);
        self.virsh(&["start", "box"]);
    }

    /// The instance's description with one change: its serial port goes to a file, since nobody sits at the terminal.
    fn listened(&self, description: &str, log: &Path) -> PathBuf {
        let xml = fs::read_to_string(self.dir.join(description)).unwrap();
        let serial = format!("<serial type=\"file\"><source path=\"{}\"/></serial>", log.display());
        let changed = xml.replacen("<serial type=\"pty\"/>", &serial, 1);
        assert_ne!(changed, xml, "{xml}");
        let file = self.place.path().join(description);
        fs::write(&file, changed).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        file
    }

    #[track_caller]
    fn virsh(&self, words: &[&str]) {
        let done = self.libvirt.virsh(words);
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// Waits until the started machine is off; returns what it said and how long it ran.
    fn run(&self, start: impl FnOnce(&Path)) -> (String, Duration) {
        let log = self.place.path().join("talk/serial");
        let begun = Instant::now();
        start(&log);
        loop {
            let state = self.libvirt.virsh(&["domstate", "box"]);
            // Read after the state, so that nothing is missing when the machine is off.
            let said = fs::read_to_string(&log).unwrap_or_default().replace('\r', "");
            if !state.status.success() || String::from_utf8_lossy(&state.stdout).contains("shut off") {
                return (said, begun.elapsed());
            }
            assert!(begun.elapsed() < BOOT_LIMIT, "the machine did not end:\n{said}");
            assert!(!said.contains("INSTALLER ASKS"), "{said}");
            assert!(said.matches("INSTALLER WRITES").count() < 2, "it installs again and again:\n{said}");
            std::thread::sleep(Duration::from_millis(250));
        }
    }
}

/// Boots the bundle with another command line for the installer until it says one of its words, and returns the line.
fn asked(built: &Built, transport: &str, arguments: &str) -> String {
    let log = built.world.path().join("serial");
    let out = fs::File::create(&log).unwrap();
    let mut command = Command::new(built.bundle.join("run-qemu.sh"));
    command.args(["--transport", transport, "--accel", "tcg", "--", "-append", arguments]);
    command.env("TMPDIR", built.world.path()).stdin(std::process::Stdio::null()).stdout(out);
    let _running = Running::start(&mut command);
    let begun = Instant::now();
    loop {
        let said = fs::read_to_string(&log).unwrap_or_default().replace('\r', "");
        let told = |word: &str| said.lines().find(|line| line.starts_with(word)).map(str::to_owned);
        if let Some(line) = told("INSTALLER ASKS").or_else(|| told("INSTALLER REFUSES")) {
            assert!(said.ends_with('\n') && !said.contains("INSTALLER WRITES"), "{said}");
            return line;
        }
        assert!(!said.contains("INSTALLER ENTERS") && begun.elapsed() < BOOT_LIMIT, "{said}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
#[ignore = "full: boots guests for a minute or more"]
fn an_installer_that_is_not_told_the_disk_asks_and_one_told_a_wrong_disk_refuses() {
    let Some(medium) = Medium::prepare() else { return };
    let untold = "root=install:CDLABEL=INSTALL console=tty0 console=ttyS0,115200";
    let built = build(&medium, &DATA);
    let disks = "/dev/disk/by-id/virtio-system /dev/disk/by-id/virtio-tank-0 /dev/disk/by-id/virtio-tank-1";
    assert_eq!(asked(&built, "fw_cfg", untold), format!("INSTALLER ASKS Select Installation Disk: {disks}"));
    let wrong = format!("rd.kiwi.oem.installdevice=/dev/disk/by-id/virtio-sytem {untold}");
    let line = asked(&built, "fw_cfg", &wrong);
    assert_eq!(line, "INSTALLER REFUSES Given device /dev/disk/by-id/virtio-sytem does not exist");
    let alone = build(&medium, &[]);
    let question = "INSTALLER ASKS Destroying ALL data on /dev/disk/by-id/virtio-system, continue ?";
    assert_eq!(asked(&alone, "fw_cfg", untold), question);
    // The config disk counts, so even a machine without data disks has several by this transport.
    assert!(asked(&alone, "disk", untold).starts_with("INSTALLER ASKS Select Installation Disk: "));
}

#[test]
#[ignore = "full: boots guests for a minute or more"]
fn an_installer_refuses_a_medium_whose_image_is_damaged() {
    let Some(medium) = Medium::prepare() else { return };
    let dir = workdir();
    let mut bytes = fs::read(&medium.iso).unwrap();
    // The partition's boot sector, once in the image; the volume is as whole as before.
    let found: Vec<_> = (0..bytes.len()).step_by(2048).filter(|at| bytes[at + 3..].starts_with(b"SYSLINUX")).collect();
    let [at] = found[..] else { panic!("{found:?}") };
    bytes[at + 600] ^= 1;
    let damaged = Medium { iso: dir.path().join("install.iso"), sha256: Digest::of(&bytes) };
    fs::write(&damaged.iso, bytes).unwrap();
    let log = boot_installer(&build(&damaged, &[]));
    assert!(log.contains("INSTALLER WRITES") && log.contains("INSTALLER REFUSES Image checksum test failed"), "{log}");
}

fn boot_installer(built: &Built) -> String {
    let mut command = Command::new(built.bundle.join("run-qemu.sh"));
    command.args(["--transport", "fw_cfg", "--accel", "tcg"]).env("TMPDIR", built.world.path());
    boot(&mut command, BOOT_LIMIT)
}
