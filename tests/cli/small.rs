//! The small commands: `new`, `inspect`, `verify`, `store`, `completions`, `man`.

use crate::tests::support::{Bin, workdir};

#[test]
fn a_new_recipe_parses_and_leads_on() {
    let dir = workdir();
    let made = Bin::new(dir.path()).args(["new", "box"]).run().success();
    for step in ["update box.toml", "arca-build box.toml", "run box.toml --test", "install ./result-box --start"] {
        assert!(made.stderr.contains(step), "lacks {step:?}\n{made}");
    }
    let text = std::fs::read_to_string(dir.path().join("box.toml")).unwrap();
    assert!(text.contains("name = \"box\"") && text.contains("\nhostname = \"box\""));
    assert!(
        !text.contains("\npassword_hash") && text.contains("arca-build passwd"),
        "no password that works is shipped"
    );
    let check = || Bin::new(dir.path()).args(["check", "box.toml"]).run();
    let fresh = check().ends_with(2).says("E_UNPINNED").says("arca-build update box.toml");
    let fresh = fresh.says("still holds the template's word for your key").says("~/.ssh/id_ed25519.pub");
    assert!(!fresh.stderr.contains("warning"), "{fresh}");
    // With a key and a pin, nothing but that its address moves is left to say.
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBp3oxNUVwhEytlNp4puKBYrze82xJTUw3I3UR+gyoHn you@desk";
    let filled = text.replacen("ssh-ed25519 AAAA… you@desk", key, 1);
    let filled = filled.replacen(".qcow2\"\n", &format!(".qcow2\"\nsha256 = \"{}\"\n", "ab".repeat(32)), 1);
    std::fs::write(dir.path().join("box.toml"), filled).unwrap();
    let filled = check().success();
    assert!(!filled.stderr.contains("warning"), "{filled}");
    std::fs::write(dir.path().join("box.toml"), &text).unwrap();
    Bin::new(dir.path()).args(["new", "box"]).run().ends_with(5).says("E_OUTPUT_EXISTS");
    assert_eq!(std::fs::read_to_string(dir.path().join("box.toml")).unwrap(), text);
    Bin::new(dir.path()).args(["new", "../box"]).run().ends_with(2);
}

#[test]
fn a_damaged_bundle_is_told_file_by_file() {
    let dir = workdir();
    Bin::new(dir.path()).args(["build", "demo", "--out", "out"]).run().success();
    let out = dir.path().join("out");
    for (name, bytes) in [("domain.xml", &b"<domain/>"[..]), ("system.qcow2", b"")] {
        std::fs::remove_file(out.join(name)).unwrap();
        std::fs::write(out.join(name), bytes).unwrap();
    }
    std::fs::write(out.join("stranger"), "").unwrap();
    let failed =
        Bin::new(dir.path()).args(["verify", "out"]).run().ends_with(3).says("finding[E_HASH]").says("3 findings");
    for name in ["domain.xml", "system.qcow2", "stranger"] {
        assert!(failed.stderr.contains(&format!("`{name}`")), "{failed}");
    }
    Bin::new(dir.path()).args(["verify", "."]).run().ends_with(2).says("is not a bundle");
}

#[test]
fn inspect_tells_what_a_file_is_and_what_microos_would_do() {
    let dir = workdir();
    Bin::new(dir.path()).args(["build", "demo", "--out", "out"]).run().success();
    let raw = Bin::new(dir.path()).args(["inspect", "out/config.raw"]).run().success();
    for part in ["ignition", "config.ign", "script", "FAT"] {
        assert!(raw.stdout.contains(part), "lacks {part:?}\n{raw}");
    }
    Bin::new(dir.path()).args(["inspect", "--json", "out/config.qcow2"]).run().success().json();
    let overlay = Bin::new(dir.path()).args(["inspect", "out/system.qcow2"]).run().success();
    assert!(overlay.stdout.contains("base.qcow2"), "{overlay}");
    let script = Bin::new(dir.path()).args(["inspect", "out/run-qemu.sh"]).run().success();
    assert!(script.stdout.contains("a text file, no image"), "{script}");
}

