//! What reading one input may cost. Touches nothing. Read next: `child.rs`.

use std::time::Duration;

use crate::format::packed::{XZ_MEMORY, ZSTD_WINDOW_LOG};

/// The longest that one input may take.
pub const TIME: Duration = Duration::from_secs(1);
/// The same for a giant in a build that is checked and not optimised: a build as shipped must read it in [`TIME`].
pub const TIME_OF_CHECKED_GIANTS: Duration = Duration::from_secs(15);
/// What reading one input may take above the memory that its process began with, in KiB.
pub const MEMORY: u64 = 64 << 10;
/// What a decoder takes beside the dictionary or window that it is allowed, in KiB.
const BESIDE: u64 = 16 << 10;

/// Returns what a reader may take, in KiB: 64 MiB, or what a decoder of xz and zstd may ask by its own stated bound.
pub fn memory(reader: &str) -> u64 {
    match reader {
        "xz" => XZ_MEMORY.0 / 1024 + BESIDE,
        "zstd" => (1 << (ZSTD_WINDOW_LOG - 10)) + BESIDE,
        _ => MEMORY,
    }
}

/// Returns whether a reader unpacks by a window whose size the file asks.
pub fn is_unpacker(reader: &str) -> bool {
    memory(reader) > MEMORY
}
