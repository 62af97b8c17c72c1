//! `arca-build run` with real guests: what they say, what is left behind at every end, what is kept, snapshots, a lost disk.
//! Starts QEMU in software emulation. Read next: src/commands/run.rs.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::tests::support::guest::Guest;
use crate::tests::support::{BOOT_LIMIT, Bin, Running, tool, workdir};

/// A boot sector: says `COUNT n`, where n is the first byte of the disk's second sector, writes n + 1 there, and then powers off
/// (`O`) or says every byte that it hears with bit 5 turned over (`E`), which is the other case of a letter.
const SECTOR: &str = "31c08ed88ec08ed0bc007c88166c7cb80102e84800be6d7cac84c07405e83800ebf6a0007e0430e82e00b00ae82900fe06007eb80103\
    e82400803e747c457407ba0406b80020efbafd03eca80174f8baf803ec3420eeebefbaf803eec3bb007eb90200b6008a166c7ccd13c300434f554e5420\
    0045";
/// Where the `O` or `E` stands.
const MODE: usize = 0x74;

pub struct World {
    pub dir: tempfile::TempDir,
}

impl World {
    /// A recipe `tiny.toml` of that guest, with one data disk.
    pub fn new(mode: u8) -> Self {
        Self::saying(mode, "")
    }

    /// The same guest, which says another text instead of `COUNT `, if there is one.
    pub fn saying(mode: u8, text: &str) -> Self {
        let dir = workdir();
        let digits: String = SECTOR.split_whitespace().collect();
        let mut disk: Vec<u8> =
            (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect();
        disk[MODE] = mode;
        disk.resize(510, 0);
        if !text.is_empty() {
            // `mov si` of the text's address: behind the program, for a text that ends in a zero.
            let at = disk.windows(3).position(|bytes| bytes == [0xbe, 0x6d, 0x7c]).unwrap();
            disk[at + 1] = 0x80;
            disk[0x80..0x80 + text.len()].copy_from_slice(text.as_bytes());
        }
        disk.extend([0x55, 0xaa]);
        disk.resize(1 << 20, 0);
        std::fs::write(dir.path().join("tiny.raw"), disk).unwrap();
        let recipe = "format = 1\nname = \"tiny\"\n[base]\nurl = \"tiny.raw\"\n[machine]\nmemory = \"64MiB\"\nvcpus = 1\n\
            accel = \"tcg\"\nnetwork = \"none\"\n[[machine.disk]]\nserial = \"tank-1\"\nsize = \"8MiB\"\n";
        std::fs::write(dir.path().join("tiny.toml"), recipe).unwrap();
        std::fs::create_dir(dir.path().join("tmp")).unwrap();
        let world = Self { dir };
        world.bin(&["update", "tiny.toml"]).run().success();
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn bin(&self, words: &[&str]) -> Bin {
        let path = std::env::var_os("PATH").unwrap_or_default();
        Bin::new(self.dir.path()).env("TMPDIR", self.path("tmp")).env("PATH", path).args(words)
    }

    /// What a run of the kept machine says.
    pub fn kept(&self) -> String {
        self.bin(&["run", "--keep", "play"]).run().success().stdout.replace('\r', "")
    }

    /// Starts a run that does not end by itself, and waits until the guest has said its line.
    pub fn started(&self, words: &[&str]) -> Running {
        let log = self.path("log");
        let mut command = self.bin(words).arg("--console").arg(&log).into_command();
        let running = Running::start(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()));
        until("the guest's line", || std::fs::read_to_string(&log).is_ok_and(|said| said.contains("COUNT 0\n")));
        running
    }

    /// Every process that has this world's directories in its working directory.
    pub fn processes(&self) -> Vec<String> {
        let here = self.dir.path().canonicalize().unwrap();
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        let mut found = vec![];
        for entry in all {
            if std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&here)) {
                found.push(std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default());
            }
        }
        found
    }

    pub fn temporary(&self) -> Vec<std::ffi::OsString> {
        std::fs::read_dir(self.path("tmp")).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }
}

pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < BOOT_LIMIT, "{what} never came");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub fn send(running: &Running, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(running.id()).unwrap()).unwrap(), signal).unwrap();
}

