//! Writes our own images: blank disks, overlays, grown copies, and a raw volume as qcow2. Touches nothing.
//!
//! All are version 3 with 64 KiB clusters; same arguments, same bytes. The layout is `qcow2-rs`'s; what it has no
//! setter for is spliced in. Specification: QEMU `docs/interop/qcow2.rst`, "Header", "Header extensions".

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use futures_executor::block_on;
use qcow2_rs::dev::{Qcow2Dev, Qcow2DevParams};
use qcow2_rs::error::{Qcow2Error, Qcow2Result};
use qcow2_rs::meta::Qcow2Header;
use qcow2_rs::ops::Qcow2IoOps;

use super::header::{ImageInfo, at, bytes_per_l1_entry};
use crate::base::{ByteSize, Code, Diagnostic};
use crate::format::bytes::put;

const CLUSTER_BITS: usize = 16;
const CLUSTER: usize = 1 << CLUSTER_BITS;
/// Refcounts of 2⁴ bits, as every writer makes them.
const REFCOUNT_ORDER: u8 = 4;
const SECTOR: usize = 512;
const SECTOR_BITS: u8 = 9;
/// The largest disk that a recipe can ask for.
pub(crate) const MAX_VIRTUAL_SIZE: ByteSize = ByteSize::gib(64 * 1024);
/// `QCOW_MAX_L1_SIZE`, in entries.
const MAX_L1_ENTRIES: u64 = (32 << 20) / 8;

/// Why an image cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error("a disk is a whole number of 512-byte sectors, {0} bytes are not")]
    Sectors(u64),
    #[error("a disk has at least one sector and at most {MAX_VIRTUAL_SIZE}, {0} is outside")]
    Size(ByteSize),
    /// What lay behind the new end would be lost.
    #[error("a disk of {old} cannot become {new}: it can only grow")]
    Shrink { old: ByteSize, new: ByteSize },
    /// The table would have to move, which is a rewrite of the image.
    #[error("a copy of this image can grow to {most} at most, not to {new}: its L1 table has no room for more")]
    NoRoom { new: ByteSize, most: ByteSize },
    /// QEMU would read the name as a protocol, or not at all.
    #[error("`{name}` cannot name a backing file: {why}")]
    BackingName { name: String, why: &'static str },
    #[error("qcow2-rs: {0}")]
    Library(String),
}

impl From<WriteError> for Diagnostic {
    fn from(error: WriteError) -> Self {
        let code = if matches!(error, WriteError::Library(_)) { Code::Bug } else { Code::ImageLimit };
        Self::new(code, format!("cannot write the image: {error}"))
    }
}

impl From<Qcow2Error> for WriteError {
    fn from(error: Qcow2Error) -> Self {
        Self::Library(crate::base::text::one_line(&error.into_inner().to_string(), 120))
    }
}

/// Where bytes are laid over a copy of an image, perhaps behind its end, and the bytes.
pub(crate) type Patch = (u64, Vec<u8>);

/// Writes a blank disk: metadata only, 262,144 bytes up to 4 TiB and a few clusters more above.
pub(crate) fn blank(virtual_size: ByteSize) -> Result<Vec<u8>, WriteError> {
    whole_sectors(virtual_size)?;
    if virtual_size.0 == 0 || virtual_size > MAX_VIRTUAL_SIZE {
        return Err(WriteError::Size(virtual_size));
    }
    let (table, block, l1) = Qcow2Header::calculate_meta_params(virtual_size.0, CLUSTER_BITS, REFCOUNT_ORDER, SECTOR);
    // Whole clusters: with less the library prints to the terminal above 32 GiB.
    let clusters = 1 + table.1 as usize + block.1 as usize + l1.1 as usize;
    let mut image = vec![0; clusters << CLUSTER_BITS];
    Qcow2Header::format_qcow2(&mut image, virtual_size.0, CLUSTER_BITS, REFCOUNT_ORDER, SECTOR)?;
    Ok(image)
}

/// Where the fixed header ends and the extensions begin.
const EXTENSIONS: usize = 112;
const BACKING_NAME: usize = 0x88;

/// Writes an overlay that reads through to the qcow2 image `backing_name`, relative to the overlay's own place.
///
/// `virtual_size` is at least the backing image's; the caller knows it. The name is 1 to 1023 bytes, without `:`.
pub(crate) fn overlay(backing_name: &str, virtual_size: ByteSize) -> Result<Vec<u8>, WriteError> {
    backing(backing_name)?;
    let mut image = blank(virtual_size)?;
    put(&mut image, EXTENSIONS, &0xe279_2aca_u32.to_be_bytes());
    put(&mut image, EXTENSIONS + 4, &5_u32.to_be_bytes());
    // Three bytes of padding and the end of the extensions are zeros already.
    put(&mut image, EXTENSIONS + 8, b"qcow2");
    put(&mut image, BACKING_NAME, backing_name.as_bytes());
    put(&mut image, at::BACKING_OFFSET, &(BACKING_NAME as u64).to_be_bytes());
    put(&mut image, at::BACKING_SIZE, &(backing_name.len() as u32).to_be_bytes());
    Ok(image)
}

