//! Every reader of bytes that others made, and of the store's own files, each as one function that reads to the end and
//! forgets the answer. Shared by the fuzz targets (`fuzz/`) and the replay of their corpus (`tests/fault/gate_fuzz.rs`).
//! Touches nothing, but for the store's files: those lie in a temporary directory (`records.rs`).
//!
//! A reader must neither panic nor run away on any bytes; where it answers, what it answers must hold together (a lock
//! that was read is printed and read again). To add one: a function, a row in [`READERS`], a target in `fuzz/`, and
//! seeds under `tests/fuzz/corpus/<name>/`; the gate demands all four.

use std::io::{Cursor, Read, Seek, SeekFrom};

use super::records;

use crate::base::{ByteSize, Compression, Digest, Url, text};
use crate::bundle::Manifest;
use crate::doctor;
use crate::format::openpgp::{Keyring, verify_cleartext, verify_detached};
use crate::format::packed::Unpacker;
use crate::format::qcow2::{Image, gate_within};
use crate::format::{archive, combustion, fat, gpt, ignition, iso, metalink};
use crate::import_config::{ImportOptions, InputFile, import, same};
use crate::lock::{Config, Lock, read_answer, resolve};
use crate::{inspect, recipe};

/// Reads bytes to the end.
type Reader = fn(&[u8]);

/// The readers, by the name of their target and their directory of seeds.
pub const READERS: &[(&str, Reader)] = &[
    ("import_config", read_import),
    ("archive", read_archive),
    ("checksums", read_checksums),
    ("cleartext", read_cleartext),
    ("combustion", read_combustion),
    ("fat", read_fat),
    ("gpt", read_gpt),
    ("gzip", |bytes| unpack(Compression::Gzip, bytes, UNPACKED)),
    ("ignition", read_ignition),
    ("inspect", read_inspect),
    ("iso", read_iso),
    ("keyring", read_keyring),
    ("lock", read_lock),
    ("log", read_log),
    ("manifest", read_manifest),
    ("meta", records::read_meta),
    ("metalink", read_metalink),
    ("mirrors", read_mirrors),
    ("qcow2", read_qcow2),
    ("realisation", records::read_realisation),
    ("recipe", read_recipe),
    ("record", records::read_record),
    ("root", records::read_root),
    ("seen", records::read_seen),
    ("signature", read_signature),
    ("stamp", records::read_stamp),
    ("xz", |bytes| unpack(Compression::Xz, bytes, UNPACKED)),
    ("zstd", |bytes| unpack(Compression::Zstd, bytes, UNPACKED)),
];

/// Runs the reader of this name.
pub fn run(name: &str, bytes: &[u8]) {
    let (_, reader) = READERS.iter().find(|(known, _)| *known == name).expect("a reader of this name");
    reader(bytes);
}

/// How much is unpacked: enough for every path through a decoder, little enough for thousands of inputs.
const UNPACKED: ByteSize = ByteSize::mib(16);

const KEY: &[u8] = include_bytes!("../../tests/fixtures/openpgp/opensuse-2026.asc");
const SIGNED: &[u8] = include_bytes!("../../tests/fixtures/openpgp/opensuse-leap.sha256");
/// When the fixture was signed, so that the key is believed.
const NOW: u64 = 1_781_847_072;

