//! What the gates share: how large they run, worlds to break ([`world`]), what a world may hold ([`judge`]), and
//! strace ([`trace`]). Touches temporary directories, in memory where there is room. Read next: `world.rs`.
//!
//! A gate is a sweep that must reach a size. `ARCA_FULL=1` (`tests/run --full`) runs it whole; otherwise it runs a part that is
//! chosen by a seed, and its line tells both the seed and how to repeat it (`ARCA_SEED`).

pub mod judge;
pub mod trace;
pub mod world;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Instant, UNIX_EPOCH};

/// How much of a gate runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    Full,
    /// A part, which one is the seed's to say.
    Short {
        seed: usize,
    },
}

impl Scale {
    /// Reads the environment; see the header. Without a seed there, today's date is one.
    pub fn chosen() -> Self {
        if crate::tests::support::is_full() {
            return Self::Full;
        }
        let today = || UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs() as usize / 86_400);
        let given = std::env::var("ARCA_SEED").ok();
        let seed = given.map_or_else(today, |text| text.parse().expect("ARCA_SEED is a number"));
        Self::Short { seed }
    }

    pub const fn is_full(self) -> bool {
        matches!(self, Self::Full)
    }

    /// The seed of a short run, less than `below`; a full run begins at 0.
    pub const fn offset(self, below: usize) -> usize {
        match self {
            Self::Full => 0,
            Self::Short { seed } => seed % below,
        }
    }

    /// Returns all points in a full run; in a short one every `nth`, beginning where the seed says.
    ///
    /// Points often come in groups of two, three or six (errors, modes): a prime `nth` meets every place in a group.
    pub fn sample<T>(self, nth: usize, points: impl IntoIterator<Item = T>) -> Vec<T> {
        let nth = if self.is_full() { 1 } else { nth };
        points.into_iter().skip(self.offset(nth)).step_by(nth).collect()
    }

    /// Holds a figure against the bound of a full or of a short run.
    #[track_caller]
    pub fn demand(self, what: &str, figure: usize, full: usize, short: usize) {
        let bound = if self.is_full() { full } else { short };
        assert!(figure >= bound, "only {figure} {what}, where {bound} are demanded");
    }
}

/// The program under test.
pub fn program() -> PathBuf {
    PathBuf::from(crate::tests::support::program())
}

/// Prints a gate's one line, also when the test passes.
pub fn report(gate: &str, scale: Scale, text: &str, begun: Instant) {
    let part = match scale {
        Scale::Full => String::new(),
        Scale::Short { seed } => format!(" (a part, ARCA_SEED={seed}; ARCA_FULL=1 for all)"),
    };
    let line = format!("gate {gate}: {text}, {} s{part}\n", begun.elapsed().as_secs());
    // Not eprintln!, which the test harness swallows when a test passes.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// Compiles one of the C files beside this for LD_PRELOAD, into a directory.
pub fn preload(cc: &Path, source: &str, into: &Path) -> PathBuf {
    let shim = into.join(source).with_extension("so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fault/gate").join(source);
    let words = ["-shared", "-fPIC", "-O1", "-Wall", "-o"];
    crate::tests::support::output(std::process::Command::new(cc).args(words).arg(&shim).arg(source)).success();
    shim
}

/// 10412 as `10,412`.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Makes the directory that holds a gate's worlds: in memory where that has room, as nothing here asks about power.
pub fn arena() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let room = rustix::fs::statvfs(memory).map_or(0, |found| found.f_bavail * found.f_frsize);
    let builder = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix("arca-gate-");
        builder
    };
    let made = (room > 512 << 20).then(|| builder().tempdir_in(memory).ok()).flatten();
    made.unwrap_or_else(|| builder().tempdir().unwrap())
}

/// Lets workers, each with a number, take jobs in order until all are done; what they complain about is returned.
///
/// After twenty complaints nothing new is begun: more would tell nothing.
pub fn work<W>(
    jobs: usize,
    begin: impl Fn(usize) -> W + Sync,
    run: impl Fn(&mut W, usize) -> Result<(), String> + Sync,
) -> Vec<String> {
    let workers = std::thread::available_parallelism().map_or(2, usize::from) * 2;
    let (next, complaints) = (AtomicUsize::new(0), Mutex::new(vec![]));
    std::thread::scope(|scope| {
        for number in 0..workers {
            let (next, complaints, begin, run) = (&next, &complaints, &begin, &run);
            scope.spawn(move || {
                let mut worker = begin(number);
                loop {
                    let job = next.fetch_add(1, Ordering::Relaxed);
                    if job >= jobs || complaints.lock().unwrap().len() >= 20 {
                        return;
                    }
                    if let Err(complaint) = run(&mut worker, job) {
                        complaints.lock().unwrap().push(complaint);
                    }
                }
            });
        }
    });
    complaints.into_inner().unwrap()
}

/// Ends the test with everything that was found.
#[track_caller]
pub fn demand_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "{} wrong:\n{}", complaints.len(), complaints.join("\n\n"));
}
