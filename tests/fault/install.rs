//! `install` and `uninstall` broken in the middle: killed or interrupted at any step, and two at once. libvirt is a
//! stand-in whose state is a text file (support/virsh.rs). Touches temporary directories and strace.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::tests::support::virsh::{Fake, names};
use crate::tests::support::{Bin, Running, tool, workdir};

struct World {
    dir: tempfile::TempDir,
    fake: Fake,
}

impl World {
    fn new() -> Self {
        let dir = workdir();
        let fake = Fake::new(dir.path());
        std::fs::create_dir(dir.path().join("storage")).unwrap();
        Bin::new(dir.path()).args(["build", "demo"]).run().success();
        Self { dir, fake }
    }

    fn storage(&self) -> PathBuf {
        self.dir.path().join("storage")
    }

    fn bin(&self, words: &[&str]) -> Bin {
        self.fake.bin(self.dir.path(), words)
    }

    fn install(&self, name: &str) -> Bin {
        self.bin(&["install", "result-demo", "--connect", "qemu:///session", "--storage", "storage", "--name", name])
    }

    fn uninstall(&self, name: &str) -> Bin {
        self.bin(&["uninstall", name, "--storage", "storage"])
    }

    /// Whether an instance is whole: its directory, its record, and its domain; or nothing of it.
    fn is_whole(&self, name: &str) -> bool {
        let directory = self.storage().join(name);
        let has = directory.exists();
        let defined = self.fake.get("domains").contains(&format!(" {name} "));
        assert_eq!(has, defined, "{name}: directory {has}, domain {defined}");
        if has {
            assert!(!directory.join(".unfinished").exists(), "{name}");
            assert_eq!(names(&directory).len(), 6, "{:?}", names(&directory));
        }
        has
    }

    fn is_empty(&self) {
        assert_eq!(names(&self.storage()), [""; 0]);
        assert_eq!(self.fake.get("domains"), "");
    }
}

/// What changes something, and so what may be cut between. `execve` of virsh is counted by `clone3` and `vfork`.
const CALLS: [&str; 12] = [
    "mkdir",
    "mkdirat",
    "openat",
    "linkat",
    "link",
    "fchmod",
    "chmod",
    "fsync",
    "renameat2",
    "unlink",
    "unlinkat",
    "rmdir",
];

fn count(log: &Path, call: &str) -> usize {
    let text = std::fs::read_to_string(log).unwrap();
    text.lines().filter(|line| line.starts_with(&format!("{call}("))).count()
}

/// Runs a command once for each chosen step with a signal injected there; returns how often it ended by the signal.
///
/// Only the program itself is traced: what virsh does is its own.
fn cut(strace: &Path, world: &World, signal: &str, begin: &dyn Fn() -> Bin, judge: &dyn Fn(&str, bool)) -> usize {
    let log = world.dir.path().join("strace.log");
    begin().under(strace, &["-qq", "-o", log.to_str().unwrap()]).run().success();
    judge("uncut", false);
    let mut ended = 0;
    for call in CALLS {
        let total = count(&log, call);
        for when in (1..=total).step_by((total / 12).max(1)) {
            let inject = format!("inject={call}:signal={signal}:when={when}");
            let run = begin().under(strace, &["-qq", "-o", "/dev/null", "-e", &inject]).run();
            let was_cut = run.code == 137 || run.code == 130;
            ended += usize::from(was_cut);
            judge(&format!("{call} {when}: {run}"), was_cut);
        }
    }
    ended
}

#[test]
fn cas_01_a_kill_at_any_step_of_an_installation_leaves_what_the_next_run_takes_away() {
    let Some(strace) = tool("strace") else { return };
    let world = World::new();
    let ended = cut(&strace, &world, "SIGKILL", &|| world.install("nas"), &|step, _| {
        // Any run on this storage sweeps; it is another instance's.
        world.install("other").run().success();
        let whole = world.is_whole("nas");
        assert!(world.is_whole("other"), "{step}");
        let left = names(&world.storage());
        let expected: &[&str] = if whole { &[".arca-bases", "nas", "other"] } else { &[".arca-bases", "other"] };
        assert_eq!(left, expected, "{step}");
        // The same command without a flag succeeds, or the instance is there and whole.
        if !whole {
            world.install("nas").run().success();
        }
        for name in ["nas", "other"] {
            world.uninstall(name).run().success();
        }
        world.is_empty();
    });
    assert!(ended >= 30, "only {ended} runs were killed");
}

