//! The crowd gate (CAS-7, GC-1): 64 builds of one recipe on a cold store, a fifth of them killed at random, a collector that
//! never rests beside them. Touches worlds of its own and loopback. Read next: `gate/mod.rs`.
//!
//! One body: transfers never overlap, each goes on where the killed one before it had got to (a range request), and what is
//! sent twice is no more than what was on its way to a killed process. A short run has four rounds; the mean of all rounds is
//! judged in the full run.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::gate::judge::{Picture, What};
use super::gate::trace;
use super::gate::world::{Publisher, State, World, remove_tree};
use super::gate::{Scale, arena, demand_none, program, report};
use crate::tests::support::server::Behaviour;
use crate::tests::support::tool;

const PROCESSES: usize = 64;
/// Rounds of a full and of a short run.
const ROUNDS: [usize; 2] = [20, 4];
const SIZE: usize = 1_000_000;
/// Bytes in a second: slow enough that all are there before the body is.
const RATE: usize = 800_000;
/// What a killed process may have had on its way to the disk: buffers of the kernel and of ours, one each.
const ON_ITS_WAY: usize = 256 << 10;
/// How much is sent, of a body's size, on the mean of all rounds.
const BODIES: f64 = 1.10;

/// A random number from the seed that the test names, so that a failure can be had again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// What a round came to.
#[derive(Default)]
struct Round {
    killed: usize,
    /// Requests for bytes.
    transfers: usize,
    sent: usize,
}

#[test]
fn cas_07_gate_sixty_four_builds_some_killed_beside_a_collector_send_one_body_and_agree() {
    let (scale, begun) = (Scale::chosen(), Instant::now());
    let program = program();
    let rounds = if scale.is_full() { ROUNDS[0] } else { ROUNDS[1] };
    let (arena, publisher) = (arena(), Publisher::of(SIZE));
    publisher.server.put("/tiny.qcow2", publisher.image.clone(), &[Behaviour::throttled(RATE)]);
    let world = World::new(arena.path(), 0, &program, &publisher);
    world.enter(State::Empty);
    let alone = world.root.join("alone");
    build(&world, &alone, "alone-cache").status().unwrap();
    let reference = bundle(&alone);
    let (mut total, mut complaints) = (Round::default(), vec![]);
    let collected = AtomicUsize::new(0);
    for number in 0..rounds {
        let mut dice = Dice((scale.offset(1_000_000) * ROUNDS[0] + number + 1) as u64);
        match round(&world, &publisher, &reference, &mut dice, &collected) {
            Ok(round) => {
                total.killed += round.killed;
                total.transfers += round.transfers;
                total.sent += round.sent;
            }
            Err(why) => complaints.push(format!("round {number}: {why}")),
        }
    }
    let again = total.sent.saturating_sub(rounds * SIZE);
    let bodies = total.sent as f64 / (rounds * SIZE) as f64;
    let text = format!(
        "{rounds} rounds of {PROCESSES} processes, {} killed, {} collections beside them, {bodies:.2} bodies sent in each round \
         ({} transfers, {} KiB sent twice), {} wrong",
        total.killed,
        collected.into_inner(),
        total.transfers,
        again >> 10,
        complaints.len()
    );
    report("crowd", scale, &text, begun);
    demand_none(&complaints);
    assert!(bodies <= BODIES || !scale.is_full(), "{bodies} bodies were sent in each round");
    assert!(total.killed >= rounds * 10, "only {} were killed", total.killed);
}

