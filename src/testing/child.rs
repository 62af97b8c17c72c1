//! The process that reads inputs: tells each number before it reads, and what was wrong after. Limits its own memory.
//! Touches `/proc/self` and standard output. Read next: `seeds.rs`.

use std::hint::black_box;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};

use super::limits::{self, MEMORY, TIME, TIME_OF_CHECKED_GIANTS};
use super::monsters::MONSTERS as GENERATED;
use super::mutate::{Numbers, bend};
use super::seeds::{self, Seed};
use crate::testing::readers;

/// The name under which the generated giants are read.
pub const MONSTERS: &str = "monsters";
const ENVIRONMENT: &str = "ARCA_FUZZ_JOB";

/// Some inputs of one reader: of `total`, those whose number leaves `part` by `parts`, from a number on.
#[derive(Clone, Debug)]
pub struct Job {
    pub reader: String,
    total: usize,
    part: usize,
    parts: usize,
    pub from: usize,
    /// What is added to the number of a bent copy, so that another run bends otherwise.
    first: usize,
}

impl Job {
    /// Deals a reader's inputs into parts.
    pub fn parts(reader: &str, total: usize, parts: usize, first: usize) -> Vec<Self> {
        (0..parts).map(|part| Self { reader: reader.to_owned(), total, part, parts, from: 0, first }).collect()
    }

    /// The job this process was started for; none for the process that starts them.
    pub fn asked() -> Option<Self> {
        let text = std::env::var(ENVIRONMENT).ok()?;
        let (reader, numbers) = text.split_once(' ').unwrap();
        let numbers: Vec<usize> = numbers.split(' ').map(|number| number.parse().unwrap()).collect();
        let [total, part, parts, from, first] = numbers[..] else { panic!("{text}") };
        Some(Self { reader: reader.to_owned(), total, part, parts, from, first })
    }

