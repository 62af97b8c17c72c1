//! Does Nix find in `flake.nix` what the README promises? Evaluates it as a flake with a stub in nixpkgs' place
//! (`tests/fixtures/nixpkgs-stub`): no network, no daemon, nothing built, a store of its own below `target/`.
//! Nix manual, "Flakes" (experimental; Debian's nix-bin is 2.8).

use crate::tests::support::{self, Output, tool, workdir};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const SYSTEMS: [&str; 2] = ["aarch64-linux", "x86_64-linux"];

/// A copy of what the flake reads, and Nix.
struct Flake {
    nix: PathBuf,
    dir: tempfile::TempDir,
}

impl Flake {
    /// Copies the flake with its text changed; the whole checkout would bring `target/` into Nix's store.
    fn copy(change: impl Fn(String) -> String) -> Option<Self> {
        let flake = Self { nix: tool("nix")?, dir: workdir() };
        let [source, stub] = ["flake", "stub"].map(|name| flake.path(name));
        [&source, &stub].iter().for_each(|dir| fs::create_dir(dir).unwrap());
        for name in ["Cargo.toml", "Cargo.lock"] {
            fs::copy(Path::new(ROOT).join(name), source.join(name)).unwrap();
        }
        fs::write(source.join("flake.nix"), change(read("flake.nix"))).unwrap();
        fs::write(stub.join("flake.nix"), read("tests/fixtures/nixpkgs-stub/flake.nix")).unwrap();
        Some(flake)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn nix(&self, arguments: &[&str], output: &str) -> Output {
        let stores = crate::tests::support::target_tmp().join("nix");
        let mut nix = Command::new(&self.nix);
        nix.env_clear().env("HOME", self.path("home")).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        for (name, dir) in [("STORE", "store"), ("STATE", "state"), ("LOG", "log"), ("CONF", "etc")] {
            nix.env(format!("NIX_{name}_DIR"), stores.join(dir));
        }
        // `target` may be a link to a larger disk.
        nix.env("NIX_IGNORE_SYMLINK_STORE", "1");
        nix.env("NIX_CONFIG", "experimental-features = nix-command flakes\nbuild-users-group =\n");
        nix.args(arguments).args(["--offline", "--no-write-lock-file", "--override-input", "nixpkgs"]);
        nix.arg(format!("path:{}", self.path("stub").display()));
        support::output(nix.arg(format!("path:{}{output}", self.path("flake").display())))
    }
}

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(name)).unwrap()
}

/// The names below `outputs.kind.system`.
fn names<'a>(outputs: &'a Value, kind: &str, system: &str) -> Vec<&'a str> {
    outputs[kind][system].as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn the_flake_gives_package_app_shell_and_checks_on_both_systems() {
    let Some(flake) = Flake::copy(|text| text) else { return };
    let outputs = flake.nix(&["flake", "show", "--json"], "").success().json();
    let kinds: Vec<_> = outputs.as_object().unwrap().keys().collect();
    assert_eq!(kinds, ["apps", "checks", "devShells", "packages"]);
    for (kind, expected) in [
        ("packages", vec!["arca-build", "default"]),
        ("apps", vec!["arca-build", "default"]),
        ("devShells", vec!["default"]),
        ("checks", vec!["clippy", "format", "oracles", "package"]),
    ] {
        assert_eq!(outputs[kind].as_object().unwrap().keys().collect::<Vec<_>>(), SYSTEMS, "{kind}");
        SYSTEMS.iter().for_each(|system| assert_eq!(names(&outputs, kind, system), expected, "{kind}.{system}"));
    }
}

#[test]
fn the_package_is_named_and_described_by_cargo_toml_and_the_app_is_its_program() {
    let Some(flake) = Flake::copy(|text| text) else { return };
    let package = "#packages.x86_64-linux.default";
    let version = flake.nix(&["eval", "--json"], &format!("{package}.version")).success().json();
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
    let meta = flake.nix(&["eval", "--json"], &format!("{package}.meta")).success().json();
    let expected = json!({
        "description": env!("CARGO_PKG_DESCRIPTION"),
        "license": ["mit", "asl20"],
        "mainProgram": "arca-build",
        "platforms": ["x86_64-linux", "aarch64-linux"],
    });
    assert_eq!(meta, expected);
    let path = flake.nix(&["eval", "--raw"], &format!("{package}.outPath")).success().stdout;
    let program = flake.nix(&["eval", "--raw"], "#apps.x86_64-linux.default.program").success().stdout;
    assert_eq!(program, format!("{path}/bin/arca-build"));
}

#[test]
fn nix_itself_finds_every_output_well_formed() {
    let Some(flake) = Flake::copy(|text| text) else { return };
    flake.nix(&["flake", "check", "--no-build"], "").success();
}

#[test]
fn a_misspelt_package_and_a_missing_lock_file_are_found_out() {
    for (from, to) in [("pkgs.mtools", "pkgs.mtolls"), ("./Cargo.lock", "./cargo.lock")] {
        let Some(flake) = Flake::copy(|text| text.replace(from, to)) else { return };
        let told = flake.nix(&["flake", "check", "--no-build"], "");
        assert_ne!(told.code, 0, "{to} went through: {told}");
    }
}
