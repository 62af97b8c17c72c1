//! Our images, volumes and tables before the tools people use: qemu-img, fsck.fat, mtools, blkid, sgdisk.

use std::fs;
use std::io::{Cursor, Read as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::base::{ByteSize, DiskLabel};
use crate::format::fat::{self, Tree, Volume};
use crate::format::qcow2::{self, GateError, Image, gate, gate_within};
use crate::format::{gpt, ignition, iso};
use crate::inspect::inspect;

use crate::tests::support::{tool, tools};

const WIDE: ByteSize = ByteSize::gib(64 * 1024);

fn run(program: &str, arguments: &[&str]) -> (bool, String) {
    let program = tool(program).unwrap();
    let output = Command::new(program).args(arguments).env("LC_ALL", "C").output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

fn good(program: &str, arguments: &[&str]) -> String {
    let (success, text) = run(program, arguments);
    assert!(success, "{program} {arguments:?}: {text}");
    text
}

fn put(directory: &Path, name: &str, bytes: &[u8]) -> String {
    let path = directory.join(name);
    fs::write(&path, bytes).unwrap();
    shown(&path)
}

fn shown(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// Content that no filter or compression leaves alone.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let step = |state: &mut u64| {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 32) as u8
    };
    (0..length).map(|_| step(&mut state)).collect()
}

fn volume(files: &[(&str, &[u8])]) -> Vec<u8> {
    let files = files.iter().map(|(path, content)| ((*path).to_owned(), *content)).collect();
    let volume = Volume { label: DiskLabel::Ignition, volume_id: 0x1234_abcd, epoch: 1_700_000_000, files };
    fat::write(&volume).unwrap()
}

fn plain(directory: &Path) -> Vec<u8> {
    let raw = [noise(700_000, 3), vec![0; 4 << 20], noise(300_512, 5)].concat();
    let raw = &raw[..raw.len() / 512 * 512];
    put(directory, "plain.raw", raw);
    raw.to_vec()
}

#[test]
fn qemu_img_finds_blank_disks_clean_and_of_the_right_size() {
    let Some(()) = tools(&["qemu-img"]) else { return };
    let dir = tempfile::tempdir().unwrap();
    for size in [512, 1 << 20, 30 << 30, (33 << 30) + 512, 4 << 40, (4 << 40) + 512, 64 << 40] {
        let path = put(dir.path(), "blank.qcow2", &qcow2::blank(ByteSize(size)).unwrap());
        let check = good("qemu-img", &["check", "-f", "qcow2", &path]);
        assert!(check.contains("No errors"), "{check}");
        let info = good("qemu-img", &["info", "--output=json", "-f", "qcow2", &path]);
        assert!(info.contains(&format!("\"virtual-size\": {size}")), "{info}");
    }
}

#[test]
fn qemu_img_reads_an_overlay_through_to_its_base() {
    let Some(()) = tools(&["qemu-img"]) else { return };
    let dir = tempfile::tempdir().unwrap();
    let raw = plain(dir.path());
    put(dir.path(), "base.qcow2", &qcow2::from_raw(&raw).unwrap());
    let overlay = put(dir.path(), "o.qcow2", &qcow2::overlay("base.qcow2", ByteSize(raw.len() as u64 + 512)).unwrap());
    let info = good("qemu-img", &["info", "--output=json", "--backing-chain", "-f", "qcow2", &overlay]);
    for want in ["\"backing-filename\": \"base.qcow2\"", "\"backing-filename-format\": \"qcow2\""] {
        assert!(info.contains(want), "{info}");
    }
    assert!(good("qemu-img", &["check", "-f", "qcow2", &overlay]).contains("No errors"));
    let out = shown(&dir.path().join("out.raw"));
    good("qemu-img", &["convert", "-f", "qcow2", "-O", "raw", &overlay, &out]);
    assert!(fs::read(out).unwrap()[..raw.len()] == raw);
}

#[test]
fn qemu_img_reads_what_we_wrote_from_raw() {
    let Some(()) = tools(&["qemu-img"]) else { return };
    let dir = tempfile::tempdir().unwrap();
    for raw in [plain(dir.path()), noise(9 << 20, 9), vec![0; 1 << 20], noise(512, 1), noise(66_048, 2)] {
        let want = put(dir.path(), "want.raw", &raw);
        let path = put(dir.path(), "got.qcow2", &qcow2::from_raw(&raw).unwrap());
        assert!(good("qemu-img", &["check", "-f", "qcow2", &path]).contains("No errors"));
        good("qemu-img", &["compare", "-f", "raw", "-F", "qcow2", &want, &path]);
    }
}

#[test]
fn qemu_img_agrees_with_our_growth() {
    let Some(()) = tools(&["qemu-img"]) else { return };
    let dir = tempfile::tempdir().unwrap();
    let raw = plain(dir.path());
    let sources: [&[&str]; 6] = [
        &[],
        &["-o", "compat=0.10"],
        &["-o", "cluster_size=4096"],
        &["-o", "cluster_size=2M"],
        &["-c"],
        &["-c", "-o", "compression_type=zstd"],
    ];
    for source in sources {
        let (from, ours, theirs) =
            (shown(&dir.path().join("plain.raw")), dir.path().join("ours.qcow2"), dir.path().join("theirs.qcow2"));
        let (to, resized) = (shown(&ours), shown(&theirs));
        good("qemu-img", &[&["convert", "-f", "raw", "-O", "qcow2"], source, &[&from, &to]].concat());
        fs::copy(&ours, &theirs).unwrap();
        let info = gate_within(&mut fs::File::open(&ours).unwrap(), WIDE).unwrap();
        let new = ByteSize(if info.header.cluster_bits == 12 { 900 << 20 } else { 40 << 30 });
        good("qemu-img", &["resize", "-f", "qcow2", &resized, &new.0.to_string()]);
        let mut bytes = fs::read(&ours).unwrap();
        for (at, patch) in qcow2::grow(&info, new).unwrap() {
            let at = at as usize;
            bytes.resize(bytes.len().max(at + patch.len()), 0);
            bytes[at..at + patch.len()].copy_from_slice(&patch);
        }
        fs::write(&ours, &bytes).unwrap();
        assert!(good("qemu-img", &["check", "-f", "qcow2", &to]).contains("No errors"), "{source:?}");
        good("qemu-img", &["compare", "-s", "-f", "qcow2", "-F", "qcow2", &to, &resized]);
        assert_eq!(gate_within(&mut Cursor::new(bytes), WIDE).unwrap().virtual_size(), new);
    }
    drop(raw);
}

#[test]
fn the_gate_passes_what_qemu_img_makes_plainly_and_reads_its_disk() {
    let Some(()) = tools(&["qemu-img"]) else { return };
    let dir = tempfile::tempdir().unwrap();
    let raw = plain(dir.path());
    let from = shown(&dir.path().join("plain.raw"));
    let sources: [&[&str]; 8] = [
        &[],
        &["-c"],
        &["-o", "compat=0.10"],
        &["-c", "-o", "compat=0.10"],
        &["-o", "cluster_size=512"],
        &["-c", "-o", "cluster_size=2M"],
        &["-o", "lazy_refcounts=on,refcount_bits=1"],
        &["-o", "preallocation=metadata,refcount_bits=64"],
    ];
    for source in sources {
        let to = shown(&dir.path().join("image.qcow2"));
        good("qemu-img", &[&["convert", "-f", "raw", "-O", "qcow2"], source, &[&from, &to]].concat());
        let mut file = fs::File::open(&to).unwrap();
        let info = gate(&mut file).unwrap_or_else(|error| panic!("{source:?}: {error}"));
        let mut content = Vec::new();
        Image::open(file, &info).unwrap().read_to_end(&mut content).unwrap();
        assert!(content == raw, "{source:?}");
    }
}

#[test]
fn img_01_to_06_the_gate_refuses_what_qemu_img_makes_with_features() {
    let Some(()) = tools(&["qemu-img"]) else { return };
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "base.raw", &[1; 1 << 20]);
    let data = format!("data_file={}", shown(&dir.path().join("data.raw")));
    let to = shown(&dir.path().join("image.qcow2"));
    let base = shown(&dir.path().join("base.raw"));
    type Expected = fn(&GateError) -> bool;
    let cases: [(&[&str], Expected); 4] = [
        (&["-o", &data], |error| matches!(error, GateError::DataFile { .. })),
        (&["-b", &base, "-F", "raw"], |error| matches!(error, GateError::Backing { .. })),
        (&["-o", "extended_l2=on"], |error| matches!(error, GateError::Feature { bit: 4, .. })),
        (&["-o", "encrypt.format=luks,encrypt.key-secret=s", "--object", "secret,id=s,data=x"], |error| {
            matches!(error, GateError::Encrypted(_))
        }),
    ];
    for (options, expected) in cases {
        good("qemu-img", &[&["create", "-f", "qcow2"], options, &[&to, "1M"]].concat());
        let error = gate(&mut fs::File::open(&to).unwrap()).unwrap_err();
        assert!(expected(&error), "{options:?}: {error}");
    }
    good("qemu-img", &["create", "-f", "qcow2", &to, "1M"]);
    good("qemu-img", &["snapshot", "-c", "one", &to]);
    assert!(matches!(gate(&mut fs::File::open(&to).unwrap()), Err(GateError::Snapshots(1))));
    good("qemu-img", &["create", "-f", "qcow2", &to, "1M"]);
    good("qemu-img", &["bitmap", "--add", &to, "b"]);
    let info = gate(&mut fs::File::open(&to).unwrap()).unwrap();
    assert_eq!(info.header.autoclear, 1);
}

