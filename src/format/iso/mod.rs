//! ISO 9660: what the primary volume descriptor says, and the gate for an installer. Bytes only; touches nothing.
//!
//! Specification: ECMA-119, 8.4 "Primary Volume Descriptor"; El Torito 1.0, "Boot Record Volume Descriptor".

mod tree;

pub(crate) use tree::{Node, find, list};

use std::io::{Read, Seek, SeekFrom};

use super::bytes::{le16, le32, read_up_to};
use super::magic::{self, Magic};
use crate::base::text::one_line;
use crate::base::{ByteSize, Code, Diagnostic};

const SECTOR: u64 = 2048;
/// The system area: the descriptors begin behind it.
const FIRST_DESCRIPTOR: u64 = 16;
/// More descriptors than any image has.
const MAX_DESCRIPTORS: u64 = 32;

/// What an ISO says about itself.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct IsoInfo {
    /// At most 32 characters, as written, sanitised; the guest finds the medium by it.
    pub volume_id: String,
    /// The UUID as blkid(8) tells it, from the time of the last change: `2026-11-30-12-00-00-00`; may be empty.
    pub id: String,
    /// The volume's size by its descriptor; the file may be longer (partitions behind it).
    pub volume_size: ByteSize,
    /// Length of the file.
    pub file_size: ByteSize,
    /// Whether it has an El Torito boot catalogue.
    pub is_bootable: bool,
}

