//! libFuzzer against the reader `log`; see tests/support/readers.rs.
#![no_main]
#[path = "../../tests/support/readers.rs"]
mod readers;
libfuzzer_sys::fuzz_target!(|data: &[u8]| readers::run("log", data));
