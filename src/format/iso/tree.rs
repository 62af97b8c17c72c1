//! Finding one file in an ISO 9660 volume by its path. Bytes only; touches nothing.
//!
//! Specification: ECMA-119, 8.4.18 and 9.1 "Format of a Directory Record"; Rock Ridge (IEEE P1282), 4.1.4 "NM". A name is
//! that of Rock Ridge where a record has one, else the plain one without version, compared without regard to case.

use std::io::{Read, Seek};

use super::super::bytes::{le16, le32, read_up_to};
use super::{IsoError, SECTOR, descriptors};

/// The largest directory that is read; xorriso's loader directories have one sector.
const LARGEST_DIRECTORY: u64 = 1 << 20;
/// 9.1.6: a directory; a file that goes on in the next record.
const DIRECTORY: u8 = 0x02;
const MULTI_EXTENT: u8 = 0x80;
/// Where a record's name begins.
const NAME: usize = 33;

/// Where a file's bytes lie in the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Bytes from the image's beginning.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
}

struct Record<'r> {
    extent: Extent,
    flags: u8,
    /// Bytes of the file in one run, 0 where it is not interleaved.
    unit: u8,
    name: &'r [u8],
    /// What Rock Ridge has behind the name.
    system: &'r [u8],
}

/// Finds a file by its path, such as `boot/x86_64/loader/linux`.
///
/// # Errors
///
/// [`IsoError::NoFile`] where it is not there, no regular file, or lies in several pieces.
pub(crate) fn find<R: Read + Seek>(reader: &mut R, path: &str) -> Result<Extent, IsoError> {
    let none = || IsoError::NoFile(path.to_owned());
    let mut at = root(reader)?;
    let mut parts = path.split('/').peekable();
    while let Some(part) = parts.next() {
        if at.size > LARGEST_DIRECTORY {
            return Err(none());
        }
        let directory = read_up_to(reader, at.offset, at.size)?;
        let is_last = parts.peek().is_none();
        let kind = if is_last { 0 } else { DIRECTORY };
        let found = records(&directory).find(|record| record.flags & DIRECTORY == kind && record.is_named(part));
        let found = found.filter(|record| record.flags & MULTI_EXTENT == 0 && record.unit == 0).ok_or_else(none)?;
        at = found.extent;
    }
    Ok(at)
}

/// A file or directory of the volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// `/` between parts; whatever the volume says, so show it sanitised.
    pub path: String,
    pub is_directory: bool,
    pub extent: Extent,
}

/// Lists at most `most` files and directories, sorted by path.
///
/// # Errors
///
/// [`IsoError::TooMuch`] where there are more, or a directory is too large or contains itself.
pub(crate) fn list<R: Read + Seek>(reader: &mut R, most: usize) -> Result<Vec<Node>, IsoError> {
    let mut nodes: Vec<Node> = vec![];
    let mut open = vec![(String::new(), root(reader)?)];
    let mut seen = std::collections::BTreeSet::new();
    while let Some((above, at)) = open.pop() {
        if at.size > LARGEST_DIRECTORY || !seen.insert(at.offset) {
            return Err(IsoError::TooMuch);
        }
        let directory = read_up_to(reader, at.offset, at.size)?;
        // The first two name the directory itself and the one above.
        for record in records(&directory).filter(|record| !matches!(record.name, [0 | 1])) {
            let path = format!("{above}{}", String::from_utf8_lossy(&record.shown_name()));
            let is_directory = record.flags & DIRECTORY != 0;
            if nodes.len() == most {
                return Err(IsoError::TooMuch);
            }
            if is_directory {
                open.push((format!("{path}/"), record.extent));
            }
            nodes.push(Node { path, is_directory, extent: record.extent });
        }
    }
    nodes.sort_by(|one, two| one.path.cmp(&two.path));
    Ok(nodes)
}

/// Finds the root directory by the primary descriptor.
fn root<R: Read + Seek>(reader: &mut R) -> Result<Extent, IsoError> {
    let all = descriptors(reader)?;
    let is_primary = |it: &&Vec<u8>| it.first() == Some(&1) && u64::from(le16(it, 128)) == SECTOR;
    let mut roots = all.iter().filter(is_primary).filter_map(|it| record(it.get(156..190)?));
    roots.next().map(|record| record.extent).ok_or(IsoError::NoDescriptor)
}

/// Reads a directory's records, none of which crosses a sector.
fn records(directory: &[u8]) -> impl Iterator<Item = Record<'_>> {
    directory
        .chunks(SECTOR as usize)
        .flat_map(|sector| {
            let mut rest = sector;
            std::iter::from_fn(move || {
                let length = usize::from(*rest.first()?);
                let (one, behind) = rest.split_at_checked(length).filter(|_| length > 0)?;
                rest = behind;
                Some(one)
            })
        })
        .filter_map(record)
}

fn record(bytes: &[u8]) -> Option<Record<'_>> {
    let name = bytes.get(NAME..NAME + usize::from(*bytes.get(32)?))?;
    // A name of even length is followed by one byte that fills up.
    let behind = (NAME + name.len()).next_multiple_of(2);
    // The extended attribute record, which nobody writes, comes before the data.
    let block = u64::from(le32(bytes, 2)) + u64::from(*bytes.get(1)?);
    Some(Record {
        extent: Extent { offset: block * SECTOR, size: u64::from(le32(bytes, 10)) },
        flags: *bytes.get(25)?,
        unit: *bytes.get(26)?,
        name,
        system: bytes.get(behind..).unwrap_or_default(),
    })
}

