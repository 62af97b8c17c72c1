//! The report's script in real shells: what it writes of odd texts is what the judge reads, and what it asks a system manager
//! that does not answer. Starts shells.

use std::fs;
use std::process::Command;

use crate::guest_report::{Expectation, escape, heard, judge};

use crate::tests::support::{output, tool, workdir};

const SCRIPT: &str = include_str!("../../src/provision/report.sh");
const SHELLS: [&[&str]; 3] = [&["dash"], &["bash", "--posix"], &["busybox", "sh"]];

/// Texts that a guest may hold: in a comment of /etc/passwd, a link, a unit's name.
const ODD: [&str; 12] = [
    "",
    "plain",
    "a b",
    "dev-disk-by\\x2did.device",
    "tab\there",
    "two\nlines\n",
    "\u{1b}[31mred\u{7}\r",
    "grüße €",
    "$(id) `id` ${HOME} 'it' \"is\"",
    "-n",
    "\\t is not a tab \\",
    "%s %d * ? [a] ~",
];

#[test]
fn every_shell_writes_odd_texts_as_the_judge_reads_them() {
    let (functions, _) = SCRIPT.split_once("# Writes the line of something that is there.").unwrap();
    let functions = functions.replace("mkdir -p", ": mkdir -p");
    for shell in SHELLS {
        if tool(shell[0]).is_none() {
            continue;
        }
        for text in ODD {
            let script = format!("{functions}\nline file \"$1\" \"fact=$1\"\n");
            let mut command = Command::new(shell[0]);
            let told = output(command.args(&shell[1..]).args(["-c", &script, "sh", text])).success();
            let escaped = escape(text);
            assert_eq!(told.stdout, format!("file\t{escaped}\tfact={escaped}\n"), "{shell:?} {text:?}");
        }
    }
}

#[test]
fn a_system_manager_that_does_not_answer_is_told_of_and_the_script_ends_well() {
    for shell in SHELLS {
        if tool(shell[0]).is_none() {
            continue;
        }
        let place = workdir();
        let at = |name: &str| place.path().join(name).display().to_string();
        let stubs = place.path().join("stubs");
        fs::create_dir_all(&stubs).unwrap();
        fs::create_dir_all(at("etc")).unwrap();
        for (name, text) in [("systemctl", "#!/bin/sh\nexit 1\n"), ("sleep", "#!/bin/sh\nexit 0\n")] {
            fs::write(stubs.join(name), text).unwrap();
            output(Command::new("chmod").arg("755").arg(stubs.join(name))).success();
        }
        fs::write(at("etc/report.list"), "unit\t-\tours.service\nfile\t-\t/no/such\n").unwrap();
        let script = SCRIPT
            .replace("folder=/etc/arca-build", &format!("folder={}", at("etc")))
            .replace("/run/arca-build/report", &at("run/report"))
            .replace("/var/lib/arca-build/reported", &at("var/reported"))
            .replace(">/dev/console", &format!(">{}", at("console")))
            .replace("PATH=/usr/sbin", &format!("PATH={}:/usr/sbin", stubs.display()));
        fs::write(at("report.sh"), script).unwrap();
        let mut command = Command::new(shell[0]);
        output(command.args(&shell[1..]).arg(at("report.sh"))).success();
        let told = fs::read(at("run/report")).unwrap();
        assert_eq!(heard(&told), crate::guest_report::ReportState::Final);
        let lines = judge(&Expectation::new(vec![]), &told).lines();
        let failed = "FAIL  units: failed: expected none, found (systemd-does-not-answer)".to_owned();
        assert!(lines.contains(&failed), "{shell:?} {lines:#?}");
        let text = String::from_utf8(told).unwrap();
        assert!(text.contains("unit\tours.service\tpresent=no\nfile\t/no/such\tpresent=no\n"), "{shell:?} {text}");
        let console = fs::read_to_string(at("console")).unwrap();
        assert_eq!(
            console,
            "arca-build: report (final): 2 things looked at, 2 not there; failed units: (systemd-does-not-answer)\n"
        );
        assert!(fs::exists(at("var/reported")).unwrap(), "{shell:?}");
    }
}

#[test]
fn what_failed_for_good_restarts_nothing_so_its_report_is_the_last() {
    let (functions, rest) = SCRIPT.split_once("# Sets `answer` to what").unwrap();
    let (asks, _) = rest.split_once("# Looks at one thing:").unwrap();
    let functions = functions.replace("mkdir -p", ": mkdir -p");
    let place = workdir();
    let done = place.path().join("done").display().to_string();
    fs::write(&done, "").unwrap();
    for shell in SHELLS {
        if tool(shell[0]).is_none() {
            continue;
        }
        for (state, mark, stage) in [
            ("failed", "/no/such", "final"),
            ("failed", done.as_str(), "final"),
            ("activating", "/no/such", "pending"),
            ("inactive", "/no/such", "pending"),
            ("active", done.as_str(), "pending"),
            ("inactive", done.as_str(), "final"),
            ("", done.as_str(), "pending"),
        ] {
            let stub = format!("systemctl() {{ echo {state}; return 3; }}; sleep() {{ :; }}");
            let stub = if state.is_empty() { "systemctl() { return 1; }; sleep() { :; }".to_owned() } else { stub };
            let script = format!("{functions}\n{asks}\n{stub}\nrestart arca-packages.service {mark}\necho $stage\n");
            let mut command = Command::new(shell[0]);
            let said = output(command.args(&shell[1..]).args(["-c", &script])).success();
            assert_eq!(said.stdout, format!("{stage}\n"), "{shell:?} {state} {mark}");
        }
    }
}

#[test]
fn a_service_that_fails_over_and_over_is_not_taken_for_one_that_starts() {
    let (functions, rest) = SCRIPT.split_once("# Sets `answer` to what").unwrap();
    let (asks, _) = rest.split_once("# Label, and where it is mounted.").unwrap();
    let functions = functions.replace("mkdir -p", ": mkdir -p");
    for shell in SHELLS {
        if tool(shell[0]).is_none() {
            continue;
        }
        for (sub, told) in [("auto-restart", "auto-restart"), ("start-pre", "activating")] {
            let stub = format!(
                "systemctl() {{ case $* in *is-enabled*) echo enabled ;; *is-active*) echo activating; return 3 ;; *SubState*) echo {sub} ;; esac; }}"
            );
            let script = format!("{functions}\n{asks}\n{stub}\nunit ours.service\n");
            let mut command = Command::new(shell[0]);
            let said = output(command.args(&shell[1..]).args(["-c", &script])).success();
            assert_eq!(
                said.stdout,
                format!("unit\tours.service\tpresent=yes\tenabled=enabled\tactive={told}\n"),
                "{shell:?}"
            );
        }
    }
}
