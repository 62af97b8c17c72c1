//! What stands on a disk: partitions and FAT volumes. Bounded readers only; touches nothing. Read next: `guest`.

use std::io::{Read, Seek};

use super::guest::{Files, Found};
use super::slice::Slice;
use super::{FileReport, Report, VolumeReport, guest};
use crate::base::ByteSize;
use crate::base::text::one_line;
use crate::format::bytes::read_up_to;
use crate::format::fat::{ReadError, Tree};
use crate::format::gpt::{self, GptError, Partition};
use crate::format::iso::{self, IsoInfo};
use crate::format::superblock;

/// The EFI system partition: a FAT volume that no engine looks at (UEFI 2.10, table 5.7).
const EFI_SYSTEM: &str = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
/// The kind of a volume of FAT.
pub(super) const FAT: &str = "FAT";
/// More partitions than are looked into for volumes; all of them may be one volume.
const MAX_LOOKED_INTO: usize = 16;
/// Where so many files were told, no further volume is looked into.
const MAX_TOLD: usize = 4096;
/// How much of the files in volumes is looked into.
const LOOKED_INTO: u64 = 8 << 20;

/// How many bytes of files in volumes are still looked into, for all volumes together.
pub(super) struct Left(pub(super) u64);

/// Adds what the disk holds to the report; what cannot be read becomes a note.
pub(super) fn look<R: Read + Seek>(disk: &mut R, length: u64, report: &mut Report) {
    let left = &mut Left(LOOKED_INTO);
    match gpt::read(disk) {
        Ok(partitions) => {
            for partition in partitions.iter().take(MAX_LOOKED_INTO) {
                in_partition(disk, partition, length, left, report);
            }
            if let Some(partition) = partitions.get(MAX_LOOKED_INTO) {
                report.notes.push(format!("partitions from {} on were not looked into", partition.number));
            }
            report.partitions = partitions.into_iter().map(sanitised).collect();
        }
        Err(GptError::None(_)) => volume(disk, length, None, left, report),
        Err(error) => {
            report.notes.push(cannot("the partition table", &error));
            volume(disk, length, None, left, report);
        }
    }
}

/// Reports that a part was not read, and why.
pub(super) fn cannot(what: &str, error: &dyn std::fmt::Display) -> String {
    format!("{what} cannot be read: {}", one_line(&error.to_string(), 120))
}

fn sanitised(partition: Partition) -> Partition {
    Partition { name: one_line(&partition.name, 40), ..partition }
}

fn in_partition<R: Read + Seek>(
    disk: &mut R,
    partition: &Partition,
    length: u64,
    left: &mut Left,
    report: &mut Report,
) {
    let start = partition.first_lba.saturating_mul(512);
    let Some(room) = length.checked_sub(start).filter(|_| partition.size.0 > 0) else {
        report.notes.push(format!("partition {} does not lie on the disk", partition.number));
        return;
    };
    let size = partition.size.0.min(room);
    volume(&mut Slice::new(disk, start, size), size, Some(partition), left, report);
}

fn volume<R: Read + Seek>(
    disk: &mut R,
    length: u64,
    partition: Option<&Partition>,
    left: &mut Left,
    report: &mut Report,
) {
    let is_data = partition.is_none_or(|partition| partition.type_guid != EFI_SYSTEM);
    let number = partition.map(|partition| partition.number);
    let place = number.map_or_else(|| "the disk".to_owned(), |number| format!("partition {number}"));
    if report.volumes.iter().map(|volume| volume.files.len()).sum::<usize>() >= MAX_TOLD {
        report.notes.push(format!("{place} was not looked into: the volumes before it hold {MAX_TOLD} files or more"));
        return;
    }
    // Other file systems may have a boot sector too: only one that says FAT is worth a note.
    let says_fat = read_up_to(disk, 0, 512)
        .is_ok_and(|sector| sector.get(54..57) == Some(b"FAT") || sector.get(82..85) == Some(b"FAT"));
    match Tree::read(disk, length) {
        Ok(tree) => {
            if is_data {
                report.guest.extend(guest::volume(&mut FatFiles { disk, tree: &tree }, left));
            }
            report.volumes.push(described(&tree, number));
        }
        Err(ReadError::Io(error)) => report.notes.push(cannot(&place, &error)),
        Err(error) if says_fat => report.notes.push(cannot(&format!("the FAT volume on {place}"), &error)),
        Err(_) => match superblock::read(disk) {
            Ok(found) => found.into_iter().for_each(|found| named(&found, number, report)),
            Err(error) => report.notes.push(cannot(&place, &error)),
        },
    }
}

