//! Where a library alone does not give safe or reproducible bytes: what `SHORTCOMINGS.md` says of each, shown.
//!
//! When one of these fails after an update, the library got better: the part of ours that stands in for it can go. Starts
//! fsck.fat and qemu-img in temporary directories.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::process::Command;

use crate::tests::support::{output, tool, tools, workdir};

/// A volume as the crate writes it, nothing repaired.
fn fatfs_alone(directory: bool) -> Vec<u8> {
    let mut image = Cursor::new(vec![0; 1 << 20]);
    let options = fatfs::FormatVolumeOptions::new().volume_label(*b"ignition   ").fat_type(fatfs::FatType::Fat12);
    fatfs::format_volume(&mut image, options).unwrap();
    let system = fatfs::FileSystem::new(&mut image, fatfs::FsOptions::new()).unwrap();
    let root = system.root_dir();
    let path = if directory { "ignition/config.ign" } else { "config.ign" };
    if directory {
        root.create_dir("ignition").unwrap();
    }
    root.create_file(path).unwrap().write_all(b"{}").unwrap();
    drop(root);
    system.unmount().unwrap();
    image.into_inner()
}

#[test]
fn fatfs_alone_writes_directories_that_fsck_refuses() {
    let Some(fsck) = tool("fsck.fat") else { return };
    let dir = workdir();
    let check = |name: &str, bytes: Vec<u8>| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        output(Command::new(&fsck).arg("-n").arg(&path))
    };
    check("flat", fatfs_alone(false)).success();
    let found = check("tree", fatfs_alone(true));
    assert_ne!(found.code, 0, "fatfs writes `.` and `..` right by now: the repair can go\n{found}");
}

#[test]
fn gpt_alone_draws_a_new_guid_each_time() {
    let write = || {
        let mut device = Cursor::new(vec![0; 4 << 20]);
        gpt::mbr::ProtectiveMBR::with_lb_size(8191).overwrite_lba0(&mut device).unwrap();
        let config = gpt::GptConfig::new().writable(true).logical_block_size(gpt::disk::LogicalBlockSize::Lb512);
        let mut table = config.create_from_device(device, None).unwrap();
        table.update_partitions(BTreeMap::new()).unwrap();
        table.add_partition("ignition", 1 << 20, gpt::partition_types::BASIC, 0, None).unwrap();
        table.write().unwrap().into_inner()
    };
    assert_ne!(write(), write(), "gpt is deterministic by now");
}

#[test]
fn gpt_alone_renumbers_partitions_with_gaps() {
    // 1, 3 and 7 are read back as they were written only by a reader that keeps numbers; a rewrite would not.
    let mut device = Cursor::new(vec![0; 16 << 20]);
    gpt::mbr::ProtectiveMBR::with_lb_size(32767).overwrite_lba0(&mut device).unwrap();
    let config = gpt::GptConfig::new().writable(true).logical_block_size(gpt::disk::LogicalBlockSize::Lb512);
    let mut table = config.create_from_device(device, None).unwrap();
    let entry = |number: u64| gpt::partition::Partition {
        part_type_guid: gpt::partition_types::BASIC,
        part_guid: uuid::Uuid::from_u128(u128::from(number)),
        first_lba: number * 2048,
        last_lba: number * 2048 + 2047,
        flags: 0,
        name: format!("p{number}"),
    };
    table.update_partitions([1, 3, 7].into_iter().map(|n| (n as u32, entry(n))).collect()).unwrap();
    let device = table.write().unwrap();
    let again = gpt::GptConfig::new().writable(false).open_from_device(device).unwrap();
    let numbers: Vec<u32> = again.partitions().keys().copied().collect();
    assert_ne!(numbers, [1, 3, 7], "gpt keeps numbers by now: a base's own table could be rewritten");
}

#[test]
fn qcow2_rs_alone_takes_an_encrypted_image_for_a_plain_one() {
    if tools(&["qemu-img"]).is_none() {
        return;
    }
    let dir = workdir();
    let path = dir.path().join("secret.qcow2");
    let mut command = Command::new(tool("qemu-img").unwrap());
    command.args(["create", "-q", "-f", "qcow2", "--object", "secret,id=s,data=x"]);
    command.args(["-o", "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10"]).arg(&path).arg("1M");
    output(&mut command).success();
    let bytes = std::fs::read(&path).unwrap();
    let header = qcow2_rs::meta::Qcow2Header::from_buf(&bytes[..4096]);
    assert!(header.is_ok(), "qcow2-rs refuses an encrypted image by now");
    let refused = crate::format::qcow2::gate(&mut Cursor::new(bytes));
    assert!(refused.is_err(), "our gate lets an encrypted image pass");
}
