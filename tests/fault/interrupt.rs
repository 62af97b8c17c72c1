//! OUT-15 by whole programs: Ctrl-C during a download and during a copy ends at once, and the next run goes on.
//!
//! Touches temporary directories, loopback and strace. Read next: `kill.rs`.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::tests::support::publisher::{Publisher, recipes};
use crate::tests::support::server::{Behaviour, HONEST};
use crate::tests::support::{Bin, tool, workdir};

const SIZE: usize = 8 << 20;

fn partial(store: &Path) -> u64 {
    let entries = std::fs::read_dir(store.join("tmp")).into_iter().flatten().flatten();
    let partials = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("partial-"));
    use std::os::unix::fs::MetadataExt;
    // Reserved space is not received bytes: the length counts, and never what lies behind it.
    partials.filter(|entry| entry.path().extension().is_none()).map(|entry| entry.metadata().unwrap().size()).sum()
}

/// Waits for something that another process does.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} never came");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn out_15_ctrl_c_during_a_download_ends_within_a_second_and_the_next_run_resumes() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    publisher.weigh("nas", SIZE, &[]);
    recipes(dir.path());
    let run = || Bin::new(dir.path()).arg("--config").arg(&publisher.config);
    run().args(["update", "recipes/nas.toml"]).run().success();
    // Only now, because `update` asks for the size.
    let (path, _) = publisher.weigh("nas", SIZE, &[Behaviour::throttled(1 << 20), HONEST]);
    let mut running = run().arg("recipes/nas.toml").start();
    let store = dir.path().join("cache");
    until("a part of the image", || partial(&store) >= 2 << 20);
    kill_process(Pid::from_raw(i32::try_from(running.id()).unwrap()).unwrap(), Signal::INT).unwrap();
    assert!(running.wait_for(Duration::from_secs(1)), "it goes on");
    // By the signal itself, so that a shell loop around it ends too.
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&running.kill()), Some(2));
    assert!(!dir.path().join("result-nas").exists());
    let kept = partial(&store);
    assert!((2 << 20..4 << 20).contains(&kept), "{kept}");

    let before = publisher.server.sent();
    run().arg("recipes/nas.toml").run().success();
    let resumed = publisher.server.requests().into_iter().rfind(|request| request.target == path).unwrap();
    assert_eq!(resumed.headers.get("range"), Some(&format!("bytes={kept}-")));
    assert!(resumed.headers.contains_key("if-range"));
    // The server may still have been writing to the one that is gone.
    let rest = SIZE - kept as usize;
    assert!((rest..rest + (1 << 20)).contains(&(publisher.server.sent() - before)));
    let left: Vec<_> = std::fs::read_dir(store.join("tmp")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
    run().args(["store", "verify"]).run().success();
    run().args(["verify", "result-nas"]).run().success();
}

/// How often a run asks for a call, by a log of strace.
fn count(log: &Path, call: &str) -> usize {
    let text = std::fs::read_to_string(log).unwrap();
    text.lines().filter(|line| line.contains(&format!(" {call}("))).count()
}

#[test]
fn out_15_ctrl_c_during_a_copy_leaves_no_directory_and_the_next_run_makes_it() {
    let Some(strace) = tool("strace") else { return };
    let dir = workdir();
    let copy = |out: &str| Bin::new(dir.path()).args(["build", "demo", "--out", out]);
    let log = dir.path().join("log");
    copy("first").run().success();
    copy("counted").under(&strace, &["-f", "-qq", "-o", log.to_str().unwrap()]).run().success();
    let mut ended = 0;
    for call in ["copy_file_range", "fchmod", "fsync", "renameat2", "mkdirat"] {
        let total = count(&log, call);
        for when in (1..=total).step_by((total / 8).max(1)) {
            let out = format!("out-{call}-{when}");
            let inject = format!("inject={call}:signal=SIGINT:when={when}");
            let options = ["-f", "-qq", "-o", "/dev/null", "-e", &inject];
            let run = copy(&out).under(&strace, &options).run();
            ended += usize::from(run.code == 130);
            let there = dir.path().join(&out);
            if there.exists() {
                // Only whole: the signal came with or after the renaming.
                Bin::new(dir.path()).arg("verify").arg(&there).run().success();
            }
            copy(&out).run().success();
            Bin::new(dir.path()).arg("verify").arg(&there).run().success();
            let names = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
            let left: Vec<_> = names.filter(|name| name.to_string_lossy().starts_with(".out-")).collect();
            assert!(left.is_empty(), "{call} {when}: {left:?}");
        }
    }
    assert!(ended >= 10, "only {ended} runs were interrupted");
}
