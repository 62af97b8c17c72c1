//! libFuzzer against the reader `import_config`; see src/testing/readers.rs.
#![no_main]
use arca_build::testing::readers;
libfuzzer_sys::fuzz_target!(|data: &[u8]| readers::run("import_config", data));
