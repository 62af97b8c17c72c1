//! Every shipped recipe is updated, planned and built, against a stand-in publisher with openSUSE's paths.

use std::path::Path;

use crate::tests::support::publisher::{PROVISIONED, PUBLISHED, Publisher, image, recipes};
use crate::tests::support::{Bin, workdir};

fn run(cwd: &Path, publisher: &Publisher, words: &[&str]) -> crate::tests::support::Output {
    Bin::new(cwd).arg("--config").arg(&publisher.config).args(words).run()
}

#[test]
fn every_shipped_recipe_is_updated_planned_and_built() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    recipes(dir.path());
    for (name, _, immutable) in PUBLISHED.into_iter().chain(PROVISIONED) {
        let recipe = format!("recipes/{name}.toml");
        // Some name the same image: each is to be pinned by itself.
        let _ = std::fs::remove_file(dir.path().join("recipes/arca.lock"));
        let unpinned = run(dir.path(), &publisher, &[&recipe]).ends_with(2).says("E_UNPINNED");
        assert!(unpinned.stderr.contains(&format!("arca-build update {recipe}")), "{unpinned}");

        let updated = run(dir.path(), &publisher, &["update", &recipe]).success();
        assert!(updated.line().ends_with("recipes/arca.lock"), "{updated}");
        let lock = std::fs::read_to_string(dir.path().join("recipes/arca.lock")).unwrap();
        let resolved = format!("https://download.opensuse.org/tumbleweed/appliances/{immutable}");
        assert!(lock.contains(&resolved) && lock.contains("signer = \"none\""), "{lock}");

        let checked = run(dir.path(), &publisher, &["check", &recipe]).success();
        let is_clean =
            checked.stderr.matches("warning[").count() == checked.stderr.matches("warning[example-login]").count();
        // Two of the small ones leave root to the console, of which a rule warns.
        assert!(is_clean || PROVISIONED.iter().all(|(other, ..)| *other != name), "{checked}");
        run(dir.path(), &publisher, &["explain", &recipe]).success();
        let plan = run(dir.path(), &publisher, &["plan", "--json", &recipe]).success().json();
        assert_eq!(plan["plans"][0]["format"], 1);

        let built = run(dir.path(), &publisher, &[&recipe]).success();
        let link = dir.path().join(format!("result-{}", plan["plans"][0]["name"].as_str().unwrap()));
        assert_eq!(std::fs::read_link(&link).unwrap(), Path::new(built.line()));
        run(dir.path(), &publisher, &["verify", link.to_str().unwrap()]).success();

        let again = run(dir.path(), &publisher, &["--offline", &recipe]).success().says("nothing to do");
        assert_eq!(again.line(), built.line());
    }
}

#[test]
fn the_demo_builds_from_its_file_and_from_inside_the_program_alike() {
    let dir = workdir();
    recipes(dir.path());
    let file = Bin::new(dir.path()).arg("recipes/demo.toml").run().success();
    let inside = Bin::new(dir.path()).args(["build", "demo"]).run().success();
    assert_eq!(file.line(), inside.line());
    inside.says("nothing to do").says("arca-build run ./result-demo");
}

#[test]
fn several_recipes_build_in_one_run() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    recipes(dir.path());
    let all = ["recipes/nas.toml", "recipes/selfinstall-iso.toml", "recipes/demo.toml"];
    run(dir.path(), &publisher, &[&["update"][..], &all].concat()).success();
    let built = run(dir.path(), &publisher, &all).success();
    assert_eq!(built.stdout.lines().count(), 3, "{built}");
}

#[test]
fn update_shows_what_moved_and_a_dry_run_writes_nothing() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    recipes(dir.path());
    let recipe = "recipes/nas.toml";
    run(dir.path(), &publisher, &["update", recipe]).success();
    let lock = || std::fs::read_to_string(dir.path().join("recipes/arca.lock")).unwrap();
    let before = lock();
    run(dir.path(), &publisher, &["update", recipe]).success().says("unchanged");

    publisher.move_on("nas", image("tomorrow"));
    run(dir.path(), &publisher, &["update", "--dry-run", recipe])
        .success()
        .says("Snapshot20261121")
        .says("would write");
    assert_eq!(lock(), before);
    run(dir.path(), &publisher, &["update", recipe]).success().says("- https").says("+ https");
    assert!(lock().contains("Snapshot20261121") && !lock().contains("Snapshot20261120"));
}

