//! `--offline` and machines without a network, by what the kernel saw. Touches temporary directories, loopback, strace
//! and a network namespace.

use std::collections::BTreeMap;
use std::path::Path;

use crate::tests::support::publisher::{Publisher, recipes};
use crate::tests::support::{Bin, output, tool, workdir};

const RECIPE: &str = "recipes/nas.toml";

/// A world with the recipe pinned, its base in the store or not.
fn world(cwd: &Path, publisher: &Publisher, is_fetched: bool) {
    std::fs::create_dir_all(cwd).unwrap();
    recipes(cwd);
    run(cwd, publisher).args(["update", RECIPE]).run().success();
    if is_fetched {
        run(cwd, publisher).args(["fetch", RECIPE]).run().success();
    }
}

fn run(cwd: &Path, publisher: &Publisher) -> Bin {
    Bin::new(cwd).arg("--config").arg(&publisher.config)
}

#[test]
fn offline_makes_no_socket_at_all() {
    let Some(strace) = tool("strace") else { return };
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    let log = dir.path().join("log");
    let options = ["-f", "-qq", "-e", "trace=network", "-o", log.to_str().unwrap()];
    let logged = |build: Bin| {
        build.under(&strace, &options).run().success();
        let text = std::fs::read_to_string(&log).unwrap();
        // Threads and the end are told too; calls have parentheses.
        text.lines().filter(|line| line.contains('(')).map(str::to_owned).collect::<Vec<_>>()
    };
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    world(&one, &publisher, true);
    let requests = publisher.server.requests().len();
    for words in [&["--offline", RECIPE][..], &["--offline", RECIPE], &["--offline", "fetch", RECIPE]] {
        let calls = logged(run(&one, &publisher).args(words));
        assert!(calls.is_empty(), "{words:?}\n{}", calls.join("\n"));
    }
    assert_eq!(publisher.server.requests().len(), requests);
    // The log would show one.
    world(&other, &publisher, false);
    assert!(logged(run(&other, &publisher).arg(RECIPE)).iter().any(|call| call.contains("connect(")));
}

#[test]
fn a_build_on_a_machine_without_network_is_byte_for_byte_the_connected_one() {
    let Some(unshare) = tool("unshare") else { return };
    if output(std::process::Command::new(&unshare).args(["-rn", "true"])).code != 0 {
        return crate::tests::support::skip("user and network namespaces");
    }
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    let (without, connected) = (dir.path().join("without"), dir.path().join("connected"));
    world(&without, &publisher, true);
    world(&connected, &publisher, false);
    let cut_off = |words: &[&str]| run(&without, &publisher).args(words).under(&unshare, &["-rn"]).run();
    // The namespace is one: what needs the network fails there.
    cut_off(&["update", RECIPE]).ends_with(4).says("E_NET_");

    cut_off(&[RECIPE, "--out", "out"]).success();
    run(&connected, &publisher).args([RECIPE, "--out", "out"]).run().success();
    let (one, other) = (files(&without.join("out")), files(&connected.join("out")));
    assert!(one.len() > 12, "{:?}", one.keys());
    assert!(one.keys().eq(other.keys()), "{:?} {:?}", one.keys(), other.keys());
    for (name, file) in &one {
        assert!(file == &other[name], "{name} differs");
    }
}

/// Mode and bytes of every file in a directory.
fn files(path: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    use std::os::unix::fs::PermissionsExt;
    let entries = std::fs::read_dir(path).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            let mode = entry.metadata().unwrap().permissions().mode();
            (entry.file_name().into_string().unwrap(), (mode, std::fs::read(entry.path()).unwrap()))
        })
        .collect()
}
