//! The process that reads the inputs of `gate_fuzz.rs`, as a program of its own: built with `--release` it reads them with the
//! very code that is shipped. Touches what `child.rs` touches. Read next: `child.rs`.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    reason = "a part of the tests"
)]

#[path = "../../support/readers.rs"]
mod readers;

mod child;
mod limits;
mod monsters;
mod mutate;
mod seeds;

fn main() {
    child::run(&child::Job::asked().expect("a job: `tests/fault/gate_fuzz.rs` starts this"));
}
