//! IMG-7: no bytes make a reader panic, run away or hoard memory: the stored corpus of the fuzzers, what our own
//! writers write, and thousands of bent copies of each, through every reader of `src/testing/readers.rs`.
//!
//! Inputs are read in child processes: an input is bent the same way for the same number, so a child that dies is known by
//! the last number it told. A panic, a second of time (the best of three), 64 MiB above what the child began with (for xz and
//! zstd what their decoder may ask), and a death are complaints; the input is left in `target/tmp`. The judge is shown readers
//! that do each of these first.
//!
//! Run full, every input is read twice: by this program, built with its checks of arithmetic on, where a giant may take fifteen
//! seconds; and by `target/release/examples/fuzz-reader`, built as what is shipped is, where nothing may take more than one.
//! A short run reads every seed, and an eighth of the bent copies, others for another `ARCA_SEED`, by the former alone.
//! `ARCA_FUZZ_TIMES=N` reads N times as many. `ARCA_FUZZ_SEEDS=DIR` writes the seeds for `cargo fuzz` there. Touches child
//! processes, `target/tmp`. Read next: `gate_fuzz/child.rs`, `seeds.rs`, `mutate.rs`.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::gate::{Scale, grouped, program, report};
use crate::testing::child::{self, Job};
use crate::testing::readers::READERS;
use crate::testing::{monsters, seeds};
use crate::tests::support::{ourselves, skip};

/// Whoever says nothing for so long is ended.
const SILENCE: Duration = Duration::from_secs(60);
/// Parts that a reader's inputs are dealt into, each read by a process of its own.
const PARTS: usize = 4;

/// The part of them that a short run reads.
const SHORT: usize = 8;

/// How many inputs each reader is given when the gate runs full.
const fn share(reader: &str) -> usize {
    match reader.as_bytes() {
        b"cleartext" | b"signature" | b"keyring" => 6_000,
        b"inspect" | b"iso" | b"gpt" | b"fat" | b"qcow2" => 12_000,
        // Each is laid into a store.
        b"meta" | b"realisation" | b"record" | b"root" | b"seen" | b"stamp" => 4_000,
        b"gzip" | b"xz" | b"zstd" => 4_000,
        _ => 16_000,
    }
}

/// What came of some inputs.
#[derive(Debug, Default)]
struct Outcome {
    inputs: usize,
    slowest: Duration,
    /// The slowest of the giants.
    giant: Duration,
    /// KiB above what the process began with.
    peak: u64,
    /// The same of the readers that may take more; see [`limits::memory`].
    unpacking: u64,
    complaints: Vec<String>,
}

impl Outcome {
    fn add(&mut self, other: Self) {
        self.inputs += other.inputs;
        self.slowest = self.slowest.max(other.slowest);
        self.giant = self.giant.max(other.giant);
        self.peak = self.peak.max(other.peak);
        self.unpacking = self.unpacking.max(other.unpacking);
        self.complaints.extend(other.complaints);
    }
}

#[test]
fn img_07_gate_no_reader_panics_hangs_or_hoards_on_stored_or_bent_bytes() {
    if let Some(job) = Job::asked() {
        return child::run(&job);
    }
    let (scale, begun) = (Scale::chosen(), Instant::now());
    let Some(programs) = programs(scale) else { return };
    programs.iter().for_each(judge_is_awake);
    let times = std::env::var("ARCA_FUZZ_TIMES").map_or(1, |text| text.parse().unwrap());
    let count = |reader| if scale.is_full() { share(reader) * times } else { share(reader) * times / SHORT };
    let first = scale.offset(1_000_000) * 16_000;
    let jobs = READERS.iter().flat_map(|(name, _)| Job::parts(name, count(name), PARTS, first));
    let giants = Job::parts(child::MONSTERS, monsters::MONSTERS.len(), PARTS, 0);
    let jobs: Vec<_> = giants.into_iter().chain(jobs).collect();
    let outcomes: Vec<_> = programs.iter().map(|program| (program, all(program, &jobs))).collect();
    let told: Vec<_> = outcomes.iter().map(|(program, outcome)| told_of(program, outcome)).collect();
    report("fuzz", scale, &format!("{} readers; {}", READERS.len(), told.join("; ")), begun);
    for (program, outcome) in outcomes {
        let complaints = &outcome.complaints;
        assert!(complaints.is_empty(), "{}: {} wrong:\n{}", program.name, complaints.len(), complaints.join("\n"));
        scale.demand("inputs", outcome.inputs, 260_000, 30_000);
    }
}

/// What reads inputs.
struct Program {
    name: &'static str,
    path: PathBuf,
    arguments: Vec<String>,
}

/// This program, and where all is run the other one; `None` after telling that it is not built.
fn programs(scale: Scale) -> Option<Vec<Program>> {
    let test = "img_07_gate_no_reader_panics_hangs_or_hoards_on_stored_or_bent_bytes";
    let mut words = ourselves(module_path!(), test);
    let mut programs = vec![Program { name: "checked", path: words.remove(0).into(), arguments: words }];
    if scale.is_full() {
        let path = program().parent()?.with_file_name("release/examples/fuzz-reader");
        if !path.exists() {
            skip("the release reader (cargo build --release --example fuzz-reader)");
            return None;
        }
        programs.push(Program { name: "as shipped", path, arguments: vec![] });
    }
    Some(programs)
}

