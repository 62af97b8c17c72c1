//! How a run ends, and what is said of it: by Ctrl-A X and Ctrl-C on a terminal, by the guest, by time, from outside. Starts QEMU
//! in software emulation, below a terminal that `script` makes. Read next: src/commands/run/awaited.rs.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStdin, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::tests::guest::run::{World, has_qemu, send, until};
use crate::tests::support::tool;

/// A guest that never reports, below a recipe that demands it.
fn never_reports(mode: u8) -> World {
    let world = World::new(mode);
    let recipe = fs::read_to_string(world.path("tiny.toml")).unwrap().replace("\"none\"", "\"user\"");
    fs::write(world.path("tiny.toml"), recipe + "[provision]\nengine = \"ignition\"\nhostname = \"tiny\"\n").unwrap();
    world
}

/// A run with a terminal of its own.
struct Typed<'w> {
    world: &'w World,
    child: Child,
    keys: ChildStdin,
}

impl<'w> Typed<'w> {
    /// Starts it and waits until the guest has said its line.
    fn start(world: &'w World, words: &str) -> Option<Self> {
        let script = tool("script")?;
        let _ = fs::remove_file(world.path("shown"));
        let line = format!("'{}' run tiny.toml {words}", crate::tests::support::program());
        let mut command = world.bin(&[]).replaced_by(&script, &["-qefc", &line, "shown"]).into_command();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let keys = child.stdin.take().unwrap();
        let typed = Self { world, child, keys };
        typed.shows("COUNT 0");
        Some(typed)
    }

    fn shown(&self) -> String {
        fs::read_to_string(self.world.path("shown")).unwrap_or_default()
    }

    fn shows(&self, text: &str) {
        until(text, || self.shown().contains(text));
    }

    fn press(&mut self, keys: &[u8]) {
        self.keys.write_all(keys).unwrap();
    }

    /// Waits for the end; returns the exit code and all that was shown.
    fn end(mut self) -> (Option<i32>, String) {
        until("the end", || self.child.try_wait().unwrap().is_some());
        assert_eq!((self.world.temporary(), self.world.processes()), (vec![], vec![]), "something is left");
        (self.child.wait().unwrap().code(), self.shown())
    }
}

const CTRL_C: &[u8] = b"\x03";
const CTRL_A_X: &[u8] = b"\x01x";

#[test]
fn run_7_who_ends_a_machine_before_its_result_learns_no_success() {
    if !has_qemu() {
        return;
    }
    let world = never_reports(b'E');
    for (mode, awaited) in
        [("--test --junit report.xml", "its report"), ("--wait", "its report"), ("--wait-for login:", "`login:`")]
    {
        let Some(mut typed) = Typed::start(&world, mode) else { return };
        typed.press(CTRL_A_X);
        let (code, shown) = typed.end();
        let told = format!("`tiny` was ended from the terminal before {awaited} came");
        assert!(code == Some(1) && shown.contains("E_GUEST") && shown.contains(&told), "{mode}: {code:?}\n{shown}");
        assert!(shown.contains("nothing is known of how it came up") && !shown.contains("gives it longer"), "{shown}");
    }
    let junit = fs::read_to_string(world.path("report.xml")).unwrap();
    let error = "<error message=\"`tiny` was ended from the terminal before its report came\">";
    assert!(junit.contains(error) && junit.contains("errors=\"1\""), "{junit}");
}

