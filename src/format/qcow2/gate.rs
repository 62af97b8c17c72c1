//! The gate: decides whether an image from outside may be a base, before any program that trusts images opens it.
//!
//! Specification: QEMU `docs/interop/qcow2.rst`; caps as QEMU's own (`block/qcow2.h`). Bounded: 64 KiB of header,
//! tables in 64 KiB pieces, at most 32 MiB of L1 and 16 MiB of L2. Touches nothing. Read next: `error`.

use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

use super::error::GateError;
use super::header::{Header, ImageInfo, Passed, V3_LENGTH, at, bytes_per_l1_entry};
use crate::base::{ByteSize, text::one_line};
use crate::format::bytes::{be32, be64, read_up_to};
use crate::format::magic;

/// The largest disk that is taken: a small file can claim any size.
pub(crate) const LARGEST_DISK: ByteSize = ByteSize::gib(1024);

/// Header and extensions are looked for in this many bytes; images seen in the field use under 1 KiB.
const HEAD: u64 = 64 << 10;
/// `QCOW_MAX_L1_SIZE`.
const MAX_L1_BYTES: u64 = 32 << 20;
/// `QCOW_MAX_REFTABLE_SIZE`.
const MAX_REFCOUNT_TABLE_BYTES: u64 = 8 << 20;
/// L2 tables of the first 128 GiB at 64 KiB clusters; what lies behind is checked when it is read.
const L2_BUDGET: u64 = 16 << 20;
/// Tables are read in pieces of this size.
const PIECE: u64 = 64 << 10;
/// More extensions than any writer makes.
const MAX_EXTENSIONS: usize = 64;

/// "Header": the incompatible bits that have a name.
const INCOMPATIBLE: [&str; 5] = ["dirty", "corrupt", "external data file", "compression type", "extended L2 entries"];
const DIRTY: u64 = 1 << 0;
const CORRUPT: u64 = 1 << 1;
const DATA_FILE: u64 = 1 << 2;
const COMPRESSION: u64 = 1 << 3;

const EXTENSION_BACKING_FORMAT: u32 = 0xe279_2aca;
const EXTENSION_DATA_FILE: u32 = 0x4441_5441;
const EXTENSION_ENCRYPTION: u32 = 0x0537_be77;

/// Passes a plain, self-contained qcow2 image and refuses every other file by name.
///
/// Holds afterwards: the image names no other file, is clean and unencrypted, has no snapshots and no feature but
/// the compression type; every field and L1 entry lies within the file, and no L1 entry and none of the first L2 tables'
/// entries points into the header or a table. The stream's position is anywhere.
pub(crate) fn gate<R: Read + Seek>(reader: &mut R) -> Result<ImageInfo, GateError> {
    gate_within(reader, LARGEST_DISK)
}

/// The same for disks of at most another size.
pub(crate) fn gate_within<R: Read + Seek>(reader: &mut R, limit: ByteSize) -> Result<ImageInfo, GateError> {
    let length = reader.seek(SeekFrom::End(0))?;
    let head = read_up_to(reader, 0, HEAD)?;
    formats(reader, &head, length)?;
    let header = Header::read(&head);
    needs(&header, &head, length)?;
    references(&header, &head)?;
    features(&header)?;
    shape(&header, length)?;
    extensions(&header, &head)?;
    size(&header, limit)?;
    tables(&header, length)?;
    entries(reader, &header, length)?;
    Ok(ImageInfo { header, file_size: ByteSize(length), passed: Passed(()) })
}

/// A fixed VHD is told by its last 512 bytes only.
fn formats<R: Read + Seek>(reader: &mut R, head: &[u8], length: u64) -> Result<(), GateError> {
    let marks = magic::marks(head);
    if !head.starts_with(&super::MAGIC) {
        return Err(GateError::NotQcow2 { found: magic::describe(head) });
    }
    if let Some(other) = marks.iter().find(|mark| **mark != magic::Magic::Qcow2) {
        return Err(GateError::Ambiguous { other: other.name() });
    }
    let foot = read_up_to(reader, length.saturating_sub(512), 8)?;
    if foot == b"conectix" { Err(GateError::Ambiguous { other: magic::Magic::Vhd.name() }) } else { Ok(()) }
}

