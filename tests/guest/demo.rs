//! The demo bundle boots, by each transport, through `run-qemu.sh` and through `install.sh` plus the domain XML, and
//! tells what reached it. Starts QEMU in software emulation and a private libvirtd.
//! Read next: recipes/demo/guest.s (what it prints).

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::tests::support::libvirtd::{self, Libvirtd, give};
use crate::tests::support::{BOOT_LIMIT, Bin, boot, output, tool, tools, workdir};

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

pub(crate) fn by_disk(said: &str, bundle: &Path) {
    assert!(said.contains("ARCA-DEMO 1\n") && said.contains("ARCA-DEMO DONE"), "{said}");
    assert!(said.contains("label ignition\n"), "{said}");
    assert!(!said.contains("fw_cfg opt/"), "the disk set also uses fw_cfg:\n{said}");
    arrives(said, "/ignition/config.ign", &bundle.join("config.ign"));
    arrives(said, "/combustion/script", &bundle.join("script"));
}

pub(crate) fn by_fw_cfg(said: &str, bundle: &Path) {
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
    let Some(()) = tools(&libvirtd::TOOLS).and_then(|()| tools(&["qemu-system-x86_64", "sha256sum"])) else { return };
    let world = build();
    for (transport, check) in [("disk", by_disk as fn(&str, &Path)), ("fwcfg", by_fw_cfg)] {
        let place = workdir();
        let instance = install(&world.bundle, place.path(), "demo");
        check(&start(&instance, transport, place.path(), "ARCA-DEMO DONE"), &world.bundle);
        // What the guest wrote, if anything, is in the instance; the bundle is as it was.
        Bin::new(world.dir.path()).args(["verify", "result-demo"]).run().success();
        let again =
            output(Command::new(world.bundle.join("install.sh")).arg("--storage").arg(instance.parent().unwrap()));
        assert_ne!(again.code, 0, "an instance that is there is never overwritten");
    }
}

/// Installs a bundle below `place`, for the user that libvirt runs as.
pub fn install(bundle: &Path, place: &Path, name: &str) -> PathBuf {
    std::fs::set_permissions(place, Permissions::from_mode(0o755)).unwrap();
    let storage = place.join("storage");
    std::fs::create_dir(&storage).unwrap();
    output(Command::new(bundle.join("install.sh")).arg("--storage").arg(&storage)).success();
    let instance = storage.join(name);
    give(&instance);
    std::fs::read_dir(&instance).unwrap().for_each(|entry| give(&entry.unwrap().path()));
    instance
}

/// Defines and starts an installed domain in a libvirt of our own, and returns what it said until it said `last`.
///
/// The one change to the domain: its serial port goes to a file, since nobody sits at the terminal.
pub fn start(instance: &Path, transport: &str, place: &Path, last: &str) -> String {
    let name = instance.file_name().unwrap().to_str().unwrap();
    let xml = std::fs::read_to_string(instance.join(format!("domain-{transport}.xml"))).unwrap();
    let talk = place.join("talk");
    std::fs::create_dir(&talk).unwrap();
    give(&talk);
    let log = talk.join("serial");
    let serial = format!("<serial type=\"file\"><source path=\"{}\"/></serial>", log.display());
    let changed = xml.replacen("<serial type=\"pty\"/>", &serial, 1);
    assert_ne!(changed, xml, "{xml}");
    let file = place.join("domain.xml");
    std::fs::write(&file, changed).unwrap();
    std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let libvirt = Libvirtd::start(place);
    for words in [&["define", "--validate", file.to_str().unwrap()][..], &["start", name]] {
        let done = libvirt.virsh(words);
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
    let begun = Instant::now();
    loop {
        let said = std::fs::read_to_string(&log).unwrap_or_default().replace('\r', "");
        if said.contains(last) {
            // A guest that does not end by itself would outlive its libvirt.
            libvirt.virsh(&["destroy", name]);
            return said;
        }
        assert!(begun.elapsed() < BOOT_LIMIT, "the guest did not end:\n{said}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