#[test]
fn img_10_the_gate_names_what_qemu_img_makes_in_other_formats() {
    let Some(()) = tools(&["qemu-img"]) else { return };
    let dir = tempfile::tempdir().unwrap();
    let to = shown(&dir.path().join("image"));
    for (format, name) in
        [("vmdk", "VMDK"), ("vhdx", "VHDX"), ("vdi", "VDI"), ("vpc", "VHD"), ("qed", "QED"), ("raw", "raw")]
    {
        good("qemu-img", &["create", "-f", format, &to, "8M"]);
        let error = gate(&mut fs::File::open(&to).unwrap()).unwrap_err();
        assert!(error.to_string().contains(name), "{format}: {error}");
    }
}

#[test]
fn out_8_fsck_and_blkid_find_the_config_disk_clean_and_labelled() {
    let Some(()) = tools(&["fsck.fat", "blkid"]) else { return };
    let dir = tempfile::tempdir().unwrap();
    let script = noise(70_000, 1);
    let path = put(
        dir.path(),
        "config.raw",
        &volume(&[
            ("ignition/config.ign", b"{}"),
            ("combustion/script", &script),
            ("combustion/a/b/c", b""),
            ("x", b"1"),
        ]),
    );
    let fsck = good("fsck.fat", &["-n", "-v", &path]);
    assert!(!fsck.contains("Differences") && !fsck.to_lowercase().contains("error"), "{fsck}");
    let probed = good("blkid", &["-p", "-o", "export", &path]);
    for want in ["LABEL=ignition\n", "UUID=1234-ABCD\n", "TYPE=vfat\n", "LABEL_FATBOOT=ignition\n"] {
        assert!(probed.contains(want), "{probed}");
    }
}

