//! The picture of a terminal in README.md: does it show commands that exist, and nothing of the machine that it was recorded
//! on? Reads docs; asks the program for its help. That it is what the program prints today, tests/guest/picture.rs asks.
//! Read next: docs/picture/record.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use quick_xml::events::Event;

use crate::tests::support::{Bin, output, tool, workdir};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn session() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("docs/picture/session")).unwrap();
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

/// Every line of the picture's text, in order.
fn shown() -> Vec<String> {
    let svg = std::fs::read_to_string(root().join("docs/launch.svg")).unwrap();
    let mut reader = quick_xml::Reader::from_str(&svg);
    reader.config_mut().check_end_names = true;
    let (mut lines, mut depth, mut line) = (Vec::<(String, String)>::new(), 0, None);
    loop {
        match reader.read_event().expect("well-formed XML") {
            Event::Start(start) => {
                depth += 1;
                for attribute in start.attributes() {
                    attribute.expect("a well-formed attribute");
                }
                let y = || start.try_get_attribute("y").unwrap().expect("y").value.to_string();
                line = (start.name().as_ref() == "text").then(y);
            }
            Event::End(_) => (depth, line) = (depth - 1, None),
            Event::Text(text) => add(&mut lines, line.as_deref(), &text),
            Event::GeneralRef(entity) => {
                let known = [("lt", "<"), ("gt", ">"), ("amp", "&"), ("quot", "\""), ("apos", "'")];
                let (_, text) = known.iter().find(|(known, _)| *known == &*entity).expect("an entity of XML");
                add(&mut lines, line.as_deref(), text);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(depth, 0, "an element is not closed");
    lines.into_iter().map(|(_, text)| text).collect()
}

/// What stands at one height is one line.
fn add(lines: &mut Vec<(String, String)>, y: Option<&str>, text: &str) {
    match (y, lines.last_mut()) {
        (None, _) => {}
        (Some(y), Some((last, line))) if last == y => {
            line.push_str(if line.ends_with('$') { " " } else { "" });
            line.push_str(text);
        }
        (Some(y), _) => lines.push((y.to_owned(), text.to_owned())),
    }
}

#[test]
fn the_picture_shows_the_commands_of_its_session() {
    let typed: Vec<String> = shown().iter().filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned).collect();
    assert_eq!(typed, session(), "docs/launch.svg is not of this session: run docs/picture/record");
}

#[test]
fn the_program_knows_every_command_that_the_picture_shows() {
    assert!(!session().is_empty());
    for command in session() {
        knows(&command);
    }
}

/// Demands that a command line names a command of the program, or a recipe that is shipped, with options that its help tells;
/// or that it shows a file beside the session.
pub fn knows(line: &str) {
    let words: Vec<_> = line.split_whitespace().collect();
    let dir = workdir();
    let Some(("arca-build", words)) = words.split_first().map(|(first, rest)| (*first, rest)) else {
        let file = line.strip_prefix("cat ").unwrap_or_else(|| panic!("not of this program: {line}"));
        return assert!(root().join("docs/picture").join(file).is_file(), "no file beside the session: {line}");
    };
    let options: Vec<_> = words.iter().filter(|word| word.starts_with('-')).collect();
    let plain: Vec<_> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let main = Bin::new(dir.path()).arg("--help").run().success().stdout;
    let commands: BTreeSet<_> = main.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
    let first = *plain.first().unwrap_or_else(|| panic!("no command: {line}"));
    let command = if commands.contains(first) { first } else { &"build" };
    let recipe = command == first || *first == "demo" || root().join(first).is_file();
    assert!(recipe, "neither a command nor a recipe: {line}");
    let help = Bin::new(dir.path()).args([command, "--help"]).run().success().stdout;
    for option in options {
        let name = option.split('=').next().unwrap();
        let told = help.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').any(|word| word == name);
        assert!(told, "`arca-build {command}` has no {name}: {line}");
    }
}

#[test]
fn the_picture_tells_nothing_of_the_machine_it_was_recorded_on() {
    // Where a path that begins with a slash may lead: the invented home, and what lies in a guest.
    let known = ["/home/you", "/etc", "/bin", "/usr/bin"];
    for line in shown() {
        for word in line.split(|c: char| c.is_whitespace() || "\"'`=>(,:".contains(c)) {
            let path = word.starts_with('/') && word.len() > 1;
            assert!(!path || known.iter().any(|known| Path::new(word).starts_with(known)), "{word} in: {line}");
        }
    }
}

#[test]
fn the_recorder_is_a_program_that_python_can_read() {
    let Some(python) = tool("python3") else { return };
    let code = "import sys; compile(open(sys.argv[1]).read(), sys.argv[1], 'exec')";
    output(Command::new(python).args(["-W", "error", "-c", code]).arg(root().join("docs/picture/record"))).success();
}
