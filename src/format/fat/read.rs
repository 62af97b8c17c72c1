//! Reads a FAT12/16 volume that anybody may have made: bounded in memory and steps, never a panic. Touches nothing.
//!
//! Specification: fatgen103. `fatfs` is not used here: it panics on malformed volumes (rafalh/rust-fatfs #56, #72).

use std::collections::BTreeSet;
use std::io::{self, Read, Seek};
use std::ops::Range;

use super::{DIRECTORY, ENTRY, FREE, LONG_NAME, MAX_DEPTH, VOLUME_ID};
use crate::format::bytes::{le16, le32, read_up_to};

/// More files than a config disk has; a hostile one may claim any number.
const MAX_FILES: usize = 4096;
/// More bytes of paths than a config disk has.
const MAX_PATHS: usize = 4 << 20;
/// More directory entries than we follow, free ones included.
const MAX_ENTRIES: usize = 65_536;

/// Why a volume is not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("not a FAT volume: {0}")]
    NotFat(&'static str),
    #[error("the volume is FAT32, which is not read")]
    Fat32,
    #[error("the volume is damaged: {0}")]
    Damaged(&'static str),
    #[error("the volume holds more than {0} {1}")]
    TooMany(usize, &'static str),
}

/// Where the parts of the volume lie, in bytes; checked to lie within it.
#[derive(Clone, Debug)]
pub(crate) struct Geometry {
    fat: Range<u64>,
    root: Range<u64>,
    data: u64,
    /// Bytes of data a cluster holds.
    pub cluster: u64,
    clusters: u32,
    pub volume_id: u32,
    /// From the boot sector, which the guest does not look at.
    pub label: [u8; 11],
}

/// Where a directory begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Root,
    Cluster(u16),
}

impl Geometry {
    /// Reads the boot sector; "Boot Sector and BPB".
    pub(crate) fn read(head: &[u8], length: u64) -> Result<Self, ReadError> {
        if head.get(510..512) != Some(&[0x55, 0xaa]) {
            return Err(ReadError::NotFat("no boot sector"));
        }
        let byte = |at: usize| u64::from(head.get(at).copied().unwrap_or(0));
        let word = |at| u64::from(le16(head, at));
        let (sector, per_cluster) = (word(11), byte(13));
        if !matches!(sector, 512 | 1024 | 2048 | 4096) || !per_cluster.is_power_of_two() {
            return Err(ReadError::NotFat("impossible sector or cluster size"));
        }
        let (reserved, fats, root_entries, fat_sectors) = (word(14), byte(16), word(17), word(22));
        if reserved == 0 || !matches!(fats, 1 | 2) {
            return Err(ReadError::NotFat("no reserved sector or no table"));
        }
        if fat_sectors == 0 {
            return Err(if le32(head, 36) != 0 { ReadError::Fat32 } else { ReadError::NotFat("a table of no size") });
        }
        let total = if word(19) != 0 { word(19) } else { u64::from(le32(head, 32)) };
        let root = reserved + fats * fat_sectors;
        let data = root + (root_entries * ENTRY as u64).div_ceil(sector);
        let clusters = total.checked_sub(data).ok_or(ReadError::Damaged("no room for data"))? / per_cluster;
        if total * sector > length {
            return Err(ReadError::Damaged("it is longer than the disk"));
        }
        if clusters >= 65_525 {
            return Err(ReadError::Fat32);
        }
        let bits: u64 = if clusters < 4085 { 12 } else { 16 };
        if ((clusters + 2) * bits).div_ceil(8) > fat_sectors * sector {
            return Err(ReadError::Damaged("its table does not cover its clusters"));
        }
        Ok(Self {
            fat: reserved * sector..(reserved + fat_sectors) * sector,
            root: root * sector..root * sector + root_entries * ENTRY as u64,
            data: data * sector,
            cluster: per_cluster * sector,
            clusters: clusters as u32,
            volume_id: le32(head, 39),
            label: crate::format::bytes::array(head, 43).unwrap_or([b' '; 11]),
        })
    }

    /// Returns where the first table lies; at most 256 MiB by its fields, of which [`Tree`] reads 128 KiB.
    pub(crate) fn fat_range(&self) -> Range<usize> {
        let length = self.fat_bytes();
        self.fat.start as usize..(self.fat.start + length) as usize
    }

    fn fat_bytes(&self) -> u64 {
        let bits = if self.clusters < 4085 { 12 } else { 16 };
        ((u64::from(self.clusters) + 2) * bits).div_ceil(8)
    }

    /// Returns what the table says behind `cluster`; `None` at the end of the chain or where it leaves the volume.
    fn next(&self, fat: &[u8], cluster: u16) -> Option<u16> {
        let at = usize::from(cluster);
        let next = if self.clusters < 4085 {
            let pair = le16(fat, at + at / 2);
            if at % 2 == 0 { pair & 0xfff } else { pair >> 4 }
        } else {
            le16(fat, at * 2)
        };
        self.is_cluster(next).then_some(next)
    }

    fn is_cluster(&self, number: u16) -> bool {
        number >= 2 && u32::from(number) < self.clusters + 2
    }

    /// Goes through the byte ranges of a directory or file, in order; a loop in the chain ends it.
    ///
    /// No further than it is asked: a chain of all clusters may be named by every entry.
    pub(crate) fn extents(&self, fat: &[u8], place: Place) -> impl Iterator<Item = Range<u64>> {
        let (root, first) = match place {
            Place::Root => (Some(self.root.clone()), None),
            Place::Cluster(first) => (None, Some(first).filter(|first| self.is_cluster(*first))),
        };
        let mut seen = BTreeSet::new();
        let chain = std::iter::successors(first, |number| self.next(fat, *number));
        let clusters = chain.take_while(move |number| seen.insert(*number)).map(|number| {
            let start = self.data + u64::from(number - 2) * self.cluster;
            start..start + self.cluster
        });
        root.into_iter().chain(clusters)
    }
}

/// A file or directory of the volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// Long names where they are valid, `/` between parts; whatever the volume says, so show it sanitised.
    pub path: String,
    pub is_directory: bool,
    /// Bytes; 0 for a directory.
    pub size: u32,
    first: u16,
}