#[test]
fn a_lock_elsewhere_and_a_mirror_directory_serve_as_well() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    recipes(dir.path());
    let lock = dir.path().join("pins.lock");
    let words = ["--lock", lock.to_str().unwrap(), "recipes/nas.toml"];
    run(dir.path(), &publisher, &[&["update"][..], &words].concat()).success();
    assert!(lock.exists() && !dir.path().join("recipes/arca.lock").exists());
    let built = run(dir.path(), &publisher, &words).success();

    // The same tree as a directory: a USB stick, say. A store of its own, so that the base must come from there.
    let stick = dir.path().join("stick/tumbleweed/appliances");
    std::fs::create_dir_all(&stick).unwrap();
    let (_, moving, immutable) = PUBLISHED[0];
    std::fs::write(stick.join(immutable), image(moving)).unwrap();
    let config = dir.path().join("stick.toml");
    let text = format!("[mirrors]\n\"https://download.opensuse.org/\" = \"{}\"\n", dir.path().join("stick").display());
    std::fs::write(&config, text).unwrap();
    let elsewhere = Bin::new(dir.path())
        .env("ARCA_CACHE", dir.path().join("second"))
        .arg("--config")
        .arg(&config)
        .args(["--offline", "--no-link"])
        .args(words)
        .run()
        .success();
    let name = |output: &crate::tests::support::Output| Path::new(output.line()).file_name().unwrap().to_owned();
    assert_eq!(name(&elsewhere), name(&built));
}

#[test]
fn offline_says_what_is_missing() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    recipes(dir.path());
    run(dir.path(), &publisher, &["update", "recipes/nas.toml"]).success();
    run(dir.path(), &publisher, &["--offline", "recipes/nas.toml"]).ends_with(4).says("E_OFFLINE");
    run(dir.path(), &publisher, &["fetch", "recipes/nas.toml"]).success();
    run(dir.path(), &publisher, &["--offline", "recipes/nas.toml"]).success();
}

#[test]
fn net_12_an_image_that_moved_on_is_never_accepted_silently() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    recipes(dir.path());
    run(dir.path(), &publisher, &["update", "recipes/nas.toml"]).success();
    let (_, moving, immutable) = PUBLISHED[0];
    for name in [moving, immutable] {
        publisher.server.put(&format!("/tumbleweed/appliances/{name}"), image("other"), &[]);
    }
    let failed = run(dir.path(), &publisher, &["recipes/nas.toml"]).ends_with(3).says("E_HASH");
    assert!(failed.stderr.contains("arca-build update"), "{failed}");
    assert!(!dir.path().join("result-nas").exists());
    for bytes in [image("other"), image(moving)] {
        let digest = crate::base::Digest::of(&bytes).to_string();
        let object = dir.path().join("cache/objects-v1").join(&digest[..2]).join(&digest[2..]);
        assert!(!object.exists(), "a digest mismatch leaves no object");
    }
}

#[test]
fn net_08_a_file_that_is_gone_is_told_with_the_command_that_helps_this_recipe() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    recipes(dir.path());
    let recipe = "recipes/nas.toml";
    run(dir.path(), &publisher, &["update", recipe]).success();
    let (_, moving, immutable) = PUBLISHED[0];
    let gone = [crate::tests::support::server::Behaviour::status("404 Not Found")];
    for name in [moving, immutable] {
        publisher.server.put(&format!("/tumbleweed/appliances/{name}"), "", &gone);
    }
    let build = || Bin::new(dir.path()).arg("--config").arg(&publisher.config).arg(recipe);
    let told = build().run().ends_with(4).says("404").says("`arca-build update recipes/nas.toml --config");
    // Its own address comes after the mirror. Two files ask for a host that nothing here knows, twice each.
    assert!(!told.stderr.contains("attempt 2"), "{told}");
    let Some(strace) = crate::tests::support::tool("strace") else { return };
    let options = ["-f", "-qq", "-y", "-e", "trace=openat,connect", "-o", "calls"];
    build().under(&strace, &options).run().ends_with(4);
    let calls = std::fs::read_to_string(dir.path().join("calls")).unwrap();
    assert_eq!(calls.matches("\"/etc/hosts\"").count(), 1, "{calls}");
}

#[test]
fn net_13_a_mirror_that_gives_other_bytes_is_told_although_the_next_address_serves() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    recipes(dir.path());
    run(dir.path(), &publisher, &["update", "recipes/nas.toml"]).success();
    let stick = dir.path().join("stick");
    std::fs::create_dir(&stick).unwrap();
    let config = std::fs::read_to_string(&publisher.config).unwrap();
    let rule = format!("\"https://download.opensuse.org/tumbleweed/appliances/\" = {stick:?}\n");
    std::fs::write(&publisher.config, config + &rule).unwrap();
    let (.., immutable) = PUBLISHED[0];
    std::fs::write(stick.join(immutable), image("rotten")).unwrap();
    run(dir.path(), &publisher, &["recipes/nas.toml"])
        .success()
        .says("warning: `base` is not what was pinned (file://");
}

