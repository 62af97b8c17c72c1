//! The emitted scripts: clean to shellcheck, the same under every shell, and harmless when something goes wrong.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::base::{Arch, Digest};
use crate::plan::{Accel, Firmware, Machine};

use crate::tests::support::launch::{self, Bundle, both, names, ok};
use crate::tests::support::machines;
use crate::tests::support::{tool, tools};

const SHELLS: [&str; 3] = ["dash", "bash", "busybox"];

/// A program that writes its arguments, each ended by NUL, to `argv` beside its directory.
const DUMP: &str = "#!/bin/sh\nprintf '%s\\0' \"$@\" > \"${0%/bin/*}/argv\"\n";

fn all() -> Vec<(String, Machine)> {
    machines::every()
}

fn case(name: &str) -> Machine {
    all().into_iter().find(|(case, _)| case == name).unwrap().1
}

fn wanted(more: &[&str]) -> Option<()> {
    tools(&launch::TOOLS)?;
    tools(more)
}

fn install(bundle: &Bundle) -> Command {
    let mut command = bundle.script("dash", "install.sh");
    command.arg("--storage").arg(&bundle.storage);
    command
}

fn argv(bundle: &Bundle) -> Vec<String> {
    let bytes = fs::read_to_string(bundle.root.path().join("argv")).unwrap();
    bytes.split_terminator('\0').map(str::to_owned).collect()
}

/// Every file and its digest: what must not change.
fn state(directory: &Path) -> Vec<(String, Digest)> {
    names(directory)
        .into_iter()
        .map(|name| (name.clone(), Digest::of(&fs::read(directory.join(name)).unwrap())))
        .collect()
}