pub fn has_qemu() -> bool {
    tool("qemu-system-x86_64").is_some()
}

#[test]
fn run_shows_what_the_demo_was_given_and_leaves_nothing() {
    if !has_qemu() {
        return;
    }
    let world = World::new(b'O');
    let ran = world.bin(&["run", "demo"]).run().success().says("software emulation").says("accel = \"tcg\"");
    let said = ran.stdout.replace('\r', "");
    assert!(said.contains("ARCA-DEMO 1\n") && said.contains("ARCA-DEMO DONE\n"), "{said}");
    assert!(said.contains("label ignition\n") && !said.contains("fw_cfg opt/"), "{said}");
    let by_fw_cfg = world.bin(&["run", "demo", "--transport", "fw_cfg"]).run().success().stdout;
    assert!(by_fw_cfg.contains("fw_cfg opt/com.coreos/config") && !by_fw_cfg.contains("label ignition"), "{by_fw_cfg}");
    assert_eq!((world.temporary(), world.processes()), (vec![], vec![]));
    world.bin(&["store", "verify"]).run().success();
}

#[test]
fn run_3_what_a_guest_writes_is_thrown_away_and_a_changed_bundle_does_not_run() {
    if !has_qemu() {
        return;
    }
    let world = World::new(b'O');
    world.bin(&["build", "tiny.toml", "--out", "a, b'c"]).run().success();
    for target in ["tiny.toml", "tiny.toml", "a, b'c", "a, b'c"] {
        let said = world.bin(&["run", target]).run().success().stdout;
        assert_eq!(said.replace('\r', "").lines().last(), Some("COUNT 0"), "{target}");
    }
    world.bin(&["verify", "a, b'c"]).run().success();
    // A bundle is verified before it runs.
    let changed = world.path("a, b'c/machine.json");
    let text = std::fs::read_to_string(&changed).unwrap();
    std::fs::remove_file(&changed).unwrap();
    std::fs::write(&changed, text.replace("\"vcpus\": 1", "\"vcpus\": 2")).unwrap();
    world.bin(&["run", "a, b'c"]).run().ends_with(3).says("E_HASH");
    assert_eq!((world.temporary(), world.processes()), (vec![], vec![]));
}

#[test]
fn run_1_a_signal_ends_guest_qemu_and_directory() {
    if !has_qemu() {
        return;
    }
    let world = World::new(b'E');
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut running = world.started(&["run", "tiny.toml"]);
        assert_eq!((world.temporary().len(), world.processes().len()), (1, 2), "it runs");
        let mode = std::fs::metadata(world.path("tmp").join(&world.temporary()[0])).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "what a guest says and writes is nobody else's");
        send(&running, signal);
        assert!(running.wait_for(Duration::from_secs(20)), "it goes on");
        // By the signal itself, so that a shell loop around it ends too.
        let ended = std::os::unix::process::ExitStatusExt::signal(&running.kill());
        assert_eq!(ended, Some(signal.as_raw()));
        assert_eq!((world.temporary(), world.processes()), (vec![], vec![]));
        std::fs::remove_file(world.path("log")).unwrap();
    }
}

#[test]
fn run_2_qemu_ends_with_a_run_that_is_killed_and_the_next_run_takes_its_directory_away() {
    if !has_qemu() {
        return;
    }
    let world = World::new(b'E');
    let mut running = world.started(&["run", "tiny.toml"]);
    send(&running, Signal::KILL);
    assert!(running.wait_for(Duration::from_secs(20)));
    until("the end of QEMU", || world.processes().is_empty());
    assert_eq!(world.temporary().len(), 1, "nobody is left to take it away");
    std::fs::create_dir(world.path("tmp/somebody-elses")).unwrap();
    let said = world.bin(&["run", "demo"]).run().success().stdout;
    assert!(said.contains("ARCA-DEMO DONE"));
    assert_eq!(world.temporary(), ["somebody-elses"]);
}

#[test]
fn two_runs_at_once_do_not_meet_and_a_sweep_spares_the_living() {
    if !has_qemu() {
        return;
    }
    let world = World::new(b'E');
    let running = world.started(&["run", "tiny.toml"]);
    world.bin(&["run", "demo"]).run().success();
    assert_eq!((world.temporary().len(), world.processes().len()), (1, 2));
    drop(running);
}

