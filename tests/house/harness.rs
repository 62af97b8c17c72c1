//! Does the helper of all tests keep its own promises? Starts shells; touches temporary directories.
//! Read next: tests/support/mod.rs.

use crate::tests::support::{self, Running};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn shell(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    command
}

#[test]
fn a_run_tells_both_streams_and_the_code() {
    let output = support::output(&mut shell("echo out; echo err >&2; exit 7"));
    assert_eq!((output.stdout.as_str(), output.stderr.as_str(), output.code), ("out\n", "err\n", 7));
}

#[test]
fn a_signal_is_told_as_a_shell_tells_it() {
    assert_eq!(support::output(&mut shell("kill -TERM $$")).code, 128 + 15);
}

#[test]
fn a_grandchild_that_lives_on_does_not_hold_the_test_up() {
    let begun = Instant::now();
    assert_eq!(support::output(&mut shell("sleep 100 & echo done")).stdout, "done\n");
    assert!(begun.elapsed() < Duration::from_secs(50));
}

#[test]
fn a_guest_that_hangs_fails_its_test_in_time_and_shows_what_it_said() {
    let begun = Instant::now();
    let boot = || support::boot(&mut shell("echo booting; sleep 100"), Duration::from_millis(200));
    let panic = std::panic::catch_unwind(boot).unwrap_err();
    let told = panic.downcast_ref::<String>().unwrap();
    assert!(told.starts_with("the guest did not power off within 200ms") && told.contains("\nbooting\n"), "{told}");
    assert!(begun.elapsed() < Duration::from_secs(50));
}

#[test]
fn a_killed_run_takes_its_children_along() {
    let dir = support::workdir();
    let mark = dir.path().join("mark");
    let script = format!("(sleep 1; echo late > '{}') & wait", mark.display());
    let mut running = Running::start(shell(&script).stdout(Stdio::null()));
    assert!(!running.wait_for(Duration::from_millis(100)));
    running.kill();
    std::thread::sleep(Duration::from_millis(1500));
    assert!(!mark.exists());
}

#[test]
fn a_missing_tool_is_told_where_skipping_is_allowed_and_fails_where_it_is_not() {
    let words = support::ourselves(module_path!(), "needs_what_nobody_has");
    let ask = |require: &str| {
        let dir = support::workdir();
        let log = dir.path().join("log");
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command.env("ARCA_REQUIRE_TOOLS", require).env("ARCA_SKIP_LOG", &log).env("ARCA_TEST_OF_SKIPPING", "1");
        (support::output(&mut command), std::fs::read_to_string(&log).unwrap())
    };
    let line = "SKIPPED tests::house::harness::needs_what_nobody_has: needs no-such-tool\n";
    let (allowed, log) = ask("0");
    assert_eq!((allowed.code, log.as_str()), (0, line));
    assert!(allowed.stderr.contains(line), "{allowed}");
    let (required, log) = ask("1");
    assert_eq!((required.code, log.as_str()), (101, line));
}

#[test]
#[ignore = "run by the test above"]
fn needs_what_nobody_has() {
    if std::env::var_os("ARCA_TEST_OF_SKIPPING").is_some() {
        assert_eq!(support::tools(&["sh", "no-such-tool"]), None);
    }
}
