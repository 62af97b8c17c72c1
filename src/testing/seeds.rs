//! What the fuzzing begins with: the stored corpus, and images as our own writers and other programs write them, made
//! here because most of them are zeros. Touches the files of the corpus, reading.

use std::path::Path;

use crate::base::{ByteSize, Digest, DiskLabel};
use crate::format::archive::{BundleFile, FileEntry, Index, ObjectEntry, Root, Writer};
use crate::format::{fat, gpt, qcow2};
use uuid::Uuid;

use super::readers::{READERS, gpt_with_sums};
use super::records;

/// An input that is read as it is, and bent.
pub struct Seed {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// Returns all seeds of a reader, in the same order everywhere; the controls have a few of their own.
pub fn of(reader: &str) -> Vec<Seed> {
    let mut seeds: Vec<Seed> =
        made(reader).into_iter().map(|(name, bytes)| Seed { name: format!("made {name}"), bytes }).collect();
    if reader.starts_with("control-") {
        return seeds;
    }
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(reader);
    let mut paths: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    seeds.extend(paths.into_iter().map(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        Seed { name, bytes: std::fs::read(&path).unwrap() }
    }));
    seeds
}

/// Writes all seeds below a directory, for `cargo fuzz`.
pub fn write(directory: &Path) {
    for (reader, _) in READERS {
        let directory = directory.join(reader);
        std::fs::create_dir_all(&directory).unwrap();
        for seed in of(reader) {
            std::fs::write(directory.join(seed.name.replace(' ', "-")), seed.bytes).unwrap();
        }
    }
}

type Made = (&'static str, Vec<u8>);

fn made(reader: &str) -> Vec<Made> {
    match reader {
        "archive" => vec![("archive", archive())],
        "fat" => vec![("small", small_fat()), ("ours", our_fat())],
        "gpt" => vec![("small", small_gpt(&small_fat())), ("ours", our_gpt())],
        "iso" => vec![("installer", iso())],
        "qcow2" => vec![("small", small_qcow2(&small_fat())), ("blank", blank()), ("overlay", overlay())],
        "inspect" => vec![
            ("fat", small_fat()),
            ("gpt", small_gpt(&small_fat())),
            ("iso", iso()),
            ("qcow2 of fat", small_qcow2(&small_fat())),
            ("qcow2 of gpt", small_qcow2(&small_gpt(&small_fat()))),
        ],
        "meta" | "realisation" | "record" | "root" | "seen" | "stamp" => {
            vec![("ours", records::made(reader))]
        }
        _ if reader.starts_with("control-") => vec![("control", b"control".to_vec())],
        _ => vec![],
    }
}

/// Lays bytes over others.
pub fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    bytes[at..at + field.len()].copy_from_slice(field);
}

