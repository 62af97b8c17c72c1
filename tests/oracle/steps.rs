//! What the recipe's networks, scripts, timers and packages become, before other people's programs: NetworkManager's own
//! library reads the profiles, systemd the units, shells and shellcheck the scripts; and the scripts really run.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::base::Digest;
use crate::provision::GuestConfig;

use super::provision::{Guest, PLAIN_SHELLS, lowered, told};
use crate::tests::support::{self, tool, tools, workdir};

const NETWORK: &str = include_str!("../../src/provision/tests/network.toml");
const SCRIPTS: &str = include_str!("../../src/provision/tests/scripts.toml");
const PACKAGES: &str = include_str!("../../src/provision/tests/packages.toml");
const SECOND: (&str, &[u8]) = ("my/second", b"#!/bin/bash\n[[ $PWD = / ]] && echo \"$0\" >>/etc/ran\n");

fn packages() -> String {
    let digest = |text: &[u8]| Digest::of(text).to_string();
    PACKAGES.replace("ONE", &digest(b"one")).replace("TWO", &digest(b"two"))
}

fn by(engine: &str, wish: &str) -> GuestConfig {
    lowered(&format!("engine = \"{engine}\"\n{wish}"), &[SECOND])
}

fn script(wish: &str) -> Vec<u8> {
    by("combustion", wish).script.unwrap().expose().clone()
}

type Files = Vec<(String, Vec<u8>)>;
type Units = Vec<(String, String)>;

/// What Ignition would write: each file's path and bytes, each unit's name and text.
fn written(wish: &str) -> (Files, Units) {
    let config = by("ignition", wish).config.unwrap();
    let value: serde_json::Value = serde_json::from_slice(config.expose()).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let list = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
    let files = list(&value["storage"]["files"]);
    let files = files.iter().map(|file| (text(&file["path"]), bytes(&text(&file["contents"]["source"]))));
    let units = list(&value["systemd"]["units"]);
    (files.collect(), units.iter().map(|unit| (text(&unit["name"]), text(&unit["contents"]))).collect())
}

/// Reads a data URL, as Ignition does.
fn bytes(url: &str) -> Vec<u8> {
    use base64::Engine as _;
    if let Some(encoded) = url.strip_prefix("data:;base64,") {
        return base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
    }
    let (mut out, mut rest) = (vec![], url.strip_prefix("data:,").unwrap().bytes());
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let pair = [rest.next().unwrap(), rest.next().unwrap()];
            out.push(u8::from_str_radix(std::str::from_utf8(&pair).unwrap(), 16).unwrap());
        } else {
            out.push(byte);
        }
    }
    out
}

#[test]
fn out_12_ignition_validate_takes_every_step() {
    let Some(validate) = tool("ignition-validate") else { return };
    let path = workdir();
    let path = path.path().join("config.ign");
    for wish in [NETWORK, SCRIPTS, &packages()] {
        fs::write(&path, by("ignition", wish).config.unwrap().expose()).unwrap();
        let output = Command::new(&validate).arg(&path).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty() && output.stdout.is_empty(), "{}", told(&output));
    }
}

#[test]
fn out_10_every_step_is_clean_to_shellcheck_and_parses_in_every_shell() {
    let Some(()) = tools(&["shellcheck", "dash", "bash", "busybox"]) else { return };
    let directory = workdir();
    let path = directory.path().join("script");
    let installer = written(&packages()).0.into_iter().find(|(path, _)| path == "/etc/arca-build/packages").unwrap().1;
    let all = format!("{NETWORK}{SCRIPTS}");
    for (case, text) in [
        ("network", script(NETWORK)),
        ("scripts", script(SCRIPTS)),
        ("packages", script(&packages())),
        ("all", script(&all)),
        ("installer", installer),
    ] {
        fs::write(&path, text).unwrap();
        for command in [
            &["shellcheck", "-s", "sh", "-S", "style", "-e", "SC2016"][..],
            &["sh", "-n"],
            &["dash", "-n"],
            &["bash", "--posix", "-n"],
            &["busybox", "sh", "-n"],
        ] {
            let output = Command::new(command[0]).args(&command[1..]).arg(&path).output().unwrap();
            assert!(output.status.success(), "{case} {command:?} {}", told(&output));
        }
    }
}

