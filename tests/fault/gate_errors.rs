//! The error gate (CAS-3, CAS-17): every occurrence of each of fourteen system calls fails with each of six errors, and every
//! read and write is short once. A short run has all six errors once a call site (a call on a file of one folder, in whatever command:
//! [`trace::Point::site`]), one of them, by turns, at every third further occurrence, and every third short read or write.
//! Touches worlds of its own, strace, a C compiler, loopback. Read next: `gate/mod.rs`.
//!
//! A point counts when the fault happened. Then either the command did all it is for, or it ended with a code of its own,
//! no bug and no panic, and nothing wrong had a final name; the plain command then ends well, in the world without a fault.
//! A short read or write is no error at all: behind one the world must be right at once.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::gate::judge::Picture;
use super::gate::trace::{self, Ended, Point};
use super::gate::world::{Publisher, SCENARIOS, Scenario, State, World};
use super::gate::{Scale, arena, demand_none, grouped, preload, program, report, work};
use crate::tests::support::tool;

const CALLS: [&str; 14] = [
    "openat2",
    "mkdirat",
    "linkat",
    "renameat",
    "renameat2",
    "unlinkat",
    "fchmod",
    "ftruncate",
    "fallocate",
    "fsync",
    "write",
    "pwrite64",
    "read",
    "getdents64",
];
const ERRORS: [&str; 6] = ["EIO", "ENOSPC", "EDQUOT", "EROFS", "EACCES", "EMFILE"];
/// What `short.c` can cut.
const SHORT: [&str; 7] = ["read", "write", "pread64", "pwrite64", "copy_file_range", "recv", "send"];

/// One fault.
enum Fault {
    Error {
        call: String,
        nth: usize,
        error: &'static str,
    },
    /// The n-th, or none if there are fewer.
    Short {
        call: &'static str,
        nth: usize,
    },
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Error { call, nth, error } => write!(f, "{error} at {call} {nth}"),
            Self::Short { call, nth } => write!(f, "half at {call} {nth}"),
        }
    }
}

/// The tools, and where things lie.
struct Bench {
    strace: PathBuf,
    shim: PathBuf,
}

/// One scenario of each command.
fn is_swept(scenario: &Scenario) -> bool {
    let state = match scenario.command {
        "fetch" => State::Part,
        "build" => State::Empty,
        "import" => State::Packed,
        "export" => State::Fetched,
        "gc" => State::Garbage,
        _ => return false,
    };
    scenario.state == state && scenario.lacks.is_empty()
}

#[test]
fn cas_03_gate_every_system_call_that_fails_or_is_short_is_a_typed_error_or_no_error() {
    let (scale, begun) = (Scale::chosen(), Instant::now());
    let (Some(strace), Some(cc), program) = (tool("strace"), tool("cc"), program()) else { return };
    let (arena, publisher) = (arena(), Publisher::start());
    let bench = Bench { strace, shim: preload(&cc, "short.c", arena.path()) };
    let first = World::new(arena.path(), 99, &program, &publisher);
    let (mut jobs, mut sites) = (vec![], BTreeSet::new());
    for (index, scenario) in SCENARIOS.iter().enumerate().filter(|(_, scenario)| is_swept(scenario)) {
        let faults = faults(&first, &bench, scenario, scale, &mut sites);
        jobs.extend(faults.into_iter().map(|fault| (index, fault)));
    }
    let (errors, shorts) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let complaints = work(
        jobs.len(),
        |number| World::new(arena.path(), number, &program, &publisher),
        |world, job| {
            let (index, fault) = &jobs[job];
            let happened =
                one(world, &bench, *index, fault).map_err(|why| format!("{:?}, {fault}: {why}", SCENARIOS[*index]))?;
            let counter = if matches!(fault, Fault::Error { .. }) { &errors } else { &shorts };
            counter.fetch_add(usize::from(happened), Ordering::Relaxed);
            Ok(())
        },
    );
    let (errors, shorts) = (errors.into_inner(), shorts.into_inner());
    let text = format!(
        "{} points ({} calls failing with {} errors: {}; short reads and writes: {}), {} wrong",
        grouped(errors + shorts),
        CALLS.len(),
        ERRORS.len(),
        grouped(errors),
        grouped(shorts),
        complaints.len()
    );
    report("errors", scale, &text, begun);
    demand_none(&complaints);
    scale.demand("faults", errors + shorts, 12_000, 1_000);
    scale.demand("short reads and writes", shorts, 200, 60);
}

/// Lists the faults of one scenario; those of the loader are not the program's to tell.
///
/// `sites` are those that had all errors before.
fn faults(
    world: &World<'_>,
    bench: &Bench,
    scenario: &Scenario,
    scale: Scale,
    sites: &mut BTreeSet<String>,
) -> Vec<Fault> {
    world.enter(scenario.state);
    let log = world.root.with_extension("log");
    let points = trace::points(&bench.strace, &log, &[], &world.command(scenario.words));
    let mut faults = vec![];
    let due = |point: &&Point| CALLS.contains(&&*point.call) && !point.is_loader && !point.is_inner;
    for (index, point) in points.iter().filter(due).enumerate() {
        let fault = |error| Fault::Error { call: point.call.clone(), nth: point.nth, error };
        // Eighteen seeds in a row meet each further occurrence with each error.
        let turn = index + scale.offset(3 * ERRORS.len());
        if sites.insert(point.site.clone()) || scale.is_full() {
            faults.extend(ERRORS.into_iter().map(fault));
        } else if turn.is_multiple_of(3) {
            faults.push(fault(ERRORS[turn / 3 % ERRORS.len()]));
        }
    }
    // All threads together, so some more than the longest thread makes; strace names `recv` and `send` by their kin.
    for call in SHORT {
        let traced = call.replace("recv", "recvfrom").replace("send", "sendto");
        let most = points.iter().filter(|point| point.call == traced).map(|point| point.nth).max().unwrap_or(0);
        faults.extend(scale.sample(3, 1..=most + most / 2).into_iter().map(|nth| Fault::Short { call, nth }));
    }
    faults
}