#[test]
fn a_mirror_directory_that_lacks_the_file_is_not_the_failure_that_counts() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    recipes(dir.path());
    run(dir.path(), &publisher, &["update", "recipes/nas.toml"]).success();
    let config = dir.path().join("stick.toml");
    std::fs::write(&config, format!("[mirrors]\n\"https://download.opensuse.org/\" = {:?}\n", dir.path())).unwrap();
    let offline = |words: &[&str]| Bin::new(dir.path()).arg("--config").arg(&config).arg("--offline").args(words).run();
    let built = offline(&["build", "recipes/nas.toml"]).ends_with(4).says("error[E_OFFLINE]").says("hint:");
    assert!(built.stderr.contains("there is no file"), "{built}");
    offline(&["update", "recipes/nas.toml"]).ends_with(4).says("error[E_OFFLINE]").says("is not there");
}

/// Writes a recipe on a local base of its own into `directory`.
fn local(directory: &Path, name: &str, base: &str) {
    std::fs::create_dir_all(directory).unwrap();
    std::fs::write(directory.join(base), image(name)).unwrap();
    let text = format!("format = 1\nname = \"{name}\"\n[base]\nurl = \"{base}\"\n");
    std::fs::write(directory.join(format!("{name}.toml")), text).unwrap();
}

#[test]
fn one_lock_named_in_two_ways_loses_no_pin() {
    let dir = workdir();
    local(&dir.path().join("a"), "one", "one.qcow2");
    local(&dir.path().join("a"), "two", "two.qcow2");
    std::fs::create_dir(dir.path().join("b")).unwrap();
    let both = ["a/one.toml", "b/../a/two.toml"];
    let updated = Bin::new(dir.path()).arg("update").args(both).run().success();
    assert_eq!(updated.stdout.lines().count(), 1, "{updated}");
    Bin::new(dir.path()).arg("check").args(both).run().success();
}

#[test]
fn a_path_that_is_two_files_for_one_lock_is_refused() {
    let dir = workdir();
    local(&dir.path().join("a"), "one", "base.qcow2");
    local(&dir.path().join("b"), "two", "base.qcow2");
    let words = ["update", "--lock", "shared.lock", "a/one.toml", "b/two.toml"];
    Bin::new(dir.path()).args(words).run().ends_with(2).says("`base.qcow2` is two files for one lock");
    assert!(!dir.path().join("shared.lock").exists());
    std::fs::copy(dir.path().join("a/base.qcow2"), dir.path().join("b/base.qcow2")).unwrap();
    Bin::new(dir.path()).args(words).run().success();
}

#[test]
fn recipes_that_share_an_input_ask_for_it_once() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    let recipes = recipes(dir.path());
    let text = std::fs::read_to_string(recipes.join("nas.toml")).unwrap();
    std::fs::write(recipes.join("twin.toml"), text.replace("\"nas\"", "\"twin\"")).unwrap();
    run(dir.path(), &publisher, &["update", "recipes/nas.toml", "recipes/twin.toml"]).success();
    let (_, moving, _) = PUBLISHED[0];
    assert_eq!(publisher.server.hits(&format!("/tumbleweed/appliances/{moving}.sha256")), 1);
}

#[test]
fn of_several_recipes_the_one_that_fails_and_those_that_are_done_are_told() {
    let dir = workdir();
    local(&dir.path().join("a"), "one", "one.qcow2");
    local(&dir.path().join("a"), "two", "two.qcow2");
    let both = ["a/one.toml", "a/two.toml"];
    Bin::new(dir.path()).arg("update").args(both).run().success();
    std::fs::write(dir.path().join("a/two.qcow2"), image("other")).unwrap();
    let failed = Bin::new(dir.path()).args(both).run().ends_with(3);
    assert!(failed.stderr.contains("building:     two") && failed.stderr.contains("built before: one"), "{failed}");
}

#[test]
fn net_12_when_upstream_has_moved_on_its_newest_name_and_the_command_are_told() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    recipes(dir.path());
    run(dir.path(), &publisher, &["update", "recipes/nas.toml"]).success();
    let lock = std::fs::read_to_string(dir.path().join("recipes/arca.lock")).unwrap();
    publisher.move_on("nas", image("tomorrow"));
    let (_, _, immutable) = PUBLISHED[0];
    publisher.server.put(&format!("/tumbleweed/appliances/{immutable}"), image("gone"), &[]);
    let failed = run(dir.path(), &publisher, &["recipes/nas.toml"]).ends_with(3).says("E_UPSTREAM_MOVED");
    for part in ["Snapshot20261120", "Snapshot20261121", "arca-build update recipes/nas.toml", "the lock is as it was"]
    {
        assert!(failed.stderr.contains(part), "lacks {part:?}\n{failed}");
    }
    assert_eq!(std::fs::read_to_string(dir.path().join("recipes/arca.lock")).unwrap(), lock);
    run(dir.path(), &publisher, &["update", "recipes/nas.toml"]).success();
    run(dir.path(), &publisher, &["recipes/nas.toml"]).success();
}
