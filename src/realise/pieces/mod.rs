//! One large input from several mirrors at once, by a publisher's list of them and of the digests of its pieces.
//!
//! The list proves nothing: it is used where it names the pinned digest and size, its pieces tell which mirror lies, and in
//! the end the whole is hashed in order and compared with the pin, as everything is. Whatever goes wrong with list or
//! mirrors, the addresses are then tried one after the other as without a list. Read next: [`board`] (who brings which
//! piece), [`work`] (the threads).

mod board;
mod list;
mod work;

use std::collections::BTreeSet;

use super::input::{Job, REUSED, is_final};
use super::{Tally, Walk};
use crate::base::{ByteSize, Code, Diagnostic, Digest, Event, Url};
use crate::format::metalink::Pieces;
use crate::recipe::Source;
use crate::store::{Cut, Pieced, PiecedClaim, StoreObject};
use work::{Ended, Work};

/// How many mirrors are asked at once.
const AT_ONCE: usize = 4;
/// How much one request asks for: few requests, and little to give back where a mirror fails.
const RUN: u64 = 8 << 20;
/// The longest pieces: each mirror's piece is held in memory until it is compared.
const LONGEST: u64 = 16 << 20;

/// How it came out.
pub(super) enum Several {
    Brought((StoreObject, Tally)),
    /// The addresses are to be tried one after the other.
    Failed(Failed),
}

/// What is known behind a failure.
#[derive(Default)]
pub(super) struct Failed {
    /// One for each mirror that need not be asked again.
    pub failures: Vec<Diagnostic>,
    /// Who gave wrong bytes, by a list that others have proven right.
    pub liars: Vec<Source>,
    /// Mirrors of the list, to be tried behind the input's own addresses.
    pub others: Vec<Source>,
}

/// A failure behind which the addresses are tried one by one.
struct InVain {
    why: Diagnostic,
    ended: Ended,
}

impl Walk<'_> {
    /// Brings an input in pieces, where the list is about it and knows enough mirrors.
    ///
    /// # Errors
    /// Only what no other address can help with; all else is [`Several::Failed`], and told.
    pub(super) fn bring_in_pieces(&self, job: &Job<'_>, sources: &[Source], list: &Url) -> Result<Several, Diagnostic> {
        let nothing = || Ok(Several::Failed(Failed::default()));
        let Some((file, size)) = self.read_list(job, sources, list).zip(job.size) else { return nothing() };
        let mirrors = self.mirrors(sources, &file);
        let others: Vec<_> = mirrors.iter().cloned().map(Source::Url).collect();
        let pieces = file.pieces.as_ref().filter(|pieces| pieces.cover(size.0) && pieces.length <= LONGEST);
        let Some(pieces) = pieces.filter(|_| mirrors.len() > 1) else {
            return Ok(Several::Failed(Failed { others, ..Failed::default() }));
        };
        let cut = Cut { size: size.0, piece: pieces.length };
        let pieced = match self.workshop.store.claim_pieces(job.digest, job.what, cut)? {
            PiecedClaim::Ready(object) => return Ok(Several::Brought((object, REUSED))),
            PiecedClaim::Pieced(pieced) => pieced,
        };
        match self.fill(job, pieces, cut, pieced, &mirrors)? {
            Ok(brought) => Ok(Several::Brought(brought)),
            Err(ended) => {
                self.warn(job, &format!("{}; trying the addresses one by one", ended.why.headline));
                let Ended { failures, liars, .. } = ended.ended;
                Ok(Several::Failed(Failed { failures, liars, others }))
            }
        }
    }

    /// Fills the file, compares the whole, and publishes it; the inner failure is one that another way may heal.
    fn fill(
        &self,
        job: &Job<'_>,
        pieces: &Pieces,
        cut: Cut,
        mut pieced: Pieced<'_, '_>,
        mirrors: &[Url],
    ) -> Result<Result<(StoreObject, Tally), Box<InVain>>, Diagnostic> {
        let events = self.workshop.events;
        events(Event::Started { what: job.what.to_owned(), total: job.size });
        let there = self.right(job, pieces, cut, &pieced)?;
        pieced.begin(&there)?;
        let work = Work { job, events, fetch: self.workshop.fetch, pieces, cut, file: pieced.filler(), mirrors };
        let (whole, ended) = work.run(&there);
        events(Event::Finished { what: job.what.to_owned() });
        for (from, gave) in ended.gave.iter().filter(|(_, gave)| *gave > 0) {
            events(Event::Fetched { what: job.what.to_owned(), from: from.to_string(), size: ByteSize(*gave) });
        }
        let whole = match whole {
            Ok(whole) => whole,
            Err(why) if is_final(&why) => return Err(why),
            Err(why) => return Ok(Err(Box::new(InVain { why, ended }))),
        };
        let mut gate = |file: &mut std::fs::File, _: u64| job.pass(file);
        match pieced.finish(whole, Some(&mut gate)) {
            Ok(object) => {
                let tally = Tally { fetched: 1, fetched_bytes: ended.received, ..Tally::default() };
                Ok(Ok((object, tally)))
            }
            // Every piece was as the list says: then it is the list that is wrong, and no mirror.
            Err(problem) if problem.code == Code::Hash => {
                let wrong = "the list of mirrors is wrong: its pieces do not make the pinned file";
                Ok(Err(Box::new(InVain { why: Diagnostic::new(Code::Hash, wrong), ended: Ended::default() })))
            }
            // The pinned bytes are there, and no other address has others.
            Err(problem) => Err(problem),
        }
    }

    /// Compares the pieces that an earlier run left.
    fn right(
        &self,
        job: &Job<'_>,
        pieces: &Pieces,
        cut: Cut,
        pieced: &Pieced<'_, '_>,
    ) -> Result<BTreeSet<u64>, Diagnostic> {
        let mut right = BTreeSet::new();
        let (mut buffer, mut told, mut done) = (vec![], 0, 0);
        for index in pieced.kept().iter().copied() {
            let (from, length) = cut.span(index);
            buffer.resize(length as usize, 0);
            // A piece behind the end of the file was never there.
            let is_right = pieced.filler().read(from, &mut buffer).is_ok()
                && pieces.digests.get(index as usize) == Some(&Digest::of(&buffer));
            if is_right {
                right.insert(index);
                done += length;
            }
            if done - told >= 64 << 20 {
                told = done;
                (self.workshop.events)(Event::Progress { what: job.what.to_owned(), done: ByteSize(done) });
            }
        }
        Ok(right)
    }

    fn warn(&self, job: &Job<'_>, text: &str) {
        (self.workshop.events)(Event::Warning { text: format!("`{}`: {text}", job.what) });
    }
}