fn utf8(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn length(bytes: &[u8]) -> u64 {
    bytes.len() as u64
}

/// A file that people have, of any kind: what it becomes is a recipe, and what is told of it can be shown.
fn read_import(bytes: &[u8]) {
    let path = recipe::RecipePath::parse("given").expect("a path");
    let input = [InputFile { shown: "given".to_owned(), bytes: bytes.to_vec(), path, is_side_file: false }];
    match import(&input, &ImportOptions::default()) {
        Ok(imported) => {
            assert!(imported.text.starts_with("# Made by") && recipe::parse(&imported.text, "input.toml").is_ok());
            assert!(imported.skipped.iter().all(|line| !line.chars().any(|c| text::is_unsafe(c) || c == '\n')));
        }
        Err(problems) => {
            let told = problems.0.iter().flat_map(|problem| {
                problem.headline.chars().chain(problem.causes().collect::<String>().chars()).collect::<Vec<_>>()
            });
            assert!(!told.into_iter().any(text::is_unsafe));
        }
    }
    let _ = same::differences(bytes, br#"{"ignition": {"version": "3.2.0"}}"#);
}

/// An archive, or the index of one alone: what stands behind an index is hashed, so bent bytes seldom get that far.
fn read_archive(bytes: &[u8]) {
    if let Ok(index) = archive::Index::parse(bytes) {
        let _ = (index.length(), index.sizes(), index.layout().count(), index.members().count());
    }
    let Ok(reader) = archive::Reader::open(bytes, length(bytes)) else { return };
    assert_eq!(reader.index().length(), length(bytes));
    let _ = reader.index().layout().count();
    let _ = archive::reader::verify(reader);
}

fn read_checksums(bytes: &[u8]) {
    let url = Url::parse("https://h.example/d/X.x86_64-kvm.qcow2").expect("a URL");
    let _ = read_answer(&url, bytes);
}

fn keyring() -> Keyring {
    Keyring::parse(KEY, "key.asc").expect("the fixture's keyring")
}

fn read_cleartext(bytes: &[u8]) {
    let _ = verify_cleartext(&keyring(), bytes, NOW);
}

fn read_signature(bytes: &[u8]) {
    let _ = verify_detached(&keyring(), SIGNED, bytes, NOW);
}

fn read_keyring(bytes: &[u8]) {
    let Ok(mut keyring) = Keyring::parse(bytes, "key.asc") else { return };
    let _ = keyring.list();
    let signature = include_bytes!("../../tests/fixtures/openpgp/opensuse-leap.sha256.asc");
    let _ = verify_detached(&keyring, SIGNED, signature, NOW);
    keyring.extend(self::keyring());
    let _ = verify_detached(&keyring, SIGNED, signature, NOW);
}

fn read_combustion(bytes: &[u8]) {
    let _ = combustion::inspect(bytes);
    let _ = combustion::script_payload(bytes).render("base64 -d");
}

fn read_fat(bytes: &[u8]) {
    all_files(&mut Cursor::new(bytes), length(bytes));
}

/// Reads a volume and all its files, as a comparison of two bundles does.
pub fn all_files<R: Read + Seek>(disk: &mut R, length: u64) {
    let Ok(tree) = fat::Tree::read(disk, length) else { return };
    let _ = tree.find("ignition/config.ign");
    for node in &tree.nodes {
        let _ = tree.content(disk, node, 1 << 20);
    }
}

/// A disk as it is, and as it would be with right check sums: bent fields would seldom be looked at else.
fn read_gpt(bytes: &[u8]) {
    let _ = gpt::read(&mut Cursor::new(bytes));
    if let Some(mended) = gpt_with_sums(bytes) {
        let _ = gpt::read(&mut Cursor::new(mended));
    }
}

/// Returns a copy of a disk whose GPT header has the sums that belong to it; UEFI 2.10, 5.3.2.
pub fn gpt_with_sums(disk: &[u8]) -> Option<Vec<u8>> {
    let header = disk.get(512..1024).filter(|header| header.starts_with(b"EFI PART"))?;
    let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]) as usize;
    let start = number(72).checked_mul(512)?;
    let table = disk.get(start..start.checked_add(number(80).checked_mul(number(84))?)?)?;
    let sum = crc32(table);
    let mut mended = disk.to_vec();
    mended[512 + 88..512 + 92].copy_from_slice(&sum.to_le_bytes());
    mended[512 + 16..512 + 20].fill(0);
    let sum = crc32(&mended[512..512 + number(12).clamp(92, 512)]);
    mended[512 + 16..512 + 20].copy_from_slice(&sum.to_le_bytes());
    Some(mended)
}

/// The sum of ISO 3309, four bits at a time.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32| (0..4).fold(sum, |sum, _| (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg()));
    let table: Vec<u32> = (0..16).map(step).collect();
    let half = |sum: u32| (sum >> 4) ^ table[(sum & 15) as usize];
    !bytes.iter().fold(u32::MAX, |sum, byte| half(half(sum ^ u32::from(*byte))))
}

fn read_ignition(bytes: &[u8]) {
    if let Ok(ready) = ignition::read(bytes) {
        let _ = ignition::canonical(&ready.root.to_value());
    }
}