fn backing(name: &str) -> Result<(), WriteError> {
    let why = match name {
        "" => "it is empty",
        _ if name.len() > 1023 => "a name has at most 1023 bytes",
        _ if name.contains(':') => "what stands before `:` is read as a protocol",
        _ if name.chars().any(char::is_control) => "it holds control characters",
        _ => return Ok(()),
    };
    Err(WriteError::BackingName { name: crate::base::text::one_line(name, 80), why })
}

/// Plans the growth of a copy of a gated image: what to lay over the copy, in order of offset.
///
/// Sets the size and the L1 entry count, clears the L1 table's slack and, as the specification demands of a writer
/// that does not know them, the autoclear bits. The guest's partitions are not touched.
pub(crate) fn grow(info: &ImageInfo, new_size: ByteSize) -> Result<Vec<Patch>, WriteError> {
    whole_sectors(new_size)?;
    if new_size < info.virtual_size() {
        return Err(WriteError::Shrink { old: info.virtual_size(), new: new_size });
    }
    let per_entry = bytes_per_l1_entry(info.header.cluster_bits);
    let old_entries = u64::from(info.header.l1_size);
    let room = (old_entries * 8).next_multiple_of(info.cluster_size()) / 8;
    let entries = new_size.0.div_ceil(per_entry).max(old_entries);
    if entries > room.min(MAX_L1_ENTRIES) || new_size > MAX_VIRTUAL_SIZE {
        let most = room.min(MAX_L1_ENTRIES).saturating_mul(per_entry).min(MAX_VIRTUAL_SIZE.0);
        return Err(WriteError::NoRoom { new: new_size, most: ByteSize(most) });
    }
    let mut patches = vec![
        (at::SIZE as u64, new_size.0.to_be_bytes().to_vec()),
        (at::L1_SIZE as u64, (entries as u32).to_be_bytes().to_vec()),
    ];
    if info.header.autoclear != 0 {
        patches.push((at::AUTOCLEAR as u64, vec![0; 8]));
    }
    if entries > old_entries {
        let slack = vec![0; ((entries - old_entries) * 8) as usize];
        patches.push((info.header.l1_offset + old_entries * 8, slack));
    }
    Ok(patches)
}

fn whole_sectors(size: ByteSize) -> Result<(), WriteError> {
    if size.is_whole_sectors() { Ok(()) } else { Err(WriteError::Sectors(size.0)) }
}

/// Writes a raw disk as qcow2; clusters of zeros stay unallocated.
pub(crate) fn from_raw(raw: &[u8]) -> Result<Vec<u8>, WriteError> {
    let image = Rc::new(RefCell::new(blank(ByteSize(raw.len() as u64))?));
    let head = image.borrow().get(..CLUSTER).unwrap_or_default().to_vec();
    let header = Qcow2Header::from_buf(&head)?;
    let params = Qcow2DevParams::new(SECTOR_BITS, None, None, false, false);
    let disk = Qcow2Dev::new(Path::new("memory"), header, &params, Memory(Rc::clone(&image)))?;
    block_on(fill(&disk, raw))?;
    drop(disk);
    let written = image.take();
    Ok(written)
}

/// `qcow2_prep_io` first, or a write lands on the header; `flush_meta` last, or the tables are lost.
async fn fill(disk: &Qcow2Dev<Memory>, raw: &[u8]) -> Qcow2Result<()> {
    disk.qcow2_prep_io().await?;
    for (index, cluster) in raw.chunks(CLUSTER).enumerate() {
        if cluster.iter().any(|byte| *byte != 0) {
            disk.write_at(cluster, (index << CLUSTER_BITS) as u64).await?;
        }
    }
    disk.flush_meta().await
}

/// An image file in memory; it grows as it is written.
struct Memory(Rc<RefCell<Vec<u8>>>);

impl Memory {
    fn overwrite(&self, offset: u64, bytes: impl ExactSizeIterator<Item = u8>) -> Qcow2Result<()> {
        let start = usize::try_from(offset)?;
        let end = start.checked_add(bytes.len()).ok_or("the image outgrows the memory")?;
        let mut image = self.0.borrow_mut();
        if image.len() < end {
            image.resize(end, 0);
        }
        image.iter_mut().skip(start).zip(bytes).for_each(|(place, byte)| *place = byte);
        Ok(())
    }
}

impl Qcow2IoOps for Memory {
    async fn read_to(&self, offset: u64, buf: &mut [u8]) -> Qcow2Result<usize> {
        let start = usize::try_from(offset)?;
        let image = self.0.borrow();
        let there = image.get(start.min(image.len())..).unwrap_or_default();
        // Behind the end a file reads as zeros, so the read is always whole.
        buf.fill(0);
        buf.iter_mut().zip(there).for_each(|(place, byte)| *place = *byte);
        Ok(buf.len())
    }

    async fn write_from(&self, offset: u64, buf: &[u8]) -> Qcow2Result<()> {
        self.overwrite(offset, buf.iter().copied())
    }

    async fn fallocate(&self, offset: u64, len: usize, _flags: u32) -> Qcow2Result<()> {
        self.overwrite(offset, std::iter::repeat_n(0, len))
    }

    async fn fsync(&self, _offset: u64, _len: usize, _flags: u32) -> Qcow2Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
