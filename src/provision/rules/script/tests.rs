//! Scripts as people write them, and what is told of each.

use super::*;
use crate::format::combustion::inspect;

/// What is told of a script: line and text.
fn told(text: &str, side_files: &[&str]) -> Vec<String> {
    let bytes = text.as_bytes().to_vec();
    let flags = inspect(&bytes).unwrap().flags;
    let side_files = side_files.iter().map(|name| ((*name).to_owned(), vec![])).collect();
    let mut diag = DiagnosticSink::default();
    check(&Script { bytes, flags, side_files, file: "script".into() }, &mut diag);
    let line = |finding: &Finding| finding.place.as_ref().unwrap().line;
    diag.findings
        .iter()
        .map(|finding| format!("{} {}: {}; {}", line(finding), finding.rule, finding.text, finding.fix()))
        .collect()
}

/// Demands exactly one finding with these words, or none.
#[track_caller]
fn hold(text: &str, words: Option<&str>) {
    let found = told(&format!("#!/bin/bash\n{text}\n"), &["there.conf", "parts/one"]);
    match words {
        None => assert!(found.is_empty(), "{text}: {found:?}"),
        Some(words) => {
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].contains(words), "{text}: {found:?}");
        }
    }
}

#[test]
fn comments_that_were_meant_for_combustion_are_told_from_prose() {
    let text = |line: &str| format!("{line}\n[ \"$1\" ] || true");
    for line in [
        "#combustion: network",
        "# Combustion: network",
        "## combustion: network",
        " # combustion: network",
        "#\tcombustion: network",
        "#  combustion: prepare network",
        "# combustion network",
        "# COMBUSTION: PREPARE",
    ] {
        hold(&text(line), Some("2 script: Combustion does not read"));
    }
    for line in [
        "# combustion: network",
        "# combustion runs this",
        "# Combustion: see the README",
        "# combustion",
        "# the network",
    ] {
        hold(&text(line), None);
    }
}

#[test]
fn what_is_fetched_needs_the_flag() {
    for line in [
        "zypper --non-interactive install vim",
        "zypper -n ref && true",
        "if ! zypper up; then exit 1; fi",
        "/usr/bin/zypper in vim",
        "x=$(curl -s https://h/x)",
        "http_proxy=http://p:1 wget https://h/x",
        "git -C /opt clone https://h/x",
        "podman pull quay.io/a/b",
    ] {
        hold(line, Some("needs the network, which the script does not ask for; add the line `# combustion: network`"));
        hold(&format!("# combustion: network\n{line}"), None);
    }
    for line in [
        "zypper lr",
        "zypper --quiet addlock vim",
        "zypper",
        "echo zypper in vim",
        "git -C /opt status",
        "podman images",
    ] {
        hold(line, None);
    }
    hold("cat >/etc/x <<EOF\nzypper in vim\nEOF\ntrue", None);
    hold("cat >/etc/x <<-'END'\n\tcurl x\n\tEND\nzypper in vim", Some("5 script"));
}

#[test]
fn a_branch_for_the_initrd_and_the_flag_go_together() {
    let branch = "if [ \"${1-}\" = --prepare ]; then exit 0; fi";
    hold(branch, Some("2 script: the branch for `--prepare` never runs"));
    hold(&format!("# combustion: prepare\n{branch}"), None);
    hold("case \"$1\" in --prepare) exit 0 ;; esac", Some("never runs"));
    hold("# combustion: prepare\ntrue", Some("never looks at its argument"));
    hold("# combustion: prepare network\necho \"$@\"", None);
}