#[test]
fn wait_for_ends_at_the_text_and_the_time_limit_tells_what_was_said_last() {
    if !has_qemu() {
        return;
    }
    let world = World::new(b'E');
    let ran = world.bin(&["run", "tiny.toml", "--wait-for", "COUNT 0"]).run().success();
    assert!(ran.stdout.contains("COUNT 0"), "{ran}");
    let late = world.bin(&["run", "tiny.toml", "--wait-for", "login:", "--timeout", "5"]).run().ends_with(1);
    late.says("E_GUEST").says("`login:` did not come").says("said last: COUNT 0").says("arca-build doctor");
    let json = world.bin(&["--json", "run", "tiny.toml", "--wait-for", "COUNT"]).run().success().json();
    assert_eq!((&json["name"], &json["reached"], &json["accel"]), (&"tiny".into(), &"text".into(), &"tcg".into()));
    let off = World::new(b'O');
    off.bin(&["run", "tiny.toml", "--wait-for", "login:"])
        .run()
        .ends_with(1)
        .says("went off before")
        .says("the guest switched itself off");
    // Nothing tells when it is done, and nothing can be tested.
    world.bin(&["run", "tiny.toml", "--wait"]).run().ends_with(2).says("--wait-for");
    world.bin(&["run", "tiny.toml", "--test"]).run().ends_with(2).says("report = true");
    assert_eq!((world.temporary(), world.processes()), (vec![], vec![]));
}

#[test]
fn a_kept_machine_keeps_what_it_writes_and_goes_back_to_a_snapshot() {
    if !has_qemu() {
        return;
    }
    let world = World::new(b'O');
    let counts = |said: &str| said.lines().last().map(str::to_owned);
    let first = world.bin(&["run", "tiny.toml", "--keep", "play"]).run().success().stdout.replace('\r', "");
    assert_eq!(counts(&first).as_deref(), Some("COUNT 0"));
    assert_eq!(counts(&world.kept()).as_deref(), Some("COUNT 1"));
    assert_eq!(world.bin(&["snapshot", "play", "two"]).run().success().line(), "two");
    assert_eq!(counts(&world.kept()).as_deref(), Some("COUNT 2"));
    assert_eq!(world.bin(&["snapshot", "play"]).run().success().line(), "s1");
    world.bin(&["snapshot", "play", "two"]).run().ends_with(5).says("E_OUTPUT_EXISTS");
    for _ in 0..2 {
        world.bin(&["rollback", "play", "two"]).run().success();
        assert_eq!(counts(&world.kept()).as_deref(), Some("COUNT 2"));
    }
    world.bin(&["rollback", "play", "s1"]).run().success().says("`play` is back at snapshot `s1`");
    let back = world.bin(&["--json", "rollback", "play", "s1"]).run().success().json();
    assert_eq!(back, serde_json::json!({ "name": "play", "rolled_back_to": "s1" }));
    assert_eq!(counts(&world.kept()).as_deref(), Some("COUNT 3"));
    world.bin(&["rollback", "play", "none"]).run().ends_with(2).says("s1, two");
    assert_eq!(world.bin(&["vms"]).run().success().stdout, "play  off  (s1, two)\n");
    let instance = world.path("home/.local/share/arca-build/vms/play");
    let log = std::fs::read_to_string(instance.join("console.log")).unwrap();
    assert_eq!(log.replace('\r', "").lines().last(), Some("COUNT 3"));
    // Its bundle is kept from collection, until it is removed.
    let collect = || world.bin(&["store", "gc", "--grace", "0", "--without-roots"]).run().success();
    collect();
    assert_eq!(counts(&world.kept()).as_deref(), Some("COUNT 4"));
    world.bin(&["run", "demo", "--keep", "play"]).run().ends_with(5).says("another bundle");
    world.bin(&["vms", "remove", "play"]).run().success();
    assert!(!instance.exists());
    world.bin(&["run", "--keep", "play"]).run().ends_with(2).says("there is no machine `play`");
    collect();
    assert_eq!(std::fs::read_dir(world.path("cache/bundles-v1")).unwrap().count(), 0);
}

