//! One step of a build: a builder, its revision, its arguments and its inputs by id. Touches nothing.

use std::collections::BTreeMap;

use super::encode::Encoder;
use crate::base::{BaseKind, ByteSize, Compression, DerivationId, Digest, DiskLabel};

/// What makes a store object. A closed set; every builder that writes bytes has a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Builder {
    /// Fixed-output: the result's digest is known before it runs; where its bytes come from is no part of the id.
    Fixed { digest: Digest },
    /// What a compressed file holds: an image of this kind.
    Unpack { input: DerivationId, compression: Compression, kind: BaseKind, size: Option<ByteSize> },
    /// A raw disk, or one inside a compressed file, as a qcow2.
    Qcow2FromDisk { input: DerivationId, compression: Compression, size: Option<ByteSize> },
    /// A whole-disk FAT volume with these files, by path.
    FatVolume { label: DiskLabel, epoch: u64, files: BTreeMap<String, DerivationId> },
    /// The same guest content as a raw image, as a qcow2.
    Qcow2FromRaw { raw: DerivationId },
    /// A GPT disk with the volume as its one partition.
    GptDisk { volume: DerivationId, label: DiskLabel },
    /// A qcow2 that reads through to the base; without a size it is as large as the base.
    Overlay { base: DerivationId, backing_file: &'static str, size: Option<ByteSize> },
    /// A copy of the base, grown.
    Grow { base: DerivationId, size: Option<ByteSize> },
    /// A blank qcow2.
    Blank { size: ByteSize },
    /// A text put together from pieces.
    Filled { pieces: Vec<Piece> },
    /// A raw disk whose content is one tar stream of these files, by path.
    PayloadTar { files: BTreeMap<String, DerivationId> },
    /// An image layout as one tar (OCI image-spec: image-layout.md), named; the blobs are those that the manifest lists.
    OciArchive { name: String, manifest: DerivationId, blobs: Vec<DerivationId> },
}

/// One piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Its bytes.
    Verbatim(DerivationId),
    /// Its bytes in base64 (RFC 4648, section 4), in one line.
    Base64(DerivationId),
}

impl Piece {
    /// Returns what it is made of.
    pub(crate) const fn input(&self) -> DerivationId {
        match self {
            Self::Verbatim(id) | Self::Base64(id) => *id,
        }
    }

    /// Returns the word for how it is written.
    pub(crate) const fn form(&self) -> &'static str {
        match self {
            Self::Verbatim(_) => "verbatim",
            Self::Base64(_) => "base64",
        }
    }
}

impl Builder {
    /// Returns the builder's word and its revision; a change in produced bytes bumps the revision, hence every id.
    pub(crate) const fn name_and_revision(&self) -> (&'static str, u64) {
        match self {
            Self::Fixed { .. } => ("fixed", 1),
            Self::Unpack { .. } => ("unpack", 1),
            Self::Qcow2FromDisk { .. } => ("qcow2-from-disk", 1),
            Self::FatVolume { .. } => ("fat-volume", 1),
            Self::Qcow2FromRaw { .. } => ("qcow2-from-raw", 1),
            Self::GptDisk { .. } => ("gpt-disk", 1),
            Self::Overlay { .. } => ("overlay", 1),
            Self::Grow { .. } => ("grow", 1),
            Self::Blank { .. } => ("blank", 1),
            Self::Filled { .. } => ("filled", 1),
            Self::PayloadTar { .. } => ("payload-tar", 1),
            Self::OciArchive { .. } => ("oci-archive", 1),
        }
    }

    /// Returns the derivations whose results it reads.
    pub(crate) fn inputs(&self) -> Vec<DerivationId> {
        match self {
            Self::Fixed { .. } | Self::Blank { .. } => vec![],
            Self::FatVolume { files, .. } | Self::PayloadTar { files } => files.values().copied().collect(),
            Self::Filled { pieces } => pieces.iter().map(Piece::input).collect(),
            Self::OciArchive { manifest, blobs, .. } => [manifest].into_iter().chain(blobs).copied().collect(),
            Self::Unpack { input, .. }
            | Self::Qcow2FromDisk { input, .. }
            | Self::Qcow2FromRaw { raw: input }
            | Self::GptDisk { volume: input, .. }
            | Self::Overlay { base: input, .. }
            | Self::Grow { base: input, .. } => vec![*input],
        }
    }

