//! Makes what carries bytes by address into the guest: a config with them inside, a disk with them as one tar stream.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use base64::Engine as _;

use super::build::Bench;
use crate::base::{ByteSize, Code, DerivationId, Event, Problem};
use crate::format::archive::{ArchiveError, Stream};
use crate::plan::Piece;
use crate::recipe::CONTENT_LIMIT;
use crate::store::StoreObject;

/// The most that a config with bytes inside may hold: what a config disk has room for.
const FILLED_LIMIT: usize = 32 << 20;

/// The payload disk's size is a multiple of this, so that every layer above may take it for a disk.
const DISK_UNIT: u64 = 1 << 20;

impl Bench<'_> {
    /// Puts a text together from its pieces.
    pub(super) fn filled(&self, title: &str, pieces: &[Piece]) -> Result<StoreObject, Problem> {
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
    pub(super) fn payload(&self, title: &str, files: &BTreeMap<String, DerivationId>) -> Result<StoreObject, Problem> {
        let store = self.workshop.store;
        let objects =
            files.iter().map(|(path, id)| Ok((path, self.input(id)?))).collect::<Result<Vec<_>, Problem>>()?;
        let length = Stream::<Vec<u8>>::length(objects.iter().map(|(_, object)| object.size()), DISK_UNIT);
        (self.workshop.events)(Event::Started { what: title.to_owned(), total: Some(ByteSize(length)) });
        let mut writer = store.create(self.privacy, Some(length))?;
        let mut stream = Stream::begin(&mut writer);
        for (path, object) in objects {
            let told = |error| match error {
                ArchiveError::Read(error) => store.told(&object.digest(), error),
                ArchiveError::Write(error) => Problem::io("cannot write the payload disk", &error),
                other => Problem::new(Code::Provision, format!("`{path}` cannot be carried")).cause(other),
            };
            let tell = |done| (self.workshop.events)(Event::Progress { what: title.to_owned(), done: ByteSize(done) });
            let mut reader = Telling { inner: store.reader(object)?, done: stream.at(), told: stream.at(), tell };
            stream.add(path, object.size(), &mut reader).map_err(told)?;
        }
        let finished = stream.finish(DISK_UNIT).and_then(|writer| writer.flush().map_err(ArchiveError::Write));
        (self.workshop.events)(Event::Finished { what: title.to_owned() });
        finished.map_err(|error| Problem::new(Code::Io, "cannot write the payload disk").cause(error))?;
        writer.finish(None, None)
    }
}

/// Hands bytes on and tells from time to time how many there were.
struct Telling<R, F> {
    inner: R,
    done: u64,
    told: u64,
    tell: F,
}

/// How many bytes lie between two reports.
const STEP: u64 = 32 << 20;

impl<R: Read, F: Fn(u64)> Read for Telling<R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.done += count as u64;
        if self.done - self.told >= STEP {
            self.told = self.done;
            (self.tell)(self.done);
        }
        Ok(count)
    }
}

fn too_large(headline: &str, size: ByteSize, limit: ByteSize) -> Problem {
    let problem = Problem::new(Code::Provision, headline).fact("size", size.exact()).fact("limit", limit.exact());
    problem.hint("write engine = \"combustion\": it takes files of any size")
}