#[test]
fn out_8_mtools_reads_every_byte_back_with_names_and_time() {
    let Some(()) = tools(&["mdir", "mcopy"]) else { return };
    let dir = tempfile::tempdir().unwrap();
    let long = format!("combustion/{}", "n".repeat(200));
    let contents = [noise(1, 1), noise(512, 2), noise(513, 3), noise(300_000, 4), vec![]];
    let names =
        ["ignition/config.ign", "combustion/script", "combustion/Side-File_1+x.tar.gz", &long, "combustion/empty"];
    let files: Vec<(&str, &[u8])> = names.iter().zip(&contents).map(|(name, content)| (*name, &content[..])).collect();
    let path = put(dir.path(), "config.raw", &volume(&files));
    let out = dir.path().join("out");
    fs::create_dir(&out).unwrap();
    good("mcopy", &["-s", "-n", "-m", "-i", &path, "::*", &shown(&out)]);
    for (name, content) in files {
        assert!(fs::read(out.join(name)).unwrap() == content, "{name}");
    }
    let listing = good("mdir", &["-/", "-i", &path, "::"]);
    assert!(listing.contains("2023-11-14") && !listing.contains("1980"), "{listing}");
}

#[test]
fn out_8_every_size_around_every_border_is_clean() {
    let Some(()) = tools(&["fsck.fat"]) else { return };
    let dir = tempfile::tempdir().unwrap();
    let mebibyte = 1 << 20;
    let capacity = [2003 * 512, 2025 * 1024, 8143 * 1024, 16303 * 1024, 16343 * 2048, 32695 * 2048];
    let near =
        capacity.iter().flat_map(|most: &usize| [most - 4096, most - 2048, most - 1025, most - 1024, most - 512]);
    let small = [0, 1, 511, 512, 513, mebibyte, 4 * mebibyte, 5 * mebibyte].into_iter();
    // The directory takes a cluster of the largest shape.
    for length in small.chain(near).filter(|length| *length <= 32_694 * 2048) {
        let content = noise(length, length as u64);
        let bytes = volume(&[("combustion/blob", &content)]);
        let path = put(dir.path(), "config.raw", &bytes);
        good("fsck.fat", &["-n", &path]);
        let mut reader = Cursor::new(&bytes);
        let tree = Tree::read(&mut reader, bytes.len() as u64).unwrap();
        let node = tree.find("combustion/blob").unwrap();
        assert!(tree.content(&mut reader, node, u64::MAX).unwrap() == content, "{length}");
    }
}

