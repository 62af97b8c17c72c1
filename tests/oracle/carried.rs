//! What carries bytes by address, before other people's programs: generated scripts really run over a real tar, the
//! payload's stream is one to GNU tar, BusyBox and Python, and the filled config passes Ignition's validator.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use crate::base::Digest;
use crate::format::archive::Stream;
use crate::provision::GuestConfig;
use crate::provision::engines::template::{Segment, Template};
use base64::Engine as _;

use super::provision::{Guest, PLAIN_SHELLS, lowered, told};
use crate::tests::support::{output, tool, tools, workdir};

const FILE: &[u8] = b"\0a file\xff";
const ONE: &[u8] = b"package one";
const TWO: &[u8] = b"package two";

/// A file with a nasty name, one in `/home`, and two packages; `more` says whether a container forces the payload disk.
fn wish(more: &str) -> GuestConfig {
    let file = |path: &str, mode: &str| {
        let digest = Digest::of(FILE);
        format!(
            "[[provision.file]]\npath = '''{path}'''\nurl = \"https://h/f\"\nsha256 = \"{digest}\"\nsize = \"8B\"\nmode = \"{mode}\"\n"
        )
    };
    let rpm = |name: &str, bytes: &[u8]| {
        let (digest, size) = (Digest::of(bytes), bytes.len());
        format!("[[provision.rpm]]\nurl = \"https://h/{name}\"\nsha256 = \"{digest}\"\nsize = \"{size}B\"\n")
    };
    let files = file("/etc/it's $(touch pwned)", "0640") + &file("/home/x", "0644");
    let rpms = rpm("two~rc1^git+x.rpm", TWO) + &rpm("one.rpm", ONE);
    lowered(&format!("engine = \"combustion\"\n{more}{files}{rpms}"), &[])
}

fn beside() -> GuestConfig {
    wish("")
}

fn on_disk() -> GuestConfig {
    wish("transport = \"fw_cfg\"\n")
}

fn bytes_of(path: &str) -> &'static [u8] {
    match path {
        "rpms/one.rpm" => ONE,
        "rpms/two_rc1_git+x.rpm" => TWO,
        _ => FILE,
    }
}

fn tar(lowered: &GuestConfig) -> Vec<u8> {
    let mut stream = Stream::begin(vec![]);
    for load in &lowered.payload_files {
        let bytes = bytes_of(&load.path);
        stream.add(&load.path, bytes.len() as u64, &mut &*bytes).unwrap();
    }
    let bytes = stream.finish(1 << 20).unwrap();
    let sizes = lowered.payload_files.iter().map(|load| bytes_of(&load.path).len() as u64);
    assert_eq!(bytes.len() as u64, Stream::<Vec<u8>>::length(sizes, 1 << 20));
    bytes
}

fn script(lowered: &GuestConfig) -> &[u8] {
    lowered.script.as_ref().unwrap().expose()
}

/// A guest with everything where first boot finds it.
fn guest(lowered: &GuestConfig) -> Option<Guest> {
    let guest = Guest::new()?;
    std::fs::create_dir_all(guest.path("var/cache")).unwrap();
    std::fs::create_dir_all(guest.path("dev/disk/by-id")).unwrap();
    if lowered.medium == Some(crate::provision::guest::PayloadMedium::PayloadDisk) {
        std::fs::write(guest.path("dev/disk/by-id/virtio-arca-payload"), tar(lowered)).unwrap();
    } else {
        for load in &lowered.payload_files {
            let path = guest.path("work/carried").join(&load.path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes_of(&load.path)).unwrap();
        }
    }
    Some(guest)
}

/// Takes the six letters out that mktemp chose.
fn without_chance(text: &str) -> String {
    let mut parts = text.split("arca-build.");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| format!("{text}arca-build.XXXXXX{}", &part[6..]))
}

fn says(output: &Output, text: &str) {
    assert!(!output.status.success() && told(output).contains(text), "{}", told(output));
}

#[test]
fn out_10_scripts_that_carry_are_clean_to_shellcheck_and_parse_in_every_shell() {
    let Some(()) = tools(&["shellcheck", "dash", "bash", "busybox"]) else { return };
    let directory = workdir();
    let path = directory.path().join("script");
    for lowered in [beside(), on_disk()] {
        std::fs::write(&path, script(&lowered)).unwrap();
        for command in [
            &["shellcheck", "-s", "sh", "-S", "style", "-e", "SC2016"][..],
            &["dash", "-n"],
            &["bash", "-n"],
            &["bash", "--posix", "-n"],
            &["busybox", "sh", "-n"],
        ] {
            output(Command::new(command[0]).args(&command[1..]).arg(&path)).success();
        }
    }
}

