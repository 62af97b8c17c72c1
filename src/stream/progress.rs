//! Says how far something is. Touches nothing; who hears it is the caller's business.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use crate::base::{ByteSize, Event, Events};

/// How many bytes lie between two reports.
pub(crate) const STEP: u64 = 32 << 20;

/// A piece of work that says when it begins, how far it is, and that it has ended.
pub(crate) struct Progress<'e> {
    what: String,
    events: Events<'e>,
    reported: Cell<u64>,
}

impl<'e> Progress<'e> {
    /// Begins; `total` is in bytes, where it is known.
    pub(crate) fn new(what: impl Into<String>, total: Option<u64>, events: Events<'e>) -> Self {
        let what = what.into();
        events(Event::Started { what: what.clone(), total: total.map(ByteSize) });
        Self { what, events, reported: Cell::new(0) }
    }

    /// Reports how many bytes are done, now and then.
    pub(crate) fn at(&self, done: u64) {
        if done >= self.reported.get() + STEP {
            self.reported.set(done);
            (self.events)(Event::Progress { what: self.what.clone(), done: ByteSize(done) });
        }
    }
}

impl Progress<'_> {
    /// The same, for work that a report may end; this one never does.
    pub(crate) fn tell(&self, done: u64) -> io::Result<()> {
        self.at(done);
        Ok(())
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        (self.events)(Event::Finished { what: self.what.clone() });
    }
}

/// A reader that reports how far it is.
pub(crate) struct ProgressReader<'e, R> {
    inner: R,
    done: u64,
    progress: Rc<Progress<'e>>,
}

impl<'e, R> ProgressReader<'e, R> {
    /// Begins a piece of work that this reader is the whole of.
    pub(crate) fn new(inner: R, what: &str, total: Option<u64>, events: Events<'e>) -> Self {
        Self::within(inner, 0, Rc::new(Progress::new(what, total, events)))
    }

    /// Reads a part of a larger piece of work, of which `done` bytes are done.
    pub(crate) fn within(inner: R, done: u64, progress: Rc<Progress<'e>>) -> Self {
        Self { inner, done, progress }
    }
}

impl<R: Read> Read for ProgressReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.done += count as u64;
        self.progress.at(self.done);
        Ok(count)
    }
}