#[test]
fn out_8_many_files_in_many_directories_are_clean() {
    let Some(()) = tools(&["fsck.fat"]) else { return };
    let dir = tempfile::tempdir().unwrap();
    let names: Vec<String> =
        (0..300).map(|number| format!("d{}/sub/a-rather-long-file-name-{number}.conf", number % 7)).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), name.as_bytes())).collect();
    let path = put(dir.path(), "config.raw", &volume(&files));
    let fsck = good("fsck.fat", &["-n", &path]);
    assert!(fsck.contains("314 files") || fsck.contains("315 files"), "{fsck}");
}

#[test]
fn the_reader_reads_what_mtools_and_mkfs_make() {
    let Some(()) = tools(&["mkfs.vfat", "mmd", "mcopy"]) else { return };
    let dir = tempfile::tempdir().unwrap();
    for (kibibytes, bits) in [("64", "12"), ("1440", "12"), ("10240", "16"), ("30720", "16")] {
        let path = shown(&dir.path().join(format!("{kibibytes}.img")));
        good("mkfs.vfat", &["-C", "-F", bits, "-n", "ignition", "-i", "0000beef", &path, kibibytes]);
        let config = put(dir.path(), "config.ign", br#"{"ignition":{"version":"3.3.0"}}"#);
        good("mmd", &["-i", &path, "::ignition"]);
        good("mcopy", &["-i", &path, &config, "::ignition/config.ign"]);
        let bytes = fs::read(&path).unwrap();
        let report = inspect(Cursor::new(&bytes), bytes.len() as u64).unwrap();
        let shown = report.to_string();
        assert!(
            shown.contains("label `ignition`, id 0000-BEEF") && shown.contains("applied  Ignition reads"),
            "{shown}"
        );
    }
}

/// Makes a config disk as openSUSE's documentation does, of a file system that mkfs fills from a folder.
fn config_disk(kind: &str, label: &str, tree: &Path, to: &Path) -> String {
    let (to, tree) = (shown(to), shown(tree));
    match kind {
        "xfs" => good("mkfs.xfs", &["-q", "-L", label, "-d", &format!("file,name={to},size=300m")]),
        "ISO 9660" => good("xorriso", &["-as", "mkisofs", "-quiet", "-R", "-V", label, "-o", &to, &tree]),
        "btrfs" => good("mkfs.btrfs", &["-q", "-L", label, "-r", &tree, &to]),
        _ => good(&format!("mkfs.{kind}"), &["-q", "-L", label, "-d", &tree, &to, "16M"]),
    };
    to
}

#[test]
fn config_disks_of_every_file_system_are_told_by_label_and_id_as_blkid_tells_them() {
    let Some(()) = tools(&["mkfs.ext4", "mkfs.xfs", "mkfs.btrfs", "xorriso", "blkid"]) else { return };
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    fs::create_dir_all(tree.join("ignition")).unwrap();
    fs::create_dir_all(tree.join("combustion/parts")).unwrap();
    fs::write(tree.join("ignition/config.ign"), br#"{"ignition":{"version":"3.3.0"}}"#).unwrap();
    fs::write(tree.join("combustion/script"), b"#!/bin/sh\n").unwrap();
    fs::write(tree.join("combustion/parts/one"), b"x").unwrap();
    for (number, (kind, label)) in [
        ("ext4", "ignition"),
        ("ext3", "combustion"),
        ("ext2", "IGNITION"),
        ("xfs", "ignition"),
        ("btrfs", "data"),
        ("ISO 9660", "ignition"),
        ("ISO 9660", "combustion"),
        ("ISO 9660", "cidata"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = config_disk(kind, label, &tree, &dir.path().join(format!("{number}.img")));
        let report = inspect(fs::File::open(&path).unwrap(), fs::metadata(&path).unwrap().len()).unwrap();
        let [volume] = &report.volumes[..] else { panic!("{kind}: {report}") };
        let blkid = good("blkid", &["-p", "-o", "export", &path]);
        let told = format!("LABEL={}\n", volume.label.as_deref().unwrap_or_default());
        assert!(
            volume.kind == kind && blkid.contains(&told) && blkid.contains(&format!("UUID={}\n", volume.id)),
            "{report}{blkid}"
        );
        let text = report.to_string();
        let findings: Vec<&str> = text.lines().skip_while(|line| *line != "in the guest").skip(1).collect();
        match (kind, label) {
            ("ISO 9660", "ignition") => {
                assert!(
                    findings[0].contains("applied  Ignition reads `ignition/config.ign` (version 3.3.0)"),
                    "{text}"
                );
                assert!(findings[1].contains("applied  Combustion runs `combustion/script`, after"), "{text}");
                assert!(text.contains("combustion/parts/one\n"), "{text}");
            }
            ("ISO 9660", "combustion") => assert!(text.contains("ignored  `ignition/config.ign` is ignored"), "{text}"),
            ("ISO 9660", _) => assert!(text.contains("no engine looks at the label `cidata`"), "{text}"),
            (_, "data") => assert!(
                findings.iter().all(|line| line.starts_with("note: ")) && text.contains("are not read here"),
                "{text}"
            ),
            _ => {
                assert!(findings[0].starts_with("  applied") && findings[0].contains("look"), "{text}");
                assert!(text.contains(&format!("files on {kind} are not read here")), "{text}");
            }
        }
    }
}

#[test]
fn out_8_sgdisk_finds_the_stick_clean() {
    let Some(()) = tools(&["sgdisk", "blkid"]) else { return };
    let dir = tempfile::tempdir().unwrap();
    let disk = uuid::Uuid::from_u128(0x0011_2233_4455_5677_8899_aabb_ccdd_eeff);
    let partition = uuid::Uuid::from_u128(0xffee_ddcc_bbaa_5988_8776_5544_3322_1100);
    let config = noise(1_500_000, 8);
    for content in [&b"{}"[..], &config] {
        let image =
            gpt::usb_image(&volume(&[("ignition/config.ign", content)]), DiskLabel::Ignition, disk, partition).unwrap();
        let path = put(dir.path(), "usb.raw", &image);
        let verified = good("sgdisk", &["-v", &path]);
        assert!(verified.contains("No problems found"), "{verified}");
        let shown = good("sgdisk", &["-p", "-i", "1", &path]);
        for want in [
            "00112233-4455-5677-8899-AABBCCDDEEFF",
            "FFEEDDCC-BBAA-5988-8776-554433221100",
            "Microsoft basic data",
            "'ignition'",
        ] {
            assert!(shown.contains(want), "{want}: {shown}");
        }
        let inside = good("blkid", &["-p", "-O", "1048576", "-o", "export", &path]);
        assert!(inside.contains("LABEL=ignition\n"), "{inside}");
    }
}

#[test]
fn the_gpt_reader_agrees_with_sgdisk_about_a_system_disk_in_a_qcow2() {
    let Some(()) = tools(&["sgdisk", "qemu-img"]) else { return };
    let dir = tempfile::tempdir().unwrap();
    let raw = put(dir.path(), "disk.raw", &vec![0; 64 << 20]);
    good(
        "sgdisk",
        &[
            "-n",
            "1:2048:+2M",
            "-t",
            "1:ef02",
            "-c",
            "1:p.legacy",
            "-n",
            "3:8192:+20M",
            "-t",
            "3:ef00",
            "-n",
            "7:0:0",
            "-c",
            "7:p.lxroot",
            &raw,
        ],
    );
    let image = shown(&dir.path().join("disk.qcow2"));
    good("qemu-img", &["convert", "-c", "-f", "raw", "-O", "qcow2", &raw, &image]);
    let file = fs::File::open(&image).unwrap();
    let length = file.metadata().unwrap().len();
    let report = inspect(file, length).unwrap();
    let found: Vec<_> =
        report.partitions.iter().map(|part| (part.number, part.name.as_str(), part.first_lba)).collect();
    assert_eq!(found[0], (1, "p.legacy", 2048), "{report}");
    assert_eq!((found[1].0, found[1].2, found[2].0, found[2].1), (3, 8192, 7, "p.lxroot"), "{report}");
    assert!(report.what.contains("partitioned disk"));
}

#[test]
fn img_14_the_iso_gate_reads_what_xorriso_makes() {
    let Some(()) = tools(&["xorriso"]) else { return };
    let dir = tempfile::tempdir().unwrap();
    let (tree, to): (PathBuf, String) = (dir.path().join("tree"), shown(&dir.path().join("i.iso")));
    fs::create_dir_all(tree.join("boot")).unwrap();
    fs::write(tree.join("boot/image"), vec![1; 4096]).unwrap();
    let boot = ["-b", "boot/image", "-no-emul-boot", "-boot-load-size", "4"];
    good("xorriso", &[&["-as", "mkisofs", "-V", "INSTALL"], &boot[..], &["-o", &to, &shown(&tree)]].concat());
    let info = iso::gate(&mut fs::File::open(&to).unwrap()).unwrap();
    assert_eq!((info.volume_id.as_str(), info.is_bootable), ("INSTALL", true));
    assert!(info.volume_size <= info.file_size);
}

#[test]
fn sig_1_sha256sum_checks_what_we_write() {
    let Some(()) = tools(&["sha256sum"]) else { return };
    use crate::base::Digest;
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "b.raw", b"two");
    put(dir.path(), "a.raw", b"one");
    let text = crate::format::checksums::sums(&[("b.raw", Digest::of(b"two")), ("a.raw", Digest::of(b"one"))]);
    put(dir.path(), "SHA256SUMS", text.as_bytes());
    let program = tool("sha256sum").unwrap();
    let mut check = Command::new(program);
    let output = check.current_dir(dir.path()).args(["--check", "--strict", "SHA256SUMS"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn ignition_validate_agrees_on_the_text_of_units() {
    if tools(&["ignition-validate"]).is_none() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    for text in [
        "",
        "no section",
        "A=b\n",
        "[A]\n\n# c\n; d\n  B = c\n[D]\r\nE=f\r\n",
        "[A]\nB=c \\\n  d\nE=\n",
        "[A]\nB=c\\\n\n[D]",
        "# c \\ \nno option\n[A]\nB=c",
        "[A]\nB=c\\",
        "\u{feff}[A]\nB=c",
        "[A",
        "[A] x\nB=c\n",
        "[A]\nB\n",
        "[A]\nB=c\nD",
        "[A]\nB=c \\\n# d\n  e\n",
        "[A]\r\nB=c\\\r\nd\r\n",
    ] {
        let units = [serde_json::json!({"name": "a.service", "contents": text})];
        let config = serde_json::json!({"ignition": {"version": "3.2.0"}, "systemd": {"units": units}}).to_string();
        let (taken, told) = run("ignition-validate", &[&put(directory.path(), "unit.ign", config.as_bytes())]);
        assert_eq!(ignition::read(config.as_bytes()).is_ok(), taken, "{text:?} {told}");
    }
}

#[test]
fn ignition_validate_agrees_on_what_a_config_may_say() {
    if tools(&["ignition-validate"]).is_none() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = |rest: &str| format!(r#""storage": {{"files": [{{"path": "/etc/x", {rest}}}]}}"#);
    let filesystem = |rest: &str| format!(r#""storage": {{"filesystems": [{{"device": "/dev/x", {rest}}}]}}"#);
    let unit = |rest: &str| format!(r#""systemd": {{"units": [{{{rest}}}]}}"#);
    let user = |rest: &str| format!(r#""passwd": {{"users": [{{"name": "a", {rest}}}]}}"#);
    let hash = |method: &str, digits| {
        file(&format!(
            r#""contents": {{"source": "data:,", "verification": {{"hash": "{method}-{}"}}}}"#,
            "0".repeat(digits)
        ))
    };
    for rest in [
        file(r#""mode": 420"#),
        file(r#""contents": {"source": ""}, "overwrite": true"#),
        file(r#""overwrite": false"#),
        file(r#""overwrite": true"#),
        file(r#""append": [{"source": "data:,x"}], "overwrite": true"#),
        file(r#""user": {"id": 0, "name": "a"}"#),
        file(r#""user": {"id": 0, "name": ""}"#),
        file(r#""contents": {"source": "data:,x", "compression": "xz"}"#),
        file(r#""contents": {"source": "data:,x", "compression": "gzip"}"#),
        hash("sha256", 64),
        hash("sha256", 63),
        hash("sha512", 128),
        hash("md5", 32),
        r#""storage": {"files": [{"path": "/etc/../x"}]}"#.into(),
        r#""storage": {"files": [{"path": "/etc//x"}]}"#.into(),
        r#""storage": {"directories": [{"path": "/etc/x/"}]}"#.into(),
        r#""storage": {"links": [{"path": "/l", "target": "/x"}], "files": [{"path": "/l/f"}]}"#.into(),
        r#""storage": {"links": [{"path": "/l", "target": "/x"}], "files": [{"path": "/lf"}]}"#.into(),
        r#""storage": {"links": [{"path": "/l", "target": "/x"}, {"path": "/l/m", "target": "/x"}]}"#.into(),
        r#""storage": {"disks": [{"device": "/dev/a"}, {"device": "/dev/a"}]}"#.into(),
        filesystem(r#""format": "btrfs", "path": "home""#),
        filesystem(r#""format": "btrfs", "path": "/home""#),
        filesystem(r#""format": "zfs""#),
        filesystem(r#""path": "/h""#),
        filesystem(r#""wipeFilesystem": false"#),
        r#""storage": {"filesystems": [{"device": "/dev/x"}]}"#.into(),
        r#""storage": {"filesystems": [{"device": "x", "format": "xfs"}]}"#.into(),
        unit(r#""name": "a.service""#),
        unit(r#""name": "a.servce""#),
        unit(r#""name": "a.network""#),
        unit(r#""name": "a.service", "dropins": [{"name": "x"}]"#),
        unit(r#""name": "a.service", "dropins": [{"name": "x.conf"}, {"name": "x.conf"}]"#),
        user(r#""sshAuthorizedKeys": ["k", "k"]"#),
        user(r#""sshAuthorizedKeys": ["k", "l"], "groups": ["g"]"#),
        user(r#""groups": ["g", "g"]"#),
    ] {
        let config = format!(r#"{{"ignition": {{"version": "3.2.0"}}, {rest}}}"#);
        let (taken, told) = run("ignition-validate", &[&put(directory.path(), "config.ign", config.as_bytes())]);
        assert_eq!(ignition::read(config.as_bytes()).is_ok(), taken, "{config} {told}");
    }
}
