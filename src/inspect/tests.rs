//! Files of every kind, made by our writers and spoilt by hand.

use std::io::Cursor;

use super::guest::Outcome;
use super::*;
use crate::base::DiskLabel;
use crate::format::bytes::put;
use crate::format::fat::{Volume, write};
use crate::format::qcow2::{from_raw, overlay};

const GOOD: &[u8] = br#"{"ignition":{"version":"3.2.0"}}"#;

fn volume(label: DiskLabel, files: &[(&str, &[u8])]) -> Vec<u8> {
    let files = files.iter().map(|(path, content)| ((*path).to_owned(), *content)).collect();
    write(&Volume { label, volume_id: 0xcafe_0001, epoch: 0, files }).unwrap()
}

fn look(bytes: &[u8]) -> Report {
    inspect(Cursor::new(bytes), bytes.len() as u64).unwrap()
}

fn findings(bytes: &[u8]) -> Vec<(Outcome, String)> {
    look(bytes).guest.into_iter().map(|finding| (finding.outcome, finding.text)).collect()
}

fn relabelled(mut bytes: Vec<u8>, label: &[u8; 11]) -> Vec<u8> {
    let root = 13 * 512;
    put(&mut bytes, root, label);
    put(&mut bytes, 43, label);
    bytes
}

#[test]
fn a_config_disk_is_described_raw_in_qcow2_and_on_a_stick() {
    let raw = volume(DiskLabel::Ignition, &[("ignition/config.ign", GOOD), ("combustion/script", b"#!/bin/sh\n")]);
    let stick = gpt::usb_image(&raw, DiskLabel::Ignition, uuid::Uuid::from_u128(1), uuid::Uuid::from_u128(2)).unwrap();
    let kinds = [
        (raw.clone(), Kind::Fat),
        (from_raw(&raw).unwrap(), Kind::Qcow2),
        (stick.clone(), Kind::Gpt),
        (from_raw(&stick).unwrap(), Kind::Qcow2),
    ];
    for (bytes, kind) in kinds {
        let report = look(&bytes);
        assert_eq!(report.kind, kind);
        let [volume] = &report.volumes[..] else { panic!("{report}") };
        assert_eq!((volume.label.as_deref(), volume.id.as_str()), (Some("ignition"), "CAFE-0001"));
        let paths: Vec<_> = volume.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["combustion/", "combustion/script", "ignition/", "ignition/config.ign"]);
        assert!(report.guest.iter().all(|finding| finding.outcome == Outcome::Applied), "{report}");
        assert_eq!((report.guest.len(), report.notes.len()), (2, 0), "{report}");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["volumes"][0]["files"][3]["size"], GOOD.len());
    }
}

#[test]
fn the_text_says_what_it_is_and_what_happens() {
    let raw = volume(DiskLabel::Ignition, &[("ignition/config.ign", GOOD)]);
    let shown = look(&from_raw(&raw).unwrap()).to_string();
    let want = "a qcow2 image of a FAT volume, 384 KiB\n  version 3, disk of 1 MiB, clusters of 64 KiB\n\
        FAT volume, label `ignition`, id CAFE-0001\n              ignition/\n        32 B  ignition/config.ign\n\
        in the guest\n  applied  Ignition reads `ignition/config.ign` (version 3.2.0), before any fw_cfg entry\n";
    assert_eq!(shown, want);
}

