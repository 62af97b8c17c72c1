//! The picture of a terminal in README.md is what the program prints today, byte for byte: so another recording gives the same
//! bytes too. Boots the stand-in for MicroOS in software emulation. Read next: docs/picture/record.

use std::path::Path;
use std::process::Command;

use crate::tests::guest::bootable;
use crate::tests::support::{output, tools, workdir};

#[test]
#[ignore = "full: boots guests for a minute or more"]
fn the_picture_shows_what_is_printed_today() {
    let (Some(()), Some(image)) = (tools(&["python3", "qemu-system-x86_64"]), bootable::prepare()) else { return };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = workdir();
    let file = dir.path().join("launch.svg");
    let mut command = Command::new(root.join("docs/picture/record"));
    command.arg(image).args(["--program", crate::tests::support::program(), "--output"]).arg(&file);
    output(&mut command).success();
    let (now, kept) = (std::fs::read(file).unwrap(), root.join("docs/launch.svg"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&kept, &now).unwrap();
    }
    let message = "docs/launch.svg is out of date: UPDATE_DOCS=1 cargo test tests::guest::picture";
    assert!(now == std::fs::read(kept).unwrap(), "{message}\n{}", String::from_utf8_lossy(&now));
}