fn needs(header: &Header, head: &[u8], length: u64) -> Result<(), GateError> {
    let truncated = |needed: u32| GateError::Truncated { part: "header", needed: needed.into(), length };
    if head.len() < 8 {
        return Err(truncated(8));
    }
    let needed = match header.version {
        2 => super::header::V2_LENGTH,
        3 => V3_LENGTH,
        other => return Err(GateError::Version(other)),
    };
    if (head.len() as u64) < needed.into() { Err(truncated(needed)) } else { Ok(()) }
}

/// Either field alone is odd enough: no writer leaves one behind.
fn references(header: &Header, head: &[u8]) -> Result<(), GateError> {
    let (offset, size) = (header.backing_offset, header.backing_size);
    if offset != 0 || size != 0 {
        return Err(GateError::Backing { offset, size, name: shown(head, offset, size.into()) });
    }
    Ok(())
}

fn features(header: &Header) -> Result<(), GateError> {
    let has = |bit: u64| header.incompatible & bit != 0;
    if has(DATA_FILE) {
        return Err(GateError::DataFile { name: String::new() });
    }
    if header.crypt_method != 0 {
        return Err(GateError::Encrypted(match header.crypt_method {
            1 => "AES",
            2 => "LUKS",
            _ => "an unknown method",
        }));
    }
    let unknown = header.incompatible & !(DIRTY | CORRUPT | DATA_FILE | COMPRESSION);
    if unknown != 0 {
        let bit = unknown.trailing_zeros();
        let name = INCOMPATIBLE.get(bit as usize).copied().unwrap_or("without a known name");
        return Err(GateError::Feature { bit, name });
    }
    if has(CORRUPT) {
        return Err(GateError::Dirty("corrupt"));
    }
    if has(DIRTY) {
        return Err(GateError::Dirty("dirty: it was not closed cleanly"));
    }
    if header.snapshots != 0 { Err(GateError::Snapshots(header.snapshots)) } else { Ok(()) }
}

fn field(field: &'static str, offset: usize, value: u64, why: &'static str) -> GateError {
    GateError::Field { field, offset: offset as u64, value, why }
}

/// Checks the fields that give the others their meaning.
fn shape(header: &Header, length: u64) -> Result<(), GateError> {
    let bits = header.cluster_bits;
    if !(9..=21).contains(&bits) {
        return Err(field("cluster_bits", at::CLUSTER_BITS, bits.into(), "clusters are 512 bytes to 2 MiB (9 to 21)"));
    }
    if header.refcount_order > 6 {
        let order = header.refcount_order.into();
        return Err(field("refcount_order", at::REFCOUNT_ORDER, order, "refcounts have at most 64 bits (6)"));
    }
    if header.version < 3 {
        return Ok(());
    }
    let header_length = u64::from(header.length);
    let bad = |why| Err(field("header_length", at::HEADER_LENGTH, header_length, why));
    if header_length < V3_LENGTH.into() {
        return bad("a version 3 header has at least 104 bytes");
    }
    if !header_length.is_multiple_of(8) {
        return bad("it is a multiple of 8");
    }
    if header_length > 1 << bits || header_length > length {
        return bad("the header fits in the first cluster");
    }
    compression(header)
}

/// "Compression type": the bit is set if and only if the type is not zlib.
fn compression(header: &Header) -> Result<(), GateError> {
    let bad = |why| Err(field("compression_type", at::COMPRESSION, header.compression.into(), why));
    match (header.incompatible & COMPRESSION != 0, header.compression) {
        (false, 0) | (true, 1) => Ok(()),
        (true, 0) => bad("the compression type bit is set for zlib"),
        (false, _) => bad("the compression type bit is not set"),
        (true, _) => bad("only zlib (0) and zstd (1) are known"),
    }
}

