//! IMG-13 by the whole program: compressed bases, rightly pinned, that are bombs, ask for memory, are cut or spoiled, or
//! hold what no base may be. Each ends with its stable code, and the store holds the pinned file and nothing else.
//!
//! Touches temporary directories. Read next: `src/format/packed/tests.rs` for the decoders by themselves, and
//! `tests/oracle/packed.rs` for files that the real tools made.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::base::Digest;
use crate::format::qcow2;
use liblzma::stream::{Action, Check, Stream};

use crate::tests::support::publisher::iso;
use crate::tests::support::{Bin, workdir};

const ALL: [&str; 3] = ["xz", "zst", "gz"];

fn pack(compression: &str, bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(bytes.len() + 1024);
    match compression {
        "xz" => {
            let mut stream = Stream::new_easy_encoder(0, Check::Crc64).unwrap();
            stream.process_vec(bytes, &mut packed, Action::Finish).unwrap();
        }
        "zst" => {
            let mut context = zstd_safe::CCtx::create();
            context.set_parameter(zstd_safe::CParameter::ChecksumFlag(true)).unwrap();
            context.compress2(&mut packed, bytes).unwrap();
        }
        _ => {
            let mut encoder = flate2::write::GzEncoder::new(packed, flate2::Compression::best());
            encoder.write_all(bytes).unwrap();
            packed = encoder.finish().unwrap();
        }
    }
    packed
}

/// A raw disk with a boot sector and something on it.
fn disk() -> Vec<u8> {
    let mut disk = vec![0; 1 << 20];
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    for (at, byte) in disk[200_000..260_000].iter_mut().enumerate() {
        *byte = (at as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0];
    }
    disk
}

/// A disk and behind it a GiB of zeros, in members of 16 MiB.
fn bomb(compression: &str) -> Vec<u8> {
    let zeros = pack(compression, &vec![0; 16 << 20]);
    [pack(compression, &disk()), zeros.repeat(64)].concat()
}

struct Case {
    name: String,
    /// The base's file name, which tells what it is.
    file: String,
    /// Further lines of `[base]`.
    keys: &'static str,
    code: &'static str,
    bytes: Vec<u8>,
}

fn case(name: impl Into<String>, file: impl Into<String>, code: &'static str, bytes: Vec<u8>) -> Case {
    Case { name: name.into(), file: file.into(), keys: "", code, bytes }
}

/// Writes base and recipe, and builds.
fn build(world: &Path, case: &Case) -> crate::tests::support::Output {
    std::fs::write(world.join(&case.file), &case.bytes).unwrap();
    let (file, keys, digest) = (&case.file, case.keys, Digest::of(&case.bytes));
    let recipe = format!(
        "format = 1\nname = \"t\"\n[base]\nurl = \"{file}\"\nsha256 = \"{digest}\"\n{keys}[machine.system]\nsize = \"4GiB\"\n"
    );
    std::fs::write(world.join("t.toml"), recipe).unwrap();
    Bin::new(world).arg("t.toml").run()
}

/// Lists the files below a directory of the store.
fn files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return vec![] };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Demands that the case fails as it says, and that nothing but the pinned file is left.
fn judge(case: &Case) {
    let dir = workdir();
    let world = dir.path();
    let run = build(world, case);
    assert!(run.code == 3 && run.stderr.contains(&format!("[{}]", case.code)), "{}: {}\n{run}", case.name, case.code);
    assert_eq!(run.stdout, "", "{}", case.name);
    let store = world.join("cache");
    let hex = Digest::of(&case.bytes).to_string();
    let only = store.join("objects-v1").join(&hex[..2]).join(&hex[2..]);
    // Beside an installer, the blank disk that it installs onto was made meanwhile.
    let others = usize::from(case.file.contains(".iso"));
    let objects = files(&store.join("objects-v1"));
    assert!(objects.contains(&only) && objects.len() == 1 + others, "{}: {objects:?}", case.name);
    assert_eq!(files(&store.join("realisations-v1")).len(), others, "{}", case.name);
    for place in ["bundles-v1", "roots-v1", "quarantine", "tmp"] {
        assert_eq!(files(&store.join(place)), [] as [PathBuf; 0], "{}: {place}", case.name);
    }
    assert!(world.join("result-t").symlink_metadata().is_err(), "{}", case.name);
}

