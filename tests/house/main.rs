//! Is the house still itself? See tests/README.md.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests touch the world, and end loudly"
)]

#[path = "../support/mod.rs"]
mod support;

mod arrows;
mod ci;
mod dependencies;
mod documents;
mod harness;
mod picture;
mod scripts;
mod security;
