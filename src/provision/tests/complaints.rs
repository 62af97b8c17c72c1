//! What is refused or warned of in the typed part.

use super::{HASH, KEY, compile_with, compiled, ids, refused};
use crate::base::Code;

fn user(rest: &str) -> String {
    format!("[[provision.user]]\nname = \"bob\"\n{rest}\n")
}

fn file(path: &str, rest: &str) -> String {
    format!("[[provision.file]]\npath = \"{path}\"\ntext = \"\"\n{rest}\n")
}

fn unit(name: &str, rest: &str) -> String {
    format!("[[provision.unit]]\nname = \"{name}\"\n{rest}\n")
}

#[test]
fn sec_1_what_is_no_hash_is_refused_and_never_shown() {
    for hash in ["hunter2canary", "$1$canary", "abJnggcanary.", "$6$canary$short"] {
        let problems = compile_with(&format!("[provision.root]\npassword_hash = \"{hash}\"\n"), &[]).unwrap_err();
        assert_eq!(problems.0.len(), 1);
        assert_eq!(problems.0[0].code, Code::Secret);
        assert!(problems.0[0].hint.as_ref().unwrap().contains("arca-build passwd"));
        assert!(!format!("{problems:?}").contains("canary"), "{problems:?}");
    }
    let weak = compiled(
        "[provision.root]\npassword_hash = \"$1$saltsalt$aaaaaaaaaaaaaaaaaaaaaa\"\nssh_keys = [\"KEY\"]\n",
        &[],
    );
    assert_eq!(ids(&weak), ["weak-hash"]);
    assert!(!format!("{weak:?}").contains("saltsalt"), "sec_4");
}

#[test]
fn sec_4_a_private_key_is_refused_and_never_shown() {
    let wish = user("ssh_keys = [\"-----BEGIN OPENSSH PRIVATE KEY----- canary\"]");
    let problems = compile_with(&wish, &[]).unwrap_err();
    assert_eq!((problems.0.len(), problems.0[0].code), (1, Code::Secret));
    assert!(!format!("{problems:?}").contains("canary"), "{problems:?}");
}

#[test]
fn the_typed_part_is_refused_for_what_the_guest_could_not_take() {
    for (wish, word) in [
        (user("ssh_keys = [\"ssh-ed25519\"]"), "bad ssh key of `bob`: there is no key data after `ssh-ed25519`"),
        (user("ssh_keys = [\"ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAA\"]"), "its data is of type `ssh-ed25519`"),
        (
            user("uid = 1000") + "[[provision.user]]\nname = \"ann\"\nuid = 1000\n",
            "uid `1000` is there twice, first in line 6",
        ),
        (user("ssh_keys = [\"KEY\", \" KEY \"]"), "an ssh key of `bob` is there twice"),
        (file("/proc/x", ""), "`/proc/x` would be lost: nothing below /proc"),
        (file("/run/x", ""), "nothing below /run"),
        (file("/tmp/x", ""), "nothing below /tmp"),
        (file("/dev/shm/x", ""), "nothing below /dev"),
        (file("/var/run/x", ""), "nothing below /var/run"),
        (file("/etc/x", "") + &file("/etc/x/y", ""), "`/etc/x` cannot be a file and the directory of `/etc/x/y`"),
        (unit("a.service", "mask = true\nenable = true"), "`a.service` is masked and is enabled"),
        (unit("a.service", "mask = true\ntext = \"x\""), "`a.service` is masked and has contents"),
        (
            unit("a.service", "text = \"x\"") + &file("/etc/systemd/system/a.service", ""),
            "`/etc/systemd/system/a.service` is also written for the unit `a.service`",
        ),
        (
            user("ssh_keys = [\"KEY\"]") + &file("/home/bob/.ssh/authorized_keys", ""),
            "is also written for the keys of `bob`",
        ),
    ] {
        let problems = refused(&wish, &[]);
        assert!(problems.len() == 1 && problems[0].contains(word), "{wish} {problems:?}");
        assert!(problems[0].contains("@recipes/nas.toml:"), "{problems:?}");
    }
    for text in ["[A]\\nB=c \\\\\\n# d\\n  e\\n".to_owned(), format!("[A]\\nB={}", "c".repeat(2046))] {
        let wish = unit("a.service", &format!("[[provision.unit.dropin]]\nname = \"x.conf\"\ntext = \"{text}\""));
        let problems = refused(&wish, &[]);
        assert!(problems.len() == 1 && problems[0].contains("Ignition cannot read line"), "out_12: {problems:?}");
        assert!(compile_with(&format!("engine = \"combustion\"\n{wish}"), &[]).is_ok(), "systemd reads it");
    }
    let var_tmp = file("/var/tmp/x", "");
    assert!(compile_with(&var_tmp, &[]).is_ok());
    assert_eq!(refused(&format!("engine = \"combustion\"\n{var_tmp}"), &[]).len(), 1, "a tmpfs only for Combustion");
}

