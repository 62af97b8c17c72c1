//! What programs outside of this package read of the library: the readers that the fuzz targets (`fuzz/`) and the fuzz gate's own
//! process (`tests/fault/fuzz_reader.rs`) feed. Not a part of the library's face. Touches a temporary directory.
//! Read next: `readers.rs`.
#![allow(
    dead_code,
    clippy::new_without_default,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a reader that is wrong ends loudly"
)]

pub mod child;
mod limits;
pub mod monsters;
mod mutate;
pub mod readers;
pub mod records;
pub mod seeds;
