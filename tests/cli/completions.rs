//! `completions` and `man`, judged by the programs that read them. Touches temporary directories.

use std::process::Command;

use crate::support::{Bin, output, tool, workdir};

#[test]
fn the_bash_completion_is_bash_and_completes_commands_and_flags() {
    let Some(bash) = tool("bash") else { return };
    let dir = workdir();
    let script = Bin::new(dir.path()).args(["completions", "bash"]).run().success();
    let file = dir.path().join("completion");
    std::fs::write(&file, &script.stdout).unwrap();
    let checked = output(Command::new(&bash).arg("-n").arg(&file)).success();
    assert_eq!(checked.stderr, "");
    for (typed, expected) in [("upd", "update"), ("--offl", "--offline"), ("comple", "completions")] {
        let ask = format!(
            ". {}; COMP_WORDS=(arca-build {typed}); COMP_CWORD=1; _arca__build arca-build {typed} arca-build; \
             echo \"${{COMPREPLY[*]}}\"",
            file.display()
        );
        let told = output(Command::new(&bash).args(["--norc", "-c", &ask])).success();
        assert_eq!(told.stdout.trim(), expected, "{told}");
    }
}

#[test]
fn the_man_page_renders_without_a_warning() {
    let Some(groff) = tool("groff") else { return };
    let dir = workdir();
    let page = Bin::new(dir.path()).arg("man").run().success();
    let file = dir.path().join("arca-build.1");
    std::fs::write(&file, &page.stdout).unwrap();
    let mut render = Command::new(&groff);
    // Colours and overstrikes off, so that words can be read.
    render.args(["-man", "-ww", "-Tutf8", "-P-cbou"]).arg(&file);
    let shown = output(&mut render).success();
    assert_eq!(shown.stderr, "");
    for part in ["NAME", "SYNOPSIS", "--offline", "update", "completions", "--grace", "arca-build-store-gc"] {
        assert!(shown.stdout.contains(part), "lacks {part:?}\n{shown}");
    }
}
