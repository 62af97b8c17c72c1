//! `update` without keys: what a moving name means, what is pinned when nobody says, and what `--locked` refuses.

use std::path::Path;

use crate::base::Digest;

use crate::tests::support::publisher::{PUBLISHED, Publisher, image, recipes};
use crate::tests::support::server::{Behaviour, HONEST, Stop};
use crate::tests::support::{Bin, Output, tls, workdir};

const RECIPE: &str = "recipes/nas.toml";
const DIR: &str = "/tumbleweed/appliances/";

fn run(cwd: &Path, publisher: &Publisher, words: &[&str]) -> Output {
    let bin = Bin::new(cwd).env("SSL_CERT_FILE", tls::fixture("authority.pem"));
    bin.arg("--config").arg(&publisher.config).args(words).run()
}

fn lock(cwd: &Path) -> String {
    std::fs::read_to_string(cwd.join("recipes/arca.lock")).unwrap()
}

/// A recipe on an image of another publisher than openSUSE, who has nothing but that: the configuration leads to
/// `/other/`, and behind it a server of https says 404.
fn other(cwd: &Path, publisher: &Publisher, file: &str) {
    let (config, site) = (std::fs::read_to_string(&publisher.config).unwrap(), tls::nothing());
    let rule = format!("\"{site}\" = \"{}\"\n", publisher.server.url("/other/"));
    std::fs::write(&publisher.config, config + &rule).unwrap();
    let text = format!("format = 1\nname = \"plain\"\n[base]\nurl = \"{site}{file}\"\n");
    std::fs::write(cwd.join("plain.toml"), text).unwrap();
}

#[test]
fn a_redirect_of_the_moving_name_tells_the_immutable_one_and_no_mirror_reaches_the_lock() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    recipes(dir.path());
    let (_, moving, immutable) = PUBLISHED[0];
    let digest = Digest::of(&image(moving));
    let target = publisher.server.url(&format!("/mirror/somewhere/{immutable}?token=hunter2"));
    publisher.server.put(&format!("/mirror/somewhere/{immutable}"), image(moving), &[]);
    publisher.server.put(&format!("{DIR}{moving}"), "", &[Behaviour::redirect(target)]);
    let resolved = format!("resolved = \"https://download.opensuse.org{DIR}{immutable}\"");

    // The checksums speak of the moving name, of nothing, or only those of the immutable name are there.
    let own = format!("{digest}  {moving}\n");
    let theirs = format!("{digest}  {immutable}\n");
    let gone = || vec![Behaviour::status("404 Not Found")];
    for (of_moving, of_immutable) in [(Some(&own), None), (Some(&own), Some(&theirs)), (None, Some(&theirs))] {
        for (name, text) in [(moving, of_moving), (immutable, of_immutable)] {
            let behaviours = if text.is_some() { vec![] } else { gone() };
            let text = text.cloned().unwrap_or_default();
            publisher.server.put(&format!("{DIR}{name}.sha256"), text, &behaviours);
        }
        run(dir.path(), &publisher, &["update", RECIPE]).success();
        let lock = lock(dir.path());
        assert!(lock.contains(&resolved) && !lock.contains("mirror") && !lock.contains("hunter2"), "{lock}");
        std::fs::remove_file(dir.path().join("recipes/arca.lock")).unwrap();
    }
    // A redirect to another image's name tells nothing.
    publisher.server.put(&format!("/mirror/somewhere/{}", PUBLISHED[1].2), image("other"), &[]);
    let target = publisher.server.url(&format!("/mirror/somewhere/{}", PUBLISHED[1].2));
    publisher.server.put(&format!("{DIR}{moving}"), "", &[Behaviour::redirect(target)]);
    publisher.server.put(&format!("{DIR}{moving}.sha256"), own, &[]);
    run(dir.path(), &publisher, &["update", RECIPE]).success();
    assert!(lock(dir.path()).contains(&format!("resolved = \"https://download.opensuse.org{DIR}{moving}\"")));
}

