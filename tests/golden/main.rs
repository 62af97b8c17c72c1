//! Did bytes or text change? Pinned texts and digests; see tests/README.md.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests touch the world, and end loudly"
)]

#[path = "../support/machines.rs"]
mod machines;
#[path = "../support/mod.rs"]
mod support;

mod bundles;
mod emit;
mod import_config;
