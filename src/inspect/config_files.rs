//! The configuration on a config disk, as bytes. Bounded readers only; touches nothing.

use std::io::{Read, Seek};

use super::slice::Slice;
use crate::base::{ByteSize, Code, Diagnostic};
use crate::format::bytes::read_up_to;
use crate::format::fat::Tree;
use crate::format::magic::{self, Magic};
use crate::format::qcow2::{self, Image};
use crate::format::{gpt, iso};

/// The most files that a volume may bring.
const MOST: usize = 1000;

/// A file of either engine: its path on the volume, as the engine finds it, and its bytes.
pub(crate) type ConfigFile = (String, Vec<u8>);

/// Returns whether a file may be a config disk, by its first bytes.
pub(crate) fn is_disk<R: Read + Seek>(reader: &mut R) -> Result<bool, Diagnostic> {
    let head = head(reader)?;
    let is_fat = head.get(54..57) == Some(b"FAT") || head.get(82..85) == Some(b"FAT");
    let is_known = |mark: &Magic| matches!(mark, Magic::Qcow2 | Magic::Iso9660 | Magic::Gpt);
    Ok(is_fat || magic::marks(&head).iter().any(is_known))
}

fn head<R: Read + Seek>(reader: &mut R) -> Result<Vec<u8>, Diagnostic> {
    magic::read_head(reader).map_err(|error| Diagnostic::io("cannot read the file", &error))
}

/// Reads `ignition/config.ign` and all below `combustion/`, of the first volume that has one of them; each file at most
/// `cap` long.
///
/// # Errors
/// What is refused as an image, is damaged, or is too large or too much.
pub(crate) fn read<R: Read + Seek>(reader: &mut R, length: u64, cap: ByteSize) -> Result<Vec<ConfigFile>, Diagnostic> {
    let marks = magic::marks(&head(reader)?);
    if marks.first() == Some(&Magic::Qcow2) {
        let info = qcow2::gate(reader)?;
        let disk = Image::open(reader, &info);
        let mut disk = disk.map_err(|error| Diagnostic::io("cannot read the disk inside", &error))?;
        return on_disk(&mut disk, info.header.virtual_size, cap);
    }
    if marks.contains(&Magic::Iso9660) { on_iso(reader, cap) } else { on_disk(reader, length, cap) }
}

fn on_disk<R: Read + Seek>(disk: &mut R, length: u64, cap: ByteSize) -> Result<Vec<ConfigFile>, Diagnostic> {
    let Ok(partitions) = gpt::read(disk) else { return on_volume(disk, length, cap) };
    for partition in partitions {
        let start = partition.first_lba.saturating_mul(512);
        let size = partition.size.0.min(length.saturating_sub(start));
        let found = on_volume(&mut Slice::new(disk, start, size), size, cap)?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(vec![])
}

fn on_volume<R: Read + Seek>(disk: &mut R, length: u64, cap: ByteSize) -> Result<Vec<ConfigFile>, Diagnostic> {
    let Ok(tree) = Tree::read(disk, length) else { return Ok(vec![]) };
    let files =
        tree.nodes.iter().filter(|node| !node.is_directory).map(|node| (node.path.as_str(), node.size.into(), node));
    taken(files, cap, |node, size| tree.content(disk, node, size).map_err(|error| error.to_string()))
}

fn on_iso<R: Read + Seek>(reader: &mut R, cap: ByteSize) -> Result<Vec<ConfigFile>, Diagnostic> {
    let nodes = iso::list(reader, MOST).map_err(Diagnostic::from)?;
    let files = nodes.iter().filter(|node| !node.is_directory).map(|node| (node.path.as_str(), node.extent.size, node));
    taken(files, cap, |node, size| match read_up_to(reader, node.extent.offset, size) {
        Ok(bytes) if bytes.len() as u64 == size => Ok(bytes),
        Ok(_) => Err("the image ends within it".to_owned()),
        Err(error) => Err(error.to_string()),
    })
}

/// Reads the files that an engine would; FAT knows no case, and the guest looks them up so.
fn taken<'a, N>(
    files: impl Iterator<Item = (&'a str, u64, N)>,
    cap: ByteSize,
    mut content: impl FnMut(N, u64) -> Result<Vec<u8>, String>,
) -> Result<Vec<ConfigFile>, Diagnostic> {
    let mut found = vec![];
    for (path, size, node) in files {
        let lower = path.to_ascii_lowercase();
        let path = match (lower.as_str(), lower.strip_prefix("combustion/")) {
            ("ignition/config.ign", _) | (_, Some("script")) => lower.clone(),
            (_, Some(below)) => format!("combustion/{}", &path[path.len() - below.len()..]),
            _ => continue,
        };
        let shown = crate::base::text::one_line(&path, 120);
        if size > cap.0 {
            return Err(Diagnostic::new(Code::Recipe, format!("`{shown}` on it is larger than {cap}")));
        }
        let bytes = content(node, size)
            .map_err(|error| Diagnostic::new(Code::Recipe, format!("`{shown}` on it cannot be read")).cause(error))?;
        found.push((path, bytes));
        if found.len() > MOST {
            return Err(Diagnostic::new(Code::Recipe, format!("it holds more than {MOST} files")));
        }
    }
    Ok(found)
}
