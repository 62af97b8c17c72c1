//! A file of which nobody knows the digest: brought once, whole, and into the store, where a build finds it.
//!
//! For `update` alone: a plan names digests. Touches the store and the network through them.

use std::io::{Read, Write};

use crate::base::{ByteSize, Diagnostic, Events, Url};
use crate::fetch::{Arrived, Bounds, Fetch};
use crate::store::{ObjectWriter, Privacy, Store, StoreObject};
use crate::stream::Sink;

/// Brings what is at `url` today, whatever it is, of at most `largest`.
///
/// # Errors
/// `E_NET_*`, `E_OFFLINE`, or what the store says.
pub(crate) fn learn(
    what: &str,
    url: &Url,
    largest: ByteSize,
    store: &Store<'_>,
    fetch: &dyn Fetch,
    events: Events<'_>,
) -> Result<(StoreObject, Arrived), Diagnostic> {
    let mut sink = Learning { store, writer: store.create(Privacy::Public, None)? };
    let arrived = fetch.download(what, url, &Bounds::at_most(largest.0), &mut sink, events)?;
    Ok((sink.writer.finish(None, None)?, arrived))
}

/// Reads at most `count` first bytes of an object, unverified: for a hint, never for a byte of a result.
pub(crate) fn head(store: &Store<'_>, object: &StoreObject, count: usize) -> Result<Vec<u8>, Diagnostic> {
    let mut bytes = vec![];
    let read = store.open_object(object)?.take(count as u64).read_to_end(&mut bytes);
    read.map_err(|error| Diagnostic::io("cannot read an object of the store", &error))?;
    Ok(bytes)
}

/// An object that grows; every attempt begins it anew, because no digest would tell two versions of the file spliced.
struct Learning<'s, 'e> {
    store: &'s Store<'e>,
    writer: ObjectWriter<'s, 'e>,
}

impl Sink for Learning<'_, '_> {
    fn position(&self) -> u64 {
        self.writer.length()
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Diagnostic> {
        self.writer.write_all(bytes).map_err(|error| self.writer.told(&error))
    }

    fn restart(&mut self) -> Result<(), Diagnostic> {
        self.writer = self.store.create(Privacy::Public, None)?;
        Ok(())
    }

    fn may_continue(&self) -> bool {
        false
    }
}
