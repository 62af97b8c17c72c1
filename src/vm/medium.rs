//! The installer's kernel and initrd, taken out of a bundle's ISO by our own reader. Touches instance directories.
//!
//! Why they are needed: see [`crate::emit`], "An ISO installs unattended". Read next: [`crate::format::iso`].

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Take};
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
    for name in [KERNEL, INITRD] {
        let inside = format!("{}/{name}", emit::loader_directory(arch));
        let mut medium = open(&path, &inside)?;
        let size = medium.limit();
        // What an earlier run took is written anew; the medium is the same.
        let mut target = File::create(directory.join(name)).map_err(told)?;
        if io::copy(&mut medium, &mut target).map_err(told)? != size {
            return Err(iso::IsoError::NoFile(inside).into());
        }
    }
    Ok(())
}

/// Opens a file of an ISO.
///
/// # Errors
///
/// `E_IMAGE_FORMAT` where the ISO has no such file.
pub(crate) fn open(path: &Path, inside: &str) -> Result<Take<File>, Diagnostic> {
    let told = |error: io::Error| Diagnostic::unreadable(path, &error);
    let mut medium = File::open(path).map_err(told)?;
    let extent = iso::find(&mut medium, inside).map_err(|error| {
        Diagnostic::from(error).note("an ISO that is not a SelfInstall image cannot be installed unattended")
    })?;
    medium.seek(SeekFrom::Start(extent.offset)).map_err(told)?;
    Ok(medium.take(extent.size))
}
