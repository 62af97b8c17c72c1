//! CAS-1: the program is killed at a system call, for many of them; the plain command then gives the right bytes.
//!
//! strace delivers SIGKILL when a thread enters its n-th call. Starts strace in temporary directories.

use std::path::Path;
use std::process::Command;

use crate::tests::support::publisher::{Publisher, recipes};
use crate::tests::support::{Bin, output, tool, workdir};

/// Builds once, undisturbed, in a world of its own; returns the bundle's directory name and digest.
fn reference(publisher: &Publisher, words: &[&str]) -> (String, String) {
    let world = workdir();
    prepare(world.path(), publisher);
    let built = Bin::new(world.path()).arg("--config").arg(&publisher.config).arg("--json").args(words).run().success();
    let json = built.json();
    let bundle = &json["bundles"][0];
    let name = Path::new(bundle["path"].as_str().unwrap()).file_name().unwrap().to_string_lossy().into_owned();
    (name, bundle["digest"].as_str().unwrap().to_owned())
}

fn prepare(world: &Path, publisher: &Publisher) {
    recipes(world);
    let update = ["update", "recipes/nas.toml"];
    Bin::new(world).arg("--config").arg(&publisher.config).args(update).run().success();
}

/// Lists every point of a run: each system call by name, and which of its calls (strace counts each name by itself, for each thread).
fn points(strace: &Path, publisher: &Publisher, words: &[&str]) -> Vec<(String, usize)> {
    let world = workdir();
    prepare(world.path(), publisher);
    let log = world.path().join("log");
    let mut command = Command::new(strace);
    command.args(["-f", "-qq", "-o"]).arg(&log).arg(crate::tests::support::program());
    command.arg("--config").arg(&publisher.config).args(words).current_dir(world.path()).env_clear();
    output(command.env("ARCA_CACHE", world.path().join("cache"))).success();
    let mut seen = std::collections::BTreeMap::<(String, String), usize>::new();
    let mut points = vec![];
    for line in std::fs::read_to_string(&log).unwrap().lines() {
        let (thread, call) = line.split_once(' ').map_or(("", ""), |(thread, call)| (thread, call.trim_start()));
        if let Some((name, _)) =
            call.split_once('(').filter(|(name, _)| name.chars().all(|c| c.is_alphanumeric() || c == '_'))
        {
            let count = seen.entry((thread.to_owned(), name.to_owned())).or_default();
            *count += 1;
            if !points.contains(&(name.to_owned(), *count)) {
                points.push((name.to_owned(), *count));
            }
        }
    }
    points
}

#[test]
fn cas_01_a_build_killed_at_any_call_is_healed_by_the_plain_command() {
    let Some(strace) = tool("strace") else { return };
    let serving = workdir();
    let publisher = Publisher::start(serving.path());
    let words = ["--json", "recipes/nas.toml"];
    let (name, digest) = reference(&publisher, &words[1..]);
    let points = points(&strace, &publisher, &words);
    // A prime step, so that repeated runs of one loop are not always met at the same place.
    let total = points.len();
    let step = (total / 250).max(1) | 1;
    let mut killed = 0;
    let mut world = workdir();
    prepare(world.path(), &publisher);
    for (round, (call, count)) in points.iter().step_by(step).enumerate() {
        // Every third world is used again as the last kill left it, the others are fresh.
        if round % 3 != 2 {
            world = workdir();
            prepare(world.path(), &publisher);
        }
        let mut command = Command::new(&strace);
        let inject = format!("inject={call}:signal=SIGKILL:when={count}");
        command.args(["-f", "-qq", "-o", "/dev/null", "-e", &inject]);
        command.arg(crate::tests::support::program()).arg("--config").arg(&publisher.config).args(words);
        let run = output(command.current_dir(world.path()).env_clear().env("ARCA_CACHE", world.path().join("cache")));
        killed += usize::from(run.code == 137);

        let healed = Bin::new(world.path()).arg("--config").arg(&publisher.config).args(words).run();
        assert_eq!(healed.code, 0, "killed at {call} {count}\n{healed}");
        let json = healed.json();
        let bundle = &json["bundles"][0];
        assert!(bundle["path"].as_str().unwrap().ends_with(&name), "killed at {call} {count}");
        assert_eq!(bundle["digest"], digest.as_str(), "killed at {call} {count}");
        let verified = Bin::new(world.path()).args(["verify", bundle["path"].as_str().unwrap()]).run();
        assert_eq!(verified.code, 0, "killed at {call} {count}\n{verified}");
        let store = Bin::new(world.path()).args(["store", "verify"]).run();
        assert_eq!(store.code, 0, "killed at {call} {count}: wrong bytes under a final name\n{store}");
    }
    // Threads share some calls, so a few points are never reached; most are.
    assert!(killed > 90, "only {killed} runs were killed, of {total} calls");
}
