//! The rules as a person and as another program meet them: the text of `check --explain`, and SARIF 2.1.0 for CI.
//!
//! Source: OASIS, Static Analysis Results Interchange Format 2.1.0 (section numbers below). Touches nothing.

use percent_encoding::percent_encode;
use serde_json::{Value, json};

use crate::base::text::{URI_PATH, wrapped};
use crate::base::{Code, Diagnostic, Finding, Location, Rule, Severity};

/// How wide the text of a reason is.
const WIDTH: usize = 92;

/// Writes everything known of a rule.
pub(crate) fn explain(rule: Rule) -> String {
    let row = rule.row();
    let sources: String = row.sources.iter().map(|(name, address)| format!("  {name}\n    {address}\n")).collect();
    format!(
        "{rule}: {}\n\n{}\n\nseverity\n  {}\n\nwhat to do\n  {}\n\nsources\n{sources}\nto allow it, say why in the recipe\n{}",
        row.summary,
        wrapped(row.reason, WIDTH).join("\n"),
        severity(rule),
        row.fix,
        allowing(rule),
    )
}

fn severity(rule: Rule) -> String {
    let what = match rule.row().severity {
        Severity::Error => "refused, unless the recipe allows it",
        Severity::Warning => "reported by every command that plans; `check --deny warnings` fails",
        Severity::Note => "reported by `check` only",
    };
    format!("{}: {what}", rule.row().severity)
}

fn allowing(rule: Rule) -> String {
    match rule {
        Rule::UnusedAllow => "  this one cannot be allowed\n".to_owned(),
        _ => format!("  [allow]\n  {rule} = \"…\"\n"),
    }
}

/// Lists every rule in a line of its own.
pub(crate) fn list() -> String {
    let width = Rule::WORDS.iter().map(|id| id.len()).max().unwrap_or_default();
    let line = |rule: Rule| {
        let row = rule.row();
        format!("{:<width$}  {:<7}  {}\n", rule.as_str(), row.severity.as_str(), row.summary)
    };
    Rule::all().map(line).collect()
}

/// Returns a rule as JSON.
pub(crate) fn rule_json(rule: Rule) -> Value {
    let row = rule.row();
    let sources: Vec<_> = row.sources.iter().map(|(name, url)| json!({"name": name, "url": url})).collect();
    json!({
        "rule": rule, "severity": row.severity, "summary": row.summary, "reason": row.reason, "fix": row.fix,
        "sources": sources,
    })
}

/// One thing to report to another program.
#[derive(Debug)]
pub(crate) enum Entry<'a> {
    /// What a rule noticed; with the reason for which the recipe allows it.
    Finding(&'a Finding, Option<&'a str>),
    /// What no recipe can allow.
    Diagnostic(&'a Diagnostic),
}

/// Writes a SARIF log of one run. `complete` tells whether every recipe could be judged to the end.
pub(crate) fn sarif(version: &str, results: &[Entry<'_>], complete: bool) -> Value {
    let mut rules: Vec<Value> = Rule::all().map(descriptor).collect();
    let mut codes: Vec<Code> = vec![];
    for result in results {
        let Entry::Diagnostic(Diagnostic { code, rule: None, .. }) = result else { continue };
        if !codes.contains(code) {
            codes.push(*code);
            rules.push(json!({"id": code, "shortDescription": {"text": format!("a mistake of the kind {code}")}}));
        }
    }
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "arca-build", "semanticVersion": version, "rules": rules}},
            // §3.14.17: our columns count characters.
            "columnKind": "unicodeCodePoints",
            "invocations": [{"executionSuccessful": complete}],
            "results": results.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}

/// §3.49, reportingDescriptor.
fn descriptor(rule: Rule) -> Value {
    let row = rule.row();
    let address = row.sources.first().map(|(_, address)| *address);
    json!({
        "id": rule,
        "shortDescription": {"text": row.summary},
        "fullDescription": {"text": row.reason},
        "help": {"text": format!("{}; to allow it, write `{rule} = \"why\"` in [allow]", row.fix)},
        "helpUri": address,
        "defaultConfiguration": {"level": row.severity},
    })
}

