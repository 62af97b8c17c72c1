//! `doctor`: every issue has a log and every log its findings, to the last; text and JSON; where a log is looked for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::doctor::{KNOWN, Log, diagnose};

use crate::tests::support::{Bin, workdir};

/// What is found in a log, in its order, where that is more than the issue it is named by.
const BESIDE: &[(&str, &[&str])] = &[
    ("carried-changed", &["carried-changed", "script-failed", "emergency"]),
    ("carried-missing", &["carried-missing", "script-failed", "emergency"]),
    ("clean", &[]),
    ("combustion-medium", &["combustion-medium", "emergency"]),
    ("combustion-network", &["combustion-network", "emergency"]),
    ("combustion-no-script", &["combustion-no-script", "emergency"]),
    ("combustion-silent", &["combustion-silent", "emergency"]),
    ("combustion-url", &["combustion-url", "emergency"]),
    ("cpu-level", &["cpu-level", "kernel-panic"]),
    ("device-timeout", &["device-timeout", "emergency"]),
    ("disk-errors", &["disk-errors", "disk-errors"]),
    ("ignition-account", &["label-wait", "ignition-account", "ignition-failed", "emergency"]),
    ("ignition-critical", &["ignition-critical", "emergency"]),
    ("ignition-device", &["label-wait", "ignition-device", "ignition-failed", "emergency"]),
    ("ignition-failed", &["label-wait", "ignition-failed", "emergency"]),
    ("ignition-fetch", &["label-wait", "ignition-fetch", "ignition-failed", "emergency"]),
    ("ignition-filesystem", &["label-wait", "ignition-filesystem", "ignition-failed", "emergency"]),
    ("ignition-hash", &["label-wait", "ignition-hash", "ignition-failed", "emergency"]),
    ("ignition-invalid", &["label-wait", "ignition-invalid", "ignition-failed", "emergency"]),
    ("ignition-mkfs-failed", &["label-wait", "ignition-mkfs-failed", "ignition-failed", "emergency"]),
    ("ignition-mkfs-missing", &["label-wait", "ignition-mkfs-missing", "ignition-failed", "emergency"]),
    ("ignition-parse", &["label-wait", "ignition-parse", "ignition-failed", "emergency"]),
    ("ignition-platform-metal", &["ignition-platform-metal", "no-config"]),
    ("ignition-platform-offline", &["ignition-platform-offline", "ignition-failed", "emergency"]),
    ("ignition-platform-unknown", &["ignition-platform-unknown", "emergency"]),
    ("ignition-read-only", &["label-wait", "ignition-read-only", "ignition-failed", "emergency"]),
    ("ignition-silent", &["ignition-silent", "emergency"]),
    ("ignition-spec", &["label-wait", "ignition-spec", "ignition-failed", "emergency"]),
    ("ignition-unknown-key", &["label-wait", "ignition-unknown-key"]),
    ("ignition-waits", &["label-wait", "ignition-waits"]),
    ("initrd-unpacking", &["initrd-unpacking", "kernel-panic"]),
    ("kernel-no-root", &["kernel-no-root", "kernel-panic"]),
    ("no-space", &["no-space", "combustion-medium", "emergency"]),
    ("out-of-memory", &["out-of-memory", "script-failed", "emergency"]),
    ("package-unknown", &["package-unknown", "script-failed", "emergency"]),
    ("path-taken", &["path-taken", "script-failed", "emergency"]),
    ("prepare-failed", &["prepare-failed", "emergency"]),
    ("relabel-missing", &["relabel-missing", "emergency"]),
    ("repository-unreachable", &["repository-unreachable", "script-failed", "emergency"]),
    ("root-unnamed", &["root-unnamed", "emergency"]),
    ("script-failed", &["script-failed", "emergency"]),
    ("script-line-ends", &["script-line-ends", "script-failed", "emergency"]),
    ("script-read-only", &["script-read-only", "prepare-failed", "emergency"]),
    ("secrets-in-log", &["label-wait", "ignition-account", "secrets-in-log", "ignition-failed", "emergency"]),
    ("several", &["unit-failed", "run-failed", "sshd-down", "device-late"]),
    ("transaction-failed", &["transaction-failed", "emergency"]),
];
/// Logs that are named by no issue.
const OTHERS: [&str; 2] = ["clean", "several"];
/// Logs whose whole text is pinned.
const PINNED: [&str; 4] = ["clean", "ignition-parse", "script-failed", "several"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/doctor")
}

