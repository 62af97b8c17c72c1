//! `arca-build run --test` end to end: from nothing but a recipe, a good machine passes and one that is not as its recipe says
//! fails with the lines that say why. Boots the stand-in for MicroOS, which starts by itself, in software emulation.
//! Read next: `bootable.rs`, `report.rs` (every kind of failure), src/commands/run.rs.

use std::fs;

use crate::tests::guest::bootable;
use crate::tests::support::{Bin, Output, workdir};

/// What is asked for; a script may follow.
pub const RECIPE: &str = r#"
format = 1
name = "box"
[base]
url = "microos.qcow2"
[machine]
memory = "1GiB"
vcpus = 1
accel = "tcg"
network = "none"
[[machine.disk]]
serial = "tank-0"
size = "64MiB"
[provision]
engine = "auto"
hostname = "box"
@SCRIPT@
[[provision.user]]
name = "ann"
shell = "/bin/sh"
[[provision.file]]
path = "/etc/ours"
text = "as written"
[[provision.unit]]
name = "ours.service"
enable = true
text = "[Service]\nExecStart=/usr/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"
"#;

/// Holds a machine to the recipe with this script in it; returns what was printed, and the JUnit file.
fn held(script: &str, options: &[&str]) -> Option<(Output, String)> {
    let image = bootable::prepare()?;
    let world = workdir();
    let path = |name: &str| world.path().join(name);
    fs::copy(image, path("microos.qcow2")).unwrap();
    let key = if script.is_empty() { "" } else { "script = \"script\"" };
    fs::write(path("box.toml"), RECIPE.replace("@SCRIPT@", key)).unwrap();
    fs::write(path("script"), format!("#!/bin/sh\nset -eu\n{script}")).unwrap();
    let bin = |words: &[&str]| Bin::new(world.path()).env("PATH", std::env::var_os("PATH").unwrap()).args(words);
    bin(&["update", "box.toml"]).run().success();
    let words = ["run", "box.toml", "--test", "--junit", "report.xml", "--console", "box.log"];
    let ran = bin(&[&words, options].concat()).run();
    let junit = fs::read_to_string(path("report.xml"));
    Some((ran.clone(), junit.unwrap_or_else(|_| panic!("no report\n{ran}"))))
}

/// Demands that all is as asked.
fn passes(options: &[&str]) {
    let Some((ran, junit)) = held("", options) else { return };
    let ran = ran.success();
    for line in ["ok    setting hostname (", "ok    user ann (", "ok    file /etc/ours (", "ok    unit ours.service ("]
    {
        assert!(ran.stdout.lines().any(|told| told.starts_with(line)), "{line}\n{ran}");
    }
    assert!(!ran.stdout.contains("FAIL") && junit.contains("failures=\"0\""), "{ran}\n{junit}");
}

#[test]
#[ignore = "full: boots guests for a minute or more"]
fn a_good_recipe_passes_with_its_config_on_a_disk() {
    passes(&["--transport", "disk"]);
}

#[test]
#[ignore = "full: boots guests for a minute or more"]
fn a_good_recipe_passes_with_its_config_by_fw_cfg() {
    passes(&["--transport", "fw_cfg"]);
}

#[test]
#[ignore = "full: boots guests for a minute or more"]
fn a_recipe_whose_script_undoes_its_config_fails_with_the_lines_that_say_so() {
    let script = "printf other >/etc/ours\nusermod --shell /bin/bash ann\n";
    let Some((ran, junit)) = held(script, &[]) else { return };
    let ran = ran.ends_with(1).says("E_DIFFERS");
    let failures: Vec<_> = ran.stdout.lines().filter_map(|line| line.strip_prefix("FAIL  ")).collect();
    let expected = [
        "user ann: shell: expected /bin/sh, found /bin/bash",
        "file /etc/ours: sha256: expected the recipe's bytes, found other bytes",
    ];
    assert_eq!(failures, expected, "{ran}");
    assert!(junit.contains("failures=\"2\"") && junit.contains("name=\"user ann: shell\""), "{junit}");
}
