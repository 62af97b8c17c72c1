//! The installer's kernel and initrd, taken out of a bundle's ISO. Runs xorriso.
//!
//! Why they are needed: see [`crate::emit`], "An ISO installs unattended".

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::Program;
use super::disks::BUNDLE;
use crate::base::{Arch, Code, Problem};
use crate::emit;
use crate::plan::file;

/// Their names in the instance's directory.
pub const KERNEL: &str = "linux";
/// See [`KERNEL`].
pub const INITRD: &str = "initrd";

/// Takes both out of the ISO of the bundle that `directory` links.
pub fn extract(search: Option<&OsStr>, directory: &Path, arch: Arch) -> Result<(), Problem> {
    let xorriso = Program::find("xorriso", search, "install xorriso; it takes the installer's kernel out of the ISO")?;
    let iso = directory.join(BUNDLE).join(file::BASE_ISO);
    let mut device = OsString::from("stdio:");
    device.push(&iso);
    for name in [KERNEL, INITRD] {
        let target = directory.join(name);
        // What an earlier run took; the medium is the same.
        let _ = std::fs::remove_file(&target);
        let from = format!("/{}/{name}", emit::loader_directory(arch));
        let words = ["-osirrox".into(), "on".into(), "-indev".into(), device.clone(), "-extract".into(), from.into()];
        let mut words: Vec<OsString> = words.to_vec();
        words.push(target.clone().into_os_string());
        xorriso.run(&words, &[])?;
        if !std::fs::metadata(&target).is_ok_and(|found| found.len() > 0) {
            return Err(Problem::new(Code::Tool, format!("the ISO holds no `{name}`"))
                .cause("it is no SelfInstall image that can install unattended"));
        }
    }
    Ok(())
}
