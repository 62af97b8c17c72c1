//! Stand-in until the shared helpers are merged: finds real tools. Touches the environment only.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::disallowed_methods, reason = "tests touch the world")]

use std::path::PathBuf;

/// Finds a program; `None` after telling that the test is skipped.
pub fn tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|path| path.is_file());
    if found.is_none() {
        skip(name);
    }
    found
}

/// Tells whether all are there.
pub fn tools(names: &[&str]) -> Option<()> {
    names.iter().map(|name| tool(name)).collect::<Vec<_>>().iter().all(Option::is_some).then_some(())
}

/// Says that the running test is skipped; panics when `ARCA_REQUIRE_TOOLS=1`.
pub fn skip(needs: &str) {
    let line = format!("SKIPPED {}: needs {needs}\n", std::thread::current().name().unwrap_or("?"));
    assert!(std::env::var_os("ARCA_REQUIRE_TOOLS").is_none_or(|value| value != "1"), "{line}");
    let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
}
