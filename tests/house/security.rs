//! `SECURITY.md` against the tests: every test it names exists, and every fault that tests name has a row.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(directory: &Path, text: &mut String) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// The names of all tests, in the sources and the tests; one that is ignored counts only where a full run has it.
fn tests() -> BTreeSet<String> {
    let mut text = String::new();
    sources(&root().join("src"), &mut text);
    sources(&root().join("tests"), &mut text);
    text.split("#[test]").skip(1).filter_map(name).collect()
}

/// The name of the test whose `#[test]` this text follows.
fn name(text: &str) -> Option<String> {
    let (attributes, rest) = text.split_once("fn ")?;
    let is_run = attributes.split("#[ignore").skip(1).all(|reason| reason.starts_with(" = \"full: "));
    let is_a_function = attributes.lines().all(|line| line.trim().is_empty() || line.trim().starts_with(['#', '/']));
    let name = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (is_run && is_a_function).then_some(name)
}

/// `net_07_…` → `NET-7`; none for a name that guards no row.
fn row(name: &str) -> Option<String> {
    let (family, rest) = name.split_once('_')?;
    let known = ["img", "net", "sig", "cas", "rec", "out", "sec", "gc", "xfer"].contains(&family);
    let number: u32 = rest.split('_').next()?.parse().ok().filter(|_| known)?;
    Some(format!("{}-{number}", family.to_uppercase()))
}

#[test]
fn every_test_that_security_names_exists_and_guards_its_row() {
    let tests = tests();
    let text = std::fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| id"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() > 50);
    for cells in rows {
        let (id, test) = (cells[0], cells[cells.len() - 1].trim_matches('`'));
        assert!(tests.contains(test), "SECURITY.md: there is no test `{test}`");
        let number = id.split('-').nth(1).unwrap();
        let family = id.split('-').next().unwrap().to_lowercase();
        let named = |n: &str| test.contains(&format!("{family}_{n}_"));
        let range = test.contains("_to_") && test.starts_with(&family);
        assert!(named(number) || named(&format!("0{number}")) || range, "SECURITY.md: `{test}` does not guard {id}");
    }
}

#[test]
fn every_row_that_a_test_guards_stands_in_security() {
    let text = std::fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let missing: BTreeSet<_> =
        tests().iter().filter_map(|name| row(name)).filter(|id| !text.contains(&format!("| {id} |"))).collect();
    assert!(missing.is_empty(), "SECURITY.md has no row for {missing:?}");
}

#[test]
fn a_row_is_read_from_a_name() {
    assert_eq!(row("net_07_a_drip").as_deref(), Some("NET-7"));
    assert_eq!(row("rec_11_x").as_deref(), Some("REC-11"));
    assert_eq!(row("out_of_order"), None);
    assert_eq!(row("a_plain_sentence"), None);
}

#[test]
fn a_test_is_known_from_a_function_that_nothing_runs() {
    let known = |text: &str| name(text).is_some();
    assert_eq!(name("\n    fn img_1_a() {").as_deref(), Some("img_1_a"));
    assert_eq!(name("\n#[ignore = \"full: long\"]\nfn img_1_b() {").as_deref(), Some("img_1_b"));
    assert!(!known("\n#[ignore = \"broken\"]\nfn img_1_c() {"));
    assert!(!known("\n\";\nfn helper() {") && !known(""));
}
