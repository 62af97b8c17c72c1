//! Whole logs: what is found, in which order, and that no bytes end in anything but a diagnosis.

use proptest::prelude::*;

use super::*;
use crate::base::text::is_unsafe;

fn of(text: &str) -> Diagnosis {
    diagnose(&Log::read(text.as_bytes()).unwrap())
}

fn ids(diagnosis: &Diagnosis) -> Vec<&str> {
    diagnosis.findings.iter().map(|found| found.issue.id.as_str()).collect()
}

#[test]
fn the_first_failure_is_the_cause_and_what_it_leads_to_says_so() {
    let found = of("[    5.0] ignition[1]: error at line 3 col 23: invalid character\n\
                    [    5.1] ignition[1]: Ignition failed: config is not valid\n\
                    Entering emergency mode. Exit the shell to continue.\n");
    assert_eq!(ids(&found), ["ignition-parse", "ignition-failed", "emergency"]);
    let after: Vec<_> = found.findings.iter().map(|found| found.after).collect();
    assert_eq!(after, [None, Some("ignition-parse"), Some("ignition-parse")]);
    let first = &found.findings[0];
    assert_eq!(first.headline(), "Ignition cannot read its config: line 3, column 23: invalid character");
    assert_eq!((first.line, first.at), (1, Some(5000)));
    let text = found.to_string();
    assert!(text.contains("the first failure") && text.contains("it follows from ignition-parse"), "{text}");
}

#[test]
fn a_wait_for_a_config_disk_is_harmless_where_a_config_came_and_not_told_where_none_did() {
    let wait = "[ TIME ] Timed out waiting for device dev-…[0m - /dev/disk/by-label/ignition.\n";
    let by_fw_cfg = of(&format!("{wait}[   14.0] ignition[1]: fetched user config from \"qemu\"\n"));
    assert_eq!(ids(&by_fw_cfg), ["label-wait"]);
    assert!(!by_fw_cfg.is_wrong());
    let by_none =
        of(&format!("{wait}[   14.0] ignition[1]: not a config (empty): provider config was empty, continuing\n"));
    assert_eq!(ids(&by_none), ["no-config"]);
    let other =
        of("[ TIME ] Timed out waiting for device /dev/disk/by-label/DATA.\nYou are in emergency mode. After\n");
    assert_eq!(ids(&other), ["device-timeout", "emergency"]);
}

#[test]
fn one_engine_without_a_config_is_as_it_should_be_where_the_other_has_one() {
    let combustion = "[   14.0] ignition[1]: not a config (empty): provider config was empty\n\
                      [   15.0] combustion[2]: transactional-update 5.0 started\n";
    assert_eq!(ids(&of(combustion)), [""; 0]);
    let ignition =
        "[    4.0] combustion[2]: No config source found\n[   14.0] ignition[1]: fetched user config from \"system\"\n";
    assert_eq!(ids(&of(ignition)), [""; 0]);
}

#[test]
fn a_question_that_was_answered_is_not_waited_for() {
    let asks = "         Starting SUSE JeOS First Boot Wizard...\n";
    assert_eq!(ids(&of(asks)), ["firstboot-wizard"]);
    assert_eq!(ids(&of(&format!("{asks}localhost login:\n"))), [""; 0]);
}

#[test]
fn boots_are_told_apart_and_each_has_its_own_cause() {
    let one = "[    0.000000] Linux version 6\n[   20.000000] ignition[1]: Ignition failed: x\n";
    let found = of(&format!("{one}{one}[   21.0] a\nnas login: \n"));
    assert_eq!(
        found.boots.iter().map(|boot| (boot.first, boot.last, boot.reached)).collect::<Vec<_>>(),
        [(1, 2, Stage::Kernel), (3, 6, Stage::Login)]
    );
    assert_eq!(
        found.findings.iter().map(|found| (found.boot, found.after)).collect::<Vec<_>>(),
        [(0, None), (1, None)]
    );
    // A quiet kernel does not say its version; its clock begins anew.
    assert_eq!(of("[   20.0] a\n[    2.0] b\n").boots.len(), 2);
    assert_eq!(of("[   20.1] a\n[   20.0] b\n").boots.len(), 1);
}

