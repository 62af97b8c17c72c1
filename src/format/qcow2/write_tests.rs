//! Our images against pinned digests and against our own gate and reader.

use std::io::{Cursor, Read, Seek, SeekFrom};

use super::*;
use crate::base::Digest;
use crate::format::qcow2::{Image, gate_within};

const WIDE: ByteSize = MAX_VIRTUAL_SIZE;

fn digest(bytes: &[u8]) -> String {
    Digest::of(bytes).short()
}

fn sample() -> Vec<u8> {
    let mut raw = vec![0; 1 << 20];
    raw[0] = 1;
    raw[200_000..200_512].fill(0xa5);
    raw[(1 << 20) - 1] = 9;
    raw
}

#[test]
fn the_bytes_of_every_writer_are_pinned() {
    // If a change is intended, bump the builder's revision.
    let got = [
        ("blank 30 GiB", digest(&blank(ByteSize::gib(30)).unwrap())),
        ("blank 64 TiB", digest(&blank(MAX_VIRTUAL_SIZE).unwrap())),
        ("overlay", digest(&overlay("base.qcow2", ByteSize::gib(20)).unwrap())),
        ("from raw", digest(&from_raw(&sample()).unwrap())),
    ];
    let want = [
        ("blank 30 GiB", "6eedbdfd0f4f"),
        ("blank 64 TiB", "7f1c7b0e67f5"),
        ("overlay", "cd510bcef356"),
        ("from raw", "fcdf4bacf302"),
    ];
    assert_eq!(got, want.map(|(name, digest)| (name, digest.to_owned())));
}

#[test]
fn blank_disks_of_every_size_pass_the_gate() {
    for (size, length) in [
        (ByteSize(512), 262_144),
        (ByteSize::gib(30), 262_144),
        (ByteSize::gib(4096), 262_144),
        (ByteSize::gib(4096 + 1), 327_680),
        (MAX_VIRTUAL_SIZE, 22 << 16),
    ] {
        let image = blank(size).unwrap();
        assert_eq!(image.len(), length, "{size}");
        let info = gate_within(&mut Cursor::new(&image), WIDE).unwrap();
        assert_eq!(info.virtual_size(), size);
    }
}

#[test]
fn sizes_that_no_disk_has_are_refused() {
    for size in [0, 1, 511, 513, MAX_VIRTUAL_SIZE.0 + 512, u64::MAX, u64::MAX - 511] {
        assert!(blank(ByteSize(size)).is_err(), "{size}");
    }
}

#[test]
fn an_overlay_names_its_backing_file_and_format() {
    let image = overlay("base.qcow2", ByteSize::gib(20)).unwrap();
    assert_eq!(&image[8..20], [0, 0, 0, 0, 0, 0, 0, 0x88, 0, 0, 0, 10]);
    assert_eq!(&image[112..125], b"\xe2\x79\x2a\xca\0\0\0\x05qcow2");
    assert_eq!(&image[0x88..0x93], b"base.qcow2\0");
    assert!(gate_within(&mut Cursor::new(image), WIDE).unwrap_err().to_string().contains("backing"));
}

#[test]
fn img_02_backing_names_that_qemu_reads_as_a_protocol_are_not_written() {
    for name in ["", "nbd:x", "sha256:abc", "json:{}", "a\0b", &"a".repeat(1024)] {
        assert!(overlay(name, ByteSize::gib(1)).is_err(), "{name:?}");
    }
    assert!(overlay(&"a".repeat(1023), ByteSize::gib(1)).is_ok());
}

fn grown(image: &[u8], size: ByteSize) -> Result<Vec<u8>, WriteError> {
    let info = gate_within(&mut Cursor::new(image), WIDE).unwrap();
    let mut copy = image.to_vec();
    for (at, bytes) in grow(&info, size)? {
        let start = at as usize;
        copy.resize(copy.len().max(start + bytes.len()), 0);
        put(&mut copy, start, &bytes);
    }
    Ok(copy)
}

#[test]
fn a_grown_copy_passes_the_gate_with_its_new_size_and_old_content() {
    let image = from_raw(&sample()).unwrap();
    for size in [ByteSize::mib(1), ByteSize(1 << 20 | 512), ByteSize::gib(20), ByteSize::gib(4096)] {
        let copy = grown(&image, size).unwrap();
        let info = gate_within(&mut Cursor::new(&copy), WIDE).unwrap();
        assert_eq!(info.virtual_size(), size);
        let mut disk = Image::open(Cursor::new(copy), &info).unwrap();
        let mut content = vec![0; 1 << 20];
        disk.read_exact(&mut content).unwrap();
        assert!(content == sample());
    }
}

#[test]
fn growth_clears_autoclear_bits_and_the_slack_of_the_table() {
    let mut image = from_raw(&sample()).unwrap();
    image[95] = 3;
    image[(3 << 16) + 8..(3 << 16) + 64].fill(0xff);
    let copy = grown(&image, ByteSize::gib(2)).unwrap();
    assert_eq!(copy[88..96], [0; 8]);
    assert_eq!(copy[(3 << 16) + 8..(3 << 16) + 32], [0; 24]);
}

#[test]
fn growth_that_loses_or_overflows_is_refused() {
    let image = from_raw(&sample()).unwrap();
    assert!(matches!(grown(&image, ByteSize(512)), Err(WriteError::Shrink { .. })));
    assert!(matches!(grown(&image, ByteSize(2 << 20 | 1)), Err(WriteError::Sectors(_))));
    assert!(matches!(grown(&image, ByteSize::gib(4097)), Err(WriteError::NoRoom { .. })));
}

#[test]
fn a_raw_disk_reads_back_through_the_image_and_zeros_take_no_room() {
    let raw = sample();
    let image = from_raw(&raw).unwrap();
    assert_eq!(from_raw(&raw).unwrap(), image);
    // Header, refcount table and block, L1, L2 and three clusters of content.
    assert_eq!(image.len(), 8 << 16);
    let info = gate_within(&mut Cursor::new(&image), WIDE).unwrap();
    let mut disk = Image::open(Cursor::new(&image), &info).unwrap();
    let mut content = Vec::new();
    disk.read_to_end(&mut content).unwrap();
    assert!(content == raw);
    disk.seek(SeekFrom::End(-1)).unwrap();
    let mut last = Vec::new();
    disk.read_to_end(&mut last).unwrap();
    assert_eq!(last, [9]);
}

#[test]
fn img_07_a_gated_image_reads_without_panic_whatever_its_tables_say() {
    let mut image = from_raw(&sample()).unwrap();
    for at in ((3 << 16)..(3 << 16) + 16).chain((4 << 16)..(4 << 16) + 160) {
        for flip in [0xff, 0x40, 0x80, 0x01] {
            image[at] ^= flip;
            if let Ok(info) = gate_within(&mut Cursor::new(&image), WIDE) {
                let mut disk = Image::open(Cursor::new(&image), &info).unwrap();
                let _ = disk.read_to_end(&mut Vec::new());
            }
            image[at] ^= flip;
        }
    }
}
