//! CAS-7 and GC-1 by whole programs: many builds at once on one store, and the collector beside them.
//!
//! Touches temporary directories and loopback. Read next: `store_processes.rs` for the store by itself.

use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::tests::support::publisher::{PUBLISHED, Publisher, recipes};
use crate::tests::support::server::Behaviour;
use crate::tests::support::{Bin, Output, workdir};

const SIZE: usize = 2 << 20;

fn bin(cwd: &Path, store: &Path, publisher: &Publisher) -> Bin {
    std::fs::create_dir_all(cwd).unwrap();
    Bin::new(cwd).env("ARCA_CACHE", store).arg("--config").arg(&publisher.config)
}

/// Requests that asked for bytes, not only for a size.
fn gets(publisher: &Publisher, path: &str) -> usize {
    publisher.server.requests().iter().filter(|request| request.method == "GET" && request.target == path).count()
}

#[test]
fn cas_07_eight_cold_builds_at_once_fetch_the_image_once_and_give_one_bundle() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    // Slow enough that all eight are there before it ends.
    let (path, _) = publisher.weigh("nas", SIZE, &[Behaviour::throttled(SIZE / 2)]);
    let recipe = recipes(dir.path()).join("nas.toml");
    let store = dir.path().join("store");
    bin(dir.path(), &store, &publisher).arg("update").arg(&recipe).run().success();
    // `update` remembers there what it saw, and looked at the image's first bytes.
    std::fs::remove_dir_all(&store).unwrap();
    let (before, asked) = (publisher.server.sent(), gets(&publisher, &path));

    let gate = Barrier::new(8);
    let runs: Vec<Output> = thread::scope(|scope| {
        let build = |number: usize| {
            // Half of them also fight for one link.
            let cwd = dir.path().join(if number < 4 { "together".into() } else { format!("alone-{number}") });
            let build = bin(&cwd, &store, &publisher).arg("--json").arg(&recipe);
            gate.wait();
            build.run()
        };
        let handles: Vec<_> = (0..8).map(|number| scope.spawn(move || build(number))).collect();
        handles.into_iter().map(|handle| handle.join().unwrap()).collect()
    });
    let bundles: Vec<_> = runs.into_iter().map(|run| run.success().json()["bundles"][0].clone()).collect();
    assert!(bundles.iter().all(|bundle| bundle["path"] == bundles[0]["path"]), "{bundles:#?}");
    assert!(bundles.iter().all(|bundle| bundle["digest"] == bundles[0]["digest"]), "{bundles:#?}");
    assert_eq!(gets(&publisher, &path) - asked, 1);
    assert_eq!(publisher.server.sent() - before, SIZE);
    assert_eq!(std::fs::read_dir(store.join("bundles-v1")).unwrap().count(), 1);
    for cwd in ["together", "alone-4", "alone-7"] {
        bin(&dir.path().join(cwd), &store, &publisher).args(["verify", "result-nas"]).run().success();
    }
    let left: Vec<_> = std::fs::read_dir(store.join("tmp")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn cas_07_two_recipes_at_once_each_get_their_own_bundle() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    let recipes = recipes(dir.path());
    let store = dir.path().join("store");
    let both = [PUBLISHED[0].0, PUBLISHED[1].0].map(|name| recipes.join(format!("{name}.toml")));
    bin(dir.path(), &store, &publisher).arg("update").args(&both).run().success();
    let runs = thread::scope(|scope| {
        let publisher = &publisher;
        let handles = both.each_ref().map(|recipe| {
            let build = bin(dir.path(), &store, publisher).arg("--json").arg(recipe);
            scope.spawn(move || build.run())
        });
        handles.map(|handle| handle.join().unwrap().success().json()["bundles"][0].clone())
    });
    assert_ne!(runs[0]["path"], runs[1]["path"]);
    // Alone, in a store of their own, they are the same.
    let alone = dir.path().join("alone");
    for (recipe, run) in both.iter().zip(&runs) {
        bin(dir.path(), &store, &publisher).arg("verify").arg(run["path"].as_str().unwrap()).run().success();
        let again = bin(&alone, &alone.join("store"), &publisher).arg("--json").arg(recipe).run().success().json();
        assert_eq!(again["bundles"][0]["digest"], run["digest"]);
    }
}

#[test]
fn gc_01_a_collector_that_never_rests_fails_no_build_and_takes_no_bundle_with_a_link() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    let recipe = recipes(dir.path()).join("nas.toml");
    let store = dir.path().join("store");
    bin(dir.path(), &store, &publisher).arg("update").arg(&recipe).run().success();
    let text = std::fs::read_to_string(&recipe).unwrap();
    let done = AtomicBool::new(false);
    let removed = thread::scope(|scope| {
        let collector = scope.spawn(|| {
            let mut removed = 0;
            // Once more behind the last build, so that it had its turn on a busy machine too.
            let mut is_last = false;
            while !is_last {
                is_last = done.load(Ordering::SeqCst);
                let collect = ["store", "gc", "--grace", "0", "--without-roots"];
                let run = bin(dir.path(), &store, &publisher).args(collect).run();
                // It may find the store in use for too long; it never breaks.
                assert!(run.code == 0 || run.stderr.contains("E_CACHE_LOCK"), "{run}");
                removed += usize::from(run.code == 0 && run.stdout.starts_with("removed"));
            }
            removed
        });
        let builders: Vec<_> = (0..3)
            .map(|number| {
                let (store, publisher, text, recipe) = (&store, &publisher, &text, &recipe);
                let cwd = dir.path().join(format!("user-{number}"));
                scope.spawn(move || build_again_and_again(&cwd, store, publisher, recipe, text))
            })
            .collect();
        let ended: Vec<_> = builders.into_iter().map(|builder| builder.join()).collect();
        done.store(true, Ordering::SeqCst);
        let removed = collector.join().unwrap();
        ended.into_iter().for_each(|ended| ended.unwrap());
        removed
    });
    assert!(removed > 0, "the collector never got its turn");
    for number in 0..3 {
        let cwd = dir.path().join(format!("user-{number}"));
        bin(&cwd, &store, &publisher).args(["verify", "result-nas"]).run().success();
        bin(&cwd, &store, &publisher).args(["--offline", "mine.toml"]).run().success().says("nothing to do");
    }
}

/// Another provisioning each time, so that the link leaves its old bundle to the collector.
fn build_again_and_again(cwd: &Path, store: &Path, publisher: &Publisher, recipe: &Path, text: &str) {
    std::fs::create_dir_all(cwd).unwrap();
    std::fs::copy(recipe.with_file_name("arca.lock"), cwd.join("arca.lock")).unwrap();
    for round in 0..4 {
        let user = cwd.file_name().unwrap().to_str().unwrap();
        std::fs::write(cwd.join("mine.toml"), text.replace("nas\\n", &format!("{user}-{round}\\n"))).unwrap();
        bin(cwd, store, publisher).arg("mine.toml").run().success();
        bin(cwd, store, publisher).args(["verify", "result-nas"]).run().success();
    }
}
