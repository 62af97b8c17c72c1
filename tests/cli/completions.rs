//! `completions` and `man`, judged by the programs that read them. Touches temporary directories.

use std::path::Path;
use std::process::Command;

use crate::support::{Bin, output, tool, workdir};

/// Asks bash what it would offer for the last word of a line.
fn offered(bash: &Path, script: &Path, line: &str) -> Vec<String> {
    let (before, typed) = line.rsplit_once(' ').unwrap();
    let previous = before.rsplit(' ').next().unwrap();
    let ask = format!(
        ". {script}; COMP_WORDS=({line}); COMP_CWORD={}; [ -n '{typed}' ] || COMP_WORDS+=(''); \
         _arca__build arca-build '{typed}' '{previous}'; echo \"${{COMPREPLY[*]}}\"",
        before.split(' ').count(),
        script = script.display(),
    );
    let told = output(Command::new(bash).args(["--norc", "-c", &ask])).success();
    told.stdout.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_bash_completion_is_bash_and_completes_commands_and_flags_at_every_depth() {
    let Some(bash) = tool("bash") else { return };
    let dir = workdir();
    let script = Bin::new(dir.path()).args(["completions", "bash"]).run().success();
    let file = dir.path().join("completion");
    std::fs::write(&file, &script.stdout).unwrap();
    let checked = output(Command::new(&bash).arg("-n").arg(&file)).success();
    assert_eq!(checked.stderr, "");
    for (line, expected) in [
        ("arca-build upd", "update"),
        ("arca-build --offl", "--offline"),
        ("arca-build comple", "completions"),
        ("arca-build run --ac", "--accel"),
        ("arca-build vms st", "stop"),
        ("arca-build build --ch", "--check"),
        ("arca-build import-config --na", "--name"),
        ("arca-build completions z", "zsh"),
        ("arca-build store root rem", "remove"),
        ("arca-build store gc --gr", "--grace"),
    ] {
        assert_eq!(offered(&bash, &file, line), [expected], "{line}");
    }
    assert!(offered(&bash, &file, "arca-build store ").contains(&"du".to_owned()));
}

/// Whatever makes the script: a command that is set and has no case, or a case nobody asks for, completes nothing.
#[test]
fn each_command_that_the_bash_completion_sets_has_its_case() {
    let dir = workdir();
    let script = Bin::new(dir.path()).args(["completions", "bash"]).run().success().stdout;
    let lines = || script.lines().map(str::trim);
    let quoted = |line: &str| Some(line.strip_prefix("cmd=\"")?.strip_suffix('"')?.to_owned());
    let mut set: Vec<String> = lines().filter_map(quoted).filter(|name| !name.is_empty()).collect();
    let label = |line: &str| {
        Some(line.strip_suffix(')')?)
            .filter(|name| name.starts_with("arca__") && !name.contains(','))
            .map(str::to_owned)
    };
    let mut cases: Vec<String> = lines().filter_map(label).collect();
    set.sort_unstable();
    set.dedup();
    cases.sort_unstable();
    assert!(set.len() > 40, "{set:?}");
    assert_eq!(set, cases);
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
