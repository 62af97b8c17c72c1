//! `completions` and `man`, judged by the programs that read them. Touches temporary directories.

use std::path::Path;
use std::process::Command;

use crate::tests::support::{Bin, output, tool, workdir};

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
    for part in [
        "\nEXIT STATUS\n",
        "\nENVIRONMENT\n",
        "\nFILES\n",
        "130",
        "ARCA_VMS",
        "arca.lock",
        "NAME",
        "SYNOPSIS",
        "--offline",
        "update",
        "completions",
        "--grace",
        "arca-build-store-gc",
    ] {
        assert!(shown.stdout.contains(part), "lacks {part:?}\n{shown}");
    }
}

/// A variable that the program reads and nobody is told of is found by nobody.
#[test]
fn the_man_page_names_every_variable_that_the_program_reads() {
    let page = Bin::new(workdir().path()).arg("man").run().success().stdout;
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut names = std::collections::BTreeSet::new();
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let code = text.split("#[cfg(test)]").next().unwrap();
            for call in ["variable(\"", "base_directory(\"", "set(\""] {
                let read = code.split(call).skip(1).filter_map(|rest| rest.split('"').next());
                let is_name = |name: &&str| name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
                names.extend(read.filter(is_name).map(str::to_owned));
            }
        }
    }
    assert!(names.len() >= 10 && names.contains("ARCA_CACHE") && names.contains("NO_COLOR"), "{names:?}");
    for name in names {
        assert!(page.contains(&name), "{name}");
    }
}

#[test]
fn check_says_how_it_is_called_without_a_recipe() {
    let dir = workdir();
    let help = Bin::new(dir.path()).args(["check", "--help"]).run().success().stdout;
    assert!(help.contains("check [OPTIONS] <RECIPE>...\n") && help.contains("check --explain <RULE>\n"), "{help}");
    let top = Bin::new(dir.path()).arg("--help").run().success().stdout;
    assert!(
        top.contains("Exit codes: 0 done, 1 check failed or differences found") && top.contains("Pin and update:\n"),
        "{top}"
    );
    let bare = Bin::new(dir.path()).run().ends_with(2);
    assert!(bare.stderr.contains("Pin and update:\n"), "{bare}");
}
