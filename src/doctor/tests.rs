//! Whole logs: what is found, in which order, and that no bytes end in anything but a diagnosis.

use proptest::prelude::*;

use super::*;
use crate::base::text::is_unsafe;

fn of(text: &str) -> Diagnosis {
    diagnose(&Log::read(text.as_bytes()).unwrap())
}

fn ids(diagnosis: &Diagnosis) -> Vec<&str> {
    diagnosis.findings.iter().map(|found| found.issue.id.as_str()).collect()
}

#[test]
fn the_first_failure_is_the_cause_and_what_it_leads_to_says_so() {
    let found = of("[    5.0] ignition[1]: error at line 3 col 23: invalid character\n\
                    [    5.1] ignition[1]: Ignition failed: config is not valid\n\
                    Entering emergency mode. Exit the shell to continue.\n");
    assert_eq!(ids(&found), ["ignition-parse", "ignition-failed", "emergency"]);
    let after: Vec<_> = found.findings.iter().map(|found| found.after).collect();
    assert_eq!(after, [None, Some("ignition-parse"), Some("ignition-parse")]);
    let first = &found.findings[0];
    assert_eq!(first.headline(), "Ignition cannot read its config: line 3, column 23: invalid character");
    assert_eq!((first.line, first.at), (1, Some(5000)));
    let text = found.to_string();
    assert!(text.contains("the first failure") && text.contains("it follows from ignition-parse"), "{text}");
}

#[test]
fn a_wait_for_a_config_disk_is_harmless_where_a_config_came_and_not_told_where_none_did() {
    let wait = "[ TIME ] Timed out waiting for device dev-…[0m - /dev/disk/by-label/ignition.\n";
    let by_fw_cfg = of(&format!("{wait}[   14.0] ignition[1]: fetched user config from \"qemu\"\n"));
    assert_eq!(ids(&by_fw_cfg), ["label-wait"]);
    assert!(!by_fw_cfg.is_wrong());
    let by_none =
        of(&format!("{wait}[   14.0] ignition[1]: not a config (empty): provider config was empty, continuing\n"));
    assert_eq!(ids(&by_none), ["no-config"]);
    let other =
        of("[ TIME ] Timed out waiting for device /dev/disk/by-label/DATA.\nYou are in emergency mode. After\n");
    assert_eq!(ids(&other), ["device-timeout", "emergency"]);
}

#[test]
fn one_engine_without_a_config_is_as_it_should_be_where_the_other_has_one() {
    let combustion = "[   14.0] ignition[1]: not a config (empty): provider config was empty\n\
                      [   15.0] combustion[2]: transactional-update 5.0 started\n";
    assert_eq!(ids(&of(combustion)), [""; 0]);
    let ignition =
        "[    4.0] combustion[2]: No config source found\n[   14.0] ignition[1]: fetched user config from \"system\"\n";
    assert_eq!(ids(&of(ignition)), [""; 0]);
}

#[test]
fn a_question_that_was_answered_is_not_waited_for() {
    let asks = "         Starting SUSE JeOS First Boot Wizard...\n";
    assert_eq!(ids(&of(asks)), ["firstboot-wizard"]);
    assert_eq!(ids(&of(&format!("{asks}localhost login:\n"))), [""; 0]);
}

#[test]
fn boots_are_told_apart_and_each_has_its_own_cause() {
    let one = "[    0.000000] Linux version 6\n[   20.000000] ignition[1]: Ignition failed: x\n";
    let found = of(&format!("{one}{one}[   21.0] a\nnas login: \n"));
    assert_eq!(
        found.boots.iter().map(|boot| (boot.first, boot.last, boot.reached)).collect::<Vec<_>>(),
        [(1, 2, Stage::Kernel), (3, 6, Stage::Login)]
    );
    assert_eq!(
        found.findings.iter().map(|found| (found.boot, found.after)).collect::<Vec<_>>(),
        [(0, None), (1, None)]
    );
    // A quiet kernel does not say its version; its clock begins anew.
    assert_eq!(of("[   20.0] a\n[    2.0] b\n").boots.len(), 2);
    assert_eq!(of("[   20.1] a\n[   20.0] b\n").boots.len(), 1);
}

#[test]
fn a_machine_that_begins_anew_for_ever_fills_no_screen() {
    let found = of(&"[    0.000000] Linux version 6\n[    9.0] ignition[1]: Ignition failed: x\n".repeat(500));
    let text = found.to_string();
    assert_eq!((found.boots.len(), found.findings.len()), (500, 500));
    assert_eq!((text.matches("came as far as").count(), text.matches("failure[").count()), (5, 5), "{text}");
    assert!(text.contains("not told: 495 boots between\nboot 497, "), "{text}");
}

