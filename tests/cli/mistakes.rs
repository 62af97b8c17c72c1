//! Bad input gets a clear error, and nothing is lost.

use crate::tests::support::{Bin, workdir};

#[test]
fn a_misspelt_command_or_missing_recipe_teaches() {
    let dir = workdir();
    Bin::new(dir.path())
        .arg("nas.toml")
        .run()
        .ends_with(2)
        .says("there is no recipe `nas.toml`")
        .says("arca-build new");
    Bin::new(dir.path()).args(["buld", "demo"]).run().ends_with(2).says("did you mean the command `build`?");
    Bin::new(dir.path()).args(["build", "--frobnicate", "x"]).run().ends_with(2).says("--frobnicate");
    Bin::new(dir.path()).run().ends_with(2).says("Usage");
    Bin::new(dir.path()).args(["--out", "o", "demo", "demo"]).run().ends_with(2).says("one recipe");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn every_mistake_of_every_recipe_is_told_at_once_with_its_place() {
    let dir = workdir();
    std::fs::write(
        dir.path().join("a.toml"),
        "format = 1\nname = \"a\"\n[base]\nurl = \"b.qcow2\"\n[machine]\nmemroy = \"2GiB\"\nvcpus = 0\n",
    )
    .unwrap();
    std::fs::write(dir.path().join("b.toml"), "format = 1\nname = \"b/c\"\n[base]\nurl = \"b.qcow2\"\n").unwrap();
    let failed = Bin::new(dir.path()).args(["check", "a.toml", "b.toml"]).run().ends_with(2);
    for part in ["a.toml:6:1", "did you mean `memory`", "memroy = \"2GiB\"", "a.toml:7:", "b.toml:2:", "3 errors"] {
        assert!(failed.stderr.contains(part), "lacks {part:?}\n{failed}");
    }
    let json = Bin::new(dir.path()).args(["--json", "check", "a.toml"]).run().ends_with(2).json();
    assert_eq!(json["errors"].as_array().unwrap().len(), 2);
    assert_eq!(json["errors"][0]["code"], "E_RECIPE");
    assert_eq!(json["errors"][0]["exit"], 2);
}

#[test]
fn a_base_that_is_not_what_the_recipe_says_is_refused_and_leaves_no_object() {
    let dir = workdir();
    let cases: [(&str, Vec<u8>, &str); 3] = [
        ("page.qcow2", b"<!DOCTYPE html><html>sign in</html>".to_vec(), "E_IMAGE_FORMAT"),
        ("backing.qcow2", backing(), "E_IMAGE_BACKING"),
        ("short.iso", vec![0; 4096], "E_IMAGE_FORMAT"),
    ];
    for (name, bytes, code) in cases {
        let digest = crate::base::Digest::of(&bytes);
        std::fs::write(dir.path().join(name), &bytes).unwrap();
        let text = format!(
            "format = 1\nname = \"x\"\n[base]\nurl = \"{name}\"\nsha256 = \"{digest}\"\n[machine.system]\nsize = \"1GiB\"\n"
        );
        std::fs::write(dir.path().join("x.toml"), text).unwrap();
        let failed = Bin::new(dir.path()).arg("x.toml").run().ends_with(3).says(code);
        let object = dir.path().join(format!("cache/objects-v1/{}", &digest.to_string()[..2]));
        let count = std::fs::read_dir(object).map(Iterator::count).unwrap_or(0);
        assert_eq!(count, 0, "{name}\n{failed}");
    }
}

/// A qcow2 that reads through to a file of the host.
fn backing() -> Vec<u8> {
    crate::format::qcow2::overlay("/etc/passwd", crate::base::ByteSize::mib(1)).unwrap_or_else(|_| {
        let mut bytes = crate::format::qcow2::blank(crate::base::ByteSize::mib(1)).unwrap();
        bytes[8..16].copy_from_slice(&0x1000u64.to_be_bytes());
        bytes[16..20].copy_from_slice(&11u32.to_be_bytes());
        bytes[0x1000..0x100b].copy_from_slice(b"/etc/passwd");
        bytes
    })
}

#[test]
fn a_base_of_other_bytes_is_told_with_both_digests() {
    let dir = workdir();
    std::fs::write(dir.path().join("b.qcow2"), "other").unwrap();
    let pinned = crate::base::Digest::of(b"pinned");
    let text = format!("format = 1\nname = \"x\"\n[base]\nurl = \"b.qcow2\"\nsha256 = \"{pinned}\"\n");
    std::fs::write(dir.path().join("x.toml"), text).unwrap();
    let other = crate::base::Digest::of(b"other").to_string();
    let ran =
        Bin::new(dir.path()).arg("x.toml").run().ends_with(3).says("E_HASH").says(&pinned.to_string()).says(&other);
    ran.says("`base` is not what was pinned");
}

#[test]
fn a_system_disk_smaller_than_its_base_is_refused() {
    let dir = workdir();
    let image = crate::format::qcow2::blank(crate::base::ByteSize::mib(2)).unwrap();
    std::fs::write(dir.path().join("b.qcow2"), &image).unwrap();
    let digest = crate::base::Digest::of(&image);
    let text = format!(
        "format = 1\nname = \"x\"\n[base]\nurl = \"b.qcow2\"\nsha256 = \"{digest}\"\n[machine.system]\nsize = \"1MiB\"\n"
    );
    std::fs::write(dir.path().join("x.toml"), text).unwrap();
    Bin::new(dir.path()).arg("x.toml").run().ends_with(2).says("smaller than its base").says("2MiB");
}

#[test]
fn an_update_without_https_is_refused() {
    let dir = workdir();
    std::fs::write(
        dir.path().join("x.toml"),
        "format = 1\nname = \"x\"\n[base]\nurl = \"http://127.0.0.1:1/x.qcow2\"\n",
    )
    .unwrap();
    Bin::new(dir.path()).args(["update", "x.toml"]).run().ends_with(2).says("without https");
    assert!(!dir.path().join("arca.lock").exists());
}

#[test]
fn what_lies_beside_a_recipe_is_bounded_together() {
    let dir = workdir();
    let names: Vec<_> = (0..17).map(|number| format!("part{number}")).collect();
    for name in &names {
        std::fs::write(dir.path().join(name), vec![b'x'; 1 << 20]).unwrap();
    }
    std::fs::write(dir.path().join("s"), "#!/bin/sh\n").unwrap();
    let text = format!(
        "format = 1\nname = \"x\"\n[base]\nurl = \"b.qcow2\"\n[provision]\nengine = \"combustion\"\nscript = \"s\"\nside_files = {names:?}\n"
    );
    std::fs::write(dir.path().join("x.toml"), text).unwrap();
    Bin::new(dir.path()).args(["check", "x.toml"]).run().ends_with(2).says("16 MiB together").says("part");
}

/// Whoever asked for JSON reads stdout, whatever is wrong.
#[test]
fn a_usage_error_is_a_document_too_where_json_is_asked_for() {
    let dir = workdir();
    for (words, headline, hint) in [
        (&["build", "--json"][..], "the following required arguments were not provided: <RECIPE>...", None),
        (&["--json", "build", "demo", "--chek"], "unexpected argument '--chek' found", Some("'--check'")),
        (&["check", "--json", "--deny", "x", "demo"], "invalid value 'x' for '--deny <WHAT>'", None),
        (&["--json"], "a command is missing", None),
        (&["store", "--json"], "a command is missing", None),
        (&["--json", "store"], "a command is missing", None),
    ] {
        let ran = Bin::new(dir.path()).args(words).run().ends_with(2);
        let json = ran.json();
        let problem = &json["errors"][0];
        assert_eq!((&problem["code"], &problem["exit"]), (&"E_USAGE".into(), &2.into()), "{ran}");
        let told = problem["headline"].as_str().unwrap();
        assert!(told.starts_with(headline), "{ran}");
        assert!(hint.is_none_or(|hint| problem["hint"].as_str().unwrap().contains(hint)), "{ran}");
        assert!(!ran.stderr.is_empty());
    }
    let plain = Bin::new(dir.path()).args(["build", "--", "--json", "--x"]).run().ends_with(2);
    assert_eq!(plain.stdout, "");
    for words in [&["--json", "--help"][..], &["--json", "--version"], &["run", "--json", "--help"]] {
        let shown = Bin::new(dir.path()).args(words).run().success();
        assert!(!shown.stdout.starts_with('{') && shown.stderr.is_empty(), "{shown}");
    }
}

#[test]
fn json_loses_no_fact_that_is_told_twice() {
    let dir = workdir();
    let ran = Bin::new(dir.path()).args(["uninstall", "nosuch", "--json"]).run();
    let told = ran.stderr.matches("looked in:").count();
    assert!(told > 1, "{ran}");
    assert_eq!(ran.json()["errors"][0]["facts"]["looked in"].as_array().unwrap().len(), told, "{ran}");
}

#[test]
fn a_file_that_is_no_recipe_is_told_in_a_few_lines_and_a_file_of_a_bundle_leads_to_it() {
    let dir = workdir();
    Bin::new(dir.path()).args(["build", "demo", "--out", "out"]).run().success();
    let script = std::fs::read(dir.path().join("out/run-qemu.sh")).unwrap();
    std::fs::write(dir.path().join("other.sh"), &script).unwrap();
    let ran = Bin::new(dir.path()).args(["check", "other.sh"]).run().ends_with(2).says("does not look like a recipe");
    assert_eq!(ran.stderr.matches("error[").count(), 5, "{ran}");
    assert!(ran.stderr.contains("… and ") && !ran.stderr.contains("bundle `"), "{ran}");
    for (file, directory) in [("out/run-qemu.sh", "out"), ("./out/machine.json", "./out")] {
        let ran = Bin::new(dir.path()).args(["build", file]).run().ends_with(2);
        assert!(ran.stderr.contains(&format!("did you mean the bundle `{directory}`?")), "{ran}");
        assert!(ran.stderr.matches("error[").count() <= 5, "{ran}");
    }
    // A recipe with mistakes is one all the same: what else is wrong in it is told too.
    std::fs::write(dir.path().join("x.toml"), format!("format = 1\n{}[bsae]\n", "a b\n".repeat(6))).unwrap();
    let ran = Bin::new(dir.path()).args(["check", "x.toml"]).run().ends_with(2);
    assert!(ran.stderr.contains("and 1 more line that is not TOML"), "{ran}");
}
