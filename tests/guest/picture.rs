//! The picture of a terminal in README.md is what the program prints today, and another recording gives the same bytes.
//! Starts QEMU in software emulation. Read next: docs/picture/record.

use std::path::Path;
use std::process::Command;

use crate::support::{output, tools, workdir};

#[test]
fn the_picture_is_recorded_with_the_same_bytes_each_time_and_shows_what_is_printed_today() {
    let Some(()) = tools(&["python3", "qemu-system-x86_64"]) else { return };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = workdir();
    let record = |name: &str| {
        let file = dir.path().join(name);
        let mut command = Command::new(root.join("docs/picture/record"));
        command.args(["--program", env!("CARGO_BIN_EXE_arca-build"), "--output"]).arg(&file);
        output(&mut command).success();
        std::fs::read_to_string(file).unwrap()
    };
    let first = record("first.svg");
    assert!(first == record("second.svg"), "two recordings differ");
    let kept = std::fs::read_to_string(root.join("docs/launch.svg")).unwrap();
    assert!(
        without_digests(&first) == without_digests(&kept),
        "docs/launch.svg is out of date: run docs/picture/record"
    );
}

/// A digest says only that some bytes are others than when the picture was recorded.
fn without_digests(text: &str) -> String {
    let is_digest = |word: &str| word.len() > 15 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    words
        .map(|word| if is_digest(word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric())) { "…" } else { word })
        .collect()
}