#[test]
fn out_1_a_script_installs_exactly_what_is_carried_by_either_way() {
    for (lowered, folder) in [(beside(), "./carried"), (on_disk(), "/var/cache/arca-build.XXXXXX")] {
        for shell in PLAIN_SHELLS {
            let Some(guest) = guest(&lowered) else { return };
            let output = guest.run(shell, script(&lowered));
            assert!(output.status.success(), "{shell:?} {}", told(&output));
            for (path, mode) in [("etc/it's $(touch pwned)", 0o640), ("home/x", 0o644)] {
                assert_eq!(std::fs::read(guest.path(path)).unwrap(), FILE, "{shell:?} {path}");
                assert_eq!(std::fs::metadata(guest.path(path)).unwrap().permissions().mode() & 0o7777, mode);
            }
            let log = guest.log();
            let rpm = log.lines().find(|line| line.starts_with("rpm ")).unwrap();
            let names = ["one.rpm", "two_rc1_git+x.rpm"].map(|name| format!(" <{folder}/rpms/{name}>")).concat();
            let expected = format!("rpm <--upgrade> <--replacepkgs> <--nosignature>{names}");
            assert_eq!(without_chance(rpm), expected, "{shell:?}");
            assert!(log.find("rpm ").unwrap() < log.find("chown ").unwrap(), "packages first\n{log}");
            assert_eq!(std::fs::read_dir(guest.path("var/cache")).unwrap().count(), 0, "nothing is left behind");
            assert!(!guest.path("work/pwned").exists());
        }
    }
}

#[test]
fn out_17_a_script_fails_where_what_is_carried_is_missing_damaged_or_does_not_install() {
    for shell in PLAIN_SHELLS {
        for lowered in [beside(), on_disk()] {
            let Some(missing) = guest(&lowered) else { return };
            let _ = std::fs::remove_dir_all(missing.path("work/carried"));
            let _ = std::fs::remove_file(missing.path("dev/disk/by-id/virtio-arca-payload"));
            says(&missing.run(shell, script(&lowered)), "is missing");
            let failing = guest(&lowered).unwrap();
            failing.fail("rpm");
            let output = failing.run(shell, script(&lowered));
            assert_eq!(output.status.code(), Some(9), "{shell:?} {}", told(&output));
            assert_eq!(std::fs::read_dir(failing.path("var/cache")).unwrap().count(), 0, "nothing is left behind");
            assert!(!failing.path("home/x").exists(), "nothing after it ran");
        }
        for (from, to) in [(ONE, &b"package 0ne"[..]), (FILE, b"\0a fi1e\xff")] {
            for lowered in [beside(), on_disk()] {
                let guest = guest(&lowered).unwrap();
                let disk = guest.path("dev/disk/by-id/virtio-arca-payload");
                if let Ok(mut bytes) = std::fs::read(&disk) {
                    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
                    bytes[at..at + to.len()].copy_from_slice(to);
                    std::fs::write(&disk, bytes).unwrap();
                } else {
                    for load in lowered.payload_files.iter().filter(|load| bytes_of(&load.path) == from) {
                        std::fs::write(guest.path("work/carried").join(&load.path), to).unwrap();
                    }
                }
                says(&guest.run(shell, script(&lowered)), "is not what the recipe pins");
            }
        }
    }
}

#[test]
fn the_payloads_stream_is_one_to_gnu_tar_busybox_and_python() {
    let (Some(tar_tool), Some(busybox), Some(python)) = (tool("tar"), tool("busybox"), tool("python3")) else { return };
    let directory = workdir();
    let lowered = on_disk();
    std::fs::write(directory.path().join("payload.raw"), tar(&lowered)).unwrap();
    let expected: Vec<_> = lowered.payload_files.iter().map(|load| load.path.clone()).collect();
    let listing = "import tarfile\nfor m in tarfile.open('payload.raw', 'r:'): print(m.name)";
    for (program, words) in [
        (&tar_tool, &["-tf", "payload.raw"][..]),
        (&busybox, &["tar", "-tf", "payload.raw"]),
        (&python, &["-c", listing]),
    ] {
        let listed = output(Command::new(program).args(words).current_dir(directory.path())).success();
        assert_eq!(listed.stdout.lines().collect::<Vec<_>>(), expected);
    }
    output(Command::new(tar_tool).args(["-xf", "payload.raw"]).current_dir(directory.path())).success();
    for path in &expected {
        assert_eq!(std::fs::read(directory.path().join(path)).unwrap(), bytes_of(path));
    }
}

#[test]
fn ignition_validate_takes_the_config_once_it_is_filled() {
    let Some(validate) = tool("ignition-validate") else { return };
    let file = format!(
        "[[provision.file]]\npath = \"/etc/f\"\nurl = \"https://h/f\"\nsha256 = \"{}\"\n[[provision.container]]\nname = \"a\"\nurl = \"https://h/a.tar\"\nsha256 = \"{}\"\nbefore = [\"b.service\"]\n",
        Digest::of(FILE),
        Digest::of(ONE)
    );
    let Template(parts) = lowered(&file, &[]).template.unwrap();
    let part = |part: &Segment| match part {
        Segment::Text(text) => text.expose().clone(),
        Segment::Base64(_) => base64::engine::general_purpose::STANDARD.encode(FILE).into_bytes(),
    };
    let directory = workdir();
    let path = directory.path().join("config.ign");
    std::fs::write(&path, parts.iter().flat_map(part).collect::<Vec<_>>()).unwrap();
    let told = output(Command::new(validate).arg(&path)).success();
    assert!(told.stdout.is_empty() && told.stderr.is_empty(), "{told}");
}
