//! Hostile images against the gate: each of the rows IMG-1 to 10 of `SECURITY.md` that a header can express.

use std::io::Cursor;

use super::super::header::Compression;
use super::*;
use crate::base::{Code, Diagnostic};
use crate::format::qcow2::{blank, from_raw};

fn image() -> Vec<u8> {
    let mut raw = vec![0; 4 << 20];
    raw[100_000] = 7;
    from_raw(&raw).unwrap()
}

fn refused(bytes: &[u8]) -> GateError {
    gate(&mut Cursor::new(bytes)).unwrap_err()
}

fn patched(patches: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes = image();
    for (at, patch) in patches {
        bytes[*at..at + patch.len()].copy_from_slice(patch);
    }
    bytes
}

#[test]
fn a_plain_image_passes_and_is_described() {
    let bytes = image();
    let info = gate(&mut Cursor::new(&bytes)).unwrap();
    assert_eq!((info.header.version, info.virtual_size(), info.cluster_size()), (3, ByteSize::mib(4), 65536));
    assert_eq!((info.compression(), info.file_size.0), (Compression::Zlib, bytes.len() as u64));
    assert_eq!((info.header.l1_size, info.header.l1_offset, info.header.autoclear), (1, 3 << 16, 0));
}

#[test]
fn img_01_a_data_file_is_refused_by_bit_and_by_extension() {
    assert_eq!(refused(&patched(&[(79, &[4])])).code(), Code::ImageDataFile);
    for name in ["/etc/passwd", "x.raw", "../../x", "/dev/sda", "json:{\"driver\":\"nbd\"}", "nbd://127.0.0.1:1/x"] {
        let length = (name.len() as u32).to_be_bytes();
        let bytes = patched(&[(112, b"DATA"), (116, &length), (120, name.as_bytes())]);
        let problem = Diagnostic::from(refused(&bytes));
        assert_eq!(problem.code, Code::ImageDataFile, "{name}");
        assert_eq!(problem.facts, [("data file", name.to_owned())]);
    }
}

#[test]
fn img_02_any_trace_of_a_backing_file_is_refused() {
    for name in ["/etc/hostname", "../../x", "json:{}", "nbd://h", "http://h/x", "ssh://h/x", "fd:3", "a\u{1b}[2J"] {
        let bytes =
            patched(&[(8, &200_u64.to_be_bytes()), (16, &(name.len() as u32).to_be_bytes()), (200, name.as_bytes())]);
        let problem = Diagnostic::from(refused(&bytes));
        assert_eq!(problem.code, Code::ImageBacking, "{name}");
        assert_eq!(problem.facts[0].1, crate::base::text::one_line(name, 80));
    }
    let odd: [&[(usize, &[u8])]; 5] = [
        &[(15, &[1])],
        &[(19, &[1])],
        &[(8, &[0xff; 8])],
        &[(8, &[0xff; 12])],
        &[(112, &[0xe2, 0x79, 0x2a, 0xca, 0, 0, 0, 3]), (120, b"raw")],
    ];
    for patch in odd {
        assert_eq!(refused(&patched(patch)).code(), Code::ImageBacking, "{patch:?}");
    }
}

#[test]
fn img_03_of_all_64_incompatible_bits_only_the_compression_type_passes() {
    for bit in 0..64_u32 {
        let error = refused(&patched(&[(72, &(1_u64 << bit).to_be_bytes())]));
        let code = match bit {
            0 | 1 => Code::ImageDirty,
            2 => Code::ImageDataFile,
            // Bit 3 alone contradicts the type, which is zlib here.
            3 => Code::ImageLimit,
            _ => Code::ImageFeature,
        };
        assert_eq!(error.code(), code, "bit {bit}");
        if bit > 3 {
            assert!(error.to_string().contains(&format!("bit {bit}")), "{error}");
        }
        for other in (4..64_u32).step_by(5) {
            let both = (1_u64 << bit | 1 << other).to_be_bytes();
            assert!(gate(&mut Cursor::new(patched_header(&both))).is_err());
        }
    }
    let zstd = patched(&[(79, &[8]), (104, &[1])]);
    assert_eq!(gate(&mut Cursor::new(zstd)).unwrap().compression(), Compression::Zstd);
}

fn patched_header(bits: &[u8; 8]) -> Vec<u8> {
    thread_local!(static IMAGE: Vec<u8> = image());
    let mut bytes = IMAGE.with(Clone::clone);
    bytes[72..80].copy_from_slice(bits);
    bytes
}

