//! A disk written as an image, read back through the gate. Touches nothing.

use std::io::{self, Cursor, ErrorKind, Read};

use super::*;
use crate::format::bytes::put;
use crate::format::qcow2::{Image, gate};

/// A disk with a boot sector and some bytes here and there.
fn disk(size: usize, places: &[usize]) -> Vec<u8> {
    let mut disk = vec![0; size];
    put(&mut disk, 510, &[0x55, 0xaa]);
    places.iter().for_each(|at| put(&mut disk, *at, &[7]));
    disk
}

fn image(disk: &[u8]) -> Vec<u8> {
    let mut image = Cursor::new(vec![]);
    let size = from_disk(&mut &*disk, &mut image).unwrap();
    assert_eq!(size.0, disk.len() as u64);
    image.into_inner()
}

#[test]
fn what_is_written_reads_back_through_the_gate() {
    let mib = 1 << 20;
    let cases = [
        (512, vec![]),
        (mib, vec![70_000, mib - 1]),
        (mib + 512, vec![mib, mib + 511]),
        (16 * CLUSTER, vec![3 * CLUSTER]),
        (16 * CLUSTER + 512, vec![]),
    ];
    for (size, places) in cases {
        let disk = disk(size, &places);
        let bytes = image(&disk);
        let info = gate(&mut Cursor::new(&bytes)).unwrap();
        assert_eq!(info.header.virtual_size, size as u64);
        let mut read = vec![];
        Image::open(Cursor::new(&bytes), &info).unwrap().read_to_end(&mut read).unwrap();
        assert!(read == disk, "{size}");
        let touched: std::collections::BTreeSet<_> = places.iter().map(|at| at / CLUSTER).chain([0]).collect();
        let stretches: std::collections::BTreeSet<_> = touched.iter().map(|cluster| cluster / L2_ENTRIES).collect();
        // Header, L1, refcount table and block: nothing else was written.
        assert_eq!(bytes.len(), (touched.len() + stretches.len() + 4) * CLUSTER, "{size}");
    }
}

#[test]
fn img_15_a_disk_of_several_stretches_has_no_table_for_an_empty_one() {
    let (stretch, end) = (512 << 20, 3 * (512 << 20));
    let places = [1, stretch - 1, 2 * stretch, end - 1];
    let zeros = |count: usize| io::repeat(0).take(count as u64);
    let disk =
        Cursor::new(disk(CLUSTER, &[1])).chain(zeros(stretch - CLUSTER - 1)).chain(&[7][..]).chain(zeros(stretch));
    let mut disk = disk.chain(&[7][..]).chain(zeros(stretch - 2)).chain(&[7][..]);
    let mut bytes = Cursor::new(vec![]);
    assert_eq!(from_disk(&mut disk, &mut bytes).unwrap().0, end as u64);
    // Header, four clusters, two L2 tables, L1, refcount table and block.
    assert_eq!(bytes.get_ref().len(), 10 * CLUSTER);
    let info = gate(&mut bytes).unwrap();
    assert_eq!((info.header.virtual_size, info.header.l1_size), (end as u64, 3));
    let mut image = Image::open(bytes, &info).unwrap();
    for at in places.iter().flat_map(|at| [at - 1, *at, at + 1]).filter(|at| *at < end) {
        image.seek(SeekFrom::Start(at as u64)).unwrap();
        let mut byte = [0];
        image.read_exact(&mut byte).unwrap();
        assert_eq!(byte == [7], places.contains(&at), "{at}");
    }
}

#[test]
fn how_the_disk_comes_in_parts_does_not_matter() {
    struct Drops<'a>(&'a [u8], usize);
    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 += 1;
            if self.1.is_multiple_of(3) {
                return Err(ErrorKind::Interrupted.into());
            }
            let count = (self.1 * 977 % 70_001 + 1).min(buffer.len());
            self.0.read(&mut buffer[..count])
        }
    }
    let disk = disk(5 << 20, &[1 << 20, 4 << 20]);
    let mut other = Cursor::new(vec![]);
    from_disk(&mut Drops(&disk, 0), &mut other).unwrap();
    assert!(other.into_inner() == image(&disk));
}

#[test]
fn tables_count_themselves() {
    for others in [1, 32_765, 32_766, 32_767, 65_533, 8192 * 32_768, 17_000_000] {
        let (tables, blocks) = refcounts(others);
        assert!(blocks * BLOCK_ENTRIES >= others + tables + blocks, "{others}");
        assert!(tables * L2_ENTRIES as u64 >= blocks, "{others}");
        assert!((blocks - 1) * BLOCK_ENTRIES < others + tables + blocks, "{others}: one block too many");
    }
}

#[test]
fn img_10_a_disk_that_is_something_else_is_refused_before_it_is_written() {
    let mut qcow2 = disk(1 << 20, &[]);
    put(&mut qcow2, 0, b"QFI\xfb");
    let mut image = Cursor::new(vec![]);
    assert!(matches!(from_disk(&mut &qcow2[..], &mut image), Err(DiskError::Raw(RawError::Other { .. }))));
    assert_eq!(image.into_inner().len(), CLUSTER);
    let mut vhd = disk(1 << 20, &[]);
    put(&mut vhd, (1 << 20) - 512, b"conectix");
    for bad in [vhd, disk(1000, &[]), vec![]] {
        assert!(matches!(from_disk(&mut &bad[..], &mut Cursor::new(vec![])), Err(DiskError::Raw(_))));
    }
}

#[test]
fn who_failed_is_told() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("broken"))
        }
    }
    assert!(matches!(from_disk(&mut Broken, &mut Cursor::new(vec![])), Err(DiskError::Read(_))));
    let disk = disk(1 << 20, &[70_000]);
    let mut full = [0; 100_000];
    assert!(matches!(from_disk(&mut &disk[..], &mut Cursor::new(&mut full[..])), Err(DiskError::Write(_))));
}
