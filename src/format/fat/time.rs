//! The one time stamp on the volume. Touches nothing, least of all the clock.
//!
//! Specification: fatgen103, "Date and Time Formats": 1980 to 2107, in steps of two seconds, UTC here.

use std::cell::Cell;
use std::time::{Duration, UNIX_EPOCH};

use fatfs::{Date, DateTime, Time, TimeProvider};

/// 1980-01-01 and 2107-12-31T23:59:58, in seconds since 1970.
const FIRST: u64 = 315_532_800;
const LAST: u64 = 4_354_819_198;

/// Turns seconds since 1970 into FAT's date and time, clamped to what it can say.
pub(crate) fn date_time(epoch: u64) -> DateTime {
    let stamp =
        humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(epoch.clamp(FIRST, LAST))).to_string();
    let mut numbers = stamp.split(['-', 'T', ':', 'Z']).map(|number| number.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    let date = Date { year: next(), month: next(), day: next() };
    DateTime { date, time: Time { hour: next(), min: next(), sec: next() & !1, millis: 0 } }
}

/// Returns the two 16-bit words that stand in a directory entry: time, then date.
pub(crate) fn words(stamp: DateTime) -> (u16, u16) {
    let time = stamp.time.hour << 11 | stamp.time.min << 5 | (stamp.time.sec / 2);
    let date = (stamp.date.year - 1980) << 9 | stamp.date.month << 5 | stamp.date.day;
    (time, date)
}

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(FIRST) };
}

/// Tells `fatfs` the epoch of the volume being written on this thread.
///
/// The crate wants a `&'static` provider, so the epoch cannot be a field of one.
#[derive(Debug)]
pub(crate) struct Epoch;

pub(super) static EPOCH: Epoch = Epoch;

impl Epoch {
    /// Sets the epoch; every volume begins with this.
    pub(super) fn set(epoch: u64) {
        NOW.set(epoch);
    }
}

impl TimeProvider for Epoch {
    fn get_current_date(&self) -> Date {
        date_time(NOW.get()).date
    }

    fn get_current_date_time(&self) -> DateTime {
        date_time(NOW.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_8_stamps_are_clamped_to_what_fat_can_say() {
        for (epoch, want) in [
            (0, (1980, 1, 1, 0, 0, 0)),
            (FIRST, (1980, 1, 1, 0, 0, 0)),
            (951_782_399, (2000, 2, 28, 23, 59, 58)),
            (951_825_600, (2000, 2, 29, 12, 0, 0)),
            (1_704_067_199, (2023, 12, 31, 23, 59, 58)),
            (4_107_542_400, (2100, 3, 1, 0, 0, 0)),
            (u64::MAX, (2107, 12, 31, 23, 59, 58)),
        ] {
            let DateTime { date, time } = date_time(epoch);
            assert_eq!((date.year, date.month, date.day, time.hour, time.min, time.sec), want, "{epoch}");
        }
    }
}
