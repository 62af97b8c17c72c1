//! What the gates share: how large they run, worlds to break ([`world`]), what a world may hold ([`judge`]), and
//! strace ([`trace`]). Touches temporary directories, in memory where there is room. Read next: `world.rs`.
//!
//! A gate is a sweep that must reach a size: `tests/run` (and so CI) runs it full, with the release binary. A plain
//! `cargo test` runs a twentieth of it with the debug binary, and its line says so. `ARCA_GATE=full` or `ARCA_GATE=small`
//! decides otherwise (full takes the release binary as it lies there: build it first).

pub mod judge;
pub mod trace;
pub mod world;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// How much of a gate runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    Full,
    /// Every twentieth point.
    Small,
}

impl Scale {
    /// Reads the environment; see the header.
    pub fn chosen() -> Self {
        match std::env::var("ARCA_GATE").as_deref() {
            Ok("full") => Self::Full,
            Ok("small") => Self::Small,
            Ok(other) => panic!("ARCA_GATE is `full` or `small`, not `{other}`"),
            Err(_) if std::env::var("ARCA_REQUIRE_TOOLS").is_ok_and(|value| value == "1") => Self::Full,
            Err(_) => Self::Small,
        }
    }

    /// How far one point that is run lies from the next.
    pub const fn step(self) -> usize {
        match self {
            Self::Full => 1,
            Self::Small => 20,
        }
    }

    /// The program under test; `None` after telling that the test is skipped.
    pub fn program(self) -> Option<PathBuf> {
        let debug = Path::new(crate::tests::support::program());
        if self == Self::Small {
            return Some(debug.to_owned());
        }
        let release = debug.parent()?.parent()?.join("release/arca-build");
        if !release.exists() {
            crate::tests::support::skip("the release binary (cargo build --release)");
            return None;
        }
        Some(release)
    }

    /// Holds a figure against the bound of a full run, or its part of it.
    #[track_caller]
    pub fn demand(self, what: &str, figure: usize, bound: usize) {
        let bound = bound / self.step();
        assert!(figure >= bound, "only {figure} {what}, where {bound} are demanded");
    }
}

/// Prints a gate's one line, also when the test passes.
pub fn report(gate: &str, scale: Scale, text: &str, begun: Instant) {
    let part = if scale == Scale::Small { " (small: ARCA_GATE=full for all)" } else { "" };
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
