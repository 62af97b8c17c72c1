//! The disks of an instance: overlays over a bundle's, blank ones, and copies of them for snapshots.
//!
//! No image of a bundle is written. A bundle may be a stranger's: each of its images must name the backing file that ours
//! would, or none, as QEMU opens whatever a header names. Touches the directories that it is given.

use std::fs::{DirBuilder, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::ioctl_ficlone;

use super::copy::{self, open};
use crate::base::{ByteSize, Code, Diagnostic, DiskSerial};
use crate::emit;
use crate::format::qcow2::{self, Header, MAGIC};
use crate::fs;
use crate::fs::copy::fill;
use crate::fs::tree::absent_is_empty;
use crate::fs::whole::create;
use crate::plan::{DataDisk, Machine, SYSTEM_SERIAL, file};

/// Where an instance's own link leads to the bundle.
pub(crate) const BUNDLE: &str = "bundle";
/// The directory of the disks that the guest writes.
pub(crate) const DISKS: &str = "disks";
/// The variables of UEFI, among the disks.
pub(crate) const VARIABLES: &str = "vars.fd";
/// Bit 3 of the incompatible features: another compression, which QEMU reads (qcow2.rst, "Header").
const COMPRESSION: u64 = 1 << 3;

/// Makes `directory/disks` with an overlay of every disk that the guest writes; `directory/bundle` must lead to the bundle.
pub(crate) fn furnish(directory: &Path, machine: &Machine, variables: Option<&Path>) -> Result<(), Diagnostic> {
    let disks = directory.join(DISKS);
    DirBuilder::new().mode(0o700).create(&disks).map_err(|error| Diagnostic::unwritable(&disks, &error))?;
    for (serial, name) in emit::written(machine) {
        let backing = if serial == SYSTEM_SERIAL { machine.backing_file() } else { None };
        let size = judge(&directory.join(BUNDLE).join(&name), backing)?;
        // Relative to the overlay's own place, so that no character of any path is in the header.
        let image = qcow2::overlay(&format!("../{BUNDLE}/{name}"), size)?;
        copy::write(&disks.join(&name), &image, 0o600)?;
    }
    for name in machine.backing_file().into_iter().chain(machine.config_disk.map(|_| file::CONFIG_QCOW2)) {
        judge(&directory.join(BUNDLE).join(name), None)?;
    }
    if let Some(variables) = variables {
        let bytes = std::fs::read(variables).map_err(|error| Diagnostic::unreadable(variables, &error))?;
        copy::write(&disks.join(VARIABLES), &bytes, 0o600)?;
    }
    Ok(())
}

/// Makes a blank disk among the others. One that a killed run left before any state named it is made anew.
pub(crate) fn add(directory: &Path, disk: &DataDisk) -> Result<(), Diagnostic> {
    let image = qcow2::blank(disk.size)?;
    take_away(directory, disk)?;
    copy::write(&directory.join(DISKS).join(file::data(&disk.serial)), &image, 0o600)
}

/// Checks whether a blank disk may have this size.
pub(crate) fn judge_size(size: ByteSize) -> Result<(), Diagnostic> {
    Ok(qcow2::blank(size).map(drop)?)
}

/// Takes away a disk that no state names, where it is there.
pub(crate) fn take_away(directory: &Path, disk: &DataDisk) -> Result<(), Diagnostic> {
    let path = directory.join(DISKS).join(file::data(&disk.serial));
    fs::remove(&path).map_err(|error| Diagnostic::unwritable(&path, &error))
}

/// Finds a serial that no disk of the machine has.
pub(crate) fn free_serial(machine: &Machine) -> Option<DiskSerial> {
    let is_free = |serial: &DiskSerial| machine.data.iter().all(|disk| disk.serial != *serial);
    (1..1000).filter_map(|n| DiskSerial::parse(&format!("added-{n}")).ok()).find(is_free)
}

/// Reads an image's size and holds it to what we write: qcow2, this backing file or none, and nothing else outside itself.
pub(crate) fn judge(path: &Path, backing: Option<&str>) -> Result<ByteSize, Diagnostic> {
    let mut head = vec![];
    let read = File::open(path).and_then(|file| file.take(1 << 12).read_to_end(&mut head));
    read.map_err(|error| Diagnostic::unreadable(path, &error))?;
    let header = Header::read(&head);
    let (from, length) = (usize::try_from(header.backing_offset).unwrap_or(usize::MAX), header.backing_size as usize);
    let named = head.get(from..from.saturating_add(length)).filter(|_| header.backing_offset != 0).unwrap_or_default();
    let is_ours = head.starts_with(&MAGIC)
        && header.version == 3
        && header.incompatible & !COMPRESSION == 0
        && named == backing.unwrap_or_default().as_bytes()
        && (header.backing_offset == 0) == backing.is_none();
    if is_ours {
        return Ok(ByteSize(header.virtual_size));
    }
    Err(Diagnostic::new(Code::ImageBacking, format!("`{}` is not an image as we write them", path.display()))
        .cause("it would have QEMU open files that are not the bundle's, or leave it damaged")
        .hint("`arca-build verify` tells whether the bundle is as it was built"))
}

/// Returns whether a guest ever wrote to an overlay of ours: then a table of its first level leads somewhere (qcow2.rst,
/// "Cluster mapping").
pub(crate) fn is_written(path: &Path) -> Result<bool, Diagnostic> {
    let told = |error: std::io::Error| Diagnostic::unreadable(path, &error);
    let mut file = File::open(path).map_err(told)?;
    let mut head = vec![];
    (&file).take(1 << 12).read_to_end(&mut head).map_err(told)?;
    let header = Header::read(&head);
    file.seek(SeekFrom::Start(header.l1_offset)).map_err(told)?;
    let mut table = vec![];
    file.take(u64::from(header.l1_size) * 8).read_to_end(&mut table).map_err(told)?;
    Ok(table.iter().any(|byte| *byte != 0))
}

/// Copies every file of a directory of disks into a new one, sharing blocks where the file system can, and keeping holes.
pub(crate) fn copy_all(from: &Path, to: &Path) -> Result<(), Diagnostic> {
    DirBuilder::new().mode(0o700).create(to).map_err(|error| Diagnostic::unwritable(to, &error))?;
    for name in names(from)? {
        let (source, target) = (from.join(&name), to.join(&name));
        copy_disk(&source, &target).map_err(|error| {
            Diagnostic::io(format!("cannot copy `{}` to `{}`", source.display(), target.display()), &error)
        })?;
    }
    copy::sync(to)
}

fn copy_disk(from: &Path, to: &Path) -> std::io::Result<()> {
    // Never through a link, which a stranger with rights on the directory could have put there.
    let (source, target) = (open(from)?, create(to)?);
    // A clone need not be read, so it is not hashed.
    if ioctl_ficlone(&target, &source).is_err() {
        fill(&source, source.metadata()?.len(), &target, &|_| Ok(()))?;
    }
    target.sync_all()
}

/// Lists the names in a directory, sorted; an empty list where there is none.
pub(crate) fn names(directory: &Path) -> Result<Vec<String>, Diagnostic> {
    absent_is_empty(fs::names(directory)).map_err(|error| Diagnostic::unreadable(directory, &error))
}

/// Finds UEFI firmware: what the environment names by `OVMF_CODE` and `OVMF_VARS`, else where distributions keep it.
///
/// # Errors
///
/// `E_TOOL` where a machine needs it and none is there.
pub(crate) fn firmware(
    machine: &Machine,
    named: Option<(PathBuf, PathBuf)>,
) -> Result<Option<(PathBuf, PathBuf)>, Diagnostic> {
    let places = emit::firmware_places(machine);
    if places.is_empty() {
        return Ok(None);
    }
    let known = places.iter().map(|(code, variables)| (PathBuf::from(code), PathBuf::from(variables)));
    let is_there = |(code, variables): &(PathBuf, PathBuf)| File::open(code).is_ok() && File::open(variables).is_ok();
    named.into_iter().chain(known).find(is_there).map(Some).ok_or_else(|| {
        Diagnostic::new(Code::Tool, "no UEFI firmware was found")
            .hint("install ovmf (or qemu-efi-aarch64), or set OVMF_CODE and OVMF_VARS")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn run_3_an_image_that_names_other_files_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("system.qcow2");
        let ours = qcow2::overlay("base.qcow2", ByteSize::mib(1)).unwrap();
        let blank = qcow2::blank(ByteSize::mib(1)).unwrap();
        let changed = |at: usize, byte: u8| {
            let mut image = ours.clone();
            image[at] = byte;
            image
        };
        let base = Some("base.qcow2");
        for (what, image, backing, is_good) in [
            ("ours", ours.clone(), base, true),
            ("blank", blank.clone(), None, true),
            ("another backing file", qcow2::overlay("/etc/shadow", ByteSize::mib(1)).unwrap(), base, false),
            ("one where there is none", ours.clone(), None, false),
            ("none where there is one", blank, base, false),
            ("a data file of its own", changed(79, 4), base, false),
            ("dirty", changed(79, 1), base, false),
            ("version 2", changed(7, 2), base, false),
            ("a name behind the end", changed(12, 0xff), base, false),
            ("no qcow2", b"raw".to_vec(), None, false),
            ("nothing", vec![], None, false),
        ] {
            std::fs::write(&path, image).unwrap();
            let judged = judge(&path, backing).map_err(|problem| problem.code);
            assert_eq!(judged, if is_good { Ok(ByteSize::mib(1)) } else { Err(Code::ImageBacking) }, "{what}");
        }
    }

    #[test]
    fn a_copy_of_disks_has_the_same_bytes_and_holes_and_follows_no_link() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        std::fs::create_dir(&from).unwrap();
        let mut file = File::create(from.join("data")).unwrap();
        for at in [1 << 20, 48 << 20] {
            file.seek(SeekFrom::Start(at)).unwrap();
            file.write_all(b"written").unwrap();
        }
        file.set_len(64 << 20).unwrap();
        copy_all(&from, &to).unwrap();
        assert_eq!(std::fs::read(from.join("data")).unwrap(), std::fs::read(to.join("data")).unwrap());
        assert!(std::fs::metadata(to.join("data")).unwrap().blocks() * 512 < 1 << 20, "holes were filled");
        std::os::unix::fs::symlink("/etc/passwd", from.join("link")).unwrap();
        assert!(copy_all(&from, &dir.path().join("again")).is_err());
    }
}