#[test]
fn out_1_every_script_is_clean_to_shellcheck_and_parses_in_every_shell() {
    let Some(()) = wanted(&["shellcheck", "dash", "bash", "busybox"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    for (case, machine) in all() {
        for file in machines::files(&machine).into_iter().filter(|file| file.executable) {
            let path = directory.path().join(&file.name);
            fs::write(&path, &file.bytes).unwrap();
            let run = |program: &str, arguments: &[&str]| {
                let done = Command::new(program).args(arguments).arg(&path).output().unwrap();
                assert!(done.status.success(), "{case} {} {program}\n{}", file.name, both(&done));
            };
            run("shellcheck", &["-s", "sh", "-S", "style"]);
            run("dash", &["-n"]);
            run("bash", &["--posix", "-n"]);
            run("busybox", &["sh", "-n"]);
        }
    }
}

#[test]
fn out_1_virt_install_is_given_exactly_the_words_meant_by_every_shell() {
    let Some(()) = wanted(&SHELLS) else { return };
    let nasty = ["a b", "", "$(id)", "'", "\"", "-x", "*", "\\", "a\nb"];
    for (case, machine) in machines::eight() {
        let seen = SHELLS.map(|shell| {
            let bundle = Bundle::new(&machine);
            let mut command = bundle.script(shell, "virt-install.sh");
            bundle.shim(&mut command, "virt-install", DUMP);
            command.arg("--storage").arg(&bundle.storage).args(["--connect", "test:///x y", "--"]).args(nasty);
            ok(command.output().unwrap());
            assert!(bundle.instance().join("system.qcow2").exists(), "install.sh comes first");
            let instance = bundle.instance().display().to_string();
            argv(&bundle).into_iter().map(|word| word.replace(&instance, "DIR")).collect::<Vec<_>>()
        });
        assert_eq!(seen[0], seen[1], "{case}");
        assert_eq!(seen[0], seen[2], "{case}");
        intended(&seen[0], &machine);
        let tail = [&["--noautoconsole", "--connect", "test:///x y"], &nasty[..]].concat();
        assert!(seen[0].ends_with(&tail.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()), "{:?}", seen[0]);
    }
}

/// The words that carry what a user wrote or what must not be mistaken, spelt out.
fn intended(argv: &[String], machine: &Machine) {
    let value = |name: &str| argv.iter().position(|word| word == name).map(|at| argv[at + 1].as_str());
    let quoted = machine.description.as_ref().unwrap().replace('\\', "\\\\").replace('"', "\\\"");
    assert_eq!(value("--metadata"), Some(format!("description=\"{quoted}\"").as_str()));
    assert_eq!(value("--uuid"), Some(machines::identity(machine).uuid.as_str()));
    let overlay = "xpath0.set=\"./backingStore/@type=file\",xpath1.set=\"./backingStore/format/@type=qcow2\",\
                   xpath2.set=./backingStore/source/@file=DIR/base.qcow2,xpath3.create=./backingStore/backingStore";
    let backing = if machine.backing_file().is_some() { overlay } else { "xpath0.create=./backingStore" };
    let system = format!(
        "path=DIR/system.qcow2,target.bus=virtio,target.dev=vda,driver.name=qemu,driver.type=qcow2,\
         driver.discard=unmap,serial=system,boot.order=1,{backing}"
    );
    assert_eq!(value("--disk"), Some(system.as_str()));
    match machine.transport {
        crate::base::Transport::Disk => assert_eq!(value("--sysinfo"), None),
        crate::base::Transport::FwCfg => {
            let (key, file) = machine.fw_cfg[0];
            assert_eq!(
                value("--sysinfo"),
                Some(format!("type=fwcfg,entry0.name={key},entry0.file=DIR/{file}").as_str())
            );
        }
    }
}

#[test]
fn install_sh_copies_verifies_and_tells_the_next_command_in_every_shell() {
    let Some(()) = wanted(&SHELLS) else { return };
    for shell in SHELLS {
        let machine = case("ignition-qcow2-disk");
        // The instance's directory in the description must not be rewritten.
        let machine = Machine { description: Some("\"/var/lib/libvirt/images/nas/".into()), ..machine };
        let bundle = Bundle::named(&machine, "a bundle's \"place\", $HOME");
        let mut command = bundle.script(shell, "install.sh");
        let told = ok(command.arg("--storage").arg(&bundle.storage).output().unwrap());
        let instance = bundle.instance();
        let shown = instance.display();
        assert_eq!(told, format!("installed: {shown}\nnext: virsh define {shown}/domain.xml && virsh start nas\n"));
        assert_eq!(
            names(&instance),
            [
                "base.qcow2",
                "config.ign",
                "config.qcow2",
                "data-tank-1.qcow2",
                "data-tank-2.qcow2",
                "domain-disk.xml",
                "domain-fwcfg.xml",
                "domain.xml",
                "system.qcow2"
            ]
        );
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&instance), 0o711);
        for (name, wanted) in
            [("system.qcow2", 0o600), ("base.qcow2", 0o444), ("config.ign", 0o600), ("domain.xml", 0o644)]
        {
            assert_eq!(mode(&instance.join(name)), wanted, "{name}");
        }
        for (name, digest) in state(&instance).into_iter().filter(|(name, _)| !name.ends_with(".xml")) {
            assert_eq!(digest, Digest::of(&fs::read(bundle.path.join(&name)).unwrap()), "{name}");
        }
        let domain = fs::read_to_string(instance.join("domain.xml")).unwrap();
        let wanted = bundle.text("domain.xml").replace("=\"/var/lib/libvirt/images/nas/", &format!("=\"{shown}/"));
        assert_eq!(domain, wanted);
        assert!(domain.contains("&quot;/var/lib/libvirt/images/nas/<"), "{domain}");
        assert_eq!(names(&bundle.storage), ["nas"]);
    }
}

