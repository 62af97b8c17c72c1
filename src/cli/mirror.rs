//! What `mirror` prints: the lines of configuration that lead there, and what was done. Touches the terminal.

use serde_json::json;

use crate::base::ByteSize;
use crate::base::text::{count, one_line};
use crate::commands::mirror::{FileOutcome, MirrorReport};
use crate::commands::printer::Printer;

/// The rules go to stdout as they stand in a configuration file; what was done is talk.
pub(super) fn print_mirrored(printer: &Printer, mirrored: &MirrorReport) {
    let MirrorReport { directory, files, skipped, rules, stats } = mirrored;
    if printer.is_json() {
        let files: Vec<_> = files
            .iter()
            .map(|file| json!({ "path": file.path, "sha256": file.digest, "size": file.size, "state": state(file.placed) }))
            .collect();
        let skipped: Vec<_> =
            skipped.iter().map(|(recipe, input)| json!({ "recipe": recipe, "input": input })).collect();
        return printer.json(&json!({
            "directory": directory.to_string_lossy(), "files": files, "skipped": skipped, "mirrors": rules, "work": stats,
        }));
    }
    for (recipe, input) in skipped {
        printer.say(&format!("{recipe}: `{}` comes from no server; skipped", one_line(input, 200)));
    }
    for file in files.iter().filter(|file| file.placed != FileOutcome::Left) {
        printer.say(&format!("{:<8} {}  {}", state(file.placed), one_line(&file.path, 400), file.size));
    }
    if files.is_empty() {
        return printer.say("nothing to mirror: no input comes from a server; nothing was made");
    }
    let size = ByteSize(files.iter().map(|file| file.size.0).sum());
    let left = files.iter().filter(|file| file.placed == FileOutcome::Left).count();
    let all = count(files.len(), "file");
    printer.say(&format!("{all}, {size}, in {}; {left} of them there already", directory.display()));
    if rules.is_empty() {
        return;
    }
    printer.data("[mirrors]\n");
    for (prefix, target) in rules {
        printer.data(&format!("{} = {}\n", quoted(prefix), quoted(target)));
    }
    printer.say(
        "put these lines into the configuration file of whoever uses the mirror, with the path or address it has there",
    );
}

/// A TOML basic string (toml.io/en/v1.0.0#string); what it escapes, JSON escapes alike.
fn quoted(text: &str) -> String {
    json!(one_line(text, 4096)).to_string()
}

const fn state(placed: FileOutcome) -> &'static str {
    match placed {
        FileOutcome::Made => "made",
        FileOutcome::Left => "left",
        FileOutcome::Replaced => "replaced",
    }
}
