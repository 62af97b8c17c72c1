//! Who brings which piece: runs of pieces for each worker, in order; the idle take from the slow. Touches nothing.

use std::collections::BTreeSet;
use std::ops::Range;

/// What there is to do, and who does it.
#[derive(Debug)]
pub(super) struct Board {
    done: Vec<bool>,
    left: u64,
    /// Every piece before it is done.
    prefix: u64,
    /// How many pieces are given out at once.
    run: u64,
    /// By worker: from the piece on its way to the end of its run.
    runs: Vec<Range<u64>>,
}

impl Board {
    /// Begins with some pieces done.
    pub(super) fn new(count: u64, there: &BTreeSet<u64>, run: u64, workers: usize) -> Self {
        let done: Vec<_> = (0..count).map(|index| there.contains(&index)).collect();
        let left = done.iter().filter(|done| !**done).count() as u64;
        let mut board = Self { done, left, prefix: 0, run: run.max(1), runs: vec![0..0; workers] };
        board.advance();
        board
    }

    /// Tells whether every piece is there.
    pub(super) fn is_done(&self) -> bool {
        self.left == 0
    }

    /// Returns how many pieces are there without a gap from the start.
    pub(super) fn prefix(&self) -> u64 {
        self.prefix
    }

    /// Gives a worker something to bring, which nobody else brings.
    ///
    /// First what nobody has taken, lowest first, so that the file grows in order; then the second half of what the one
    /// with most left has before it. `is_patient` false (the worker has waited in vain for a while): also the very piece that
    /// another one is at, in case that one hangs.
    pub(super) fn take(&mut self, worker: usize, is_patient: bool) -> Option<Range<u64>> {
        self.release(worker);
        let taken = self.free().or_else(|| self.steal(worker));
        let taken = taken.or_else(|| if is_patient { None } else { self.double(worker) })?;
        self.runs[worker] = taken.clone();
        Some(taken)
    }

    fn free(&self) -> Option<Range<u64>> {
        let is_free = |index: &u64| !self.is_there(*index) && !self.runs.iter().any(|run| run.contains(index));
        let first = (self.prefix..self.done.len() as u64).find(is_free)?;
        let last = (first..self.done.len() as u64).take(self.run as usize).take_while(is_free).last()?;
        Some(first..last + 1)
    }

    fn steal(&mut self, worker: usize) -> Option<Range<u64>> {
        let behind = |run: &Range<u64>| run.end.saturating_sub(run.start + 1);
        let others = self.runs.iter_mut().enumerate().filter(|(other, _)| *other != worker);
        let (_, victim) = others.max_by_key(|(_, run)| behind(run)).filter(|(_, run)| behind(run) > 0)?;
        let middle = victim.end - behind(victim).div_ceil(2);
        let stolen = middle..victim.end;
        victim.end = middle;
        Some(stolen)
    }

    fn double(&self, worker: usize) -> Option<Range<u64>> {
        let others = || self.runs.iter().enumerate().filter(|(other, run)| *other != worker && !run.is_empty());
        let is_single = |index: u64| others().filter(|(_, run)| run.contains(&index)).count() == 1;
        let first =
            others().map(|(_, run)| run.start).filter(|index| !self.is_there(*index) && is_single(*index)).min()?;
        Some(first..first + 1)
    }

    /// Tells whether a worker should go on with a piece.
    pub(super) fn wants(&self, worker: usize, index: u64) -> bool {
        self.runs[worker].contains(&index) && !self.is_there(index)
    }

    /// Tells whether a piece is there.
    pub(super) fn is_there(&self, index: u64) -> bool {
        self.done.get(index as usize).copied().unwrap_or(true)
    }

    /// Notes that a worker has brought a piece.
    pub(super) fn finish(&mut self, worker: usize, index: u64) {
        if !self.is_there(index) {
            self.done[index as usize] = true;
            self.left -= 1;
        }
        let run = &mut self.runs[worker];
        run.start = run.start.max(index + 1);
        self.advance();
    }

    /// Takes back what a worker has not brought.
    pub(super) fn release(&mut self, worker: usize) {
        self.runs[worker] = 0..0;
    }

    fn advance(&mut self) {
        while self.prefix < self.done.len() as u64 && self.is_there(self.prefix) {
            self.prefix += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(count: u64, workers: usize) -> Board {
        Board::new(count, &BTreeSet::new(), 4, workers)
    }

    #[test]
    fn runs_are_given_out_in_order_and_around_what_is_there() {
        let mut board = Board::new(12, &BTreeSet::from([0, 1, 5]), 4, 3);
        assert_eq!((board.prefix(), board.is_done()), (2, false));
        assert_eq!(board.take(0, true), Some(2..5));
        assert_eq!(board.take(1, true), Some(6..10));
        assert_eq!(board.take(2, true), Some(10..12));
        board.finish(1, 6);
        assert_eq!(board.prefix(), 2, "a gap before it");
        (2..5).for_each(|index| board.finish(0, index));
        assert_eq!(board.prefix(), 7);
    }

    #[test]
    fn the_idle_take_half_of_what_lies_before_the_slowest_and_at_last_its_very_piece() {
        let mut board = board(8, 3);
        assert_eq!((board.take(0, true), board.take(1, true)), (Some(0..4), Some(4..8)));
        (4..8).for_each(|index| board.finish(1, index));
        assert_eq!(board.take(1, true), Some(2..4), "of 1..4, as 0 is on its way");
        assert!(board.wants(0, 1) && !board.wants(0, 2));
        (2..4).for_each(|index| board.finish(1, index));
        assert_eq!(board.take(1, true), Some(1..2));
        board.finish(1, 1);
        assert_eq!(board.take(1, true), None, "patient");
        assert_eq!(board.take(1, false), Some(0..1));
        assert_eq!(board.take(2, false), None, "not a third time");
        board.finish(1, 0);
        assert!(board.is_done() && !board.wants(0, 0));
        board.finish(0, 0);
        assert!(board.is_done());
    }

    #[test]
    fn what_a_worker_gives_back_is_given_out_again() {
        let mut board = board(8, 2);
        assert_eq!(board.take(0, true), Some(0..4));
        board.finish(0, 0);
        board.release(0);
        assert_eq!(board.take(1, true), Some(1..5));
        board.release(1);
        assert_eq!(board.take(1, true), Some(1..5));
    }

    proptest::proptest! {
        #[test]
        fn whatever_fails_every_piece_comes_and_nobody_waits_in_vain(
            count in 0_u64..60,
            run in 1_u64..9,
            there in proptest::collection::btree_set(0_u64..60, 0..30),
            steps in proptest::collection::vec((0_usize..3, 0_u8..4), 0..400),
        ) {
            let mut board = Board::new(count, &there, run, 3);
            for (worker, what) in steps {
                match what {
                    0 => board.release(worker),
                    _ if board.runs[worker].is_empty() => drop(board.take(worker, what == 1)),
                    _ => {
                        let index = board.runs[worker].start;
                        board.finish(worker, index);
                    }
                }
            }
            // One hangs; another one alone gets all that is left.
            board.release(2);
            let mut rounds = 0;
            while !board.is_done() {
                board.release(0);
                let run = board.take(0, false);
                proptest::prop_assert!(run.is_some(), "nothing to do, and not done");
                run.into_iter().flatten().for_each(|index| board.finish(0, index));
                rounds += 1;
                proptest::prop_assert!(rounds < 200);
            }
            proptest::prop_assert_eq!(board.prefix(), count);
        }
    }
}