#[test]
fn all_mistakes_are_told_at_once() {
    let wish = user("ssh_keys = [\"x\"]\npassword_hash = \"x\"")
        + &file("/run/x", "")
        + &unit("a.mount", "mask = true\nenable = true");
    assert_eq!(refused(&wish, &[]).len(), 4);
}

#[test]
fn what_works_but_hardly_as_meant_is_warned_of() {
    let root = format!("[provision.root]\npassword_hash = \"{HASH}\"\n");
    for (wish, warned) in [
        (root.clone(), &["root-ssh-password"][..]),
        (format!("{root}ssh_keys = [\"{KEY}\"]\n"), &[]),
        (user(""), &["no-login"]),
        (user("system = true"), &[]),
        (user("password_hash = \"HASH\""), &[]),
        (unit("a.service", "enable = true\ntext = \"[Service]\""), &["unit-no-install"]),
        (unit("a.service", "enable = true\ntext = \"[Service]\\nWantedBy=x\\n[Install]\""), &["unit-no-install"]),
        (unit("a.service", "enable = true\ntext = \"[Install]\\nWantedBy = x\""), &[]),
        (unit("a.service", "enable = true"), &[]),
    ] {
        assert_eq!(ids(&compiled(&wish, &[])), warned, "{wish}");
    }
}

#[test]
fn files_beside_the_recipe_are_carried_and_their_absence_is_told() {
    let wish = "[[provision.file]]\npath = \"/etc/x\"\nsource = \"x.bin\"\n[[provision.unit]]\nname = \"a.service\"\nsource = \"a.service\"\n";
    let problems = refused(wish, &[]);
    assert!(problems.len() == 2 && problems[0].contains("the content of `x.bin` is not known"), "{problems:?}");
    let bad = refused(wish, &[("x.bin", b"\0\xff"), ("a.service", b"\xff")]);
    assert!(bad.len() == 1 && bad[0].contains("text in UTF-8"), "{bad:?}");
    let config = super::config(&compiled(wish, &[("x.bin", b"\0\xff"), ("a.service", b"[Unit]\n")]));
    assert!(config.contains("\"source\": \"data:,%00%FF\"") && config.contains("[Unit]\\n"), "{config}");
}

#[test]
fn ignition_by_fw_cfg_on_a_raw_image_is_warned_of() {
    let parse = |base: &str, rest: &str| {
        let text = format!(
            "format = 1\nname = \"n\"\n[base]\nurl = \"https://h/{base}\"\n[provision]\n{rest}\n[provision.root]\nssh_keys = [\"{KEY}\"]\n"
        );
        let recipe = crate::recipe::parse(&text, "n.toml").unwrap();
        ids(&super::compile(&recipe, &crate::recipe::LocalFiles::default(), &super::PinnedInfo::default()).unwrap())
    };
    assert_eq!(parse("Leap-Micro-Default.raw.xz", "transport = \"fw_cfg\""), ["platform-metal"]);
    assert!(parse("Leap-Micro-Default.raw.xz", "transport = \"disk\"").is_empty());
    assert!(parse("Leap-Micro-Default.raw.xz", "transport = \"fw_cfg\"\nengine = \"combustion\"").is_empty());
    assert!(parse("Leap-Micro-Default.qcow2", "transport = \"fw_cfg\"").is_empty());
}
