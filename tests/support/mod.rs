//! What every test binary may need: finding real tools.
#![allow(dead_code, reason = "not every test binary uses every helper")]
#![allow(clippy::disallowed_methods, clippy::print_stderr, reason = "tests look at the machine they run on")]

use std::path::PathBuf;

/// Finds a program on `PATH`; tells that the test is skipped where there is none, or fails under `ARCA_REQUIRE_TOOLS=1`.
pub fn tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file());
    if found.is_none() {
        let test = std::thread::current().name().unwrap_or("?").to_owned();
        assert!(std::env::var_os("ARCA_REQUIRE_TOOLS").is_none_or(|value| value != "1"), "{test} needs {name}");
        eprintln!("SKIPPED {test}: needs {name}");
    }
    found
}

/// Tells whether every tool is there.
pub fn tools(names: &[&str]) -> Option<()> {
    names.iter().try_for_each(|name| tool(name).map(drop))
}
