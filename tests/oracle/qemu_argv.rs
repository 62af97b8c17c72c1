//! What `arca-build run` gives to QEMU against what `run-qemu.sh` prints, word by word, for every golden machine. Runs `sh`.

use std::process::Command;

use crate::base::{Arch, BaseKind, Transport};
use crate::emit::{Launch, argv};
use crate::plan::{Accel, Firmware, Machine};

use crate::tests::support::machines::{self, every, identity};
use crate::tests::support::{output, workdir};

/// The words that the bundle's own script would start QEMU with.
fn printed(machine: &Machine, transport: &str) -> Vec<String> {
    let dir = workdir();
    // A comma is what QEMU's option strings trip over.
    let here = dir.path().join("a, b");
    std::fs::create_dir(&here).unwrap();
    let script = here.join("run-qemu.sh");
    std::fs::write(&script, machines::text(&machines::files(machine), "run-qemu.sh")).unwrap();
    let mut command = Command::new("sh");
    command.arg(&script).args(["--print", "--accel", "tcg", "--transport", transport]);
    command.env("OVMF_CODE", "/fw/code,x.fd").env("OVMF_VARS", "/fw/vars.fd").env("TMPDIR", "/t");
    let said = output(&mut command).success().stdout;
    let words = shlex::split(&said).unwrap();
    words.into_iter().map(|word| word.replace(&*here.to_string_lossy().replace(',', ",,"), "FILES")).collect()
}

#[test]
fn run_and_the_bundles_own_script_start_qemu_with_the_same_words() {
    let mut compared = 0;
    for (name, machine) in every() {
        let transports: &[Transport] =
            if machine.is_mixed() { &[Transport::Disk] } else { &[Transport::Disk, Transport::FwCfg] };
        for &transport in transports {
            let word = if machine.is_mixed() { "mixed" } else { transport.as_str() };
            let iso = machine.base == BaseKind::Iso;
            let launch = Launch {
                machine: &machine,
                identity: &identity(&machine),
                transport,
                installed: false,
                accel: &[Accel::Tcg],
                files: "FILES",
                disks: None,
                detached: &[],
                firmware: (machine.firmware == Firmware::Uefi).then_some(("/fw/code,x.fd", "/fw/vars.fd")),
                kernel: iso.then_some(("/t/arca-run.XXXXXX/linux", "/t/arca-run.XXXXXX/initrd")),
                tpm: machine.hardware.security.tpm.then_some("/t/arca-run.XXXXXX/tpm"),
                console: &["-serial".to_owned(), "mon:stdio".to_owned()],
            };
            assert_eq!(launch.is_installing(), iso);
            let printed = printed(&machine, word);
            let program = if machine.arch == Arch::Aarch64 { "qemu-system-aarch64" } else { "qemu-system-x86_64" };
            assert_eq!(printed[0], program);
            assert_eq!(argv(&launch), printed[1..], "{name} {transport:?}");
            compared += 1;
        }
    }
    assert!(compared >= 28, "{compared}");
}