fn extensions(header: &Header, head: &[u8]) -> Result<(), GateError> {
    let end = (head.len() as u64).min(1 << header.cluster_bits) as usize;
    let area = head.get(..end).unwrap_or_default();
    let mut place = header.length as usize;
    for _ in 0..MAX_EXTENSIONS {
        if area.len().saturating_sub(place) < 8 {
            return unseen(header, area.len() as u64);
        }
        let (kind, size) = (be32(area, place), be32(area, place + 4));
        let data = place + 8;
        if kind == 0 && size == 0 {
            return Ok(());
        }
        if size as usize > area.len() - data {
            return Err(field("extension length", place + 4, size.into(), "the extension fits in the first cluster"));
        }
        extension(area, kind, data as u64, size)?;
        if kind == 0 {
            return Ok(());
        }
        place = data + (size as usize).next_multiple_of(8);
    }
    Err(field("extensions", header.length as usize, MAX_EXTENSIONS as u64, "more extensions than any writer makes"))
}

/// An image or a first cluster that ends here has no more extensions; one that we did not read to its end may.
fn unseen(header: &Header, seen: u64) -> Result<(), GateError> {
    if seen < HEAD || 1 << header.cluster_bits <= HEAD {
        return Ok(());
    }
    Err(field("header_length", at::HEADER_LENGTH, header.length.into(), "header and extensions end before 64 KiB"))
}

fn extension(area: &[u8], kind: u32, data: u64, size: u32) -> Result<(), GateError> {
    let name = || shown(area, data, size.into());
    match kind {
        EXTENSION_DATA_FILE => Err(GateError::DataFile { name: name() }),
        EXTENSION_BACKING_FORMAT => Err(GateError::Backing { offset: 0, size: 0, name: name() }),
        EXTENSION_ENCRYPTION => Err(GateError::Encrypted("LUKS")),
        _ => Ok(()),
    }
}

fn size(header: &Header, limit: ByteSize) -> Result<(), GateError> {
    let size = header.virtual_size;
    if size == 0 || !size.is_multiple_of(512) {
        return Err(field("size", at::SIZE, size, "a disk is a whole number of 512-byte sectors, at least one"));
    }
    if size > limit.0 { Err(GateError::VirtualSize { size: ByteSize(size), limit }) } else { Ok(()) }
}

/// Checks that both tables lie within the file, aligned, apart from the header and from each other.
fn tables(header: &Header, length: u64) -> Result<(), GateError> {
    let cluster = 1 << header.cluster_bits;
    let needed = header.virtual_size.div_ceil(bytes_per_l1_entry(header.cluster_bits));
    let l1_size = u64::from(header.l1_size);
    if l1_size < needed {
        return Err(field("l1_size", at::L1_SIZE, l1_size, "the L1 table does not cover the disk"));
    }
    let l1_bytes = l1_size * 8;
    if l1_bytes > MAX_L1_BYTES {
        return Err(field("l1_size", at::L1_SIZE, l1_size, "an L1 table has at most 32 MiB"));
    }
    let clusters = u64::from(header.refcount_clusters);
    let refcount_bytes = clusters << header.cluster_bits;
    if clusters == 0 || refcount_bytes > MAX_REFCOUNT_TABLE_BYTES {
        return Err(field("refcount_table_clusters", at::REFCOUNT_CLUSTERS, clusters, "it has 1 cluster to 8 MiB"));
    }
    let l1 = table("l1_table_offset", at::L1_OFFSET, header.l1_offset, l1_bytes, cluster, length)?;
    let refcount =
        table("refcount_table_offset", at::REFCOUNT_OFFSET, header.refcount_offset, refcount_bytes, cluster, length)?;
    if l1.0 < refcount.1 && refcount.0 < l1.1 {
        return Err(field("l1_table_offset", at::L1_OFFSET, l1.0, "the L1 table overlaps the refcount table"));
    }
    Ok(())
}