#[test]
fn run_7_ctrl_c_ends_what_is_waited_for_tidily() {
    if !has_qemu() {
        return;
    }
    let world = never_reports(b'E');
    for (mode, awaited) in
        [("--test --junit report.xml", "its report"), ("--wait", "its report"), ("--wait-for login:", "`login:`")]
    {
        let Some(mut typed) = Typed::start(&world, mode) else { return };
        typed.press(CTRL_C);
        let (code, shown) = typed.end();
        let told = format!("`tiny` was interrupted before {awaited} came");
        assert!(code == Some(130) && shown.contains("E_INTERRUPTED") && shown.contains(&told), "{code:?}\n{shown}");
    }
    assert!(fs::read_to_string(world.path("report.xml")).unwrap().contains("was interrupted before its report came"));
    // A kept one is asked first, which this guest does not hear; pressed again, it is unplugged at once.
    let Some(mut typed) = Typed::start(&world, "--wait-for login: --keep play") else { return };
    typed.press(CTRL_C);
    typed.shows("asked `play` to power off; it is forced off after 60 s; Ctrl-C again forces it off now");
    typed.press(CTRL_C);
    let (code, shown) = typed.end();
    assert!(code == Some(130) && shown.contains("`arca-build run --keep play` starts it again"), "{code:?}\n{shown}");
}

#[test]
fn what_was_waited_for_in_a_terminal_goes_on_and_then_ctrl_c_is_the_guests() {
    if !has_qemu() {
        return;
    }
    let world = World::new(b'E');
    let Some(mut typed) = Typed::start(&world, "--wait-for 'COUNT 0'") else { return };
    typed.shows("`COUNT 0` was said on the console; the machine goes on: Ctrl-A X ends it");
    typed.press(b"abc\x03");
    typed.shows("ABC#");
    typed.press(CTRL_A_X);
    let (code, shown) = typed.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("wait     at most 600 s for `COUNT 0` (`--timeout`)"), "{shown}");
    assert!(shown.contains("console  Ctrl-A X ends the machine; so does Ctrl-C until `COUNT 0` came"), "{shown}");
}

#[test]
fn a_test_whose_guest_never_reports_writes_junit_that_says_so() {
    if !has_qemu() {
        return;
    }
    let world = never_reports(b'E');
    let test = |world: &World, more: &[&str]| {
        let ran = world.bin(&[&["run", "tiny.toml", "--test", "--junit", "report.xml"], more].concat()).run();
        (ran, fs::read_to_string(world.path("report.xml")).unwrap())
    };
    let (ran, junit) = test(&world, &["--timeout", "2"]);
    let ran = ran.ends_with(1).says("E_GUEST").says("wait     at most 2 s for its report");
    assert!(ran.stderr.contains("`--timeout SECONDS` gives it longer; `--console FILE`"), "{ran}");
    let case = "<testcase classname=\"report\" name=\"the guest reported\">";
    let error = "<error message=\"`tiny` is not done after 2 seconds: its report did not come\">";
    assert!(junit.contains(case) && junit.contains(error) && junit.contains("tests=\"1\""), "{junit}");
    let (ran, junit) = test(&never_reports(b'O'), &[]);
    let ran = ran.ends_with(1).says("the guest switched itself off");
    assert!(!ran.stderr.contains("gives it longer"), "more time does not help\n{ran}");
    assert!(junit.contains("<error message=\"`tiny` went off before its report came\">"), "{junit}");
    // Not even a boot: the file is there all the same, and well-formed whatever the name.
    let (ran, junit) = {
        let ran = world.bin(&["run", "no<such>", "--test", "--junit", "none.xml"]).run();
        (ran, fs::read_to_string(world.path("none.xml")).unwrap())
    };
    ran.ends_with(2);
    assert!(junit.contains("name=\"no&lt;such&gt;\"") && junit.contains("<error"), "{junit}");
}

