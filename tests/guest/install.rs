//! `install` into a libvirt of a test's own: two instances of one bundle, by each transport, at once; they boot, and
//! `uninstall` leaves nothing but what a guest wrote. Starts QEMU in software emulation and a private libvirtd.
//! Read next: tests/cli/install.rs (what is refused), tests/fault/install.rs (kills and Ctrl-C).

use std::fs::Permissions;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::guest_report;

use crate::tests::guest::bootable;
use crate::tests::guest::demo::{by_disk, by_fw_cfg};
use crate::tests::guest::run_test::RECIPE;
use crate::tests::support::libvirtd::{self, Libvirtd, alone, give};
use crate::tests::support::{BOOT_LIMIT, Output, Running, output, tools, workdir};

/// An ordinary user's world: a home, a libvirt, and the program.
struct World {
    place: tempfile::TempDir,
    libvirt: Libvirtd,
}

impl World {
    fn new() -> Self {
        let place = workdir();
        std::fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
        let libvirt = Libvirtd::start(place.path());
        Self { place, libvirt }
    }

    fn home(&self) -> PathBuf {
        self.place.path().join("libvirt/home")
    }

    /// Where a session's instances lie when nobody says otherwise.
    fn storage(&self) -> PathBuf {
        self.home().join("arca-build/instances")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = alone(&self.place.path().join("libvirt"), crate::tests::support::program());
        command.env("ARCA_CACHE", self.home().join("cache")).env("LIBVIRT_DEFAULT_URI", "qemu:///session");
        command.current_dir(self.home()).args(words);
        command
    }

    #[track_caller]
    fn run(&self, words: &[&str]) -> Output {
        output(&mut self.command(words))
    }

