//! Each item of the model judged by real tools: shells and shellcheck, Ignition's validator; and the files that the generated
//! script leaves against those that the real Ignition leaves.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use super::provision::{Guest, PLAIN_SHELLS, executable, lowered, told};
use crate::tests::support::{self, tool, tools};

const ITEMS: [(&str, &str); 8] = [
    ("groups", include_str!("../../src/provision/tests/items/groups.toml")),
    ("nodes", include_str!("../../src/provision/tests/items/nodes.toml")),
    ("append", include_str!("../../src/provision/tests/items/append.toml")),
    ("settings", include_str!("../../src/provision/tests/items/settings.toml")),
    ("ntp", include_str!("../../src/provision/tests/items/ntp.toml")),
    ("proxy", include_str!("../../src/provision/tests/items/proxy.toml")),
    ("kernel", include_str!("../../src/provision/tests/items/kernel.toml")),
    ("certificates", include_str!("../../src/provision/tests/items/certificates.toml")),
];

/// What Debian and Fedora install Ignition as: it runs in the initrd only.
const IGNITION: &str = "/usr/lib/dracut/modules.d/30ignition/ignition";

fn by(engine: &str, item: &str) -> String {
    format!("engine = \"{engine}\"\n{}", item.trim_start_matches("[provision]\n"))
}

fn script(wish: &str) -> Vec<u8> {
    lowered(&by("combustion", wish), &[]).script.unwrap().expose().clone()
}

fn config(wish: &str) -> Vec<u8> {
    lowered(&by("ignition", wish), &[]).config.unwrap().expose().clone()
}

#[test]
fn out_10_the_script_of_each_item_is_clean_to_shellcheck_and_parses_in_every_shell() {
    let Some(()) = tools(&["shellcheck", "dash", "bash", "busybox"]) else { return };
    let directory = support::workdir();
    let path = directory.path().join("script");
    for (name, item) in ITEMS {
        fs::write(&path, script(item)).unwrap();
        for command in [
            // SC2016 asks whether a `$` in single quotes was meant to expand; here it never is.
            &["shellcheck", "-s", "sh", "-S", "style", "-e", "SC2016"][..],
            &["dash", "-n"],
            &["bash", "--posix", "-n"],
            &["busybox", "sh", "-n"],
        ] {
            let output = Command::new(command[0]).args(&command[1..]).arg(&path).output().unwrap();
            assert!(output.status.success(), "{name} {command:?} {}", told(&output));
        }
    }
}

#[test]
fn out_12_ignition_validate_has_nothing_to_say_of_any_item() {
    let Some(validate) = tool("ignition-validate") else { return };
    let directory = support::workdir();
    let path = directory.path().join("config.ign");
    for (name, item) in ITEMS {
        fs::write(&path, config(item)).unwrap();
        let output = Command::new(&validate).arg(&path).output().unwrap();
        assert!(
            output.status.success() && output.stderr.is_empty() && output.stdout.is_empty(),
            "{name} {}",
            told(&output)
        );
    }
}

/// What a tree holds, by path: kind, mode, and content or target. What only one engine leaves is passed over: presets and
/// links of units, Ignition's report.
fn tree(root: &Path, at: &str, seen: &mut BTreeMap<String, String>) {
    let Ok(entries) = fs::read_dir(root.join(at)) else { return };
    for entry in entries {
        let path = format!("{at}/{}", entry.unwrap().file_name().to_string_lossy());
        if ["etc/systemd", "etc/.ignition-result.json", "etc/selinux"].contains(&path.as_str()) {
            continue;
        }
        let full = root.join(&path);
        let data = fs::symlink_metadata(&full).unwrap();
        let mode = data.permissions().mode() & 0o7777;
        let what = match data.file_type() {
            kind if kind.is_symlink() => format!("link {}", fs::read_link(&full).unwrap().display()),
            kind if kind.is_dir() => format!("directory {mode:04o}"),
            _ => format!("file {mode:04o} {:?}", fs::read_to_string(&full).unwrap()),
        };
        if data.is_dir() {
            tree(root, &path, seen);
        }
        seen.insert(path, what);
    }
}

