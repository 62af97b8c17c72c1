//! Machines that `run --keep` keeps, at the ends that nobody wants: an installer that was stopped, disks that cannot be added,
//! many runs at once. Tiny guests of a few bytes, in software emulation. Read next: `run.rs`, src/commands/run/installer.rs.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use super::run::{World, has_qemu, send, until};
use crate::tests::support::{Output, Running, output, tool};

/// An installer, as real-mode code behind the header of a Linux kernel (Linux, `Documentation/arch/x86/boot.rst`): says
/// `INSTALLER BEGINS`, writes the kernel file's sectors 3 and 4 over the system disk's first two, says `INSTALLER WROTE`, and then
/// powers off (`O`), does nothing (`W`), waits for the power button and powers off (`B`), or does so after a report on the
/// second serial port (`R`).
const INSTALLER: &str = "b800108ed88ec0ba0206b80001efbaf803bee202e84100b80203b90100bb0006ba8000cd13baf803bef402e82a00a0e1023c4f741a3c57741d3c527509baf802be0503e81200ba0006edf6\
    c40174f7ba0406b80020efebfeac84c07403eeebf8c34d494e5354414c4c455220424547494e530a00494e5354414c4c45522057524f54450a00";
/// Where the code stands in the kernel file.
const CODE: usize = 0x280;
/// Where the mode does.
const MODE: usize = 0x2e1;
/// Where the report begins.
const REPORT: usize = 0x305;
/// What it installs.
const SYSTEM: usize = 0x600;
const LENGTH: usize = 0xa00;

/// The kernel file; what it installs counts its boots, as the guest of [`World::new`] does.
fn kernel(mode: u8, system: &[u8]) -> Vec<u8> {
    let mut file = vec![0; LENGTH + 512];
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    // Sectors of set-up code, the mark, a jump over the header, its name and version, "loaded high".
    put(0x1f1, &[4]);
    put(0x1fe, &[0x55, 0xaa, 0xeb, 0x7e]);
    put(0x202, b"HdrS\x02\x02");
    put(0x211, &[1]);
    let code: Vec<u8> =
        (0..INSTALLER.len()).step_by(2).map(|at| u8::from_str_radix(&INSTALLER[at..at + 2], 16).unwrap()).collect();
    put(CODE, &code);
    put(MODE, &[mode]);
    put(REPORT, b"arca-report 1 begin\nstage\tfinal\narca-report 1 end\n\0");
    put(SYSTEM, &system[..512]);
    file
}

/// A machine `box` that a medium of that installer installs; `None`, told as a skipped test, where a tool is missing.
struct Installing {
    world: World,
    /// PATH with a QEMU whose report's port is a serial one.
    path: String,
}