    #[track_caller]
    fn virsh(&self, words: &[&str]) -> String {
        let done = self.libvirt.virsh(words);
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.storage()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Sends the serial port of a defined domain to a file, as nobody sits at the terminal.
    fn listen(&self, name: &str) -> PathBuf {
        let xml = self.virsh(&["dumpxml", "--inactive", name]);
        let log = self.home().join(format!("{name}.log"));
        let (before, rest) = xml.split_once("<serial type='pty'>").unwrap();
        let (_, after) = rest.split_once("</serial>").unwrap();
        let (_, after) = after.split_once("</console>").unwrap();
        let serial = format!("<serial type='file'><source path='{}'/><target port='0'/></serial>", log.display());
        let file = self.home().join(format!("{name}.xml"));
        std::fs::write(&file, format!("{before}{serial}{after}")).unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        self.virsh(&["define", "--validate", file.to_str().unwrap()]);
        log
    }

    fn heard(&self, name: &str, log: &Path) -> String {
        let begun = Instant::now();
        loop {
            let said = std::fs::read_to_string(log).unwrap_or_default().replace('\r', "");
            if said.contains("ARCA-DEMO DONE") && self.virsh(&["domstate", name]).trim() == "shut off" {
                return said;
            }
            assert!(begun.elapsed() < BOOT_LIMIT, "the guest did not end:\n{said}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

#[test]
fn two_instances_of_one_bundle_live_together_boot_and_leave_nothing_but_what_was_written() {
    let Some(()) = tools(&libvirtd::TOOLS).and_then(|()| tools(&["qemu-system-x86_64", "qemu-io"])) else { return };
    let world = World::new();
    let bundle = PathBuf::from(world.run(&["build", "demo"]).success().line());
    // At once: the second waits for the first.
    let install = |name: &str, transport: &str| {
        let words = ["install", "result-demo", "--name", name, "--transport", transport];
        Running::start(&mut world.command(&words))
    };
    let mut both = [install("one", "disk"), install("two", "fw_cfg")];
    for one in &mut both {
        assert!(one.wait_for(Duration::from_secs(120)));
        assert!(one.kill().success());
    }
    assert_eq!(world.names(), [".arca-bases", "one", "two"]);
    let inode = |name: &str| std::fs::metadata(world.storage().join(name).join("base.qcow2")).unwrap().ino();
    assert_eq!(inode("one"), inode("two"), "the base is shared");
    assert!(!world.storage().join("one/config.ign").exists(), "by disk no file of the other transport is needed");
    let identity = |name: &str| [world.virsh(&["domuuid", name]), world.virsh(&["dumpxml", name])];
    assert_ne!(identity("one")[0], identity("two")[0]);

    let logs = ["one", "two"].map(|name| world.listen(name));
    world.virsh(&["start", "--paused", "one"]);
    world.run(&["uninstall", "one"]).ends_with(5).says("`one` is paused").says("shutdown one");
    assert!(world.storage().join("one/system.qcow2").exists());
    world.virsh(&["resume", "one"]);
    world.virsh(&["start", "two"]);
    by_disk(&world.heard("one", &logs[0]), &bundle);
    by_fw_cfg(&world.heard("two", &logs[1]), &bundle);
    world.run(&["verify", "result-demo"]).success();

    let disk = world.storage().join("one/data-data1.qcow2");
    let mut write = alone(&world.place.path().join("libvirt"), "qemu-io");
    output(write.args(["-c", "write -P 7 0 4k"]).arg(&disk)).success();
    let gone = world.run(&["uninstall", "one"]).success();
    assert_eq!(gone.line(), disk.to_str().unwrap());
    assert!(gone.stderr.contains("--delete-data"), "{gone}");
    world.run(&["uninstall", "two"]).success();
    assert_eq!(world.names(), ["one"]);
    assert_eq!(world.virsh(&["list", "--all", "--name"]).trim(), "");
    world.run(&["uninstall", "one", "--delete-data"]).success();
    assert_eq!(world.names(), [""; 0]);
}

#[test]
fn a_recipe_is_built_installed_and_started_at_once_into_a_storage_of_its_own() {
    let Some(()) = tools(&libvirtd::TOOLS).and_then(|()| tools(&["qemu-system-x86_64"])) else { return };
    let world = World::new();
    let storage = world.home().join("vms");
    std::fs::create_dir(&storage).unwrap();
    give(&storage);
    let installed =
        world.run(&["install", "demo", "--storage", storage.to_str().unwrap(), "--start", "--json"]).success();
    let told = installed.json();
    assert_eq!(told["state"], "running");
    let uuid = told["uuid"].as_str().unwrap();
    assert_eq!(world.virsh(&["domuuid", "demo"]).trim(), uuid);
    let begun = Instant::now();
    while world.virsh(&["domstate", "demo"]).trim() != "shut off" {
        assert!(begun.elapsed() < BOOT_LIMIT, "it does not end");
        std::thread::sleep(Duration::from_millis(200));
    }
    world.run(&["uninstall", "demo"]).ends_with(2).says("--storage");
    let gone = world.run(&["uninstall", "demo", "--storage", storage.to_str().unwrap()]).success();
    assert_eq!(gone.stdout, "", "nothing was written");
    assert_eq!(std::fs::read_dir(&storage).unwrap().count(), 0);
    assert_eq!(world.virsh(&["list", "--all", "--name"]).trim(), "");
}

#[test]
fn out_7_a_machine_that_runs_is_not_taken_away_whatever_libvirt_says() {
    let Some(()) = tools(&libvirtd::TOOLS).and_then(|()| tools(&["qemu-system-x86_64"])) else { return };
    let world = World::new();
    world.run(&["install", "demo", "--name", "one"]).success();
    world.virsh(&["start", "--paused", "one"]);
    // Another libvirt on the same host knows nothing of it, and says so: QEMU's own locks tell.
    let blind = "#!/bin/sh\ncase \"$*\" in *domstate*) echo 'shut off' ;; *undefine*) exit 9 ;; *) exec /usr/bin/virsh \"$@\" ;; esac\n";
    let blinds = world.place.path().join("blinds");
    std::fs::create_dir(&blinds).unwrap();
    std::fs::write(blinds.join("virsh"), blind).unwrap();
    std::fs::set_permissions(blinds.join("virsh"), Permissions::from_mode(0o755)).unwrap();
    let mut command = world.command(&["uninstall", "one"]);
    command.env("PATH", format!("{}:/usr/bin:/bin", blinds.display()));
    output(&mut command).ends_with(5).says("`one` runs: QEMU has").says("nothing was removed");
    assert!(world.storage().join("one/system.qcow2").exists());
    world.virsh(&["destroy", "one"]);
    world.run(&["uninstall", "one"]).success();
    assert_eq!(world.names(), [""; 0]);
}

#[test]
fn a_libvirtd_of_a_test_takes_its_guests_along() {
    let Some(()) = tools(&libvirtd::TOOLS).and_then(|()| tools(&["qemu-system-x86_64"])) else { return };
    let world = World::new();
    world.run(&["install", "demo"]).success();
    world.virsh(&["start", "--paused", "demo"]);
    let pid = std::fs::read_to_string(world.place.path().join("libvirt/run/libvirt/qemu/run/demo.pid")).unwrap();
    let process = PathBuf::from("/proc").join(pid.trim());
    assert!(process.exists());
    drop(world);
    let begun = Instant::now();
    // Nobody may be there to collect it: then it is a zombie, which has no command line.
    while std::fs::read(process.join("cmdline")).is_ok_and(|line| !line.is_empty()) {
        assert!(begun.elapsed() < Duration::from_secs(10), "the guest lives on");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Listens on the report's channel until a final report is whole.
fn reported(xml: &str) -> Vec<u8> {
    let (before, _) = xml.split_once(&format!("name='{}'", guest_report::PORT)).unwrap();
    let path = before.rsplit_once("path='").unwrap().1.split('\'').next().unwrap();
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let (mut told, begun) = (vec![], Instant::now());
    while guest_report::heard(&told) != guest_report::ReportState::Final {
        let mut buffer = [0; 4096];
        if let Ok(count) = stream.read(&mut buffer) {
            told.extend(&buffer[..count]);
        }
        assert!(begun.elapsed() < BOOT_LIMIT, "no report:\n{}", String::from_utf8_lossy(&told));
    }
    told
}

#[test]
#[ignore = "full: boots guests for a minute or more"]
fn an_installed_machine_comes_up_and_its_report_matches_by_each_transport() {
    let Some(()) = tools(&libvirtd::TOOLS).and_then(|()| tools(&["qemu-system-x86_64"])) else { return };
    let Some(image) = bootable::prepare() else { return };
    let world = World::new();
    std::fs::copy(image, world.home().join("microos.qcow2")).unwrap();
    std::fs::write(world.home().join("box.toml"), RECIPE.replace("@SCRIPT@", "")).unwrap();
    give(&world.home().join("microos.qcow2"));
    give(&world.home().join("box.toml"));
    world.run(&["update", "box.toml"]).success();
    let bundle = PathBuf::from(world.run(&["build", "box.toml"]).success().line());
    let expected = guest_report::Expectation::parse(&std::fs::read(bundle.join("report.json")).unwrap()).unwrap();
    for transport in ["disk", "fw_cfg"] {
        world.run(&["install", "result-box", "--transport", transport, "--start"]).success();
        let verdict = guest_report::judge(&expected, &reported(&world.virsh(&["dumpxml", "box"])));
        assert!(verdict.passed() && verdict.checks.len() > 10, "{transport}: {:#?}", verdict.lines());
        eprintln!("{transport}: {}", verdict.lines().last().unwrap());
        world.virsh(&["destroy", "box"]);
        world.run(&["uninstall", "box"]).success();
        assert_eq!(world.names(), [""; 0]);
    }
}
