//! What a file is and holds, and what MicroOS would do with it. Bounded readers only; touches nothing.
//!
//! An odd file is described, not an error: the answer says why a build would refuse it. Facts about the guest are
//! those of Ignition's and Combustion's sources and READMEs. Read next: [`disk`], [`guest`], [`show`].

pub(crate) mod config_files;
pub(crate) mod disk;
pub(crate) mod guest;
pub(crate) mod show;
mod slice;

use std::io::{Read, Seek};

use crate::base::{ByteSize, Code, Diagnostic};
use crate::format::magic::{self, Magic};
use crate::format::qcow2::{Compression, GateError, Header, Image, ImageInfo, gate, gate_within};
use crate::format::{gpt, iso};

/// What a file turned out to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    Qcow2,
    Iso,
    /// A whole-disk FAT volume.
    Fat,
    /// Another file system on a whole disk.
    Volume,
    /// A raw disk with a partition table.
    Gpt,
    /// Something inside an xz, zstd or gzip file.
    Compressed,
    #[default]
    Other,
}

/// Everything `inspect` found out. Texts that come from the file are sanitised.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub(crate) struct Report {
    pub kind: Kind,
    /// In words.
    pub what: String,
    pub file_size: ByteSize,
    /// Why a build would not take it as a base; `None` for what it would take, or for what is no base at all.
    pub refused: Option<Refusal>,
    pub image: Option<ImageReport>,
    pub iso: Option<iso::IsoInfo>,
    pub partitions: Vec<gpt::Partition>,
    pub volumes: Vec<VolumeReport>,
    /// What the guest would do with it, in the order in which it would.
    pub guest: Vec<guest::Finding>,
    /// What was not looked at, and why.
    pub notes: Vec<String>,
}

/// Why a build would refuse a file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Refusal {
    pub code: Code,
    pub reason: String,
}

/// The qcow2 around a disk; of a refused image only what its header says.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct ImageReport {
    pub version: u32,
    pub virtual_size: ByteSize,
    pub cluster_size: Option<ByteSize>,
    /// `zlib` or `zstd`; `None` where the image was refused.
    pub compression: Option<crate::format::qcow2::Compression>,
    pub ignored_autoclear: u64,
}

/// A file system.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct VolumeReport {
    /// `FAT`, `ISO 9660`, or the name of one whose files are not read: `ext4`, `xfs`, `btrfs`.
    pub kind: &'static str,
    /// The partition it stands in; `None` for the whole disk.
    pub partition: Option<u32>,
    /// As the guest sees it; `None` where there is none, of FAT in the root directory.
    pub label: Option<String>,
    /// As blkid(8) shows it.
    pub id: String,
    pub files: Vec<FileReport>,
}

/// A file or directory (its path ends in `/`).
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct FileReport {
    pub path: String,
    pub size: ByteSize,
}

impl Report {
    fn new(kind: Kind, what: impl Into<String>, length: u64) -> Self {
        Self { kind, what: what.into(), file_size: ByteSize(length), ..Self::default() }
    }

    fn refuse(&mut self, problem: &Diagnostic) {
        self.refused = Some(Refusal { code: problem.code, reason: problem.headline.clone() });
    }
}

/// Looks at a file of `length` bytes; fails only where it cannot be read.
pub(crate) fn inspect<R: Read + Seek>(mut reader: R, length: u64) -> Result<Report, Diagnostic> {
    let head = magic::read_head(&mut reader).map_err(|error| Diagnostic::io("cannot read the file", &error))?;
    let marks = magic::marks(&head);
    match marks.first() {
        Some(Magic::Qcow2) => qcow2(&mut reader, &head, length),
        // A hybrid has a partition table too.
        Some(_) if marks.contains(&Magic::Iso9660) => Ok(iso_image(&mut reader, length)),
        Some(Magic::Gpt) | None => Ok(raw(&mut reader, &head, length)),
        Some(Magic::Xz | Magic::Zstd | Magic::Gzip) => Ok(packed(magic::describe(&head), length)),
        Some(other) => {
            let mut report = Report::new(Kind::Other, other.name(), length);
            report.refused = Some(Refusal {
                code: Code::ImageFormat,
                reason: "a base is a qcow2, a raw disk or an ISO 9660 image".into(),
            });
            Ok(report)
        }
    }
}