fn told_of(program: &Program, outcome: &Outcome) -> String {
    format!(
        "{}: {} inputs, {} complaints, slowest {} ms (giants {} ms), {} MiB (unpacking {} MiB)",
        program.name,
        grouped(outcome.inputs),
        outcome.complaints.len(),
        outcome.slowest.as_millis(),
        outcome.giant.as_millis(),
        outcome.peak.div_ceil(1024),
        outcome.unpacking.div_ceil(1024),
    )
}

/// Shows the judge readers that do what none may do.
fn judge_is_awake(program: &Program) {
    for (name, inputs, words) in [
        ("control-good", 8, ""),
        ("control-panic", 8, "panics: a control"),
        ("control-slow", 2, "takes 1"),
        ("control-hoard", 8, "MiB of memory"),
        ("control-abort", 2, "ends its process"),
        ("control-stack", 2, "ends its process"),
    ] {
        let outcome = all(program, &Job::parts(name, inputs, 1, 0));
        let found = outcome.complaints.iter().filter(|complaint| complaint.contains(words)).count();
        let expected = if words.is_empty() { 0 } else { 1 };
        assert_eq!((outcome.complaints.len(), found), (expected, expected), "{name}: {:?}", outcome.complaints);
        assert_eq!(outcome.inputs, inputs, "{name}");
    }
}

/// Runs jobs, as many at once as there are cores.
fn all(program: &Program, jobs: &[Job]) -> Outcome {
    let (next, outcome) = (AtomicUsize::new(0), Mutex::new(Outcome::default()));
    let workers = std::thread::available_parallelism().map_or(2, usize::from).min(jobs.len());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut found = whole(program, job);
                    if job.reader == child::MONSTERS {
                        found.giant = std::mem::take(&mut found.slowest);
                    }
                    outcome.lock().unwrap().add(found);
                }
            });
        }
    });
    outcome.into_inner().unwrap()
}

/// Runs a job to its end, in a new process behind each input that ended the last; gives up after five.
fn whole(program: &Program, job: &Job) -> Outcome {
    let (mut outcome, mut job) = (Outcome::default(), job.clone());
    for _ in 0..5 {
        let (found, died) = part(program, &job);
        outcome.add(found);
        let Some((number, how)) = died else { return outcome };
        outcome.complaints.push(told(&job, number, &how));
        job.from = number + 1;
    }
    outcome
}

/// Runs a process over a job; tells the input at which it ended too early, and how.
fn part(program: &Program, job: &Job) -> (Outcome, Option<(usize, String)>) {
    let mut command = Command::new(&program.path);
    command.args(&program.arguments);
    command.envs(job.environment()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let pipe = BufReader::new(child.stdout.take().unwrap());
    let (sender, lines) = channel();
    let reader = std::thread::spawn(move || pipe.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let (mut outcome, mut last, mut done, mut silent) = (Outcome::default(), job.from, false, false);
    loop {
        let line = match lines.recv_timeout(SILENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                silent = true;
                child.kill().unwrap();
                break;
            }
        };
        // The harness writes lines of its own.
        let Some((word, rest)) = line.strip_prefix('@').and_then(|line| line.split_once(' ')) else { continue };
        let (number, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let number: usize = number.parse().unwrap();
        match word {
            "at" => {
                last = number;
                outcome.inputs += 1;
            }
            "complaint" => outcome.complaints.push(told(job, number, rest)),
            "panic" => {}
            _ => {
                let told: Vec<u64> = rest.split(' ').map(|number| number.parse().unwrap()).collect();
                let [slowest, peak, unpacking] = told[..] else { panic!("{line}") };
                (outcome.slowest, outcome.peak) = (Duration::from_micros(slowest), peak);
                outcome.unpacking = unpacking;
                done = true;
            }
        }
    }
    let status = child.wait().unwrap();
    let _ = reader.join();
    let how = if silent { format!("hangs for {} s", SILENCE.as_secs()) } else { format!("ends its process: {status}") };
    (outcome, (!done).then_some((last, how)))
}

/// Words a complaint and leaves the input where it can be looked at.
fn told(job: &Job, number: usize, how: &str) -> String {
    let path = crate::tests::support::target_tmp().join(format!("fuzz-{}-{number}", job.reader));
    match job.inputs().input(number) {
        Some((name, bytes)) => {
            let _ = std::fs::write(&path, bytes);
            format!("`{}` {how}; input {number}, of `{name}`, is in {}", job.reader, path.display())
        }
        None => format!("{} {how}", monsters::MONSTERS[number].1),
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn names(directory: &str, ending: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(root().join(directory)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter_map(|name| name.strip_suffix(ending).map(str::to_owned)).collect()
}

#[test]
fn every_reader_has_seeds_and_a_target() {
    let readers: BTreeSet<_> = READERS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("tests/fuzz/corpus", ""), readers);
    assert_eq!(names("fuzz/fuzz_targets", ".rs"), readers);
    let package = std::fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
    for (name, _) in READERS {
        assert!(package.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
        assert!(seeds::of(name).len() >= 3, "`{name}` has too few seeds");
    }
    if let Some(directory) = std::env::var_os("ARCA_FUZZ_SEEDS") {
        seeds::write(Path::new(&directory));
    }
}