fn log(id: &str) -> Vec<u8> {
    std::fs::read(folder().join(format!("{id}.log"))).unwrap_or_else(|error| panic!("{id}: {error}"))
}

fn logs() -> BTreeSet<String> {
    let names = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter_map(|name| Some(name.strip_suffix(".log")?.to_owned())).collect()
}

#[test]
fn every_issue_has_a_log_and_every_log_is_named_by_one_and_says_where_it_is_from() {
    let issues: BTreeSet<String> =
        KNOWN.issues.iter().map(|issue| issue.id.clone()).chain(OTHERS.map(str::to_owned)).collect();
    assert_eq!(logs(), issues);
    let readme = std::fs::read_to_string(folder().join("README")).unwrap();
    for id in logs() {
        let row =
            readme.split_once(&format!("\n{id}.log\n    ")).unwrap_or_else(|| panic!("README tells nothing of {id}")).1;
        let (kind, from) = row.lines().next().unwrap().split_once(": ").unwrap();
        assert!(["real", "written"].contains(&kind) && from.len() > 5, "{id}: {row}");
        let seen = KNOWN.issues.iter().find(|issue| issue.id == id).is_none_or(|issue| issue.seen);
        assert_eq!(
            seen,
            kind == "real" || OTHERS.contains(&id.as_str()),
            "{id}: `seen` and tests/fixtures/doctor/README differ"
        );
    }
}

#[test]
fn each_log_gives_exactly_its_findings() {
    let mut wrong = vec![];
    for id in logs() {
        let found = diagnose(&Log::read(log(&id).as_slice()).unwrap());
        let found: Vec<_> = found.findings.iter().map(|found| found.issue.id.as_str()).collect();
        let own = [id.as_str()];
        let meant = BESIDE.iter().find(|(name, _)| *name == id).map_or(&own[..], |(_, meant)| meant);
        if found != meant {
            wrong.push(format!("    (\"{id}\", &{found:?}),"));
        }
    }
    assert!(wrong.is_empty(), "other findings:\n{}", wrong.join("\n"));
}

#[test]
fn the_text_of_some_logs_is_pinned_and_the_exit_code_tells_whether_something_is_wrong() {
    let dir = workdir();
    for id in PINNED {
        let ran = Bin::new(dir.path()).arg("doctor").arg(folder().join(format!("{id}.log"))).run();
        let pinned = folder().join(format!("{id}.txt"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&pinned, &ran.stdout).unwrap();
        }
        assert_eq!(ran.stdout, std::fs::read_to_string(&pinned).unwrap(), "{id}: UPDATE_GOLDEN=1 writes it anew");
        let ran = ran.ends_with(i32::from(id != "clean"));
        assert_eq!(ran.stderr.contains("finding[E_LINT]: "), id != "clean", "{ran}");
    }
}

#[test]
fn json_tells_all_of_it_and_harmless_things_are_no_failure() {
    let dir = workdir();
    let ran = Bin::new(dir.path()).args(["--json", "doctor", "-"]).stdin(log("ignition-parse")).run().ends_with(1);
    let json = ran.json();
    assert_eq!((&json["wrong"], &json["boots"][0]["reached"]), (&true.into(), &"Ignition: fetch".into()));
    let parse = json["findings"].as_array().unwrap().iter().find(|found| found["id"] == "ignition-parse").unwrap();
    assert_eq!(
        (&parse["kind"], &parse["facts"]["line"], &parse["facts"]["column"]),
        (&"failure".into(), &"3".into(), &"23".into())
    );
    for key in ["headline", "fix", "why"] {
        assert!(parse[key].as_str().unwrap().len() > 10, "{key}");
    }
    assert!(parse["sources"][0]["url"].as_str().unwrap().starts_with("https://"));
    assert!(json["findings"].as_array().unwrap().iter().any(|found| found["after"] == "ignition-parse"));
    let ran = Bin::new(dir.path()).args(["--json", "doctor", "-"]).stdin(log("label-wait")).run().success();
    assert_eq!((&ran.json()["wrong"], &ran.json()["findings"][0]["kind"]), (&false.into(), &"harmless".into()));
}