#[test]
fn img_04_dirty_and_corrupt_images_are_refused_and_never_repaired() {
    for bit in [1, 2, 3] {
        let problem = Diagnostic::from(refused(&patched(&[(79, &[bit])])));
        assert_eq!(problem.code, Code::ImageDirty);
        assert!(problem.hint.unwrap().contains("qemu-img check"));
    }
}

#[test]
fn img_05_encryption_is_refused_and_named() {
    for (method, name) in [(1, "AES"), (2, "LUKS"), (3, "an unknown method")] {
        let error = refused(&patched(&[(35, &[method])]));
        assert_eq!(error.code(), Code::ImageFeature);
        assert!(error.to_string().contains(name));
    }
    let bytes = patched(&[(112, &[0x05, 0x37, 0xbe, 0x77, 0, 0, 0, 16])]);
    assert!(matches!(refused(&bytes), GateError::Encrypted("LUKS")));
}

#[test]
fn img_06_snapshots_are_refused_and_autoclear_bits_are_reported() {
    assert!(matches!(refused(&patched(&[(60, &[0, 0, 0, 2])])), GateError::Snapshots(2)));
    let info = gate(&mut Cursor::new(patched(&[(95, &[1])]))).unwrap();
    assert_eq!(info.header.autoclear, 1);
}

/// Name, byte, field, and the field or part that the error must name.
type Absurd = (&'static str, usize, &'static [u8], &'static str);

const ABSURD: &[Absurd] = &[
    ("clusters of 256 bytes", 20, &[0, 0, 0, 8], "cluster_bits"),
    ("clusters of 4 MiB", 20, &[0, 0, 0, 22], "cluster_bits"),
    ("cluster bits 63", 20, &[0, 0, 0, 63], "cluster_bits"),
    ("cluster bits 2^31", 20, &[0x80, 0, 0, 0], "cluster_bits"),
    ("a disk of no size", 24, &[0; 8], "`size`"),
    ("a disk of half a sector", 24, &[0, 0, 0, 0, 0, 0x40, 1, 0], "`size`"),
    ("a disk of 2^63 - 1", 24, &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "`size`"),
    ("a disk of 2^63 - 512", 24, &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0], "limit"),
    ("a disk of 2^64 - 512", 24, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0], "limit"),
    ("no L1 table", 36, &[0; 4], "l1_size"),
    ("an L1 table of 32 GiB", 36, &[0xff; 4], "l1_size"),
    ("an L1 table past the end", 36, &[0, 0x10, 0, 0], "l1_table_offset"),
    ("an L1 table at 0", 40, &[0; 8], "l1_table_offset"),
    ("an L1 table off its cluster", 40, &[0, 0, 0, 0, 0, 3, 2, 0], "l1_table_offset"),
    ("an L1 table behind the file", 40, &[0, 0, 0, 1, 0, 0, 0, 0], "l1_table_offset"),
    ("an L1 table that wraps", 40, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0], "l1_table_offset"),
    ("an L1 table on the refcount table", 40, &[0, 0, 0, 0, 0, 1, 0, 0], "l1_table_offset"),
    ("a refcount table at 0", 48, &[0; 8], "refcount_table_offset"),
    ("a refcount table off its cluster", 48, &[0, 0, 0, 0, 0, 1, 0, 8], "refcount_table_offset"),
    ("a refcount table that wraps", 48, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0], "refcount_table_offset"),
    ("no refcount table", 56, &[0; 4], "refcount_table_clusters"),
    ("a refcount table of 256 TiB", 56, &[0xff; 4], "refcount_table_clusters"),
    ("a refcount table past the end", 56, &[0, 0, 0, 100], "refcount_table_offset"),
    ("refcounts of 128 bits", 96, &[0, 0, 0, 7], "refcount_order"),
    ("refcount order 2^32 - 1", 96, &[0xff; 4], "refcount_order"),
    ("a header of 72 bytes", 100, &[0, 0, 0, 72], "header_length"),
    ("a header of 105 bytes", 100, &[0, 0, 0, 105], "header_length"),
    ("a header of 4 GiB", 100, &[0xff; 4], "header_length"),
    ("a header past its cluster", 100, &[0, 1, 0, 8], "header_length"),
    ("compression type 2", 104, &[2], "compression_type"),
    ("zstd without its bit", 104, &[1], "compression_type"),
    ("an extension of 4 GiB", 112, &[1, 2, 3, 4, 0xff, 0xff, 0xff, 0xff], "extension length"),
    ("an extension past its cluster", 112, &[1, 2, 3, 4, 0, 1, 0, 0], "extension length"),
    ("an L1 entry behind the file", 3 << 16, &[0x80, 0, 1, 0, 0, 0, 0, 0], "L1 entry"),
    ("an L1 entry off its cluster", 3 << 16, &[0x80, 0, 0, 0, 0, 4, 2, 0], "L1 entry"),
    ("an L1 entry with reserved bits", 3 << 16, &[0x81, 0, 0, 0, 0, 4, 0, 0], "L1 entry"),
    ("an L2 entry behind the file", (4 << 16) + 16, &[0x80, 0, 1, 0, 0, 0, 0, 0], "L2 entry"),
    ("a compressed L2 entry behind the file", (4 << 16) + 16, &[0x40, 0, 1, 0, 0, 0, 0, 0], "L2 entry"),
    ("an L2 entry off its cluster", (4 << 16) + 16, &[0x80, 0, 0, 0, 0, 4, 2, 0], "L2 entry"),
];

