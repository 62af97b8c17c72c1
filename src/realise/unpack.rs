//! A compressed or raw base made what a bundle can use: unpacked, gated, and a qcow2 where it was a raw disk.
//!
//! The compressed bytes were verified when they came into the store and are hashed again while they are read; what they
//! hold has no digest that is known before, so it is bounded instead, and passes the gate before it gets a name. A raw
//! disk is never written as such: it becomes a qcow2 while it is unpacked. Read next: `crate::format::packed`.

use std::io::{self, Write};

use super::builders::Builders;
use super::gate::gate;
use crate::base::{BaseKind, ByteSize, Code, Compression, DerivationId, Diagnostic};
use crate::format::packed::{PackedError, Unpacker};
use crate::format::qcow2::{self, DiskError};
use crate::store::{ObjectReader, StoreObject};
use crate::stream::{ProgressReader, read_full};

/// How often larger than the file an image may be that says no size. Disk images, empty space and all, unpack to up to
/// some 100 times their files; a bomb of zeros to 1,000 (gzip), 7,000 (xz) and 30,000 times (zstd).
const RATIO: u64 = 256;
/// This much is taken of any file: small disks of little content are harmless.
const SMALL: ByteSize = ByteSize::mib(512);
/// What is handed on at once, and the unit in which zeros become holes.
const BLOCK: usize = 64 << 10;
static ZEROS: [u8; BLOCK] = [0; BLOCK];

/// What to unpack.
pub(super) struct Packed<'a> {
    pub(super) title: &'a str,
    pub(super) input: &'a DerivationId,
    pub(super) compression: Compression,
    /// What the recipe says it unpacks to.
    pub(super) size: Option<ByteSize>,
}

type Stream<'a, 's> = Unpacker<ProgressReader<'a, ObjectReader<'s, 'a>>>;

impl Builders<'_> {
    /// Unpacks an image whose bytes a bundle uses as they are.
    pub(super) fn unpack(&self, packed: &Packed<'_>, kind: BaseKind) -> Result<StoreObject, Diagnostic> {
        let mut stream = self.open(packed)?;
        let mut writer = self.context.store.create(self.privacy, packed.size.map(|size| size.0))?;
        let mut block = vec![0; BLOCK];
        loop {
            let count = match read_full(&mut stream, &mut block) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) => return Err(self.failed(packed, stream, error)),
            };
            let bytes = block.get(..count).unwrap_or_default();
            let is_hole = Some(bytes) == ZEROS.get(..count);
            let written = if is_hole { writer.skip(count as u64) } else { writer.write_all(bytes) };
            written.map_err(|error| writer.told(&error))?;
        }
        whole(packed, stream.length())?;
        writer.finish(None, Some(&mut |file, _| gate(file, Some(kind)))).map_err(|problem| in_image(packed, problem))
    }

    /// Makes a raw disk a qcow2.
    pub(super) fn qcow2_from_disk(&self, packed: &Packed<'_>) -> Result<StoreObject, Diagnostic> {
        let mut stream = self.open(packed)?;
        let mut draft = self.context.store.draft(self.privacy)?;
        match qcow2::from_disk(&mut stream, &mut draft) {
            Ok(size) => whole(packed, size.0)?,
            Err(DiskError::Read(error)) => return Err(self.failed(packed, stream, error)),
            Err(DiskError::Write(error)) => return Err(draft.told(&error)),
            Err(DiskError::Raw(error)) => return Err(in_image(packed, error.into())),
        }
        // Whatever we wrote, nobody uses an image that the gate would refuse.
        draft.finish(Some(&mut |file, _| gate(file, Some(BaseKind::Qcow2))))
    }

    fn open(&self, packed: &Packed<'_>) -> Result<Stream<'_, '_>, Diagnostic> {
        let object = self.input(packed.input)?;
        self.preflight(object)?;
        let reader = self.context.store.reader(object)?;
        let reader = ProgressReader::new(reader, packed.title, Some(object.size()), self.context.events);
        Unpacker::new(packed.compression, reader, limit(packed, object.size(), self.context.largest))
            .map_err(|error| Diagnostic::io("cannot begin to unpack", &error))
    }

    /// Refuses what cannot end well: an image is hardly smaller than the file it comes out of.
    fn preflight(&self, object: &StoreObject) -> Result<(), Diagnostic> {
        match self.context.store.free() {
            Some(free) if free.0 < object.size() => {
                Err(Diagnostic::new(Code::NoSpace, "there is no room in the store to unpack the base")
                    .fact("needed", format!("more than {}", ByteSize(object.size())))
                    .fact("free", free)
                    .note("nothing was added to the store")
                    .hint("make room with `arca-build store gc`, or name another store with `--cache DIR`"))
            }
            _ => Ok(()),
        }
    }

    /// Returns why unpacking stopped; whether the file in the store is still what was pinned is found out first.
    fn failed(&self, packed: &Packed<'_>, stream: Stream<'_, '_>, error: io::Error) -> Diagnostic {
        let packed_error = match error.downcast::<PackedError>() {
            Ok(packed_error) => packed_error,
            Err(error) => return self.unreadable(packed, error),
        };
        if let Err(error) = stream.exhaust() {
            return self.unreadable(packed, error);
        }
        let problem = Diagnostic::from(packed_error);
        let problem = match (problem.code, packed.size) {
            (Code::DecompBomb, None) => problem
                .hint("if the image is that large, say how large exactly: `unpacked_size = \"…\"` under `[base]`"),
            (Code::DecompBomb, Some(_)) => problem.hint("correct `unpacked_size` under `[base]`, or remove it"),
            (Code::DecompMem, _) => problem.hint("compress the image anew with less, such as `xz -9` or `zstd --long`"),
            _ => problem,
        };
        in_image(packed, problem)
    }

    fn unreadable(&self, packed: &Packed<'_>, error: io::Error) -> Diagnostic {
        match self.input(packed.input) {
            Ok(object) => self.context.store.told(&object.digest(), error),
            Err(problem) => problem,
        }
    }
}