#[test]
fn what_nobody_signs_or_checks_is_said_once_and_plainly() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    recipes(dir.path());
    let two = ["update", RECIPE, "recipes/microos-combustion.toml"];
    let unsigned = run(dir.path(), &publisher, &two).success();
    let said = unsigned
        .stderr
        .matches("checksums of download.opensuse.org came from your mirror by plain http, without a signature")
        .count();
    assert_eq!(said, 1, "{unsigned}");
    for (_, moving, _) in PUBLISHED {
        publisher.server.put(&format!("{DIR}{moving}.sha256.asc"), "whatever", &[]);
    }
    let unchecked = run(dir.path(), &publisher, &two).success().says("unchanged");
    assert_eq!(unchecked.stderr.matches("signs its checksums, and no signature was checked").count(), 1, "{unchecked}");
    unchecked.says("--keyring FILE").says("AD485664E901B867051AB15F35A2F86E29B700A4").says(".sha256.asc");
}

#[test]
fn a_file_without_any_checksum_is_pinned_as_it_came_and_fetched_once() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    other(dir.path(), &publisher, "plain.qcow2");
    let path = "/other/plain.qcow2";
    publisher.server.put(path, image("plain"), &[]);
    let updated = run(dir.path(), &publisher, &["update", "plain.toml"]).success();
    updated.clone().says("pinned as it comes").says("publishes no checksum").says("virtual size");
    let lock = std::fs::read_to_string(dir.path().join("arca.lock")).unwrap();
    assert!(lock.contains(&Digest::of(&image("plain")).to_string()) && lock.contains("signer = \"none\""), "{lock}");
    let before = publisher.server.hits(path);
    let built = run(dir.path(), &publisher, &["--offline", "plain.toml"]).success();
    assert_eq!(publisher.server.hits(path), before, "{built}");

    publisher.server.put(path, "<!DOCTYPE html><p>sign in", &[]);
    run(dir.path(), &publisher, &["update", "plain.toml"]).ends_with(3).says("is an HTML page, no image");
    publisher.server.put(path, "", &[Behaviour::status("404 Not Found")]);
    let gone = run(dir.path(), &publisher, &["update", "plain.toml"]).ends_with(4);
    gone.says("error[E_NET_STATUS]").says("check the address in the recipe");
    // A server that fails is not one that has nothing.
    publisher.server.put(&format!("{path}.sha256"), "", &[Behaviour::status("403 Forbidden")]);
    publisher.server.put(path, image("plain"), &[]);
    run(dir.path(), &publisher, &["update", "plain.toml"]).ends_with(4).says("403");
}

#[test]
fn two_versions_of_a_file_that_nobody_vouches_for_are_never_spliced() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    other(dir.path(), &publisher, "plain.qcow2");
    let mut first = image("plain");
    first[600] ^= 1;
    let untagged = |behaviour: Behaviour| behaviour.with("ETag", "");
    let cut = Behaviour::stopping(Stop::CloseAfter(1000));
    // The first request only looks where the name leads.
    let turns = [HONEST, untagged(cut), untagged(Behaviour::body(image("later")))];
    publisher.server.put("/other/plain.qcow2", first, &turns);
    run(dir.path(), &publisher, &["update", "plain.toml"]).success();
    let lock = std::fs::read_to_string(dir.path().join("arca.lock")).unwrap();
    assert!(lock.contains(&Digest::of(&image("later")).to_string()), "{lock}");
}

#[test]
fn a_locked_run_refuses_every_change_and_tells_it() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    recipes(dir.path());
    run(dir.path(), &publisher, &["update", "--locked", RECIPE]).ends_with(1).says("error[E_LOCKED]");
    assert!(!dir.path().join("recipes/arca.lock").exists());
    run(dir.path(), &publisher, &["update", RECIPE]).success();
    run(dir.path(), &publisher, &["update", "--locked", RECIPE]).success().says("unchanged");
    let before = lock(dir.path());
    publisher.move_on("nas", image("tomorrow"));
    let refused = run(dir.path(), &publisher, &["--locked", "update", RECIPE]).ends_with(1);
    for part in ["error[E_LOCKED]", RECIPE, "snapshot: 20261120 → 20261121", "no lock was changed"] {
        assert!(refused.stderr.contains(part), "lacks {part:?}\n{refused}");
    }
    let json = run(dir.path(), &publisher, &["--locked", "--json", "update", RECIPE]).ends_with(1).json();
    assert_eq!(json["errors"][0]["code"], "E_LOCKED");
    run(dir.path(), &publisher, &["--locked", "--update", RECIPE]).ends_with(1).says("E_LOCKED");
    run(dir.path(), &publisher, &["--locked", RECIPE]).success();
    assert_eq!(lock(dir.path()), before);
}