#[test]
fn run_5_a_kept_machine_that_runs_can_be_stopped_and_nothing_else() {
    if !has_qemu() {
        return;
    }
    let world = World::new(b'E');
    let mut running = world.started(&["run", "tiny.toml", "--keep", "play"]);
    assert_eq!(world.bin(&["vms"]).run().success().stdout, "play  runs\n");
    for words in
        [&["snapshot", "play"][..], &["rollback", "play", "x"], &["vms", "remove", "play"], &["run", "--keep", "play"]]
    {
        world.bin(words).run().ends_with(5).says("`play` runs").says("arca-build vms stop play");
    }
    world.bin(&["ssh", "play"]).run().ends_with(2).says("no network");
    // A killed run leaves the instance as it is; QEMU has ended properly by then.
    send(&running, Signal::KILL);
    assert!(running.wait_for(Duration::from_secs(20)));
    until("the end of QEMU", || world.bin(&["vms"]).run().success().stdout == "play  off\n");
    world.bin(&["ssh", "play"]).run().ends_with(2).says("does not run");
    // Ctrl-C is the button first, which this guest does not know, and then the plug.
    std::fs::remove_file(world.path("log")).unwrap();
    world.bin(&["vms", "remove", "play"]).run().success();
    let mut running = world.started(&["run", "tiny.toml", "--keep", "play"]);
    send(&running, Signal::INT);
    assert!(!running.wait_for(Duration::from_secs(3)), "it was not asked to power off");
    send(&running, Signal::INT);
    assert!(running.wait_for(Duration::from_secs(20)));
    assert_eq!(world.processes(), Vec::<String>::new());
    assert_eq!(world.bin(&["vms"]).run().success().stdout, "play  off\n");
}

#[test]
fn run_6_keys_go_to_the_guest_and_the_terminal_is_as_it_was() {
    let (true, Some(script)) = (has_qemu(), tool("script")) else { return };
    let world = World::new(b'E');
    let program = crate::tests::support::program();
    let line = format!("stty -a >before; '{program}' run tiny.toml --keep play; stty -a >after");
    let mut command = world.bin(&[]).replaced_by(&script, &["-qefc", &line, "shown"]).into_command();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let shown = || std::fs::read_to_string(world.path("shown")).unwrap_or_default();
    until("the guest's line", || shown().contains("COUNT 0"));
    let mut keys = child.stdin.take().unwrap();
    // Ctrl-C is for the guest, which turns its bit 5 over like every other's.
    keys.write_all(b"abc\x03").unwrap();
    until("the guest's answer", || shown().contains("ABC#"));
    assert!(shown().contains("console  Ctrl-A X ends the machine; Ctrl-C goes to the guest"), "{}", shown());
    keys.write_all(b"\x01x").unwrap();
    until("the end", || child.try_wait().unwrap().is_some());
    let stty = |name: &str| std::fs::read_to_string(world.path(name)).unwrap();
    assert_eq!(stty("before"), stty("after"));
    assert!(stty("after").contains(" echo ") && world.processes().is_empty());
}