#[test]
fn a_test_ends_in_an_emergency_shell_at_once_with_what_doctor_finds() {
    if !has_qemu() {
        return;
    }
    for (said, findings) in [
        (
            "[FAILED] Failed to start \x1b[0;1mcombustion.service\x1b[0m - Combustion.\r\nYou are in emergency mode.\r\n",
            &["failure[combustion-silent]", "systemd.journald.forward_to_console=1"][..],
        ),
        (
            "error at line 3 col 5: x\r\nEntering emergency mode. Exit\r\n",
            &["failure[ignition-parse]", "line 3, column 5"],
        ),
        ("[  OK  ] Started Emergency Shell.\r\n", &["failure[emergency]: the boot ended in a shell"]),
    ] {
        let world = World::saying(b'E', said);
        let recipe = fs::read_to_string(world.path("tiny.toml")).unwrap();
        fs::write(world.path("tiny.toml"), recipe + "[provision]\nengine = \"ignition\"\nhostname = \"tiny\"\n")
            .unwrap();
        let begun = std::time::Instant::now();
        let ran = world.bin(&["run", "tiny.toml", "--test", "--timeout", "500"]).run().ends_with(1);
        assert!(begun.elapsed() < Duration::from_secs(400), "{ran}");
        let ran = ran.says("E_GUEST").says("`tiny` ended in an emergency shell before its report came");
        findings.iter().for_each(|finding| assert!(ran.stderr.contains(finding), "{finding}\n{ran}"));
        assert!(!ran.stderr.contains('\x1b') && !ran.stderr.contains("u{1b}"), "{ran}");
    }
}

#[test]
fn a_stop_says_at_once_what_it_does_and_one_that_is_off_is_off() {
    if !has_qemu() {
        return;
    }
    let world = World::new(b'E');
    let log = world.path("log");
    let mut command = world.bin(&["run", "tiny.toml", "--keep", "play", "--vms", "my vms", "--wait-for", "NEVER"]);
    command = command.arg("--console").arg(&log);
    let mut command = command.into_command();
    let mut run = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    until("the guest's line", || fs::read_to_string(&log).is_ok_and(|said| said.contains("COUNT 0\n")));
    // This guest does not know the button: a stop would take its minute.
    let mut stop = world.bin(&["vms", "stop", "play", "--vms", "my vms"]).into_command();
    let mut stop = stop.stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(stop.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "asked `play` to power off; it is forced off after 60 s\n");
    assert!(stop.try_wait().unwrap().is_none(), "it goes on waiting");
    stop.kill().unwrap();
    stop.wait().unwrap();
    world.bin(&["vms", "remove", "play", "--vms", "my vms"]).run().says("`arca-build vms stop play --vms 'my vms'`");

    let mut monitor = UnixStream::connect(world.path("my vms/play/stop.sock")).unwrap();
    monitor.write_all(b"{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"quit\"}\n").unwrap();
    until("the end", || run.try_wait().unwrap().is_some());
    let mut told = String::new();
    run.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert!(told.contains("it was forced off from outside"), "{told}");
    assert!(told.contains("`arca-build doctor play --vms 'my vms'` reads its console"), "{told}");

    world.bin(&["vms", "stop", "play", "--vms", "my vms"]).run().success().says("`play` is off already");
    let stop = world.bin(&["--json", "vms", "stop", "play", "--vms", "my vms"]).run().success().json();
    assert_eq!(stop, serde_json::json!({ "name": "play", "off": "already" }));
    world.bin(&["vms", "stop", "nobody"]).run().ends_with(2).says("there is no machine `nobody`");
    let ssh = world.bin(&["ssh", "play", "--vms", "my vms"]).run().ends_with(2);
    ssh.says("`arca-build run --keep play --vms 'my vms'` starts it");
}

#[test]
fn ctrl_c_on_a_kept_machine_says_that_it_waits_and_for_how_long() {
    if !has_qemu() {
        return;
    }
    let world = World::new(b'E');
    let (log, told) = (world.path("log"), world.path("told"));
    let mut command = world.bin(&["run", "tiny.toml", "--keep", "play"]).arg("--console").arg(&log).into_command();
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&told).unwrap());
    let mut running = crate::tests::support::Running::start(command);
    until("the guest's line", || fs::read_to_string(&log).is_ok_and(|said| said.contains("COUNT 0\n")));
    send(&running, Signal::INT);
    let says = |text: &str| fs::read_to_string(&told).unwrap().contains(text);
    until("what it does", || {
        says("asked `play` to power off; it is forced off after 60 s; Ctrl-C again forces it off now")
    });
    send(&running, Signal::INT);
    assert!(running.wait_for(Duration::from_secs(20)));
    assert!(says("E_INTERRUPTED") && says("`arca-build run --keep play` starts it again"));
}
