//! The documents are true: every command in a `console` block of README and `docs/*.md` is run in a world with a stand-in
//! publisher, and prints the lines that the block shows; every `toml` block is a recipe that `check` accepts; every link
//! leads to a file and a heading. What starts a virtual machine or changes the system is compared with the program's help.
//!
//! A block's lines: `$ COMMAND  # comment`, where a comment that holds `exit code N` names the expected one; then lines of
//! output, where `…` stands for any text and, alone, for any lines. Touches temporary directories and loopback.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::tests::support::gpg::{Gpg, THEN};
use crate::tests::support::publisher::{Publisher, image, recipes};
use crate::tests::support::{Bin, Output, tool, tools, workdir};

/// Commands that boot a machine, need libvirt, or work on what such a command left: their lines are read, not run, but for
/// the demo's, which needs nothing but QEMU.
const NOT_RUN: [&str; 7] = ["run", "ssh", "snapshot", "rollback", "vms", "install", "uninstall"];
/// Programs other than ours that a document may tell to start.
const OTHERS: [&str; 5] = ["cargo ", "sudo apt-get install ", "nix build", "tests/run", ".ci/run"];
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti you@desk";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README and everything in `docs/`, by path and text.
fn documents() -> Vec<(PathBuf, String)> {
    let listed = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = listed.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    paths.extend(["README.md", "CONTRIBUTING.md", "SECURITY.md", "SHORTCOMINGS.md"].map(|name| root().join(name)));
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// The contents of the fenced blocks in one language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fenced = text.split("\n```").skip(1).step_by(2);
    fenced
        .filter_map(|block| block.split_once('\n').filter(|(info, _)| *info == language))
        .map(|(_, body)| body)
        .collect()
}

/// A user in a directory with the shipped recipes and some files of their own; a publisher who signs.
struct World {
    dir: tempfile::TempDir,
    _publisher: Publisher,
    /// The digest that the last `export` printed.
    exported: String,
}

impl World {
    fn new() -> Option<Self> {
        let (gpg, dir) = (Gpg::new()?, workdir());
        let path = dir.path();
        let publisher = Publisher::start(path);
        recipes(path);
        let key = gpg.key("Stand-in openSUSE <stand-in@example.org>", "ed25519", 0);
        std::fs::write(path.join("opensuse.asc"), gpg.export(&[&key])).unwrap();
        let (sums, text) = publisher.publish("nas", "Snapshot20261120", image("documents"));
        publisher.server.put(&format!("{sums}.asc"), gpg.sign(THEN, &key, &[], &text), &[]);
        let config = path.join("home/.config/arca-build");
        std::fs::create_dir_all(&config).unwrap();
        std::fs::copy(&publisher.config, config.join("config.toml")).unwrap();
        std::fs::create_dir_all(path.join("usb")).unwrap();
        let fixture = |from: &str, to: &str| {
            std::fs::copy(root().join("tests/fixtures").join(from), path.join(to)).unwrap();
        };
        fixture("doctor/ignition-parse.log", "console.log");
        fixture("import_config/fuel-ignition/config.ign", "config.ign");
        fixture("import_config/openqa-domain/domain.xml", "domain.xml");
        Some(Self { dir, _publisher: publisher, exported: String::new() })
    }

    /// Runs one line by a shell, as a person does.
    fn run(&mut self, line: &str) -> Output {
        let line = line.replace("/media/usb", "usb").replace("4c1f…", &self.exported);
        let program = Path::new(crate::tests::support::program()).parent().unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
        let bin = Bin::new(self.dir.path()).env("PATH", path);
        let ran = bin.replaced_by(Path::new("/bin/sh"), &["-c", &line]).run();
        if line.contains(" export ") {
            self.exported = ran.stdout.split(' ').next().unwrap_or_default().to_owned();
        }
        if let Some(name) = line.strip_prefix("arca-build new ") {
            let recipe = self.dir.path().join(format!("{}.toml", name.split(' ').next().unwrap()));
            let text = std::fs::read_to_string(&recipe).unwrap();
            std::fs::write(recipe, text.replacen("ssh-ed25519 AAAA… you@desk", KEY, 1)).unwrap();
        }
        ran
    }