/// What a volume holds, without the files' content.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    /// From the root directory, as the guest's udev takes it; trailing spaces cut.
    pub label: Option<Vec<u8>>,
    /// Files and directories, sorted by path.
    pub nodes: Vec<Node>,
    pub geometry: Geometry,
    fat: Vec<u8>,
}

impl Tree {
    /// Reads the directories of a volume that begins at byte 0 of `reader` and is at most `length` long.
    pub(crate) fn read<R: Read + Seek>(reader: &mut R, length: u64) -> Result<Self, ReadError> {
        let geometry = Geometry::read(&read_up_to(reader, 0, 512)?, length)?;
        let fat = read_up_to(reader, geometry.fat.start, geometry.fat_bytes())?;
        let mut tree = Self { label: None, nodes: Vec::new(), geometry, fat };
        tree.walk(reader)?;
        tree.nodes.sort_by(|one, two| one.path.cmp(&two.path));
        Ok(tree)
    }

    /// Returns the file at `path`, looked up as the guest does: without case.
    pub(crate) fn find(&self, path: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.path.eq_ignore_ascii_case(path))
    }

    /// Reads a file's content, at most `limit` bytes of it.
    pub(crate) fn content<R: Read + Seek>(
        &self,
        reader: &mut R,
        node: &Node,
        limit: u64,
    ) -> Result<Vec<u8>, ReadError> {
        let wanted = u64::from(node.size).min(limit);
        let mut content = Vec::new();
        for extent in self.geometry.extents(&self.fat, Place::Cluster(node.first)) {
            let left = wanted - content.len() as u64;
            if left == 0 {
                break;
            }
            let piece = read_up_to(reader, extent.start, left.min(extent.end - extent.start))?;
            content.extend_from_slice(&piece);
        }
        if (content.len() as u64) < wanted {
            return Err(ReadError::Damaged("a file is shorter than its directory says"));
        }
        Ok(content)
    }

    fn walk<R: Read + Seek>(&mut self, reader: &mut R) -> Result<(), ReadError> {
        let mut waiting = vec![(Place::Root, String::new(), 0)];
        let (mut visited, mut entries, mut bytes, mut paths) = (BTreeSet::new(), 0, 0, 0);
        while let Some((place, parent, depth)) = waiting.pop() {
            for extent in self.geometry.extents(&self.fat, place) {
                entries += ((extent.end - extent.start) / ENTRY as u64) as usize;
                if entries > MAX_ENTRIES {
                    return Err(ReadError::TooMany(MAX_ENTRIES, "directory entries"));
                }
            }
            let table = self.table(reader, place)?;
            let room = MAX_FILES - self.nodes.len();
            for node in parse(&table, &parent, place == Place::Root, &mut self.label, room) {
                if self.nodes.len() >= MAX_FILES {
                    return Err(ReadError::TooMany(MAX_FILES, "files"));
                }
                paths += node.path.len();
                if paths > MAX_PATHS {
                    return Err(ReadError::TooMany(MAX_PATHS, "bytes of paths"));
                }
                bytes += u64::from(node.size);
                if bytes > u64::from(self.geometry.clusters) * self.geometry.cluster {
                    return Err(ReadError::Damaged("its files are larger than itself"));
                }
                if node.is_directory && depth < MAX_DEPTH && visited.insert(node.first) {
                    waiting.push((Place::Cluster(node.first), format!("{}/", node.path), depth + 1));
                }
                self.nodes.push(node);
            }
        }
        Ok(())
    }

    fn table<R: Read + Seek>(&self, reader: &mut R, place: Place) -> Result<Vec<u8>, ReadError> {
        let mut table = Vec::new();
        for extent in self.geometry.extents(&self.fat, place) {
            table.extend_from_slice(&read_up_to(reader, extent.start, extent.end - extent.start)?);
        }
        Ok(table)
    }
}

