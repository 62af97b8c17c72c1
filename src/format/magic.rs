//! What a file says it is, by its well-known marks; never a guess that anything is opened by. Touches nothing.
//!
//! Marks: the formats' own specifications, as QEMU's probes and file(1) know them. Read next: `qcow2::gate`.

use std::fmt;
use std::io::{self, Read, Seek};

use super::bytes::read_up_to;

/// A format with a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Magic {
    Qcow2,
    Iso9660,
    Udf,
    Vmdk,
    Vhdx,
    Vhd,
    Vdi,
    Qed,
    Parallels,
    Cow,
    Luks,
    Gpt,
    Gzip,
    Xz,
    Zstd,
    Bzip2,
    Zip,
    Html,
    Pgp,
}

/// Where each mark stands; the first four characters of HTML are compared without case.
const MARKS: &[(Magic, usize, &[u8])] = &[
    (Magic::Qcow2, 0, b"QFI\xfb"),
    (Magic::Vmdk, 0, b"KDMV"),
    (Magic::Vmdk, 0, b"COWD"),
    (Magic::Vmdk, 0, b"# Disk DescriptorFile"),
    (Magic::Vhdx, 0, b"vhdxfile"),
    (Magic::Vhd, 0, b"conectix"),
    (Magic::Vdi, 0x40, &[0x7f, 0x10, 0xda, 0xbe]),
    (Magic::Qed, 0, b"QED\0"),
    (Magic::Parallels, 0, b"WithoutFreeSpace"),
    (Magic::Parallels, 0, b"WithouFreSpacExt"),
    (Magic::Cow, 0, b"OOOM"),
    (Magic::Luks, 0, b"LUKS\xba\xbe"),
    (Magic::Gzip, 0, &[0x1f, 0x8b]),
    (Magic::Xz, 0, &[0xfd, b'7', b'z', b'X', b'Z', 0]),
    (Magic::Zstd, 0, &[0x28, 0xb5, 0x2f, 0xfd]),
    (Magic::Bzip2, 0, b"BZh"),
    (Magic::Zip, 0, b"PK\x03\x04"),
    (Magic::Pgp, 0, b"-----BEGIN PGP"),
    (Magic::Gpt, 512, b"EFI PART"),
    (Magic::Gpt, 4096, b"EFI PART"),
    (Magic::Iso9660, 0x8001, b"CD001"),
    (Magic::Udf, 0x8001, b"BEA01"),
];

/// How much of a file [`marks`] looks at.
pub(crate) const HEAD: u64 = 0x8006;

/// What a file without a mark is called where it is text.
pub(crate) const TEXT: &str = "a text file";

impl Magic {
    /// Returns the name people use.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Qcow2 => "a qcow2 image",
            Self::Iso9660 => "an ISO 9660 image",
            Self::Udf => "a UDF image",
            Self::Vmdk => "a VMDK image (VMware)",
            Self::Vhdx => "a VHDX image (Hyper-V)",
            Self::Vhd => "a VHD image",
            Self::Vdi => "a VDI image (VirtualBox)",
            Self::Qed => "a QED image",
            Self::Parallels => "a Parallels image",
            Self::Cow => "a COW image",
            Self::Luks => "a LUKS volume (encrypted)",
            Self::Gpt => "a raw disk with a GPT",
            Self::Gzip => "a gzip file",
            Self::Xz => "an xz file",
            Self::Zstd => "a zstd file",
            Self::Bzip2 => "a bzip2 file",
            Self::Zip => "a zip file",
            Self::Html => "an HTML page",
            Self::Pgp => "an OpenPGP message",
        }
    }
}

impl fmt::Display for Magic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Names every format whose mark the first [`HEAD`] bytes carry, in the order of the table.
pub(crate) fn marks(head: &[u8]) -> Vec<Magic> {
    let carries = |at: usize, mark: &[u8]| head.get(at..).is_some_and(|rest| rest.starts_with(mark));
    let mut found: Vec<Magic> = MARKS.iter().filter(|(_, at, mark)| carries(*at, mark)).map(|mark| mark.0).collect();
    if is_html(head) {
        found.push(Magic::Html);
    }
    found.dedup();
    found
}

/// Returns what [`marks`] found first, in words; "nothing known" for a file without a mark.
pub(crate) fn describe(head: &[u8]) -> &'static str {
    match marks(head).first() {
        Some(magic) => magic.name(),
        None if head.is_empty() => "an empty file",
        None if head.get(510..512) == Some(&[0x55, 0xaa]) => "a raw disk or volume (it has a boot sector)",
        None if is_text(head) => TEXT,
        None => "nothing known (perhaps a raw image)",
    }
}

/// Returns whether the beginning of a file is text: UTF-8, but where it was cut, without controls that no text holds.
fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_some() => return false,
        Err(error) => std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default(),
    };
    let is_odd = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{c}' | '\u{1b}');
    !text.is_empty() && !text.contains(is_odd)
}

/// Reads the part of a stream that [`marks`] wants.
pub(crate) fn read_head<R: Read + Seek>(reader: &mut R) -> io::Result<Vec<u8>> {
    read_up_to(reader, 0, HEAD)
}

fn is_html(head: &[u8]) -> bool {
    let start = head.trim_ascii_start();
    [&b"<!doctype html"[..], b"<html", b"<?xml"]
        .iter()
        .any(|mark| start.get(..mark.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(mark)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_is_found_and_named() {
        for (magic, at, mark) in MARKS {
            let mut head = vec![0; HEAD as usize];
            head[*at..at + mark.len()].copy_from_slice(mark);
            assert_eq!(marks(&head), [*magic]);
            assert_eq!(describe(&head), magic.name());
        }
        assert_eq!(marks(b"  <!DOCTYPE html><p>404"), [Magic::Html]);
    }

    #[test]
    fn img_10_a_file_with_two_marks_shows_both() {
        let mut head = vec![0; HEAD as usize];
        head[..4].copy_from_slice(b"QFI\xfb");
        head[0x8001..0x8006].copy_from_slice(b"CD001");
        assert_eq!(marks(&head), [Magic::Qcow2, Magic::Iso9660]);
    }

    #[test]
    fn a_short_or_unmarked_file_is_no_panic() {
        for (head, shown) in [
            (&b""[..], "an empty file"),
            (b"Q\0", "nothing known (perhaps a raw image)"),
            (b"\xff\xfe", "nothing known (perhaps a raw image)"),
            (b"#!/bin/sh\necho \xc3\xa4 \xc3", "a text file"),
        ] {
            assert!(marks(head).is_empty());
            assert_eq!(describe(head), shown);
        }
    }
}
