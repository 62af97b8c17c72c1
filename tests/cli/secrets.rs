//! SEC rows: what must not be shown is shown nowhere, and lies in files that only the owner reads.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::tests::support::{Bin, Output, workdir};

/// In crypt's alphabet, so that it passes as a hash; distinctive, so that it is found wherever it leaks.
const HASH: &str =
    "$6$CANARYCANARY$CanaryHashCanaryHashCanaryHashCanaryHashCanaryHashCanaryHashCanaryHashCanaryHash012345";
const TEXT: &str = "canary-text-7f3a9c";
const PASSWORD: &str = "canary-password-51";

fn recipe(engine: &str, base: &str) -> String {
    format!(
        "format = 1\nname = \"canary\"\n[base]\n{base}\n[provision]\nengine = \"{engine}\"\n[provision.root]\npassword_hash = \"{HASH}\"\n[[provision.file]]\npath = \"/etc/token\"\ntext = \"{TEXT}\"\nmode = \"0600\"\n[[provision.run]]\nname = \"tell\"\ntext = \"#!/bin/sh\\n# combustion: network\\necho {TEXT}\"\n"
    )
}

fn assert_silent(output: &Output, what: &str) {
    let base64 = |text: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(text)
    };
    for canary in [HASH, &HASH[10..40], TEXT, PASSWORD, &base64(TEXT)[..16], &base64(HASH)[..32]] {
        assert!(!output.stdout.contains(canary) && !output.stderr.contains(canary), "{what} shows {canary}\n{output}");
    }
}

#[test]
fn sec_4_no_command_shows_what_is_provisioned() {
    for engine in ["ignition", "combustion"] {
        let dir = workdir();
        let guest = include_bytes!("../../recipes/demo/guest.qcow2");
        std::fs::write(dir.path().join("guest.qcow2"), guest).unwrap();
        let base = format!("url = \"guest.qcow2\"\nsha256 = \"{}\"", crate::base::Digest::of(guest));
        std::fs::write(dir.path().join("canary.toml"), recipe(engine, &base)).unwrap();
        for words in [
            &["check", "canary.toml"][..],
            &["plan", "canary.toml"],
            &["plan", "--json", "canary.toml"],
            &["explain", "canary.toml"],
            &["--json", "explain", "canary.toml"],
            &["-v", "canary.toml"],
            &["--json", "canary.toml"],
            &["verify", "result-canary"],
            &["inspect", "result-canary/config.raw"],
            &["--json", "inspect", "result-canary/config.qcow2"],
            &["store", "verify"],
            &["store", "gc"],
        ] {
            assert_silent(&Bin::new(dir.path()).args(words).run().success(), &format!("{engine} {words:?}"));
        }
        let plain = recipe(engine, &base).replace(TEXT, "nothing").replace(HASH, &HASH.replace("Canary", "Banana"));
        std::fs::write(dir.path().join("plain.toml"), plain).unwrap();
        Bin::new(dir.path()).args(["build", "plain.toml", "--out", "plain"]).run().success();
        for (before, after) in [("result-canary", "plain"), ("plain", "result-canary"), ("canary.toml", "plain.toml")] {
            for words in [&["diff", before, after][..], &["--json", "diff", before, after]] {
                assert_silent(&Bin::new(dir.path()).args(words).run().ends_with(1), &format!("{engine} {words:?}"));
            }
        }
        let checked = Bin::new(dir.path()).args(["-v", "build", "--check", "canary.toml"]).run().success();
        assert_silent(&checked, &format!("{engine}, built again"));
        let text = recipe(engine, &base).replace("[provision.root]", "[provision.rooot]\nx = 1\n[provision.root]");
        std::fs::write(dir.path().join("broken.toml"), text).unwrap();
        assert_silent(&Bin::new(dir.path()).arg("broken.toml").run().ends_with(2), "a mistake elsewhere");
        let text = recipe(engine, &base).replace("$6$", "$9$");
        std::fs::write(dir.path().join("odd.toml"), text).unwrap();
        assert_silent(&Bin::new(dir.path()).arg("odd.toml").run().ends_with(2), "an odd hash");
        assert_private(dir.path());
    }
}

/// Every file of the store that holds a canary is readable by its owner only, in directories that are too.
fn assert_private(world: &Path) {
    let mut queue = vec![world.join("cache")];
    let mut holding = 0;
    while let Some(path) = queue.pop() {
        let meta = std::fs::symlink_metadata(&path).unwrap();
        if meta.is_dir() {
            assert_eq!(meta.permissions().mode() & 0o077, 0, "{}", path.display());
            queue.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let holds = |canary: &str| bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
        if holds(HASH) || holds(TEXT) {
            holding += 1;
            assert_eq!(meta.permissions().mode() & 0o777, 0o400, "{}", path.display());
        }
    }
    assert!(holding >= 2, "the canary did not arrive at all");
}

#[test]
fn sec_5_credentials_of_an_address_are_shown_and_kept_nowhere() {
    let dir = workdir();
    let base = format!(
        "url = \"http://user:{PASSWORD}@127.0.0.1:1/x.qcow2?token={PASSWORD}\"\nsha256 = \"{}\"",
        crate::base::Digest::of(b"x")
    );
    std::fs::write(dir.path().join("canary.toml"), recipe("ignition", &base)).unwrap();
    for words in [&["plan", "canary.toml"][..], &["--json", "plan", "canary.toml"], &["--offline", "canary.toml"]] {
        assert_silent(&Bin::new(dir.path()).args(words).run(), &format!("{words:?}"));
    }
    assert_silent(&Bin::new(dir.path()).args(["-v", "canary.toml"]).run().ends_with(4), "a server that is not there");
    let mut queue = vec![dir.path().join("cache")];
    while let Some(path) = queue.pop() {
        if path.is_dir() {
            queue.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!String::from_utf8_lossy(&bytes).contains(PASSWORD), "{}", path.display());
        }
    }
}

#[test]
fn sec_1_a_plaintext_password_is_refused_and_the_way_to_a_hash_told() {
    let dir = workdir();
    let text =
        format!("format = 1\nname = \"x\"\n[base]\nurl = \"x.qcow2\"\n[provision.root]\npassword = \"{PASSWORD}\"\n");
    std::fs::write(dir.path().join("x.toml"), text).unwrap();
    let failed =
        Bin::new(dir.path()).args(["check", "x.toml"]).run().ends_with(2).says("E_SECRET").says("arca-build passwd");
    assert_silent(&failed, "a plaintext password");
}