/// Returns which file it is about, and what is left: the file itself, which is what was pinned.
fn in_image(packed: &Packed<'_>, problem: Diagnostic) -> Diagnostic {
    problem
        .fact("unpacking", packed.title)
        .note("the file is what was pinned; nothing that it holds was added to the store")
}

/// Returns how much may come out.
fn limit(packed: &Packed<'_>, file: u64, largest: ByteSize) -> ByteSize {
    match (packed.size, packed.compression) {
        (Some(size), _) => size,
        // Nothing comes out that is not there; what the gate takes at most.
        (None, Compression::None) => qcow2::LARGEST_DISK,
        (None, _) => ByteSize(file.saturating_mul(RATIO)).max(SMALL).min(largest),
    }
}

/// Compares what came out with what the recipe says.
fn whole(packed: &Packed<'_>, length: u64) -> Result<(), Diagnostic> {
    match packed.size {
        Some(size) if size.0 != length => {
            let problem = Diagnostic::new(Code::Hash, "the base unpacks to another size than the recipe says")
                .fact("expected", format!("{} bytes", size.0))
                .fact("received", format!("{length} bytes"))
                .hint("correct `unpacked_size` under `[base]`, or remove it");
            Err(in_image(packed, problem))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Digest;

    #[test]
    fn img_13_the_bound_follows_the_file_unless_the_recipe_says_a_size() {
        let input = DerivationId(Digest::of(b""));
        let packed = |compression, size| Packed { title: "", input: &input, compression, size };
        let largest = ByteSize::gib(64);
        for (compression, size, file, bound) in [
            (Compression::Xz, None, 157 << 10, SMALL),
            (Compression::Gzip, None, 100 << 20, ByteSize::mib(25_600)),
            (Compression::Zstd, None, 1 << 40, largest),
            (Compression::Zstd, None, u64::MAX, largest),
            (Compression::Xz, Some(ByteSize(7)), 1 << 30, ByteSize(7)),
            (Compression::Xz, Some(ByteSize::gib(200)), 1 << 20, ByteSize::gib(200)),
            (Compression::None, None, 1, ByteSize::gib(1024)),
        ] {
            assert_eq!(limit(&packed(compression, size), file, largest), bound);
        }
    }
}
