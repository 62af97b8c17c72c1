//! FAT12/16: the writer of the config disk and a bounded reader. Bytes only; touches nothing.
//!
//! Specification: Microsoft, "FAT: General Overview of On-Disk Format" 1.03 (fatgen103). `fatfs` writes; the reader is
//! our own, because the crate trusts what it reads. Read next: [`write`](mod@write), [`read`](mod@read), [`name`].

pub(crate) mod name;
pub(crate) mod read;
mod repair;
pub(crate) mod time;
pub(crate) mod write;

pub(crate) use read::{ReadError, Tree};
pub(crate) use write::{Volume, write};

/// Bytes of a directory entry; "FAT Directory Structure".
pub(crate) const ENTRY: usize = 32;
/// Attribute of the entry that carries the volume's label.
pub(crate) const VOLUME_ID: u8 = 0x08;
/// Attribute of a directory.
pub(crate) const DIRECTORY: u8 = 0x10;
/// Attributes of a part of a long name.
pub(crate) const LONG_NAME: u8 = 0x0f;
/// First byte of a free entry with used ones behind it.
pub(crate) const FREE: u8 = 0xe5;
/// How deep directories may lie: ours are two deep, a hostile volume's may be a loop.
pub(crate) const MAX_DEPTH: usize = 8;