    pub fn environment(&self) -> [(&'static str, String); 1] {
        let Self { reader, total, part, parts, from, first } = self;
        [(ENVIRONMENT, format!("{reader} {total} {part} {parts} {from} {first}"))]
    }

    pub fn inputs(&self) -> Inputs {
        let seeds = if self.reader == MONSTERS { vec![] } else { seeds::of(&self.reader) };
        Inputs { seeds, first: self.first }
    }
}

/// The inputs of a reader: its seeds, then bent copies of them without end.
pub struct Inputs {
    seeds: Vec<Seed>,
    first: usize,
}

impl Inputs {
    /// Makes the input of a number, with the name of what it was made from.
    pub fn input(&self, number: usize) -> Option<(&str, Vec<u8>)> {
        let Self { seeds, first } = self;
        if let Some(seed) = seeds.get(number) {
            return Some((&seed.name, seed.bytes.clone()));
        }
        let seed = seeds.get(number % seeds.len().max(1))?;
        let number = (number + first) as u64;
        let other = &seeds[Numbers::new(number).below(seeds.len())];
        Some((&seed.name, bend(&seed.bytes, &other.bytes, number)))
    }
}

/// Reads every input of a job.
pub fn run(job: &Job) {
    // For whoever starts a job by hand; the parent reads other lines only.
    set_hook(Box::new(|panic| say(&format!("panic 0 {}", panic.to_string().replace('\n', " ")))));
    // The harness has begun a line.
    std::io::stdout().write_all(b"\n").unwrap();
    let inputs = job.inputs();
    let numbers = (job.from..job.total).filter(|number| number % job.parts == job.part);
    let mut judge = Judge::begin(&job.reader);
    for number in numbers {
        judge.allow(if job.reader == MONSTERS { GENERATED[number].0 } else { &job.reader });
        let read: Box<dyn Fn()> = match inputs.input(number) {
            Some((_, bytes)) => {
                let reader = job.reader.clone();
                Box::new(move || read(&reader, number, &bytes))
            }
            None => judge.made(GENERATED[number].2),
        };
        say(&format!("at {number}"));
        judge.judge(number, &read);
    }
    say(&format!("done 0 {} {} {}", judge.slowest.as_micros(), judge.peak, judge.unpacking));
}

fn say(line: &str) {
    let mut out = std::io::stdout();
    out.write_all(format!("@{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// Holds each input against the limits.
struct Judge {
    limit: Duration,
    /// KiB above [`Judge::base`], and whether for a window that the input asks.
    allowed: u64,
    is_unpacker: bool,
    /// Resident KiB before the first input.
    base: u64,
    slowest: Duration,
    peak: u64,
    /// The same for readers that may take more.
    unpacking: u64,
}

impl Judge {
    fn begin(reader: &str) -> Self {
        let ([size, resident, _], allowed, is_giant) = (memory(), limits::memory(reader), reader == MONSTERS);
        // Far above what is allowed: whoever asks for gigabytes at once dies here, whether the bytes are touched or not.
        // The giants are made in here too.
        let limit = Some((size + if is_giant { MEMORY * 6 } else { allowed * 2 }) << 10);
        setrlimit(Resource::As, Rlimit { current: limit, maximum: limit }).unwrap();
        forget_peak();
        let limit = if is_giant && cfg!(debug_assertions) { TIME_OF_CHECKED_GIANTS } else { TIME };
        let (slowest, is_unpacker) = (Duration::ZERO, false);
        Self { limit, allowed, is_unpacker, base: resident, slowest, peak: 0, unpacking: 0 }
    }

    /// Judges by what this reader may take from now on.
    fn allow(&mut self, reader: &str) {
        (self.allowed, self.is_unpacker) = (limits::memory(reader), limits::is_unpacker(reader));
    }

    /// Makes an input whose making is not judged.
    fn made<T>(&mut self, make: impl FnOnce() -> T) -> T {
        let made = make();
        forget_peak();
        self.base = memory()[1];
        made
    }

    fn judge(&mut self, number: usize, read: &dyn Fn()) {
        let mut best = Duration::MAX;
        for _ in 0..3 {
            let begun = worked();
            if let Err(panic) = catch_unwind(AssertUnwindSafe(read)) {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or_default();
                say(&format!("complaint {number} panics: {}", text.replace('\n', " ")));
                break;
            }
            best = best.min(worked().saturating_sub(begun));
            // Slow may only mean that caches were cold.
            if best <= self.limit {
                break;
            }
        }
        if best != Duration::MAX {
            self.slowest = self.slowest.max(best);
        }
        if best != Duration::MAX && best > self.limit {
            say(&format!("complaint {number} takes {} ms", best.as_millis()));
        }
        self.weigh(number);
    }

    fn weigh(&mut self, number: usize) {
        let [_, resident, peak] = memory();
        let used = peak.saturating_sub(self.base);
        if used > self.allowed {
            say(&format!("complaint {number} takes {} MiB of memory", used >> 10));
            self.base = resident;
            forget_peak();
        } else {
            let peak = if self.is_unpacker { &mut self.unpacking } else { &mut self.peak };
            *peak = used.max(*peak);
        }
    }
}

/// How long this thread had a processor, however many others there are (linux: Documentation/scheduler/sched-stats.rst).
fn worked() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

/// The size of this process, what of it is resident, and the most that was, in KiB.
fn memory() -> [u64; 3] {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    ["VmSize:", "VmRSS:", "VmHWM:"].map(|name| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    })
}

/// Sets the most that was resident to what is now (proc(5), `clear_refs`).
fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// Reads an input; the controls do on their input 1 what the judge must find.
fn read(reader: &str, number: usize, bytes: &[u8]) {
    match (reader, number) {
        ("control-panic", 1) => panic!("a control"),
        ("control-slow", 1) => {
            let begun = worked();
            while worked().saturating_sub(begun) < TIME + Duration::from_millis(100) {}
        }
        ("control-hoard", 1) => drop(black_box(vec![1_u8; 70 << 20])),
        ("control-abort", 1) => drop(black_box(vec![0_u8; 1 << 40])),
        ("control-stack", 1) => drop(black_box(dig(0))),
        _ if reader.starts_with("control-") => drop(black_box(bytes.to_vec())),
        _ => readers::run(reader, bytes),
    }
}

/// Overflows the stack.
fn dig(depth: u64) -> u64 {
    if black_box(depth) == u64::MAX { 0 } else { black_box(dig(depth + 1)) + 1 }
}