#[test]
fn img_07_absurd_fields_are_refused_and_named() {
    for (name, at, patch, field) in ABSURD {
        let error = refused(&patched(&[(*at, patch)]));
        assert_eq!(error.code(), Code::ImageLimit, "{name}: {error}");
        assert!(error.to_string().contains(field), "{name}: {error}");
    }
}

#[test]
fn img_07_endless_extensions_are_refused() {
    let mut bytes = image();
    for at in (112..65536).step_by(8) {
        bytes[at..at + 8].copy_from_slice(&[1, 2, 3, 4, 0, 0, 0, 0]);
    }
    assert!(refused(&bytes).to_string().contains("extensions"));
}

#[test]
fn img_01_an_extension_where_the_gate_does_not_look_is_refused() {
    // A 2 MiB cluster has room for a header longer than what is read.
    let mut bytes = vec![0; 4 * (2 << 20)];
    let head = image();
    bytes[..104].copy_from_slice(&head[..104]);
    bytes[20..24].copy_from_slice(&21_u32.to_be_bytes());
    bytes[40..48].copy_from_slice(&(4_u64 << 20).to_be_bytes());
    bytes[48..56].copy_from_slice(&(2_u64 << 20).to_be_bytes());
    assert!(gate(&mut Cursor::new(&bytes)).is_ok());
    bytes[100..104].copy_from_slice(&(128_u32 << 10).to_be_bytes());
    bytes[128 << 10..(128 << 10) + 4].copy_from_slice(b"DATA");
    assert!(refused(&bytes).to_string().contains("header_length"));
    bytes[100..104].copy_from_slice(&104_u32.to_be_bytes());
    bytes[104..112].copy_from_slice(&[1, 2, 3, 4, 0, 0, 0xff, 0x8a]);
    assert!(refused(&bytes).to_string().contains("header_length"));
}

fn flipped(mut bytes: Vec<u8>, places: impl Iterator<Item = usize>, flips: &[u8]) {
    for at in places {
        for flip in flips {
            bytes[at] ^= flip;
            let _ = gate(&mut Cursor::new(&bytes));
            bytes[at] ^= flip;
        }
    }
}

#[test]
fn img_07_no_flip_of_a_header_byte_panics() {
    flipped(image(), 0..128, &[0xff, 0x01, 0x80]);
    flipped(blank(ByteSize::mib(1)).unwrap(), 0..65536, &[0xff]);
}

#[test]
fn img_07_a_cut_image_is_refused_and_never_a_panic() {
    let bytes = image();
    for length in (0..200).chain((200..bytes.len() - 65536).step_by(4099)) {
        assert!(gate(&mut Cursor::new(&bytes[..length])).is_err(), "{length}");
    }
}

