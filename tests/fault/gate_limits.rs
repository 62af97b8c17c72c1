//! The limits gate (CAS-3, CAS-4, CAS-17): the disk is full at every stage of every command, inodes run out, and memory,
//! file descriptors and the size of a file are limited. Touches a tmpfs of its own in a user namespace, and loopback.
//! Read next: `gate/mod.rs`.
//!
//! A point counts when the command ended with a code of its own. Then nothing wrong has a final name, and with the limit
//! gone the plain command ends well, in the world without one. `helper` is no test: it is this program again, inside the
//! namespace where it may mount. The control: where writes and reservations on a full disk say that they did their work, the
//! same judge must say no. A short run takes some of the limits, and more room at a time.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::gate::judge::{Picture, Reference};
use super::gate::trace;
use super::gate::trace::{Ended, run};
use super::gate::world::{Publisher, SCENARIOS, Scenario, State, World, remove_tree};
use super::gate::{Scale, arena, grouped, preload, program, report};
use crate::tests::support::{ourselves, output, skip, tool};

const PLACE: &str = "ARCA_GATE_PLACE";
const WHAT: &str = "ARCA_GATE_WHAT";
const PROGRAM: &str = "ARCA_GATE_PROGRAM";
/// What says that all was written.
const LIE: &str = "ARCA_GATE_LIE";

/// One limit, set as a shell sets it before it becomes the program.
const LIMITS: [(&str, &[u64]); 3] = [
    // Descriptors: three are the terminal.
    ("n", &[3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 18, 20, 24, 32]),
    // KiB of address space; the program and its libraries alone need some.
    ("v", &[20_000, 24_000, 28_000, 32_000, 40_000, 48_000, 64_000, 96_000, 128_000, 256_000, 512_000]),
    // Blocks of 512 bytes in one file.
    ("f", &[0, 1, 2, 4, 8, 64, 128, 256, 384, 512, 600]),
];

fn is_swept(scenario: &Scenario) -> bool {
    scenario.lacks.is_empty() && scenario.state != State::HalfLaid
}

#[test]
fn cas_04_gate_a_disk_that_is_full_at_any_stage_is_a_typed_error_and_loses_nothing() {
    sweep("full disks", [300, 50]);
}

#[test]
fn cas_17_gate_a_limit_of_descriptors_memory_or_file_size_is_a_typed_error_and_loses_nothing() {
    sweep("limits", [150, 40]);
}

#[test]
fn cas_04_gate_the_judge_says_no_where_a_full_disk_says_that_all_was_written() {
    let (Some(cc), Some(_)) = (tool("cc"), tool("strace")) else { return };
    let (scale, arena, begun) = (Scale::chosen(), arena(), Instant::now());
    let lie = preload(&cc, "full.c", arena.path());
    let Some(counted) = apart("lies", arena.path(), &lie) else { return };
    report("full disks that lie", scale, &format!("{} of {} commands wrong", counted, LIED_TO.len()), begun);
    assert_eq!(counted, LIED_TO.len());
}

/// Runs [`helper`], and reports what it counted.
fn sweep(what: &str, bounds: [usize; 2]) {
    let (scale, begun, arena) = (Scale::chosen(), Instant::now(), arena());
    let Some(counted) = apart(what, arena.path(), Path::new("")) else { return };
    report(what, scale, &format!("{} points, 0 wrong, nothing lost", grouped(counted)), begun);
    scale.demand(what, counted, bounds[0], bounds[1]);
}

/// Runs [`helper`] where it may mount, and returns what it counted; `None` after telling that the test is skipped.
fn apart(what: &str, arena: &Path, lie: &Path) -> Option<usize> {
    let (unshare, _) = (tool("unshare")?, tool("mount")?);
    let mut command = Command::new(unshare);
    command.args(["-Urm", "--"]).args(ourselves(module_path!(), "helper"));
    command.env(PLACE, arena).env(WHAT, what).env(PROGRAM, program()).env(LIE, lie);
    let told = output(&mut command);
    if told.stdout.contains("may not mount") || told.stderr.contains("unshare failed") {
        skip("a user namespace that may mount");
        return None;
    }
    assert_eq!(told.code, 0, "{told}");
    let counted = told.stdout.lines().find_map(|line| line.split_once("counted ")).map(|(_, counted)| counted);
    Some(counted.unwrap_or_else(|| panic!("{told}")).parse().unwrap())
}

