//! `passwd` from a pipe: what it prints, and what it refuses without a word of it.

use crate::tests::support::{Bin, Output, workdir};

fn passwd(words: &[&str], stdin: &[u8]) -> Output {
    let dir = workdir();
    Bin::new(dir.path()).arg("passwd").args(words).stdin(stdin).run()
}

#[test]
fn a_line_from_a_pipe_becomes_a_hash_that_a_recipe_takes() {
    let made = passwd(&[], b"correct horse\n").success();
    assert_eq!(made.stderr, "");
    let (hash, json) = (made.line().to_owned(), passwd(&["--json"], b"correct horse").success().json());
    assert!(json["password_hash"].as_str().unwrap().starts_with("$6$"), "{json}");
    assert!(passwd(&["--rounds", "2000"], b"a\n").success().line().starts_with("$6$rounds=2000$"));
    let dir = workdir();
    Bin::new(dir.path()).args(["new", "vm"]).run().success();
    let recipe = dir.path().join("vm.toml");
    let text = std::fs::read_to_string(&recipe).unwrap();
    let line = text.lines().find(|line| line.starts_with("# password_hash")).unwrap().to_owned();
    std::fs::write(&recipe, text.replace(&line, &format!("password_hash = \"{hash}\""))).unwrap();
    let checked = Bin::new(dir.path()).args(["check", "vm.toml"]).run();
    assert!(checked.stderr.contains("E_UNPINNED") && !checked.stderr.contains("E_SECRET"), "{checked}");
}

#[test]
fn sec_1_what_would_let_anybody_or_nobody_in_is_refused() {
    for (stdin, words) in [
        (&b""[..], "the password is empty"),
        (b"\n", "the password is empty"),
        (b"canary\r\n", "the password holds a control character"),
        (b"canary\ncanary\n", "stdin holds more than one line"),
        (&[b'c'; 600], "the password is longer than 511 bytes"),
    ] {
        let refused = passwd(&[], stdin).ends_with(2).says("E_SECRET").says(words);
        assert!(refused.stdout.is_empty() && !refused.stderr.contains("canary"), "{refused}");
    }
    passwd(&["--rounds", "999"], b"a\n").ends_with(2).says("1000");
}
