//! What a guest would make of the provisioning: Ignition's own validator, every shell, and generated scripts really run,
//! in a root directory of their own where the tools that change a system only write down what they were told.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use crate::provision::pins::{InputInfo, PinnedInfo};
use crate::provision::{GuestConfig, compile};
use crate::recipe::{LocalFile, LocalFiles, RecipePath, parse};

use crate::tests::support::{self, tool, tools};

const SHELLS: [&[&str]; 3] = [&["dash"], &["bash", "--posix"], &["busybox", "sh"]];
/// BusyBox runs its own applets before anything on `PATH`, so the stubs need a shell without any.
pub const PLAIN_SHELLS: [&[&str]; 2] = [&["dash"], &["bash", "--posix"]];
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti me@example.org";
const HASH: &str = "$6$saltsalt$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// Everything at once, with text that a careless script would run.
const NASTY: &str = include_str!("provision/nasty.toml");
const NASTY_FILES: [(&str, &[u8]); 1] = [("bytes.bin", "\u{1}\0\u{e4}\u{20ac} no line end".as_bytes())];

/// Stands for each tool that changes a system: writes down its name, arguments and, for chpasswd, its input.
const STUB: &str = r#"#!/bin/sh
name=${0##*/}
{
    printf '%s' "$name"
    for word in "$@"; do printf ' <%s>' "$word"; done
    printf '\n'
    if [ "$name" = chpasswd ]; then sed 's/^/  /'; fi
} >>/log
[ ! -e "/fail-$name" ] || exit 9
case "$name $1 $2" in
"id -u "*) exit 1 ;;
"id -g "*) echo 100 ;;
"getent passwd root") echo root:x:0:0:root:/root:/bin/bash ;;
"getent passwd "*) echo "$2:x:1000:100::/home/$2:/bin/sh" ;;
"findmnt --fstab --mountpoint") [ "$3" = /home ] ;;
mountpoint*|pkill*) exit 1 ;;
install*) mkdir -p "$(printf '%s\n' "$@" | tail -n 1)" ;;
esac
"#;
const STUBBED: [&str; 17] = [
    "chown",
    "chpasswd",
    "findmnt",
    "getent",
    "id",
    "install",
    "mount",
    "mountpoint",
    "pkill",
    "rpm",
    "sleep",
    "systemctl",
    "transactional-update",
    "umount",
    "useradd",
    "usermod",
    "zypper",
];

pub fn lowered(provision: &str, files: &[(&str, &[u8])]) -> GuestConfig {
    let provision = provision.replace("HASH", HASH).replace("KEY", KEY);
    let text = format!("format = 1\nname = \"n\"\n[base]\nurl = \"https://h/MicroOS.qcow2\"\n[provision]\n{provision}");
    let recipe = parse(&text, "n.toml").unwrap_or_else(|problems| panic!("{problems}"));
    let beside = |(path, bytes): &(&str, &[u8])| (RecipePath::parse(path).unwrap(), LocalFile::of(bytes.to_vec()));
    let inputs = recipe.inputs().into_iter();
    let known = inputs
        .filter_map(|input| Some((input.source.value.clone(), InputInfo { digest: input.sha256?, size: input.size })));
    let files = LocalFiles(files.iter().map(beside).collect());
    compile(&recipe, &files, &PinnedInfo { inputs: known.collect(), ..PinnedInfo::default() })
        .unwrap_or_else(|problems| panic!("{problems}"))
}

fn script(provision: &str, files: &[(&str, &[u8])]) -> Vec<u8> {
    lowered(&format!("engine = \"combustion\"\n{provision}"), files).script.unwrap().expose().clone()
}