#[test]
fn build_pins_first_when_it_is_told_to() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    recipes(dir.path());
    let built = run(dir.path(), &publisher, &["build", "--update", RECIPE]).success().says("+ https").says("wrote");
    assert!(built.line().ends_with("-nas"), "stdout is the bundle alone\n{built}");
    publisher.move_on("nas", image("tomorrow"));
    let json = run(dir.path(), &publisher, &["--json", "--update", RECIPE]).success().json();
    assert_eq!(json["update"]["pins"][0]["after"]["snapshot"], "20261121");
    assert_eq!(json["bundles"][0]["name"], "nas");
    for other in ["--check", "--dry-run"] {
        run(dir.path(), &publisher, &["build", "--update", other, RECIPE]).ends_with(2);
    }
}

#[test]
fn without_a_name_the_recipes_of_the_directory_are_updated() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    let recipes = recipes(dir.path());
    std::fs::write(recipes.join("config.toml"), "[mirrors]\n").unwrap();
    std::fs::write(recipes.join("binary.toml"), [0xff, 0xfe]).unwrap();
    std::fs::create_dir(recipes.join("directory.toml")).unwrap();
    let updated = run(&recipes, &publisher, &["update"]).success().says("recipes here: ");
    for (name, ..) in PUBLISHED {
        assert!(updated.stderr.contains(&format!("{name}.toml")), "{updated}");
    }
    assert!(!updated.stderr.contains("config.toml,") && !updated.stderr.contains("binary.toml"), "{updated}");
    // What the recipes name besides images of theirs: the program of k3s.
    assert_eq!(lock(dir.path()).matches("[[input]]").count(), PUBLISHED.len() + 1);
    run(&recipes, &publisher, &["update", "--locked"]).success();
    std::fs::write(recipes.join("broken.toml"), "format = 1\nnmae = \"x\"\n[base]\nurl = \"b.qcow2\"\n").unwrap();
    run(&recipes, &publisher, &["update"]).ends_with(2).says("broken.toml:2:1");
    run(dir.path(), &publisher, &["update"]).ends_with(2).says("there is no recipe in this directory");
}

#[test]
fn every_question_that_fails_is_told_and_no_lock_is_changed() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    recipes(dir.path());
    for index in [0, 1] {
        let (_, moving, _) = PUBLISHED[index];
        publisher.server.put(&format!("{DIR}{moving}.sha256"), "junk\n", &[]);
    }
    let all = PUBLISHED.map(|(name, ..)| format!("recipes/{name}.toml"));
    let words: Vec<_> = ["update"].into_iter().chain(all.iter().map(String::as_str)).collect();
    let failed = run(dir.path(), &publisher, &words).ends_with(3).says("2 errors").says("no lock was changed");
    for recipe in &all[..2] {
        assert!(failed.stderr.contains(&format!("recipe: {recipe}")), "{failed}");
    }
    assert!(!dir.path().join("recipes/arca.lock").exists());
}

#[test]
fn json_tells_every_field_that_changed_and_recipes_that_pin_themselves() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    recipes(dir.path());
    let words = ["update", "--json", RECIPE, "recipes/demo.toml"];
    let first = run(dir.path(), &publisher, &words).success().json();
    assert_eq!(first["pinned_themselves"], serde_json::json!(["recipes/demo.toml"]));
    assert_eq!(first["pins"][0]["after"]["flavour"], "ContainerHost-kvm-and-xen");
    publisher.move_on("nas", image("tomorrow"));
    let second = run(dir.path(), &publisher, &words).success().json();
    let fields: Vec<_> =
        second["pins"][0]["changes"].as_array().unwrap().iter().map(|change| change["field"].clone()).collect();
    assert_eq!(fields, ["resolved", "sha256", "snapshot"], "{second:#}");
    let third = run(dir.path(), &publisher, &words).success().json();
    assert!(third["pins"][0]["unchanged"] == true && third["written"] == serde_json::json!([]), "{third:#}");
}