#[test]
fn install_sh_takes_the_installers_kernel_out_of_the_iso() {
    let Some(()) = wanted(&[]) else { return };
    let bundle = Bundle::new(&case("ignition-iso-fw_cfg"));
    let told = ok(install(&bundle).output().unwrap());
    let instance = bundle.instance();
    let shown = instance.display();
    assert!(
        told.contains(&format!("next: virsh create {shown}/domain.xml && virsh define {shown}/domain-installed.xml\n"))
    );
    assert_eq!(fs::read_to_string(instance.join("linux")).unwrap(), "a kernel\n");
    assert_eq!(fs::read_to_string(instance.join("initrd")).unwrap(), "an initrd\n");
    let domain = fs::read_to_string(instance.join("domain.xml")).unwrap();
    assert!(domain.contains(&format!("<kernel>{shown}/linux</kernel>")) && !domain.contains("/var/lib"), "{domain}");
    assert!(domain.contains(&format!("<initrd>{shown}/initrd</initrd>")), "{domain}");
}

#[test]
fn install_sh_refuses_an_iso_that_is_no_kiwi_installer() {
    let Some(()) = wanted(&[]) else { return };
    let bundle = Bundle::new(&case("ignition-iso-disk"));
    let other = bundle.root.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("README"), "another installer").unwrap();
    fs::remove_file(bundle.path.join("base.iso")).unwrap();
    let mkisofs = ["-as", "mkisofs", "-quiet", "-o"];
    ok(Command::new("xorriso").args(mkisofs).arg(bundle.path.join("base.iso")).arg(&other).output().unwrap());
    bundle.sums();
    let done = install(&bundle).output().unwrap();
    assert_eq!(done.status.code(), Some(1));
    assert!(both(&done).contains("the ISO holds no boot/x86_64/loader/linux"), "{}", both(&done));
    assert_eq!(names(&bundle.storage), [""; 0]);
}

#[test]
fn out_15_install_sh_never_touches_what_is_there() {
    let Some(()) = wanted(&[]) else { return };
    let bundle = Bundle::new(&case("combustion-qcow2-disk"));
    ok(install(&bundle).output().unwrap());
    fs::write(bundle.instance().join("system.qcow2"), "precious").unwrap();
    let before = state(&bundle.instance());
    let refused = |done: Output| {
        assert_eq!(done.status.code(), Some(1));
        assert!(both(&done).contains("exists already; nothing was changed"), "{}", both(&done));
        assert_eq!(names(&bundle.storage), ["nas"]);
    };
    refused(install(&bundle).output().unwrap());
    assert_eq!(before, state(&bundle.instance()));
    fs::rename(bundle.instance(), bundle.root.path().join("elsewhere")).unwrap();
    symlink("nowhere", bundle.instance()).unwrap();
    refused(install(&bundle).output().unwrap());
    fs::remove_file(bundle.instance()).unwrap();
    fs::write(bundle.instance(), "a file").unwrap();
    refused(install(&bundle).output().unwrap());
}

#[test]
fn a_damaged_bundle_installs_nothing() {
    let Some(()) = wanted(&[]) else { return };
    let bundle = Bundle::new(&case("combustion-qcow2-disk"));
    let good = fs::read(bundle.path.join("base.qcow2")).unwrap();
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    bundle.write("base.qcow2", &bad);
    let done = install(&bundle).output().unwrap();
    assert_eq!(done.status.code(), Some(1));
    assert!(both(&done).contains("the bundle is damaged; nothing was installed"), "{}", both(&done));
    bundle.write("base.qcow2", &good);
    let sums = bundle.text("SHA256SUMS");
    bundle.write("SHA256SUMS", sums.replace("  script\n", "  scripts\n").as_bytes());
    let done = install(&bundle).output().unwrap();
    assert!(both(&done).contains("SHA256SUMS does not list script; nothing was installed"), "{}", both(&done));
    fs::remove_file(bundle.path.join("script")).unwrap();
    let done = install(&bundle).output().unwrap();
    assert!(both(&done).contains("cannot copy"), "{}", both(&done));
    assert_eq!(names(&bundle.storage), [""; 0]);
}

