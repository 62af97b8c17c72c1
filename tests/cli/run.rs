//! `arca-build run` and its like before any machine starts: what may be asked together, what is meant by a name. Starts no QEMU.
//! Read next: tests/guest/run.rs and run_ends.rs, which do.

use crate::support::{Bin, Output, workdir};

fn run(words: &[&str]) -> Output {
    let dir = workdir();
    Bin::new(dir.path()).arg("run").args(words).run()
}

#[test]
fn a_time_limit_is_for_what_waits_and_at_least_a_second() {
    let alone = run(&["demo", "--timeout", "5"]).ends_with(2);
    assert!(alone.stderr.contains("--wait") && alone.stderr.contains("required"), "{alone}");
    for wrong in ["0", "-5", "soon", "", "99999999999"] {
        run(&["demo", "--wait", "--timeout", wrong]).ends_with(2).says("a whole number of seconds, at least 1");
    }
}

#[test]
fn two_ways_to_wait_are_not_asked_at_once_and_no_text_is_none() {
    for two in [&["--wait", "--wait-for", "login:"][..], &["--test", "--wait-for", "login:"]] {
        let refused = run(&[&["demo"], two].concat()).ends_with(2);
        assert!(refused.stderr.contains("cannot be used with"), "{refused}");
    }
    run(&["demo", "--wait-for", ""]).ends_with(2).says("--wait-for <TEXT>");
}

#[test]
fn the_help_tells_the_keys_both_uses_and_what_comes_after_waiting() {
    let help = run(&["--help"]).success().stdout;
    for part in [
        "run [OPTIONS] <RECIPE|BUNDLE>",
        "run [OPTIONS] --keep <NAME>",
        "Ctrl-A X ends the machine",
        "Ctrl-C goes to the guest",
        "in a terminal the machine goes on",
    ] {
        assert!(help.contains(part), "{part}\n{help}");
    }
    let dir = workdir();
    let help = Bin::new(dir.path()).args(["vms", "--help"]).run().success().stdout;
    assert!(help.contains("after a minute is unplugged"), "{help}");
}
