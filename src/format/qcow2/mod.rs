//! qcow2: the gate every image from outside passes, the writers of our own images, and a reader behind the gate.
//!
//! Specification: QEMU `docs/interop/qcow2.rst`, cited by its section names. Bytes only; touches nothing.
//! Laying out and reading images is `qcow2-rs`; it trusts headers, so it never sees one that [`gate()`] did not
//! pass or that we did not write. Read next: [`header`], [`gate`](mod@gate), [`write`](mod@write), [`disk`](mod@disk), [`read`](mod@read).

pub mod disk;
pub mod error;
pub mod gate;
pub mod header;
pub mod read;
pub mod write;

pub use disk::{DiskError, from_disk};
pub use error::GateError;
pub use gate::{Limits, gate};
pub use header::{Compression, Header, ImageInfo};
pub use read::Image;
pub use write::{Patch, WriteError, blank, from_raw, grow, overlay};

/// "Header": the first four bytes.
pub const MAGIC: [u8; 4] = *b"QFI\xfb";
