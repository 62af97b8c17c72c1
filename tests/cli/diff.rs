//! `diff`: two bundles, two recipes, and what is never shown of either.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::tests::support::{Bin, Output, workdir};

fn diff(world: &Path, before: &str, after: &str) -> Output {
    Bin::new(world).args(["diff", before, after]).run()
}

/// Writes the demo's recipe with its files, changed.
fn recipe(world: &Path, name: &str, change: impl Fn(String) -> String) {
    let _ = std::fs::create_dir(world.join("demo"));
    std::fs::write(world.join("demo/guest.qcow2"), include_bytes!("../../recipes/demo/guest.qcow2")).unwrap();
    std::fs::write(world.join("demo/script"), include_bytes!("../../recipes/demo/script")).unwrap();
    let text = change(include_str!("../../recipes/demo.toml").to_owned());
    std::fs::write(world.join(name), text).unwrap();
}

/// Builds a bundle beside the recipe.
fn bundle(world: &Path, name: &str, change: impl Fn(String) -> String) {
    recipe(world, &format!("{name}.toml"), change);
    Bin::new(world).args(["build", &format!("{name}.toml"), "--out", name]).run().success();
}

/// What stands below a heading of the text form.
fn below<'a>(output: &'a Output, heading: &str) -> Vec<&'a str> {
    let is_detail = |line: &&str| line.starts_with(['-', '+', '@', ' ']);
    let mut lines = output.stdout.lines().skip_while(|line| *line != heading);
    assert_eq!(lines.next(), Some(heading), "{output}");
    lines.take_while(is_detail).collect()
}

#[test]
fn two_bundles_of_one_recipe_are_identical() {
    let dir = workdir();
    bundle(dir.path(), "a", |text| text);
    Bin::new(dir.path()).arg("a.toml").run().success();
    let same = diff(dir.path(), "a", "result-demo").success();
    assert_eq!((same.stdout.as_str(), same.stderr.as_str()), ("", "identical\n"));
    let json = Bin::new(dir.path()).args(["--json", "diff", "a", "a"]).run().success().json();
    assert_eq!(json, serde_json::json!({"identical": true, "differences": []}));
    assert_eq!(diff(dir.path(), "a.toml", "a.toml").success().stdout, "");
    // From elsewhere, as `demo` is a directory here.
    diff(workdir().path(), "demo", dir.path().join("a.toml").to_str().unwrap()).success();
}

#[test]
fn sec_4_a_changed_hostname_is_told_by_file_and_key_and_not_shown() {
    let dir = workdir();
    let named = |name: &'static str| move |text: String| text.replace("\"demo\\n\"", &format!("\"{name}\\n\""));
    bundle(dir.path(), "a", named("canary-one"));
    bundle(dir.path(), "b", named("canary-two"));
    let found = diff(dir.path(), "a", "b").ends_with(1).says("finding[E_DIFFERS]");
    let key = ["  storage.files[0].contents.source: *** -> ***"];
    for heading in ["config.ign", "config.raw: ignition/config.ign", "config.qcow2: ignition/config.ign"] {
        assert_eq!(below(&found, heading), key, "{found}");
    }
    assert!(below(&found, "config.raw")[0].starts_with("  volume id: "), "{found}");
    for silent in ["script", "base.qcow2", "system.qcow2", "data-data1.qcow2", "config.raw: combustion/script"] {
        assert!(!found.stdout.lines().any(|line| line == silent), "{silent} is the same\n{found}");
    }
    let json = Bin::new(dir.path()).args(["--json", "diff", "a", "b"]).run().ends_with(1);
    let told = serde_json::json!({"file": "config.raw", "inside": "ignition/config.ign",
        "at": "storage.files[0].contents.source", "before": "***", "after": "***"});
    assert!(json.json()["differences"].as_array().unwrap().contains(&told), "{json}");
    // base64 of what every canary begins with.
    for output in [&found, &json] {
        assert!(!output.stdout.contains("canary-") && !output.stdout.contains("Y2FuYXJ5"), "{output}");
    }
}

