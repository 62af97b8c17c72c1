//! Does the field agree? Real tools judge what we write.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests run programs, touch files and fail loudly"
)]

#[path = "../support/mod.rs"]
mod support;

mod formats;