#[test]
fn ssh_finds_the_port_the_user_and_known_hosts_of_the_machine() {
    if !has_qemu() {
        return;
    }
    let world = World::new(b'E');
    let recipe = std::fs::read_to_string(world.path("tiny.toml")).unwrap().replace("\"none\"", "\"user\"");
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDvWPYPgBkzhT4Jn6eD8Y0z0hLrVQyZgPvX3y8b5a1bT ann";
    let users = format!(
        "[provision]\nengine = \"ignition\"\nreport = false\n[[provision.user]]\nname = \"ann\"\nssh_keys = [\"{key}\"]\n"
    );
    std::fs::write(world.path("tiny.toml"), recipe + &users).unwrap();
    let fake = world.path("bin/ssh");
    std::fs::create_dir(world.path("bin")).unwrap();
    std::fs::write(&fake, "#!/bin/sh\nprintf '%s\\n' \"$@\"\n").unwrap();
    std::fs::set_permissions(&fake, std::fs::Permissions::from_mode(0o755)).unwrap();
    let running = world.started(&["run", "tiny.toml", "--keep", "play", "--vms", "my vms"]);
    let reach = || std::fs::read_to_string(world.path("my vms/play/run.json")).unwrap_or_default();
    until("the port", || reach().contains("ssh_port"));
    let reach: serde_json::Value = serde_json::from_str(&reach()).unwrap();
    let ssh = |words: &[&str]| {
        let words = [&["ssh", "play", "--vms", "my vms"][..], words].concat();
        let path = format!("{}:/usr/bin:/bin", world.path("bin").display());
        world.bin(&words).env("PATH", path).run().success().stdout
    };
    let known = world.dir.path().canonicalize().unwrap().join("my vms/play/disks/known_hosts");
    let expected = [
        "-p",
        &reach["ssh_port"].to_string(),
        "-l",
        "ann",
        "-o",
        "HostKeyAlias=play",
        "-o",
        &format!("UserKnownHostsFile=\"{}\"", known.display()),
        "-o",
        "StrictHostKeyChecking=accept-new",
        "127.0.0.1",
        "uptime",
        "-p",
    ];
    assert_eq!(ssh(&["--", "uptime", "-p"]).lines().collect::<Vec<_>>(), expected);
    assert!(ssh(&["-l", "root"]).contains("-l\nroot\n"));
    drop(running);
    world
        .bin(&["run", "tiny.toml", "--wait", "--timeout", "3"])
        .run()
        .ends_with(1)
        .says("an answer of its ssh server did not come");
}

#[test]
fn a_tpm_is_emulated_beside_qemu_and_ends_with_it() {
    let (true, Some(_)) = (has_qemu(), tool("swtpm")) else { return };
    let world = World::new(b'E');
    let recipe = std::fs::read_to_string(world.path("tiny.toml")).unwrap();
    std::fs::write(world.path("tiny.toml"), recipe.replace("vcpus = 1\n", "vcpus = 1\ntpm = true\n")).unwrap();
    let mut running = world.started(&["run", "tiny.toml", "--keep", "play"]);
    assert!(world.processes().iter().any(|name| name.trim() == "swtpm"), "{:?}", world.processes());
    send(&running, Signal::KILL);
    assert!(running.wait_for(Duration::from_secs(20)));
    until("the end of QEMU and swtpm", || world.processes().is_empty());
    let state = world.path("home/.local/share/arca-build/vms/play/disks/tpm2-00.permall");
    assert!(std::fs::metadata(state).unwrap().len() > 0, "what the TPM keeps is among the disks");
}

/// Serials and sizes of the disks that a real kernel sees.
fn disks(said: &str) -> Vec<(String, u64)> {
    let disk = |line: &str| {
        let words: Vec<&str> = line.strip_prefix("DISK ")?.split(' ').collect();
        Some((words[2].to_owned(), words[1].parse().unwrap()))
    };
    said.replace('\r', "").lines().filter_map(disk).collect()
}

#[test]
fn a_real_kernel_sees_added_disks_and_misses_a_detached_one() {
    let Some(guest) = Guest::prepare() else { return };
    let world = World::new(b'O');
    let (kernel, initrd) = (guest.kernel().to_str().unwrap().to_owned(), guest.initrd().to_str().unwrap().to_owned());
    let run = |words: &[&str]| {
        let mut bin = world.bin(&["run", "--keep", "play", "--vms", "vms"]).args(words);
        bin = bin.args(["--", "-kernel", &kernel, "-initrd", &initrd, "-m", "256", "-cpu", "qemu64"]);
        bin.args(["-append", "console=ttyS0 quiet loglevel=3 panic=-1"]).run()
    };
    let mib = |size: u64| size << 20;
    let disk = |serial: &str, size: u64| (serial.to_owned(), mib(size));
    let said = run(&["tiny.toml", "--data", "16MiB", "--data", "24MiB:tank-9"]).success().stdout;
    let all = [disk("system", 1), disk("tank-1", 8), disk("added-1", 16), disk("tank-9", 24)];
    assert_eq!(disks(&said), all, "{said}");
    let said = run(&["--detach", "tank-1", "--detach", "added-1"]).success().stdout;
    assert_eq!(disks(&said), [disk("system", 1), disk("tank-9", 24)], "{said}");
    assert_eq!(disks(&run(&[]).success().stdout), all, "only that run went without");
    run(&["--detach", "tank-8"]).ends_with(2).says("tank-1, added-1, tank-9");
    run(&["--detach", "system"]).ends_with(2).says("there is no disk `system` to detach");
    run(&["--data", "1MiB:tank-9"]).ends_with(2).says("there is a disk `tank-9` already");
}