#[test]
fn the_store_tells_where_it_is_and_keeps_what_a_link_names() {
    let dir = workdir();
    let path = Bin::new(dir.path()).args(["store", "path"]).run().success();
    assert_eq!(path.line(), dir.path().join("cache").to_str().unwrap());
    assert!(!dir.path().join("cache").exists(), "asking makes nothing");
    Bin::new(dir.path()).args(["build", "demo"]).run().success();
    Bin::new(dir.path()).args(["store", "verify"]).run().success();
    let kept = Bin::new(dir.path()).args(["store", "gc", "--grace", "0"]).run().success();
    Bin::new(dir.path()).args(["verify", "result-demo"]).run().success();
    std::fs::remove_file(dir.path().join("result-demo")).unwrap();
    let told = Bin::new(dir.path()).args(["store", "gc", "--grace", "0", "--dry-run"]).run().success();
    assert!(told.stdout.starts_with("would remove") && told.stderr.contains("-demo"), "{kept}{told}");
    Bin::new(dir.path()).args(["store", "gc", "--grace", "0"]).run().success();
    let left = std::fs::read_dir(dir.path().join("cache/bundles-v1")).unwrap().count();
    assert_eq!(left, 0);
    Bin::new(dir.path()).args(["build", "demo"]).run().success();
}

#[test]
fn completions_and_the_man_page_are_printed() {
    let dir = workdir();
    for shell in ["bash", "zsh", "fish"] {
        let script = Bin::new(dir.path()).args(["completions", shell]).run().success();
        assert!(script.stdout.contains("arca-build"), "{shell}");
    }
    let page = Bin::new(dir.path()).arg("man").run().success();
    assert!(page.stdout.contains(".TH") && page.stdout.contains("update"), "{page}");
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let dir = workdir();
    let mut command = std::process::Command::new("sh");
    command.args([
        "-c",
        "\"$0\" man | head -c 10 >/dev/null; \"$0\" completions bash | true",
        crate::tests::support::program(),
    ]);
    command.current_dir(dir.path());
    let output = crate::tests::support::output(&mut command).success();
    assert_eq!(output.stderr, "");
}

#[test]
fn json_tells_a_path_that_is_no_utf_8() {
    use std::os::unix::ffi::OsStrExt;
    let dir = workdir();
    let odd = dir.path().join(std::ffi::OsStr::from_bytes(b"odd\xff"));
    std::fs::create_dir(&odd).unwrap();
    Bin::new(&odd).args(["store", "path", "--json"]).run().success().json();
    Bin::new(&odd).args(["new", "box", "--json"]).run().success().json();
    Bin::new(&odd).args(["fetch", "demo", "--json"]).run().success().json();
    Bin::new(&odd).args(["build", "demo", "--json"]).run().success().json();
}

#[test]
fn data_that_does_not_reach_its_file_is_a_failure() {
    let dir = workdir();
    let mut command = Bin::new(dir.path()).args(["plan", "demo"]).into_command();
    command.stdout(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let output = command.stderr(std::process::Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("E_NOSPC") && said.contains("cannot write to stdout"), "{said}");
}

#[test]
fn a_home_that_is_no_directory_needs_no_configuration() {
    let dir = workdir();
    Bin::new(dir.path()).env("HOME", "/dev/null").args(["build", "demo"]).run().success();
}

#[test]
fn the_demo_inside_the_program_is_found_beside_a_directory_of_its_name() {
    let dir = workdir();
    std::fs::create_dir(dir.path().join("demo")).unwrap();
    Bin::new(dir.path()).args(["check", "demo"]).run().success();
    std::fs::create_dir(dir.path().join("other")).unwrap();
    Bin::new(dir.path()).args(["check", "other"]).run().ends_with(2).says("is not a regular file");
}
