//! libFuzzer against the reader `realisation`; see tests/support/readers.rs.
#![no_main]
use arca_build::testing::readers;
libfuzzer_sys::fuzz_target!(|data: &[u8]| readers::run("realisation", data));