/// Reads one directory, up to the first entry for which there is no room; the label counts only in the root.
///
/// Each entry is held with its whole path: an end that came later would come after hundreds of MiB.
fn parse(table: &[u8], parent: &str, is_root: bool, label: &mut Option<Vec<u8>>, room: usize) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut long = LongName::default();
    for entry in table.chunks_exact(ENTRY) {
        if nodes.len() > room {
            break;
        }
        let attributes = entry.get(11).copied().unwrap_or(0);
        match entry.first().copied().unwrap_or(0) {
            0 => break,
            FREE => long = LongName::default(),
            _ if attributes & 0x3f == LONG_NAME => long.add(entry),
            _ if attributes & VOLUME_ID != 0 => {
                if is_root && label.is_none() {
                    *label = entry.get(..11).map(|name| name.trim_ascii_end().to_vec());
                }
            }
            b'.' => long = LongName::default(),
            _ => nodes.push(node(entry, parent, attributes, std::mem::take(&mut long))),
        }
    }
    nodes
}

fn node(entry: &[u8], parent: &str, attributes: u8, long: LongName) -> Node {
    let is_directory = attributes & DIRECTORY != 0;
    let name = long.take(entry).unwrap_or_else(|| short(entry));
    let size = if is_directory { 0 } else { le32(entry, 28) };
    Node { path: format!("{parent}{name}"), is_directory, size, first: le16(entry, 26) }
}

/// Shows a short name as the guest does: lower case where the NT flags say so.
fn short(entry: &[u8]) -> String {
    let flags = entry.get(12).copied().unwrap_or(0);
    let part = |range: Range<usize>, flag: u8| {
        let text = String::from_utf8_lossy(entry.get(range).unwrap_or_default().trim_ascii_end()).into_owned();
        if flags & flag != 0 { text.to_ascii_lowercase() } else { text }
    };
    match (part(0..8, 0x08), part(8..11, 0x10)) {
        (base, extension) if extension.is_empty() => base,
        (base, extension) => format!("{base}.{extension}"),
    }
}

/// Parts of a long name, last first, as they stand before their short entry; "Organization of Long Names".
#[derive(Default)]
struct LongName {
    parts: Vec<[u16; 13]>,
    expected: u8,
    checksum: u8,
}

impl LongName {
    fn add(&mut self, entry: &[u8]) {
        let byte = |at: usize| entry.get(at).copied().unwrap_or(0);
        let order = byte(0);
        if order & 0x40 != 0 {
            *self = Self { parts: Vec::new(), expected: order & 0x1f, checksum: byte(13) };
        }
        if order & 0x1f != self.expected || self.expected == 0 || byte(13) != self.checksum || self.parts.len() > 20 {
            *self = Self::default();
            return;
        }
        self.expected -= 1;
        const PLACES: [usize; 13] = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
        self.parts.push(PLACES.map(|at| le16(entry, at)));
    }

    /// Returns the name if all parts are there and belong to this short entry.
    fn take(self, entry: &[u8]) -> Option<String> {
        let short = entry.get(..11)?;
        let sum = short.iter().fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte));
        if self.parts.is_empty() || self.expected != 0 || sum != self.checksum {
            return None;
        }
        let units: Vec<u16> = self.parts.into_iter().rev().flatten().take_while(|unit| *unit != 0).collect();
        Some(String::from_utf16_lossy(&units))
    }
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