fn qcow2<R: Read + Seek>(reader: &mut R, head: &[u8], length: u64) -> Result<Report, Diagnostic> {
    let mut report = Report::new(Kind::Qcow2, "a qcow2 image", length);
    let mut passed = gate(reader);
    if let Err(error @ GateError::VirtualSize { .. }) = passed {
        report.refuse(&error.into());
        passed = gate_within(reader, ByteSize(i64::MAX as u64));
    }
    match passed {
        Ok(info) => inside(reader, &info, &mut report),
        Err(GateError::Io(error)) => return Err(Diagnostic::io("cannot read the image", &error)),
        Err(error) => {
            report.image = Some(image_report(&Header::read(head), None));
            let problem = Diagnostic::from(error);
            report.notes.extend(problem.facts.iter().map(|(label, value)| format!("{label}: {value}")));
            report.notes.push("the disk inside was not read".into());
            report.refuse(&problem);
        }
    }
    Ok(report)
}

fn image_report(header: &Header, compression: Option<Compression>) -> ImageReport {
    ImageReport {
        version: header.version,
        virtual_size: ByteSize(header.virtual_size),
        cluster_size: (9..=21).contains(&header.cluster_bits).then(|| ByteSize(1 << header.cluster_bits)),
        compression,
        ignored_autoclear: header.autoclear,
    }
}

fn inside<R: Read + Seek>(reader: &mut R, info: &ImageInfo, report: &mut Report) {
    report.image = Some(image_report(&info.header, Some(info.compression())));
    match Image::open(reader, info) {
        Ok(mut image) => disk::look(&mut image, info.header.virtual_size, report),
        Err(error) if error.kind() == std::io::ErrorKind::Unsupported => {
            report.notes.push("partitions not read: the image is compressed with zstd".into());
        }
        Err(error) => report.notes.push(disk::cannot("the disk inside", &error)),
    }
    let holds = match (report.partitions.is_empty(), report.volumes.first()) {
        (false, _) => " of a partitioned disk (GPT)".to_owned(),
        (true, Some(volume)) => format!(" of {} {} volume", article(volume.kind), volume.kind),
        (true, None) => String::new(),
    };
    report.what.push_str(&holds);
}

fn article(kind: &str) -> &'static str {
    if kind.starts_with(['e', 'x']) { "an" } else { "a" }
}

fn iso_image<R: Read + Seek>(reader: &mut R, length: u64) -> Report {
    let mut report = Report::new(Kind::Iso, "an ISO 9660 image", length);
    if let Err(error) = iso::gate(reader) {
        report.refuse(&error.into());
    }
    report.iso = iso::read(reader, length).ok();
    if let Some(info) = &report.iso {
        disk::iso(reader, &info.clone(), &mut report);
    }
    report
}

/// A build unpacks such a file and judges what it holds.
fn packed(what: &'static str, length: u64) -> Report {
    let mut report = Report::new(Kind::Compressed, what, length);
    report.notes.push("what it holds was not looked at: a build unpacks it first".into());
    report
}

fn raw<R: Read + Seek>(reader: &mut R, head: &[u8], length: u64) -> Report {
    let mut report = Report::new(Kind::Other, magic::describe(head), length);
    disk::look(reader, length, &mut report);
    if !report.partitions.is_empty() {
        report.kind = Kind::Gpt;
        report.what = "a raw disk with a GPT".into();
    } else if let Some(volume) = report.volumes.first() {
        report.kind = if volume.kind == disk::FAT { Kind::Fat } else { Kind::Volume };
        report.what = format!("a whole-disk {} volume", volume.kind);
    } else if report.what == magic::TEXT {
        report.what = "a text file, no image".into();
    } else if head.get(510..512) == Some(&[0x55, 0xaa]) {
        report.notes.push("an MBR partition table, if it is one, is not read".into());
    }
    report
}

#[cfg(test)]
mod tests;
