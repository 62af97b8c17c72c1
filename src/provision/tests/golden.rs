//! The whole output for one wish that uses every item, by either engine. If a change is meant, bump the builder's revision.

use super::{compiled, config, golden, ids, script};
use crate::base::DiskLabel;

const WISH: &str = include_str!("golden.toml");

#[test]
fn ignition_writes_every_item() {
    let compiled = compiled(WISH, &[]);
    golden("config.ign", &config(&compiled));
    assert_eq!((compiled.label, &compiled.script), (Some(DiskLabel::Ignition), &None));
    assert!(ids(&compiled).is_empty());
}

#[test]
fn combustion_writes_every_item() {
    let compiled = compiled(&format!("engine = \"combustion\"\n{WISH}"), &[]);
    golden("script", &script(&compiled));
    assert_eq!((compiled.label, &compiled.config), (Some(DiskLabel::Ignition), &None));
    assert!(ids(&compiled).is_empty());
}

#[test]
fn both_engines_share_the_work() {
    let compiled = compiled(&format!("engine = \"auto\"\nscript = \"s\"\n{WISH}"), &[("s", b"#!/bin/sh\ntrue\n")]);
    golden("config.ign", &config(&compiled));
    assert_eq!(script(&compiled), "#!/bin/sh\ntrue\n", "typed goes to Ignition, the script stays as it is");
    assert_eq!(compiled.label, Some(DiskLabel::Ignition));
}

#[test]
fn the_reference_crate_reads_what_is_written() {
    let (read, warnings) = ignition_config::Config::parse_str(&config(&compiled(WISH, &[]))).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let ignition_config::Config::V3_2(read) = read else { panic!("spec 3.2.0") };
    let (passwd, storage) = (read.passwd.unwrap(), read.storage.unwrap());
    let names: Vec<_> = passwd.users.unwrap().into_iter().map(|user| user.name).collect();
    assert_eq!(names, ["root", "bob"]);
    let files = storage.files.unwrap();
    let motd = files[0].contents.as_ref().and_then(|contents| contents.source.as_deref());
    assert_eq!(motd, Some("data:,Welcome%20to%20%24HOSTNAME%2C%20%60friend%60%21%0A"));
    assert_eq!((files[0].mode, files[0].overwrite), (Some(0o644), Some(true)));
    let home = &storage.filesystems.unwrap()[0];
    assert_eq!(home.mount_options.as_deref(), Some(&["subvol=/@/home".to_owned()][..]));
    assert_eq!((home.wipe_filesystem, &home.label, &home.uuid), (Some(false), &None, &None));
    assert_eq!(read.systemd.unwrap().units.unwrap().len(), 3);
}

#[test]
fn nothing_wanted_is_nothing_written() {
    for engine in ["ignition", "combustion", "auto"] {
        let compiled = compiled(&format!("engine = \"{engine}\"\n"), &[]);
        assert_eq!(compiled, super::GuestConfig::default(), "{engine}");
    }
}

#[test]
fn out_12_subvolumes_are_mounted_where_and_only_where_something_goes() {
    let user = "[[provision.user]]\nname = \"bob\"\nssh_keys = [\"KEY\"]\n";
    let file = |path: &str| format!("[[provision.file]]\npath = \"{path}\"\ntext = \"\"\n");
    for (wish, mounts, warned) in [
        ("[provision.root]\nssh_keys = [\"KEY\"]\n".to_owned(), &[][..], false),
        (user.to_owned(), &["/home"], false),
        (user.replace("ssh_keys", "home = \"/var/lib/bob\"\nssh_keys"), &["/home"], false),
        (file("/home/x"), &["/home"], false),
        (format!("home_subvolume = true\n{user}"), &["/home"], false),
        (format!("home_subvolume = false\n{user}"), &[], false),
        (file("/root/x") + &file("/var/x") + &file("/etc/x"), &[], false),
        (file("/opt/a") + &file("/srv/a") + &file("/srv/b"), &["/opt", "/srv"], true),
        (file("/usr/local/bin/x"), &["/usr/local"], true),
    ] {
        let compiled = compiled(&wish, &[]);
        let text = config(&compiled);
        let found: Vec<_> = text.lines().filter_map(|line| line.trim().strip_prefix("\"subvol=/@")).collect();
        let found: Vec<_> = found.iter().map(|line| line.trim_end_matches('"')).collect();
        assert_eq!(found, mounts, "{wish}");
        assert_eq!(ids(&compiled).contains(&"home-subvol"), warned, "{wish}");
    }
}