/// Runs a sweep where it may mount; not a test.
#[test]
#[ignore = "a process that the gate starts"]
fn helper() {
    let Some(place) = std::env::var_os(PLACE).map(PathBuf::from) else { return };
    let program = PathBuf::from(std::env::var_os(PROGRAM).unwrap());
    let (scale, publisher) = (Scale::chosen(), Publisher::start());
    let disk = place.join("disk");
    std::fs::create_dir(&disk).unwrap();
    if !mount(&disk, "size=64m") {
        return println!("may not mount");
    }
    let mut world = World::new(&disk, 0, &program, &publisher);
    let what = std::env::var(WHAT).unwrap();
    if what == "lies" {
        return println!("counted {}", deceive_all(&mut world, &disk));
    }
    let mut refused = 0;
    for (index, scenario) in SCENARIOS.iter().enumerate().filter(|(_, scenario)| is_swept(scenario)) {
        let reference = world.reference(index);
        refused += if what == "full disks" {
            fill(&world, &disk, scenario, &reference, scale)
        } else {
            limit_all(&world, scenario, &reference, scale)
        };
    }
    println!("counted {refused}");
}

/// What is run on a disk that is full and says that it is not. Not `import`, which asks for room before it writes at all.
const LIED_TO: [(&str, State); 3] = [("fetch", State::Empty), ("build", State::Fetched), ("export", State::Fetched)];

/// Takes the defence away: a full disk takes everything and keeps what it can. Counts the commands at which the judge said no.
fn deceive_all(world: &mut World<'_>, disk: &Path) -> usize {
    let (strace, lie) = (tool("strace").unwrap(), PathBuf::from(std::env::var_os(LIE).unwrap()));
    let is_seen = |(command, state): (&str, State)| {
        let is_it = |scenario: &Scenario| scenario.command == command && scenario.state == state;
        let index = SCENARIOS.iter().position(is_it).unwrap();
        let reference = world.reference(index);
        let is_wrong = |more| deceive(world, disk, (&strace, &lie), &SCENARIOS[index], &reference, more);
        assert!(!is_wrong(32 << 20), "{command}: wrong although there was room");
        (16 << 10..512 << 10).step_by(48 << 10).any(is_wrong)
    };
    LIED_TO.into_iter().map(is_seen).filter(|is_seen| *is_seen).count()
}

/// Runs a command with so much room where reservations and writes lie; tells whether the judge says no.
fn deceive(
    world: &World<'_>,
    disk: &Path,
    (strace, lie): (&Path, &Path),
    scenario: &Scenario,
    reference: &Reference,
    more: u64,
) -> bool {
    world.enter(scenario.state);
    let found = rustix::fs::statvfs(disk).unwrap();
    resize(disk, &format!("size={}", (found.f_blocks - found.f_bfree) * found.f_frsize + more));
    let mut command = world.command(scenario.words);
    command.env("LD_PRELOAD", lie);
    // Not by the C library: strace says it.
    let options = ["-o", "/dev/null", "-e", "trace=fallocate", "-e", "inject=fallocate:retval=0"];
    let ended = run(&mut trace::under(strace, &options, &command)).unwrap();
    resize(disk, "size=64m");
    let now = Picture::of(&world.root);
    let judged = reference.judge_between(&now);
    judged.and_then(|()| if scenario.is_well(&ended) { reference.judge_done(&now) } else { Ok(()) }).is_err()
}

fn limit_all(world: &World<'_>, scenario: &Scenario, reference: &Reference, scale: Scale) -> usize {
    let mut refused = 0;
    for (flag, bounds) in LIMITS {
        for bound in scale.sample(3, bounds) {
            refused += usize::from(limit(world, scenario, reference, flag, *bound));
        }
    }
    refused
}

fn mount(arena: &Path, options: &str) -> bool {
    let words = ["-t", "tmpfs", "-o", options, "none"];
    Command::new("mount").args(words).arg(arena).output().unwrap().status.success()
}

/// Sets how much room there is beyond what is used.
fn resize(arena: &Path, options: &str) {
    let ended = output(Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(arena));
    assert_eq!(ended.code, 0, "{ended}");
}