/// The control: without locks nobody waits, and the same count shows it.
#[test]
fn cas_07_gate_without_locks_the_count_of_transfers_shows_it() {
    let (Some(strace), program) = (tool("strace"), program()) else { return };
    let (arena, publisher) = (arena(), Publisher::of(SIZE));
    publisher.server.put("/tiny.qcow2", publisher.image.clone(), &[Behaviour::throttled(RATE)]);
    let world = World::new(arena.path(), 0, &program, &publisher);
    world.enter(State::Empty);
    let options = ["--seccomp-bpf", "-o", "/dev/null", "-e", "trace=flock", "-e", "inject=flock:error=ENOLCK"];
    let start = |number: usize| {
        let plain = build(&world, &world.root.join(format!("p{number}")), "cache");
        trace::under(&strace, &options, &plain).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let children: Vec<_> = (0..8).map(start).collect();
    for mut child in children {
        // Right all the same, which is what the store promises where no lock works.
        assert!(child.wait().unwrap().success());
    }
    let sent = publisher.server.sent();
    assert!(count(1, 0, sent).is_err() && sent > SIZE + ON_ITS_WAY, "{sent} bytes: the locks were not out");
}

/// Judges what one round sent.
fn count(transfers: usize, killed: usize, sent: usize) -> Result<(), String> {
    if transfers > 1 + killed || sent < SIZE || sent > SIZE + (transfers - 1) * ON_ITS_WAY {
        return Err(format!(
            "{transfers} transfers of {sent} bytes, of which {SIZE} are one body; {killed} were killed"
        ));
    }
    Ok(())
}

/// Prepares a build in a directory of its own.
fn build(world: &World<'_>, cwd: &Path, cache: &str) -> Command {
    std::fs::create_dir_all(cwd).unwrap();
    let mut command = world.command(&["--quiet", "../tiny.toml"]);
    command.current_dir(cwd).env("ARCA_CACHE", world.root.join(cache));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// What the link of a result leads to; file names and bytes.
fn bundle(cwd: &Path) -> Picture {
    let link = std::fs::read_link(cwd.join("result-tiny")).unwrap_or_default();
    Picture::of(&link)
}

fn round(
    world: &World<'_>,
    publisher: &Publisher,
    reference: &Picture,
    dice: &mut Dice,
    collected: &AtomicUsize,
) -> Result<Round, String> {
    for left in (0..PROCESSES).map(|number| world.root.join(format!("p{number}"))).chain([world.root.join("cache")]) {
        remove_tree(&left);
    }
    let (before, asked) = (publisher.server.sent(), publisher.server.requests().len());
    let done = AtomicBool::new(false);
    let (survivors, killed) = std::thread::scope(|scope| {
        let collector = scope.spawn(|| collect(world, &done, collected));
        let ended = crowd(world, dice);
        done.store(true, Ordering::SeqCst);
        collector.join().unwrap()?;
        ended
    })?;
    for number in &survivors {
        let found = bundle(&world.root.join(format!("p{number}")));
        if found != *reference {
            return Err(format!("process {number} has another bundle: {found:?}"));
        }
    }
    let requests = publisher.server.requests();
    let transfers = requests[asked..].iter().filter(|request| request.method == "GET").count();
    let sent = publisher.server.sent() - before;
    count(transfers, killed, sent)?;
    tidy(world)?;
    Ok(Round { killed, transfers, sent })
}

/// Starts all, kills a fifth at random moments, and returns who lived, and how many did not.
fn crowd(world: &World<'_>, dice: &mut Dice) -> Result<(Vec<usize>, usize), String> {
    let mut children: Vec<Child> = (0..PROCESSES)
        .map(|number| build(world, &world.root.join(format!("p{number}")), "cache").spawn().unwrap())
        .collect();
    let mut numbers: Vec<_> = (0..PROCESSES).collect();
    let mut victims = vec![];
    for _ in 0..PROCESSES.div_ceil(5) {
        let number = numbers.swap_remove(dice.below(numbers.len() as u64) as usize);
        victims.push((Duration::from_millis(dice.below(1000)), number));
    }
    // The first one there mostly is the one that brings: in every other round it goes.
    if dice.below(2) == 0 {
        victims.push((Duration::from_millis(500), 0));
    }
    victims.sort();
    let begun = Instant::now();
    for (when, number) in victims {
        std::thread::sleep(when.saturating_sub(begun.elapsed()));
        let _ = children[number].kill();
    }
    let (mut survivors, mut killed) = (vec![], 0);
    for (number, child) in children.into_iter().enumerate() {
        let output = child.wait_with_output().unwrap();
        match output.status.code() {
            Some(0) => survivors.push(number),
            None => killed += 1,
            Some(_) => return Err(format!("process {number} failed: {}", String::from_utf8_lossy(&output.stderr))),
        }
    }
    Ok((survivors, killed))
}

/// Collects again and again, sparing nothing for its age.
fn collect(world: &World<'_>, done: &AtomicBool, collected: &AtomicUsize) -> Result<(), String> {
    while !done.load(Ordering::SeqCst) {
        let mut command = world.command(&["store", "gc", "--grace", "0", "--without-roots"]);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        // It may find the store in use for too long; it never breaks.
        if !output.status.success() && !told.contains("E_CACHE_LOCK") {
            return Err(format!("the collector failed: {told}"));
        }
        collected.fetch_add(usize::from(output.status.success()), Ordering::Relaxed);
    }
    Ok(())
}

/// What is left when all are gone: right objects, one bundle, and after a collection no temporary.
fn tidy(world: &World<'_>) -> Result<(), String> {
    world.plain(&["store", "verify"])?;
    world.plain(&["store", "gc", "--grace", "0", "--without-roots"])?;
    let picture = Picture::of(&world.root);
    let is_left = |name: &Path| {
        let text = name.to_string_lossy();
        text.starts_with("cache/tmp/") || text.starts_with("cache/quarantine/") || text.contains(".arca-")
    };
    // The next build in the directory of a killed one takes its link's temporary away; nobody builds there here.
    let left = picture.0.iter().find(|(name, entry)| is_left(name) && !matches!(entry.what, What::Link(_)));
    left.map_or(Ok(()), |(name, entry)| Err(format!("`{}` is left over: {entry:?}", name.display())))
}
