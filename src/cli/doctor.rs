//! What `doctor` prints: the findings as data, their number as the answer. Touches the terminal through its printer.

use serde_json::{Map, Value, json};

use crate::base::text::{count, sanitise};
use crate::base::{Code, Diagnostic, Diagnostics};
use crate::commands::doctor::{Diagnosis, Found, Kind};
use crate::commands::printer::Printer;

/// Prints a diagnosis; fails where something must be done, or no boot is seen: silence is no good news.
pub(super) fn print(printer: &Printer, diagnosis: &Diagnosis) -> Result<(), Diagnostics> {
    if printer.is_json() {
        printer.json(&document(diagnosis));
    } else {
        printer.data(&sanitise(&diagnosis.to_string()));
    }
    if diagnosis.is_blind() {
        return Err(Diagnostic::new(Code::Lint, diagnosis.blindness()).into());
    }
    if !diagnosis.is_wrong() {
        return Ok(());
    }
    let told = Kind::all().into_iter().map(|kind| (diagnosis.count(kind), kind)).filter(|(many, _)| *many > 0);
    let told: Vec<_> = told.map(|(many, kind)| format!("{many} {}", kind.as_str())).collect();
    let many = diagnosis.findings.len();
    Err(Diagnostic::new(Code::Lint, format!("{} in the log: {}", count(many, "finding"), told.join(", "))).into())
}

fn document(diagnosis: &Diagnosis) -> Value {
    json!({
        "lines": diagnosis.lines,
        "skipped_bytes": diagnosis.skipped,
        "boots": diagnosis.boots,
        "wrong": diagnosis.is_wrong(),
        "findings": diagnosis.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn finding(found: &Found) -> Value {
    let issue = found.issue;
    let sources = issue.sources.iter().map(|(name, url)| json!({ "name": name, "url": url }));
    let facts: Map<_, _> = found.facts.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    json!({
        "id": issue.id,
        "kind": issue.kind,
        "headline": found.headline(),
        "boot": found.boot + 1,
        "line": found.line,
        "seconds": found.at.map(|at| at as f64 / 1000.0),
        "times": found.times,
        "after": found.after,
        "facts": facts,
        "said": found.said,
        "why": issue.why,
        "seen": issue.seen,
        "fix": issue.fix,
        "sources": sources.collect::<Vec<_>>(),
    })
}
