//! GPT: the config disk as a USB stick, and a bounded reader of partition tables. Bytes only; touches nothing.
//!
//! Specification: UEFI 2.10, chapter 5 "GUID Partition Table (GPT) Disk Layout". The `gpt` crate writes and reads;
//! it asserts on odd entry sizes and allocates what a header claims, so headers are checked first.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Seek, SeekFrom, Write};

use fscommon::StreamSlice;
use gpt::disk::LogicalBlockSize::Lb512;
use gpt::header::{Header, HeaderError, read_header_from_arbitrary_device};
use gpt::partition::{Partition as Entry, file_read_partitions};
use gpt::partition_types;
use uuid::Uuid;

use super::bytes::{le32, le64, read_up_to};
use crate::base::{ByteSize, Code, Diagnostic, DiskLabel};

const SECTOR: u64 = 512;
/// Where the one partition begins, as every partitioning tool aligns it; also what is kept free at the end.
const ALIGN: u64 = 1 << 20;
/// "The size of each entry": 128 × 2ⁿ; no tool makes others than 128.
const ENTRY_SIZE: u32 = 128;
/// Eight times what tools make.
const MAX_ENTRIES: u32 = 1024;

/// Why a table is not read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GptError {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("no GPT: {0}")]
    None(&'static str),
    /// The reader would assert or allocate what the field says.
    #[error("the GPT header field `{field}` is {value}, {why}")]
    Field { field: &'static str, value: u64, why: &'static str },
    #[error("the GPT is damaged: {0}")]
    Damaged(String),
    #[error("a volume is a whole number of 512-byte sectors, {0} bytes are not")]
    Volume(u64),
    #[error("gpt: {0}")]
    Library(String),
}

impl From<GptError> for Diagnostic {
    fn from(error: GptError) -> Self {
        let code = match &error {
            GptError::Io(cause) => return Self::io("cannot read the partition table", cause),
            GptError::Library(_) | GptError::Volume(_) => Code::Bug,
            _ => Code::ImageFormat,
        };
        Self::new(code, error.to_string())
    }
}

/// Writes a GPT disk whose one partition holds `volume`; the same arguments give the same bytes.
///
/// The partition is number 1, of type Microsoft basic data, at 1 MiB, named as the volume's label.
pub(crate) fn usb_image(volume: &[u8], label: DiskLabel, disk: Uuid, partition: Uuid) -> Result<Vec<u8>, GptError> {
    let length = volume.len() as u64;
    if length == 0 || !length.is_multiple_of(SECTOR) {
        return Err(GptError::Volume(length));
    }
    let total = (ALIGN + length).next_multiple_of(ALIGN) + ALIGN;
    let mut device = Cursor::new(vec![0; total as usize]);
    protect(&mut device, total / SECTOR)?;
    let library = |error: gpt::GptError| GptError::Library(error.to_string());
    let config = gpt::GptConfig::new().writable(true).logical_block_size(Lb512);
    let mut table = config.create_from_device(device, Some(disk)).map_err(library)?;
    // `add_partition` would draw a random GUID.
    let entry = Entry {
        part_type_guid: partition_types::BASIC,
        part_guid: partition,
        first_lba: ALIGN / SECTOR,
        last_lba: (ALIGN + length) / SECTOR - 1,
        flags: 0,
        name: label.to_string(),
    };
    table.update_partitions(BTreeMap::from([(1, entry)])).map_err(library)?;
    place(table.write().map_err(library)?, volume)
}

fn place(mut device: Cursor<Vec<u8>>, volume: &[u8]) -> Result<Vec<u8>, GptError> {
    let mut slice = StreamSlice::new(&mut device, ALIGN, ALIGN + volume.len() as u64)?;
    slice.write_all(volume)?;
    slice.flush()?;
    Ok(device.into_inner())
}

/// "Protective MBR": it covers the whole disk less the first sector.
fn protect(device: &mut Cursor<Vec<u8>>, sectors: u64) -> Result<(), GptError> {
    let covered = u32::try_from(sectors - 1).unwrap_or(u32::MAX);
    let mbr = gpt::mbr::ProtectiveMBR::with_lb_size(covered);
    mbr.overwrite_lba0(device).map_err(|error| GptError::Library(error.to_string()))?;
    Ok(())
}

/// A used entry of a table.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Partition {
    /// From 1, as in `/dev/vda1`; gaps stay.
    pub number: u32,
    /// As the table says; show it sanitised.
    pub name: String,
    pub type_guid: String,
    pub first_lba: u64,
    /// Inclusive.
    pub last_lba: u64,
    pub size: ByteSize,
}

/// Reads the partitions of a disk with 512-byte sectors, by the primary header, else by the backup.
pub(crate) fn read<R: Read + Seek>(disk: &mut R) -> Result<Vec<Partition>, GptError> {
    let length = disk.seek(SeekFrom::End(0))?;
    match read_at(disk, SECTOR, length) {
        Ok(partitions) => Ok(partitions),
        Err(primary) if length >= 3 * SECTOR => {
            read_at(disk, length / SECTOR * SECTOR - SECTOR, length).map_err(|_| primary)
        }
        Err(primary) => Err(primary),
    }
}