#[test]
fn a_log_is_a_file_a_pipe_or_in_an_instances_directory_and_what_is_missing_says_how_to_get_one() {
    let dir = workdir();
    std::fs::create_dir(dir.path().join("nas")).unwrap();
    Bin::new(dir.path())
        .args(["doctor", "nas"])
        .run()
        .ends_with(2)
        .says("no `console.log` in `nas`")
        .says("virsh console");
    std::fs::write(dir.path().join("nas/console.log"), log("script-failed")).unwrap();
    let ran = Bin::new(dir.path()).args(["doctor", "nas"]).run().ends_with(1);
    assert!(ran.stdout.contains("script-failed"), "{ran}");
    Bin::new(dir.path()).args(["doctor", "nothing"]).run().ends_with(2).says("<log file=").says("E_USAGE");
    let vms = dir.path().join("vms/web");
    std::fs::create_dir_all(&vms).unwrap();
    std::fs::create_dir(dir.path().join("web")).unwrap();
    Bin::new(dir.path()).args(["doctor", "--vms", "vms", "web"]).run().ends_with(2).says("no `console.log` in `web`");
    std::fs::write(vms.join("console.log"), log("label-wait")).unwrap();
    for ran in [
        Bin::new(dir.path()).args(["doctor", "--vms", "vms", "web"]).run(),
        Bin::new(dir.path()).args(["doctor", "web"]).env("ARCA_VMS", "vms").run(),
    ] {
        assert!(ran.success().stdout.contains("harmless[label-wait]"));
    }
    let fifo = dir.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    Bin::new(dir.path()).args(["doctor", "fifo"]).run().ends_with(2).says("is not a regular file");
    let ran = Bin::new(dir.path()).args(["doctor", "-"]).stdin("").run().ends_with(1);
    assert!(ran.stdout.contains("console=ttyS0"), "{ran}");
}

/// Whoever asks about the wrong file must not read that all is well.
#[test]
fn where_no_boot_is_seen_the_answer_is_no() {
    let dir = workdir();
    let program = std::fs::read("/bin/ls").unwrap();
    for (log, said) in [
        (vec![], "no boot is seen in it, so nothing can be said"),
        (b"a log of something else\n".to_vec(), "no boot is seen in it, so nothing can be said"),
        (program, "this is no text"),
    ] {
        let ran =
            Bin::new(dir.path()).args(["doctor", "-"]).stdin(log.clone()).run().ends_with(1).says("finding[E_LINT]: ");
        assert!(ran.stdout.contains(said) && ran.stdout.contains(" 0 boots") && ran.stderr.contains(said), "{ran}");
        assert!(!ran.stdout.contains("nothing known is wrong"), "{ran}");
        let json = Bin::new(dir.path()).args(["--json", "doctor", "-"]).stdin(log).run().ends_with(1).json();
        assert_eq!((json["boots"].as_array().map(Vec::len), &json["wrong"]), (Some(0), &false.into()), "{json}");
    }
}

/// What Ignition prints when it fails holds the hash of the password, and what a guest prints may be meant for a terminal.
#[test]
fn sec_4_no_secret_of_a_log_is_shown_again_and_no_escape_either() {
    let dir = workdir();
    let raw = String::from_utf8_lossy(&log("secrets-in-log")).into_owned();
    assert!(raw.contains("$6$saltsalt$"), "the log holds one");
    for flags in [&["doctor", "-"][..], &["--json", "doctor", "-"]] {
        let ran = Bin::new(dir.path()).args(flags).stdin(raw.clone()).run().ends_with(1);
        assert!(ran.stdout.contains("do not give it away"), "{ran}");
        assert!(!ran.stdout.contains("saltsalt") && !ran.stderr.contains("saltsalt"), "{ran}");
    }
    let hostile = b"[    1.0] ignition[1]: error at line 1 col 2: \x1b]0;x\x07\x1b[31m\xe2\x80\xae\x9b\xff\nIgnition failed: \x1b[2J\x08\x00x\n";
    let ran = Bin::new(dir.path()).args(["doctor", "-"]).stdin(hostile.to_vec()).run().ends_with(1);
    assert!(!ran.stdout.chars().any(crate::base::text::is_unsafe), "{ran}");
}