fn table(
    name: &'static str,
    place: usize,
    offset: u64,
    bytes: u64,
    cluster: u64,
    length: u64,
) -> Result<(u64, u64), GateError> {
    let bad = |why| Err(field(name, place, offset, why));
    if offset < cluster {
        return bad("the table lies in the header's cluster");
    }
    if !offset.is_multiple_of(cluster) {
        return bad("the table begins at a cluster");
    }
    match offset.checked_add(bytes) {
        Some(end) if end <= length => Ok((offset, end)),
        _ => bad("the table reaches past the end of the file"),
    }
}

/// Checks every L1 entry and, within a budget, the L2 tables they point to.
fn entries<R: Read + Seek>(reader: &mut R, header: &Header, length: u64) -> Result<(), GateError> {
    let cluster = 1_u64 << header.cluster_bits;
    let mut metadata = Metadata::of(reader, header)?;
    let mut l2_tables = Vec::new();
    pieces(reader, header.l1_offset, u64::from(header.l1_size) * 8, |offset, value| {
        let target = l1_entry(offset, value, cluster, length)?;
        // Only its flag is set: unallocated.
        if target != 0 {
            metadata.refuse("L1", offset, value, target)?;
            l2_tables.push(target);
        }
        Ok(())
    })?;
    let is_checked = |index: &usize| (*index as u64 + 1) << header.cluster_bits <= L2_BUDGET;
    let checked: Vec<u64> = l2_tables.iter().enumerate().filter(|(at, _)| is_checked(at)).map(|(_, at)| *at).collect();
    l2_tables.sort_unstable();
    if let Some(&[twice, _]) = l2_tables.windows(2).find(|pair| pair.first() == pair.last()) {
        let why = "two entries point to one L2 table";
        return Err(GateError::Entry { table: "L1", offset: header.l1_offset, value: twice, why });
    }
    metadata.l2_tables = l2_tables;
    for table in checked {
        pieces(reader, table, cluster, |offset, value| l2_entry(offset, value, header, length, &metadata))?;
    }
    Ok(())
}

