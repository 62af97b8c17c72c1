//! Ready-made configs and scripts: taken as they are, joined, carried, limited.

use super::{compile_with, compiled, config, golden, ids, refused, script};
use crate::base::{Code, DiskLabel};
use crate::provision::engines::transports::{FW_CFG_LIMIT, FW_CFG_SLOW};

const READY: &str = "config = \"my/nas.ign\"\n";
const SCRIPT: &str = "engine = \"combustion\"\nscript = \"my/s.sh\"\n";

#[test]
fn a_config_alone_goes_through_byte_for_byte() {
    let bytes = b" { \"ignition\" :{\"version\":\"3.0.0\", \"timeouts\": null} }";
    let compiled = compiled(READY, &[("my/nas.ign", bytes)]);
    assert_eq!(config(&compiled).as_bytes(), bytes);
    assert_eq!(compiled.label, Some(DiskLabel::Ignition));
}

#[test]
fn a_script_alone_goes_through_byte_for_byte() {
    let bytes = "#!/bin/bash\n# combustion: network\necho \u{e4}".as_bytes();
    let compiled = compiled(SCRIPT, &[("my/s.sh", bytes)]);
    assert_eq!(script(&compiled).as_bytes(), bytes);
    assert_eq!((compiled.label, ids(&compiled)), (Some(DiskLabel::Ignition), vec!["script"]));
}

#[test]
fn faults_of_ready_made_files_are_told_with_their_place() {
    let problems = refused(READY, &[("my/nas.ign", b"{\"ignition\": {\"version\": \"3.2.0\"},\n \"passwd\": []}")]);
    assert!(
        problems[0].contains("`passwd` must be an object") && problems[0].ends_with("@recipes/my/nas.ign:2:12"),
        "{problems:?}"
    );
    let problems = refused(SCRIPT, &[("my/s.sh", b"#!/bin/sh\ntrue\r\n")]);
    assert!(problems[0].contains("carriage return") && problems[0].ends_with("@recipes/my/s.sh:2:1"), "{problems:?}");
}

#[test]
fn a_config_and_the_typed_part_are_joined() {
    let ready = br#"{"ignition": {"version": "3.0.0", "timeouts": {"httpTotal": 9}}, "kernelArguments": null,
        "passwd": {"users": [{"name": "core", "sshAuthorizedKeys": ["k"]}]},
        "storage": {"links": [{"path": "/etc/l", "target": "/x"}]}}"#;
    let wish = format!("{READY}[[provision.user]]\nname = \"bob\"\nssh_keys = [\"KEY\"]\n");
    let ready: &[u8] = std::str::from_utf8(ready).unwrap().replace("\"kernelArguments\": null,", "").leak().as_bytes();
    let compiled = compiled(&wish, &[("my/nas.ign", ready)]);
    let value: serde_json::Value = serde_json::from_str(&config(&compiled)).unwrap();
    assert_eq!(value["ignition"], serde_json::json!({"version": "3.2.0", "timeouts": {"httpTotal": 9}}));
    let names: Vec<_> = value["passwd"]["users"].as_array().unwrap().iter().map(|user| &user["name"]).collect();
    assert_eq!(names, ["core", "bob"]);
    assert_eq!(value["storage"]["links"][0]["path"], "/etc/l");
    assert_eq!(value["storage"]["filesystems"][0]["path"], "/home");
}

#[test]
fn what_a_config_mounts_is_not_mounted_twice() {
    let ready = br#"{"ignition": {"version": "3.2.0"}, "storage": {"filesystems": [
        {"device": "/dev/disk/by-label/ROOT", "path": "/home", "format": "btrfs", "mountOptions": ["subvol=/@/home"]}]}}"#;
    let wish = format!("{READY}[[provision.user]]\nname = \"bob\"\nssh_keys = [\"KEY\"]\n");
    assert_eq!(config(&compiled(&wish, &[("my/nas.ign", ready)])).matches("subvol=/@/home").count(), 1);
}

#[test]
fn a_directory_on_the_way_to_a_file_is_not_made_twice() {
    let ready = br#"{"ignition": {"version": "3.2.0"}, "storage": {"directories": [{"path": "/home/bob/.config", "mode": 448}]}}"#;
    let wish = format!(
        "{READY}[[provision.user]]\nname = \"bob\"\nssh_keys = [\"KEY\"]\n[[provision.file]]\npath = \"/home/bob/.config/a/b\"\ntext = \"\"\nuser = \"bob\"\n"
    );
    let compiled = config(&compiled(&wish, &[("my/nas.ign", ready)]));
    assert_eq!(compiled.matches("\"path\": \"/home/bob/.config\"").count(), 1, "{compiled}");
    assert!(compiled.contains("\"mode\": 448") && compiled.contains("\"path\": \"/home/bob/.config/a\""), "{compiled}");
    assert!(crate::format::ignition::read(compiled.as_bytes()).is_ok());
}

