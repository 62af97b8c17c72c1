//! Time within a transfer: the rate floor, the pauses between attempts, how often progress is told.
//!
//! Touches the clock only. Waiting for the disk never counts against the server.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use super::Settings;

/// Watches that a server keeps above the rate floor.
pub(super) struct Floor {
    window: Duration,
    least: u64,
    waited: Duration,
    arrived: u64,
}

impl Floor {
    /// Begins a window.
    pub(super) fn new(settings: &Settings) -> Self {
        Self { window: settings.stall, least: least(settings), waited: Duration::ZERO, arrived: 0 }
    }

    /// Counts bytes and the time spent waiting for them; false when a whole window stayed below the floor.
    pub(super) fn keeps(&mut self, bytes: usize, waited: Duration) -> bool {
        self.waited += waited;
        self.arrived += bytes as u64;
        if self.waited < self.window {
            return true;
        }
        let enough = self.arrived >= self.least;
        (self.waited, self.arrived) = (Duration::ZERO, 0);
        enough
    }
}

/// Returns how many bytes a window at the rate floor brings; fewer are not progress.
fn least(settings: &Settings) -> u64 {
    (settings.stall.as_secs_f64() * settings.floor as f64) as u64
}

/// Counts attempts without progress.
pub(super) struct Attempts {
    allowed: u32,
    /// Attempts in a row that brought too little.
    failed: u32,
    /// All attempts, for the message.
    pub total: u32,
    /// The furthest the sink ever was: bytes below it are not progress, or a server that changes its mind between two
    /// attempts could keep us for ever.
    furthest: u64,
    least: u64,
    first_pause: Duration,
    longest_pause: Duration,
}

impl Attempts {
    /// Begins at the position the sink has now.
    pub(super) fn new(settings: &Settings, position: u64) -> Self {
        Self {
            allowed: settings.attempts,
            failed: 0,
            total: 0,
            furthest: position,
            least: least(settings).max(1),
            first_pause: settings.backoff,
            longest_pause: settings.retry_cap,
        }
    }

    /// Notes a failed attempt that ended at `position`; false when it was the last one.
    pub(super) fn allow_another(&mut self, position: u64) -> bool {
        self.total += 1;
        self.failed += 1;
        if position >= self.furthest.saturating_add(self.least) {
            self.failed = 1;
        }
        self.furthest = self.furthest.max(position);
        self.failed < self.allowed
    }

    /// Returns the pause before the next attempt; what the server asked for counts up to the cap.
    pub(super) fn pause(&self, asked: Option<Duration>) -> Duration {
        let doubled = self.first_pause.saturating_mul(1 << (self.failed.saturating_sub(1)).min(16));
        let own = doubled.min(self.longest_pause).mul_f64(jitter());
        asked.map_or(own, |asked| asked.min(self.longest_pause))
    }

    /// Returns which attempt comes next, counted since the last progress, and how many there may be.
    pub(super) fn next(&self) -> (u32, u32) {
        (self.failed + 1, self.allowed)
    }
}

/// Returns a number from 0.5 to 1, so that many clients of one failed server do not come back together.
fn jitter() -> f64 {
    let random = RandomState::new().hash_one(0_u8);
    0.5 + (random >> 11) as f64 / (1_u64 << 54) as f64
}

/// Lets progress be told at most five times a second.
pub(super) struct Ticker {
    last: Instant,
}

/// The least time between two tellings.
const TICK: Duration = Duration::from_millis(200);
/// How long bytes are gathered before they are handed on: whoever is killed meanwhile has them sent again.
pub(super) const GATHER: Duration = Duration::from_millis(50);

impl Ticker {
    /// Begins now.
    pub(super) fn new() -> Self {
        Self { last: Instant::now() }
    }

    /// Returns whether it is time again.
    pub(super) fn is_due(&mut self) -> bool {
        let due = self.last.elapsed() >= TICK;
        if due {
            self.last = Instant::now();
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings { stall: Duration::from_secs(10), floor: 100, attempts: 3, ..Settings::default() }
    }

    #[test]
    fn net_07_a_drip_is_a_stall_and_a_slow_line_is_not() {
        let second = Duration::from_secs(1);
        let mut drip = Floor::new(&settings());
        assert!((0..9).all(|_| drip.keeps(1, second)));
        assert!(!drip.keeps(1, second));
        let mut slow = Floor::new(&settings());
        assert!((0..100).all(|_| slow.keeps(100, second)));
    }

    #[test]
    fn progress_grants_new_attempts_and_repeated_bytes_do_not() {
        let mut attempts = Attempts::new(&settings(), 0);
        assert!(attempts.allow_another(10) && attempts.allow_another(20) && !attempts.allow_another(30));
        let mut attempts = Attempts::new(&settings(), 0);
        assert!((1..50).all(|step| attempts.allow_another(step * 1000)));
        assert!(attempts.allow_another(0) && !attempts.allow_another(5000));
    }

    #[test]
    fn net_08_pauses_grow_and_are_capped() {
        let mut attempts = Attempts::new(&Settings { attempts: 99, ..settings() }, 0);
        attempts.allow_another(0);
        let first = attempts.pause(None);
        assert!(first >= Duration::from_millis(250) && first <= Duration::from_millis(500), "{first:?}");
        (0..40).for_each(|_| assert!(attempts.allow_another(0)));
        let late = attempts.pause(None);
        assert!(late >= Duration::from_secs(30) && late <= Duration::from_secs(60), "{late:?}");
        assert_eq!(attempts.pause(Some(Duration::from_secs(7))), Duration::from_secs(7));
        assert_eq!(attempts.pause(Some(Duration::MAX)), Duration::from_secs(60));
    }
}
