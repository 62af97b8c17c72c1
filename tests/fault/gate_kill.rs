//! The kill gate (CAS-1, GC-2): SIGKILL before every system call of fetch, build, import, export, gc and verify that may change
//! what is on disk, in several states each; then the plain command. Between two such calls a kill leaves the same files, so
//! only the full run kills before all the others too; a short one takes every other point. Touches worlds of its own, strace, loopback. Read next: `gate/mod.rs`.
//!
//! A point is a call by name and number in its thread, as strace counts. It counts when SIGKILL was delivered, nothing
//! wrong or half had a final name, the plain command ended well, and the world is byte for byte the one without a kill.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::gate::judge::Picture;
use super::gate::trace::{self, Point};
use super::gate::world::{Publisher, SCENARIOS, Scenario, State, World};
use super::gate::{Scale, arena, demand_none, grouped, program, report, work};
use crate::tests::support::tool;

/// Kills of a full and of a short run.
const BOUNDS: [usize; 2] = [10_000, 750];

#[test]
fn cas_01_gate_a_kill_at_every_system_call_leaves_nothing_wrong_and_nothing_to_do_by_hand() {
    let (scale, begun) = (Scale::chosen(), Instant::now());
    let (Some(strace), program) = (tool("strace"), program()) else { return };
    let (arena, publisher) = (arena(), Publisher::start());
    let first = World::new(arena.path(), 99, &program, &publisher);
    let mut jobs: Vec<(usize, Point)> = vec![];
    for (index, scenario) in SCENARIOS.iter().enumerate() {
        first.enter(scenario.state);
        let also: Vec<_> = scenario.lacks.iter().flat_map(|lack| ["-e", lack]).collect();
        let log = arena.path().join("log");
        let points = trace::points(&strace, &log, &also, &first.command(scenario.words));
        let due = points.into_iter().filter(|point| scale.is_full() || point.changes_disk);
        jobs.extend(scale.sample(2, due).into_iter().map(|point| (index, point)));
    }
    let counts: Vec<_> = SCENARIOS.iter().map(|_| AtomicUsize::new(0)).collect();
    let complaints = work(
        jobs.len(),
        |number| World::new(arena.path(), number, &program, &publisher),
        |world, job| {
            let (index, point) = &jobs[job];
            let was_killed = one(world, &strace, *index, point)
                .map_err(|why| format!("{:?}, killed at {} {}: {why}", SCENARIOS[*index], point.call, point.nth))?;
            counts[*index].fetch_add(usize::from(was_killed), Ordering::Relaxed);
            Ok(())
        },
    );
    let total: usize = counts.iter().map(|count| count.load(Ordering::Relaxed)).sum();
    let part = |command: &str| {
        let counts = SCENARIOS.iter().zip(&counts).filter(|(scenario, _)| scenario.command == command);
        format!("{command} {}", grouped(counts.map(|(_, count)| count.load(Ordering::Relaxed)).sum()))
    };
    let parts = ["fetch", "build", "import", "export", "gc", "verify"].map(part).join(", ");
    let text = format!("{} points ({parts}), {} wrong, 0 manual steps", grouped(total), complaints.len());
    report("kill", scale, &text, begun);
    demand_none(&complaints);
    scale.demand("kills", total, BOUNDS[0], BOUNDS[1]);
}

/// Kills once and heals; tells whether the kill came before the run had ended.
fn one(world: &mut World<'_>, strace: &std::path::Path, index: usize, point: &Point) -> Result<bool, String> {
    let (scenario, reference) = (&SCENARIOS[index], world.reference(index));
    world.enter(scenario.state);
    let inject = format!("inject={}:signal=SIGKILL:when={}", point.call, point.nth);
    let only = format!("trace={}", point.call);
    let mut options = vec!["-o", "/dev/null", "-e", &only, "-e", &inject];
    // Where the same call is missing, strace takes the last word: there the kill is the fault.
    options.extend(scenario.lacks.iter().filter(|lack| !lack.contains(&point.call)).flat_map(|lack| ["-e", lack]));
    let killed = trace::run(&mut trace::under(strace, &options, &world.command(scenario.words)))?;
    if killed.code != 137 {
        // The threads met otherwise this time, and the run came to its end: that is no point, but must be right.
        return if scenario.is_well(&killed) { Ok(false) } else { Err(format!("neither killed nor well: {killed}")) };
    }
    reference.judge_between(&Picture::of(&world.root))?;
    world.heal(scenario)?;
    reference.judge_healed(&Picture::of(&world.root))?;
    Ok(true)
}

/// The control: where a call says that it did its work and does none, what the defence rests on is gone, and the same judge
/// must say no.
#[test]
fn cas_01_gate_the_judge_says_no_where_a_system_call_does_nothing() {
    let (Some(strace), program) = (tool("strace"), program()) else { return };
    let (arena, publisher) = (arena(), Publisher::start());
    let mut world = World::new(arena.path(), 0, &program, &publisher);
    let mut unseen = vec![];
    for (command, state, calls) in [
        ("fetch", State::Part, &["renameat2", "fchmod"][..]),
        ("build", State::Fetched, &["linkat", "renameat", "renameat2", "fchmod", "pwrite64", "write"][..]),
        ("import", State::Packed, &["linkat", "write", "renameat2", "fchmod"][..]),
        ("export", State::Fetched, &["renameat2", "write"][..]),
        ("gc", State::Garbage, &["unlinkat", "renameat2"][..]),
    ] {
        let is_it = |scenario: &&(usize, &Scenario)| scenario.1.command == command && scenario.1.state == state;
        let (index, scenario) = SCENARIOS.iter().enumerate().find(|scenario| is_it(&scenario)).unwrap();
        let reference = world.reference(index);
        for call in calls {
            world.enter(state);
            let ended = world.deceived(&strace, scenario, call).unwrap();
            let now = Picture::of(&world.root);
            if reference.judge_healed(&now).is_ok() {
                unseen.push(format!("{command} without {call}: {ended}"));
            }
        }
        world.enter(state);
        world.heal(scenario).unwrap();
        reference.judge_healed(&Picture::of(&world.root)).unwrap();
    }
    demand_none(&unseen);
}
