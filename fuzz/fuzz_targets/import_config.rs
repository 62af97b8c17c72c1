//! libFuzzer against the reader `import_config`; see tests/support/readers.rs.
#![no_main]
use arca_build::testing::readers;
libfuzzer_sys::fuzz_target!(|data: &[u8]| readers::run("import_config", data));