    /// Runs the commands of a block, and compares what they print with what it shows.
    ///
    /// Returns what does not hold.
    fn follow(&mut self, block: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        let block = block.strip_prefix("$ ").unwrap_or_else(|| panic!("a block that begins with no command:\n{block}"));
        for part in block.split("\n$ ") {
            let (command, shown) = part.split_once('\n').unwrap_or((part, ""));
            let (command, comment) = command.split_once(" #").unwrap_or((command, ""));
            let command = command.trim();
            if OTHERS.iter().any(|other| command.starts_with(other)) {
                continue;
            }
            let ours = command.strip_prefix("sudo ").unwrap_or(command);
            assert!(ours.starts_with("arca-build "), "not of this program: {command}");
            knows(ours);
            let is_demo = ours.contains(" run demo") && tool("qemu-system-x86_64").is_some();
            if ours.split(' ').any(|word| NOT_RUN.contains(&word)) && !is_demo {
                continue;
            }
            let code = comment.split_once("exit code ").map_or("0", |(_, code)| &code[..1]);
            let ran = self.run(ours);
            let lines: Vec<&str> = ran.stdout.lines().chain(ran.stderr.lines()).collect();
            let mut patterns = shown.lines().filter(|line| !line.trim().is_empty());
            let missing = patterns.find(|pattern| !lines.iter().any(|line| fits(line, pattern)));
            if ran.code.to_string() != code || missing.is_some() {
                wrong.push(format!("{command}\nexit code {code}? prints {missing:?}?\n{ran}"));
            }
        }
        wrong
    }
}

/// Whether a line is as shown, where `…` stands for anything.
fn fits(line: &str, pattern: &str) -> bool {
    let parts: Vec<&str> = pattern.split('…').collect();
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return false };
    if parts.len() == 1 {
        return line == pattern;
    }
    let mut rest = line.strip_prefix(first).filter(|rest| rest.ends_with(last));
    for part in &parts[1..] {
        rest = rest.and_then(|rest| rest.split_once(part)).map(|(_, rest)| rest);
    }
    rest.is_some()
}

/// Demands that a command line names a command, or a recipe, and options that the command's help lists.
fn knows(line: &str) {
    let dir = workdir();
    let words: Vec<&str> = line.split([' ', '=']).skip(1).filter(|word| !word.is_empty()).collect();
    let main = Bin::new(dir.path()).arg("--help").run().success().stdout;
    let commands: BTreeSet<_> = main.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
    let command = words.iter().find(|word| commands.contains(**word)).copied().unwrap_or("build");
    let help = Bin::new(dir.path()).args([command, "--help"]).run().success().stdout;
    let deeper = words
        .iter()
        .skip_while(|word| **word != command)
        .nth(1)
        .filter(|word| ["store", "vms"].contains(&command) && help.contains(&format!("\n  {word} ")));
    let deepest =
        words.iter().skip_while(|word| Some(word) != deeper.as_ref()).nth(1).filter(|_| deeper == Some(&"root"));
    let path: Vec<&str> = [Some(command), deeper.copied(), deepest.copied()].into_iter().flatten().collect();
    let help = Bin::new(dir.path()).args(path).arg("--help").run().success().stdout;
    for option in words.iter().filter(|word| word.starts_with('-')) {
        let told = help.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').any(|word| word == *option);
        assert!(told, "`arca-build {command}` has no {option}: {line}");
    }
}