impl Installing {
    fn new(mode: u8) -> Option<Self> {
        let (true, Some(xorriso)) = (has_qemu(), tool("xorriso")) else { return None };
        let qemu = tool("qemu-system-x86_64")?;
        let world = World::new(b'O');
        let loader = world.path("medium/boot/x86_64/loader");
        std::fs::create_dir_all(&loader).unwrap();
        std::fs::write(loader.join("linux"), kernel(mode, &std::fs::read(world.path("tiny.raw")).unwrap())).unwrap();
        std::fs::write(loader.join("initrd"), "none").unwrap();
        let iso = world.path("install.iso");
        let mut mkisofs = Command::new(xorriso);
        mkisofs.args(["-as", "mkisofs", "-quiet", "-r", "-V", "INSTALL", "-o"]).arg(&iso).arg(world.path("medium"));
        output(&mut mkisofs).success();
        let recipe = "format = 1\nname = \"box\"\n[base]\nurl = \"install.iso\"\n[machine]\nmemory = \"64MiB\"\nvcpus = 1\n\
            accel = \"tcg\"\nnetwork = \"none\"\n[machine.system]\nsize = \"8MiB\"\n[provision]\nengine = \"ignition\"\n\
            [[provision.file]]\npath = \"/etc/motd\"\ntext = \"x\"\n";
        std::fs::write(world.path("box.toml"), recipe).unwrap();
        world.bin(&["update", "box.toml"]).run().success();
        let script = format!(
            "#!/bin/sh\nfor word do\n  shift\n  case $word in virtserialport,*) word=isa-serial,chardev=report ;; esac\n  \
             set -- \"$@\" \"$word\"\ndone\nexec {} \"$@\"\n",
            qemu.display()
        );
        let bin = world.path("bin");
        std::fs::create_dir(&bin).unwrap();
        std::fs::write(bin.join("qemu-system-x86_64"), script).unwrap();
        std::fs::set_permissions(bin.join("qemu-system-x86_64"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
        Some(Self { world, path })
    }

    fn run(&self, words: &[&str]) -> Output {
        self.world.bin(&["run", "--keep", "box"]).args(words).env("PATH", &self.path).run()
    }

    /// What a run without further words says.
    fn says(&self, words: &[&str]) -> String {
        self.run(words).success().stdout.replace('\r', "")
    }

    /// Starts a run that does not end by itself, and waits until the installer has written the disk.
    fn started(&self) -> Running {
        let log = self.world.path("log");
        let bin = self.world.bin(&["run", "box.toml", "--keep", "box"]).arg("--console").arg(&log);
        let mut command = bin.env("PATH", &self.path).into_command();
        let running = Running::start(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()));
        until("the installer", || std::fs::read_to_string(&log).is_ok_and(|said| said.contains("INSTALLER WROTE")));
        running
    }

    fn is_installed(&self) -> bool {
        std::fs::read_to_string(self.disks().join("state.json")).is_ok_and(|text| text.contains("\"installed\": true"))
    }

    fn disks(&self) -> PathBuf {
        self.world.path("home/.local/share/arca-build/vms/box/disks")
    }

    /// Demands that the next run boots the disk.
    #[track_caller]
    fn boots_its_disk(&self, words: &[&str], count: u32) {
        let said = self.says(words);
        assert!(said.ends_with(&format!("COUNT {count}\n")) && !said.contains("INSTALLER"), "{said}");
    }

    /// Demands that the next run erases nothing, and tells how to go on.
    #[track_caller]
    fn refuses(&self) {
        let before = std::fs::read(self.disks().join("system.qcow2")).unwrap();
        let refused = self.run(&[]).ends_with(2);
        refused.says("`box` may be installed, and the installer would erase it").says("--boot-from disk");
        assert_eq!(std::fs::read(self.disks().join("system.qcow2")).unwrap(), before);
    }
}

#[test]
fn run_8_a_kept_system_that_reported_is_never_installed_over_however_its_first_run_ends() {
    let Some(machine) = Installing::new(b'R') else { return };
    // What was waited for came, and the button ends the run.
    let said = machine.says(&["box.toml", "--wait"]);
    assert!(said.contains("INSTALLER WROTE"), "{said}");
    machine.boots_its_disk(&[], 0);
    machine.boots_its_disk(&["--wait-for", "COUNT"], 1);
    // Noted at once, so that nothing has to end well.
    for signal in [Signal::KILL, Signal::TERM] {
        machine.world.bin(&["vms", "remove", "box"]).run().success();
        let mut running = machine.started();
        until("the note", || machine.is_installed());
        send(&running, signal);
        assert!(running.wait_for(Duration::from_secs(20)));
        until("the end of QEMU", || machine.world.processes().is_empty());
        machine.boots_its_disk(&[], 0);
        let _ = std::fs::remove_file(machine.world.path("log"));
    }
}

#[test]
fn run_8_an_installer_that_ends_by_itself_is_done_and_one_that_is_stopped_is_asked_about() {
    let Some(machine) = Installing::new(b'O') else { return };
    assert!(machine.says(&["box.toml"]).ends_with("INSTALLER WROTE\n"));
    machine.boots_its_disk(&[], 0);
    machine.boots_its_disk(&[], 1);
    // By itself too where something else was waited for.
    machine.world.bin(&["vms", "remove", "box"]).run().success();
    machine.run(&["box.toml", "--wait-for", "never"]).ends_with(1).says("went off before");
    machine.boots_its_disk(&[], 0);

    let Some(machine) = Installing::new(b'B') else { return };
    let mut running = machine.started();
    machine.world.bin(&["vms", "stop", "box"]).run().success();
    assert!(running.wait_for(Duration::from_secs(20)));
    assert!(!machine.is_installed(), "the button was pressed while it wrote");
    machine.refuses();
    machine.boots_its_disk(&["--boot-from", "disk"], 0);
    machine.boots_its_disk(&[], 1);
    machine.run(&["--boot-from", "installer", "--wait-for", "INSTALLER WROTE"]).success();
    machine.refuses();
}

#[test]
fn run_8_an_installer_that_wrote_nothing_begins_again_unasked() {
    let Some(machine) = Installing::new(b'O') else { return };
    machine.run(&["box.toml", "--boot-from", "disk"]).ends_with(2).says("nothing on the disk");
    machine.run(&["box.toml", "--", "-no-such-option"]).ends_with(5).says("QEMU");
    assert!(machine.says(&[]).contains("INSTALLER WROTE"));
    machine.boots_its_disk(&[], 0);
    machine
        .world
        .bin(&["run", "tiny.toml", "--keep", "play", "--boot-from", "disk"])
        .run()
        .ends_with(2)
        .says("not installed by an ISO");
}

#[test]
fn run_5_a_stopped_machine_is_free_when_stop_returns() {
    let Some(machine) = Installing::new(b'B') else { return };
    for label in ["one", "two"] {
        let running = machine.started();
        let bin = |words: &[&str]| machine.world.bin(words).run();
        // A run that takes its time to end after its QEMU.
        send(&running, Signal::STOP);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_secs(2));
                send(&running, Signal::CONT);
            });
            bin(&["vms", "stop", "box"]).success();
            bin(&["snapshot", "box", label]).success();
        });
        bin(&["vms", "remove", "box"]).success();
        drop(running);
        std::fs::remove_file(machine.world.path("log")).unwrap();
    }
}

