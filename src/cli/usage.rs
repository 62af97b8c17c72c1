//! A command line that means nothing: told by clap on stderr, and as a document where JSON was asked for.

use std::ffi::OsString;

use clap::error::ErrorKind;

use crate::base::text::one_line;
use crate::base::{Code, Diagnostic};
use crate::commands::context::GlobalOptions;
use crate::commands::printer::Printer;
use crate::report;

/// Prints a mistake, or what was asked for instead of a command; returns the exit code.
///
/// Help and version go to stdout with success, mistakes to stderr with the usage class.
pub(super) fn tell(error: &clap::Error, typed: &[OsString]) -> u8 {
    let _ = error.print();
    if !error.use_stderr() {
        return 0;
    }
    // Nothing was parsed, so the flag is looked for among the words.
    if typed.iter().take_while(|word| *word != "--").any(|word| word == "--json") {
        let printer = Printer::new(&GlobalOptions { json: true, ..GlobalOptions::default() }, None);
        printer.json(&serde_json::json!({ "errors": [report::to_json(&problem(error))] }));
    }
    report::exit_code(Code::Usage)
}

/// Returns what clap says as a problem: its first paragraph, its tip, and the usage.
fn problem(error: &clap::Error) -> Diagnostic {
    let text = error.to_string();
    let lines = || text.lines().map(str::trim);
    let after = |label: &str| lines().find_map(|line| line.strip_prefix(label)).map(|rest| one_line(rest.trim(), 400));
    let headline = match error.kind() {
        // The text is the whole help, or a list of every command.
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            "a command is missing".to_owned()
        }
        _ => one_line(&lines().take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" "), 400),
    };
    let problem = Diagnostic::new(Code::Usage, headline.strip_prefix("error: ").unwrap_or(&headline));
    let problem = after("Usage:").into_iter().fold(problem, |problem, usage| problem.note(format!("usage: {usage}")));
    after("tip:").into_iter().fold(problem, Diagnostic::hint)
}
