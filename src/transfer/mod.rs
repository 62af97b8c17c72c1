//! Everything a rebuild needs, as one deterministic file, and back.
//!
//! Names `base stream format recipe lock plan store host`; touches the world through `store` and `host`. An archive holds
//! recipes with the files they name, the part of the lock they need, and as objects the inputs that come from outside; with
//! them a store elsewhere builds the same bytes without a network. Bundles go along as plain directories to compare with:
//! what a derivation gave is never taken from an archive, as that would let one recipe's archive decide another's build.
//!
//! Read next: [`pack`] (gather and write), [`mod@open`] (verify), [`mod@unpack`] (into store and directory), then
//! `crate::format::archive` (the bytes).

pub(crate) mod open;
pub(crate) mod pack;
pub(crate) mod unpack;

use std::io::{self, Read};

pub(crate) use open::{Opened, listed, open};
pub(crate) use pack::{Packed, Piece, gather};
pub(crate) use unpack::{Unpacked, unpack};

use crate::base::{ByteSize, Event, Events};
pub(crate) use crate::format::archive::Index;

/// How many bytes pass between two words about progress.
const STEP: u64 = 32 << 20;

/// A reader that tells how far it is.
struct Told<'e, R> {
    inner: R,
    what: &'e str,
    events: Events<'e>,
    done: u64,
    next: u64,
}

impl<'e, R> Told<'e, R> {
    fn new(inner: R, what: &'e str, total: u64, events: Events<'e>) -> Self {
        events(Event::Started { what: what.to_owned(), total: Some(ByteSize(total)) });
        Self { inner, what, events, done: 0, next: STEP }
    }
}

impl<R: Read> Read for Told<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.done += count as u64;
        if self.done >= self.next {
            self.next = self.done + STEP;
            (self.events)(Event::Progress { what: self.what.to_owned(), done: ByteSize(self.done) });
        }
        Ok(count)
    }
}

impl<R> Drop for Told<'_, R> {
    fn drop(&mut self) {
        (self.events)(Event::Finished { what: self.what.to_owned() });
    }
}
