//! Writes a raw disk of any size as a qcow2, in one pass and in constant memory. Touches nothing.
//!
//! `qcow2-rs` would hold the image in memory ([`super::write::from_raw`] does, for the config disk) and lays it out in
//! the order of its caches. Here the layout follows from the disk alone: the header; then, for every stretch of 512 MiB
//! that holds anything, its clusters that hold anything in their order, and the stretch's L2 table; then the L1 table, the
//! refcount table and the refcount blocks. How large the disk is shows at its end, so the header is written last.
//! Specification: QEMU `docs/interop/qcow2.rst`, "Header", "Host cluster management", "Cluster mapping".

use std::io::{self, Read, Seek, SeekFrom, Write};

use super::header::Header;
use crate::base::ByteSize;
use crate::format::raw::{self, RawError};
use crate::stream::read_full;

const CLUSTER_BITS: u32 = 16;
const CLUSTER: usize = 1 << CLUSTER_BITS;
/// How much is read at once; a whole number of clusters, and more than [`raw::HEAD`].
const PIECE: usize = 16 * CLUSTER;
/// Entries of 8 bytes in one L2 table: it maps 512 MiB.
const L2_ENTRIES: usize = CLUSTER / 8;
/// Refcounts of 2 bytes in one block.
const BLOCK_ENTRIES: u64 = (CLUSTER / 2) as u64;
/// "Cluster mapping", bit 63: the cluster's refcount is exactly one.
const COPIED: u64 = 1 << 63;
static ZEROS: [u8; CLUSTER] = [0; CLUSTER];

/// Why a disk was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiskError {
    /// The disk could not be read.
    #[error("cannot read the disk")]
    Read(#[source] io::Error),
    /// The image could not be written.
    #[error("cannot write the image")]
    Write(#[source] io::Error),
    #[error(transparent)]
    Raw(#[from] RawError),
}

/// Writes a disk read from its start as an image, and returns the disk's size.
///
/// `image` stands at its start and is empty. Clusters of zeros stay unallocated; the image has no holes. The caller
/// bounds the disk: the tables serve up to 4 TiB.
///
/// # Errors
/// What [`raw`] refuses is refused here too, the beginning before anything is written.
pub(crate) fn from_disk<R: Read, W: Write + Seek>(disk: &mut R, image: &mut W) -> Result<ByteSize, DiskError> {
    let mut writer = Writer::begin(image)?;
    let mut piece = vec![0; PIECE];
    let mut foot = Vec::new();
    let mut size = 0_u64;
    loop {
        let count = read_full(disk, &mut piece).map_err(DiskError::Read)?;
        let there = piece.get(..count).unwrap_or_default();
        if size == 0 {
            raw::check_head(there.get(..raw::HEAD as usize).unwrap_or(there))?;
        }
        if count > 0 {
            foot = there.get(count.saturating_sub(raw::FOOT as usize)..).unwrap_or_default().to_vec();
        }
        size += count as u64;
        for cluster in there.chunks(CLUSTER) {
            writer.add(cluster)?;
        }
        if count < PIECE {
            break;
        }
    }
    raw::check_foot(&foot, size)?;
    writer.finish(size)?;
    Ok(ByteSize(size))
}

struct Writer<'w, W> {
    image: &'w mut W,
    /// Where the next cluster of the image goes, in clusters.
    next: u64,
    l1: Vec<u64>,
    /// The stretch that is being written, as far as it came.
    l2: Vec<u64>,
}

impl<'w, W: Write + Seek> Writer<'w, W> {
    fn begin(image: &'w mut W) -> Result<Self, DiskError> {
        let mut writer = Self { image, next: 0, l1: vec![], l2: Vec::with_capacity(L2_ENTRIES) };
        writer.append(&ZEROS)?;
        Ok(writer)
    }

    /// Appends a cluster of the image, the rest of which is zeros, and returns where it stands.
    fn append(&mut self, bytes: &[u8]) -> Result<u64, DiskError> {
        let place = self.next << CLUSTER_BITS;
        let rest = ZEROS.get(bytes.len()..).unwrap_or_default();
        self.image.write_all(bytes).and_then(|()| self.image.write_all(rest)).map_err(DiskError::Write)?;
        self.next += 1;
        Ok(place)
    }

    /// Takes the disk's next cluster; the last one may be short.
    fn add(&mut self, cluster: &[u8]) -> Result<(), DiskError> {
        let is_zero = Some(cluster) == ZEROS.get(..cluster.len());
        let entry = if is_zero { 0 } else { self.append(cluster)? | COPIED };
        self.l2.push(entry);
        if self.l2.len() == L2_ENTRIES { self.end_stretch() } else { Ok(()) }
    }

    fn end_stretch(&mut self) -> Result<(), DiskError> {
        let is_empty = self.l2.iter().all(|entry| *entry == 0);
        let table = std::mem::take(&mut self.l2);
        let entry = if is_empty { 0 } else { self.append_table(&table)? | COPIED };
        self.l1.push(entry);
        self.l2 = table;
        self.l2.clear();
        Ok(())
    }

    /// Appends a table of at least one cluster, and returns where it stands.
    fn append_table(&mut self, entries: &[u64]) -> Result<u64, DiskError> {
        let place = self.next << CLUSTER_BITS;
        for part in entries.chunks(L2_ENTRIES) {
            let bytes: Vec<u8> = part.iter().flat_map(|entry| entry.to_be_bytes()).collect();
            self.append(&bytes)?;
        }
        Ok(place)
    }

    fn finish(mut self, size: u64) -> Result<(), DiskError> {
        if !self.l2.is_empty() {
            self.end_stretch()?;
        }
        let l1 = std::mem::take(&mut self.l1);
        let l1_place = self.append_table(&l1)?;
        let (tables, blocks) = refcounts(self.next);
        let first = self.next + tables;
        let mut table: Vec<u64> = (first..first + blocks).map(|block| block << CLUSTER_BITS).collect();
        table.resize(tables as usize * L2_ENTRIES, 0);
        let refcount_place = self.append_table(&table)?;
        self.append_blocks(first + blocks, blocks)?;
        let header = Header {
            cluster_bits: CLUSTER_BITS,
            virtual_size: size,
            l1_size: l1.len() as u32,
            l1_offset: l1_place,
            refcount_offset: refcount_place,
            refcount_clusters: tables as u32,
            refcount_order: 4,
            ..Header::default()
        };
        self.image.seek(SeekFrom::Start(0)).map_err(DiskError::Write)?;
        self.image.write_all(&header.print()).and_then(|()| self.image.flush()).map_err(DiskError::Write)
    }

    /// Appends refcount blocks in which the first `used` clusters of the image have one user each.
    fn append_blocks(&mut self, used: u64, blocks: u64) -> Result<(), DiskError> {
        for block in 0..blocks {
            let ones = used.saturating_sub(block * BLOCK_ENTRIES).min(BLOCK_ENTRIES) as usize;
            self.append(&[0, 1].repeat(ones))?;
        }
        Ok(())
    }
}

/// Returns how many clusters of refcount table and of refcount blocks count `others` clusters and themselves.
fn refcounts(others: u64) -> (u64, u64) {
    let (mut tables, mut blocks) = (1, 1);
    loop {
        let needed = (others + tables + blocks).div_ceil(BLOCK_ENTRIES);
        let enough = needed.div_ceil(L2_ENTRIES as u64);
        if needed <= blocks && enough <= tables {
            return (tables, blocks);
        }
        (tables, blocks) = (enough.max(tables), needed.max(blocks));
    }
}

#[cfg(test)]
#[path = "disk_tests.rs"]
mod tests;
