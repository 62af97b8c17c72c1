//! Raw disks: what has no format is known by having no other one's marks, and a boot sector. Touches nothing.
//!
//! A raw disk whose first bytes are another format's is the oldest trick there is: whoever probes it later opens the
//! files that it names. Boot sector: UEFI 2.10, table 5.1 "Legacy MBR" (a GPT disk has a protective one, 5.2.3).

use std::io::{Read, Seek, SeekFrom};

use super::bytes::read_up_to;
use super::magic::{self, Magic};
use crate::base::{Code, Diagnostic};

const SECTOR: u64 = 512;
/// How much of a disk's beginning [`check_head`] wants to see.
pub(crate) const HEAD: u64 = magic::HEAD;
/// How much of its end.
pub(crate) const FOOT: u64 = SECTOR;

/// Why a file is not taken as a raw disk.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RawError {
    #[error("cannot read the image")]
    Io(#[from] std::io::Error),
    /// A program that probes formats would see another disk than we do, and open whatever it names.
    #[error("the file is not a raw disk but {found}")]
    Other { found: &'static str, mark: Magic },
    /// A machine would find nothing to start from.
    #[error("the file is not a disk to boot from: its first sector has no boot signature")]
    NoBootSector,
    #[error("the image has {0} bytes, which is not a whole number of 512-byte sectors: it is cut or padded")]
    Sectors(u64),
}

impl From<RawError> for Diagnostic {
    fn from(error: RawError) -> Self {
        let hint = match &error {
            RawError::Io(cause) => return Self::io("cannot read the image", cause),
            RawError::Other { mark: Magic::Qcow2, .. } => "write `kind = \"qcow2\"` under `[base]`",
            RawError::Other { mark: Magic::Iso9660, .. } => "write `kind = \"iso\"` under `[base]`",
            RawError::Other { mark: Magic::Xz, .. } => "write `compression = \"xz\"` under `[base]`",
            RawError::Other { mark: Magic::Zstd, .. } => "write `compression = \"zst\"` under `[base]`",
            RawError::Other { mark: Magic::Gzip, .. } => "write `compression = \"gz\"` under `[base]`",
            _ => return Self::new(Code::ImageFormat, error.to_string()),
        };
        Self::new(Code::ImageFormat, error.to_string()).hint(hint)
    }
}

/// Judges a disk by its first [`HEAD`] bytes (or all, where it is shorter).
pub(crate) fn check_head(head: &[u8]) -> Result<(), RawError> {
    if let Some(mark) = magic::marks(head).into_iter().find(|mark| *mark != Magic::Gpt) {
        return Err(RawError::Other { found: mark.name(), mark });
    }
    if head.get(510..512) == Some(&[0x55, 0xaa]) { Ok(()) } else { Err(RawError::NoBootSector) }
}

/// Judges it by its length and its last [`FOOT`] bytes: a fixed VHD is told by them only.
pub(crate) fn check_foot(foot: &[u8], length: u64) -> Result<(), RawError> {
    if !length.is_multiple_of(SECTOR) {
        return Err(RawError::Sectors(length));
    }
    if foot.starts_with(b"conectix") {
        return Err(RawError::Other { found: Magic::Vhd.name(), mark: Magic::Vhd });
    }
    Ok(())
}

/// Passes a raw disk that is nothing else.
pub(crate) fn gate<R: Read + Seek>(reader: &mut R) -> Result<(), RawError> {
    let length = reader.seek(SeekFrom::End(0))?;
    check_head(&read_up_to(reader, 0, HEAD)?)?;
    check_foot(&read_up_to(reader, length.saturating_sub(FOOT), FOOT)?, length)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::format::bytes::put;

    type Patches<'a> = &'a [(usize, &'a [u8])];

    fn disk(patches: Patches<'_>) -> Vec<u8> {
        let mut disk = vec![0; 1 << 20];
        put(&mut disk, 510, &[0x55, 0xaa]);
        patches.iter().for_each(|(at, patch)| put(&mut disk, *at, patch));
        disk
    }

    #[test]
    fn a_disk_with_a_boot_sector_passes_with_a_gpt_or_without() {
        let cases: [Patches<'_>; 3] = [&[], &[(512, b"EFI PART")], &[(4096, b"EFI PART")]];
        for patches in cases {
            assert!(gate(&mut Cursor::new(disk(patches))).is_ok());
        }
    }

    #[test]
    fn img_10_a_raw_disk_that_is_something_else_is_refused_with_the_way_out() {
        let cases: [(Patches<'_>, &str, &str); 8] = [
            (&[(0, b"QFI\xfb")], "a qcow2 image", "kind = \"qcow2\""),
            (&[(0x8001, b"CD001")], "an ISO 9660", "kind = \"iso\""),
            (&[(0, b"\xfd7zXZ\0")], "an xz file", "compression = \"xz\""),
            (&[(0, b"\x28\xb5\x2f\xfd")], "a zstd file", "compression = \"zst\""),
            (&[(0, b"\x1f\x8b")], "a gzip file", "compression = \"gz\""),
            (&[(0, b"KDMV")], "a VMDK", ""),
            (&[((1 << 20) - 512, b"conectix")], "a VHD", ""),
            (&[(510, b"\0\0")], "no boot signature", ""),
        ];
        for (patches, what, hint) in cases {
            let problem = Diagnostic::from(gate(&mut Cursor::new(disk(patches))).unwrap_err());
            assert_eq!(problem.code, Code::ImageFormat);
            assert!(problem.headline.contains(what), "{problem}");
            assert!(problem.hint.unwrap_or_default().contains(hint), "{what}");
        }
    }

    #[test]
    fn img_10_cut_short_and_empty_disks_are_refused() {
        for length in [0, 1, 511, 513, (1 << 20) - 1] {
            assert!(gate(&mut Cursor::new(&disk(&[])[..length])).is_err(), "{length}");
        }
        assert!(gate(&mut Cursor::new(&disk(&[])[..512])).is_ok());
    }
}
