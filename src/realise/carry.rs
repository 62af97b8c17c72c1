//! Makes what carries bytes by address into the guest: a config with them inside, a disk with them as one tar stream, a
//! container image as the archive that podman loads.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::rc::Rc;

use base64::Engine as _;

use super::builders::Builders;
use super::context::named;
use crate::base::{ByteSize, Code, DerivationId, Diagnostic};
use crate::format::archive::{ArchiveError, Stream};
use crate::format::oci;
use crate::plan::Piece;
use crate::recipe::CONTENT_LIMIT;
use crate::store::StoreObject;
use crate::stream::{Progress, ProgressReader};

/// The most that a config with bytes inside may hold: what a config disk has room for.
const FILLED_LIMIT: usize = 32 << 20;

/// The payload disk's size is a multiple of this, so that every layer above may take it for a disk.
const DISK_UNIT: u64 = 1 << 20;

impl Builders<'_> {
    /// Puts a text together from its pieces.
    pub(super) fn filled(&self, title: &str, pieces: &[Piece]) -> Result<StoreObject, Diagnostic> {
        let mut text = vec![];
        for piece in pieces {
            match piece {
                Piece::Verbatim(id) => text.extend(self.read(id)?),
                Piece::Base64(id) => {
                    let size = ByteSize(self.input(id)?.size());
                    if size > CONTENT_LIMIT {
                        return Err(too_large(
                            "a file by URL is too large for an Ignition config",
                            size,
                            CONTENT_LIMIT,
                        ));
                    }
                    text.extend(base64::engine::general_purpose::STANDARD.encode(self.read(id)?).bytes());
                }
            }
            if text.len() > FILLED_LIMIT {
                let (size, limit) = (ByteSize(text.len() as u64), ByteSize(FILLED_LIMIT as u64));
                return Err(too_large(&format!("`{title}` is too large with the files by URL inside"), size, limit));
            }
        }
        self.put(&text)
    }

    /// Streams files into one disk, each verified on the way; memory is bounded by a buffer.
    pub(super) fn payload(
        &self,
        title: &str,
        files: &BTreeMap<String, DerivationId>,
    ) -> Result<StoreObject, Diagnostic> {
        let objects = files.iter().map(|(path, id)| Ok((path.clone(), Member::Object(self.input(id)?))));
        self.tar(title, &objects.collect::<Result<_, Diagnostic>>()?, DISK_UNIT)
    }

    /// Packs an image layout: the blobs as they are, and the two files that say what they are.
    ///
    /// The manifest is read once more: that it lists just these blobs is what makes the archive an image.
    pub(super) fn oci_archive(
        &self,
        title: &str,
        name: &str,
        manifest: &DerivationId,
        blobs: &[DerivationId],
    ) -> Result<StoreObject, Diagnostic> {
        let object = self.input(manifest)?;
        let oci::Document::Image(image) = oci::read(&self.context.store.read(object, oci::DOCUMENT_LIMIT)?)? else {
            return Err(Diagnostic::new(Code::Recipe, format!("`{title}` is pinned as an index, not as an image"))
                .hint("run `arca-build update` again"));
        };
        let there = blobs.iter().map(|id| self.input(id)).collect::<Result<Vec<_>, _>>()?;
        let listed = image.blobs();
        let held = there.iter().map(|object| oci::Blob { digest: object.digest(), size: object.size() });
        if held.ne(listed) {
            return Err(Diagnostic::new(
                Code::Recipe,
                format!("the lock lists other blobs of `{title}` than its manifest"),
            )
            .fact("manifest", named(&object.digest()))
            .hint("run `arca-build update` again"));
        }
        let manifest = oci::Blob { digest: object.digest(), size: object.size() };
        let index = oci::layout::index(image.media_type, manifest, name);
        let objects = there.into_iter().chain([object]);
        let mut members: BTreeMap<_, _> =
            objects.map(|object| (oci::layout::blob_path(&object.digest()), Member::Object(object))).collect();
        members.insert(oci::layout::INDEX_FILE.to_owned(), Member::Text(&index));
        members.insert(oci::layout::LAYOUT_FILE.to_owned(), Member::Text(oci::layout::LAYOUT));
        self.tar(title, &members, 1)
    }

    /// Streams members into one tar, each verified on the way.
    fn tar(&self, title: &str, members: &BTreeMap<String, Member<'_>>, unit: u64) -> Result<StoreObject, Diagnostic> {
        let store = self.context.store;
        let length = Stream::<Vec<u8>>::length(members.values().map(Member::size), unit);
        let progress = Rc::new(Progress::new(title, Some(length), self.context.events));
        let mut writer = store.create(self.privacy, Some(length))?;
        let mut stream = Stream::begin(&mut writer);
        for (path, member) in members {
            let told = |error| match (error, member) {
                (ArchiveError::Read(error), Member::Object(object)) => store.told(&object.digest(), error),
                (ArchiveError::Write(error), _) => Diagnostic::io(format!("cannot write `{title}`"), &error),
                (other, _) => Diagnostic::new(Code::Provision, format!("`{path}` cannot be carried")).cause(other),
            };
            let inner: Box<dyn Read + '_> = match member {
                Member::Object(object) => Box::new(store.reader(object)?),
                Member::Text(text) => Box::new(*text),
            };
            let mut reader = ProgressReader::within(inner, stream.at(), progress.clone());
            stream.add(path, member.size(), &mut reader).map_err(told)?;
        }
        let finished = stream.finish(unit).and_then(|writer| writer.flush().map_err(ArchiveError::Write));
        drop(progress);
        finished.map_err(|error| Diagnostic::new(Code::Io, format!("cannot write `{title}`")).cause(error))?;
        writer.finish(None, None)
    }
}

/// One file of a tar.
enum Member<'a> {
    Object(&'a StoreObject),
    Text(&'a [u8]),
}

impl Member<'_> {
    const fn size(&self) -> u64 {
        match self {
            Self::Object(object) => object.size(),
            Self::Text(text) => text.len() as u64,
        }
    }
}

fn too_large(headline: &str, size: ByteSize, limit: ByteSize) -> Diagnostic {
    let problem = Diagnostic::new(Code::Provision, headline).fact("size", size.exact()).fact("limit", limit.exact());
    problem.hint("write engine = \"combustion\": it takes files of any size")
}