#[test]
fn what_only_both_parts_together_break_is_refused() {
    let ready = br#"{"ignition": {"version": "3.2.0"}, "storage": {"links": [{"path": "/etc/l", "target": "/x"}]}}"#;
    let wish = format!("{READY}[[provision.file]]\npath = \"/etc/l/f\"\ntext = \"\"\n");
    let problems = refused(&wish, &[("my/nas.ign", ready)]);
    assert!(problems.len() == 1 && problems[0].contains("together: `/etc/l/f` lies below the link"), "{problems:?}");
}

#[test]
fn a_config_that_would_drop_the_typed_part_is_refused_beside_one() {
    let ready = br#"{"ignition": {"version": "3.2.0", "config": {"replace": {"source": "https://h/x.ign"}}}}"#;
    let problems = refused(&format!("{READY}[provision.root]\nssh_keys = [\"KEY\"]\n"), &[("my/nas.ign", ready)]);
    assert!(problems.len() == 1 && problems[0].contains("drop all that the recipe adds"), "{problems:?}");
    assert!(problems[0].ends_with("@recipes/my/nas.ign:1:68"), "{problems:?}");
    assert!(compile_with(READY, &[("my/nas.ign", ready)]).is_ok(), "alone it does what it says");
}

#[test]
fn what_both_define_is_refused_by_name_with_both_places() {
    let ready = br#"{"ignition": {"version": "3.2.0"},
"passwd": {"users": [{"name": "root"}]},
"storage": {"links": [{"path": "/etc/x", "target": "/y"}]},
"systemd": {"units": [{"name": "a.service", "enabled": true}]}}"#;
    let wish = format!(
        "{READY}[provision.root]\nssh_keys = [\"KEY\"]\n[[provision.file]]\npath = \"/etc/x\"\ntext = \"\"\n[[provision.unit]]\nname = \"a.service\"\nenable = true\n"
    );
    let problems = compile_with(&wish, &[("my/nas.ign", ready)]).unwrap_err().0;
    let found: Vec<_> =
        problems.iter().map(|problem| (problem.headline.as_str(), problem.facts[0].1.as_str())).collect();
    assert_eq!(
        found,
        [
            ("user `root` is defined in the recipe and in `recipes/my/nas.ign`", "recipes/my/nas.ign:2:22"),
            ("path `/etc/x` is defined in the recipe and in `recipes/my/nas.ign`", "recipes/my/nas.ign:3:23"),
            ("unit `a.service` is defined in the recipe and in `recipes/my/nas.ign`", "recipes/my/nas.ign:4:23"),
        ]
    );
    assert!(
        problems.iter().all(|problem| problem.place.as_ref().is_some_and(|place| place.file == "recipes/nas.toml"))
    );
}