/// Gives the command more and more room, a page or an inode at a time, until it has enough; returns how often it had not.
fn fill(world: &World<'_>, arena: &Path, scenario: &Scenario, reference: &Reference, scale: Scale) -> usize {
    let mut refused = 0;
    for (what, most, step) in [("size", 3 << 20, 32 << 10), ("nr_inodes", 90, 3)] {
        for more in scale.sample(5, (0..most).step_by(step)) {
            world.enter(scenario.state);
            let found = rustix::fs::statvfs(arena).unwrap();
            let used = if what == "size" {
                (found.f_blocks - found.f_bfree) * found.f_frsize
            } else {
                found.f_files - found.f_ffree
            };
            resize(arena, &format!("{what}={}", used + more));
            let ended = run(&mut world.command(scenario.words)).unwrap();
            resize(arena, if what == "size" { "size=64m" } else { "nr_inodes=9999" });
            let told = format!("{scenario:?}, {what} {more}");
            if judge(world, scenario, reference, &ended, &told) {
                refused += 1;
                assert!(ended.stderr.contains("E_NOSPC"), "{told}: a full disk is called something else: {ended}");
            } else {
                break;
            }
        }
    }
    refused
}

fn limit(world: &World<'_>, scenario: &Scenario, reference: &Reference, flag: &str, bound: u64) -> bool {
    world.enter(scenario.state);
    let inner = world.command(scenario.words);
    let mut command = Command::new("sh");
    // XFSZ ignored, a write beyond the bound fails; otherwise the signal kills, which the kill gate covers.
    let script = "trap '' XFSZ; ulimit -$1 $2; shift 2; exec \"$@\"";
    command.args(["-c", script, "sh", flag, &bound.to_string()]).arg(inner.get_program()).args(inner.get_args());
    command.current_dir(inner.get_current_dir().unwrap()).env_clear();
    command.env("PATH", "/usr/bin:/bin").envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ended = run(&mut command).unwrap();
    let told = format!("{scenario:?}, ulimit -{flag} {bound}");
    // Below what the loader needs there is no program yet that could say anything.
    let is_loader = ended.code == 127 && ended.stderr.contains("shared libraries");
    // An allocation that fails ends a Rust program there and then (std::alloc::handle_alloc_error): no code, nothing lost.
    // So does a stack that may not grow, by the kernel's hand.
    let is_stack = ended.code == 139;
    // std gives up in the same way on a thread without its signal stack, and qcow2-rs writes to a buffer it was not given.
    let gave_up = ["memory allocation of", "sys/pal/unix/stack_overflow.rs", "ptr::write_bytes requires"];
    let is_abort =
        flag == "v" && (is_stack || ended.code == 134 && gave_up.iter().any(|why| ended.stderr.contains(why)));
    if is_loader || is_abort {
        heal(world, scenario, reference, &told);
        return is_abort;
    }
    judge(world, scenario, reference, &ended, &told)
}

/// Judges a run under a limit and the plain one behind it; tells whether it was refused.
fn judge(world: &World<'_>, scenario: &Scenario, reference: &Reference, ended: &Ended, told: &str) -> bool {
    let now = Picture::of(&world.root);
    reference.judge_between(&now).unwrap_or_else(|why| panic!("{told}: {why}\n{ended}"));
    let is_well = scenario.is_well(ended);
    if is_well {
        reference.judge_done(&now).unwrap_or_else(|why| panic!("{told}: {why}\n{ended}"));
    } else {
        let is_typed = (1..=5).contains(&ended.code) && ended.stderr.contains("error[E_");
        assert!(is_typed && !ended.stderr.contains("E_BUG"), "{told}: no typed error: {ended}");
    }
    heal(world, scenario, reference, told);
    !is_well
}

fn heal(world: &World<'_>, scenario: &Scenario, reference: &Reference, told: &str) {
    let now = || Picture::of(&world.root);
    reference.judge_between(&now()).unwrap_or_else(|why| panic!("{told}: {why}"));
    world.heal(scenario).unwrap_or_else(|why| panic!("{told}: {why}"));
    reference.judge_healed(&now()).unwrap_or_else(|why| panic!("{told}: {why}"));
    remove_tree(&world.root);
}
