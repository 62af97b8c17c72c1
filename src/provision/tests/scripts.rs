//! Scripts, timers and packages: golden files of both engines, and what is refused or warned of.

use super::{compile_with, compiled, config, golden, ids, refused, script};
use crate::base::Digest;
use crate::provision::guest::PayloadMedium;

const WISH: &str = include_str!("scripts.toml");
const SECOND: (&str, &[u8]) = ("my/second", b"#!/usr/bin/env python3\nprint('\xc3\xa4')\n");

fn packages() -> String {
    let digest = |text: &[u8]| Digest::of(text).to_string();
    include_str!("packages.toml").replace("ONE", &digest(b"one")).replace("TWO", &digest(b"two"))
}

fn run(name: &str, text: &str) -> String {
    format!("[[provision.run]]\nname = \"{name}\"\ntext = {text:?}\n")
}

#[test]
fn ignition_runs_scripts_by_units_one_after_another() {
    let compiled = compiled(&format!("engine = \"ignition\"\n{WISH}"), &[SECOND]);
    golden("scripts.ign", &config(&compiled));
    assert_eq!((&compiled.script, ids(&compiled)), (&None, vec![]));
}

#[test]
fn combustion_runs_scripts_last_in_the_order_written() {
    let compiled = compiled(&format!("engine = \"combustion\"\n{WISH}"), &[SECOND]);
    golden("scripts.script", &script(&compiled));
    assert!(ids(&compiled).is_empty());
}

#[test]
fn the_ready_made_script_still_runs_after_those_of_the_recipe() {
    let wish = format!("script = \"s\"\n{}", run("a", "#!/bin/sh\ntrue\n"));
    let text = script(&compiled(&wish, &[("s", b"#!/bin/sh\ntrue\n")]));
    assert!(text.find("run 01-a cat").unwrap() < text.find("exec ./script.recipe").unwrap(), "{text}");
    assert!(text.find("\nhide\n").unwrap() < text.find("exec ./script.recipe").unwrap(), "{text}");
}

#[test]
fn ignition_installs_packages_by_a_unit_and_scripts_wait_for_its_reboot() {
    let compiled = compiled(&format!("engine = \"ignition\"\n{}", packages()), &[]);
    golden("packages.ign", &config(&compiled));
    assert_eq!((compiled.medium, compiled.payload_files.len()), (Some(PayloadMedium::PayloadDisk), 2));
    let only = super::compiled("engine = \"ignition\"\npackages = [\"htop\"]\n", &[]);
    assert_eq!((only.medium, config(&only).contains("arca-payload")), (None, false));
}

#[test]
fn combustion_installs_packages_first_and_asks_for_the_network() {
    let compiled = compiled(&format!("engine = \"combustion\"\n{}", packages()), &[]);
    golden("packages.script", &script(&compiled));
    assert_eq!(compiled.medium, Some(PayloadMedium::ConfigDisk));
    let without = packages().split_once('\n').unwrap().1.to_owned();
    assert!(!script(&super::compiled(&format!("engine = \"combustion\"\n{without}"), &[])).contains("# combustion"));
}

#[test]
fn zypper_finds_the_proxy_that_the_recipe_names() {
    let wish = "packages = [\"htop\"]\n[provision.proxy]\nhttp = \"http://proxy:3128\"\n";
    let text = script(&compiled(&format!("engine = \"combustion\"\n{wish}"), &[]));
    assert!(text.find("/etc/sysconfig/proxy").unwrap() < text.find("zypper --non-interactive").unwrap(), "{text}");
    let both = compiled(wish, &[]);
    assert!(config(&both).contains("/etc/sysconfig/proxy") && !script(&both).contains("/etc/sysconfig/proxy"));
}

/// Ignition, which reads units, and systemd have a longest line; here there is no line that grows.
#[test]
fn out_12_no_line_of_a_unit_grows_with_the_number_of_packages() {
    let names: Vec<String> = (0..500).map(|number| format!("\"package-{number}\"")).collect();
    assert!(compile_with(&format!("engine = \"ignition\"\npackages = [{}]\n", names.join(", ")), &[]).is_ok());
}