#[test]
fn a_config_that_goes_through_as_it_is_must_bring_its_own_entries() {
    let ready = |rest: &str| format!("{{\"ignition\": {{\"version\": \"3.2.0\"}}, {rest}}}").into_bytes();
    for (rest, warned) in [
        (r#""passwd": {"users": [{"name": "bob"}]}"#, &["home-subvol"][..]),
        (r#""passwd": {"users": [{"name": "bob", "homeDir": "/var/lib/bob"}]}"#, &[]),
        (r#""storage": {"files": [{"path": "/srv/x"}, {"path": "/home/x"}]}"#, &["home-subvol", "home-subvol"]),
        (
            r#""storage": {"files": [{"path": "/home/x"}], "filesystems": [{"device": "/dev/x", "path": "/home", "format": "xfs"}]}"#,
            &[],
        ),
        (r#""passwd": {"users": [{"name": "root", "passwordHash": "HUNTER"}]}"#, &["weak-hash", "root-ssh-password"]),
        (
            r#""storage": {"disks": [{"device": "/d", "partitions": [{"number": 0}, {"number": 1}]}]}"#,
            &["part-number-0"],
        ),
        (r#""storage": {"raid": [{"name": "r"}]}"#, &["raid-mdadm"]),
        (r#""storage": {"filesystems": [{"device": "/d", "path": "/x", "format": "ext4"}]}"#, &["fs-ext4"]),
        (
            r#""storage": {"filesystems": [{"device": "/dev/disk/by-label/ROOT", "format": "btrfs", "label": "ROOT"}]}"#,
            &["fs-label-mismatch"],
        ),
        (
            r#""storage": {"filesystems": [{"device": "/dev/disk/by-label/ROOT", "format": "btrfs", "label": "ROOT", "wipeFilesystem": true}]}"#,
            &[],
        ),
    ] {
        let compiled = compiled(READY, &[("my/nas.ign", &ready(rest))]);
        assert_eq!(ids(&compiled), warned, "{rest}");
        assert!(!format!("{:?}", compiled.warnings).contains("HUNTER"), "sec_4");
    }
}

#[test]
fn a_script_that_writes_where_it_sees_nothing_is_warned_of() {
    for (body, warned) in [
        ("echo x >/home/bob/x", &["combustion-mount"][..]),
        ("useradd -m bob", &["combustion-mount"]),
        ("mount /home\nuseradd -m bob\numount /home", &[]),
        ("# see /home/bob", &[]),
        ("cp x /srv/x; cp x /usr/local/bin/x", &["combustion-mount", "combustion-mount"]),
        ("cp x /etc/x", &[]),
    ] {
        let text = format!("#!/bin/sh\n{body}\n");
        assert_eq!(ids(&compiled(SCRIPT, &[("my/s.sh", text.as_bytes())])), warned, "{body}");
    }
}

#[test]
fn a_script_and_its_side_files_travel_in_one() {
    let wish = format!("{SCRIPT}side_files = [\"my/motd\", \"my/a+b\"]\n");
    let files: [(&str, &[u8]); 3] = [
        ("my/s.sh", b"#!/bin/bash\n# combustion: network prepare\ncat motd\n"),
        ("my/motd", b"hi\n"),
        ("my/a+b", b"\0"),
    ];
    let compiled = compiled(&wish, &files);
    golden("carried", &script(&compiled));
    let names: Vec<_> = compiled.side_files.iter().map(|(name, path)| (name.as_str(), path.as_str())).collect();
    assert_eq!(names, [("motd", "my/motd"), ("a+b", "my/a+b")]);
}

#[test]
fn a_typed_part_and_a_script_travel_in_one() {
    let wish = format!("{SCRIPT}[provision.root]\nssh_keys = [\"KEY\"]\n");
    let text = script(&compiled(&wish, &[("my/s.sh", b"#!/bin/bash\n# combustion: network\nfalse\n")]));
    assert!(text.starts_with("#!/bin/sh\n# combustion: network\n"), "{text}");
    assert!(text.ends_with("\nexec ./script.recipe \"$@\"\n"), "{text}");
    assert!(!text.contains("--prepare"), "a script that does not ask for it is never run that way: {text}");
}

#[test]
fn side_files_have_names_the_config_disk_can_hold() {
    let wish = |names: &str| format!("{SCRIPT}side_files = [{names}]\n");
    for names in
        ["\"my/script\"", "\"my/Script.recipe\"", "\"a/x\", \"b/X\"", "\"x:y\"", "\"x.\"", "\"a b\"", "\"nul.x\""]
    {
        let files: Vec<(&str, &[u8])> = ["my/script", "my/Script.recipe", "a/x", "b/X", "x:y", "x.", "a b", "nul.x"]
            .map(|name| (name, &b"x\n"[..]))
            .to_vec();
        let mut all: Vec<(&str, &[u8])> = vec![("my/s.sh", b"#!/bin/sh\n")];
        all.extend(files);
        assert_eq!(refused(&wish(names), &all).len(), 1, "{names}");
    }
}

#[test]
fn out_5_what_fw_cfg_cannot_carry_is_refused_there_and_warned_of_elsewhere() {
    let body = |size: u64| format!("#!/bin/sh\n{}\n", "#".repeat(usize::try_from(size).unwrap() - 11)).into_bytes();
    let by = |transport: &str, size: u64| {
        compile_with(&format!("{SCRIPT}transport = \"{transport}\"\n"), &[("my/s.sh", &body(size))])
    };
    for transport in ["disk", "fw_cfg"] {
        assert!(ids(&by(transport, FW_CFG_SLOW.0).unwrap()).is_empty(), "{transport}");
        assert_eq!(ids(&by(transport, FW_CFG_SLOW.0 + 1).unwrap()), ["fwcfg-size"], "{transport}");
        assert_eq!(ids(&by(transport, FW_CFG_LIMIT.0).unwrap()), ["fwcfg-size"], "{transport}");
    }
    assert_eq!(ids(&by("disk", FW_CFG_LIMIT.0 + 1).unwrap()), ["fwcfg-size"]);
    assert_eq!(by("fw_cfg", FW_CFG_LIMIT.0 + 1).unwrap_err().0[0].code, Code::FwCfgLimit);
}

#[test]
fn out_5_side_files_too_large_to_travel_inside_stay_beside() {
    let wish = |transport: &str| format!("{SCRIPT}transport = \"{transport}\"\nside_files = [\"big\"]\n");
    let big = vec![0; 200 << 10];
    let files: [(&str, &[u8]); 2] = [("my/s.sh", b"#!/bin/sh\ncp big /opt\n"), ("big", &big)];
    let compiled = compiled(&wish("disk"), &files);
    assert_eq!(script(&compiled), "#!/bin/sh\ncp big /opt\n");
    assert_eq!((compiled.side_files.len(), ids(&compiled)), (1, vec!["fwcfg-size"]));
    assert_eq!(compile_with(&wish("fw_cfg"), &files).unwrap_err().0[0].code, Code::FwCfgLimit);
}