#[test]
fn nothing_asks_a_service_that_does_not_run() {
    for (line, words) in [
        ("systemctl enable --now sshd", "`systemctl --now`"),
        ("systemctl --now enable sshd", "`systemctl --now`"),
        ("systemctl start sshd.service", "`systemctl start`; write"),
        ("  systemctl -q restart sshd || true", "`systemctl restart`"),
        ("sudo systemctl stop sshd", "`systemctl stop`"),
        ("systemctl reboot", "`systemctl reboot` ends the boot"),
        ("timedatectl set-timezone Europe/Berlin", "ln -sf ../usr/share/zoneinfo/ZONE /etc/localtime"),
        ("hostnamectl set-hostname x", "/etc/hostname"),
        ("localectl set-keymap de", "/etc/vconsole.conf"),
        ("loginctl enable-linger ann", "linger"),
        ("firewall-cmd --add-port 80/tcp", "firewall-offline-cmd"),
    ] {
        let word = words.split('`').nth(1).filter(|word| word.starts_with("systemctl"));
        hold(line, Some(words.split(';').next().filter(|_| word.is_some()).unwrap_or(words)));
    }
    for line in [
        "systemctl enable sshd",
        "systemctl mask x",
        "echo systemctl start x",
        "# systemctl start x",
        "firewall-offline-cmd --add-port 80/tcp",
    ] {
        hold(line, None);
    }
    hold("transactional-update pkg in vim", Some("inside a script that runs in a new snapshot"));
    hold("sudo transactional-update -n up", Some("call zypper itself"));
}

#[test]
fn a_directory_is_mounted_before_it_is_used() {
    for (text, words) in [
        (
            "cp x /srv/x",
            "the script uses /srv without `mount /srv`: what it writes there vanishes; write `mount /srv` before it, and `umount /srv`",
        ),
        ("useradd ann\nmount /home", "2 combustion-mount: the script uses /home before `mount /home`"),
        ("useradd -r -m svc", "/home"),
        ("umount /usr/local\ncp a /usr/local/bin/", "/usr/local without"),
        ("mkdir -p /var/lib/app", "/var without `mount /var`"),
        ("echo x >/var/lib/app", "/var without"),
        ("echo x >> \"/var/spool/x\"", "/var without"),
        ("echo x >/var/lib/app\nmount /var", "/var before `mount /var`"),
    ] {
        hold(text, Some(words));
    }
    for text in [
        "mount /home\nuseradd -m ann\numount /home",
        "useradd -M ann",
        "useradd --system svc",
        "mount -a\ncp x /srv/x",
        "for d in /home /srv; do\n  mount \"$d\"\ndone\ncp x /srv/x",
        "mount /srv /usr/local\ncp x /srv/x",
        "cat /var/lib/dbus/machine-id",
        "echo x >/var/log/setup.log",
        "touch /var/tmp/x /var/cache/x /var/lib/zypp/x",
        "cat >/etc/x.service <<E\nExecStart=/srv/x /home/y\nE",
    ] {
        hold(text, None);
    }
}

#[test]
fn what_lies_beside_the_script_must_be_named() {
    for text in [
        "cp ./gone.conf /etc/",
        "install -m 0644 \"./gone.conf\" /etc/",
        "cp /dev/shm/combustion/config/gone.conf /etc/",
        "cp \"${0%/*}/gone.conf\" /etc/",
        "cp \"$(dirname \"$0\")/gone.conf\" /etc/",
        "cp \"$(dirname \"$0\")\"/gone.conf /etc/",
        "./gone.conf; ./gone.conf",
    ] {
        hold(
            text,
            Some("uses `gone.conf` from beside it, and no such file is there; add \"gone.conf\" to `side_files`"),
        );
        hold(&text.replace("gone", "there"), None);
    }
    hold("sh ./parts/two", Some("`parts/two`"));
    for text in [
        "sh ./parts/one",
        "cp -r ./parts /etc/",
        "cd /opt\n./configure",
        "for f in ./*; do echo \"$f\"; done",
        "echo x >./made\ncat ./made",
        "if [ -e ./maybe ]; then . ./maybe; fi",
        "cp \"./$name\" /etc/",
        "./script --again",
    ] {
        hold(text, None);
    }
}
