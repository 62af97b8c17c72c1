//! Progress on stderr: a bar with rate and remaining time on a terminal, a plain line now and then elsewhere.
#![expect(clippy::disallowed_methods, reason = "this file writes to the terminal")]

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::base::{ByteSize, text};

/// Shorter work shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often a plain line is written where there is no terminal, after a first one.
const INTERVAL: Duration = Duration::from_secs(10);

pub(super) struct Progress {
    is_silent: bool,
    is_terminal: bool,
    current: Mutex<Option<Current>>,
}

struct Current {
    what: String,
    total: Option<ByteSize>,
    /// When it began, and what was already there at the first report (a resumed transfer).
    began: Instant,
    kept: Option<u64>,
    told: Option<Instant>,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(super) fn new(is_silent: bool, is_terminal: bool) -> Self {
        Self { is_silent, is_terminal, current: Mutex::new(None) }
    }

    pub(super) fn start(&self, what: &str, total: Option<ByteSize>) {
        if self.is_silent {
            return;
        }
        self.end();
        let now = Instant::now();
        let what = text::one_line(what, 60);
        *self.lock() = Some(Current { what, total, began: now, kept: None, told: None, bar: None });
    }

    pub(super) fn advance(&self, what: &str, done: ByteSize) {
        if self.is_silent {
            return;
        }
        if self.lock().as_ref().is_none_or(|current| current.what != text::one_line(what, 60)) {
            self.start(what, None);
        }
        if let Some(current) = self.lock().as_mut() {
            let kept = *current.kept.get_or_insert(done.0);
            if current.began.elapsed() < PATIENCE {
                return;
            }
            if self.is_terminal { current.draw(done, kept) } else { current.tell(done, kept) }
        }
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        if let Some(Current { bar: Some(bar), .. }) = self.lock().take() {
            bar.finish_and_clear();
        }
    }

    /// Writes something else in between.
    pub(super) fn suspend(&self, write: impl FnOnce()) {
        match self.lock().as_ref().and_then(|current| current.bar.as_ref()) {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Current>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Current {
    fn draw(&mut self, done: ByteSize, kept: u64) {
        let (what, total, pace) = (self.what.clone(), self.total, self.pace(done, kept));
        let bar = self.bar.get_or_insert_with(|| {
            let template = match total {
                Some(_) => "{msg}  {wide_bar}  {bytes}/{total_bytes}  {prefix}",
                None => "{msg}  {spinner}  {bytes}  {prefix}",
            };
            let bar = ProgressBar::with_draw_target(total.map(|total| total.0), ProgressDrawTarget::stderr());
            bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_message(what);
            bar
        });
        bar.set_prefix(pace);
        bar.set_position(done.0);
    }

    fn tell(&mut self, done: ByteSize, kept: u64) {
        if self.told.is_some_and(|told| told.elapsed() < INTERVAL) {
            return;
        }
        self.told = Some(Instant::now());
        let of = self.total.map(|total| format!(" of {total}")).unwrap_or_default();
        let mut err = std::io::stderr().lock();
        let _ = writeln!(err, "{}: {done}{of}, {}", self.what, self.pace(done, kept));
    }

    /// Returns rate and remaining time from the beginning of the work on.
    ///
    /// The bar's own estimate begins when the bar does, a second in and at all the bytes that came till then.
    fn pace(&self, done: ByteSize, kept: u64) -> String {
        pace(done.0.saturating_sub(kept), self.began.elapsed(), self.total.map(|total| total.0.saturating_sub(done.0)))
    }
}

fn pace(came: u64, taken: Duration, missing: Option<u64>) -> String {
    let rate = (came as f64 / taken.as_secs_f64().max(0.001)) as u64;
    let left = missing.filter(|_| rate > 0).map(|missing| format!(", {} left", span(missing / rate)));
    format!("{}/s{}", ByteSize(rate), left.unwrap_or_default())
}

fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_remaining_time_are_those_of_this_transfer() {
        let mib = |count: u64| count << 20;
        for (came, seconds, missing, told) in [
            (mib(20), 2, Some(mib(100)), "10 MiB/s, 10 s left"),
            (mib(20), 2, None, "10 MiB/s"),
            (0, 2, Some(mib(100)), "0 B/s"),
            (mib(1), 1, Some(mib(3600)), "1 MiB/s, 60 min left"),
            (mib(1), 1, Some(mib(36000)), "1 MiB/s, 10 h left"),
        ] {
            assert_eq!(pace(came, Duration::from_secs(seconds), missing), told);
        }
    }
}
