//! The threads: one for each mirror at work, and the caller's, which hashes the whole in order as it grows.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::super::input::Job;
use super::board::Board;
use super::{AT_ONCE, RUN};
use crate::base::{ByteSize, Code, Diagnostic, Digest, Event, Events, Url};
use crate::fetch::{Fetch, Missed, Span};
use crate::format::metalink::Pieces;
use crate::recipe::Source;
use crate::store::{Cut, Filler};
use crate::stream::BackgroundHasher;

/// How often progress is told, and the idle look again.
const TICK: Duration = Duration::from_millis(200);
/// How many ticks one waits in vain before bringing the very piece that another one is at.
const PATIENCE: u32 = 10;
/// How many requests in a row a mirror may fail without one piece.
const STRIKES: u32 = 3;

/// One file on its way from several mirrors.
pub(super) struct Work<'a> {
    pub job: &'a Job<'a>,
    pub events: Events<'a>,
    pub fetch: &'a dyn Fetch,
    pub pieces: &'a Pieces,
    pub cut: Cut,
    pub file: &'a Filler<'a, 'a>,
    /// Best first.
    pub mirrors: &'a [Url],
}

/// What is known when all is done, or nobody is left.
#[derive(Clone, Debug, Default)]
pub(super) struct Ended {
    /// By mirror, those that were asked.
    pub gave: Vec<(Url, u64)>,
    /// Bytes that came, those that were of no use included.
    pub received: u64,
    /// Of the liars.
    pub failures: Vec<Diagnostic>,
    pub liars: Vec<Source>,
}

struct State {
    board: Board,
    /// The next mirror that nobody has asked yet.
    next: usize,
    working: usize,
    done: u64,
    ended: Ended,
    /// Wrong pieces, by what they were: two mirrors that agree against the list speak against the list.
    wrong: BTreeMap<(u64, Digest), usize>,
    lies: Vec<Lie>,
    /// Why no mirror can help.
    fatal: Option<Diagnostic>,
    /// Pieces that came right in this run: who proves the list.
    proven: u64,
}

struct Lie {
    mirror: usize,
    problem: Diagnostic,
}

/// The state and who waits for it.
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>, how_long: Duration) -> MutexGuard<'s, State> {
        self.changed.wait_timeout(state, how_long).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl State {
    fn is_over(&self) -> bool {
        self.board.is_done() || self.fatal.is_some() || self.working == 0
    }
}

/// How a run of pieces went.
enum Flow {
    /// On to the next one.
    On,
    /// The mirror gives nothing more.
    Drop,
}

