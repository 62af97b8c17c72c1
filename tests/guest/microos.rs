//! A stand-in for MicroOS, built from Debian's packages, that applies a bundle and reports: btrfs root in MicroOS' layout,
//! the real Ignition in its initrd, and a Combustion of our own by the documented contract, which shows a script no more than
//! transactional-update does. Built once below `target/`; needs root and loop devices. Software emulation only.
//! Touches: `target/tmp/microos`, the network through apt (once), processes. Read next: `microos/build`, `microos/first-boot`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::guest_report::{self, Expectation, Verdict};
use sha2::Digest as _;

use crate::tests::support::{BOOT_LIMIT, Bin, Running, boot, output, skip, tools, workdir};

/// What the image is made from; see the head of each.
const SOURCES: [&str; 5] = [
    include_str!("microos/build"),
    include_str!("microos/first-boot"),
    include_str!("microos/combustion"),
    include_str!("microos/report"),
    include_str!("microos/update-ca-certificates"),
];

/// Packages whose new version asks for a new image.
const PACKAGES: [&str; 6] =
    ["linux-image-cloud-amd64", "ignition", "systemd", "btrfs-progs", "passwd", "openssh-server"];

const TOOLS: [&str; 13] = [
    "debootstrap",
    "dpkg-deb",
    "apt-get",
    "apt-cache",
    "unshare",
    "chroot",
    "mount",
    "mkfs.btrfs",
    "btrfs",
    "qemu-img",
    "qemu-system-x86_64",
    "sha256sum",
    "awk",
];

/// How long a build may take on a busy machine with a slow mirror.
const BUILD_LIMIT: Duration = Duration::from_secs(1500);
/// How `microos/build` ends when the packages cannot be had.
const NO_PACKAGES: i32 = 75;

/// The stand-in, ready to boot.
#[derive(Clone, Debug)]
pub struct MicroOs {
    dir: PathBuf,
}

/// A machine made by `arca-build`: a bundle, and a world that it was built in.
pub struct Machine {
    guest: MicroOs,
    _world: tempfile::TempDir,
    pub bundle: PathBuf,
}

/// How one boot ended.
#[derive(Debug)]
pub struct Boot {
    /// Sorted lines; empty where the guest did not come up.
    pub report: Vec<String>,
    pub serial: String,
    /// What came through the port of the report that `arca-build` makes.
    pub told: Vec<u8>,
    pub wall: Duration,
}

impl MicroOs {
    /// Makes the guest ready, from the kept copy or from Debian's packages; `None`, told as a skipped test, where a tool is
    /// missing, or root, or the packages.
    ///
    /// # Panics
    /// As [`tool`] does; and when the build fails otherwise.
    pub fn prepare() -> Option<Self> {
        tools(&TOOLS)?;
        if !rustix::process::geteuid().is_root() || !Path::new("/dev/loop-control").exists() {
            skip("root and loop devices");
            return None;
        }
        let home = crate::tests::support::target_tmp().join("microos");
        let ready = home.join(revision());
        if !ready.is_dir() {
            fs::create_dir_all(&home).expect("a directory below target");
            let lock = fs::File::create(home.join("lock")).expect("lock file");
            lock.lock().expect("lock");
            // Whoever held the lock before may have done the work.
            if !ready.is_dir() && !build(&home, &ready) {
                skip("Debian's packages for a guest");
                return None;
            }
        }
        Some(Self { dir: ready })
    }