#[test]
fn every_delivery_that_fails_is_told() {
    use DiskLabel::{Combustion, Ignition};
    use Outcome::{Applied, Fails, Ignored};
    let script: &[u8] = b"#!/bin/sh\n";
    let good = [("ignition/config.ign", GOOD)];
    let cases: Vec<(Vec<u8>, Outcome, &str)> = vec![
        (volume(Ignition, &good), Applied, "reads `ignition/config.ign`"),
        (relabelled(volume(Ignition, &good), b"IGNITION   "), Ignored, "not `ignition` in lower case"),
        (relabelled(volume(Ignition, &good), b"Ignition   "), Ignored, "not `ignition` in lower case"),
        (relabelled(volume(Ignition, &good), b"config     "), Ignored, "no engine looks at the label `config`"),
        (relabelled(volume(Ignition, &good), b"Combustion "), Ignored, "mixed case"),
        (volume(Combustion, &good), Ignored, "looks only at the label `ignition`"),
        (volume(Ignition, &[("config.ign", GOOD)]), Ignored, "lies at the root"),
        (volume(Combustion, &[("script", script)]), Ignored, "lies at the root"),
        (volume(Ignition, &[("readme", b"x")]), Ignored, "nothing is provisioned"),
        (volume(Ignition, &[("ignition/config.ign", b" \n")]), Ignored, "is empty"),
        (volume(Ignition, &[("ignition/config.ign", b"")]), Ignored, "is empty"),
        (volume(Ignition, &[("ignition/config.ign", b"{")]), Fails, "not valid JSON"),
        (volume(Ignition, &[("ignition/config.ign", b"{}")]), Fails, "names no `ignition.version`"),
        (volume(Ignition, &[("ignition/config.ign", b"\xef\xbb\xbf{}")]), Fails, "byte order mark"),
        (volume(Ignition, &[("ignition/config.ign", br#"{"ignition":{"version":"2.3.0"}}"#)]), Fails, "`2.3.0`"),
        (volume(Combustion, &[("combustion/script", script)]), Applied, "Combustion runs"),
        (volume(Combustion, &[("combustion/other", script)]), Fails, "has no `script`"),
        (volume(Combustion, &[("combustion/script", b"#!/bin/sh\r\n")]), Fails, "Windows line ends"),
        (
            volume(Ignition, &[("ignition/config.ign", b"{"), ("combustion/script", script)]),
            Ignored,
            "`combustion/` is not reached",
        ),
        (relabelled(volume(Ignition, &[("combustion/script", script)]), b"data       "), Ignored, "does not look"),
    ];
    for (bytes, outcome, want) in cases {
        let found = findings(&bytes);
        assert!(found.iter().any(|(got, text)| *got == outcome && text.contains(want)), "{want}: {found:?}");
    }
}

#[test]
fn a_label_in_the_boot_sector_alone_is_told() {
    let mut bytes = volume(DiskLabel::Ignition, &[("ignition/config.ign", GOOD)]);
    put(&mut bytes, 13 * 512, &[0xe5]);
    assert!(findings(&bytes)[0].1.contains("boot sector only"));
}

#[test]
fn img_02_an_odd_image_is_described_and_not_an_error() {
    let report = look(&overlay("../secret\u{202e}", ByteSize::gib(20)).unwrap());
    assert_eq!(report.refused.as_ref().unwrap().code, Code::ImageBacking);
    assert_eq!(report.image.as_ref().unwrap().virtual_size, ByteSize::gib(20));
    assert!(report.notes.iter().any(|note| note.contains("backing file: ../secret\\u{202e}")), "{report}");
    for (bytes, code) in [(&b"KDMV"[..], Code::ImageFormat), (&b"QFI\xfb"[..], Code::ImageFormat)] {
        assert_eq!(look(bytes).refused.unwrap().code, code);
    }
}

#[test]
fn img_08_a_disk_above_the_limit_is_still_looked_into() {
    let report = look(&crate::format::qcow2::blank(ByteSize::gib(4096)).unwrap());
    assert_eq!(report.refused.unwrap().code, Code::ImageLimit);
    assert!(report.notes.is_empty(), "{:?}", report.notes);
}

#[test]
fn a_zstd_image_says_that_its_partitions_were_not_read() {
    let mut bytes = from_raw(&volume(DiskLabel::Ignition, &[])).unwrap();
    put(&mut bytes, 79, &[8]);
    put(&mut bytes, 104, &[1]);
    let report = look(&bytes);
    assert!(report.notes[0].contains("zstd") && report.refused.is_none());
}

#[test]
fn img_07_no_file_makes_it_panic() {
    let raw = volume(DiskLabel::Ignition, &[("ignition/config.ign", GOOD)]);
    let stick = gpt::usb_image(&raw, DiskLabel::Ignition, uuid::Uuid::from_u128(1), uuid::Uuid::from_u128(2)).unwrap();
    let mut image = from_raw(&stick).unwrap();
    for at in (0..image.len()).filter(|at| *at < 128 || at % 1021 == 0) {
        image[at] ^= 0xff;
        let _ = inspect(Cursor::new(&image), image.len() as u64).map(|report| report.to_string());
        image[at] ^= 0xff;
    }
    for length in [0, 1, 3, 511, 512, 1024, 65536, 262_144] {
        let _ = inspect(Cursor::new(&image[..length]), length as u64);
    }
}

#[test]
fn img_07_a_large_config_is_read_without_being_held() {
    let version = |rest: &str| {
        let config = format!("{{\"ignition\":{{\"version\":\"3.2.0\"}},\"x\":[{}0]{rest}", "0,".repeat(600 << 10));
        findings(&volume(DiskLabel::Ignition, &[("ignition/config.ign", config.as_bytes())])).remove(0)
    };
    let (outcome, text) = version("}");
    assert!(outcome == Outcome::Applied && text.contains("(version 3.2.0)"), "{text}");
    let (outcome, text) = version("");
    assert!(outcome == Outcome::Fails && text.contains("not valid JSON"), "{text}");
    let spaces = " ".repeat((8 << 20) + 1);
    let (outcome, text) =
        findings(&volume(DiskLabel::Ignition, &[("ignition/config.ign", spaces.as_bytes())])).remove(0);
    assert!(outcome == Outcome::Applied && text.contains("too large to be looked into"), "{text}");
}
