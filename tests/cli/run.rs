//! `arca-build run` and its like before any machine starts: what may be asked together, what is meant by a name. Starts no QEMU.
//! Read next: tests/guest/run.rs and run_ends.rs, which do.

use crate::tests::support::{Bin, Output, workdir};

fn run(words: &[&str]) -> Output {
    let dir = workdir();
    Bin::new(dir.path()).arg("run").args(words).run()
}

#[test]
fn a_time_limit_is_for_what_waits_and_at_least_a_second() {
    let alone = run(&["demo", "--timeout", "5"]).ends_with(2);
    assert!(alone.stderr.contains("--wait") && alone.stderr.contains("required"), "{alone}");
    for wrong in ["0", "-5", "soon", "", "99999999999"] {
        run(&["demo", "--wait", "--timeout", wrong]).ends_with(2).says("a whole number of seconds, at least 1");
    }
}

#[test]
fn two_ways_to_wait_are_not_asked_at_once_and_no_text_is_none() {
    for two in [&["--wait", "--wait-for", "login:"][..], &["--test", "--wait-for", "login:"]] {
        let refused = run(&[&["demo"], two].concat()).ends_with(2);
        assert!(refused.stderr.contains("cannot be used with"), "{refused}");
    }
    run(&["demo", "--wait-for", ""]).ends_with(2).says("--wait-for <TEXT>");
}

#[test]
fn the_help_tells_the_keys_both_uses_and_what_comes_after_waiting() {
    let help = run(&["--help"]).success().stdout;
    for part in [
        "run [OPTIONS] <RECIPE|BUNDLE>",
        "run [OPTIONS] --keep <NAME>",
        "Ctrl-A X ends the machine",
        "Ctrl-C goes to the guest",
        "in a terminal the machine goes on",
    ] {
        assert!(help.contains(part), "{part}\n{help}");
    }
    let dir = workdir();
    let help = Bin::new(dir.path()).args(["vms", "--help"]).run().success().stdout;
    assert!(help.contains("after a minute is forced off"), "{help}");
}

/// A world with a directory `demo` in it that is not a bundle, as recipes/ has one.
fn beside_demo() -> tempfile::TempDir {
    let dir = workdir();
    std::fs::create_dir(dir.path().join("demo")).unwrap();
    std::fs::write(dir.path().join("demo/config.ign"), "{}").unwrap();
    dir
}

fn words(dir: &tempfile::TempDir, words: &[&str]) -> Output {
    Bin::new(dir.path()).args(words).run()
}

#[test]
fn a_directory_without_a_manifest_is_no_bundle_and_no_recipe() {
    let dir = beside_demo();
    for line in [&["run", "."][..], &["run", "/etc"], &["install", "."], &["diff", ".", "demo"], &["run", "./demo"]] {
        let refused = words(&dir, line).ends_with(2);
        let told = format!("`{}` is not a bundle", line[1]);
        assert!(refused.stderr.contains(&told) && refused.stderr.contains("it has no `manifest.json`"), "{refused}");
    }
}

#[test]
fn what_is_not_there_is_neither_recipe_nor_bundle() {
    let dir = beside_demo();
    std::os::unix::fs::symlink("gone", dir.path().join("result-gone")).unwrap();
    for line in [&["run", "./result-nosuch"][..], &["install", "nosuch"], &["diff", "nosuch", "demo"]] {
        words(&dir, line).ends_with(2).says(&format!("there is no recipe or bundle `{}`", line[1]));
    }
    words(&dir, &["run", "result-gone"]).ends_with(2).says("the link leads nowhere: what it named was removed");
}

#[test]
fn the_demo_is_not_hidden_by_a_directory_of_its_name_unless_that_is_a_bundle() {
    let dir = beside_demo();
    words(&dir, &["diff", "demo", "demo"]).success().says("identical");
    // It is built; that there is no libvirt here comes after.
    let tried = words(&dir, &["install", "demo", "--dry-run"]);
    assert!(!tried.stderr.contains("is not a bundle"), "{tried}");
    assert_eq!(std::fs::read_dir(dir.path().join("cache/bundles-v1")).unwrap().count(), 1, "{tried}");
    // A bundle of this name is what is meant.
    std::fs::remove_dir_all(dir.path().join("demo")).unwrap();
    words(&dir, &["build", "demo", "--out", "demo"]).success().says("install  arca-build install demo");
    words(&dir, &["diff", "demo", "recipe.toml"]).ends_with(2).says("there is no recipe or bundle `recipe.toml`");
    std::fs::write(dir.path().join("recipe.toml"), "").unwrap();
    words(&dir, &["diff", "demo", "recipe.toml"]).ends_with(2).says("a bundle and a recipe cannot be compared");
}

#[test]
fn run_3_a_file_that_is_missing_from_a_bundle_is_one_that_was_changed() {
    let dir = workdir();
    words(&dir, &["build", "demo", "--out", "copy"]).success();
    for file in ["script", "machine.json", "SHA256SUMS"] {
        let (there, away) = (dir.path().join("copy").join(file), dir.path().join("away"));
        std::fs::rename(&there, &away).unwrap();
        for line in [&["verify", "copy"][..], &["run", "copy"], &["install", "copy"]] {
            // The sums are for other programs; an installation has no use for them.
            if (file, line[0]) != ("SHA256SUMS", "install") {
                let refused = words(&dir, line).ends_with(3).says("E_HASH").says("build again");
                assert!(refused.stderr.contains(&format!("`{file}` is missing from the bundle")), "{refused}");
            }
        }
        std::fs::rename(&away, &there).unwrap();
        words(&dir, &["verify", "copy"]).success();
    }
}
