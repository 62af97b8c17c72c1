//! The demo bundle boots, by each transport, through `run-qemu.sh` and through `install.sh` plus the domain XML, and
//! tells what reached it. Starts QEMU in software emulation and a private libvirtd.
//! Read next: recipes/demo/guest.s (what it prints).

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::libvirt::Libvirt;
use crate::support::{BOOT_LIMIT, Bin, boot, output, tool, workdir};

struct World {
    dir: tempfile::TempDir,
    bundle: PathBuf,
}

fn build() -> World {
    let dir = workdir();
    let bundle = PathBuf::from(Bin::new(dir.path()).args(["build", "demo"]).run().success().line());
    World { dir, bundle }
}

/// What the guest must say when a file reached it: the bytes of the bundle's file between its two lines.
fn arrives(said: &str, name: &str, file: &Path) {
    let bytes = std::fs::read_to_string(file).unwrap();
    let block = format!("config {name} BEGIN\n{bytes}config {name} END\n");
    assert!(said.contains(&block), "{name} did not arrive whole:\n{said}");
}

fn by_disk(said: &str, bundle: &Path) {
    assert!(said.contains("ARCA-DEMO 1\n") && said.contains("ARCA-DEMO DONE"), "{said}");
    assert!(said.contains("label ignition\n"), "{said}");
    assert!(!said.contains("fw_cfg opt/"), "the disk set also uses fw_cfg:\n{said}");
    arrives(said, "/ignition/config.ign", &bundle.join("config.ign"));
    arrives(said, "/combustion/script", &bundle.join("script"));
}

fn by_fw_cfg(said: &str, bundle: &Path) {
    assert!(said.contains("ARCA-DEMO DONE"), "{said}");
    assert!(!said.contains("label ignition"), "the fw_cfg set also has the config disk:\n{said}");
    let size = std::fs::metadata(bundle.join("config.ign")).unwrap().len();
    assert!(said.contains(&format!("fw_cfg opt/com.coreos/config {size}\n")), "{said}");
    arrives(said, "opt/com.coreos/config", &bundle.join("config.ign"));
    arrives(said, "opt/org.opensuse.combustion/script", &bundle.join("script"));
}

#[test]
fn run_qemu_boots_the_demo_by_each_transport_and_changes_nothing() {
    if tool("qemu-system-x86_64").is_none() {
        return;
    }
    let world = build();
    for (transport, check) in [("disk", by_disk as fn(&str, &Path)), ("fw_cfg", by_fw_cfg)] {
        let mut command = Command::new(world.bundle.join("run-qemu.sh"));
        command.args(["--transport", transport, "--accel", "tcg"]).env("TMPDIR", world.dir.path());
        check(&boot(&mut command, BOOT_LIMIT), &world.bundle);
    }
    Bin::new(world.dir.path()).args(["verify", "result-demo"]).run().success();
}

#[test]
fn an_installed_demo_boots_from_its_domain_xml_by_each_transport() {
    if tool("qemu-system-x86_64").is_none() || tool("sha256sum").is_none() {
        return;
    }
    let world = build();
    for (transport, check) in [("disk", by_disk as fn(&str, &Path)), ("fwcfg", by_fw_cfg)] {
        let Some(libvirt) = Libvirt::start() else { return };
        let storage = libvirt.directory().join("storage");
        std::fs::create_dir(&storage).unwrap();
        output(Command::new(world.bundle.join("install.sh")).arg("--storage").arg(&storage)).success();
        let xml = storage.join(format!("demo/domain-{transport}.xml"));
        let said = libvirt.run_domain("demo", &xml, BOOT_LIMIT);
        check(&said, &world.bundle);
        // What the guest wrote, if anything, is in the instance; the bundle is as it was.
        Bin::new(world.dir.path()).args(["verify", "result-demo"]).run().success();
        let again = output(Command::new(world.bundle.join("install.sh")).arg("--storage").arg(&storage));
        assert_ne!(again.code, 0, "an instance that is there is never overwritten\n{again}");
    }
}
