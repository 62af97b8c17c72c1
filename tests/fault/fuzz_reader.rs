//! The process that reads the inputs of `gate_fuzz.rs`, as a program of its own: built with `--release` it reads them with the
//! very code that is shipped. Touches what `src/testing/child.rs` touches. Read next: that.
#![allow(clippy::expect_used, reason = "a part of the tests")]

use arca_build::testing::child;

fn main() {
    child::run(&child::Job::asked().expect("a job: `tests/fault/gate_fuzz.rs` starts this"));
}
