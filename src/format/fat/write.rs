//! Writes the config disk: a whole-disk FAT volume with label, files and nothing by chance. Touches nothing.
//!
//! Specification: fatgen103. The label stands in the boot sector and, in lower case, in the root directory: the
//! guest's udev (util-linux, libblkid `superblocks/vfat.c`) takes it from the root directory entry alone, as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Write as _};

use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions, format_volume};

use super::{name, repair, time};
use crate::base::{ByteSize, Code, Diagnostic, DiskLabel};

/// What the volume shall hold.
#[derive(Clone, Debug)]
pub(crate) struct Volume<'a> {
    pub label: DiskLabel,
    /// Also the volume's UUID in the guest (`XXXX-XXXX`).
    pub volume_id: u32,
    /// Seconds since 1970 of every time stamp, clamped to 1980 to 2107.
    pub epoch: u64,
    /// Path with `/` between parts, and content; in any order.
    pub files: Vec<(String, &'a [u8])>,
}

/// Why a volume cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FatError {
    #[error(transparent)]
    Name(#[from] name::NameError),
    /// The guest would get half a configuration.
    #[error("the files need {need} on the config disk, it has room for {room} at most")]
    TooLarge { need: ByteSize, room: ByteSize },
    #[error("the root directory needs {need} entries, it has {ROOT_ENTRIES}")]
    RootEntries { need: u64 },
    #[error("fatfs: {0}")]
    Library(#[from] std::io::Error),
}

impl From<FatError> for Diagnostic {
    fn from(error: FatError) -> Self {
        let code = if matches!(error, FatError::Library(_)) { Code::Bug } else { Code::Provision };
        Self::new(code, format!("cannot write the config disk: {error}"))
    }
}

/// Entries of the root directory, label included.
const ROOT_ENTRIES: u64 = 512;

/// A size the volume may have; its cluster count keeps well away from the borders 4085 and 65525 of the FAT types.
struct Shape {
    mebibytes: u32,
    kind: FatType,
    cluster: u64,
    clusters: u64,
}

/// A 6.1 kernel mounts all of them. 4 MiB is left out: 18 clusters from the border to FAT16.
const SHAPES: [Shape; 6] = [
    Shape { mebibytes: 1, kind: FatType::Fat12, cluster: 512, clusters: 2003 },
    Shape { mebibytes: 2, kind: FatType::Fat12, cluster: 1024, clusters: 2025 },
    Shape { mebibytes: 8, kind: FatType::Fat16, cluster: 1024, clusters: 8143 },
    Shape { mebibytes: 16, kind: FatType::Fat16, cluster: 1024, clusters: 16303 },
    Shape { mebibytes: 32, kind: FatType::Fat16, cluster: 2048, clusters: 16343 },
    Shape { mebibytes: 64, kind: FatType::Fat16, cluster: 2048, clusters: 32695 },
];

/// Writes the volume into the smallest of 1, 2, 8, 16, 32 and 64 MiB that holds it.
///
/// Same volume, same bytes; the order of `files` does not matter.
pub(crate) fn write(volume: &Volume) -> Result<Vec<u8>, FatError> {
    name::check(volume.files.iter().map(|(path, _)| path.as_str()))?;
    let files: BTreeMap<&str, &[u8]> = volume.files.iter().map(|(path, content)| (path.as_str(), *content)).collect();
    let directories = directories(&files);
    let shape = shape(&files, &directories)?;
    let mut image = format(volume, shape)?;
    fill(&mut image, &files, &directories, volume.epoch)?;
    let mut bytes = image.into_inner();
    repair::repair(&mut bytes, time::date_time(volume.epoch));
    Ok(bytes)
}

/// Lists every directory on the way to a file, parents first.
fn directories<'a>(files: &BTreeMap<&'a str, &[u8]>) -> BTreeSet<&'a str> {
    let parents = |path: &'a str| path.match_indices('/').map(move |(end, _)| &path[..end]);
    files.keys().flat_map(|path| parents(path)).collect()
}

fn shape(files: &BTreeMap<&str, &[u8]>, directories: &BTreeSet<&str>) -> Result<&'static Shape, FatError> {
    let entries = |directory: &str| entries(files.keys().chain(directories), directory);
    let root = 1 + entries("");
    if root > ROOT_ENTRIES {
        return Err(FatError::RootEntries { need: root });
    }
    let need = |cluster: u64| {
        let content = files.values().map(|content| (content.len() as u64).div_ceil(cluster));
        // `fatfs` first writes four entries for `.` and `..`.
        let tables = directories.iter().map(|path| ((4 + entries(path)) * super::ENTRY as u64).div_ceil(cluster));
        content.sum::<u64>() + tables.sum::<u64>()
    };
    if let Some(shape) = SHAPES.iter().find(|shape| need(shape.cluster) <= shape.clusters) {
        return Ok(shape);
    }
    let [.., last] = &SHAPES;
    let size = |clusters| ByteSize(clusters * last.cluster);
    Err(FatError::TooLarge { need: size(need(last.cluster)), room: size(last.clusters) })
}

/// Counts the entries of a directory: one a name, and one for each 13 characters of its long form.
fn entries<'a>(paths: impl Iterator<Item = &'a &'a str>, directory: &str) -> u64 {
    paths
        .map(|path| path.rsplit_once('/').unwrap_or(("", path)))
        .filter(|(parent, _)| *parent == directory)
        .map(|(_, part)| 1 + (part.len() as u64).div_ceil(13))
        .sum()
}

fn format(volume: &Volume, shape: &Shape) -> Result<Cursor<Vec<u8>>, FatError> {
    let mut image = Cursor::new(vec![0; (shape.mebibytes as usize) << 20]);
    let mut label = [b' '; 11];
    label.iter_mut().zip(volume.label.as_str().bytes()).for_each(|(place, byte)| *place = byte);
    let options = FormatVolumeOptions::new()
        .fat_type(shape.kind)
        .bytes_per_cluster(shape.cluster as u32)
        .max_root_dir_entries(ROOT_ENTRIES as u16)
        .volume_id(volume.volume_id)
        .volume_label(label);
    format_volume(&mut image, options)?;
    Ok(image)
}

fn fill(
    image: &mut Cursor<Vec<u8>>,
    files: &BTreeMap<&str, &[u8]>,
    directories: &BTreeSet<&str>,
    epoch: u64,
) -> Result<(), FatError> {
    image.set_position(0);
    time::Epoch::set(epoch);
    let options = FsOptions::new().time_provider(&time::EPOCH).update_accessed_date(false);
    let system = FileSystem::new(image, options)?;
    let root = system.root_dir();
    for path in directories {
        root.create_dir(path)?;
    }
    for (path, content) in files {
        let mut file = root.create_file(path)?;
        file.write_all(content)?;
        file.flush()?;
    }
    drop(root);
    Ok(system.unmount()?)
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