#[test]
fn what_ignition_cannot_write_is_warned_of() {
    let file = "[[provision.file]]\npath = \"/usr/lib/x\"\ntext = \"\"\n";
    let user = "[[provision.user]]\nname = \"bob\"\nhome = \"/data/bob\"\nssh_keys = [\"KEY\"]\n";
    let ignition = compiled(&format!("engine = \"ignition\"\n{user}{file}"), &[]);
    assert_eq!(ids(&ignition), ["read-only-root", "read-only-root"]);
    let left_open = compiled(&file.replace("[[", "\n[["), &[]);
    assert!(ids(&left_open).is_empty() && script(&left_open).contains("put 0644 root:root /usr/lib/x"));
    assert!(ids(&compiled(&format!("engine = \"combustion\"\n{user}{file}"), &[])).is_empty());
    let ready = br#"{"ignition": {"version": "3.2.0"}, "storage": {"links": [{"path": "/usr/x", "target": "y"}]}}"#;
    assert_eq!(ids(&compiled("config = \"c\"\n", &[("c", ready)])), ["read-only-root"]);
}

#[test]
fn special_mode_bits_raise_the_spec_and_nothing_else_does() {
    let file = |mode: &str| format!("[[provision.file]]\npath = \"/etc/x\"\ntext = \"\"\nmode = \"{mode}\"\n");
    let spec = |compiled: &super::GuestConfig| config(compiled).contains("\"version\": \"3.6.0\"");
    let (plain, special) = (compiled(&file("0755"), &[]), compiled(&file("4755"), &[]));
    assert!(!spec(&plain) && spec(&special));
    assert_eq!(ids(&special), ["spec-too-new"]);
}

#[test]
fn a_script_mounts_what_it_would_not_see() {
    let file = |path: &str| format!("engine = \"combustion\"\n[[provision.file]]\npath = \"{path}\"\ntext = \"\"\n");
    for (path, shows) in [
        ("/etc/x", &[][..]),
        ("/root/x", &[]),
        ("/opt/x", &[]),
        ("/var/log/x", &[]),
        ("/home/x", &["show /home"]),
        ("/srv/x", &["show /srv"]),
        ("/usr/local/x", &["show /usr/local"]),
        ("/var/lib/x", &["show /var"]),
    ] {
        let text = script(&compiled(&file(path), &[]));
        let found: Vec<_> = text.lines().filter(|line| line.starts_with("show /")).collect();
        assert_eq!(found, shows, "{path}");
        assert_eq!(text.contains("trap hide EXIT"), !shows.is_empty(), "{path}");
    }
}

#[test]
fn a_user_without_a_uid_is_made_after_those_with_one() {
    let wish = "[[provision.user]]\nname = \"free\"\n[[provision.user]]\nname = \"fixed\"\nuid = 1000\n";
    let before = |text: String, first: &str, then: &str| text.find(first).unwrap() < text.find(then).unwrap();
    assert!(before(config(&compiled(wish, &[])), "\"name\": \"fixed\"", "\"name\": \"free\""));
    let script = script(&compiled(&format!("engine = \"combustion\"\n{wish}"), &[]));
    assert!(before(script, "--uid 1000 fixed", " free\n"));
}

/// Ignition gives `*` and writes a preset; systemd enables again, at its first start, what an image's preset enables.
#[test]
fn a_script_closes_accounts_and_disables_units_as_ignition_does() {
    let wish = "[[provision.user]]\nname = \"bob\"\n[[provision.unit]]\nname = \"sshd.service\"\nenable = false\n";
    let script = script(&compiled(&format!("engine = \"combustion\"\n{wish}"), &[]));
    assert!(script.contains("useradd --create-home --password '*' bob\n"), "{script}");
    let preset =
        "put 0644 root:root /etc/systemd/system-preset/20-arca-build.preset cat <<'END'\ndisable sshd.service\nEND\n";
    assert!(script.contains("systemctl disable sshd.service\n") && script.contains(preset), "{script}");
}

/// shadow 4.19 (shadow-maint/shadow#1483, #1519): `chpasswd -e` refuses `*`, `!` and a salt with an `n`.
#[test]
#[expect(clippy::disallowed_methods, reason = "runs the function by the real shell")]
fn a_hash_that_chpasswd_refuses_is_set_all_the_same() {
    let wish = "engine = \"combustion\"\n[provision.root]\npassword_hash = \"*\"\n";
    let script = script(&compiled(wish, &[]));
    for (refuses, told) in [("false", "usermod --password * root\n"), ("true", "")] {
        let stubs = format!("chpasswd() {{ cat >/dev/null; {refuses}; }}\nusermod() {{ echo \"usermod $*\"; }}\n");
        let run = std::process::Command::new("sh").arg("-c").arg(stubs + &script).output().unwrap();
        assert!(run.status.success(), "{run:?}");
        assert_eq!(String::from_utf8_lossy(&run.stdout), told);
    }
}