#[test]
fn every_command_of_the_documents_runs_and_prints_what_they_show() {
    let Some(()) = tools(&["gpg"]) else { return };
    let (mut commands, mut wrong) = (0, Vec::new());
    for (path, text) in documents() {
        let blocks = blocks(&text, "console");
        let Some(mut world) = (!blocks.is_empty()).then(World::new).flatten() else { continue };
        commands += blocks.iter().map(|block| block.matches("$ ").count()).sum::<usize>();
        let found = blocks.iter().flat_map(|block| world.follow(block));
        wrong.extend(found.map(|found| format!("{}: {found}", path.display())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(commands > 80, "{commands}");
}

#[test]
fn every_recipe_of_the_documents_is_one() {
    for (path, text) in documents() {
        for block in blocks(&text, "toml") {
            let dir = workdir();
            let file = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
            let bin = Bin::new(dir.path());
            let ran = if block.starts_with("# ~/.config/") {
                file("config.toml", block);
                file("opensuse.asc", "");
                bin.args(["--config", "config.toml", "check", "demo"]).run()
            } else {
                // A fragment is completed to a recipe; its inputs have a pin, so that it can be planned.
                let head = if block.contains("format = 1") { "" } else { "format = 1\nname = \"fragment\"\n" };
                let base = "\n[base]\nurl = \"demo.qcow2\"\n";
                let base = if block.lines().any(|line| line == "[base]") { "" } else { base };
                file("recipe.toml", &format!("{head}{base}{block}"));
                bin.args(["check", "recipe.toml"]).run()
            };
            let bad = ["E_RECIPE", "E_USAGE", "E_PROVISION", "E_SECRET"].iter().any(|code| ran.stderr.contains(code));
            assert!(!bad, "{}\n{block}\n{ran}", path.display());
        }
    }
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    // A viewer makes a heading's name of its words: lower case, no punctuation, hyphens for spaces.
    let anchor = |heading: &str| {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    let mut links = 0;
    for (path, text) in documents() {
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if link.starts_with("http") {
                continue;
            }
            links += 1;
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: no file {link}", path.display());
            if !heading.is_empty() {
                let text = std::fs::read_to_string(target).unwrap();
                let mut headings = text.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix(' '));
                assert!(headings.any(|found| anchor(found) == heading), "{}: no heading {link}", path.display());
            }
        }
    }
    assert!(links > 60, "{links}");
}

#[test]
fn every_file_that_contributing_names_is_there() {
    let text = std::fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
    let names = text.split('`').skip(1).step_by(2);
    let paths: Vec<&str> =
        names.filter(|name| ["src/", "tests/", "docs/"].iter().any(|top| name.starts_with(top))).collect();
    for path in &paths {
        assert!(path.contains("ID") || root().join(path).exists(), "there is no {path}");
    }
    assert!(paths.len() > 20, "{paths:?}");
}

#[test]
fn the_documents_of_json_have_the_keys_that_the_table_lists() {
    let Some(mut world) = World::new() else { return };
    let page = std::fs::read_to_string(root().join("docs/json.md")).unwrap();
    let mut compared = 0;
    for row in page.lines().filter_map(|line| line.strip_prefix("| `arca-build ")) {
        let (command, keys) = row.split_once("` | ").unwrap();
        let line = format!("arca-build {command}");
        knows(&line);
        if command.split(' ').any(|word| NOT_RUN.contains(&word)) {
            continue;
        }
        // What follows a semicolon or a comma in words is there only sometimes.
        let (always, _) = keys.split_once(';').unwrap_or((keys, ""));
        let expected: BTreeSet<&str> = always.split('`').skip(1).step_by(2).collect();
        let document = world.run(&format!("{line} --json")).json();
        let found: BTreeSet<&str> = document.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(found, expected, "{line}");
        compared += 1;
    }
    assert!(compared > 20, "{compared}");
}

#[test]
fn readme_is_short_and_names_the_oldest_rust() {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    assert!(text.lines().count() <= 150);
    assert!(text.contains(concat!("Rust ", env!("CARGO_PKG_RUST_VERSION"), " or newer")));
}

#[test]
fn a_shown_line_fits_what_is_printed() {
    assert!(fits("demo: 9 files, good", "demo: …good") && fits("x", "x") && fits("a b c", "a…c") && fits("", "…"));
    assert!(!fits("demo: bad", "demo: …good") && !fits("x", "y") && !fits("a b", "a…c"));
}