/// §3.27, result.
fn result(result: &Entry<'_>) -> Value {
    let (id, level, text, place) = match result {
        Entry::Finding(finding, _) => {
            let text = format!("{}; {}", finding.text, finding.fix());
            (finding.rule.as_str(), finding.severity, text, finding.place.as_ref())
        }
        Entry::Diagnostic(problem) => {
            let id = problem.rule.map_or(problem.code.as_str(), Rule::as_str);
            let parts =
                std::iter::once(problem.headline.as_str()).chain(problem.causes()).chain(problem.hint.as_deref());
            let text = parts.collect::<Vec<_>>().join("; ");
            (id, Severity::Error, text, problem.place.as_ref())
        }
    };
    let mut value = json!({"ruleId": id, "level": level, "message": {"text": text}});
    if let Some(index) = Rule::all().position(|rule| rule.as_str() == id) {
        value["ruleIndex"] = json!(index);
    }
    value["locations"] = place.map(location).into_iter().collect();
    if let Entry::Finding(_, Some(reason)) = result {
        // §3.35: the recipe is the source.
        value["suppressions"] = json!([{"kind": "inSource", "justification": reason}]);
    }
    value
}

/// §3.28 to §3.30: location, its file and its region.
fn location(place: &Location) -> Value {
    json!({"physicalLocation": {
        "artifactLocation": {"uri": uri(&place.file)},
        "region": {
            "startLine": place.line.max(1),
            "startColumn": place.column.max(1),
            "endColumn": place.column.max(1) + place.width.max(1),
        },
    }})
}

/// Writes a file's name as a reference to a URI (RFC 3986), relative where the name is.
fn uri(file: &str) -> String {
    let scheme = if file.starts_with('/') { "file://" } else { "" };
    format!("{scheme}{}", percent_encode(file.as_bytes(), URI_PATH))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Location {
        Location { file: "recipes/a b.toml".into(), line: 3, column: 7, width: 4, text: "x = \"ä\"".into() }
    }

    #[test]
    fn every_rule_is_explained_with_reason_source_fix_and_the_way_to_allow_it() {
        for rule in Rule::all() {
            let (text, row) = (explain(rule), rule.row());
            assert!(text.starts_with(&format!("{rule}: ")) && text.contains(row.fix), "{text}");
            assert!(row.sources.iter().all(|(_, address)| text.contains(address)), "{text}");
            assert!(text.contains(&format!("[allow]\n  {rule} = ")) || rule == Rule::UnusedAllow, "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= 150), "{text}");
        }
        assert_eq!(list().lines().count(), Rule::WORDS.len());
    }

    #[test]
    fn a_log_says_what_where_and_how_bad() {
        let finding = Finding::new(Rule::MovingUrl, "it moves").at(place());
        let problem = Diagnostic::new(Code::Recipe, "unknown key `x`").hint("did you mean `y`?").at(place());
        let bad = Diagnostic::new(Code::Secret, "no hash").of(Rule::WeakHash);
        let results = [Entry::Finding(&finding, Some("we know")), Entry::Diagnostic(&problem), Entry::Diagnostic(&bad)];
        let log = sarif("0.1.0", &results, false);
        let run = &log["runs"][0];
        assert_eq!((&log["version"], &run["invocations"][0]["executionSuccessful"]), (&json!("2.1.0"), &json!(false)));
        let first = &run["results"][0];
        assert_eq!((&first["ruleId"], &first["level"]), (&json!("moving-url"), &json!("note")));
        let index = usize::try_from(first["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], "moving-url");
        assert_eq!(first["suppressions"][0]["justification"], "we know");
        let location = &first["locations"][0]["physicalLocation"];
        assert_eq!(location["artifactLocation"]["uri"], "recipes/a%20b.toml");
        assert_eq!(location["region"], json!({"startLine": 3, "startColumn": 7, "endColumn": 11}));
        let second = &run["results"][1];
        assert_eq!((&second["ruleId"], &second["level"]), (&json!("E_RECIPE"), &json!("error")));
        assert_eq!(second["message"]["text"], "unknown key `x`; did you mean `y`?");
        assert_eq!(run["results"][2]["ruleId"], "weak-hash");
        let ids = run["tool"]["driver"]["rules"].as_array().unwrap();
        assert_eq!(ids.last().unwrap()["id"], "E_RECIPE");
        assert_eq!(uri("/a/ü"), "file:///a/%C3%BC");
    }
}