fn read_inspect(bytes: &[u8]) {
    whole_file(Cursor::new(bytes), length(bytes));
    if let Some(mended) = gpt_with_sums(bytes) {
        whole_file(Cursor::new(&mended), length(&mended));
    }
}

/// Looks at a file as `arca-build inspect` does, and shows what was found.
pub fn whole_file<R: Read + Seek>(file: R, length: u64) {
    let Ok(report) = inspect::inspect(file, length) else { return };
    let _ = report.to_string();
    let _ = serde_json::to_string(&report);
}

fn read_iso(bytes: &[u8]) {
    let _ = iso::gate(&mut Cursor::new(bytes));
    let _ = iso::read(&mut Cursor::new(bytes), length(bytes));
}

fn read_lock(bytes: &[u8]) {
    let Some(Ok(lock)) = utf8(bytes).map(|text| Lock::parse(text, "arca.lock")) else { return };
    let again = Lock::parse(&lock.print(), "arca.lock");
    assert!(again.as_ref() == Ok(&lock), "what was read is not what is read again");
}

/// The console of a guest: what is told of it can be shown, and is in the order of the log.
fn read_log(bytes: &[u8]) {
    let found = doctor::diagnose(&doctor::Log::read(bytes).expect("bytes in memory can be read"));
    assert!(!found.to_string().chars().any(text::is_unsafe));
    assert!(found.findings.iter().map(|found| (found.boot, found.line)).is_sorted());
}

fn read_manifest(bytes: &[u8]) {
    let Some(Ok(manifest)) = utf8(bytes).map(Manifest::parse) else { return };
    assert_eq!(Manifest::parse(&manifest.to_text()), Ok(manifest));
}

fn read_metalink(bytes: &[u8]) {
    let Ok(list) = metalink::parse(bytes) else { return };
    if let Ok(file) = list.file("X.qcow2") {
        let _ = (file.agrees(&Digest::of(b""), Some(1)), file.by_priority());
    }
}

fn read_mirrors(bytes: &[u8]) {
    let Some(Ok(Config { mirrors, .. })) = utf8(bytes).map(|text| Config::parse(text, "config.toml")) else { return };
    for url in ["https://download.opensuse.org/tumbleweed/a.qcow2?x=y", "https://h/%2e%2e/x", "http://h:8/"] {
        assert!(!mirrors.apply(&Url::parse(url).expect("a URL")).is_empty());
    }
}

fn read_qcow2(bytes: &[u8]) {
    disk_inside(&mut Cursor::new(bytes));
}

/// Reads what an image that passes the gate says its disk begins and ends with.
pub fn disk_inside<R: Read + Seek>(file: &mut R) {
    let Ok(info) = gate_within(file, ByteSize(i64::MAX as u64)) else { return };
    let Ok(mut image) = Image::open(file, &info) else { return };
    let size = info.header.virtual_size;
    for start in [0, 1 << 20, size / 2, size.saturating_sub(4096)] {
        if image.seek(SeekFrom::Start(start)).is_ok() {
            let _ = std::io::copy(&mut image.by_ref().take(64 << 10), &mut std::io::sink());
        }
    }
}

fn read_recipe(bytes: &[u8]) {
    let Some(text) = utf8(bytes) else { return };
    match recipe::parse(text, "recipe.toml") {
        Ok(recipe) => drop(resolve(&recipe, &Lock::default())),
        Err(problems) => {
            assert!(!problems.0.is_empty());
            let _ = problems.to_string();
        }
    }
    let _ = (Digest::parse(text), ByteSize::parse(text), Url::parse(text));
}

/// Unpacks up to so much; a failure of the source, which has none, would be no failure of the packed bytes.
pub(crate) fn unpack(compression: Compression, bytes: &[u8], limit: ByteSize) {
    let Ok(mut unpacker) = Unpacker::new(compression, bytes, limit) else { return };
    let mut buffer = vec![0; 64 << 10];
    while let Ok(1..) = unpacker.read(&mut buffer) {}
    assert!(unpacker.length() <= limit.0 + buffer.len() as u64);
    unpacker.exhaust().expect("bytes in memory can be read");
}