#[test]
fn out_15_killed_at_any_step_install_sh_leaves_no_instance_and_can_run_again() {
    let Some(()) = wanted(&["sha256sum"]) else { return };
    // Each program that install.sh runs is one step; the shim kills the script there.
    for step in ["mktemp", "cp", "chmod", "awk", "sha256sum", "sed", "cat", "mv"] {
        for (signal, left) in [("KILL", 1), ("TERM", 0)] {
            let bundle = Bundle::new(&case("ignition-qcow2-disk"));
            let real = tool(step).unwrap();
            let mut command = install(&bundle);
            let kill = format!("kill -{signal} \"$PPID\"\n[ {signal} = KILL ] || exec {} \"$@\"\n", real.display());
            // Before the temporary directory exists, nothing may be left at all.
            bundle.shim(&mut command, step, &format!("#!/bin/sh\n{kill}"));
            let done = command.output().unwrap();
            assert!(!done.status.success(), "{step} {signal}");
            let left_over = names(&bundle.storage);
            let instance = left_over.contains(&"nas".to_owned());
            // `mv` under TERM has done its one rename, which is the whole instance.
            assert_eq!(instance, step == "mv" && signal == "TERM", "{step} {signal}: {left_over:?}");
            assert!(left_over.len() <= left.max(usize::from(instance)), "{step} {signal}: {left_over:?}");
            if !instance {
                ok(install(&bundle).output().unwrap());
            }
            assert_eq!(names(&bundle.instance()).len(), 9, "{step} {signal}");
        }
    }
}

#[test]
fn of_many_at_once_one_install_wins_and_the_others_leave_nothing() {
    let Some(()) = wanted(&[]) else { return };
    let bundle = Bundle::new(&case("ignition-qcow2-disk"));
    let mut slow = install(&bundle);
    // All of them get past the first look at the target.
    let real = tool("sha256sum").unwrap();
    let wait = format!("#!/bin/sh\nsleep 1\nexec {} \"$@\"\n", real.display());
    bundle.shim(&mut slow, "sha256sum", &wait);
    let path = format!("{}:{}", bundle.root.path().join("bin").display(), std::env::var("PATH").unwrap());
    let start = |_| install(&bundle).env("PATH", &path).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let children: Vec<_> = (0..4).map(start).collect();
    let won = children.into_iter().map(|mut child| child.wait().unwrap()).filter(|status| status.success()).count();
    assert_eq!(won, 1);
    assert_eq!(names(&bundle.storage), ["nas"]);
    assert_eq!(names(&bundle.instance()).len(), 9);
}

#[test]
fn out_3_storage_directories_that_virt_install_mishandles_are_refused() {
    let Some(()) = wanted(&SHELLS) else { return };
    let bundle = Bundle::new(&case("ignition-qcow2-disk"));
    let odd = ["a b", "a'b", "a\"b", "a&b", "a<b", "a,b", "a\nb", "é", "$HOME", "../storage", "./storage", "a//b", "*"];
    for shell in SHELLS {
        for script in ["install.sh", "virt-install.sh"] {
            for storage in odd
                .map(|name| format!("{}/{name}", bundle.root.path().display()))
                .iter()
                .map(String::as_str)
                .chain(["", "/", "storage"])
            {
                let mut command = bundle.script(shell, script);
                bundle.shim(&mut command, "virt-install", DUMP);
                command.env("LC_ALL", "C.UTF-8").env("LANG", "de_DE.UTF-8");
                let done = command.args(["--storage", storage]).output().unwrap();
                assert_eq!(done.status.code(), Some(2), "{shell} {script} {storage:?}: {}", both(&done));
                assert!(both(&done).contains("must be an absolute path"), "{}", both(&done));
            }
        }
    }
    assert_eq!(names(&bundle.storage), [""; 0]);
    assert!(!bundle.root.path().join("argv").exists());
}

