//! The stand-in for MicroOS as an image that boots by itself, as the published ones do, for what takes nothing but a recipe.
//! Made once beside the stand-in. Touches: `target/tmp`, the network through apt (once), processes.
//! Read next: `microos.rs`, `microos/bootable`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tests::guest::microos::MicroOs;
use crate::tests::support::guest::packages::Kit;
use crate::tests::support::{output, skip, tools};

const SCRIPT: &str = include_str!("microos/bootable");
const SYSLINUX: [&str; 2] = ["syslinux", "syslinux-common"];

/// Returns the image; `None`, told as a skipped test, as [`MicroOs::prepare`] does.
pub fn prepare() -> Option<PathBuf> {
    let guest = MicroOs::prepare()?;
    tools(&["mcopy", "mkfs.vfat", "qemu-img", "sfdisk"])?;
    let revision = format!("1 {SCRIPT} {}", guest.dir().display());
    let kit = Kit { home: "bootable", kernel: None, packages: &SYSLINUX, revision };
    let made = kit.prepare(|tree, _, ready| {
        for name in ["vmlinuz", "initrd", "system.qcow2"] {
            std::fs::hard_link(guest.dir().join(name), ready.join(name)).expect("link");
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guest/microos/bootable");
        output(Command::new(script).arg(ready).arg(tree)).success();
    });
    match made {
        Ok(dir) => Some(dir.join("bootable.qcow2")),
        Err(reason) => {
            skip(&format!("syslinux ({reason})"));
            None
        }
    }
}