#[test]
fn out_10_scripts_that_nothing_could_run_are_refused_with_their_line() {
    let source = "[[provision.run]]\nname = \"a\"\nsource = \"s\"\n";
    for (bytes, word, at) in [
        (&b"#!/bin/sh\ntrue\r\n"[..], "carriage return", "@recipes/s:2:1"),
        (b"\xef\xbb\xbf#!/bin/sh\n", "script `a` begins with a byte-order mark", "@recipes/s:1:1"),
        (b" \n", "script `a` is empty", "@recipes/s:1:1"),
        (b"#!/bin/sh\na\0\n", "NUL byte", "@recipes/s:2:1"),
    ] {
        for engine in ["ignition", "combustion"] {
            let problems = refused(&format!("engine = \"{engine}\"\n{source}"), &[("s", bytes)]);
            assert!(problems.len() == 1 && problems[0].contains(word) && problems[0].ends_with(at), "{problems:?}");
        }
        let timer = source.replace("run", "timer") + "on_calendar = \"daily\"\n";
        assert_eq!(refused(&timer, &[("s", bytes)]).len(), 1, "{word}");
    }
    assert_eq!(refused(source, &[]).len(), 1, "a file that is not there");
    let empty = refused(&run("a", ""), &[]);
    assert!(
        empty.len() == 1 && empty[0].contains("script `a` is empty") && empty[0].contains("@recipes/nas.toml:6:1"),
        "{empty:?}"
    );
}

#[test]
fn scripts_that_hardly_work_as_meant_are_warned_of() {
    for (engine, text, warned) in [
        ("auto", "#!/bin/sh\ntrue\n", &[][..]),
        ("auto", "true\n", &["script"]),
        ("auto", "#!/bin/sh\ntrue", &["script"]),
        ("auto", "#!/bin/sh\n# combustion: network\ntrue\n", &["script"]),
        ("ignition", "#!/bin/sh\nzypper in x\n", &["run-read-only"]),
        ("ignition", "#!/bin/sh\necho rpm\n", &[]),
        ("combustion", "#!/bin/sh\nzypper in x\n", &[]),
        ("combustion", "#!/bin/sh\nsystemctl start x\n", &["run-no-services"]),
        ("combustion", "#!/bin/sh\nsystemctl enable x\n", &[]),
        ("ignition", "#!/bin/sh\nsystemctl start x\n", &[]),
        ("combustion", "#!/bin/sh\nmount /home\n", &["run-mount"]),
        ("combustion", "#!/bin/sh\nmount /dev/x /mnt\n", &[]),
    ] {
        let wish = format!("engine = \"{engine}\"\n{}", run("a", text));
        assert_eq!(ids(&compiled(&wish, &[])), warned, "{engine} {text}");
    }
}

#[test]
fn a_script_that_uses_what_the_recipe_mounts_is_warned_of_where_it_is_not_mounted_yet() {
    let mount = "[[provision.mount]]\nwhat = \"LABEL=data\"\npath = \"/srv/data\"\n";
    for (engine, text, warned) in [
        ("auto", "#!/bin/sh\ntouch /srv/data/x\n", &["combustion-mount"][..]),
        ("ignition", "#!/bin/sh\ntouch /srv/data/x\n", &[]),
        ("auto", "#!/bin/sh\ntouch /srv/x\n", &[]),
        ("auto", "#!/bin/sh\nmkfs.xfs /dev/vdb\n", &["dev-vdx"]),
    ] {
        let wish = format!("engine = \"{engine}\"\n{}{mount}", run("a", text));
        assert_eq!(ids(&compiled(&wish, &[])), warned, "{engine} {text}");
    }
}

/// Combustion's grep reads here documents too: a script inside must not switch on what the recipe does not.
#[test]
fn a_magic_comment_inside_a_script_is_not_found() {
    let text = script(&compiled(&run("a", "#!/bin/sh\n# combustion: network prepare\n"), &[]));
    assert_eq!(crate::format::combustion::inspect(text.as_bytes()).unwrap().flags, Default::default());
}

#[test]
fn sec_4_what_a_script_says_is_never_shown() {
    let wish = format!("{}{}", run("a", "canary\r"), run("b", "#!/bin/sh\n# combustion: network\nmount /home\ncanary"));
    let problems = compile_with(&wish.replace("\\r", ""), &[]);
    let shown =
        format!("{:?}", problems.as_ref().map(|compiled| (&compiled.warnings, &compiled.assignments, &compiled.steps)));
    assert!(problems.is_ok() && !shown.contains("canary"), "{shown}");
    let source = "[[provision.run]]\nname = \"a\"\nsource = \"s\"\n";
    let problems = compile_with(source, &[("s", b"canary\r\n")]).unwrap_err();
    assert!(!format!("{problems:?}").contains("canary"), "{problems:?}");
}

#[test]
fn what_the_recipe_writes_itself_collides_by_name() {
    let unit = |name: &str| format!("[[provision.unit]]\nname = \"{name}\"\nenable = true\n");
    for (wish, word) in [
        (run("a", "#!/bin/sh\n") + &unit("arca-run-01-a.service"), "unit `arca-run-01-a.service` is there twice"),
        (
            format!("packages = [\"a\"]\n{}", unit("arca-packages.service")),
            "unit `arca-packages.service` is there twice",
        ),
    ] {
        let problems = refused(&format!("engine = \"ignition\"\n{wish}"), &[]);
        assert!(problems.len() == 1 && problems[0].contains(word), "{problems:?}");
    }
}
