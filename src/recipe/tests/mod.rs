//! What a recipe may say and what each mistake is told as.

mod broken;
mod hostile;
mod settings;
mod steps;
mod whole;

use crate::base::Diagnostic;
use crate::recipe::{Recipe, parse};

/// Four lines that make a recipe; cases add to them from line 5 on.
const HEAD: &str = "format = 1\nname = \"t\"\n[base]\nurl = \"b.qcow2\"\n";

fn good(text: &str) -> Recipe {
    parse(text, "t.toml").unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"))
}

fn problems(text: &str) -> Vec<Diagnostic> {
    match parse(text, "t.toml") {
        Ok(_) => vec![],
        Err(problems) => problems.0,
    }
}

/// Writes a problem as one line: code, place, headline, hint.
fn told(problem: &Diagnostic) -> String {
    let place = problem.place.as_ref().map_or("-".to_owned(), |p| format!("{}:{}+{}", p.line, p.column, p.width));
    format!("{} {place} {} => {}", problem.code, problem.headline, problem.hint.as_deref().unwrap_or("-"))
}

/// Makes a recipe that sets one key, by its path in the table of keys, to a value; returns the line it stands in too.
fn with_key(path: &str, value: &str) -> (String, u32) {
    let (table, name) = path.trim_end_matches("[]").rsplit_once('.').unwrap_or(("", path.trim_end_matches("[]")));
    let set = format!("{name} = {value}");
    let text = match (table, name) {
        ("", "base") => format!("format = 1\nname = \"t\"\n{set}\n"),
        ("", "format") => HEAD.replace("format = 1", &set),
        ("", "name") => HEAD.replace("name = \"t\"", &set),
        ("", _) => format!("{set}\n{HEAD}"),
        ("base", "url") => HEAD.replace("url = \"b.qcow2\"", &set),
        ("base", _) => format!("{HEAD}{set}\n"),
        _ => format!("{HEAD}{}{set}\n", headers(table)),
    };
    let line = text.lines().position(|line| line == set).unwrap() as u32 + 1;
    (text, line)
}

/// Writes the headers that lead to a table.
fn headers(table: &str) -> String {
    let ends: Vec<usize> = table.match_indices('.').map(|(at, _)| at).chain([table.len()]).collect();
    ends.iter().map(|end| crate::format::toml::table::title(&table[..*end]) + "\n").collect()
}