/// Lets one fault happen and heals; tells whether it happened.
fn one(world: &mut World<'_>, bench: &Bench, index: usize, fault: &Fault) -> Result<bool, String> {
    let (scenario, reference) = (&SCENARIOS[index], world.reference(index));
    world.enter(scenario.state);
    let (happened, on_terminal, ended) = match fault {
        Fault::Error { call, nth, error } => fail(world, bench, scenario, (call, *nth, error))?,
        Fault::Short { call, nth } => shorten(world, bench, scenario, call, *nth)?,
    };
    let now = Picture::of(&world.root);
    match happened {
        Happened::Yes => {}
        Happened::Inside => return Ok(false),
        Happened::No if scenario.is_well(&ended) => return Ok(false),
        Happened::No => return Err(format!("no fault, and yet: {ended}")),
    }
    reference.judge_between(&now)?;
    let is_short = matches!(fault, Fault::Short { .. });
    if matches!(fault, Fault::Error { call, .. } if call == "fsync") && scenario.is_well(&ended) {
        return Err(format!("a failed sync was taken for a success: {ended}"));
    }
    match (scenario.is_well(&ended), is_short) {
        (true, true) => reference.judge_healed(&now)?,
        (true, false) => reference.judge_done(&now)?,
        (false, false) => is_typed(&ended, on_terminal)?,
        (false, true) => return Err(format!("a short read or write is no error: {ended}")),
    }
    world.heal(scenario)?;
    reference.judge_healed(&Picture::of(&world.root))?;
    Ok(true)
}

/// Demands a failure that says what it is; where the terminal itself failed it cannot.
fn is_typed(ended: &Ended, on_terminal: bool) -> Result<(), String> {
    let is_told = ended.stderr.contains("error[E_") && !ended.stderr.contains("E_BUG");
    let is_ours = (1..=5).contains(&ended.code) && !ended.stderr.contains("panicked");
    if is_ours && (is_told || on_terminal) { Ok(()) } else { Err(format!("no typed error: {ended}")) }
}

/// Whether a fault happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Happened {
    Yes,
    No,
    /// To an eventfd; see [`trace::is_inner`].
    Inside,
}

impl Happened {
    const fn of(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

type Outcome = (Happened, bool, Ended);

/// Tells whether it happened, whether to standard output or error, and how the run ended.
fn fail(
    world: &World<'_>,
    bench: &Bench,
    scenario: &Scenario,
    (call, nth, error): (&str, usize, &str),
) -> Result<Outcome, String> {
    let log = world.root.with_extension("log");
    let (only, inject) = (format!("trace={call}"), format!("inject={call}:error={error}:when={nth}"));
    let options = ["--seccomp-bpf", "-y", "-o", log.to_str().unwrap(), "-e", &only, "-e", &inject];
    let ended = trace::run(&mut trace::under(&bench.strace, &options, &world.command(scenario.words)))?;
    let log = String::from_utf8_lossy(&std::fs::read(&log).unwrap()).into_owned();
    // More than one, where threads reach their n-th call each.
    let injected = trace::injected(&log);
    let on_terminal = injected.iter().any(|call| call.starts_with("write(1<") || call.starts_with("write(2<"));
    // Threads met otherwise this time, and an event loop could not wake itself: no kernel does that.
    let is_inner = injected.iter().any(|call| trace::is_inner(call));
    Ok((if is_inner { Happened::Inside } else { Happened::of(!injected.is_empty()) }, on_terminal, ended))
}

fn shorten(world: &World<'_>, bench: &Bench, scenario: &Scenario, call: &str, nth: usize) -> Result<Outcome, String> {
    let mark = world.root.with_extension("mark");
    let _ = std::fs::remove_file(&mark);
    let mut command = world.command(scenario.words);
    command.env("LD_PRELOAD", &bench.shim).env("ARCA_SHORT_CALL", call).env("ARCA_SHORT_NTH", nth.to_string());
    let ended = trace::run(command.env("ARCA_SHORT_MARK", &mark))?;
    Ok((Happened::of(mark.exists()), false, ended))
}

#[test]
fn cas_03_gate_an_error_without_a_code_or_with_the_wrong_one_is_none() {
    let ended = |code, stderr: &str| Ended { code, stdout: String::new(), stderr: stderr.into() };
    assert!(is_typed(&ended(5, "error[E_IO]: cannot write"), false).is_ok());
    for (code, stderr) in [
        (5, "cannot write"),
        (0, "error[E_IO]: cannot write"),
        (70, "error[E_BUG]: a thread died"),
        (5, "thread panicked\nerror[E_IO]: cannot write"),
        (101, "thread main panicked"),
        (134, "memory allocation failed"),
        (137, "error[E_IO]: cannot write"),
    ] {
        assert!(is_typed(&ended(code, stderr), false).is_err(), "{code} {stderr}");
    }
}