#[test]
fn systemd_has_nothing_to_say_of_the_units() {
    let Some(analyze) = tool("systemd-analyze") else { return };
    let directory = workdir();
    for wish in [SCRIPTS.to_owned(), packages()] {
        let (_, units) = written(&wish);
        let path = |name: &String| directory.path().join(name);
        units.iter().for_each(|(name, text)| fs::write(path(name), text).unwrap());
        let mut verify = Command::new(&analyze);
        verify.args(["verify", "--man=no", "--generators=no"]).args(units.iter().map(|(name, _)| path(name)));
        verify.env("SYSTEMD_UNIT_PATH", format!("{}:", directory.path().display()));
        let output = verify.output().unwrap();
        let ours = String::from_utf8_lossy(&output.stderr).lines().filter(|line| line.contains("arca-")).count();
        assert!(output.status.success() && ours == 0, "{}", told(&output));
    }
}

/// Unpacks Debian's NetworkManager into a directory; `None` after telling that this cannot be had here.
fn unpack_network_manager(directory: &Path) -> Option<()> {
    tools(&["apt-get", "dpkg-deb"])?;
    let mut download = Command::new("apt-get");
    download.args(["-q", "download", "network-manager", "libnm0"]).current_dir(directory);
    if !download.output().unwrap().status.success() {
        support::skip("network-manager and libnm0 by `apt-get download`");
        return None;
    }
    for entry in fs::read_dir(directory).unwrap() {
        let status = Command::new("dpkg-deb").arg("-x").arg(entry.unwrap().path()).arg(directory.join("root")).status();
        assert!(status.unwrap().success());
    }
    Some(())
}

/// `nmcli --offline` reads a profile by the code of the daemon and writes what it understood.
#[test]
fn network_manager_understands_every_key_of_a_profile_as_it_was_meant() {
    let directory = workdir();
    let Some(()) = unpack_network_manager(directory.path()) else { return };
    let (mut files, _) = written(NETWORK);
    files.retain(|(path, _)| path.contains("/NetworkManager/"));
    assert_eq!(files.len(), 8);
    for (path, text) in files {
        let text = String::from_utf8(text).unwrap();
        let file = directory.path().join("profile");
        fs::write(&file, &text).unwrap();
        let mut nmcli = nmcli(directory.path());
        nmcli.args(["--offline", "connection", "modify", "connection.autoconnect-retries", "3"]);
        let output = nmcli.stdin(fs::File::open(&file).unwrap()).output().unwrap();
        assert!(output.status.success(), "{path} {}", told(&output));
        let read = settings(&String::from_utf8_lossy(&output.stdout));
        for setting in settings(&text) {
            assert!(read.contains(&setting), "{path}: {setting} in {read:#?}");
        }
    }
}

fn nmcli(directory: &Path) -> Command {
    let mut nmcli = Command::new("sh");
    let library = "LD_LIBRARY_PATH=$(echo \"$0\"/usr/lib/*-linux-gnu) exec \"$0\"/usr/bin/nmcli";
    nmcli.args(["-c", &format!("{library} \"$@\"")]).arg(directory.join("root"));
    nmcli
}

/// Lists `[section] key=value`.
fn settings(text: &str) -> Vec<String> {
    let mut section = "";
    let mut found = vec![];
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if line.starts_with('[') {
            section = line;
        } else {
            found.push(format!("{section} {line}"));
        }
    }
    found
}

#[test]
fn the_run_in_the_initrd_writes_for_root_alone_and_ends() {
    for shell in PLAIN_SHELLS {
        let Some(guest) = Guest::new() else { return };
        let text = String::from_utf8(script(NETWORK)).unwrap().replace("${1-}", "--prepare");
        let output = guest.run(shell, text.as_bytes());
        assert!(output.status.success() && guest.log().is_empty(), "{shell:?} {} {}", told(&output), guest.log());
        use std::os::unix::fs::PermissionsExt as _;
        let folder = guest.path("etc/NetworkManager/system-connections");
        let mut count = 0;
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o7777, 0o600, "{entry:?}");
            let (files, _) = written(NETWORK);
            let name = entry.file_name().into_string().unwrap();
            let wanted = files.into_iter().find(|(path, _)| path.ends_with(&format!("/{name}"))).unwrap().1;
            assert_eq!(fs::read(entry.path()).unwrap(), wanted, "the same as Ignition writes: {name}");
            count += 1;
        }
        assert_eq!(count, 8);
    }
}

#[test]
fn scripts_run_in_order_in_the_root_by_their_own_interpreter() {
    for shell in PLAIN_SHELLS {
        let Some(guest) = Guest::new() else { return };
        let output = guest.run(shell, &script(SCRIPTS));
        assert!(output.status.success(), "{shell:?} {}", told(&output));
        assert_eq!(output.stdout, b"arca-build: runs 01-first\narca-build: runs 02-second.sh\n");
        assert!(fs::read_to_string(guest.path("home/one")).unwrap().starts_with("one"));
        assert!(fs::read_to_string(guest.path("etc/ran")).unwrap().ends_with("/02-second.sh\n"));
        let log = guest.log();
        assert!(log.find("mount </home>").unwrap() < log.find("umount </home>").unwrap(), "{log}");
        let left =
            fs::read_dir(guest.path("work")).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
        assert_eq!(left, ["script"], "nothing stays behind");
    }
}