/// A FAT12 volume of 16 KiB in which Ignition would find a config; fatgen103.
pub fn small_fat() -> Vec<u8> {
    let mut volume = vec![0; 32 * 512];
    let fields: [(usize, &[u8]); 12] = [
        (0, &[0xeb, 0x3c, 0x90]),
        (11, &[0, 2, 1, 1, 0, 1, 16, 0, 32, 0, 0xf8, 1, 0]),
        (38, &[0x29, 1, 2, 3, 4]),
        (43, b"IGNITION   FAT12   "),
        (510, &[0x55, 0xaa]),
        // The table: clusters 2 and 4 are the end, 3 leads to 5.
        (512, &[0xf8, 0xff, 0xff, 0xff, 0x5f, 0x00, 0xff, 0xff, 0xff]),
        (1024, b"ignition   \x08"),
        (1056, b"IGNITION   \x10\x08"),
        (1056 + 26, &[2]),
        (1536, b".          \x10"),
        (1568, b"CONFIG  IGN\x20\x18"),
        (1568 + 26, &[3, 0, 30, 2]),
    ];
    fields.iter().for_each(|(at, field)| put(&mut volume, *at, field));
    put(&mut volume, 2048, br#"{"ignition":{"version":"3.2.0"}}"#);
    volume[2048 + 32..2560].fill(b' ');
    volume[3072..3104].fill(b' ');
    volume
}

fn our_fat() -> Vec<u8> {
    let config = br#"{"ignition":{"version":"3.2.0"}}"#;
    let files = vec![("ignition/config.ign".to_owned(), &config[..]), ("combustion/script".to_owned(), b"#!/bin/sh\n")];
    fat::write(&fat::Volume { label: DiskLabel::Ignition, volume_id: 1, epoch: 315_532_800, files }).unwrap()
}

/// A disk of one partition with a table of four entries; UEFI 2.10, chapter 5.
pub fn small_gpt(volume: &[u8]) -> Vec<u8> {
    let last = (4 + volume.len() / 512) as u64;
    let mut disk = vec![0; 4 * 512];
    put(&mut disk, 510, &[0x55, 0xaa]);
    put(&mut disk, 512, b"EFI PART\0\0\x01\0\x5c\0\0\0");
    for (at, value) in [(24, 1), (32, last), (40, 4), (48, last), (72, 2)] {
        put(&mut disk, 512 + at, &value.to_le_bytes());
    }
    put(&mut disk, 512 + 56, &[7; 16]);
    put(&mut disk, 512 + 80, &[4, 0, 0, 0, 128]);
    let basic = Uuid::from_u128(0xebd0_a0a2_b9e5_4433_87c0_68b6_b726_99c7).to_bytes_le();
    put(&mut disk, 1024, &basic);
    put(&mut disk, 1040, &[9; 16]);
    put(&mut disk, 1056, &4_u64.to_le_bytes());
    put(&mut disk, 1064, &(last - 1).to_le_bytes());
    put(&mut disk, 1080, b"i\0g\0n\0");
    disk.extend_from_slice(volume);
    disk.resize(disk.len() + 512, 0);
    gpt_with_sums(&disk).unwrap()
}

fn our_gpt() -> Vec<u8> {
    gpt::usb_image(&small_fat(), DiskLabel::Ignition, Uuid::from_u128(1), Uuid::from_u128(2)).unwrap()
}

/// An image of 512-byte clusters: header, refcount table and block, L1, L2, then the disk; `docs/interop/qcow2.rst`.
pub fn small_qcow2(disk: &[u8]) -> Vec<u8> {
    let tables = disk.len().div_ceil(512 * 64);
    let data = (4 + tables) * 512;
    let mut image = vec![0; data];
    put(&mut image, 0, b"QFI\xfb\0\0\0\x03");
    put(&mut image, 20, &9_u32.to_be_bytes());
    put(&mut image, 24, &(disk.len() as u64).to_be_bytes());
    put(&mut image, 36, &(tables as u32).to_be_bytes());
    put(&mut image, 40, &(3 * 512_u64).to_be_bytes());
    put(&mut image, 48, &512_u64.to_be_bytes());
    put(&mut image, 56, &1_u32.to_be_bytes());
    put(&mut image, 96, &[0, 0, 0, 4, 0, 0, 0, 104]);
    put(&mut image, 512, &1024_u64.to_be_bytes());
    for number in 0..tables {
        put(&mut image, 3 * 512 + number * 8, &(1 << 63 | ((4 + number) * 512) as u64).to_be_bytes());
    }
    for number in 0..disk.len().div_ceil(512) {
        put(&mut image, 4 * 512 + number * 8, &(1 << 63 | (data + number * 512) as u64).to_be_bytes());
    }
    image.extend_from_slice(disk);
    image
}

fn blank() -> Vec<u8> {
    qcow2::blank(ByteSize::gib(20)).unwrap()
}

fn overlay() -> Vec<u8> {
    qcow2::overlay("base.qcow2", ByteSize::gib(20)).unwrap()
}

/// System area, primary descriptor, boot record, terminator; ECMA-119, 8.
fn iso() -> Vec<u8> {
    let mut image = vec![0; 20 * 2048];
    put(&mut image, 16 * 2048, b"\x01CD001\x01");
    put(&mut image, 16 * 2048 + 40, b"ignition                        ");
    put(&mut image, 16 * 2048 + 80, &20_u32.to_le_bytes());
    put(&mut image, 16 * 2048 + 128, &2048_u16.to_le_bytes());
    put(&mut image, 17 * 2048, b"\0CD001\x01EL TORITO SPECIFICATION");
    put(&mut image, 18 * 2048, b"\xffCD001\x01");
    image
}

/// A recipe with a file beside it, and objects in one part, in three, and not held.
fn archive() -> Vec<u8> {
    let contents: [&[u8]; 3] = [&[1; 1300], b"small", b"absent"];
    let entry = |(bytes, held): (&[u8], bool)| {
        let (sha256, size) = (Digest::of(bytes), bytes.len() as u64);
        (ObjectEntry { sha256, size, private: !held, held }, bytes.to_vec())
    };
    let mut objects: Vec<_> = contents.into_iter().zip([true, true, false]).map(entry).collect();
    objects.sort_by_key(|(object, _)| object.sha256);
    let files: [(&str, &[u8]); 2] = [("nas.toml", b"format = 1\n"), ("nas/side", b"side")];
    let file = |(path, bytes): &(&str, &[u8])| FileEntry {
        path: (*path).to_owned(),
        size: bytes.len() as u64,
        sha256: Digest::of(bytes),
    };
    let bundle = BundleFile { file: "config.raw".to_owned(), sha256: objects[0].0.sha256, mode: 0o400 };
    let inputs = objects[1..].iter().map(|(object, _)| object.sha256).collect();
    let (recipe, name, plan) = ("nas.toml".to_owned(), "nas".to_owned(), Digest::of(b"plan"));
    let index = Index {
        format: 1,
        part: 512,
        files: files.iter().map(file).collect(),
        objects: objects.iter().map(|(object, _)| object.clone()).collect(),
        roots: vec![Root { recipe, name, plan, inputs, bundle: vec![bundle] }],
    };
    let held = objects.iter().filter(|(object, _)| object.held).map(|(_, bytes)| &bytes[..]);
    let mut contents = files.iter().map(|(_, bytes)| *bytes).chain(held);
    let mut writer = Writer::begin(vec![], &index).unwrap();
    for member in index.members() {
        writer.add(&member, &mut contents.next().unwrap()).unwrap();
    }
    writer.finish().unwrap()
}