const WISH: &str = r#"
engine = "ignition"
hostname = "guest"
[[provision.user]]
name = "ann"
[[provision.file]]
path = "/etc/ours/mode"
text = "x"
"#;

/// Changes a bundle's config as whoever can write the bundle can: its manifest says so too.
fn sabotage(bundle: &Path, old: &str, new: &str) {
    use crate::base::Digest;
    let config = std::fs::read_to_string(bundle.join("config.ign")).unwrap();
    assert_eq!(config.matches(old).count(), 1, "{config}");
    let config = config.replace(old, new);
    std::fs::write(bundle.join("config.ign"), &config).unwrap();
    let text = std::fs::read_to_string(bundle.join("manifest.json")).unwrap();
    let mut manifest = crate::bundle::Manifest::parse(&text).unwrap();
    let entry = manifest.files.iter_mut().find(|entry| entry.path == "config.ign").unwrap();
    let before = entry.sha256;
    (entry.sha256, entry.size) = (Digest::of(config.as_bytes()), config.len() as u64);
    let after = entry.sha256;
    let sums = std::fs::read_to_string(bundle.join("SHA256SUMS")).unwrap();
    let sums = sums.replace(&before.to_string(), &after.to_string());
    let sums =
        sums.replace(&Digest::of(text.as_bytes()).to_string(), &Digest::of(manifest.to_text().as_bytes()).to_string());
    std::fs::write(bundle.join("SHA256SUMS"), sums).unwrap();
    std::fs::write(bundle.join("manifest.json"), manifest.to_text()).unwrap();
}

#[test]
fn test_passes_a_good_bundle_and_names_the_line_of_a_sabotaged_one() {
    let Some(guest) = crate::tests::guest::microos::MicroOs::prepare() else { return };
    let world = World::new(b'O');
    let machine = guest.machine(WISH, &[]).copy();
    let run = |words: &[&str]| {
        let bundle = machine.bundle.to_str().unwrap();
        world.bin(&["run", bundle, "--transport", "fw_cfg"]).args(words).arg("--").args(guest.options()).run()
    };
    let good = run(&["--json", "--test", "--junit", "good.xml"]).success().json();
    assert_eq!((&good["passed"], &good["reached"], &good["accel"]), (&true.into(), &"report".into(), &"tcg".into()));
    let checks = good["checks"].as_array().unwrap();
    assert!(checks.len() >= 10 && checks.iter().any(|check| check["what"] == "user ann"), "{checks:?}");
    let xml = std::fs::read_to_string(world.path("good.xml")).unwrap();
    assert!(xml.contains("failures=\"0\"") && xml.contains("user ann"), "{xml}");

    sabotage(&machine.bundle, "\"/etc/ours/mode\"", "\"/etc/ours/made\"");
    let bad = run(&["--test", "--junit", "bad.xml", "--console", "console"]).ends_with(1);
    let bad = bad.says("E_DIFFERS").says("`guest` is not as its recipe says: 1 fact");
    let wrong: Vec<_> = bad.stdout.lines().filter(|line| line.starts_with("FAIL")).collect();
    assert_eq!(wrong, ["FAIL  file /etc/ours/mode: there: expected to be there, found it is not there"]);
    assert!(bad.stdout.contains("\nok    user ann"), "{bad}");
    let xml = std::fs::read_to_string(world.path("bad.xml")).unwrap();
    assert!(xml.contains("failures=\"1\"") && xml.contains("/etc/ours/mode"), "{xml}");
    assert!(std::fs::read_to_string(world.path("console")).unwrap().contains("arca-build: report"));
    assert_eq!((world.temporary(), world.processes()), (vec![], vec![]));
}