#[test]
fn out_7_install_sh_tells_when_other_users_cannot_get_there() {
    let Some(()) = wanted(&[]) else { return };
    let bundle = Bundle::new(&case("ignition-qcow2-disk"));
    fs::set_permissions(&bundle.storage, Permissions::from_mode(0o700)).unwrap();
    let done = install(&bundle).output().unwrap();
    assert!(done.status.success());
    let note = format!("note: {} keeps other users out", bundle.storage.display());
    assert!(String::from_utf8_lossy(&done.stderr).contains(&note), "{}", both(&done));
    let open = Bundle::new(&case("ignition-qcow2-disk"));
    assert_eq!(String::from_utf8_lossy(&install(&open).output().unwrap().stderr), "");
}

#[test]
fn usage_errors_and_help_are_told_apart() {
    let Some(()) = wanted(&SHELLS) else { return };
    let bundle = Bundle::new(&case("ignition-iso-disk"));
    for script in ["install.sh", "virt-install.sh", "virt-install-fwcfg.sh", "run-qemu.sh"] {
        for shell in SHELLS {
            let help = ok(bundle.script(shell, script).arg("--help").output().unwrap());
            assert!(help.starts_with(&format!("usage: {script} ")), "{help}");
            let wrong = bundle.script(shell, script).arg("--nonsense").output().unwrap();
            assert_eq!(wrong.status.code(), Some(2), "{}", both(&wrong));
            assert!(both(&wrong).contains("unknown argument: --nonsense"));
        }
    }
    for option in ["--transport", "--ssh-port", "--accel"] {
        for arguments in [&[option][..], &[option, "x y"]] {
            let wrong = bundle.script("dash", "run-qemu.sh").args(["--print"]).args(arguments).output().unwrap();
            assert_eq!(wrong.status.code(), Some(2), "{arguments:?} {}", both(&wrong));
        }
    }
}

#[test]
fn out_4_run_qemu_gives_qemu_any_path_whole() {
    let Some(()) = wanted(&SHELLS) else { return };
    let place = "a, b,,c' \"d\" $(id) `e` \\ f=g,if=none";
    for name in ["ignition-qcow2-disk", "ignition-qcow2-fw_cfg"] {
        let seen = SHELLS.map(|shell| {
            let bundle = Bundle::named(&case(name), place);
            let mut command = bundle.script(shell, "run-qemu.sh");
            bundle.shim(&mut command, "fake-qemu", DUMP);
            command.env("QEMU", "fake-qemu").args(["--", "-device", "a b'c"]);
            ok(command.output().unwrap());
            let argv = argv(&bundle);
            let printed = ok(bundle
                .script(shell, "run-qemu.sh")
                .env("QEMU", "fake-qemu")
                .args(["--print", "--", "-device", "a b'c"])
                .output()
                .unwrap());
            assert_eq!(shlex::split(&printed).unwrap(), [&["fake-qemu".to_owned()][..], &argv].concat());
            let file = bundle.path.join("system.qcow2").display().to_string().replace(',', ",,");
            assert!(argv.contains(&format!("if=none,id=disk-system,format=qcow2,snapshot=on,file={file}")), "{argv:?}");
            let config = bundle.path.display().to_string().replace(',', ",,");
            let by_disk = format!("if=none,id=disk-config,format=qcow2,readonly=on,file={config}/config.qcow2");
            let by_fw_cfg = format!("name=opt/com.coreos/config,file={config}/config.ign");
            assert_eq!(argv.contains(&by_disk), name.ends_with("disk"), "{argv:?}");
            assert_eq!(argv.contains(&by_fw_cfg), name.ends_with("fw_cfg"), "{argv:?}");
            argv.into_iter().map(|word| word.replace(&config, "DIR")).collect::<Vec<_>>()
        });
        assert_eq!(seen[0], seen[1]);
        assert_eq!(seen[0], seen[2]);
    }
}