    /// Where `system.qcow2`, `vmlinuz` and `initrd` are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn system(&self) -> PathBuf {
        self.dir.join("system.qcow2")
    }

    /// Builds a bundle of a recipe, whose part below `[provision]` is given, with the guest's image as its base.
    ///
    /// `disks` are the serials of blank disks of 512 MiB. Files that the recipe names lie in `tests/guest/fixtures`.
    ///
    /// # Panics
    /// When `arca-build` fails.
    #[track_caller]
    pub fn machine(&self, provision: &str, disks: &[&str]) -> Machine {
        self.machine_with(provision, disks, &[])
    }

    /// The same with further files beside the recipe.
    #[track_caller]
    pub fn machine_with(&self, provision: &str, disks: &[&str], files: &[(&str, &str)]) -> Machine {
        let world = workdir();
        for (name, text) in files {
            fs::write(world.path().join(name), text).unwrap();
        }
        let sha256 = fs::read_to_string(self.dir.join("sha256")).unwrap();
        let disks: String = disks
            .iter()
            .map(|serial| format!("[[machine.disk]]\nserial = \"{serial}\"\nsize = \"512MiB\"\n"))
            .collect();
        let head = format!(
            "format = 1\nname = \"guest\"\n[base]\nurl = \"file://{}\"\nsha256 = \"{}\"\n[machine]\nmemory = \"1GiB\"\n\
             vcpus = 1\naccel = \"tcg\"\nnetwork = \"none\"\n[machine.system]\nsize = \"8GiB\"\n{disks}",
            self.system().display(),
            sha256.trim(),
        );
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guest/fixtures");
        for entry in fs::read_dir(fixtures).unwrap().map(Result::unwrap) {
            fs::copy(entry.path(), world.path().join(entry.file_name())).unwrap();
        }
        fs::write(world.path().join("guest.toml"), format!("{head}[provision]\n{provision}")).unwrap();
        // One store for all: it holds the base, which is a quarter of a gigabyte.
        let run = |words: &[&str]| Bin::new(world.path()).env("ARCA_CACHE", self.dir.join("store")).args(words).run();
        let bundle = PathBuf::from(run(&["build", "--no-link", "guest.toml"]).success().line());
        Machine { guest: self.clone(), _world: world, bundle }
    }
}

/// Names what the kept copy was made from.
fn revision() -> String {
    let told = output(Command::new("apt-cache").arg("madison").args(PACKAGES)).stdout;
    let digest = sha2::Sha256::digest(format!("{SOURCES:?}{told}"));
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Returns whether the packages could be had.
fn build(home: &Path, ready: &Path) -> bool {
    let debs = home.join("debs");
    fs::create_dir_all(&debs).expect("a directory below target");
    forget_older(home, &debs);
    let work = tempfile::tempdir_in(home).expect("a directory below target");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guest/microos/build");
    let mut command = Command::new(script);
    let mut running = Running::start(command.arg(work.path()).arg(&debs).stdin(Stdio::null()));
    assert!(running.wait_for(BUILD_LIMIT), "the guest was not built within {BUILD_LIMIT:?}");
    let code = running.kill().code();
    if code == Some(NO_PACKAGES) {
        return false;
    }
    assert_eq!(code, Some(0), "tests/guest/microos/build failed: see above");
    fs::rename(work.keep(), ready).expect("rename");
    true
}

/// Each copy takes more than half a gigabyte.
fn forget_older(home: &Path, debs: &Path) {
    for entry in fs::read_dir(home).expect("directory").map(Result::unwrap) {
        if entry.path().is_dir() && entry.path() != debs {
            fs::remove_dir_all(entry.path()).expect("remove");
        }
    }
}

impl Machine {
    /// Boots by the bundle's own `run-qemu.sh`, which keeps nothing of what the guest writes.
    ///
    /// # Panics
    /// When the virtual machine fails or does not power off in time.
    pub fn run(&self, transport: &str) -> Boot {
        let place = workdir();
        let report = place.path().join("report");
        let mut command = Command::new(self.bundle.join("run-qemu.sh"));
        command.args(["--transport", transport, "--accel", "tcg"]);
        if self.bundle.join("report.json").exists() {
            command.arg("--report").arg(told(&report));
        }
        self.guest.boot(command.arg("--").env("TMPDIR", place.path()), &report)
    }

    /// Copies the bundle to where it can be changed.
    pub fn copy(&self) -> Self {
        let world = workdir();
        let bundle = world.path().join("bundle");
        output(Command::new("cp").arg("-r").arg(&self.bundle).arg(&bundle)).success();
        output(Command::new("chmod").args(["-R", "u+w"]).arg(&bundle)).success();
        Self { guest: self.guest.clone(), _world: world, bundle }
    }

    /// Holds what a guest told to what its bundle expects.
    ///
    /// # Panics
    /// When the bundle expects nothing.
    pub fn verdict(&self, boot: &Boot) -> Verdict {
        let expected = fs::read(self.bundle.join("report.json")).expect("a bundle with a report");
        guest_report::judge(&Expectation::parse(&expected).expect("report.json"), &boot.told)
    }
}

/// Data disks that outlive the machines they are attached to: sparse raw files.
pub struct Disks {
    dir: tempfile::TempDir,
}

impl Disks {
    /// Returns the file of the disk with this serial.
    pub fn path(&self, serial: &str) -> PathBuf {
        self.dir.path().join(serial)
    }
}

/// One system disk of a machine, which keeps what the guest writes, as an installed machine does.
pub struct Instance<'a> {
    machine: &'a Machine,
    dir: tempfile::TempDir,
}