/// Why a file is not taken as an installer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IsoError {
    #[error("cannot read the image")]
    Io(#[from] std::io::Error),
    #[error("the file is not an ISO 9660 image but {found}")]
    NotIso { found: &'static str },
    /// Two programs would see two different media in one file.
    #[error("the file is an ISO 9660 image and also {other}")]
    Ambiguous { other: &'static str },
    #[error("the image has {0} bytes, which is not a whole number of 2048-byte sectors: it is cut or padded")]
    Sectors(u64),
    #[error("the image has no primary volume descriptor")]
    NoDescriptor,
    /// A reader that guessed would hand other bytes on.
    #[error("the image holds no file `{0}` that lies in one piece")]
    NoFile(String),
    #[error("its directories are too large, or contain themselves")]
    TooMuch,
    #[error("the volume has {volume} by its descriptor, the file only {file}: it is cut")]
    Cut { volume: ByteSize, file: ByteSize },
}

impl From<IsoError> for Diagnostic {
    fn from(error: IsoError) -> Self {
        match &error {
            IsoError::Io(cause) => Self::io("cannot read the image", cause),
            IsoError::NotIso { found } if found.contains("qcow2") => {
                Self::new(Code::ImageFormat, error.to_string()).hint("write `kind = \"qcow2\"` under `[base]`")
            }
            _ => Self::new(Code::ImageFormat, error.to_string()),
        }
    }
}

/// Passes an ISO 9660 image that is nothing else and is whole; a hybrid's partition table is not another format.
pub(crate) fn gate<R: Read + Seek>(reader: &mut R) -> Result<IsoInfo, IsoError> {
    let length = reader.seek(SeekFrom::End(0))?;
    let head = magic::read_head(reader)?;
    let marks = magic::marks(&head);
    if !marks.contains(&Magic::Iso9660) {
        return Err(IsoError::NotIso { found: magic::describe(&head) });
    }
    if let Some(other) = marks.iter().find(|mark| !matches!(mark, Magic::Iso9660 | Magic::Gpt)) {
        return Err(IsoError::Ambiguous { other: other.name() });
    }
    if !length.is_multiple_of(SECTOR) {
        return Err(IsoError::Sectors(length));
    }
    let info = read(reader, length)?;
    if info.volume_size > info.file_size {
        return Err(IsoError::Cut { volume: info.volume_size, file: info.file_size });
    }
    Ok(info)
}

/// Reads what the descriptors say.
pub(crate) fn read<R: Read + Seek>(reader: &mut R, length: u64) -> Result<IsoInfo, IsoError> {
    let all = descriptors(reader)?;
    let of_type = |number: u8| all.iter().filter(move |descriptor| descriptor.first() == Some(&number));
    let is_bootable = of_type(0).any(|descriptor| descriptor.get(7..30) == Some(b"EL TORITO SPECIFICATION"));
    let primary = of_type(1).next().ok_or(IsoError::NoDescriptor)?;
    let (volume_id, volume_size) = volume(primary);
    Ok(IsoInfo { volume_id, id: id(primary), volume_size, file_size: ByteSize(length), is_bootable })
}

/// Reads the descriptors, up to their terminator.
fn descriptors<R: Read + Seek>(reader: &mut R) -> Result<Vec<Vec<u8>>, IsoError> {
    let mut all = vec![];
    for sector in FIRST_DESCRIPTOR..FIRST_DESCRIPTOR + MAX_DESCRIPTORS {
        let descriptor = read_up_to(reader, sector * SECTOR, SECTOR)?;
        if descriptor.get(1..6) != Some(b"CD001") || descriptor.first() == Some(&255) {
            break;
        }
        all.push(descriptor);
    }
    Ok(all)
}

/// 8.4.7, 8.4.8 and 8.4.12; numbers are written in both byte orders, the little one first.
fn volume(descriptor: &[u8]) -> (String, ByteSize) {
    let id = String::from_utf8_lossy(descriptor.get(40..72).unwrap_or_default());
    let blocks = u64::from(le32(descriptor, 80));
    (one_line(id.trim_end_matches([' ', '\0']), 40), ByteSize(blocks * u64::from(le16(descriptor, 128))))
}

/// 8.4.26.1: digits of a date, of the creation where there was no change (util-linux: libblkid, iso9660.c).
fn id(descriptor: &[u8]) -> String {
    let dates = [830, 813].map(|at| descriptor.get(at..at + 16).unwrap_or_default());
    let is_date = |date: &&[u8]| date.iter().all(u8::is_ascii_digit) && date.iter().any(|digit| *digit != b'0');
    let date = String::from_utf8_lossy(dates.into_iter().find(is_date).unwrap_or_default()).into_owned();
    let parts = [0..4, 4..6, 6..8, 8..10, 10..12, 12..14, 14..16].map(|range| date.get(range).unwrap_or_default());
    if date.is_empty() { date } else { parts.join("-") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::bytes::put;
    use std::io::Cursor;

    fn image() -> Vec<u8> {
        let mut image = vec![0; 20 * 2048];
        let descriptor = |image: &mut Vec<u8>, sector: usize, kind: u8| {
            put(image, sector * 2048, &[kind]);
            put(image, sector * 2048 + 1, b"CD001\x01");
        };
        descriptor(&mut image, 16, 1);
        put(&mut image, 16 * 2048 + 40, b"INSTALL                         ");
        put(&mut image, 16 * 2048 + 80, &20_u32.to_le_bytes());
        put(&mut image, 16 * 2048 + 128, &2048_u16.to_le_bytes());
        descriptor(&mut image, 17, 0);
        put(&mut image, 17 * 2048 + 7, b"EL TORITO SPECIFICATION");
        descriptor(&mut image, 18, 255);
        image
    }

    #[test]
    fn img_14_a_whole_iso_passes_and_is_described() {
        let info = gate(&mut Cursor::new(image())).unwrap();
        assert_eq!((info.volume_id.as_str(), info.volume_size, info.is_bootable), ("INSTALL", ByteSize(40960), true));
        assert_eq!(info.id, "");
        let mut dated = image();
        put(&mut dated, 16 * 2048 + 813, b"2025010203040506");
        put(&mut dated, 16 * 2048 + 830, b"0000000000000000");
        assert_eq!(gate(&mut Cursor::new(&dated)).unwrap().id, "2025-01-02-03-04-05-06");
        put(&mut dated, 16 * 2048 + 830, b"2026113012000099");
        assert_eq!(gate(&mut Cursor::new(&dated)).unwrap().id, "2026-11-30-12-00-00-99");
    }

    #[test]
    fn img_14_a_hybrid_passes() {
        let mut hybrid = image();
        put(&mut hybrid, 510, &[0x55, 0xaa]);
        put(&mut hybrid, 512, b"EFI PART");
        assert!(gate(&mut Cursor::new(hybrid)).is_ok());
    }

    #[test]
    fn img_14_other_cut_and_double_files_are_refused() {
        let image = image();
        let with = |at: usize, patch: &[u8]| {
            let mut image = image.clone();
            put(&mut image, at, patch);
            image
        };
        for (bytes, want) in [
            (image[..19 * 2048].to_vec(), "it is cut"),
            (image[..20 * 2048 - 1].to_vec(), "whole number"),
            (with(0, b"QFI\xfb"), "also a qcow2"),
            (with(0, b"KDMV"), "also a VMDK"),
            (with(0x8000, &[2]), "no primary"),
            (with(0x8001, b"XXXXX"), "not an ISO"),
            (Vec::new(), "an empty file"),
            (b"<html>".to_vec(), "an HTML page"),
        ] {
            let error = gate(&mut Cursor::new(bytes)).unwrap_err();
            assert!(error.to_string().contains(want), "{error}");
        }
    }

    #[test]
    fn out_14_a_hostile_volume_id_is_shown_escaped() {
        let mut image = image();
        put(&mut image, 16 * 2048 + 40, b"A\x1b[2J");
        assert_eq!(gate(&mut Cursor::new(image)).unwrap().volume_id.chars().find(|c| c.is_control()), None);
    }
}
