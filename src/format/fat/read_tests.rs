//! Hostile and foreign volumes against the reader.

use std::io::Cursor;

use super::super::{Volume, write};
use super::*;
use crate::base::DiskLabel;

fn volume() -> Vec<u8> {
    let files =
        vec![("ignition/config.ign".to_owned(), &b"{}"[..]), ("combustion/some-long-name.sh".to_owned(), &[7; 5000])];
    write(&Volume { label: DiskLabel::Ignition, volume_id: 1, epoch: 0, files }).unwrap()
}

fn read_all(bytes: &[u8]) -> Result<u64, ReadError> {
    let mut reader = Cursor::new(bytes);
    let tree = Tree::read(&mut reader, bytes.len() as u64)?;
    let mut total = 0;
    for node in &tree.nodes {
        total += tree.content(&mut reader, node, 1 << 20).map_or(0, |content| content.len() as u64);
    }
    Ok(total)
}

#[test]
fn out_8_no_flip_in_the_tables_panics_or_runs_away() {
    let mut bytes = volume();
    // Boot sector, both tables, root directory and the first directories.
    let places = (0..64).chain(510..1100).chain((6657..24_000).step_by(7)).chain(6656..7200).chain(23_000..25_000);
    for at in places {
        for flip in [0xff, 0x01, 0x10] {
            bytes[at] ^= flip;
            let _ = read_all(&bytes);
            bytes[at] ^= flip;
        }
    }
}

#[test]
fn out_8_a_cut_volume_is_refused() {
    let bytes = volume();
    for length in (0..600).chain((600..bytes.len()).step_by(50_021)) {
        assert!(read_all(&bytes[..length]).is_err(), "{length}");
    }
}

#[test]
fn out_8_loops_end() {
    let mut bytes = volume();
    let root = 13 * 512;
    // Every directory entry of the root points to the first directory, which so holds itself.
    let first = bytes[root..root + 512].chunks(32).position(|entry| entry[11] == DIRECTORY).unwrap();
    let cluster = le16(&bytes, root + first * 32 + 26);
    let inside = 45 * 512 + (usize::from(cluster) - 2) * 512;
    bytes.copy_within(root + first * 32..root + first * 32 + 32, inside + 64);
    // The first table says that the chain of that directory never ends.
    let (at, value) = (512 + usize::from(cluster) * 3 / 2, cluster);
    let pair = le16(&bytes, at);
    let mended = if cluster.is_multiple_of(2) { pair & 0xf000 | value } else { pair & 0x000f | value << 4 };
    bytes[at..at + 2].copy_from_slice(&mended.to_le_bytes());
    assert!(read_all(&bytes).is_ok());
    // Each directory is listed once.
    let nodes = Tree::read(&mut Cursor::new(&bytes), bytes.len() as u64).unwrap().nodes;
    assert!(nodes.len() < 10, "{}", nodes.len());
}

#[test]
fn img_07_files_that_are_larger_than_their_volume_are_refused() {
    let mut bytes = volume();
    let name = bytes.chunks(32).position(|entry| entry.starts_with(b"CONFIG")).unwrap() * 32;
    bytes[name + 28..name + 32].copy_from_slice(&(2_u32 << 20).to_le_bytes());
    assert!(read_all(&bytes).unwrap_err().to_string().contains("larger than itself"));
}

#[test]
fn img_07_a_directory_is_read_no_further_than_there_is_room() {
    let table = [b"FILE    TXT\x20".to_vec(), vec![0; 20]].concat().repeat(1000);
    let names = |room| parse(&table, "a/", false, &mut None, room).len();
    assert_eq!((names(5), names(5000)), (6, 1000));
}

#[test]
fn impossible_boot_sectors_are_named() {
    let cases: [(usize, &[u8], &str); 8] = [
        (510, &[0, 0], "no boot sector"),
        (11, &[0, 1], "sector or cluster"),
        (13, &[3], "sector or cluster"),
        (13, &[0], "sector or cluster"),
        (14, &[0, 0], "reserved"),
        (16, &[9], "table"),
        (22, &[1, 0], "does not cover"),
        (19, &[0xff, 0xff], "longer than the disk"),
    ];
    for (at, patch, want) in cases {
        let mut bytes = volume();
        bytes[at..at + patch.len()].copy_from_slice(patch);
        assert!(read_all(&bytes).unwrap_err().to_string().contains(want), "{want}");
    }
}
