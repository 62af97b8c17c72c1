//! The qcow2 header as fields, judged by nobody yet. Touches nothing.
//!
//! Specification: QEMU `docs/interop/qcow2.rst`, "Header" and "Header extensions". Read next: `gate`.

use crate::base::ByteSize;
use crate::format::bytes::{be32, be64, put};

/// Byte offsets of the fields; "Header".
pub(crate) mod at {
    pub(crate) const BACKING_OFFSET: usize = 8;
    pub(crate) const BACKING_SIZE: usize = 16;
    pub(crate) const CLUSTER_BITS: usize = 20;
    pub(crate) const SIZE: usize = 24;
    pub(crate) const CRYPT: usize = 32;
    pub(crate) const L1_SIZE: usize = 36;
    pub(crate) const L1_OFFSET: usize = 40;
    pub(crate) const REFCOUNT_OFFSET: usize = 48;
    pub(crate) const REFCOUNT_CLUSTERS: usize = 56;
    pub(crate) const SNAPSHOTS: usize = 60;
    pub(crate) const INCOMPATIBLE: usize = 72;
    pub(crate) const AUTOCLEAR: usize = 88;
    pub(crate) const REFCOUNT_ORDER: usize = 96;
    pub(crate) const HEADER_LENGTH: usize = 100;
    pub(crate) const COMPRESSION: usize = 104;
}

/// The fixed part of a version 2 header.
pub(crate) const V2_LENGTH: u32 = 72;
/// The least a version 3 header has.
pub(crate) const V3_LENGTH: u32 = 104;

/// The header's fields as they stand in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Header {
    pub version: u32,
    pub backing_offset: u64,
    pub backing_size: u32,
    pub cluster_bits: u32,
    pub virtual_size: u64,
    pub crypt_method: u32,
    pub l1_size: u32,
    pub l1_offset: u64,
    pub refcount_offset: u64,
    pub refcount_clusters: u32,
    pub snapshots: u32,
    pub incompatible: u64,
    /// Bits a writer that does not know them must clear; harmless to a reader. Bit 0 means persistent bitmaps.
    pub autoclear: u64,
    pub refcount_order: u32,
    pub length: u32,
    pub compression: u8,
}

impl Header {
    /// Reads the fields; those behind the end of `head` are 0. A version 2 header gets that version's fixed values.
    pub(crate) fn read(head: &[u8]) -> Self {
        let version = be32(head, 4);
        let v3 = version >= 3;
        let length = if v3 { be32(head, at::HEADER_LENGTH) } else { V2_LENGTH };
        let longer = length > V3_LENGTH;
        Self {
            version,
            backing_offset: be64(head, at::BACKING_OFFSET),
            backing_size: be32(head, at::BACKING_SIZE),
            cluster_bits: be32(head, at::CLUSTER_BITS),
            virtual_size: be64(head, at::SIZE),
            crypt_method: be32(head, at::CRYPT),
            l1_size: be32(head, at::L1_SIZE),
            l1_offset: be64(head, at::L1_OFFSET),
            refcount_offset: be64(head, at::REFCOUNT_OFFSET),
            refcount_clusters: be32(head, at::REFCOUNT_CLUSTERS),
            snapshots: be32(head, at::SNAPSHOTS),
            incompatible: if v3 { be64(head, at::INCOMPATIBLE) } else { 0 },
            autoclear: if v3 { be64(head, at::AUTOCLEAR) } else { 0 },
            refcount_order: if v3 { be32(head, at::REFCOUNT_ORDER) } else { 4 },
            length,
            compression: if longer { head.get(at::COMPRESSION).copied().unwrap_or(0) } else { 0 },
        }
    }
}

impl Header {
    /// Writes the tables' places and the size into a plain header of version 3, with the compression type's field as QEMU
    /// writes it; no feature and no extension.
    pub(super) fn print(&self) -> Vec<u8> {
        let length = V3_LENGTH + 8;
        let mut bytes = vec![0; length as usize];
        put(&mut bytes, 0, &super::MAGIC);
        for (at, number) in [
            (4, 3),
            (at::CLUSTER_BITS, self.cluster_bits),
            (at::L1_SIZE, self.l1_size),
            (at::REFCOUNT_CLUSTERS, self.refcount_clusters),
            (at::REFCOUNT_ORDER, self.refcount_order),
            (at::HEADER_LENGTH, length),
        ] {
            put(&mut bytes, at, &number.to_be_bytes());
        }
        let places = [(at::L1_OFFSET, self.l1_offset), (at::REFCOUNT_OFFSET, self.refcount_offset)];
        for (at, number) in [(at::SIZE, self.virtual_size)].into_iter().chain(places) {
            put(&mut bytes, at, &number.to_be_bytes());
        }
        bytes
    }
}

/// How an image's compressed clusters were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Compression {
    Zlib,
    Zstd,
}

/// What is known of an image that passed the gate; only `gate` makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImageInfo {
    pub header: Header,
    /// Length of the image file.
    pub file_size: ByteSize,
    pub(super) passed: Passed,
}

/// Nobody but the gate can make one, so whoever holds an [`ImageInfo`] holds a checked image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Passed(pub(super) ());

impl ImageInfo {
    /// Returns the cluster size in bytes, 512 to 2 MiB.
    pub(crate) fn cluster_size(&self) -> u64 {
        1 << self.header.cluster_bits
    }

    /// Returns the size of the disk.
    pub(crate) fn virtual_size(&self) -> ByteSize {
        ByteSize(self.header.virtual_size)
    }

    /// Returns how compressed clusters were made.
    pub(crate) fn compression(&self) -> Compression {
        if self.header.compression == 1 { Compression::Zstd } else { Compression::Zlib }
    }
}

/// Returns how many bytes of the disk one L1 entry covers: a cluster of 8-byte L2 entries.
pub(crate) fn bytes_per_l1_entry(cluster_bits: u32) -> u64 {
    1 << (2 * cluster_bits - 3)
}
