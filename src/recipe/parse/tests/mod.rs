//! What a recipe may say and what each mistake is told as.

mod broken;
mod hostile;
mod whole;

use crate::base::Problem;
use crate::recipe::{Recipe, parse};

/// Four lines that make a recipe; cases add to them from line 5 on.
const HEAD: &str = "format = 1\nname = \"t\"\n[base]\nurl = \"b.qcow2\"\n";

fn good(text: &str) -> Recipe {
    parse(text, "t.toml").unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"))
}

fn problems(text: &str) -> Vec<Problem> {
    match parse(text, "t.toml") {
        Ok(_) => vec![],
        Err(problems) => problems.0,
    }
}

/// Writes a problem as one line: code, place, headline, hint.
fn told(problem: &Problem) -> String {
    let place = problem.place.as_ref().map_or("-".to_owned(), |p| format!("{}:{}+{}", p.line, p.column, p.width));
    format!("{} {place} {} => {}", problem.code, problem.headline, problem.hint.as_deref().unwrap_or("-"))
}