impl<'a> Instance<'a> {
    /// Makes a fresh system disk.
    pub fn new(machine: &'a Machine) -> Self {
        let dir = workdir();
        let mut command = Command::new("qemu-img");
        command.args(["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b"]).arg(machine.bundle.join("system.qcow2"));
        output(command.arg(dir.path().join("system.qcow2"))).success();
        Self { machine, dir }
    }

    /// Boots with the bundle's config disk and with these of the data disks.
    ///
    /// # Panics
    /// As [`Machine::run`].
    pub fn boot(&self, disks: &Disks, serials: &[&str]) -> Boot {
        let mut command = Command::new("qemu-system-x86_64");
        command.args(["-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35", "-accel", "tcg"]);
        command.args(["-smp", "1", "-m", "1024", "-serial", "stdio"]);
        attach(&mut command, "system", &self.dir.path().join("system.qcow2"), "format=qcow2");
        attach(&mut command, "config", &self.machine.bundle.join("config.qcow2"), "format=qcow2,readonly=on");
        serials.iter().for_each(|serial| attach(&mut command, serial, &disks.path(serial), "format=raw"));
        let report = self.dir.path().join("report");
        command.args([
            "-device",
            "virtio-serial-pci",
            "-device",
            "virtserialport,chardev=told,name=org.arca_build.report",
        ]);
        command.arg("-chardev").arg(format!("file,id=told,path={}", told(&report).display()));
        self.machine.guest.boot(&mut command, &report)
    }
}

/// Where the port writes, beside the stand-in's own report.
fn told(report: &Path) -> PathBuf {
    report.with_extension("told")
}

fn attach(command: &mut Command, serial: &str, file: &Path, how: &str) {
    command.arg("-drive").arg(format!("if=none,id={serial},{how},file={}", file.display()));
    command.arg("-device").arg(format!("virtio-blk-pci,drive={serial},serial={serial}"));
}

impl MicroOs {
    /// Makes blank disks of 512 MiB.
    pub fn disks(&self, serials: &[&str]) -> Disks {
        let dir = workdir();
        for serial in serials {
            fs::File::create(dir.path().join(serial)).unwrap().set_len(512 << 20).unwrap();
        }
        Disks { dir }
    }

    /// The options by which QEMU boots the stand-in, which has no boot loader.
    pub fn options(&self) -> Vec<String> {
        let path = |name: &str| self.dir.join(name).to_str().unwrap().to_owned();
        let kernel = "console=ttyS0 quiet loglevel=3 panic=-1 systemd.show_status=no systemd.getty_auto=no";
        let words = ["-kernel", &path("vmlinuz"), "-initrd", &path("initrd"), "-append", kernel];
        words.iter().chain(&["-cpu", "qemu64", "-no-reboot"]).map(|word| (*word).to_owned()).collect()
    }

    /// Adds the kernel and the port that reports to a command for QEMU, and runs it.
    fn boot(&self, command: &mut Command, report: &Path) -> Boot {
        command.arg("-kernel").arg(self.dir.join("vmlinuz")).arg("-initrd").arg(self.dir.join("initrd"));
        command.args(["-cpu", "qemu64", "-no-reboot", "-serial"]).arg(format!("file:{}", report.display()));
        command
            .args(["-append", "console=ttyS0 quiet loglevel=3 panic=-1 systemd.show_status=no systemd.getty_auto=no"]);
        let begun = Instant::now();
        let port = told(report);
        let serial = boot(command, BOOT_LIMIT);
        let text = fs::read_to_string(report).unwrap_or_default().replace('\r', "");
        let lines = text.split_once("GUEST-BEGIN\n").and_then(|(_, rest)| rest.split_once("GUEST-END\n"));
        let report = lines.map(|(lines, _)| lines.lines().map(str::to_owned).collect()).unwrap_or_default();
        Boot { report, serial, told: fs::read(port).unwrap_or_default(), wall: begun.elapsed() }
    }
}

impl Boot {
    /// Demands that the guest came up, and returns what it reports.
    #[track_caller]
    pub fn up(&self) -> BTreeSet<&str> {
        assert!(!self.report.is_empty(), "the guest did not come up:\n{}", self.serial);
        self.report.iter().map(String::as_str).collect()
    }

    /// Demands that the initrd ended the boot, and returns what it says of the reason.
    #[track_caller]
    pub fn emergency(&self) -> &str {
        let (_, rest) = self.serial.split_once("GUEST-EMERGENCY ").unwrap_or_else(|| panic!("{}", self.serial));
        rest.lines().next().unwrap()
    }
}
