//! The name tags of file systems whose files are not read here. Bytes only; touches nothing.
//!
//! Sources: linux, Documentation/filesystems/ext4/super.rst; xfs, "XFS Algorithms & Data Structures", 13.1; btrfs,
//! "On-disk Format", superblock. Offsets are from the beginning of the volume.

use std::io::{self, Read, Seek};

use super::bytes::{be32, le32, read_up_to};

/// What a superblock says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Superblock {
    /// `ext2` to `ext4`, `xfs`, `btrfs`, as mount(8) calls it.
    pub kind: &'static str,
    /// The bytes before the first NUL.
    pub label: Vec<u8>,
    pub id: uuid::Uuid,
}

/// Kind, position and bytes of the mark, position of the UUID, position and largest length of the label.
type Form = (&'static str, u64, &'static [u8], u64, u64, u64);

const KINDS: [Form; 3] = [
    ("ext4", 0x438, b"\x53\xef", 0x468, 0x478, 16),
    ("xfs", 0, b"XFSB", 32, 108, 12),
    ("btrfs", 0x1_0040, b"_BHRfS_M", 0x1_0020, 0x1_012b, 256),
];

/// Reads the superblock of a volume; `None` where there is none of these.
pub(crate) fn read<R: Read + Seek>(volume: &mut R) -> io::Result<Option<Superblock>> {
    for (kind, at, mark, id, label, longest) in KINDS {
        let mark_is_there = read_up_to(volume, at, mark.len() as u64)? == mark;
        let id = read_up_to(volume, id, 16)?;
        if let (true, Ok(id)) = (mark_is_there && is_likely(kind, volume)?, uuid::Uuid::from_slice(&id)) {
            let label = read_up_to(volume, label, longest)?;
            let label = label.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
            let kind = if kind == "ext4" { ext(volume)? } else { kind };
            return Ok(Some(Superblock { kind, label, id }));
        }
    }
    Ok(None)
}

/// Two bytes, the mark of ext4, are there by chance now and then: its block size must be one that exists too.
fn is_likely<R: Read + Seek>(kind: &str, volume: &mut R) -> io::Result<bool> {
    Ok(match kind {
        "ext4" => le32(&read_up_to(volume, 0x418, 4)?, 0) <= 6,
        "xfs" => be32(&read_up_to(volume, 4, 4)?, 0).is_power_of_two(),
        _ => true,
    })
}

/// Tells the three by their features: extents, a journal.
fn ext<R: Read + Seek>(volume: &mut R) -> io::Result<&'static str> {
    let features = read_up_to(volume, 0x45c, 8)?;
    Ok(match (le32(&features, 4) & 0x40 != 0, le32(&features, 0) & 0x4 != 0) {
        (true, _) => "ext4",
        (false, true) => "ext3",
        (false, false) => "ext2",
    })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::format::bytes::put;

    fn volume(patches: &[(usize, &[u8])]) -> Option<Superblock> {
        let mut bytes = vec![0; 0x1_1000];
        patches.iter().for_each(|(at, patch)| put(&mut bytes, *at, patch));
        read(&mut Cursor::new(bytes)).unwrap()
    }

    #[test]
    fn each_kind_tells_its_label_and_id() {
        let id: &[u8] = &[7; 16];
        let ext: [(usize, &[u8]); 3] = [(0x438, b"\x53\xef"), (0x468, id), (0x478, b"sixteen-letters!")];
        for (patches, kind, label) in [
            ([&ext[..], &[(0x460, &[0x40])]].concat(), "ext4", "sixteen-letters!"),
            ([&ext[..], &[(0x45c, &[0x04])]].concat(), "ext3", "sixteen-letters!"),
            (ext.to_vec(), "ext2", "sixteen-letters!"),
            (vec![(0, b"XFSB\0\0\x10\0"), (32, id), (108, b"ignition")], "xfs", "ignition"),
            (vec![(0x1_0040, b"_BHRfS_M"), (0x1_0020, id), (0x1_012b, b"ROOT")], "btrfs", "ROOT"),
        ] {
            let found = volume(&patches).unwrap();
            assert_eq!((found.kind, found.label.as_slice()), (kind, label.as_bytes()));
            assert_eq!(found.id, uuid::Uuid::from_bytes([7; 16]));
        }
    }

    #[test]
    fn img_07_what_only_looks_like_one_is_none() {
        assert_eq!(volume(&[]), None);
        assert_eq!(volume(&[(0x438, b"\x53\xef"), (0x418, &[7])]), None, "no such block size");
        assert_eq!(volume(&[(0, b"XFSB\0\0\x10\x01")]), None, "no such block size");
        for length in [0, 3, 0x43a, 0x47f, 0x1_0048] {
            let mut bytes = vec![0; length];
            if length > 0x439 {
                put(&mut bytes, 0x438, b"\x53\xef");
            }
            let _ = read(&mut Cursor::new(bytes)).unwrap();
        }
    }
}