#[test]
fn what_a_script_said_last_is_shown_and_what_others_said_is_not() {
    let log = "[    1.0] combustion[7]: one\n[    1.1] systemd[1]: noise\n[    1.2] combustion[7]: two\n\
               [    1.3] combustion[7]: Command failed, rolling back\n";
    assert_eq!(of(log).findings[0].said, ["one", "two", "Command failed, rolling back"]);
}

/// Ignition quotes the program's words behind the whole command.
#[test]
fn of_a_long_line_the_middle_is_left_out() {
    let found = of(&format!("Ignition failed: {}too small", "x".repeat(900)));
    let said = &found.findings[0].said[0];
    assert!(said.starts_with("Ignition failed: x") && said.contains(" … ") && said.ends_with("too small"), "{said}");
    assert_eq!(said.chars().count(), 423);
}

#[test]
fn many_of_a_kind_are_counted_and_not_all_told() {
    let keys: String = (0..100).map(|key| format!("warning at $.k{key}, line 2 col {key}: Unused key k\n")).collect();
    let found = of(&keys.repeat(2));
    assert_eq!(found.findings.len(), ALIKE);
    assert_eq!(found.findings.iter().map(|found| found.times).sum::<usize>(), 200);
}

#[test]
fn what_holds_no_boot_is_not_called_well() {
    let noise: Vec<u8> = (0..40_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    // A program holds the words of every step, as this one does.
    let program = [b"\x7fELF\0\0\0\0Linux version \0\0\0\nIgnition failed: x\0\0\0\0".as_slice(); 40].concat();
    for (log, is_binary) in [
        (&b""[..], false),
        (b"\n\n", false),
        (b"#!/bin/sh\necho hello\n", false),
        (b"2026-01-01 10:00 GET /index.html 200\n", false),
        (&noise, true),
        (&program, true),
    ] {
        let found = diagnose(&Log::read(log).unwrap());
        assert_eq!((found.boots.len(), found.is_blind(), found.is_binary), (0, true, is_binary), "{found}");
        let told = found.to_string();
        assert!(told.contains("0 boots") && told.contains("so nothing can be said"), "{told}");
        assert!(!told.contains("nothing known is wrong"), "{told}");
        assert_eq!(told.contains("this is no text"), is_binary, "{told}");
    }
    // Odd bytes on a console are no reason not to look.
    let stammer =
        diagnose(&Log::read(&b"\0\xff\0\n[    1.000000] Linux version 6.18.0 (geeko@buildhost)\n"[..]).unwrap());
    assert_eq!((stammer.boots.len(), stammer.is_binary), (1, false));
}

#[test]
fn an_empty_log_says_what_to_look_at() {
    let found = of("");
    assert!(found.boots.is_empty() && found.to_string().contains("console=ttyS0"), "{found}");
}

/// Text as logs are made of: lines that match every issue with anything in the place of what they capture, control sequences between.
fn logs() -> impl Strategy<Value = Vec<u8>> {
    let lists = KNOWN.issues.iter().flat_map(|issue| [&issue.patterns, &issue.needs, &issue.until]);
    let expressions: Vec<&'static str> = lists.flat_map(known::Patterns::expressions).collect();
    let hole = regex::Regex::new(r"\(\?<\w+>\.\*\??\)|\.\*\?").unwrap();
    let line = (0..expressions.len(), "\\PC{0,12}").prop_map(move |(expression, filling)| {
        let text = expressions[expression].trim_start_matches('^').trim_end_matches('$');
        hole.replace_all(text, regex::NoExpand(&filling)).replace('\\', "").into_bytes()
    });
    let noise = proptest::collection::vec(any::<u8>(), 0..40);
    let part = prop_oneof![
        4 => line,
        1 => noise,
        1 => Just(b"[   12.345678] ignition[7]: ".to_vec()),
        2 => Just(b"\n".to_vec()),
        1 => Just(b"\r\x1b[7;20H\x1b]0;".to_vec()),
    ];
    proptest::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn out_14_no_bytes_of_a_log_panic_and_what_is_shown_of_them_is_safe(bytes in logs()) {
        let found = diagnose(&Log::read(bytes.as_slice()).unwrap());
        let text = found.to_string();
        prop_assert!(!text.chars().any(is_unsafe), "{:?}", text);
        prop_assert!(found.findings.iter().all(|found| !found.headline().contains('\n') && !found.said.is_empty()));
        let order: Vec<_> = found.findings.iter().map(|found| (found.boot, found.line)).collect();
        prop_assert!(order.is_sorted());
    }
}