#[test]
fn a_machine_that_begins_anew_for_ever_fills_no_screen() {
    let found = of(&"[    0.000000] Linux version 6\n[    9.0] ignition[1]: Ignition failed: x\n".repeat(500));
    let text = found.to_string();
    assert_eq!((found.boots.len(), found.findings.len()), (500, 500));
    assert_eq!((text.matches("came as far as").count(), text.matches("failure[").count()), (5, 5), "{text}");
    assert!(text.contains("not told: 495 boots between\nboot 497, "), "{text}");
}

#[test]
fn what_a_script_said_last_is_shown_and_what_others_said_is_not() {
    let log = "[    1.0] combustion[7]: one\n[    1.1] systemd[1]: noise\n[    1.2] combustion[7]: two\n\
               [    1.3] combustion[7]: Command failed, rolling back\n";
    assert_eq!(of(log).findings[0].said, ["one", "two", "Command failed, rolling back"]);
}

/// Ignition quotes the program's words behind the whole command.
#[test]
fn of_a_long_line_the_middle_is_left_out() {
    let found = of(&format!("Ignition failed: {}too small", "x".repeat(900)));
    let said = &found.findings[0].said[0];
    assert!(said.starts_with("Ignition failed: x") && said.contains(" … ") && said.ends_with("too small"), "{said}");
    assert_eq!(said.chars().count(), 423);
}

#[test]
fn many_of_a_kind_are_counted_and_not_all_told() {
    let keys: String = (0..100).map(|key| format!("warning at $.k{key}, line 2 col {key}: Unused key k\n")).collect();
    let found = of(&keys.repeat(2));
    assert_eq!(found.findings.len(), ALIKE);
    assert_eq!(found.findings.iter().map(|found| found.times).sum::<usize>(), 200);
}