pub fn told(output: &Output) -> String {
    format!(
        "{:?}\n{}{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

pub fn executable(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn out_12_ignition_validate_has_nothing_to_say() {
    let Some(validate) = tool("ignition-validate") else { return };
    let directory = support::workdir();
    let user = "[[provision.user]]\nname = \"bob\"\nssh_keys = [\"KEY\"]\n";
    let ready = br#"{"ignition": {"version": "3.3.0"}, "kernelArguments": {"shouldExist": ["quiet"]},
        "systemd": {"units": [{"name": "a.service", "enabled": true}]}}"#;
    let second = "[[provision.file]]\npath = \"/srv/x\"\ntext = \"\"\n";
    for (case, wish, files, known) in [
        ("nasty", NASTY.to_owned(), &NASTY_FILES[..], ""),
        ("golden", include_str!("../../src/provision/tests/golden.toml").to_owned(), &[], ""),
        ("joined", format!("config = \"r\"\n{user}"), &[("r", &ready[..])], ""),
        // openSUSE's Ignition tells entries apart by device and path, upstream by device alone.
        ("two subvolumes", format!("{user}{second}"), &[], "duplicate entry defined"),
    ] {
        let path = directory.path().join("config.ign");
        fs::write(&path, lowered(&wish, files).config.unwrap().expose()).unwrap();
        let output = Command::new(&validate).arg(&path).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        if known.is_empty() {
            assert!(output.status.success() && said.is_empty(), "{case} {}", told(&output));
        } else {
            assert!(said.contains(known) && said.lines().count() <= 2, "{case} {}", told(&output));
        }
    }
}

#[test]
fn out_12_ignition_validate_and_our_reader_refuse_alike() {
    let Some(validate) = tool("ignition-validate") else { return };
    let directory = support::workdir();
    let path = directory.path().join("config.ign");
    for rest in [
        r#""storage": {"files": [{"path": "etc/x"}]}"#,
        r#""storage": {"files": [{"path": "/x"}, {"path": "/x"}]}"#,
        r#""storage": {"files": [{"path": "/x", "mode": 4096}]}"#,
        r#""storage": {"files": [{"path": "/x", "mode": "0644"}]}"#,
        r#""storage": {"files": [{"path": "/x", "contents": {"source": "file:///x"}}]}"#,
        r#""storage": {"files": [{"path": "/x", "contents": {"source": "data:x"}}]}"#,
        r#""passwd": {"users": [{"name": "a"}, {"name": "a"}]}"#,
        r#""passwd": {"users": [{"name": "a", "sshAuthorizedKeys": ["k", "k"]}]}"#,
        r#""passwd": {"users": [{"name": "a", "groups": ["g", "g"]}]}"#,
        r#""systemd": {"units": [{"name": "a.service", "dropins": [{"name": "a.conf"}, {"name": "a.conf"}]}]}"#,
        r#""storage": {"disks": [{"device": "/dev/a"}, {"device": "/dev/a"}]}"#,
        r#""storage": {"disks": [{"device": "/dev/a", "partitions": [{"number": 1}, {"number": 1}]}]}"#,
        r#""systemd": {"units": [{"name": "a.service"}, {"name": "a.service"}]}"#,
        // Only warnings, with exit code 0: the guest would lack what was meant.
        r#""storage": {"flies": []}"#,
        r#""kernelArguments": {}"#,
        r#""storage": {"files": [{"path": "/x", "contents": {"source": "data:,x", "human_read": 1}}]}"#,
        r#""Passwd": {"Users": [{"NAME": "a", "sshauthorizedkeys": ["k"], "nick": "b"}]}"#,
    ] {
        let text = format!("{{\"ignition\": {{\"version\": \"3.2.0\"}}, {rest}}}");
        fs::write(&path, &text).unwrap();
        let output = Command::new(&validate).arg(&path).output().unwrap();
        assert!(!output.stderr.is_empty() || !output.stdout.is_empty(), "the validator takes {rest}");
        let ours = crate::format::ignition::read(text.as_bytes());
        assert_eq!(ours.is_ok(), output.status.success(), "{rest}");
        assert!(ours.is_err() || ours.is_ok_and(|ready| !ready.ignored.is_empty()), "we say nothing of {rest}");
    }
}

#[test]
fn out_10_generated_scripts_are_clean_to_shellcheck_and_parse_in_every_shell() {
    let Some(()) = tools(&["shellcheck", "dash", "bash", "busybox"]) else { return };
    let directory = support::workdir();
    let path = directory.path().join("script");
    let ready: &[u8] = b"#!/bin/bash\n# combustion: network prepare\ntrue\n";
    let carried: [(&str, &[u8]); 4] = [("s", ready), ("its", b"\0"), ("-n", b"x\n"), NASTY_FILES[0]];
    let with = "script = \"s\"\nside_files = [\"its\", \"-n\"]\n";
    for (case, wish) in
        [("typed", NASTY.to_owned()), ("carried", with.to_owned()), ("typed and carried", format!("{with}{NASTY}"))]
    {
        fs::write(&path, script(&wish, &carried)).unwrap();
        for command in [
            // SC2016 asks whether a `$` in single quotes was meant to expand; here it never is.
            &["shellcheck", "-s", "sh", "-S", "style", "-e", "SC2016"][..],
            &["sh", "-n"],
            &["dash", "-n"],
            &["bash", "-n"],
            &["bash", "--posix", "-n"],
            &["busybox", "sh", "-n"],
        ] {
            let output = Command::new(command[0]).args(&command[1..]).arg(&path).output().unwrap();
            assert!(output.status.success(), "{case} {command:?} {}", told(&output));
        }
    }
}

/// Runs a script in a root directory of its own and gives its output; `None` where that cannot be done.
pub struct Guest {
    root: tempfile::TempDir,
}

impl Guest {
    pub fn new() -> Option<Self> {
        tools(&["unshare", "chroot", "dash", "bash"])?;
        let probe = Command::new("unshare").args(["-rm", "true"]).output().unwrap();
        if !probe.status.success() {
            support::skip("unprivileged user namespaces");
            return None;
        }
        let root = support::workdir();
        for directory in ["dev", "etc", "home/bob", "root", "stub", "work"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        for file in ["dev/null", "log"] {
            fs::write(root.path().join(file), "").unwrap();
        }
        for name in STUBBED {
            executable(&root.path().join("stub").join(name), STUB.as_bytes());
        }
        Some(Self { root })
    }

    pub fn path(&self, path: &str) -> std::path::PathBuf {
        self.root.path().join(path)
    }

    /// Makes a stub fail.
    pub fn fail(&self, name: &str) {
        fs::write(self.path(&format!("fail-{name}")), "").unwrap();
    }

    pub fn run(&self, shell: &[&str], script: &[u8]) -> Output {
        executable(&self.path("work/script"), script);
        let mut mounts = String::from("set -e; cd \"$1\"; shift; mount --bind /dev/null dev/null; ");
        for directory in ["usr", "bin", "lib", "lib64", "sbin"] {
            let host = Path::new("/").join(directory);
            let here = self.path(directory);
            let _ = fs::remove_file(&here);
            match fs::read_link(&host) {
                Ok(target) => symlink(target, &here).unwrap(),
                Err(_) if host.is_dir() => {
                    fs::create_dir_all(&here).unwrap();
                    mounts.push_str(&format!("mount --rbind /{directory} {directory}; "));
                }
                Err(_) => {}
            }
        }
        mounts.push_str(
            "exec chroot . /usr/bin/env -i PATH=/stub:/usr/bin:/bin sh -c 'cd /work && exec \"$@\"' sh \"$@\"",
        );
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", &mounts, "sh"]).arg(self.root.path());
        command.args(shell).arg("./script").output().unwrap()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }
}

#[test]
fn out_1_a_generated_script_does_exactly_what_was_written() {
    for shell in PLAIN_SHELLS {
        let Some(guest) = Guest::new() else { return };
        // Set-user-ID needs a newer spec than Debian's validator knows, so only the script has it.
        let wish = format!("report = false\n{}", NASTY.replace("\"0755\"", "\"4755\""));
        let output = guest.run(shell, &script(&wish, &NASTY_FILES));
        assert!(output.status.success(), "{shell:?} {}", told(&output));
        assert_eq!(output.stdout, b"", "{shell:?}");
        let expected = include_str!("provision/nasty.log").replace("HASH", HASH);
        assert_eq!(guest.log(), expected, "{shell:?} {}", told(&output));
        for (path, mode, text) in [
            ("root/.ssh/authorized_keys", 0o600, format!("{KEY}\n")),
            ("home/bob/.ssh/authorized_keys", 0o600, format!("no-pty {KEY}\n")),
            ("etc/-x/it's \"q\" $(touch pwned)", 0o640, "a\nEND\n$HOME `touch pwned`\n\\\t'\"\nEND_\n".to_owned()),
            ("etc/bytes", 0o4755, "\u{1}\0\u{e4}\u{20ac} no line end".to_owned()),
            ("etc/magic", 0o644, "# combustion: network\n".to_owned()),
            ("home/bob/.config/x/y", 0o644, String::new()),
            ("etc/systemd/system/-.mount.d/10.conf", 0o644, "[Mount]\n".to_owned()),
            (
                "etc/systemd/system/a@b\\x2d.service",
                0o644,
                "[Service]\nExecStart=/bin/echo $A '%n'\n[Install]\nWantedBy=x.target\n".to_owned(),
            ),
        ] {
            let file = guest.path(path);
            assert_eq!(String::from_utf8(fs::read(&file).unwrap()).unwrap(), text, "{shell:?} {path}");
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, mode, "{shell:?} {path}");
        }
        for trace in ["pwned", "work/pwned", "etc/pwned"] {
            assert!(!guest.path(trace).exists(), "{shell:?} {trace}");
        }
    }
}

/// shadow 4.19's chpasswd refuses hashes that login takes (shadow: issues 1483 and 1519).
#[test]
fn a_hash_that_chpasswd_refuses_is_set_by_usermod_and_only_both_failing_fails() {
    for shell in PLAIN_SHELLS {
        for (failing, code) in [(&["chpasswd"][..], 0), (&["chpasswd", "usermod"], 9)] {
            let Some(guest) = Guest::new() else { return };
            failing.iter().for_each(|name| guest.fail(name));
            let output = guest.run(shell, &script(NASTY, &NASTY_FILES));
            assert_eq!(output.status.code(), Some(code), "{shell:?} {failing:?} {}", told(&output));
            assert!(guest.log().contains(&format!("usermod <--password> <{HASH}> <root>\n")), "{}", guest.log());
        }
    }
}

#[test]
fn a_failing_step_fails_the_script_and_unmounts() {
    for shell in PLAIN_SHELLS {
        for step in ["useradd", "chown", "systemctl", "install", "mount"] {
            let Some(guest) = Guest::new() else { return };
            guest.fail(step);
            let output = guest.run(shell, &script(NASTY, &NASTY_FILES));
            assert_eq!(output.status.code(), Some(9), "{shell:?} {step} {}", told(&output));
            let log = guest.log();
            let unmounted = log.lines().filter(|line| *line == "umount </home>").count();
            assert_eq!(unmounted, usize::from(step != "mount"), "{shell:?} {step}\n{log}");
        }
    }
}

#[test]
fn what_a_file_replaces_is_not_written_through() {
    for shell in PLAIN_SHELLS {
        let Some(guest) = Guest::new() else { return };
        fs::write(guest.path("etc/target"), "kept").unwrap();
        symlink("/etc/target", guest.path("etc/x")).unwrap();
        let wish = "[[provision.file]]\npath = \"/etc/x\"\ntext = \"new\\n\"\n";
        let output = guest.run(shell, &script(wish, &[]));
        assert!(output.status.success(), "{}", told(&output));
        assert_eq!(fs::read(guest.path("etc/target")).unwrap(), b"kept");
        assert!(!guest.path("etc/x").is_symlink());
    }
}

#[test]
fn a_ready_made_script_comes_last_with_its_own_interpreter_and_exit_code() {
    let ready = b"#!/bin/bash\n[[ -e /etc/x ]] && echo \"$BASH_VERSION\" >/etc/ran\nexit 7\n";
    let wish = "script = \"s\"\n[[provision.file]]\npath = \"/etc/x\"\ntext = \"\"\n[[provision.file]]\npath = \"/home/y\"\ntext = \"\"\n";
    for shell in PLAIN_SHELLS {
        let Some(guest) = Guest::new() else { return };
        let output = guest.run(shell, &script(wish, &[("s", ready)]));
        assert_eq!(output.status.code(), Some(7), "{shell:?} {}", told(&output));
        assert!(fs::metadata(guest.path("etc/ran")).unwrap().len() > 1, "{shell:?}");
        assert_eq!(guest.log().matches("umount").count(), 1, "{shell:?} unmounted before");
    }
}

/// What a run leaves behind: output, exit code, and each file beside the script.
fn run_beside(shell: &[&str], script: &[u8], beside: &[(&str, &[u8])], arguments: &[&str]) -> (String, Option<i32>) {
    let directory = support::workdir();
    executable(&directory.path().join("script"), script);
    for (name, bytes) in beside {
        // As cp leaves them when they come from a FAT volume.
        fs::create_dir_all(directory.path().join(name).parent().unwrap()).unwrap();
        executable(&directory.path().join(name), bytes);
    }
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).arg("./script").args(arguments).current_dir(directory.path());
    let output = command.output().unwrap();
    (told(&output).replace(&directory.path().display().to_string(), "DIR"), output.status.code())
}

#[test]
fn a_script_that_carries_its_side_files_acts_the_same_with_and_without_them() {
    let Some(()) = tools(&["dash", "bash", "busybox", "sha256sum"]) else { return };
    let ready = "#!/bin/bash\n# combustion: network prepare\numask\nfor f in a+b ./-n its END; do\n  stat -c %a -- \"$f\"; sha256sum -- \"$f\"\ndone\npwd\nprintf '<%s>' \"$@\"\n./tool\n[ \"${1-}\" = --prepare ] && exit 3\nexit 4 # \u{e4}\n";
    let side: [(&str, &[u8]); 5] = [
        ("a+b", b"\0\xff\x80"),
        ("-n", b""),
        ("its", b"END\n'$x'\n"),
        ("END", b"no line end"),
        ("tool", b"#!/bin/sh\necho tool\n"),
    ];
    let files: Vec<_> = side.iter().copied().chain([("s", ready.as_bytes())]).collect();
    let wish = "script = \"s\"\nside_files = [\"a+b\", \"-n\", \"its\", \"END\", \"tool\"]\n";
    let carrying = script(wish, &files);
    for (arguments, code) in [(&[][..], 4), (&["--prepare"], 3), (&["a b", "$c"], 4)] {
        let (expected, plain) = run_beside(&["bash"], ready.as_bytes(), &side, arguments);
        assert_eq!(plain, Some(code), "{expected}");
        for shell in SHELLS {
            assert_eq!(run_beside(shell, &carrying, &side, arguments).0, expected, "{shell:?} on the disk");
            assert_eq!(run_beside(shell, &carrying, &[], arguments).0, expected, "{shell:?} by fw_cfg");
        }
    }
}

#[test]
fn side_files_keep_their_path_below_the_script() {
    let Some(()) = tools(&["dash", "bash", "busybox"]) else { return };
    let ready = b"#!/bin/sh\ncat parts/one parts/deep/two elsewhere\n";
    let side: [(&str, &[u8]); 3] = [("parts/one", b"1\n"), ("parts/deep/two", b"2\n"), ("elsewhere", b"3\n")];
    let files: Vec<(&str, &[u8])> =
        vec![("c/s", ready), ("c/parts/one", side[0].1), ("c/parts/deep/two", side[1].1), ("x/elsewhere", side[2].1)];
    let wish = "script = \"c/s\"\nside_files = [\"c/parts/one\", \"c/parts/deep/two\", \"x/elsewhere\"]\n";
    let carrying = script(wish, &files);
    for shell in SHELLS {
        assert_eq!(run_beside(shell, &carrying, &side, &[]).0, "Some(0)\n1\n2\n3\n", "{shell:?} on the disk");
        assert_eq!(run_beside(shell, &carrying, &[], &[]).0, "Some(0)\n1\n2\n3\n", "{shell:?} by fw_cfg");
    }
}

#[test]
fn what_the_disk_brought_is_kept() {
    let files: [(&str, &[u8]); 2] = [("s", b"#!/bin/sh\ncat motd\n"), ("motd", b"old\n")];
    let carrying = script("script = \"s\"\nside_files = [\"motd\"]\n", &files);
    for shell in SHELLS {
        if tool(shell[0]).is_none() {
            return;
        }
        assert_eq!(run_beside(shell, &carrying, &[("motd", b"newer\n")], &[]).0, "Some(0)\nnewer\n");
    }
}