#[test]
fn img_13_a_bomb_ends_with_its_code_and_leaves_nothing() {
    for compression in ALL {
        let bytes = bomb(compression);
        assert!(bytes.len() < 6 << 20, "{}", bytes.len());
        judge(&case(format!("raw {compression}"), format!("b.raw.{compression}"), "E_DECOMP_BOMB", bytes));
        let bytes = pack(compression, &vec![0; 3 << 20]);
        let bomb = case(format!("qcow2 {compression}"), format!("b.qcow2.{compression}"), "E_DECOMP_BOMB", bytes);
        judge(&Case { keys: "unpacked_size = \"2MiB\"\n", ..bomb });
    }
}

#[test]
fn img_13_a_recipe_that_says_the_size_takes_what_would_be_a_bomb() {
    let dir = workdir();
    let large = case("", "b.raw.zst", "", bomb("zst"));
    let said = Case { keys: "unpacked_size = \"1025MiB\"\n", ..large };
    build(dir.path(), &said).success();
    for keys in ["unpacked_size = \"1026MiB\"\n", "unpacked_size = \"2GiB\"\n"] {
        judge(&Case { keys, code: "E_HASH", ..case(keys, "b.raw.zst", "", bomb("zst")) });
    }
    // What was built before under the right size does not answer for the wrong one.
    let wrong = Case { keys: "unpacked_size = \"1026MiB\"\n", ..said };
    build(dir.path(), &wrong).ends_with(3).says("E_HASH");
}

#[test]
fn img_13_a_file_that_asks_for_too_much_memory_is_refused() {
    // RFC 8878, 3.1.1.1: no content size, a window of 2 GiB, one raw block.
    let zst = [&[0x28, 0xb5, 0x2f, 0xfd, 0, 21 << 3], &[9, 0, 0][..], b"a"].concat();
    judge(&case("zstd window of 2 GiB", "b.raw.zst", "E_DECOMP_MEM", zst));
    // The .xz File Format, 3.1 "Block Header": LZMA2's one byte, 37 for a dictionary of 1.5 GiB.
    let mut xz = pack("xz", b"a");
    let end = 12 + (usize::from(xz[12]) + 1) * 4;
    assert_eq!(xz[14..16], [0x21, 1]);
    xz[16] = 37;
    let mut crc = flate2::Crc::new();
    crc.update(&xz[12..end - 4]);
    xz[end - 4..end].copy_from_slice(&crc.sum().to_le_bytes());
    judge(&case("xz dictionary of 1.5 GiB", "b.qcow2.xz", "E_DECOMP_MEM", xz));
}

#[test]
fn img_13_cut_spoiled_and_prolonged_files_are_refused() {
    for compression in ALL {
        let whole = pack(compression, &disk());
        let file = format!("b.raw.{compression}");
        let mut all = vec![];
        for end in [0, 1, 5, 11, 20, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
            all.push((format!("cut at {end}"), whole[..end].to_vec()));
        }
        for garbage in [&b"x"[..], b"\0", b"garbage that follows", &whole[..12]] {
            all.push((format!("followed by {} bytes", garbage.len()), [&whole[..], garbage].concat()));
        }
        for at in [0, whole.len() / 2, whole.len() - 3] {
            let mut spoiled = whole.clone();
            spoiled[at] ^= 0x41;
            all.push((format!("spoiled at {at}"), spoiled));
        }
        for (name, bytes) in all {
            judge(&case(format!("{compression} {name}"), file.clone(), "E_DECOMP_CORRUPT", bytes));
        }
    }
}