#[test]
fn a_script_that_fails_fails_the_boot_and_those_after_it_do_not_run() {
    let run =
        |name: &str, text: &str| format!("[[provision.run]]\nname = \"{name}\"\ntext = \"#!/bin/sh\\n{text}\\n\"\n");
    for shell in PLAIN_SHELLS {
        let Some(guest) = Guest::new() else { return };
        let wish = run("a", "exit 7") + &run("b", "touch /etc/b");
        let output = guest.run(shell, &script(&wish));
        assert_eq!(output.status.code(), Some(7), "{shell:?} {}", told(&output));
        assert!(!guest.path("etc/b").exists() && guest.log().contains("umount </home>"), "{shell:?}");
    }
}

#[test]
fn packages_are_installed_before_everything_and_their_failure_fails_the_boot() {
    let wish = "packages = [\"htop\", \"vim=9\"]\n[[provision.user]]\nname = \"bob\"\n";
    for shell in PLAIN_SHELLS {
        let Some(guest) = Guest::new() else { return };
        let output = guest.run(shell, &script(wish));
        assert!(output.status.success(), "{shell:?} {}", told(&output));
        let log = guest.log();
        let zypper = "zypper <--non-interactive> <install> <--auto-agree-with-licenses> <--> <htop> <vim=9>\n";
        assert!(log.find(zypper).unwrap() < log.find("useradd").unwrap(), "{log}");
        guest.fail("zypper");
        assert_eq!(guest.run(shell, &script(wish)).status.code(), Some(9), "{shell:?}");
    }
}

/// `transactional-update run` ends well whatever its command did; here it is a stub that does nothing.
#[test]
fn out_17_under_ignition_too_other_bytes_and_an_installation_that_did_nothing_are_no_success() {
    let Some(()) = tools(&["tar", "sha256sum"]) else { return };
    let wish = packages();
    let (files, _) = written(&wish);
    let installer = files.into_iter().find(|(path, _)| path == "/etc/arca-build/packages").unwrap().1;
    for shell in PLAIN_SHELLS {
        let Some(guest) = Guest::new() else { return };
        for folder in ["var/cache/arca-build/packages", "dev/disk/by-id", "pack/rpms"] {
            fs::create_dir_all(guest.path(folder)).unwrap();
        }
        for (name, bytes) in [("one-1.0.rpm", &b"one"[..]), ("two_rc1.rpm", b"two")] {
            fs::write(guest.path("pack/rpms").join(name), bytes).unwrap();
        }
        let payload = guest.path("dev/disk/by-id/virtio-arca-payload");
        let status =
            Command::new("tar").arg("-cf").arg(&payload).arg("-C").arg(guest.path("pack")).arg("rpms").status();
        assert!(status.unwrap().success());
        let output = guest.run(shell, &installer);
        assert_eq!(output.status.code(), Some(1), "{shell:?} {}", told(&output));
        let log = guest.log();
        let names =
            "<pkg> <install> <--auto-agree-with-licenses> <--> <htop> <nfs-kernel-server> <pattern:microos_hardware>\n";
        let by_name = format!("transactional-update <--non-interactive> <--continue> {names}");
        assert!(log.starts_with(&by_name) && log.contains("<rpms/one-1.0.rpm> <rpms/two_rc1.rpm>\n"), "{log}");
        // A stub in whose place the command runs.
        let real = "#!/bin/sh\necho ran >>/log\nwhile [ \"$1\" != run ] && [ $# -gt 1 ]; do shift; done\nshift\n[ \"$1\" != /bin/sh ] || \"$@\"\n";
        fs::write(guest.path("stub/transactional-update"), real).unwrap();
        let output = guest.run(shell, &installer);
        assert!(output.status.success(), "{shell:?} {}", told(&output));
        assert!(
            guest
                .log()
                .contains("rpm <--upgrade> <--replacepkgs> <--nosignature> <rpms/one-1.0.rpm> <rpms/two_rc1.rpm>\n")
        );
        fs::write(guest.path("pack/rpms/one-1.0.rpm"), "other").unwrap();
        let status =
            Command::new("tar").arg("-cf").arg(&payload).arg("-C").arg(guest.path("pack")).arg("rpms").status();
        assert!(status.unwrap().success() && !guest.run(shell, &installer).status.success(), "other bytes than pinned");
    }
}
