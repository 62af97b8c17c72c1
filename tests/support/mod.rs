//! Helpers that all test binaries share.
#![allow(dead_code, reason = "each binary uses its own part")]

use std::path::PathBuf;

/// Finds a program on the search path; says so visibly where it is missing.
pub fn tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let sbin = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    let found = std::env::split_paths(&path).chain(sbin).map(|dir| dir.join(name)).find(|file| file.is_file());
    if found.is_none() {
        assert!(std::env::var_os("ARCA_REQUIRE_TOOLS").is_none(), "{name} is required");
        let test = std::thread::current().name().unwrap_or("test").to_owned();
        eprintln!("SKIPPED {test}: needs {name}");
    }
    found
}

/// Tells whether all programs are there.
pub fn tools(names: &[&str]) -> Option<()> {
    names.iter().try_for_each(|name| tool(name).map(|_| ()))
}
