//! What differs between two bundles' files or two plans, down to the file in the volume, the key, the line.
//!
//! Names `base format plan`; touches nothing. What provisions a guest never shows: of a private file only places (a key
//! that Ignition's schema knows, a line's number) and what cannot be a secret (flags, whole numbers, the spec's version)
//! are told, the rest is `***`. Read next: [`json`] (keys, and the lens that hides values), [`lines`], [`volume`], [`plan`].

pub(crate) mod json;
pub(crate) mod lines;
pub(crate) mod plan;
mod text;
pub(crate) mod volume;
mod what;

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};

use crate::base::{ByteSize, text::one_line};
use crate::format::bytes::read_up_to;
use crate::format::gpt;
use crate::format::qcow2::{self, Header, Image};
use crate::plan::file;
pub(crate) use plan::plans;
use text::{TEXT_LIMIT, text};
pub(crate) use what::What;
use what::opaque;

/// One place where two things differ.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Change {
    /// The bundle's file; `plan` where plans are compared.
    pub file: String,
    /// The file on the volume inside that file.
    pub inside: Option<String>,
    #[serde(flatten)]
    pub what: What,
}

/// Everything that differs, in order of the files.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub(crate) struct Differences(pub Vec<Change>);

impl Differences {
    /// Adds what differs in a file.
    pub(crate) fn add(&mut self, name: &str, inside: Option<&str>, found: impl IntoIterator<Item = What>) {
        let shown = |name: &str| one_line(name, 200);
        let changes = found.into_iter().map(|what| Change { file: shown(name), inside: inside.map(shown), what });
        self.0.extend(changes);
    }

    /// Adds a file that only one side has.
    pub(crate) fn add_lonely(&mut self, name: &str, before: Option<u64>, after: Option<u64>) {
        let shown = |size: Option<u64>| size.map(|size| format!("{size} bytes"));
        self.add(name, None, [What::Value { at: "file".into(), before: shown(before), after: shown(after) }]);
    }

    /// Looks into a file whose bytes differ, and adds what differs there.
    ///
    /// `is_launch` tells that both sides are launch files: only then are their lines shown.
    pub(crate) fn add_file<R: Read + Seek>(
        &mut self,
        name: &str,
        is_launch: bool,
        before: &mut R,
        after: &mut R,
    ) -> io::Result<()> {
        let known = self.0.len();
        match name {
            file::CONFIG_IGN | file::SCRIPT | file::MANIFEST => {
                let texts = (small(before)?, small(after)?);
                if let (Some(before), Some(after)) = texts {
                    self.add(name, None, text(name, &before, &after));
                }
            }
            file::CONFIG_RAW => self.add_volume(name, before, after),
            file::CONFIG_USB => self.add_usb(name, before, after)?,
            _ if name.ends_with(".qcow2") => self.add_image(name, before, after)?,
            _ if is_launch => {
                if let (Some(before), Some(after)) = (small(before)?, small(after)?) {
                    self.add(name, None, lines::open(&before, &after));
                }
            }
            _ => {}
        }
        if self.0.len() == known {
            let (before, after) = (length(before)?, length(after)?);
            self.add(name, None, [opaque(before, after)]);
        }
        Ok(())
    }

    fn add_volume<R: Read + Seek>(&mut self, name: &str, before: &mut R, after: &mut R) {
        match volume::compare(before, after) {
            Ok(found) => found.into_iter().for_each(|(inside, what)| self.add(name, inside.as_deref(), [what])),
            Err(why) => self.add(name, None, [What::value("volume", &why.0, &why.1)]),
        }
    }

    /// Compares the volumes in the first partitions.
    fn add_usb<R: Read + Seek>(&mut self, name: &str, before: &mut R, after: &mut R) -> io::Result<()> {
        if let (Some(mut before), Some(mut after)) = (partition(before)?, partition(after)?) {
            self.add_volume(name, &mut before, &mut after);
        }
        Ok(())
    }

    fn add_image<R: Read + Seek>(&mut self, name: &str, before: &mut R, after: &mut R) -> io::Result<()> {
        let facts = image_facts(before)?.into_iter().zip(image_facts(after)?);
        let differing = facts.filter(|(before, after)| before != after);
        self.add(name, None, differing.map(|(before, after)| What::value(before.0, before.1, after.1)));
        if name == file::CONFIG_QCOW2
            && let (Some(mut before), Some(mut after)) = (disk(before), disk(after))
        {
            self.add_volume(name, &mut before, &mut after);
        }
        Ok(())
    }
}

fn length(reader: &mut impl Seek) -> io::Result<u64> {
    reader.seek(SeekFrom::End(0))
}

/// Reads a text whole; `None` for one that is too large.
fn small<R: Read + Seek>(reader: &mut R) -> io::Result<Option<Vec<u8>>> {
    let bytes = read_up_to(reader, 0, TEXT_LIMIT + 1)?;
    Ok(Some(bytes).filter(|bytes| bytes.len() as u64 <= TEXT_LIMIT))
}

/// Lists what an image's header says; of a file that is no qcow2 only that.
fn image_facts<R: Read + Seek>(reader: &mut R) -> io::Result<Vec<(&'static str, String)>> {
    let head = read_up_to(reader, 0, 512)?;
    if !head.starts_with(&qcow2::MAGIC) {
        return Ok(vec![("format", "no qcow2".into())]);
    }
    let header = Header::read(&head);
    let backing = match header.backing_offset {
        0 => "none".into(),
        // "Header": a backing file's name has at most 1023 bytes.
        offset => read_up_to(reader, offset, u64::from(header.backing_size.min(1023)))?,
    };
    Ok(vec![
        ("format", "qcow2".into()),
        ("version", header.version.to_string()),
        ("virtual size", ByteSize(header.virtual_size).exact()),
        ("cluster bits", header.cluster_bits.to_string()),
        ("backing file", one_line(&String::from_utf8_lossy(&backing), 200)),
    ])
}

/// Opens the disk inside an image that passes our gate.
fn disk<R: Read + Seek>(reader: &mut R) -> Option<Image<&mut R>> {
    let info = qcow2::gate(reader).ok()?;
    Image::open(reader, &info).ok()
}

/// Reads the first partition of a disk, as far as a config volume may go.
fn partition<R: Read + Seek>(reader: &mut R) -> io::Result<Option<io::Cursor<Vec<u8>>>> {
    let Some(first) = gpt::read(reader).ok().and_then(|found| found.into_iter().next()) else { return Ok(None) };
    let Some(start) = first.first_lba.checked_mul(512) else { return Ok(None) };
    let bytes = read_up_to(reader, start, first.size.0.min(volume::LIMIT))?;
    Ok(Some(io::Cursor::new(bytes)))
}

/// Files as headings, what differs in them below.
impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut heading = None;
        for change in &self.0 {
            let place = (&change.file, &change.inside);
            if heading.replace(place) != Some(place) {
                match &change.inside {
                    Some(inside) => writeln!(f, "{}: {inside}", change.file)?,
                    None => writeln!(f, "{}", change.file)?,
                }
            }
            change.what.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