#[test]
fn a_mode_a_disk_and_a_launch_file_are_told_with_their_values() {
    let dir = workdir();
    bundle(dir.path(), "a", |text| text + "mode = \"0644\"\n");
    let other =
        |text: String| text.replace("\"16MiB\"", "\"32MiB\"").replace("\"64MiB\"\nvcpus = 1", "\"128MiB\"\nvcpus = 2");
    bundle(dir.path(), "b", |text| other(text) + "mode = \"0600\"\n");
    let found = diff(dir.path(), "a", "b").ends_with(1);
    assert_eq!(below(&found, "config.ign"), ["  storage.files[0].mode: 420 -> 384"]);
    assert_eq!(below(&found, "system.qcow2"), ["  virtual size: 16MiB -> 32MiB"]);
    let domain = below(&found, "domain.xml").join("\n");
    assert!(domain.contains("<vcpu") && domain.contains("@@ -"), "{found}");
    let manifest = below(&found, "manifest.json").join("\n");
    assert!(manifest.contains("plan: \"") && manifest.contains("files[\"config.ign\"].sha256: \""), "{found}");
}

#[test]
fn sec_4_a_changed_script_shows_line_numbers_only() {
    let dir = workdir();
    bundle(dir.path(), "a", |text| text);
    let script = std::fs::read_to_string(dir.path().join("demo/script")).unwrap();
    bundle(dir.path(), "b", |text| text);
    std::fs::write(dir.path().join("demo/script"), script + "echo canary-line\n").unwrap();
    Bin::new(dir.path()).args(["build", "b.toml", "--out", "c"]).run().success();
    let found = diff(dir.path(), "b", "c").ends_with(1);
    for heading in ["script", "config.raw: combustion/script"] {
        let lines = below(&found, heading);
        assert!(lines[0].starts_with("@@ -") && lines[1..].contains(&"+***"), "{found}");
    }
    assert!(!found.stdout.contains("canary"), "{found}");
}

#[test]
fn two_recipes_are_compared_by_their_plans() {
    let dir = workdir();
    recipe(dir.path(), "a.toml", |text| text);
    recipe(dir.path(), "b.toml", |text| text.replace("vcpus = 1", "vcpus = 2").replace("\"demo\\n\"", "\"canary\\n\""));
    let found = diff(dir.path(), "a.toml", "b.toml").ends_with(1).says("finding[E_DIFFERS]");
    let lines = below(&found, "plan");
    assert!(lines.contains(&"  machine.vcpus: 1 -> 2"), "{found}");
    let derivations: Vec<_> = lines.iter().filter(|line| line.starts_with("  derivations.")).collect();
    assert!(!derivations.is_empty() && derivations.iter().all(|line| line.contains("config.ign")), "{found}");
    assert!(!found.stdout.contains("canary"), "{found}");
    assert!(!dir.path().join("cache").exists(), "comparing recipes made a store");
}

#[test]
fn what_cannot_be_compared_is_a_mistake() {
    let dir = workdir();
    bundle(dir.path(), "a", |text| text);
    for (before, after) in [("a", "a.toml"), ("a.toml", "a")] {
        diff(dir.path(), before, after).ends_with(2).says("a bundle and a recipe cannot be compared");
    }
    diff(dir.path(), "a", ".").ends_with(2).says("is not a bundle");
    diff(dir.path(), "a.toml", "missing.toml").ends_with(2);
}

#[test]
fn a_file_that_only_one_side_has_is_told() {
    let dir = workdir();
    bundle(dir.path(), "a", |text| text);
    bundle(dir.path(), "b", |text| text);
    let folder = dir.path().join("b");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
    std::fs::remove_file(folder.join("run-qemu.sh")).unwrap();
    std::fs::write(folder.join("stranger"), "canary").unwrap();
    let found = diff(dir.path(), "a", "b").ends_with(1);
    assert_eq!(below(&found, "stranger"), ["+ file: 6 bytes"]);
    assert!(below(&found, "run-qemu.sh")[0].starts_with("- file: "), "{found}");
    assert_eq!(found.stdout.lines().count(), 4, "{found}");
}