#[test]
fn img_13_what_is_inside_passes_the_same_gate_as_what_is_not_packed() {
    let mut backed = qcow2::from_raw(&disk()).unwrap();
    backed[8..16].copy_from_slice(&512_u64.to_be_bytes());
    backed[16..20].copy_from_slice(&13_u32.to_be_bytes());
    backed[512..525].copy_from_slice(b"/etc/hostname");
    let mut odd = disk();
    odd.truncate((1 << 20) - 100);
    for (name, file, code, bytes) in [
        ("a backing file", "b.qcow2.xz", "E_IMAGE_BACKING", backed.clone()),
        ("a raw disk that is a qcow2", "b.raw.zst", "E_IMAGE_FORMAT", backed.clone()),
        ("a raw disk that is an ISO", "b.raw.gz", "E_IMAGE_FORMAT", iso()),
        ("a raw disk of zeros", "b.raw.gz", "E_IMAGE_FORMAT", vec![0; 1 << 20]),
        ("a raw disk that is packed twice", "b.raw.gz", "E_IMAGE_FORMAT", pack("xz", &disk())),
        ("a raw disk cut within a sector", "b.raw.zst", "E_IMAGE_FORMAT", odd),
        ("a cut ISO", "b.iso.gz", "E_IMAGE_FORMAT", iso()[..40 * 2048].to_vec()),
        ("a qcow2 that is an ISO", "b.qcow2.zst", "E_IMAGE_FORMAT", iso()),
        ("nothing", "b.raw.gz", "E_IMAGE_FORMAT", vec![]),
    ] {
        let compression = file.rsplit('.').next().unwrap();
        judge(&case(name, file, code, pack(compression, &bytes)));
    }
}

#[test]
fn img_10_a_raw_base_that_is_something_else_never_gets_a_name() {
    let dir = workdir();
    for bytes in [qcow2::from_raw(&disk()).unwrap(), iso(), vec![0; 65536], pack("xz", &disk())] {
        build(dir.path(), &case("", "b.raw", "", bytes)).ends_with(3).says("E_IMAGE_FORMAT");
        assert_eq!(files(&dir.path().join("cache/objects-v1")), [] as [PathBuf; 0]);
    }
    build(dir.path(), &case("", "b.raw", "", disk())).success();
}

#[test]
fn cas_05_a_packed_base_damaged_in_the_store_is_told_as_such() {
    use std::os::unix::fs::PermissionsExt;
    for compression in ALL {
        let dir = workdir();
        let world = dir.path();
        let good = case("", format!("b.raw.{compression}"), "", pack(compression, &disk()));
        build(world, &good).success();
        let hex = Digest::of(&good.bytes).to_string();
        let object = world.join("cache/objects-v1").join(&hex[..2]).join(&hex[2..]);
        let modified = std::fs::metadata(&object).unwrap().modified().unwrap();
        std::fs::set_permissions(&object, std::fs::Permissions::from_mode(0o644)).unwrap();
        let mut spoiled = good.bytes.clone();
        let middle = spoiled.len() / 2;
        spoiled[middle] ^= 0x41;
        let mut file = std::fs::OpenOptions::new().write(true).open(&object).unwrap();
        file.write_all(&spoiled).unwrap();
        file.set_modified(modified).unwrap();
        drop(file);
        // Another derivation of the same file, whose stamp is still right.
        let again = Case { keys: "unpacked_size = \"1MiB\"\n", ..good };
        let text = std::fs::read_to_string(world.join("t.toml"))
            .unwrap()
            .replace("[machine", &format!("{}[machine", again.keys));
        std::fs::write(world.join("t.toml"), text).unwrap();
        std::fs::remove_file(world.join(&again.file)).unwrap();
        Bin::new(world).arg("t.toml").run().ends_with(3).says("E_CACHE_CORRUPT");
        assert_eq!(files(&world.join("cache/quarantine")).len(), 1);
        // What is gone is brought again.
        build(world, &again).success();
    }
}
