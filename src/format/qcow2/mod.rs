//! qcow2: the gate every image from outside passes, the writers of our own images, and a reader behind the gate.
//!
//! Specification: QEMU `docs/interop/qcow2.rst`, cited by its section names. Bytes only; touches nothing.
//! Laying out and reading images is `qcow2-rs`; it trusts headers, so it never sees one that [`gate()`] did not
//! pass or that we did not write. Read next: [`header`], [`gate`](mod@gate), [`write`](mod@write), [`disk`](mod@disk), [`read`](mod@read).

pub(crate) mod disk;
pub(crate) mod error;
pub(crate) mod gate;
pub(crate) mod header;
pub(crate) mod read;
pub(crate) mod write;

pub(crate) use disk::{DiskError, from_disk};
pub(crate) use error::GateError;
pub(crate) use gate::{LARGEST_DISK, gate, gate_within};
pub(crate) use header::{Compression, Header, ImageInfo};
pub(crate) use read::Image;
pub(crate) use write::{blank, from_raw, grow, overlay};

/// "Header": the first four bytes.
pub(crate) const MAGIC: [u8; 4] = *b"QFI\xfb";