#[test]
fn run_9_a_disk_that_cannot_be_added_changes_nothing() {
    if !has_qemu() {
        return;
    }
    let world = World::new(b'O');
    let run = |words: &[&str]| world.bin(&["run", "tiny.toml", "--keep", "play"]).args(words).run();
    let instance = world.path("home/.local/share/arca-build/vms/play");
    let wrong: [(&[&str], &str); 7] = [
        (&["--data", "8MiB:config"], "carries the configuration"),
        (&["--data", "8MiB:arca-payload"], "there is a disk `arca-payload` already"),
        (&["--data", "8MiB:system"], "there is a disk `system` already"),
        (&["--data", "8MiB:tank-1"], "there is a disk `tank-1` already"),
        (&["--data", "8MiB:x", "--data", "8MiB:x"], "there is a disk `x` already"),
        (&["--data", "8MiB:x", "--detach", "typo"], "there is no disk `typo` to detach"),
        (&["--data", "8MiB:x", "--detach", "config"], "there is no disk `config` to detach"),
    ];
    for (words, told) in wrong {
        run(words).ends_with(2).says(told);
        assert!(!instance.exists(), "{words:?}");
    }
    let counts = |ran: Output, count: u32| {
        let ran = ran.success();
        assert!(ran.stdout.replace('\r', "").ends_with(&format!("COUNT {count}\n")), "{ran}");
    };
    // One that was killed left a disk that no state names.
    counts(run(&[]), 0);
    std::fs::write(instance.join("disks/data-added-1.qcow2"), "half").unwrap();
    counts(run(&["--data", "8MiB", "--detach", "added-1"]), 1);
    for (words, told) in wrong {
        run(words).ends_with(2).says(told);
    }
    let state = || std::fs::read_to_string(instance.join("disks/state.json")).unwrap();
    let before = state();
    assert!(before.contains("added-1") && !before.contains("\"x\""), "{before}");
    // A machine that does not start has no new disk, so the same command does once the cause is gone.
    run(&["--data", "8MiB:x", "--", "-no-such-option"]).ends_with(5).says("QEMU did not start");
    assert!(state() == before && !instance.join("disks/data-x.qcow2").exists());
    counts(run(&["--data", "8MiB:x"]), 2);
    // As many as there are slots, and no more.
    let disks = |count: usize| ["--data", "1MiB"].repeat(count);
    run(&disks(24)).ends_with(2).says("no room for so many disks").says("3, and 24 more").says("26");
    counts(run(&disks(23)), 3);
    run(&disks(1)).ends_with(2).says("26");
    counts(run(&[]), 4);
}

#[test]
fn run_10_a_kept_machine_holds_its_bundle_again_after_its_root_was_lost() {
    if !has_qemu() {
        return;
    }
    let world = World::new(b'O');
    world.bin(&["run", "tiny.toml", "--keep", "play"]).run().success();
    let collect = || world.bin(&["store", "gc", "--grace", "0", "--without-roots"]).run().success();
    let unroot = || {
        for entry in std::fs::read_dir(world.path("cache/roots-v1")).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
    };
    // As after a run that was killed between making the machine and recording what it needs.
    unroot();
    assert!(world.kept().ends_with("COUNT 1\n"));
    collect();
    assert!(world.kept().ends_with("COUNT 2\n"));
    unroot();
    collect();
    world.bin(&["run", "--keep", "play"]).run().ends_with(2).says("the bundle of `play` is gone").says("--keep play");
    let said = world.bin(&["run", "tiny.toml", "--keep", "play"]).run().success().stdout;
    assert!(said.replace('\r', "").ends_with("COUNT 3\n"), "{said}");
}

#[test]
fn many_runs_at_once_each_have_a_directory_of_their_own() {
    if !has_qemu() {
        return;
    }
    let world = World::new(b'O');
    world.bin(&["build", "tiny.toml"]).run().success();
    std::thread::scope(|scope| {
        for thread in 0..12 {
            let world = &world;
            scope.spawn(move || {
                world.bin(&["run", "tiny.toml"]).run().success();
                world.bin(&["run", "tiny.toml", "--keep", &format!("vm-{thread}")]).run().success();
            });
        }
    });
    assert_eq!(world.bin(&["vms"]).run().success().stdout.lines().count(), 12);
    assert_eq!((world.temporary(), world.processes()), (vec![], vec![]));
}