#[test]
fn what_holds_no_boot_is_not_called_well() {
    let noise: Vec<u8> = (0..40_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    // A program holds the words of every step, as this one does.
    let program = [b"\x7fELF\0\0\0\0Linux version \0\0\0\nIgnition failed: x\0\0\0\0".as_slice(); 40].concat();
    for (log, is_binary) in [
        (&b""[..], false),
        (b"\n\n", false),
        (b"#!/bin/sh\necho hello\n", false),
        (b"2026-01-01 10:00 GET /index.html 200\n", false),
        (&noise, true),
        (&program, true),
    ] {
        let found = diagnose(&Log::read(log).unwrap());
        assert_eq!((found.boots.len(), found.is_blind(), found.is_binary), (0, true, is_binary), "{found}");
        let told = found.to_string();
        assert!(told.contains("0 boots") && told.contains("so nothing can be said"), "{told}");
        assert!(!told.contains("nothing known is wrong"), "{told}");
        assert_eq!(told.contains("this is no text"), is_binary, "{told}");
    }
    // Odd bytes on a console are no reason not to look.
    let stammer =
        diagnose(&Log::read(&b"\0\xff\0\n[    1.000000] Linux version 6.18.0 (geeko@buildhost)\n"[..]).unwrap());
    assert_eq!((stammer.boots.len(), stammer.is_binary), (1, false));
}

#[test]
fn an_empty_log_says_what_to_look_at() {
    let found = of("");
    assert!(found.boots.is_empty() && found.to_string().contains("console=ttyS0"), "{found}");
}

/// What each log's findings are, and how far its last boot came.
fn expect(cases: &[(&str, &[&str], Stage)]) {
    for (log, meant, reached) in cases {
        let found = of(log);
        assert_eq!(ids(&found), *meant, "{log}\n{found}");
        assert_eq!(found.boots.last().map_or(Stage::Nowhere, |boot| boot.reached), *reached, "{log}\n{found}");
    }
}

#[test]
fn targets_of_the_initrd_are_not_the_systems() {
    let initrd = "[    1.0] systemd[1]: Running in initrd.\n[  OK  ] Reached target sysinit.target - System Initialization.\n\
                  [  OK  ] Reached target local-fs.target - Local File Systems.\n";
    let udev = "[  OK  ] Started systemd-udevd.service - Rule-based Manager for Device Events and Files.\n";
    let welcome = "Welcome to openSUSE MicroOS dracut-059 (Initramfs)!\n[  OK  ] Reached target local-fs.target.\n";
    let system = "[  OK  ] Reached target local-fs.target - Local File Systems.\n";
    expect(&[
        (initrd, &[], Stage::Initrd),
        (&format!("Booting initrd of Debian GNU/Linux 13 (trixie) dracut-106.\n{udev}"), &[], Stage::Initrd),
        (welcome, &[], Stage::Initrd),
        (&format!("{initrd}[    9.0] systemd[1]: Switching root.\n"), &[], Stage::SwitchRoot),
        (&format!("{initrd}[    9.0] systemd[1]: Switching root.\n{system}"), &[], Stage::System),
        (
            &format!("{welcome}         Starting initrd-switch-root.service - Switch Root...\n{system}"),
            &[],
            Stage::System,
        ),
        // A log that begins in the system, as one without an initrd does.
        (system, &[], Stage::System),
        (&format!("{welcome}         Starting Ignition (fetch)...\n{system}"), &[], Stage::Ignition),
    ]);
}

#[test]
fn every_failed_line_without_a_row_of_its_own_is_named() {
    let told = |line: &str| {
        let found = of(&format!("[    1.0] systemd[1]: x\n{line}\n"));
        found.findings.iter().map(Found::headline).collect::<Vec<_>>()
    };
    for (line, unit) in [
        ("[FAILED] Failed to start podman-auto.service - Pull images.", "podman-auto.service"),
        ("[FAILED] Failed to start Pull images.", "Pull images"),
        ("[FAILED] Failed to mount srv-data.mount - /srv/data.", "srv-data.mount"),
        ("[FAILED] Failed to listen on cups.socket - CUPS Scheduler.", "cups.socket"),
        ("[FAILED] Failed to activate swap dev-vdb.swap - /dev/vdb.", "dev-vdb.swap"),
        ("[FAILED] Failed unmounting home.mount - /home.", "unmounting home.mount - /home"),
        ("[    9.0] systemd[1]: Failed to start a@b.service - A.", "a@b.service"),
        ("[    9.0] systemd[1]: dev-vdb.swap: Failed with result 'exit-code'.", "dev-vdb.swap"),
    ] {
        assert_eq!(told(line), [format!("the unit `{unit}` failed")], "{line}");
    }
    // Said twice, once shortened, it is one; a row of its own says more.
    let twice = of(
        "[FAILED] Failed to start samba-exp….service - Samba.\n[    9.0] systemd[1]: samba-export.service: Failed with result 'exit-code'.\n",
    );
    assert_eq!((ids(&twice), twice.findings[0].times), (vec!["unit-failed"], 2));
    expect(&[
        ("[FAILED] Failed to start sshd.service - OpenSSH Daemon.\n", &["sshd-down"], Stage::Nowhere),
        ("[FAILED] Failed to start combustion.service - Combustion.\n", &["combustion-silent"], Stage::Nowhere),
        ("[FAILED] Failed to start Ignition (disks).\n", &["ignition-silent"], Stage::Nowhere),
        (
            "[FAILED] Failed to start arca-pool-Arca.service - Make or find the pool Arca.\n",
            &["recipe-unit"],
            Stage::Nowhere,
        ),
    ]);
}

#[test]
fn a_wait_that_ended_well_is_not_told_and_one_that_did_not_is() {
    let wait = "[ ***  ] A start job is running for Combustion (1min 2s / no limit)\n";
    let other = "[  *** ] (2 of 2) Job podman.service/start running (2min / no limit)\n";
    expect(&[
        (wait, &["job-waits"], Stage::Nowhere),
        (&format!("{wait}[  OK  ] Finished Combustion.\n"), &[], Stage::Nowhere),
        (&format!("{wait}[    9.0] systemd[1]: Finished combustion.service - Combustion.\n"), &[], Stage::Kernel),
        (&format!("{wait}[    9.0] systemd[1]: Switching root.\n"), &[], Stage::SwitchRoot),
        (&format!("{wait}[FAILED] Failed to start Combustion.\n"), &["combustion-silent"], Stage::Nowhere),
        // One of two that wait.
        (&format!("{wait}[  OK  ] Finished Combustion.\n{other}"), &["job-waits"], Stage::Nowhere),
        (&format!("{wait}[  OK  ] Started x.service.\n{wait}"), &["job-waits"], Stage::Nowhere),
    ]);
    assert!(of(&format!("{wait}[  OK  ] Finished Combustion.\n{other}")).to_string().contains("podman.service"));
}

#[test]
fn a_healthy_boot_is_known_by_its_prompt_whatever_stands_behind_it_and_without_one() {
    let up = "[    1.0] systemd[1]: Switching root.\n";
    expect(&[
        (&format!("{up}nas login: \n"), &[], Stage::Login),
        (&format!("{up}nas login: [   45.100000] audit: type=1400\n"), &[], Stage::Login),
        (&format!("{up}nas.example.org login: arca-build: report (final): 3 things looked at\n"), &[], Stage::Login),
        (&format!("{up}localhost login: root\n"), &[], Stage::Login),
        (
            &format!(
                "{up}[   45.1] systemd[1]: Startup finished in 1s (kernel) + 9s (initrd) + 20s (userspace) = 30s.\n"
            ),
            &[],
            Stage::MultiUser,
        ),
        (
            &format!("{up}arca-build: report (final): 3 things looked at, 0 not there; failed units: none\n"),
            &[],
            Stage::MultiUser,
        ),
        (&format!("{up}[  OK  ] Reached target graphical.target - Graphical Interface.\n"), &[], Stage::MultiUser),
        // Nobody's prompt.
        (&format!("{up}see the login: page\n"), &[], Stage::SwitchRoot),
    ]);
}

#[test]
fn whatever_ignition_calls_critical_is_a_failure_and_so_is_a_stage_that_only_failed() {
    for line in [
        "[    9.0] ignition[7]: CRITICAL : files: op(3): failed to write unit",
        "CRITICAL : mkfs: x",
        "Nov 23 11:03:22 nas ignition[1]: CRITICAL : config fetch failed",
        "2026-11-23T11:03:22+0000 nas ignition[1]: CRITICAL: config fetch failed",
        "[    9.0] systemd[1]: ignition-mount.service: Main process exited, code=exited, status=1/FAILURE",
        "[    9.0] systemd[1]: ignition-mount.service: Failed with result 'exit-code'.",
    ] {
        let found = of(&format!("{line}\n"));
        assert!(found.is_wrong() && ids(&found)[0].starts_with("ignition-"), "{line}\n{found}");
    }
    // Where the reason is told, nobody is sent to look for it.
    let told = of("CRITICAL : Ignition failed: x\n[FAILED] Failed to start Ignition (files).\n");
    assert_eq!(ids(&told), ["ignition-failed"]);
}

#[test]
fn an_emergency_shell_alone_is_an_emergency() {
    for line in [
        "[  OK  ] Started emergency.service - Emergency Shell.",
        "[  OK  ] Reached target emergency.target - Emergency Mode.",
        "[    9.0] systemd[1]: Started Emergency Shell.",
        "         Starting Dracut Emergency Shell...",
        "         Starting dracut-emergency.service...",
    ] {
        assert_eq!(ids(&of(&format!("{line}\n"))), ["emergency"], "{line}");
    }
}

#[test]
fn a_time_out_of_dracut_names_the_root_device_where_it_says_it() {
    let out = "[  184.1] dracut-initqueue[4]: Warning: dracut-initqueue: timeout, still waiting for following initqueue hooks:\n";
    let not = "[  184.8] dracut-initqueue[4]: Warning: Could not boot.\n";
    for (line, device) in [
        ("[  185.0] dracut-initqueue[4]: Warning: /dev/root does not exist\n", "/dev/root"),
        ("[  185.0] dracut-initqueue[4]: Warning: \"/dev/disk/by-uuid/1-2\" does not exist\n", "/dev/disk/by-uuid/1-2"),
        (
            "[  184.2] dracut-initqueue[4]: Warning: x.sh: \"[ -e \"/dev/disk/by-label/ROOT\" ]\"\n",
            "/dev/disk/by-label/ROOT",
        ),
    ] {
        let found = of(&format!("{out}{line}{not}"));
        assert_eq!(ids(&found)[0], "root-device", "{found}");
        assert!(found.findings[0].headline().ends_with(device), "{found}");
    }
    assert_eq!(ids(&of(&format!("{out}{not}"))), ["root-unnamed"]);
    assert_eq!(ids(&of(&format!("{out}[  190.0] systemd[1]: Switching root.\n"))), [""; 0]);
}

#[test]
fn the_journal_of_a_single_unit_is_read() {
    for (journal, meant) in [
        ("Nov 23 11:03:22 nas systemd[1]: Starting a.service - A...\nNov 23 11:03:23 nas a[7]: done\n", &[][..]),
        ("Mon 2026-11-23 11:03:22 UTC nas podman[9]: pulling\n", &[]),
        ("2026-11-23T11:03:22+0000 nas sshd[5]: Server listening on 0.0.0.0 port 22.\n", &[]),
        ("Nov 23 11:03:22 nas systemd[1]: a.service: Failed with result 'exit-code'.\n", &["unit-failed"]),
        ("Mon 2026-11-23 11:03:22 UTC nas combustion[9]: Command failed, rolling back\n", &["script-failed"]),
    ] {
        let found = of(journal);
        assert_eq!((ids(&found), found.is_blind()), (meant.to_vec(), false), "{found}");
        assert!(!found.to_string().contains("so nothing can be said"), "{found}");
    }
    assert!(of("Nov 23 11:03:22 nas a[7]: done\n").to_string().contains("the journal of single units"));
}

#[test]
fn a_boot_by_ignition_alone_is_not_called_unprovisioned() {
    let none = "[    9.0] combustion-prepare[4]: No config source found\n";
    let ignition = "[ TIME ] Timed out waiting for device dev-disk-by…ition.device - /dev/disk/by-label/ignition.\n";
    let combustion = "[ TIME ] Timed out waiting for device dev-combust….device - /dev/combustion/config.\n";
    let unit = "[  OK  ] Finished arca-report.service - Tell what was applied to this system.\n";
    expect(&[
        (none, &[], Stage::Kernel),
        (&format!("{none}{ignition}"), &[], Stage::Kernel),
        (&format!("{none}{combustion}{unit}"), &[], Stage::Kernel),
        (&format!("{ignition}{combustion}{none}{unit}"), &[], Stage::Kernel),
        (&format!("{ignition}{combustion}{none}arca-build: report (final): 1\n"), &[], Stage::MultiUser),
        (&format!("{ignition}{combustion}{none}"), &["no-config"], Stage::Kernel),
        (&format!("{combustion}{ignition}"), &["no-config"], Stage::Nowhere),
    ]);
}

#[test]
fn boots_are_told_apart_without_the_kernels_own_lines() {
    let initrd = "Booting initrd of openSUSE MicroOS dracut-106.\n[  OK  ] Reached target sysinit.target.\n";
    let old = "Welcome to openSUSE MicroOS dracut-059 (Initramfs)!\n[  OK  ] Reached target sysinit.target.\n";
    for (log, boots) in [
        (format!("{initrd}{initrd}"), 2),
        (format!("{old}{old}{old}"), 3),
        (format!("{initrd}Welcome to openSUSE MicroOS!\n"), 1),
        (format!("{initrd}reboot: Restarting system\n{initrd}"), 2),
        (format!("{initrd}[  120.5] reboot: Restarting system\nSeaBIOS (version 1.16)\n{initrd}"), 2),
        (format!("{initrd}[  120.5] reboot: Restarting system\n[  120.6] reboot: machine restart\n{initrd}"), 2),
        (format!("{initrd}[  900.1] kexec_core: Starting new kernel\n{initrd}nas login:\n"), 2),
        (format!("{initrd}[  120.5] reboot: Power down\n"), 1),
    ] {
        assert_eq!(of(&log).boots.len(), boots, "{log}");
    }
}

#[test]
fn the_installer_is_not_called_the_system() {
    let installs = "[    0.0] Command line: root=install:CDLABEL=INSTALL rd.kiwi.oem.installdevice=/dev/vda\n\
                    [    2.0] systemd[1]: Running in initrd.\n[  OK  ] Reached target local-fs.target.\n";
    let silent = of(installs);
    assert_eq!((ids(&silent), silent.boots[0].reached), (vec![], Stage::Installer));
    assert!(silent.to_string().contains("in silence"), "{silent}");
    expect(&[
        ("Booting initrd of x\nLoading openSUSE-MicroOS.raw... [/dev/vda]\n", &[], Stage::Installer),
        (
            &format!("{installs}[  900.1] kexec_core: Starting new kernel\n[    0.0] Linux version 6\n"),
            &[],
            Stage::Kernel,
        ),
        (&format!("{installs}[    9.0] x\nSelect Installation Disk\n"), &["installer-asks"], Stage::Installer),
    ]);
}

#[test]
fn what_more_is_known_is_found_in_its_neighbours_too() {
    for (line, id) in [
        ("Fatal glibc error: CPU does not support x86-64-v3", "cpu-level"),
        ("/bin/bash: CPU does not support x86-64-v2", "cpu-level"),
        ("[    3.0] init[1]: Fatal glibc error: CPU does not support x86-64-v4", "cpu-level"),
        ("type=AVC msg=audit(1.2:3): avc:  denied  { name_bind } for pid=1 comm=\"nginx\" src=81", "selinux-denied"),
        ("[    9.0] audit: type=1400 audit(1.2:3): avc: denied { open } for pid=1 comm=\"sh\"", "selinux-denied"),
        ("audit[7]: AVC avc:  denied  { write read } for  pid=7 comm=\"a b\" name=\"x\"", "selinux-denied"),
        (
            "NetworkManager[7]: <warn>  [1.2] keyfile: load: \"/run/NetworkManager/system-connections/a\": failed to load connection: File permissions (100666) are insecure",
            "keyfile-mode",
        ),
        (
            "Nov 23 11:03:22 nas NetworkManager[7]: <warn> keyfile: load: \"/etc/a b\": failed to load connection: File permissions (100640) are insecure",
            "keyfile-mode",
        ),
        (
            "keyfile: load: \"/etc/x.nmconnection\": failed to load connection: File permissions (100755) are insecure",
            "keyfile-mode",
        ),
        (
            "qemu: -fw_cfg name=opt/org.opensuse.combustion/script,file=/root/s: can't load /root/s: Failed to open file “/root/s”: Permission denied",
            "fwcfg-denied",
        ),
        (
            "error: internal error: process exited while connecting to monitor: -fw_cfg name=opt/a,file=/x: can't load /x: Permission denied",
            "fwcfg-denied",
        ),
        ("cannot open file '/home/a/config.ign': Permission denied", "fwcfg-denied"),
    ] {
        let found = of(&format!("{line}\n"));
        assert_eq!(ids(&found), [id], "{line}");
        assert!(!found.findings[0].headline().contains('{'), "{found}");
    }
    assert_eq!(ids(&of("avc:  denied  { read } for pid=1 comm=\"a\" permissive=1\n")), [""; 0]);
}

/// Text as logs are made of: lines that match every issue with anything in the place of what they capture, control sequences between.
fn logs() -> impl Strategy<Value = Vec<u8>> {
    let lists = KNOWN.issues.iter().flat_map(|issue| [&issue.patterns, &issue.needs, &issue.until]);
    let expressions: Vec<&'static str> = lists.flat_map(known::Patterns::expressions).collect();
    let hole = regex::Regex::new(r"\(\?<\w+>\.\*\??\)|\.\*\?").unwrap();
    let line = (0..expressions.len(), "\\PC{0,12}").prop_map(move |(expression, filling)| {
        let text = expressions[expression].trim_start_matches('^').trim_end_matches('$');
        hole.replace_all(text, regex::NoExpand(&filling)).replace('\\', "").into_bytes()
    });
    let noise = proptest::collection::vec(any::<u8>(), 0..40);
    let part = prop_oneof![
        4 => line,
        1 => noise,
        1 => Just(b"[   12.345678] ignition[7]: ".to_vec()),
        2 => Just(b"\n".to_vec()),
        1 => Just(b"\r\x1b[7;20H\x1b]0;".to_vec()),
    ];
    proptest::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn out_14_no_bytes_of_a_log_panic_and_what_is_shown_of_them_is_safe(bytes in logs()) {
        let found = diagnose(&Log::read(bytes.as_slice()).unwrap());
        let text = found.to_string();
        prop_assert!(!text.chars().any(is_unsafe), "{:?}", text);
        prop_assert!(found.findings.iter().all(|found| !found.headline().contains('\n') && !found.said.is_empty()));
        let order: Vec<_> = found.findings.iter().map(|found| (found.boot, found.line)).collect();
        prop_assert!(order.is_sorted());
    }
}
