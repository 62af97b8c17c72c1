//! Does the judge see what became of a machine? Configurations are sabotaged after the build, as a broken image or a hand on
//! the config disk would, and the verdict must name just that. Boots the stand-in. Read next: `microos.rs`, `src/attest`.

use std::fs;

use crate::tests::guest::microos::MicroOs;

const WISH: &str = r#"
hostname = "guest"

[[provision.user]]
name = "ann"
uid = 1500
shell = "/bin/sh"

[[provision.user]]
name = "bob"

[[provision.file]]
path = "/etc/ours/pin"
text = "1234"
mode = "0600"

[[provision.file]]
path = "/etc/ours/mode"
text = "x"

[[provision.unit]]
name = "ours.service"
enable = true
text = """
[Service]
Type=oneshot
ExecStart=/bin/true
[Install]
WantedBy=multi-user.target
"""
"#;

/// Changes a text that stands there once.
fn change(text: &str, old: &str, new: &str) -> String {
    assert_eq!(text.matches(old).count(), 1, "{old}: {text}");
    text.replace(old, new)
}

#[test]
#[ignore = "full: boots guests for a minute or more"]
fn a_sabotaged_config_fails_with_the_lines_that_were_sabotaged() {
    let Some(guest) = MicroOs::prepare() else { return };
    let machine = guest.machine(&format!("engine = \"ignition\"\n{WISH}"), &[]).copy();
    let path = machine.bundle.join("config.ign");
    let mut config: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config["passwd"]["users"].as_array_mut().unwrap().retain(|user| user["name"] != "bob");
    config["passwd"]["users"][0]["shell"] = "/bin/bash".into();
    for file in config["storage"]["files"].as_array_mut().unwrap() {
        match file["path"].as_str().unwrap() {
            "/etc/ours/pin" => file["contents"]["source"] = "data:,4321".into(),
            "/etc/ours/mode" => file["mode"] = 0o666.into(),
            "/etc/hostname" => file["contents"]["source"] = "data:,other%0A".into(),
            _ => {}
        }
    }
    let text = change(&config.to_string(), "ExecStart=/bin/true", "ExecStart=/bin/false");
    fs::write(&path, text).unwrap();
    let boot = machine.run("fw_cfg");
    boot.up();
    let verdict = machine.verdict(&boot);
    let told: Vec<String> =
        verdict.failures().map(|check| format!("{}: {}", check.name(), check.difference())).collect();
    assert_eq!(
        told,
        [
            "setting hostname: value: expected guest, found other",
            "user ann: shell: expected /bin/sh, found /bin/bash",
            "user bob: there: expected to be there, found it is not there",
            "file /etc/ours/pin: sha256: expected the recipe's bytes, found other bytes",
            "file /etc/ours/mode: mode: expected 644, found 666",
            "file /etc/hostname: sha256: expected the recipe's bytes, found other bytes",
            "file /etc/systemd/system/ours.service: sha256: expected the recipe's bytes, found other bytes",
            "unit ours.service: active: expected active or inactive or activating or reloading or deactivating, found failed",
            "units: failed: expected none, found ours.service",
        ]
    );
    // The console is told in short, once, and nothing that could be a digest or a hash.
    let line = boot.serial.lines().find(|line| line.contains("arca-build: report")).expect("a line on the console");
    assert!(line.contains("1 not there; failed units: ours.service"), "{line}");
    assert!(!boot.serial.contains("sha256"), "{}", boot.serial);
}

#[test]
#[ignore = "full: boots guests for a minute or more"]
fn a_script_of_combustion_that_was_changed_fails_with_the_line_that_was_changed() {
    let Some(guest) = MicroOs::prepare() else { return };
    let machine = guest.machine(&format!("engine = \"combustion\"\n{WISH}"), &[]).copy();
    let path = machine.bundle.join("script");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, change(&text, "systemctl enable ours.service\n", "systemctl disable ours.service\n")).unwrap();
    let boot = machine.run("fw_cfg");
    boot.up();
    let verdict = machine.verdict(&boot);
    let told: Vec<String> = verdict.failures().map(crate::guest_report::Check::name).collect();
    assert_eq!(told, ["unit ours.service: enabled"], "{:#?}", verdict.lines());
}
