//! libFuzzer against the reader `signature`; see tests/support/readers.rs.
#![no_main]
use arca_build::testing::readers;
libfuzzer_sys::fuzz_target!(|data: &[u8]| readers::run("signature", data));