/// Where header and tables lie: a cluster of the disk that is also one of these would be both data and structure.
struct Metadata {
    cluster: u64,
    /// Each from its first byte to the one behind its last.
    areas: [(Range<u64>, &'static str); 3],
    /// Offsets of clusters, in order.
    refcount_blocks: Vec<u64>,
    l2_tables: Vec<u64>,
}

impl Metadata {
    /// Reads the refcount table; what it says of blocks outside the file harms nobody who only reads.
    fn of<R: Read + Seek>(reader: &mut R, header: &Header) -> Result<Self, GateError> {
        let cluster = 1_u64 << header.cluster_bits;
        let (l1, refcounts) = (header.l1_offset, header.refcount_offset);
        let refcount_bytes = u64::from(header.refcount_clusters) << header.cluster_bits;
        let l1_bytes = (u64::from(header.l1_size) * 8).next_multiple_of(cluster);
        let areas = [
            (0..cluster, "it lies in the header"),
            (l1..l1 + l1_bytes, "it lies in the L1 table"),
            (refcounts..refcounts + refcount_bytes, "it lies in the refcount table"),
        ];
        let mut refcount_blocks = vec![];
        pieces(reader, refcounts, refcount_bytes, |_, value| {
            refcount_blocks.push(value & !0x1ff);
            Ok(())
        })?;
        refcount_blocks.sort_unstable();
        Ok(Self { cluster, areas, refcount_blocks, l2_tables: vec![] })
    }

    /// Refuses an entry that points here.
    fn refuse(&self, table: &'static str, offset: u64, value: u64, target: u64) -> Result<(), GateError> {
        let begin = target - target % self.cluster;
        let area = self.areas.iter().find(|(area, _)| area.contains(&target)).map(|(_, why)| *why);
        let is_in = |clusters: &[u64]| clusters.binary_search(&begin).is_ok();
        let block = || is_in(&self.refcount_blocks).then_some("it lies in a refcount block");
        let l2_table = || is_in(&self.l2_tables).then_some("it lies in an L2 table");
        match area.or_else(block).or_else(l2_table) {
            Some(why) => Err(GateError::Entry { table, offset, value, why }),
            None => Ok(()),
        }
    }
}

fn pieces<R: Read + Seek>(
    reader: &mut R,
    start: u64,
    bytes: u64,
    mut check: impl FnMut(u64, u64) -> Result<(), GateError>,
) -> Result<(), GateError> {
    let mut done = 0;
    let mut buffer = vec![0; PIECE.min(bytes) as usize];
    reader.seek(SeekFrom::Start(start))?;
    while done < bytes {
        let piece = (bytes - done).min(PIECE) as usize;
        let buffer = buffer.get_mut(..piece).unwrap_or_default();
        reader.read_exact(buffer)?;
        // Most of a table is empty, and a sector is compared at once.
        for (sector, entries) in buffer.chunks(512).enumerate().filter(|(_, entries)| **entries != [0; 512]) {
            for (index, entry) in entries.chunks_exact(8).enumerate() {
                match be64(entry, 0) {
                    0 => {}
                    value => check(start + done + sector as u64 * 512 + index as u64 * 8, value)?,
                }
            }
        }
        done += piece as u64;
    }
    Ok(())
}

/// "Cluster mapping": bits 9 to 55 are an offset.
const OFFSET_MASK: u64 = 0x00ff_ffff_ffff_fe00;

fn l1_entry(offset: u64, value: u64, cluster: u64, length: u64) -> Result<u64, GateError> {
    let bad = |why| Err(GateError::Entry { table: "L1", offset, value, why });
    let target = value & OFFSET_MASK;
    if value & 0x7f00_0000_0000_01ff != 0 {
        return bad("reserved bits are set");
    }
    if !target.is_multiple_of(cluster) {
        return bad("an L2 table begins at a cluster");
    }
    if target.checked_add(cluster).is_none_or(|end| end > length) {
        return bad("the L2 table reaches past the end of the file");
    }
    Ok(target)
}

fn l2_entry(offset: u64, value: u64, header: &Header, length: u64, metadata: &Metadata) -> Result<(), GateError> {
    let bad = |why| Err(GateError::Entry { table: "L2", offset, value, why });
    if value >> 62 & 1 == 1 {
        let bits = 62 - (header.cluster_bits - 8);
        let target = value & ((1 << bits) - 1) & 0x00ff_ffff_ffff_ffff;
        if target >= length {
            return bad("the cluster lies past the end of the file");
        }
        return metadata.refuse("L2", offset, value, target);
    }
    let target = value & OFFSET_MASK;
    if value & 0x3f00_0000_0000_01fe != 0 || (header.version < 3 && value & 1 == 1) {
        return bad("reserved bits are set");
    }
    if !target.is_multiple_of(1 << header.cluster_bits) {
        return bad("a cluster begins at a multiple of its size");
    }
    // The zero bit says the cluster reads as zeros whatever lies there. The last one may be cut short.
    if value & 1 == 0 && target >= length {
        return bad("the cluster lies past the end of the file");
    }
    // Unallocated, or zeros without a place of their own.
    if target == 0 { Ok(()) } else { metadata.refuse("L2", offset, value, target) }
}

fn shown(bytes: &[u8], offset: u64, size: u64) -> String {
    let part = usize::try_from(offset).ok().zip(usize::try_from(offset.saturating_add(size)).ok());
    let name = part.and_then(|(start, end)| bytes.get(start..end)).unwrap_or_default();
    one_line(&String::from_utf8_lossy(name), 80)
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
