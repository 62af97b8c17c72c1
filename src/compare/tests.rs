//! Tables about whole files: volumes, images, texts.

use std::io::Cursor;

use super::*;
use crate::base::DiskLabel;
use crate::format::fat;

fn volume(label: DiskLabel, id: u32, files: &[(&str, &str)]) -> Vec<u8> {
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes())).collect();
    fat::write(&fat::Volume { label, volume_id: id, epoch: 0, files }).unwrap()
}

fn shown(name: &str, is_launch: bool, before: &[u8], after: &[u8]) -> String {
    let mut differences = Differences::default();
    differences.add_file(name, is_launch, &mut Cursor::new(before), &mut Cursor::new(after)).unwrap();
    differences.to_string()
}

const CONFIG: &str =
    r#"{"ignition":{"version":"3.2.0"},"storage":{"files":[{"path":"/x","contents":{"source":"data:,canary1"}}]}}"#;

#[test]
fn sec_4_a_volume_is_compared_file_by_file_and_shows_no_content() {
    let changed = CONFIG.replace("canary1", "canary2");
    let before = [
        ("ignition/config.ign", CONFIG),
        ("combustion/script", "a\ncanary3\n"),
        ("combustion/gone", "canary4"),
        ("combustion/side", "canary5"),
        ("combustion/same", "canary6"),
    ];
    let after = [
        ("ignition/config.ign", changed.as_str()),
        ("combustion/script", "a\ncanary30\n"),
        ("combustion/side", "canary50"),
        ("combustion/same", "canary6"),
    ];
    let (before, after) = (volume(DiskLabel::Ignition, 1, &before), volume(DiskLabel::Combustion, 2, &after));
    let lines = "label: ignition -> combustion\n  volume id: 0000-0001 -> 0000-0002\n";
    let expected = format!(
        "NAME\n  {lines}NAME: combustion/gone\n- file: 7 bytes\nNAME: combustion/script\n@@ -2,1 +2,1 @@\n-***\n+***\nNAME: combustion/side\n  content: 7 bytes -> 8 other bytes\nNAME: ignition/config.ign\n  storage.files[0].contents.source: *** -> ***\n"
    );
    assert_eq!(shown("config.raw", false, &before, &after), expected.replace("NAME", "config.raw"));
    let image = |raw: &[u8]| qcow2::from_raw(raw).unwrap();
    let found = shown("config.qcow2", false, &image(&before), &image(&after));
    assert_eq!(found, expected.replace("NAME", "config.qcow2"));
    let usb = |raw: &[u8]| gpt::usb_image(raw, DiskLabel::Ignition, uuid::Uuid::nil(), uuid::Uuid::nil()).unwrap();
    let found = shown("config-usb.raw", false, &usb(&before), &usb(&after));
    assert_eq!(found, expected.replace("NAME", "config-usb.raw"));
}

#[test]
fn a_disk_tells_what_its_header_says() {
    let overlay = |base: &str, mib| qcow2::overlay(base, ByteSize::mib(mib)).unwrap();
    let found = shown("system.qcow2", false, &overlay("a.qcow2", 16), &overlay("b.qcow2", 32));
    assert_eq!(found, "system.qcow2\n  virtual size: 16MiB -> 32MiB\n  backing file: a.qcow2 -> b.qcow2\n");
    let found = shown("data-x.qcow2", false, &overlay("a", 1), b"no image");
    assert_eq!(found, "data-x.qcow2\n  format: qcow2 -> no qcow2\n");
}

#[test]
fn sec_4_only_launch_files_and_the_manifest_show_their_text() {
    let (before, after) = (&b"x\ncanary1\n"[..], &b"x\ncanary2\n"[..]);
    for name in ["config.ign", "script", "config.raw", "config.qcow2", "config-usb.raw", "stranger", "manifest.json"] {
        let found = shown(name, false, before, after);
        assert!(found.starts_with(&format!("{name}\n")) && !found.contains("canary"), "{found}");
    }
    assert_eq!(shown("run-qemu.sh", true, before, after), "run-qemu.sh\n@@ -2,1 +2,1 @@\n-canary1\n+canary2\n");
    assert!(!shown("script", true, before, after).contains("canary"), "whatever the manifest says of it");
}

#[test]
fn bytes_that_differ_always_tell_something() {
    for (name, before, after) in [
        ("config.ign", "{\"a\": 1}", "{\"a\":1}"),
        ("manifest.json", "{\"a\": 1}", "{\"a\":1}"),
        ("SHA256SUMS", "a", "b"),
        ("base.iso", "a", "b"),
        ("base.qcow2", "a", "b"),
    ] {
        assert!(shown(name, false, before.as_bytes(), after.as_bytes()).contains("content: "), "{name}");
    }
}
