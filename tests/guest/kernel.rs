//! Is the guest that judges our bundles a fair judge? Boots it with media made by other people's tools, good ones and
//! ones that MicroOS would not see. Starts mkfs.vfat, mtools, sgdisk, xorriso and QEMU in temporary directories.
//! Read next: tests/support/guest.rs.

use crate::tests::support::guest::{Bytes, Disk, Guest, GuestReport, SeenDisk};
use crate::tests::support::{output, tools, workdir};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const CONFIG: &[u8] = br#"{"ignition":{"version":"3.2.0"}}"#;
const SCRIPT: &[u8] = b"#!/bin/sh\n# combustion: network\necho done\n";

/// A directory with the sources of a medium.
struct Media {
    dir: tempfile::TempDir,
}

impl Media {
    fn new() -> Self {
        let dir = workdir();
        for (name, bytes) in [("config.ign", CONFIG), ("script", SCRIPT)] {
            std::fs::write(dir.path().join(name), bytes).unwrap();
        }
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, command: &str) {
        output(Command::new("/bin/sh").args(["-euc", command]).current_dir(self.dir.path())).success();
    }

    /// A FAT volume of 1 MiB with both folders on it.
    fn fat(&self, name: &str, label: &str) -> PathBuf {
        self.run(&format!("truncate -s 1M {name}; PATH=$PATH:/usr/sbin:/sbin; mkfs.vfat -n {label} {name} 2>&1"));
        self.run(&format!("mmd -i {name} ::ignition ::combustion; mcopy -i {name} config.ign ::ignition/config.ign"));
        self.run(&format!("mcopy -i {name} script ::combustion/script"));
        self.run(&format!("mcopy -i {name} script '::combustion/A rather long name of a side file.txt'"));
        self.path(name)
    }
}

fn on_the_volume() -> BTreeMap<String, Bytes> {
    [
        ("ignition/config.ign", CONFIG),
        ("combustion/script", SCRIPT),
        ("combustion/A rather long name of a side file.txt", SCRIPT),
    ]
    .map(|(path, bytes)| (path.to_owned(), Bytes::of(bytes)))
    .into()
}

#[test]
fn a_volume_is_found_by_its_label_and_every_file_arrives_whole() {
    let (Some(()), Some(guest)) = (tools(&["mkfs.vfat", "mcopy", "qemu-img"]), Guest::prepare()) else { return };
    let media = Media::new();
    let raw = media.fat("config.raw", "ignition");
    media.run("qemu-img create -q -f qcow2 data.qcow2 30G");
    let report = guest.boot(
        &[Disk::raw(raw).serial("config"), Disk::qcow2(media.path("data.qcow2")).serial("tank-0")],
        &[
            ("opt/com.coreos/config", &media.path("config.ign")),
            ("opt/org.opensuse.combustion/script", &media.path("script")),
        ],
    );
    let volume = report.volume("ignition").expect("a volume");
    assert_eq!((volume.device.as_str(), volume.kind.as_str()), ("vda", "vfat"));
    assert_eq!(volume.files, on_the_volume());
    assert_eq!(report.volumes.len(), 1);
    let disk = |device: &str, size, serial: &str| SeenDisk { device: device.into(), size, serial: serial.into() };
    assert_eq!(report.disks, [disk("vda", 1 << 20, "config"), disk("vdb", 30 << 30, "tank-0")]);
    let entries = [("opt/com.coreos/config", CONFIG), ("opt/org.opensuse.combustion/script", SCRIPT)];
    assert_eq!(report.fw_cfg, entries.map(|(name, bytes)| (name.to_owned(), Bytes::of(bytes))).into());
    eprintln!("the guest took {:?}", report.wall);
}

#[test]
fn a_label_in_capitals_or_only_in_the_boot_sector_is_not_seen() {
    let (Some(()), Some(guest)) = (tools(&["mkfs.vfat", "mcopy"]), Guest::prepare()) else { return };
    let media = Media::new();
    let capitals = media.fat("capitals.raw", "IGNITION");
    let boot_sector = media.fat("boot-sector.raw", "ignition");
    forget_label_of_root_directory(&boot_sector);
    let report = guest.boot(&[Disk::raw(capitals), Disk::raw(boot_sector)], &[]);
    assert_eq!(report.volume("ignition"), None);
    assert_eq!((report.volumes.as_slice(), report.disks.len()), ([].as_slice(), 2), "{}", report.serial);
}

#[test]
fn combustion_is_seen_either_way_and_in_a_partition_and_on_a_disc() {
    let (Some(()), Some(guest)) = (tools(&["mkfs.vfat", "mcopy", "sgdisk", "xorriso"]), Guest::prepare()) else {
        return;
    };
    let media = Media::new();
    let capitals = media.fat("capitals.raw", "COMBUSTION");
    media.fat("volume.raw", "combustion");
    media.run("truncate -s 4M usb.raw; PATH=$PATH:/usr/sbin:/sbin; sgdisk -n 1:2048:+1M -t 1:0700 usb.raw");
    media.run("dd if=volume.raw of=usb.raw bs=512 seek=2048 conv=notrunc status=none");
    media.run(
        "mkdir -p disc/ignition; cp config.ign disc/ignition; xorriso -as mkisofs -quiet -R -V ignition -o d.iso disc",
    );
    let report = guest.boot(&[capitals, media.path("usb.raw"), media.path("d.iso")].map(Disk::raw), &[]);
    assert_eq!(
        seen(&report),
        [("vdc", "iso9660", "ignition"), ("vdb1", "vfat", "combustion"), ("vda", "vfat", "COMBUSTION")]
    );
    assert_eq!(report.volume("combustion").unwrap().files, on_the_volume());
    assert_eq!(report.volume("COMBUSTION").unwrap().files, on_the_volume());
    assert_eq!(report.volume("ignition").unwrap().files["ignition/config.ign"], Bytes::of(CONFIG));
}

fn seen(report: &GuestReport) -> Vec<(&str, &str, &str)> {
    let told = report.volumes.iter();
    told.map(|volume| (volume.device.as_str(), volume.kind.as_str(), volume.label.as_str())).collect()
}

/// Takes the volume entry (attribute 0x08) out of the root directory; the boot sector keeps its copy of the label.
fn forget_label_of_root_directory(image: &Path) {
    let mut bytes = std::fs::read(image).unwrap();
    let entry = bytes[512..].windows(12).position(|window| window == b"ignition   \x08").unwrap() + 512;
    bytes[entry] = 0xE5;
    assert_eq!(&bytes[43..54], b"ignition   ");
    std::fs::write(image, bytes).unwrap();
}