#[test]
fn cas_01_a_kill_at_any_step_of_an_uninstallation_is_finished_by_the_next() {
    let Some(strace) = tool("strace") else { return };
    let world = World::new();
    let begin = || {
        if !world.storage().join("nas").exists() {
            world.install("nas").run().success();
        }
        world.uninstall("nas")
    };
    let ended = cut(&strace, &world, "SIGKILL", &begin, &|step, _| {
        if world.storage().join("nas").exists() {
            let again = world.uninstall("nas").run();
            assert_eq!(again.code, 0, "{step}\n{again}");
        }
        world.install("other").run().success();
        world.uninstall("other").run().success();
        world.is_empty();
    });
    assert!(ended >= 15, "only {ended} runs were killed");
}

#[test]
fn out_15_ctrl_c_at_any_step_leaves_no_half_instance() {
    let Some(strace) = tool("strace") else { return };
    let world = World::new();
    let ended = cut(&strace, &world, "SIGINT", &|| world.install("nas"), &|step, was_cut| {
        // No run comes in between: what was made is gone already, or whole.
        let left = names(&world.storage());
        let whole = world.is_whole("nas");
        let expected: &[&str] = if whole { &[".arca-bases", "nas"] } else { &[] };
        assert_eq!(left, expected, "{step}");
        assert!(!(whole && was_cut), "{step}");
        if whole {
            world.uninstall("nas").run().success();
        }
        world.is_empty();
    });
    assert!(ended >= 20, "only {ended} runs were interrupted");
}

#[test]
fn two_installations_of_one_name_make_one_and_of_eight_names_make_eight() {
    let world = World::new();
    let all = |names: &[&str]| {
        let mut runs: Vec<_> =
            names.iter().map(|name| Running::start(&mut world.install(name).into_command())).collect();
        let ended = runs.iter_mut().map(|run| {
            assert!(run.wait_for(Duration::from_secs(120)));
            run.kill().code()
        });
        ended.collect::<Vec<_>>()
    };
    let mut codes = all(&["nas"; 6]);
    codes.sort();
    assert_eq!(codes, [Some(0), Some(5), Some(5), Some(5), Some(5), Some(5)]);
    assert!(world.is_whole("nas"));
    let eight = ["a", "b", "c", "d", "e", "f", "g", "h"];
    assert_eq!(all(&eight), [Some(0); 8]);
    assert!(eight.iter().all(|name| world.is_whole(name)));
    for name in eight.iter().chain(&["nas"]) {
        world.uninstall(name).run().success();
    }
    world.is_empty();
}

/// One plan and name have one UUID: the second storage's run must neither take the domain over nor take it away.
#[test]
fn two_installations_of_one_name_into_two_storages_make_one() {
    let world = World::new();
    let storages = ["storage", "other"];
    std::fs::create_dir(world.dir.path().join("other")).unwrap();
    let install = |storage: &str| {
        let words = ["install", "result-demo", "--connect", "qemu:///session", "--name", "nas", "--storage", storage];
        world.bin(&words).into_command()
    };
    for _ in 0..8 {
        let mut runs = storages.map(|storage| Running::start(&mut install(storage)));
        let codes = runs.each_mut().map(|run| {
            assert!(run.wait_for(Duration::from_secs(120)));
            run.kill().code()
        });
        assert!(matches!(codes, [Some(0), Some(5)] | [Some(5), Some(0)]), "{codes:?}");
        let winner = storages[usize::from(codes[0] != Some(0))];
        for storage in storages {
            let there = names(&world.dir.path().join(storage)).contains(&"nas".to_owned());
            assert_eq!(there, storage == winner, "{codes:?} {storage}");
        }
        let domains = world.fake.get("domains");
        let uuid = domains.split(' ').next().unwrap();
        assert!(world.fake.get(&format!("{uuid}.xml")).contains(&format!("/{winner}/nas/system.qcow2")), "{domains}");
        world.bin(&["uninstall", "nas", "--storage", winner]).run().success();
        assert_eq!(world.fake.get("domains"), "");
    }
}

#[test]
fn a_domain_of_the_same_uuid_that_uses_other_files_is_left_alone() {
    let world = World::new();
    world.install("nas").run().success();
    let domains = world.fake.get("domains");
    let uuid = domains.split(' ').next().unwrap();
    let xml = world.fake.get(&format!("{uuid}.xml"));
    world.fake.set(&format!("{uuid}.xml"), &xml.replace("/storage/nas/", "/elsewhere/nas/"));
    world.uninstall("nas").run().success().says("libvirt knew no domain of it");
    assert_eq!((world.fake.get("domains"), names(&world.storage()).len()), (domains.clone(), 0));
}
