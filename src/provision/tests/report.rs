//! The report: what is added for it, by whom, what it looks at, and that nothing of it is secret. `UPDATE_GOLDEN=1` writes
//! the golden texts anew.

use super::{HASH, KEY, compiled, config, golden, refused, script};
use crate::base::Engine;
use crate::guest_report::{Expectation, Kind, Matcher};
use crate::provision::GuestConfig;
use crate::provision::engines::choice::Feature;

const WISH: &str = include_str!("report.toml");

fn by(engine: &str, wish: &str) -> GuestConfig {
    compiled(&format!("engine = \"{engine}\"\nreport = true\n{wish}"), &[("a.rpm", b"rpm")])
}

fn expectation(compiled: &GuestConfig) -> &Expectation {
    compiled.report.as_ref().expect("a report")
}

/// Finds the text that a script writes to a path.
fn written<'s>(script: &'s str, path: &str) -> &'s str {
    let (_, rest) = script.split_once(&format!(" {path} ")).unwrap_or_else(|| panic!("{path}: {script}"));
    let (head, rest) = rest.split_once('\n').unwrap();
    let mark = head.rsplit("<<").next().unwrap().trim_matches(['\'', ' ']);
    rest.split_once(&format!("\n{mark}\n")).unwrap().0
}

#[test]
fn the_unit_the_script_and_the_list_are_the_same_by_either_engine() {
    let combustion = by("combustion", WISH);
    let text = script(&combustion);
    for (name, path) in [
        ("arca-report.service", "/etc/systemd/system/arca-report.service"),
        ("report.list", "/etc/arca-build/report.list"),
    ] {
        golden(name, &format!("{}\n", written(&text, path)));
    }
    let program = written(&text, "/etc/arca-build/report.sh");
    assert!(
        program.starts_with("#!/bin/sh\n") && program.ends_with(include_str!("../report.sh").trim_end()),
        "{program}"
    );
    let ignition = by("ignition", WISH);
    let told: serde_json::Value = serde_json::from_str(&config(&ignition)).unwrap();
    let unit = told["systemd"]["units"].as_array().unwrap().iter().find(|unit| unit["name"] == "arca-report.service");
    assert_eq!(format!("{}\n", written(&text, "/etc/systemd/system/arca-report.service")), unit.unwrap()["contents"]);
    let without = |compiled: &GuestConfig| {
        let lines = expectation(compiled).lines.iter();
        lines
            .filter(|line| line.kind != Kind::Engine && !line.subject.contains("/arca-build/scripts/"))
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(without(&combustion), without(&ignition));
    golden("report.json", &String::from_utf8(expectation(&combustion).to_json().unwrap()).unwrap());
}

#[test]
fn sec_4_no_hash_and_no_content_stands_in_list_or_expectation() {
    for engine in ["ignition", "combustion", "auto"] {
        let compiled = by(engine, &WISH.replace("HASH", HASH).replace("KEY", KEY));
        let json = String::from_utf8(expectation(&compiled).to_json().unwrap()).unwrap();
        let key = KEY.split(' ').nth(1).unwrap();
        for secret in [HASH, "saltsalt", key, "s3cret"] {
            assert!(!json.contains(secret), "{secret}");
        }
        assert!(json.contains("/etc/ours"), "{json}");
    }
}

#[test]
fn each_engine_that_has_a_part_leaves_a_mark_and_no_other_comes_into_it() {
    let engines = |compiled: &GuestConfig| -> Vec<String> {
        let lines = expectation(compiled).lines.iter().filter(|line| line.kind == Kind::Engine);
        lines.map(|line| line.subject.clone()).collect()
    };
    let writer = |compiled: &GuestConfig| {
        compiled.assignments.iter().find(|assigned| assigned.feature == Feature::Report).unwrap().engine
    };
    let run = "[[provision.run]]\nname = \"x\"\ntext = \"#!/bin/sh\\nexit 0\\n\"\n";
    for (engine, wish, expected, by_whom) in [
        ("auto", "hostname = \"a\"\n", &["ignition"][..], Engine::Ignition),
        ("auto", run, &["combustion"], Engine::Combustion),
        ("auto", &format!("hostname = \"a\"\n{run}"), &["ignition", "combustion"], Engine::Ignition),
        ("combustion", "hostname = \"a\"\n", &["combustion"], Engine::Combustion),
        ("ignition", run, &["ignition"], Engine::Ignition),
        ("auto", "", &["ignition"], Engine::Ignition),
    ] {
        let compiled = by(engine, wish);
        assert_eq!(engines(&compiled), expected, "{engine} {wish}");
        assert_eq!(writer(&compiled), by_whom, "{engine} {wish}");
        for (engine, bytes) in [("ignition", &compiled.config), ("combustion", &compiled.script)] {
            let text = bytes.as_ref().map(|bytes| String::from_utf8(bytes.expose().clone()).unwrap());
            let has_mark = text.is_some_and(|text| text.contains(&format!("/etc/arca-build/applied/{engine}")));
            assert_eq!(has_mark, expected.contains(&engine), "{engine} {wish}");
        }
    }
}

#[test]
fn the_digest_is_that_of_the_configuration_and_not_of_the_report() {
    let digest = |engine: &str, wish: &str| {
        let compiled = by(engine, wish);
        match &expectation(&compiled).lines[0].facts["config"] {
            Matcher::Digest(digest) => *digest,
            other => panic!("{other:?}"),
        }
    };
    let plain = digest("ignition", "hostname = \"a\"\n");
    assert_eq!(plain, digest("ignition", "hostname = \"a\"\n"));
    assert_ne!(plain, digest("ignition", "hostname = \"b\"\n"));
    assert_ne!(plain, digest("combustion", "hostname = \"a\"\n"));
    let silent = compiled("engine = \"ignition\"\nhostname = \"a\"\n", &[]);
    assert_eq!(plain, crate::provision::report::digest(Some(config(&silent).as_bytes()), None, None));
    assert!(silent.report.is_none() && !config(&silent).contains("arca-build"));
}

#[test]
fn ready_made_files_alone_stay_byte_for_byte_unless_the_report_is_asked_for() {
    let ready = b"#!/bin/sh\necho mine\n";
    let recipe = |report: &str| {
        let text = format!(
            "format = 1\nname = \"a\"\n[base]\nurl = \"https://h/a.qcow2\"\n[provision]\n{report}script = \"mine\"\n"
        );
        let recipe = crate::recipe::parse(&text, "a.toml").unwrap();
        crate::provision::compile(&recipe, &super::local(&[("mine", ready)]), &super::known(&recipe)).unwrap()
    };
    let plain = recipe("");
    assert_eq!(script(&plain).as_bytes(), ready);
    assert!(plain.report.is_none());
    let asked = recipe("report = true\n");
    assert!(script(&asked).contains("arca-report.service") && asked.config.is_none());
    assert!(script(&asked).ends_with("\nexec ./script.recipe \"$@\"\n"));
}

#[test]
fn what_the_recipe_puts_in_the_place_of_the_report_is_refused() {
    for (wish, place) in [
        ("[[provision.file]]\npath = \"/etc/arca-build/report.sh\"\ntext = \"\"\n", "`/etc/arca-build/report.sh`"),
        ("[[provision.directory]]\npath = \"/etc/arca-build/applied\"\n", "`/etc/arca-build/applied`"),
        ("[[provision.unit]]\nname = \"arca-report.service\"\nmask = true\n", "`arca-report.service`"),
    ] {
        let told = refused(&format!("report = true\n{wish}"), &[]);
        assert!(told.iter().any(|one| one.contains(place)), "{told:?}");
    }
}

#[test]
fn a_unit_that_restarts_the_guest_makes_the_report_pending() {
    let list = |engine: &str, wish: &str| {
        let text = script(&by("combustion", wish));
        let own = by(engine, wish);
        match engine {
            "combustion" => written(&text, "/etc/arca-build/report.list").to_owned(),
            _ => config(&own),
        }
    };
    let kernel = "kernel_arguments = [\"quiet\"]\n";
    assert!(list("combustion", kernel).ends_with("restart\t/var/lib/arca-build-restarted\tarca-restart-once.service"));
    let line = "restart%09/var/lib/arca-build/done/packages%09arca-packages.service%0A";
    let base64 = "cmVzdGFydA";
    let packages = list("ignition", "packages = [\"htop\"]\n");
    assert!(packages.contains(line) || packages.contains(base64), "{packages}");
    assert!(!list("combustion", "packages = [\"htop\"]\n").contains("restart\t"));
}

#[test]
fn packages_are_looked_for_by_the_name_that_rpm_knows() {
    let wish = "packages = [\"htop\", \"pattern:base\", \"vim=9.1\"]\n";
    let rpm = |name: &str| format!("[[provision.rpm]]\nurl = \"https://h/{name}\"\nsha256 = \"{}\"\n", "0".repeat(64));
    let rpms: String = ["foo-bar-1.0-2.3.x86_64.rpm", "odd.rpm"].map(rpm).concat();
    let compiled = by("combustion", &format!("{wish}{rpms}"));
    let lines = expectation(&compiled).lines.iter().filter(|line| line.kind == Kind::Package);
    assert_eq!(lines.map(|line| line.subject.as_str()).collect::<Vec<_>>(), ["htop", "vim", "foo-bar"]);
}

#[test]
fn what_is_asked_for_twice_is_looked_at_once() {
    let compiled = by("combustion", "packages = [\"vim\", \"vim=9.1\"]\n");
    let lines = expectation(&compiled).lines.iter().filter(|line| line.kind == Kind::Package);
    assert_eq!(lines.map(|line| line.subject.as_str()).collect::<Vec<_>>(), ["vim"]);
}

#[test]
fn a_mount_is_looked_for_by_the_type_that_the_kernel_knows() {
    let any = |words: &[&str]| Some(Matcher::Any(words.iter().map(|word| (*word).to_owned()).collect()));
    for (kind, wish) in [
        ("type = \"ext4\"", Some(Matcher::Is("ext4".into()))),
        ("type = \"nfs\"", any(&["nfs", "nfs4"])),
        ("type = \"sshfs\"", any(&["sshfs", "fuse.sshfs", "fuseblk"])),
        ("type = \"none\"\noptions = [\"bind\"]", None),
        ("", None),
    ] {
        let compiled = by(
            "combustion",
            &format!("[[provision.mount]]\npath = \"/srv/x\"\nwhat = \"/dev/disk/by-label/x\"\n{kind}\n"),
        );
        let line = expectation(&compiled).lines.iter().find(|line| line.kind == Kind::Mount).unwrap();
        assert_eq!(line.facts.get("type"), wish.as_ref(), "{kind}");
    }
}

#[test]
fn packages_that_fail_for_good_have_the_report_told_anew() {
    for (wish, tells) in [("packages = [\"htop\"]\n", true), ("report = false\npackages = [\"htop\"]\n", false)] {
        let wish = format!("engine = \"ignition\"\n{}{wish}", if tells { "report = true\n" } else { "" });
        let config: serde_json::Value = serde_json::from_str(&config(&compiled(&wish, &[]))).unwrap();
        let mut units = config["systemd"]["units"].as_array().unwrap().iter();
        let unit = units.find(|unit| unit["name"] == "arca-packages.service").unwrap()["contents"].as_str().unwrap();
        assert_eq!(unit.contains("[Unit]\nOnFailure=arca-report.service\n"), tells, "{unit}");
    }
}

/// Ignition asks fw_cfg second: a disk with its label must not stand before that.
#[test]
fn the_config_disk_has_the_label_that_serves_both_engines_unless_ignition_has_its_config_elsewhere() {
    use crate::base::DiskLabel;
    let script = "script = \"a.rpm\"\n";
    for (wish, label) in [
        (format!("engine = \"combustion\"\n{script}"), Some(DiskLabel::Ignition)),
        ("engine = \"combustion\"\nhostname = \"a\"\n".to_owned(), Some(DiskLabel::Ignition)),
        ("engine = \"ignition\"\nhostname = \"a\"\n".to_owned(), Some(DiskLabel::Ignition)),
        (format!("hostname = \"a\"\n{script}"), Some(DiskLabel::Ignition)),
        (
            format!("transport = {{ ignition = \"fw_cfg\", combustion = \"disk\" }}\nhostname = \"a\"\n{script}"),
            Some(DiskLabel::Combustion),
        ),
    ] {
        let compiled = compiled(&wish, &[("a.rpm", b"#!/bin/sh\ntrue\n")]);
        assert_eq!(compiled.label, label, "{wish}");
    }
}
