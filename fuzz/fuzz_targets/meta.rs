//! libFuzzer against the reader `meta`; see src/testing/readers.rs.
#![no_main]
use arca_build::testing::readers;
libfuzzer_sys::fuzz_target!(|data: &[u8]| readers::run("meta", data));
