//! One exit code for one kind of failure, whichever command meets it; a question makes nothing; an answer is no error.

use crate::tests::support::{Bin, tool, workdir};

/// Runs a line of words.
fn run(dir: &std::path::Path, line: &str) -> crate::tests::support::Output {
    Bin::new(dir).args(line.split(' ')).run()
}

#[test]
fn what_is_named_and_not_there_is_2_for_every_command() {
    let dir = workdir();
    let base = |name: &str, url: &str| {
        std::fs::write(dir.path().join(name), format!("format = 1\nname = \"x\"\n[base]\nurl = \"{url}\"\n")).unwrap();
    };
    base("absolute.toml", "file:///nope/x.qcow2");
    base("beside.toml", "nope/x.qcow2");
    let commands = "build nope|check nope|plan nope|explain nope|fetch nope|export -o x nope|diff demo nope|diff nope demo\
        |show nope.arca|show nope/deep.arca|import nope.arca|verify nope|inspect nope|inspect nope/deep|doctor nope|install nope|run nope\
        |import-config nope.ign|import-config nope/combustion/script|update nope|update --keyring nope demo|mirror nope out\
        |export demo -o x --since nope|--config nope update demo|store root add x nope/x|store root remove nope|uninstall nope\
        |ssh nope|snapshot nope|rollback nope s1|vms stop nope|vms remove nope|update absolute.toml|update beside.toml";
    for line in commands.split('|') {
        let ran = run(dir.path(), line).ends_with(2);
        assert!(ran.stderr.contains("error[E_"), "{line}\n{ran}");
    }
}