fn read_at<R: Read + Seek>(disk: &mut R, offset: u64, length: u64) -> Result<Vec<Partition>, GptError> {
    check(&read_up_to(disk, offset, 92)?, length)?;
    let header = header(disk, offset)?;
    let entries = file_read_partitions(disk, &header, Lb512).map_err(|error| GptError::Damaged(error.to_string()))?;
    Ok(entries
        .into_iter()
        .filter(|(_, entry)| entry.is_used())
        .map(|(number, entry)| partition(number, entry))
        .collect())
}

/// Checks the fields that the crate takes as they are; "GPT Header".
fn check(header: &[u8], length: u64) -> Result<(), GptError> {
    if !header.starts_with(b"EFI PART") || header.len() < 92 {
        return Err(GptError::None("the header's signature is not there"));
    }
    let bad = |field, value, why| Err(GptError::Field { field, value, why });
    let (start, count, size) = (le64(header, 72), le32(header, 80), le32(header, 84));
    if size != ENTRY_SIZE {
        return bad("entry size", size.into(), "entries have 128 bytes");
    }
    if count > MAX_ENTRIES {
        return bad("entry count", count.into(), "at most 1024 are read");
    }
    let end = start.checked_mul(SECTOR).and_then(|start| start.checked_add(u64::from(count) * u64::from(size)));
    match end {
        Some(end) if end <= length => Ok(()),
        _ => bad("entry start", start, "the table reaches past the end of the disk"),
    }
}

/// The crate reads a header at sector 1 only, so the backup is shown to it there.
fn header<R: Read + Seek>(disk: &mut R, offset: u64) -> Result<Header, GptError> {
    let mut sector = vec![0; SECTOR as usize];
    sector.extend(read_up_to(disk, offset, SECTOR)?);
    read_header_from_arbitrary_device(&mut Cursor::new(sector), Lb512).map_err(|error| match error {
        HeaderError::Io(error) => GptError::Io(error),
        other => GptError::Damaged(other.to_string()),
    })
}

fn partition(number: u32, entry: Entry) -> Partition {
    let sectors = entry.last_lba.checked_sub(entry.first_lba).and_then(|last| last.checked_add(1)).unwrap_or(0);
    Partition {
        number,
        name: entry.name,
        type_guid: entry.part_type_guid.guid.to_string(),
        first_lba: entry.first_lba,
        last_lba: entry.last_lba,
        size: ByteSize(sectors.saturating_mul(SECTOR)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Digest;

    const DISK: Uuid = Uuid::from_u128(0x0011_2233_4455_5677_8899_aabb_ccdd_eeff);
    const PART: Uuid = Uuid::from_u128(0xffee_ddcc_bbaa_5988_8776_5544_3322_1100);

    fn image() -> Vec<u8> {
        let volume: Vec<u8> = (0..1 << 20).map(|number: u32| number as u8).collect();
        usb_image(&volume, DiskLabel::Ignition, DISK, PART).unwrap()
    }

    #[test]
    fn out_8_the_bytes_are_pinned_and_the_volume_stands_at_1_mib() {
        let image = image();
        assert_eq!(image.len(), 3 << 20);
        assert_eq!(image[1 << 20..][..4], [0, 1, 2, 3]);
        // If a change is intended, bump the builder's revision.
        assert_eq!(Digest::of(&image).short(), "a9c08bc3084d");
        assert!(usb_image(&[1; 700], DiskLabel::Ignition, DISK, PART).is_err());
    }

    #[test]
    fn a_written_table_is_read() {
        let partitions = read(&mut Cursor::new(image())).unwrap();
        let [partition] = &partitions[..] else { panic!("{partitions:?}") };
        assert_eq!((partition.number, partition.name.as_str()), (1, "ignition"));
        assert_eq!((partition.first_lba, partition.last_lba, partition.size), (2048, 4095, ByteSize::mib(1)));
        assert_eq!(partition.type_guid, "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7");
    }

    #[test]
    fn the_backup_table_is_read_where_the_primary_is_lost() {
        let mut image = image();
        image[512..1024].fill(0);
        assert_eq!(read(&mut Cursor::new(image)).unwrap().len(), 1);
    }

    #[test]
    fn img_07_odd_tables_are_refused_and_named() {
        for (at, patch, want) in [
            (84, 129_u32, "entry size"),
            (84, 0, "entry size"),
            (84, u32::MAX, "entry size"),
            (80, 1025, "entry count"),
            (80, u32::MAX, "entry count"),
            (72, u32::MAX, "entry start"),
            (76, u32::MAX, "entry start"),
            (24, 7, "damaged"),
        ] {
            let mut image = image();
            image.truncate(2 << 20);
            image[512 + at..512 + at + 4].copy_from_slice(&patch.to_le_bytes());
            let error = read(&mut Cursor::new(image)).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        }
    }

    #[test]
    fn img_07_no_flip_in_the_tables_panics() {
        let mut image = image();
        for at in (512..512 + 92).chain(1024..1024 + 256) {
            for flip in [0xff, 0x01, 0x80] {
                image[at] ^= flip;
                let _ = read(&mut Cursor::new(&image));
                image[at] ^= flip;
            }
        }
        for length in (0..2048).step_by(7) {
            assert!(read(&mut Cursor::new(&image[..length])).is_err());
        }
    }
}
