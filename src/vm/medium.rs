//! The installer's kernel and initrd, taken out of a bundle's ISO by our own reader. Touches instance directories.
//!
//! Why they are needed: see [`crate::emit`], "An ISO installs unattended". Read next: [`crate::format::iso`].

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::disks::BUNDLE;
use crate::base::{Arch, Diagnostic};
use crate::emit;
use crate::format::iso;
use crate::plan::file;

/// Their names in the instance's directory.
pub(crate) const KERNEL: &str = "linux";
/// See [`KERNEL`].
pub(crate) const INITRD: &str = "initrd";

/// Takes both out of the ISO of the bundle that `directory` links.
///
/// # Errors
///
/// `E_IMAGE_FORMAT` where the ISO has no such file, or ends within it.
pub(crate) fn extract(directory: &Path, arch: Arch) -> Result<(), Diagnostic> {
    let path = directory.join(BUNDLE).join(file::BASE_ISO);
    let told =
        |error: io::Error| Diagnostic::io(format!("cannot take the installer out of `{}`", path.display()), &error);
    let mut medium = File::open(&path).map_err(told)?;
    for name in [KERNEL, INITRD] {
        let inside = format!("{}/{name}", emit::loader_directory(arch));
        let extent = iso::find(&mut medium, &inside).map_err(|error| {
            Diagnostic::from(error).note("an ISO that is no SelfInstall image cannot be installed unattended")
        })?;
        medium.seek(SeekFrom::Start(extent.offset)).map_err(told)?;
        // What an earlier run took is written anew; the medium is the same.
        let mut target = File::create(directory.join(name)).map_err(told)?;
        let taken = io::copy(&mut (&medium).take(extent.size), &mut target).map_err(told)?;
        if taken != extent.size {
            return Err(iso::IsoError::NoFile(inside).into());
        }
    }
    Ok(())
}