impl Work<'_> {
    /// Brings what is missing; returns the digest of the whole.
    pub(super) fn run(&self, there: &BTreeSet<u64>) -> (Result<Digest, Diagnostic>, Ended) {
        let workers = self.mirrors.len().min(AT_ONCE);
        let run = (RUN / self.cut.piece).max(1);
        let gave = self.mirrors.iter().map(|mirror| (mirror.clone(), 0)).collect();
        let shared = Shared {
            state: Mutex::new(State {
                board: Board::new(self.cut.count(), there, run, workers),
                next: 0,
                working: workers,
                done: there.iter().map(|index| self.cut.span(*index).1).sum(),
                ended: Ended { gave, ..Ended::default() },
                wrong: BTreeMap::new(),
                lies: vec![],
                fatal: None,
                proven: 0,
            }),
            changed: Condvar::new(),
        };
        let whole = std::thread::scope(|scope| {
            for worker in 0..workers {
                let shared = &shared;
                scope.spawn(move || self.work(shared, worker));
            }
            self.follow(&shared)
        });
        let mut state = shared.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let result = match state.fatal.take() {
            Some(problem) => Err(problem),
            None if state.board.is_done() => whole,
            None => Err(self.nobody_left(&mut state)),
        };
        (result, state.ended)
    }

    fn nobody_left(&self, state: &mut State) -> Diagnostic {
        let lies = std::mem::take(&mut state.lies);
        // Where no piece was ever right, list and mirrors disagree, and nothing says who lies.
        if state.proven == 0 && !lies.is_empty() {
            let shown: Vec<_> = lies.iter().map(|lie| self.mirrors[lie.mirror].to_string()).collect();
            let text = format!("the list of mirrors and the mirrors disagree ({})", shown.join(", "));
            return Diagnostic::new(Code::Hash, text);
        }
        for lie in lies {
            state.ended.liars.push(Source::Url(self.mirrors[lie.mirror].clone()));
            state.ended.failures.push(lie.problem);
        }
        Diagnostic::new(Code::NetProtocol, "no mirror is left that gives pieces")
    }

    /// Hashes what is there without a gap, as it grows, and tells how far it is.
    fn follow(&self, shared: &Shared) -> Result<Digest, Diagnostic> {
        let told = |error| Diagnostic::io("cannot hash what was received", &error);
        let mut hasher = BackgroundHasher::new();
        loop {
            let state = shared.lock();
            let state = if state.is_over() { state } else { shared.wait(state, TICK) };
            let (prefix, is_over) = (state.board.prefix() * self.cut.piece, state.is_over());
            let done = ByteSize(state.done);
            drop(state);
            (self.events)(Event::Progress { what: self.job.what.to_owned(), done });
            let from = hasher.length();
            while hasher.length() < prefix.min(self.cut.size) {
                let mut bytes = hasher.buffer().map_err(told)?;
                let missing = prefix.min(self.cut.size) - hasher.length();
                bytes.resize(bytes.capacity().min(missing as usize), 0);
                if let Err(problem) = self.file.read(hasher.length(), &mut bytes) {
                    shared.lock().fatal.get_or_insert(problem.clone());
                    return Err(problem);
                }
                hasher.give(bytes).map_err(told)?;
            }
            if hasher.length() > from {
                self.file.begin_storing(from, hasher.length() - from);
            }
            if is_over {
                return hasher.finish().map_err(told);
            }
        }
    }

    /// One mirror after the other, until all is there or none is left.
    fn work(&self, shared: &Shared, worker: usize) {
        while let Some(mirror) = self.next_mirror(shared) {
            self.ask(shared, worker, mirror);
        }
        let mut state = shared.lock();
        state.board.release(worker);
        state.working -= 1;
        shared.changed.notify_all();
    }

    fn next_mirror(&self, shared: &Shared) -> Option<usize> {
        let mut state = shared.lock();
        let mirror = state.next;
        if state.is_over() || mirror >= self.mirrors.len() {
            return None;
        }
        state.next += 1;
        Some(mirror)
    }

    /// Asks one mirror for run after run.
    fn ask(&self, shared: &Shared, worker: usize, mirror: usize) {
        let mut strikes = 0;
        while let Some(run) = self.wait_for_work(shared, worker) {
            let (came, missed) = self.bring(shared, worker, mirror, run);
            let mut state = shared.lock();
            state.board.release(worker);
            shared.changed.notify_all();
            drop(state);
            strikes = if came { 0 } else { strikes + 1 };
            let flow = match missed {
                None => Flow::On,
                Some(missed) => self.judge(shared, mirror, missed, strikes),
            };
            if matches!(flow, Flow::Drop) {
                return;
            }
        }
    }

    fn wait_for_work(&self, shared: &Shared, worker: usize) -> Option<Range<u64>> {
        let mut state = shared.lock();
        let mut waited = 0;
        while !state.is_over() {
            if let Some(run) = state.board.take(worker, waited < PATIENCE) {
                return Some(run);
            }
            state = shared.wait(state, TICK);
            waited += 1;
        }
        None
    }

    /// Brings a run of pieces from one mirror; tells whether any came, and what went wrong.
    fn bring(&self, shared: &Shared, worker: usize, mirror: usize, run: Range<u64>) -> (bool, Option<Missed>) {
        let from = self.cut.span(run.start).0;
        let span = Span { from, length: self.cut.span(run.end).0 - from, total: self.cut.size };
        let index = Cell::new(run.start);
        let mut piece: Vec<u8> = vec![];
        let stop = || {
            let state = shared.lock();
            state.fatal.is_some() || !state.board.wants(worker, index.get())
        };
        let mut take = |mut bytes: &[u8]| {
            shared.lock().ended.received += bytes.len() as u64;
            while !bytes.is_empty() && index.get() < run.end {
                let missing = self.cut.span(index.get()).1 as usize - piece.len();
                let (head, tail) = bytes.split_at(missing.min(bytes.len()));
                piece.extend_from_slice(head);
                bytes = tail;
                if head.len() == missing {
                    self.keep(shared, worker, mirror, index.get(), &piece)?;
                    index.set(index.get() + 1);
                    piece.clear();
                }
            }
            Ok(())
        };
        let missed = self.fetch.range(&self.mirrors[mirror], span, &stop, &mut take).err();
        (index.get() > run.start, missed)
    }

    /// Compares a whole piece and writes it.
    fn keep(&self, shared: &Shared, worker: usize, mirror: usize, index: u64, bytes: &[u8]) -> Result<(), Diagnostic> {
        let found = Digest::of(bytes);
        if self.pieces.digests.get(index as usize) != Some(&found) {
            return Err(self.lied(shared, mirror, index, found));
        }
        if !shared.lock().board.is_there(index) {
            let written = self.file.write(index, bytes);
            let mut state = shared.lock();
            if let Err(problem) = written {
                state.fatal.get_or_insert(problem.clone());
                return Err(problem);
            }
            if !state.board.is_there(index) {
                state.done += bytes.len() as u64;
                state.ended.gave[mirror].1 += bytes.len() as u64;
            }
        }
        let mut state = shared.lock();
        state.proven += 1;
        state.board.finish(worker, index);
        if state.board.is_done() {
            shared.changed.notify_all();
        }
        Ok(())
    }

    /// Remembers who gave a wrong piece.
    fn lied(&self, shared: &Shared, mirror: usize, index: u64, found: Digest) -> Diagnostic {
        let url = &self.mirrors[mirror];
        let expected = self.pieces.digests.get(index as usize).map(ToString::to_string).unwrap_or_default();
        let headline = format!("piece {} of {} is not what the list of mirrors says", index + 1, self.cut.count());
        let problem = Diagnostic::new(Code::Hash, headline)
            .fact("expected", format!("sha256:{expected}"))
            .fact("received", format!("sha256:{found}"))
            .fact("from", url);
        let mut state = shared.lock();
        let first = *state.wrong.entry((index, found)).or_insert(mirror);
        if first != mirror {
            let wrong = format!("the list of mirrors is wrong: two of them agree on another piece {}", index + 1);
            state.fatal.get_or_insert(Diagnostic::new(Code::NetProtocol, wrong));
        }
        state.lies.push(Lie { mirror, problem: problem.clone() });
        problem
    }

    /// Decides whether a mirror that failed is asked again, and waits before it is.
    fn judge(&self, shared: &Shared, mirror: usize, missed: Missed, strikes: u32) -> Flow {
        let mut state = shared.lock();
        if state.is_over() {
            return Flow::Drop;
        }
        match missed.pause.filter(|_| strikes < STRIKES) {
            Some(pause) => {
                let mut left = pause.saturating_mul(1 << strikes.min(8));
                while !left.is_zero() && !state.is_over() {
                    state = shared.wait(state, left.min(TICK));
                    left = left.saturating_sub(TICK);
                }
                Flow::On
            }
            None => {
                drop(state);
                let (what, headline) = (self.job.what, missed.problem.headline);
                let text = format!("`{what}`: {headline} ({}); it is asked no more", self.mirrors[mirror]);
                (self.events)(Event::Warning { text });
                Flow::Drop
            }
        }
    }
}