#[test]
fn run_qemu_changes_transport_accelerator_and_port_when_asked() {
    let Some(()) = wanted(&[]) else { return };
    let bundle = Bundle::new(&case("ignition-qcow2-disk"));
    let print = |arguments: &[&str]| {
        shlex::split(&ok(bundle.script("dash", "run-qemu.sh").arg("--print").args(arguments).output().unwrap()))
            .unwrap()
    };
    let has = |words: &[String], text: &str| words.iter().any(|word| word.contains(text));
    let words = print(&["--transport", "fw_cfg", "--accel", "tcg", "--ssh-port", "2222"]);
    assert!(has(&words, "opt/com.coreos/config") && !has(&words, "config.qcow2"), "{words:?}");
    assert!(has(&words, "hostfwd=tcp:127.0.0.1:2222-:22"), "{words:?}");
    assert_eq!(words.iter().filter(|word| *word == "-accel").count(), 1);
    let words = print(&["--transport=disk", "--accel=auto"]);
    assert!(!has(&words, "opt/") && has(&words, "config.qcow2") && !has(&words, "hostfwd"), "{words:?}");
    assert_eq!(words.iter().filter(|word| *word == "-accel").count(), 2);
    let plain = Bundle::new(&case("unprovisioned-no-network"));
    let refused = plain.script("dash", "run-qemu.sh").args(["--print", "--ssh-port", "1"]).output().unwrap();
    assert!(both(&refused).contains("this machine has no network"), "{}", both(&refused));
}

#[test]
fn run_qemu_finds_uefi_firmware_and_takes_another() {
    let Some(()) = wanted(&[]) else { return };
    let bundle = Bundle::new(&Machine { firmware: Firmware::Uefi, ..case("ignition-qcow2-disk") });
    let mut command = bundle.script("dash", "run-qemu.sh");
    command.arg("--print").env("OVMF_CODE", "/a,b").env("OVMF_VARS", "/c d");
    let words = shlex::split(&ok(command.output().unwrap())).unwrap();
    assert!(words.contains(&"if=pflash,unit=0,format=raw,readonly=on,file=/a,,b".to_owned()), "{words:?}");
    assert!(words.contains(&"if=pflash,unit=1,format=raw,snapshot=on,file=/c d".to_owned()), "{words:?}");
}

/// Runs a bundle by the real QEMU, stopped, and talks to its monitor through the console's escape.
fn monitor(bundle: &Bundle, more: &[&str]) -> String {
    ask(bundle, more, "info block")
}

fn ask(bundle: &Bundle, more: &[&str], questions: &str) -> String {
    let temporary = bundle.root.path().join("tmp");
    fs::create_dir_all(&temporary).unwrap();
    let mut command = bundle.script("sh", "run-qemu.sh");
    command.args(["--accel", "tcg", "--", "-S"]).args(more).env("TMPDIR", &temporary);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("\x01c{questions}\nquit\n").as_bytes()).unwrap();
    let told = ok(child.wait_with_output().unwrap());
    assert_eq!(names(&temporary), [""; 0], "nothing is left behind");
    told
}