#[test]
fn a_result_that_is_there_or_has_no_directory_is_told_alike_by_every_command() {
    let dir = workdir();
    run(dir.path(), "export demo -o good.arca").success();
    std::fs::write(dir.path().join("c.ign"), r#"{"ignition":{"version":"3.2.0"}}"#).unwrap();
    for name in ["taken", "taken.toml", "result-demo"] {
        std::fs::write(dir.path().join(name), "mine").unwrap();
    }
    std::fs::create_dir(dir.path().join("full")).unwrap();
    std::fs::write(dir.path().join("full/demo.toml"), "mine").unwrap();
    for (code, name, commands) in [
        (
            5,
            "E_OUTPUT_EXISTS",
            "new taken|export demo -o taken|build demo --out full|build demo|import good.arca --trust --into full\
            |import-config c.ign -o taken|import-config c.ign --name taken",
        ),
        (
            2,
            "E_OUTPUT_PATH",
            "export demo -o no/x|build demo --out no/x|import good.arca --trust --into no/x|import-config c.ign -o no/x",
        ),
    ] {
        for line in commands.split('|') {
            run(dir.path(), line).ends_with(code).says(&format!("error[{name}]"));
        }
    }
    assert_eq!(std::fs::read_to_string(dir.path().join("taken.toml")).unwrap(), "mine");
}

#[test]
fn a_question_makes_no_store_and_demands_the_one_that_is_named() {
    let dir = workdir();
    run(dir.path(), "build demo --out bundle").success();
    run(dir.path(), "export demo -o good.arca").success();
    std::fs::write(dir.path().join("log"), "Linux version 6.4\n").unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    std::fs::remove_dir_all(dir.path().join("cache")).unwrap();
    let questions = "check demo|plan demo|explain demo|build --dry-run demo|show good.arca|diff bundle bundle|diff demo demo|verify bundle\
        |inspect bundle/config.raw|doctor log|vms|store du|store root list|store verify|store gc|store gc --dry-run";
    for line in questions.split('|') {
        let words = || line.split(' ');
        let ran = Bin::new(dir.path()).args(words()).run();
        assert!(ran.code == 0 || line == "doctor log", "{line}\n{ran}");
        assert!(!dir.path().join("cache").exists(), "{line} made a store");
        for (cache, what) in
            [("none", "there is no store `none`"), ("file", "is no directory"), ("none/deep", "no store `none/deep`")]
        {
            let ran = Bin::new(dir.path())
                .args(words())
                .args(["--cache", cache])
                .run()
                .ends_with(2)
                .says("error[E_USAGE]")
                .says(what);
            assert!(ran.stderr.contains("arca-build store path"), "{line}\n{ran}");
            assert!(!dir.path().join("none").exists(), "{line} made a store");
        }
    }
    // Where one would be can be asked, and who makes something makes it.
    run(dir.path(), "store path --cache none").success();
    run(dir.path(), "build demo --no-link --cache none").success();
    run(dir.path(), "store du --cache none").success();
    // A command that changes what is kept has nothing to change.
    run(dir.path(), "store root remove x").ends_with(2).says("there is no store");
    assert!(!dir.path().join("cache").exists());
}

#[test]
fn an_answer_is_a_finding_and_keeps_its_exit_code() {
    let dir = workdir();
    run(dir.path(), "build demo --out bundle").success();
    run(dir.path(), "build demo --out other").success();
    let file = dir.path().join("other/network.xml");
    let file = if file.exists() { file } else { dir.path().join("other/domain-disk.xml") };
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::write(&file, "<other/>").unwrap();
    std::fs::write(dir.path().join("log"), "nothing\n").unwrap();
    for (line, code, name) in [
        ("diff bundle other", 1, "E_DIFFERS"),
        ("doctor log", 1, "E_LINT"),
        ("verify other", 3, "E_HASH"),
        ("-q diff bundle other", 1, "E_DIFFERS"),
    ] {
        let ran = run(dir.path(), line).ends_with(code).says(&format!("finding[{name}]: "));
        assert!(!ran.stderr.contains("error"), "{line}\n{ran}");
    }
    // That there is nothing to look at is an error still.
    for line in ["diff bundle nope", "verify nope", "doctor nope"] {
        let ran = run(dir.path(), line).ends_with(2).says("error[E_USAGE]");
        assert!(!ran.stderr.contains("finding"), "{line}\n{ran}");
    }
}

/// Only root can make a store that is another user's; then a child without rights asks.
#[test]
fn sec_8_a_store_of_another_user_is_told_with_its_owner() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let Some(setpriv) = tool("setpriv") else { return };
    let dir = workdir();
    let open = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    };
    open(dir.path(), 0o755);
    // The program where anybody may run it.
    let program = dir.path().join("program");
    std::fs::copy(crate::tests::support::program(), &program).unwrap();
    open(&program, 0o755);
    std::fs::create_dir_all(dir.path().join("closed/store")).unwrap();
    for (name, uid, mode) in [("roots", 0, 0o700), ("bobs", 54321, 0o700), ("closed", 54321, 0o700)] {
        let _ = std::fs::create_dir(dir.path().join(name));
        open(&dir.path().join(name), mode);
        std::os::unix::fs::chown(dir.path().join(name), Some(uid), None).unwrap();
    }
    run(dir.path(), "build demo --no-link --cache readable").success();
    let mut chown = std::process::Command::new("chown");
    assert!(chown.args(["-R", "54321"]).arg(dir.path().join("readable")).status().unwrap().success());
    open(&dir.path().join("readable"), 0o755);
    let ask = |cache: &str, words: &[&str]| {
        let bin = Bin::of(&program, dir.path()).args(["--cache", cache]).args(words);
        bin.under(&setpriv, &["--reuid=12345", "--regid=12345", "--clear-groups"])
            .run()
            .ends_with(5)
            .says("error[E_CACHE_PERM]")
    };
    for words in [&["store", "du"][..], &["build", "demo", "--no-link"], &["store", "verify"], &["fetch", "demo"]] {
        ask("roots", words).says("owner: root (uid 0)").says("you:   uid 12345");
        ask("bobs", words).says("owner: uid 54321").says("--cache DIR");
        ask("closed/store", words).says("closed`, where the store").says("owner: uid 54321");
        ask("readable", words).says("owner: uid 54321");
    }
    ask("bobs", &["check", "demo"]).says("owner: uid 54321");
}