    /// Hashes the canonical encoding.
    pub(crate) fn id(&self) -> DerivationId {
        let (name, revision) = self.name_and_revision();
        let mut encoder = Encoder::new("derivation");
        encoder.text(name).number(revision);
        match self {
            Self::Fixed { digest } => encoder.digest(digest),
            // A size that is said is checked, so a result that was made without it says nothing.
            Self::Unpack { input, compression, kind, size } => encoder
                .digest(&input.0)
                .text(compression.as_str())
                .text(kind.as_str())
                .optional(size.map(|size| size.0)),
            Self::Qcow2FromDisk { input, compression, size } => {
                encoder.digest(&input.0).text(compression.as_str()).optional(size.map(|size| size.0))
            }
            Self::FatVolume { label, epoch, files } => {
                encoder.text(label.as_str()).number(*epoch).number(files.len() as u64);
                files.iter().fold(&mut encoder, |encoder, (path, id)| encoder.text(path).digest(&id.0))
            }
            Self::Qcow2FromRaw { raw } => encoder.digest(&raw.0),
            Self::GptDisk { volume, label } => encoder.digest(&volume.0).text(label.as_str()),
            Self::Overlay { base, backing_file, size } => {
                encoder.digest(&base.0).text(backing_file).optional(size.map(|size| size.0))
            }
            Self::Grow { base, size } => encoder.digest(&base.0).optional(size.map(|size| size.0)),
            Self::Blank { size } => encoder.number(size.0),
            Self::Filled { pieces } => {
                encoder.number(pieces.len() as u64);
                pieces.iter().fold(&mut encoder, |encoder, one| encoder.text(one.form()).digest(&one.input().0))
            }
            Self::PayloadTar { files } => {
                encoder.number(files.len() as u64);
                files.iter().fold(&mut encoder, |encoder, (path, id)| encoder.text(path).digest(&id.0))
            }
            Self::OciArchive { name, manifest, blobs } => {
                encoder.text(name).digest(&manifest.0).number(blobs.len() as u64);
                blobs.iter().fold(&mut encoder, |encoder, id| encoder.digest(&id.0))
            }
        };
        DerivationId(encoder.finish())
    }

    /// Returns the FAT volume id that goes with a volume's derivation id.
    ///
    /// It is what `/dev/disk/by-uuid` shows, so it changes with the content and never with the day.
    pub(crate) fn volume_id(id: &DerivationId) -> u32 {
        let [a, b, c, d, ..] = *id.0.as_bytes();
        u32::from_le_bytes([a, b, c, d])
    }
}

/// A builder with its id and the name it goes by in messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Derivation {
    pub id: DerivationId,
    pub title: String,
    pub builder: Builder,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_argument_reaches_the_id() {
        let base = Builder::Fixed { digest: Digest::of(b"base") }.id();
        let other = Builder::Fixed { digest: Digest::of(b"other") }.id();
        let files = |path: &str, id| BTreeMap::from([(path.to_owned(), id)]);
        let all = [
            Builder::Fixed { digest: Digest::of(b"base") },
            Builder::Overlay { base, backing_file: "base.qcow2", size: None },
            Builder::Overlay { base, backing_file: "base.qcow2", size: Some(ByteSize(0)) },
            Builder::Overlay { base: other, backing_file: "base.qcow2", size: None },
            Builder::Grow { base, size: None },
            Builder::Qcow2FromRaw { raw: base },
            Builder::GptDisk { volume: base, label: DiskLabel::Ignition },
            Builder::GptDisk { volume: base, label: DiskLabel::Combustion },
            Builder::FatVolume { label: DiskLabel::Ignition, epoch: 0, files: files("a", base) },
            Builder::FatVolume { label: DiskLabel::Ignition, epoch: 1, files: files("a", base) },
            Builder::FatVolume { label: DiskLabel::Ignition, epoch: 0, files: files("b", base) },
            Builder::FatVolume { label: DiskLabel::Ignition, epoch: 0, files: files("a", other) },
            Builder::Blank { size: ByteSize(512) },
            Builder::Unpack { input: base, compression: Compression::Xz, kind: BaseKind::Iso, size: None },
            Builder::Unpack { input: other, compression: Compression::Xz, kind: BaseKind::Iso, size: None },
            Builder::Unpack { input: base, compression: Compression::Gzip, kind: BaseKind::Iso, size: None },
            Builder::Unpack { input: base, compression: Compression::Xz, kind: BaseKind::Qcow2, size: None },
            Builder::Unpack { input: base, compression: Compression::Xz, kind: BaseKind::Iso, size: Some(ByteSize(0)) },
            Builder::Qcow2FromDisk { input: base, compression: Compression::None, size: None },
            Builder::Qcow2FromDisk { input: base, compression: Compression::Xz, size: None },
            Builder::Qcow2FromDisk { input: other, compression: Compression::Xz, size: None },
            Builder::Qcow2FromDisk { input: base, compression: Compression::Xz, size: Some(ByteSize(512)) },
            Builder::Filled { pieces: vec![Piece::Verbatim(base)] },
            Builder::Filled { pieces: vec![Piece::Base64(base)] },
            Builder::Filled { pieces: vec![Piece::Verbatim(other)] },
            Builder::Filled { pieces: vec![Piece::Verbatim(base), Piece::Verbatim(base)] },
            Builder::PayloadTar { files: files("a", base) },
            Builder::PayloadTar { files: files("b", base) },
            Builder::PayloadTar { files: files("a", other) },
            Builder::OciArchive { name: "a".into(), manifest: base, blobs: vec![] },
            Builder::OciArchive { name: "b".into(), manifest: base, blobs: vec![] },
            Builder::OciArchive { name: "a".into(), manifest: other, blobs: vec![] },
            Builder::OciArchive { name: "a".into(), manifest: base, blobs: vec![other] },
            Builder::OciArchive { name: "a".into(), manifest: base, blobs: vec![other, other] },
        ];
        let ids: std::collections::BTreeSet<_> = all.iter().map(Builder::id).collect();
        assert_eq!(ids.len(), all.len());
    }
}