impl Record<'_> {
    fn is_named(&self, wanted: &str) -> bool {
        match self.rock_ridge() {
            Some(name) => name == wanted.as_bytes(),
            None => self.shown_name().eq_ignore_ascii_case(wanted.as_bytes()),
        }
    }

    /// Returns the name as Linux shows it: that of Rock Ridge, else the plain one without version, in lower case.
    fn shown_name(&self) -> Vec<u8> {
        self.rock_ridge().map(<[u8]>::to_vec).unwrap_or_else(|| {
            let plain = self.name.split(|byte| *byte == b';').next().unwrap_or_default();
            plain.strip_suffix(b".").unwrap_or(plain).to_ascii_lowercase()
        })
    }

    /// Returns the whole name of an `NM` entry; one that goes on elsewhere is none of the names looked for.
    fn rock_ridge(&self) -> Option<&[u8]> {
        let mut rest = self.system;
        loop {
            let length = usize::from(*rest.get(2)?);
            let (entry, behind) = rest.split_at_checked(length).filter(|_| length >= 4)?;
            if entry.starts_with(b"NM") {
                return entry.get(5..);
            }
            rest = behind;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::format::bytes::put;

    fn entry(extent: u32, size: u32, flags: u8, name: &[u8], system: &[u8]) -> Vec<u8> {
        let behind = (NAME + name.len()).next_multiple_of(2);
        let mut bytes = vec![0; behind];
        bytes[0] = (behind + system.len()) as u8;
        put(&mut bytes, 2, &extent.to_le_bytes());
        put(&mut bytes, 10, &size.to_le_bytes());
        bytes[25] = flags;
        bytes[32] = name.len() as u8;
        put(&mut bytes, NAME, name);
        bytes.extend(system);
        bytes
    }

    /// `BOOT/linux` with Rock Ridge names, `BOOT/INITRD.;1` without.
    fn image() -> Vec<u8> {
        let mut image = vec![0; 30 * 2048];
        put(&mut image, 16 * 2048, b"\x01CD001\x01");
        put(&mut image, 16 * 2048 + 128, &2048_u16.to_le_bytes());
        put(&mut image, 16 * 2048 + 156, &entry(20, 2048, DIRECTORY, b"\0", b""));
        let own = |at| [entry(at, 2048, DIRECTORY, b"\0", b""), entry(20, 2048, DIRECTORY, b"\x01", b"")].concat();
        let root = [own(20), entry(21, 2048, DIRECTORY, b"BOOT", b"NM\x09\x01\0boot")].concat();
        put(&mut image, 20 * 2048, &root);
        let linux = entry(22, 5, 0, b"LINUX.;1", b"PX\x04\x01NM\x0a\x01\0linux");
        let split = entry(24, 5, MULTI_EXTENT, b"SPLIT.;1", b"");
        put(&mut image, 21 * 2048, &[own(21), linux, entry(23, 6, 0, b"INITRD.;1", b""), split].concat());
        image
    }

    #[test]
    fn a_file_is_found_by_either_name() {
        let find = |path| find(&mut Cursor::new(image()), path);
        assert_eq!(find("boot/linux").unwrap(), Extent { offset: 22 * 2048, size: 5 });
        assert_eq!(find("boot/initrd").unwrap(), Extent { offset: 23 * 2048, size: 6 });
        for missing in ["boot", "linux", "boot/split", "boot/linux/x", "BOOT/linux", ""] {
            assert!(matches!(find(missing), Err(IsoError::NoFile(_))), "{missing}");
        }
    }

    #[test]
    fn everything_is_listed_as_linux_shows_it_and_within_bounds() {
        let list = |most| list(&mut Cursor::new(image()), most);
        let nodes = list(4).unwrap();
        let shown: Vec<_> =
            nodes.iter().map(|node| (node.path.as_str(), node.is_directory, node.extent.size)).collect();
        assert_eq!(
            shown,
            [("boot", true, 2048), ("boot/initrd", false, 6), ("boot/linux", false, 5), ("boot/split", false, 5)]
        );
        assert!(matches!(list(3), Err(IsoError::TooMuch)));
        let mut circle = image();
        put(&mut circle, 21 * 2048, &entry(20, 2048, DIRECTORY, b"AGAIN", b""));
        assert!(matches!(super::list(&mut Cursor::new(circle), 100), Err(IsoError::TooMuch)));
    }

    #[test]
    fn img_14_a_directory_of_garbage_is_left_without_a_panic() {
        for byte in 0..=255 {
            let mut image = image();
            image[20 * 2048..22 * 2048].fill(byte);
            assert!(find(&mut Cursor::new(&image), "boot/linux").is_err());
            let _ = list(&mut Cursor::new(&image), 100);
            let mut image = self::image();
            image[16 * 2048 + 156..16 * 2048 + 190].fill(byte);
            assert!(find(&mut Cursor::new(&image), "boot/linux").is_err());
        }
    }
}