#[test]
fn hints_name_the_whole_command() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    recipes(dir.path());
    let config = publisher.config.to_str().unwrap();
    let unpinned = run(dir.path(), &publisher, &["--lock", "my pins.lock", RECIPE]).ends_with(2);
    unpinned.says(&format!("`arca-build update {RECIPE} --lock 'my pins.lock' --config {config}`"));
    let offline = run(dir.path(), &publisher, &["--offline", "update", RECIPE]).ends_with(4);
    assert!(!offline.stderr.contains("later runs find it in the store"), "{offline}");
    offline.says("error[E_OFFLINE]").says("update without `--offline`");

    run(dir.path(), &publisher, &["update", RECIPE]).success();
    let (_, moving, immutable) = PUBLISHED[0];
    for name in [moving, immutable] {
        publisher.server.put(&format!("{DIR}{name}"), "", &[Behaviour::status("404 Not Found")]);
    }
    run(dir.path(), &publisher, &[RECIPE])
        .ends_with(4)
        .says(&format!("`arca-build update {RECIPE} --config {config}`"));
}

#[test]
fn sig_4_an_older_snapshot_is_refused_though_nobody_signs() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    recipes(dir.path());
    publisher.publish("nas", "Snapshot20261121", image("b"));
    run(dir.path(), &publisher, &["update", RECIPE]).success();
    publisher.publish("nas", "Snapshot20261120", image("a"));
    let refused = run(dir.path(), &publisher, &["update", RECIPE]).ends_with(3).says("error[E_SIG_OLDER]");
    refused.says("snapshot 20261121").says("snapshot 20261120").says(&format!("update --allow-older {RECIPE}"));
    assert!(lock(dir.path()).contains("20261121"));
    // Another store has not seen it, but the lock has.
    let elsewhere = Bin::new(dir.path()).env("ARCA_CACHE", dir.path().join("second")).arg("--config");
    elsewhere.arg(&publisher.config).args(["update", RECIPE]).run().ends_with(3).says("pinned:");
    run(dir.path(), &publisher, &["update", "--allow-older", RECIPE]).success();
    run(dir.path(), &publisher, &["update", RECIPE]).success().says("unchanged");
}

#[test]
fn a_store_that_takes_nothing_costs_a_warning_and_not_the_update() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    recipes(dir.path());
    std::fs::write(dir.path().join("cache"), "a file").unwrap();
    run(dir.path(), &publisher, &["update", RECIPE]).success().says("warning: the store does not remember");
    std::fs::remove_file(dir.path().join("cache")).unwrap();
    std::fs::remove_file(dir.path().join("recipes/arca.lock")).unwrap();
    run(dir.path(), &publisher, &["update", "--dry-run", RECIPE]).success();
    assert!(!dir.path().join("cache").exists() && !dir.path().join("recipes/arca.lock").exists());
}

#[test]
fn a_disk_of_another_size_than_was_told_is_warned_of() {
    let dir = workdir();
    let publisher = Publisher::start(dir.path());
    recipes(dir.path());
    run(dir.path(), &publisher, &["update", RECIPE]).success();
    let told = lock(dir.path()).replace("virtual_size = \"20GiB\"", "virtual_size = \"24GiB\"");
    std::fs::write(dir.path().join("recipes/arca.lock"), told).unwrap();
    run(dir.path(), &publisher, &[RECIPE]).success().says("holds a disk of 20 GiB, and the lock says 24 GiB");
    // What a server says of the size mends it, and what the bytes are is not asked again.
    run(dir.path(), &publisher, &["update", RECIPE]).success().says("- 24 GiB").says("+ 20 GiB");
    let built = run(dir.path(), &publisher, &[RECIPE]).success();
    let other = built.stderr.lines().filter(|line| line.contains("warning") && !line.contains("[example-login]"));
    assert_eq!(other.count(), 0, "{built}");
}