/// Adds a volume of which only the name tag is read.
fn named(found: &superblock::Superblock, partition: Option<u32>, report: &mut Report) {
    let label = Some(text(&found.label)).filter(|label| !label.is_empty());
    let guest = label.as_deref().and_then(guest::unread);
    if guest.is_some() || partition.is_none() {
        let how = match found.kind {
            "xfs" => "`xfs_db` shows them",
            "btrfs" => "`btrfs restore --list-only` and `btrfs inspect-internal dump-tree` show them",
            _ => "`debugfs -R 'ls -p /' FILE` lists them",
        };
        report.notes.push(format!("files on {} are not read here; {how}", found.kind));
    }
    report.guest.extend(guest);
    report.volumes.push(VolumeReport { kind: found.kind, partition, label, id: found.id.to_string(), files: vec![] });
}

/// Adds what an ISO that is no installer holds.
pub(super) fn iso<R: Read + Seek>(reader: &mut R, info: &IsoInfo, report: &mut Report) {
    if info.is_bootable {
        return report.guest.extend(guest::unread(&info.volume_id));
    }
    let nodes = match iso::list(reader, MAX_TOLD) {
        Ok(nodes) => nodes,
        Err(error) => {
            report.notes.push(cannot("the files", &error));
            return report.guest.extend(guest::unread(&info.volume_id));
        }
    };
    let files = nodes.iter().map(|node| file(&node.path, node.is_directory, node.extent.size)).collect();
    let label = Some(info.volume_id.clone()).filter(|label| !label.is_empty());
    report.volumes.push(VolumeReport { kind: "ISO 9660", partition: None, label, id: info.id.clone(), files });
    let mut files = IsoFiles { reader, label: &info.volume_id, nodes: &nodes };
    report.guest.extend(guest::volume(&mut files, &mut Left(LOOKED_INTO)));
}

struct FatFiles<'a, R> {
    disk: &'a mut R,
    tree: &'a Tree,
}

impl<R: Read + Seek> Files for FatFiles<'_, R> {
    fn label(&self) -> String {
        self.tree.label.as_deref().map(text).unwrap_or_default()
    }

    fn boot_label(&self) -> String {
        text(self.tree.geometry.label.trim_ascii_end())
    }

    fn find(&self, path: &str) -> Option<Found> {
        let node = self.tree.find(path)?;
        Some(Found { is_directory: node.is_directory, size: node.size.into() })
    }

    fn content(&mut self, path: &str, size: u64) -> Result<Vec<u8>, String> {
        let node = self.tree.find(path).ok_or("it is not there")?;
        self.tree.content(self.disk, node, size).map_err(|error| error.to_string())
    }
}

struct IsoFiles<'a, R> {
    reader: &'a mut R,
    label: &'a str,
    nodes: &'a [iso::Node],
}

impl<R: Read + Seek> Files for IsoFiles<'_, R> {
    fn label(&self) -> String {
        self.label.to_owned()
    }

    fn find(&self, path: &str) -> Option<Found> {
        let node = self.nodes.iter().find(|node| node.path == path)?;
        Some(Found { is_directory: node.is_directory, size: node.extent.size })
    }

    fn content(&mut self, path: &str, size: u64) -> Result<Vec<u8>, String> {
        let node = self.nodes.iter().find(|node| node.path == path).ok_or("it is not there")?;
        let content = read_up_to(self.reader, node.extent.offset, size).map_err(|error| error.to_string())?;
        if content.len() as u64 == size { Ok(content) } else { Err("the image ends within it".to_owned()) }
    }
}

fn described(tree: &Tree, partition: Option<u32>) -> VolumeReport {
    let id = tree.geometry.volume_id;
    VolumeReport {
        kind: FAT,
        partition,
        label: tree.label.as_deref().map(text),
        id: format!("{:04X}-{:04X}", id >> 16, id & 0xffff),
        files: tree.nodes.iter().map(|node| file(&node.path, node.is_directory, node.size.into())).collect(),
    }
}

/// Shows bytes of a label as text.
pub(super) fn text(bytes: &[u8]) -> String {
    one_line(&String::from_utf8_lossy(bytes), 40)
}

fn file(path: &str, is_directory: bool, size: u64) -> FileReport {
    let slash = if is_directory { "/" } else { "" };
    FileReport { path: one_line(&format!("{path}{slash}"), 400), size: ByteSize(if is_directory { 0 } else { size }) }
}