/// Lays out what an image may hold already, so that replacing, appending and keeping show.
fn image(root: &Path) {
    for directory in ["etc/kept", "etc/pki/trust/anchors", "etc/chrony.d", "etc/selinux/targeted", "var", "srv"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    let put = |path: &str, text: &str, mode: u32| {
        fs::write(root.join(path), text).unwrap();
        fs::set_permissions(root.join(path), PermissionsExt::from_mode(mode)).unwrap();
    };
    put("etc/passwd", "root:x:0:0::/root:/bin/sh\n", 0o644);
    put("etc/group", "root:x:0:\n", 0o644);
    put("etc/hostname", "localhost\n", 0o600);
    put("etc/vconsole.conf", "KEYMAP=us\nFONT=x\n", 0o644);
    put("etc/chrony.d/pool.conf", "pool 2.opensuse.pool.ntp.org iburst\n", 0o644);
    put("etc/fstab", "LABEL=ROOT / btrfs\n", 0o640);
    put("etc/kept/file", "kept", 0o600);
    put("etc/selinux/config", "SELINUXTYPE=targeted\n", 0o644);
    symlink("/usr/share/zoneinfo/UTC", root.join("etc/localtime")).unwrap();
    symlink("kept", root.join("etc/old")).unwrap();
}

/// One wish with every item whose whole effect is files, and owners that the test's namespace has.
fn files() -> String {
    let nodes = r#"
[[provision.directory]]
path = "/etc/kept"
mode = "0710"
[[provision.directory]]
path = "/etc/new/deep"
mode = "0700"
[[provision.link]]
path = "/etc/old"
target = "new/deep"
[[provision.link]]
path = "/etc/links/x"
target = "/srv/it's"
"#;
    let top: String = ["settings", "ntp"]
        .iter()
        .map(|name| ITEMS.iter().find(|(item, _)| item == name).unwrap().1.replace("[provision]\n", ""))
        .collect();
    let rest: String = ["proxy", "append", "certificates"]
        .iter()
        .map(|name| format!("{}\n", ITEMS.iter().find(|(item, _)| item == name).unwrap().1))
        .collect();
    format!("{top}{rest}{nodes}")
}

/// Runs Ignition's files stage on a root directory, in a namespace where it is root.
fn ignition(root: &Path, config: &[u8]) -> Output {
    let work = support::workdir();
    fs::write(work.path().join("config.ign"), config).unwrap();
    executable(&work.path().join("setfiles"), b"#!/bin/sh\nexit 0\n");
    let run = r#"cd "$1" && export PATH="$1:$PATH" IGNITION_CONFIG_FILE="$1/config.ign" && for stage in fetch files; do
        "$3" --platform=file --stage="$stage" --root="$2" --config-cache="$1/cache" --log-to-stdout || exit; done"#;
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", run, "sh"]).arg(work.path()).arg(root).arg(IGNITION);
    command.output().unwrap()
}

/// SUSE's Ignition has no relabelling; Debian's may fail at it here, after every file is written.
fn wrote(output: &Output) -> bool {
    let log = String::from_utf8_lossy(&output.stdout);
    output.status.success() || (log.contains("failed to handle relabeling") && !log.contains("failed to create"))
}

#[test]
fn both_engines_leave_the_same_files() {
    if !Path::new(IGNITION).exists() {
        return support::skip("Ignition itself, of the package `ignition`");
    }
    let Some(guest) = Guest::new() else { return };
    let wish = files();
    let by_ignition = support::workdir();
    image(by_ignition.path());
    let output = ignition(by_ignition.path(), &config(&wish));
    assert!(wrote(&output), "{}", told(&output));
    let mut expected = BTreeMap::new();
    tree(by_ignition.path(), "etc", &mut expected);
    image(&guest.path("."));
    ["install", "chown"].iter().for_each(|real| fs::remove_file(guest.path("stub").join(real)).unwrap());
    // As in a transaction: openSUSE/ca-certificates, update-ca-certificates.
    executable(&guest.path("stub/update-ca-certificates"), b"#!/bin/sh\n>/etc/pki/trust/.updated\n");
    let output = guest.run(PLAIN_SHELLS[0], &script(&wish));
    assert!(output.status.success(), "{}", told(&output));
    let mut found = BTreeMap::new();
    tree(&guest.path("."), "etc", &mut found);
    // Who applied what, each engine tells of itself.
    for told in [&mut expected, &mut found] {
        told.retain(|path, _| !path.starts_with("etc/arca-build/applied/") && path != "etc/arca-build/report.list");
    }
    assert!(expected.len() > 20 && expected["etc/fstab"].contains("0640"), "{expected:#?}");
    assert_eq!(found, expected);
}

/// What either engine fails at, rather than write it elsewhere.
#[test]
fn both_engines_fail_at_what_stands_in_the_way() {
    if !Path::new(IGNITION).exists() {
        return support::skip("Ignition itself, of the package `ignition`");
    }
    for wish in [
        "[[provision.file]]\npath = \"/etc/localtime\"\nappend = true\ntext = \"\"\n",
        "[[provision.file]]\npath = \"/etc/kept\"\nappend = true\ntext = \"\"\n",
        "[[provision.directory]]\npath = \"/etc/old\"\n",
        "[[provision.directory]]\npath = \"/etc/fstab\"\n",
    ] {
        let Some(guest) = Guest::new() else { return };
        fs::remove_file(guest.path("stub/install")).unwrap();
        image(&guest.path("."));
        let output = guest.run(PLAIN_SHELLS[0], &script(wish));
        assert!(!output.status.success() && !output.stderr.is_empty(), "{wish} {}", told(&output));
        let root = support::workdir();
        image(root.path());
        let output = ignition(root.path(), &config(wish));
        assert!(!wrote(&output), "{wish} {}", told(&output));
    }
}

#[test]
fn groups_are_made_before_the_users_who_are_in_them() {
    let Some(guest) = Guest::new() else { return };
    for (name, code) in [("groupadd", 0), ("groupmod", 0)] {
        executable(
            &guest.path("stub").join(name),
            format!("#!/bin/sh\necho \"{name} $*\" >>/log\nexit {code}\n").as_bytes(),
        );
    }
    executable(
        &guest.path("stub/getent"),
        b"#!/bin/sh\n[ \"$*\" = 'group backup' ] || [ \"$1\" = passwd ] && echo \"$2:x:1:1::/home/$2:\"\n",
    );
    let item = ITEMS.iter().find(|(name, _)| *name == "groups").unwrap().1;
    let output = guest.run(PLAIN_SHELLS[0], &script(item));
    assert!(output.status.success(), "{}", told(&output));
    let log = guest.log();
    let made: Vec<_> = log.lines().filter(|line| line.starts_with("group") || line.starts_with("useradd")).collect();
    let [changed, nas, system, user] = made[..] else { panic!("{log}") };
    assert_eq!((changed, nas, system), ("groupmod --gid 2000 backup", "groupadd nas", "groupadd --system daemon-x"));
    assert!(user.starts_with("useradd") && user.contains("<nas>"), "{user}");
}

/// Runs the script's part for kernel arguments on a guest with these files, twice; gives the file it should change.
fn arguments(shell: &[&str], before: &str, bls: bool) -> Option<(String, String)> {
    let guest = Guest::new()?;
    executable(&guest.path("stub/grub2-mkconfig"), b"#!/bin/sh\necho \"grub2-mkconfig $*\" >>/log\n");
    fs::create_dir_all(guest.path("etc/default")).unwrap();
    fs::create_dir_all(guest.path("etc/kernel")).unwrap();
    let path = guest.path(if bls { "etc/kernel/cmdline" } else { "etc/default/grub" });
    fs::write(&path, before).unwrap();
    let item = ITEMS.iter().find(|(name, _)| *name == "kernel").unwrap().1;
    let mut after = String::new();
    for round in 0..2 {
        let output = guest.run(shell, &script(item));
        assert!(output.status.success(), "{shell:?} {}", told(&output));
        let now = fs::read_to_string(&path).unwrap();
        assert!(round == 0 || after == now, "{shell:?} twice is once:\n{after}\n{now}");
        after = now;
    }
    Some((after, guest.log()))
}

const ADDED: &str = "mitigations=off console=ttyS0,115200 dyndbg=\"file a.c +p; file b.c\"";

#[test]
fn kernel_arguments_are_added_once_and_what_is_there_is_kept() {
    for shell in PLAIN_SHELLS {
        let before = "GRUB_TIMEOUT=1\nGRUB_CMDLINE_LINUX_DEFAULT=\"root=LABEL=ROOT a=\\\"x y\\\" \\$b console=ttyS0,115200 quiet\"\n# end\n[ -n \"$NOPE\" ] && exit\n";
        let Some((after, log)) = arguments(shell, before, false) else { return };
        assert!(after.starts_with("GRUB_TIMEOUT=1\n# end\n"), "{after}");
        assert_eq!(log.matches("grub2-mkconfig -o /boot/grub2/grub.cfg\n").count(), 2, "{log}");
        // What GRUB's own tool reads, by the shell.
        let read = Command::new("sh")
            .arg("-c")
            .arg(format!("set +e\n{after}\nprintf %s \"$GRUB_CMDLINE_LINUX_DEFAULT\""))
            .output()
            .unwrap();
        let missing = ADDED.replace("console=ttyS0,115200 ", "");
        let expected = format!("root=LABEL=ROOT a=\"x y\" $b console=ttyS0,115200 quiet {missing}");
        assert_eq!(String::from_utf8_lossy(&read.stdout), expected, "{shell:?} {after}");
        let Some((after, log)) = arguments(shell, "root=LABEL=ROOT quiet\n", true) else { return };
        assert_eq!(after, format!("root=LABEL=ROOT quiet {ADDED}\n"), "{shell:?}");
        assert!(!log.contains("grub2-mkconfig"), "{log}");
    }
}

#[test]
fn the_shells_of_opensuse_read_the_proxy() {
    let Some(()) = tools(&["bash"]) else { return };
    let text = String::from_utf8(script(
        "[provision.proxy]\nhttp = \"http://u:p%24x@proxy:3128\"\nno_proxy = [\"*.a\", \"10.0.0.0/8\"]\n",
    ))
    .unwrap();
    let file: Vec<&str> =
        text.lines().skip_while(|line| !line.starts_with("PROXY_ENABLED")).take_while(|line| *line != "END").collect();
    // As openSUSE/aaa_base does (profile.sh): each line's value goes through `eval`.
    let read = "while read -r line; do eval value=${line#*=}; printf '%s\\n' \"$value\"; done";
    let mut command = Command::new("bash");
    let output = command.args(["-c", &format!("{read} <<'EOF'\n{}\nEOF", file.join("\n"))]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "yes\nhttp://u:p%24x@proxy:3128\n*.a,10.0.0.0/8\n");
}