/// A port of this machine that nobody listens on.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn real_qemu_takes_every_further_key_and_the_tpm_goes_with_it() {
    let Some(()) = wanted(&["qemu-system-x86_64", "qemu-system-aarch64", "swtpm"]) else { return };
    for (name, mut machine) in machines::equipped().into_iter().filter(|(name, _)| name != "equipped-iso") {
        let host = free_port();
        machine.hardware.ports = vec![format!("127.0.0.1:{host}:80/tcp").parse().unwrap()];
        let bundle = Bundle::new(&machine);
        let told = ask(&bundle, &[], "info tpm\ninfo usernet\ninfo qtree\ninfo memdev\ninfo hotpluggable-cpus");
        let model = if machine.arch == Arch::X86_64 { "tpm-crb" } else { "tpm-tis" };
        let mac = machines::identity(&machine).mac;
        let mac = machine.hardware.mac.as_ref().map_or(mac.as_str(), |mac| mac.as_str());
        for part in [model, &host.to_string(), "dev: i6300esb", mac, "share: true"] {
            assert!(told.contains(part), "{name} {part}: {told}");
        }
        assert_eq!(told.contains("secure = true"), machine.hardware.security.secure_boot, "{name}: {told}");
        let state = bundle.root.path().join("tmp").display().to_string();
        let left = || {
            let mut lines =
                fs::read_dir("/proc").unwrap().filter_map(|entry| fs::read(entry.unwrap().path().join("cmdline")).ok());
            lines.any(|line| String::from_utf8_lossy(&line).contains(&state))
        };
        let gone = (0..100).any(|_| {
            !left() || {
                std::thread::sleep(std::time::Duration::from_millis(100));
                false
            }
        });
        assert!(gone, "{name}: swtpm is still there");
    }
}

#[test]
fn out_4_real_qemu_opens_a_bundle_at_an_odd_path_and_leaves_it_alone() {
    let Some(()) = wanted(&["qemu-system-x86_64"]) else { return };
    for (name, machine) in machines::eight().into_iter().filter(|(name, _)| name.contains("ignition-qcow2")) {
        let bundle = Bundle::named(&Machine { accel: Accel::Tcg, ..machine }, "it's, a \"place\",if=none");
        for name in names(&bundle.path) {
            fs::set_permissions(bundle.path.join(name), Permissions::from_mode(0o444)).unwrap();
        }
        let before = state(&bundle.path);
        let told = monitor(&bundle, &[]);
        assert!(told.contains("disk-system") && told.contains("disk-tank-2"), "{told}");
        assert_eq!(told.contains("disk-config"), name.ends_with("disk"), "{told}");
        assert_eq!(before, state(&bundle.path));
    }
}

#[test]
fn run_qemu_starts_the_installers_kernel_and_cleans_up_even_when_stopped() {
    let Some(()) = wanted(&SHELLS) else { return };
    for shell in SHELLS {
        let bundle = Bundle::new(&case("ignition-iso-disk"));
        let temporary = bundle.root.path().join("tmp");
        fs::create_dir(&temporary).unwrap();
        let run = |shim: &str| {
            let mut command = bundle.script(shell, "run-qemu.sh");
            bundle.shim(&mut command, "fake-qemu", shim);
            command.env("QEMU", "fake-qemu").env("TMPDIR", &temporary);
            command
        };
        let look = "#!/bin/sh\nwhile [ \"$1\" != -kernel ]; do shift; done\ncat \"$2\" \"$4\" -\nexit 7\n";
        let mut child = run(look).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"typed\n").unwrap();
        let done = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&done.stdout), "a kernel\nan initrd\ntyped\n", "{shell}");
        assert_eq!(done.status.code(), Some(7), "{shell}: the status is QEMU's");
        assert_eq!(names(&temporary), [""; 0]);
        // Ended by a signal: QEMU goes too.
        let wait = "#!/bin/sh\necho $$\nexec sleep 60\n";
        let mut child = run(wait).stdout(Stdio::piped()).spawn().unwrap();
        let mut pid = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut pid).unwrap();
        ok(Command::new("kill").arg(child.id().to_string()).output().unwrap());
        assert!(!child.wait().unwrap().success());
        assert_eq!(names(&temporary), [""; 0]);
        // Whoever adopts it collects it when it finds the time.
        let gone = || !Path::new("/proc").join(pid.trim()).exists();
        let waited = (0..100).any(|_| {
            gone() || {
                std::thread::sleep(std::time::Duration::from_millis(100));
                false
            }
        });
        assert!(waited, "{shell}: QEMU is still there");
    }
}
