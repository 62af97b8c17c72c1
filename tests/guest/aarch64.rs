//! An aarch64 machine comes up to its firmware, by `run-qemu.sh` and from its domain XML in a libvirt of our own.
//!
//! There is no system behind it: the demo's disk holds x86 code. What is looked for is that the firmware ran, saw the system
//! disk, took it for what boots first, and found nothing to start there.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::tests::guest::demo::{install, start};
use crate::tests::support::libvirtd;
use crate::tests::support::{BOOT_LIMIT, Bin, tools, workdir};

const RECIPE: &str = r#"format = 1
name = "arm"
[base]
url = "guest.qcow2"
[machine]
arch = "aarch64"
accel = "tcg"
memory = "512MiB"
vcpus = 1
network = "user"
watchdog = "reset"
[machine.system]
size = "16MiB"
[[machine.disk]]
serial = "data1"
size = "64MiB"
[[provision.file]]
path = "/etc/hostname"
text = "arm\n"
"#;

/// The firmware's last word on the first of its boot options; edk2: `BdsDxe`.
const TRIED: &str = "BdsDxe: failed to load Boot0001";

const TOOLS: [&str; 2] = ["qemu-system-aarch64", "sha256sum"];

fn build(place: &Path) -> PathBuf {
    let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/demo/guest.qcow2");
    std::fs::copy(guest, place.join("guest.qcow2")).unwrap();
    std::fs::write(place.join("arm.toml"), RECIPE).unwrap();
    Bin::new(place).args(["update", "arm.toml"]).run().success();
    PathBuf::from(Bin::new(place).args(["build", "--no-link", "arm.toml"]).run().success().line())
}

/// What the serial console must hold: the firmware, and that it tried the system disk before anything else.
fn came_up(said: &str) {
    assert!(said.contains("UEFI firmware"), "{said}");
    let first = said.split("BdsDxe: ").nth(1).unwrap_or_default();
    assert!(first.contains("Boot0001") && first.contains("PciRoot(0x0)/Pci("), "{said}");
}

/// Ends what it started, however the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn an_aarch64_machine_comes_up_to_its_firmware_by_run_qemu() {
    let Some(()) = tools(&TOOLS) else { return };
    let place = workdir();
    let bundle = build(place.path());
    let log = place.path().join("serial");
    let mut command = Command::new(bundle.join("run-qemu.sh"));
    command.env("TMPDIR", place.path()).stdin(Stdio::null()).stdout(File::create(&log).unwrap());
    let _running = Running(command.spawn().unwrap());
    let begun = Instant::now();
    loop {
        let said = String::from_utf8_lossy(&std::fs::read(&log).unwrap()).into_owned();
        if said.contains(TRIED) {
            return came_up(&said);
        }
        assert!(begun.elapsed() < BOOT_LIMIT, "the firmware did not get that far:\n{said}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn an_aarch64_machine_comes_up_to_its_firmware_by_its_domain_xml() {
    let Some(()) = tools(&TOOLS).and_then(|()| tools(&libvirtd::TOOLS)) else { return };
    let place = workdir();
    let bundle = build(place.path());
    for transport in ["fwcfg", "disk"] {
        let place = workdir();
        let instance = install(&bundle, place.path(), "arm");
        came_up(&start(&instance, transport, place.path(), TRIED));
    }
}
