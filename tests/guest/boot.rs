//! A real kernel attaches a bundle's config disk, mounts it by label, and hashes what it finds: it must be what the
//! manifest's plan put there. Starts QEMU in software emulation. Read next: tests/support/guest.rs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::tests::support::guest::{Bytes, Disk, Guest};
use crate::tests::support::publisher::{Publisher, recipes};
use crate::tests::support::{Bin, workdir};

fn build(world: &Path, recipe: &str) -> PathBuf {
    let publisher = Publisher::start(world);
    recipes(world);
    let run = |words: &[&str]| Bin::new(world).arg("--config").arg(&publisher.config).args(words).run().success();
    run(&["update", recipe]);
    PathBuf::from(run(&["--no-link", recipe]).line())
}

/// Digest and size of a file as the manifest tells them.
fn listed(bundle: &Path, name: &str) -> Bytes {
    let manifest = std::fs::read_to_string(bundle.join("manifest.json")).unwrap();
    let manifest = crate::bundle::Manifest::parse(&manifest).unwrap();
    let entry = manifest.files.iter().find(|entry| entry.path == name).unwrap();
    let bytes = Bytes::of(&std::fs::read(bundle.join(name)).unwrap());
    assert!(format!("{bytes:?}").contains(&entry.sha256.to_string()), "{name} is not what the manifest says");
    bytes
}

#[test]
fn a_real_kernel_finds_every_file_of_the_config_disk_by_its_label() {
    let Some(guest) = Guest::prepare() else { return };
    let world = workdir();
    for (recipe, label, expected) in [
        ("demo", "ignition", vec![("ignition/config.ign", "config.ign"), ("combustion/script", "script")]),
        ("nas", "ignition", vec![("ignition/config.ign", "config.ign")]),
    ] {
        let bundle = build(world.path(), &format!("recipes/{recipe}.toml"));
        let expected: BTreeMap<_, _> =
            expected.into_iter().map(|(path, name)| (path.to_owned(), listed(&bundle, name))).collect();
        for disk in [Disk::raw(bundle.join("config.raw")), Disk::qcow2(bundle.join("config.qcow2"))] {
            let report = guest.boot(&[disk.serial("config")], &[]);
            let volume = report.volume(label).unwrap_or_else(|| panic!("no volume `{label}`: {report:?}"));
            assert_eq!(volume.files, expected, "{recipe}");
        }
    }
}

#[test]
fn a_real_kernel_finds_combustions_side_files_under_their_long_names() {
    let Some(guest) = Guest::prepare() else { return };
    let world = workdir();
    let bundle = build(world.path(), "recipes/microos-combustion.toml");
    let report = guest.boot(&[Disk::qcow2(bundle.join("config.qcow2"))], &[]);
    let volume = report.volume("ignition").unwrap_or_else(|| panic!("no volume: {report:?}"));
    let motd = std::fs::read(world.path().join("recipes/microos-combustion/motd")).unwrap();
    assert_eq!(volume.files["combustion/script"], listed(&bundle, "script"));
    assert_eq!(volume.files["combustion/motd"], Bytes::of(&motd));
    assert_eq!(volume.files.len(), 2);
}

#[test]
fn a_real_kernel_reads_the_same_bytes_by_fw_cfg() {
    let Some(guest) = Guest::prepare() else { return };
    let world = workdir();
    let bundle = build(world.path(), "recipes/demo.toml");
    let (config, script) = (bundle.join("config.ign"), bundle.join("script"));
    let entries = [("opt/com.coreos/config", config.as_path()), ("opt/org.opensuse.combustion/script", &script)];
    let report = guest.boot(&[], &entries);
    assert_eq!(report.fw_cfg["opt/com.coreos/config"], listed(&bundle, "config.ign"));
    assert_eq!(report.fw_cfg["opt/org.opensuse.combustion/script"], listed(&bundle, "script"));
}

#[test]
fn a_real_kernel_finds_the_payload_by_its_serial_and_busybox_unpacks_it() {
    let Some(guest) = Guest::prepare() else { return };
    let world = workdir();
    let contents = [("rpms/a.rpm", vec![7; 70_000]), ("containers/web.tar", vec![]), ("rpms/b_rc.rpm", vec![1, 0])];
    let mut provision = String::from("[provision]\nengine = \"combustion\"\n");
    for ((_, bytes), name) in contents.iter().zip(["a.rpm", "web.tar", "b~rc.rpm"]) {
        std::fs::write(world.path().join(name), bytes).unwrap();
        let table = if name.ends_with(".rpm") { "rpm]]" } else { "container]]\nname = \"web\"" };
        provision += &format!("[[provision.{table}\nurl = \"{name}\"\n");
    }
    let base = "format = 1\nname = \"x\"\n[base]\nurl = \"guest.qcow2\"\n";
    std::fs::write(world.path().join("guest.qcow2"), include_bytes!("../../recipes/demo/guest.qcow2")).unwrap();
    std::fs::write(world.path().join("x.toml"), format!("{base}{provision}")).unwrap();
    Bin::new(world.path()).args(["update", "x.toml"]).run().success();
    let bundle = PathBuf::from(Bin::new(world.path()).args(["--no-link", "x.toml"]).run().success().line());
    let disks = [Disk::raw(bundle.join("payload.raw")).serial("arca-payload"), Disk::raw(bundle.join("config.raw"))];
    let report = guest.boot(&disks, &[]);
    let expected = contents.map(|(path, bytes)| (path.to_owned(), Bytes::of(&bytes)));
    assert_eq!(report.carried, expected.into(), "{}", report.serial);
    let volume = report.volume("ignition").unwrap_or_else(|| panic!("no volume: {report:?}"));
    assert_eq!(volume.files.keys().collect::<Vec<_>>(), ["combustion/script"], "and it is on no other disk");
}