/// The image above: header, refcount table, refcount block, L1, L2, data; a cluster each.
#[test]
fn img_07_an_entry_that_points_into_a_structure_is_refused_and_an_unallocated_one_is_not() {
    const L1: usize = 3 << 16;
    const L2: usize = 4 << 16;
    let entry = |flags: u64, target: u64| (flags << 56 | target).to_be_bytes();
    let clusters = ["the header", "the refcount table", "a refcount block", "the L1 table", "an L2 table"];
    for (cluster, name) in clusters.into_iter().enumerate() {
        let target = (cluster as u64) << 16;
        // Plain, of zeros, and compressed, which begins at any byte.
        let mut patches = vec![(L2 + 16, entry(0x40, target + 77))];
        if cluster > 0 {
            patches.extend([(L2 + 24, entry(0x80, target)), (L2 + 16, entry(0, target | 1))]);
        }
        if (1..4).contains(&cluster) {
            patches.push((L1, entry(0x80, target)));
        }
        for (at, value) in patches {
            let error = refused(&patched(&[(at, &value)]));
            assert!(matches!(error, GateError::Entry { .. }), "{name}: {error}");
            assert!(error.to_string().ends_with(&format!("it lies in {name}")), "{name}: {error}");
        }
    }
    for (at, value) in
        [(L1, entry(0x80, 0)), (L2, entry(0x80, 0)), (L2, entry(0, 1)), (L2, [0; 8]), (L2, entry(0x80, 5 << 16))]
    {
        let bytes = patched(&[(at, &value)]);
        assert!(gate(&mut Cursor::new(&bytes)).is_ok(), "{at} {value:?}");
    }
}

#[test]
fn img_07_two_l1_entries_with_one_l2_table_are_refused() {
    let mut raw = vec![0; 513 << 20];
    (raw[0], raw[512 << 20]) = (7, 7);
    let mut bytes = from_raw(&raw).unwrap();
    let l1 = 3 << 16;
    bytes.copy_within(l1..l1 + 8, l1 + 8);
    assert!(refused(&bytes).to_string().ends_with("two entries point to one L2 table"));
}

#[test]
fn img_08_a_disk_above_the_limit_is_refused_unless_it_is_widened() {
    let bytes = blank(ByteSize::gib(2048)).unwrap();
    assert!(refused(&bytes).to_string().contains("2 TiB"));
    assert!(gate_within(&mut Cursor::new(&bytes), ByteSize::gib(2048)).is_ok());
}

#[test]
fn img_10_other_formats_are_named() {
    let marks: [(&[u8], &str); 11] = [
        (b"KDMV\x01", "VMDK"),
        (b"vhdxfile", "VHDX"),
        (b"conectix", "VHD"),
        (b"QED\0", "QED"),
        (b"LUKS\xba\xbe\x00\x02", "LUKS"),
        (&[0x1f, 0x8b, 8], "gzip"),
        (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz"),
        (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
        (b"<!DOCTYPE HTML>", "HTML"),
        (b"\x00\x01\x02", "raw"),
        (b"", "empty"),
    ];
    for (mark, name) in marks {
        let error = refused(mark);
        assert_eq!(error.code(), Code::ImageFormat);
        assert!(error.to_string().contains(name), "{error}");
    }
    let mut iso = vec![0; 0x9000];
    iso[0x8001..0x8006].copy_from_slice(b"CD001");
    assert!(refused(&iso).to_string().contains("ISO"));
    let mut vdi = vec![0; 512];
    vdi[0x40..0x44].copy_from_slice(&[0x7f, 0x10, 0xda, 0xbe]);
    assert!(refused(&vdi).to_string().contains("VDI"));
}

#[test]
fn img_10_a_qcow2_that_is_also_something_else_is_refused() {
    assert!(matches!(refused(&patched(&[(0x8001, b"CD001")])), GateError::Ambiguous { .. }));
    assert!(matches!(refused(&patched(&[(512, b"EFI PART")])), GateError::Ambiguous { .. }));
    let mut vhd = image();
    vhd.extend_from_slice(b"conectix");
    vhd.resize(vhd.len() + 504, 0);
    assert!(matches!(refused(&vhd), GateError::Ambiguous { .. }));
    assert!(matches!(refused(&patched(&[(4, &[0, 0, 0, 1])])), GateError::Version(1)));
    assert!(matches!(refused(&patched(&[(4, &[0, 0, 0, 4])])), GateError::Version(4)));
}

#[test]
fn a_version_2_image_is_read_with_its_fixed_values() {
    // What stands behind byte 72 is extensions there; zeros end them.
    let bytes = patched(&[(4, &[0, 0, 0, 2]), (72, &[0; 40])]);
    let info = gate(&mut Cursor::new(bytes)).unwrap();
    assert_eq!((info.header.version, info.header.refcount_order), (2, 4));
    let hidden = patched(&[(4, &[0, 0, 0, 2]), (72, b"DATA\0\0\0\x03abc\0\0\0\0\0")]);
    assert_eq!(refused(&hidden).code(), Code::ImageDataFile);
}
