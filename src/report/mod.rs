//! A failure as a person meets it: the exit class of every code, the text and the JSON form.
//!
//! The one table of codes and exit classes stands here. Touches nothing. Read next: `cli`, which prints it.

pub(crate) mod rules;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::{Value, json};

pub(crate) use crate::base::Severity;
use crate::base::{Code, Diagnostic, Finding, Location, text};

/// What the exit codes mean.
pub(crate) const EXIT_CODES: [(u8, &str); 8] = [
    (0, "done"),
    (1, "check failed or differences found"),
    (2, "usage or recipe"),
    (3, "integrity"),
    (4, "not available"),
    (5, "this machine"),
    (70, "internal error"),
    (130, "interrupted"),
];

/// Returns the exit code of a kind of failure, one of [`EXIT_CODES`].
pub(crate) const fn exit_code(code: Code) -> u8 {
    use Code::*;
    match code {
        Differs | Locked | Lint | Guest => 1,
        Usage | Recipe | Unpinned | InputEscape | Provision | FwCfgLimit | Secret | OutputPath => 2,
        Hash | UpstreamMoved | SigMissing | SigBad | SigKey | SigExpired | SigRevoked | SigWeak | SigScope
        | SigOtherFile | SigOlder | ImageFormat | ImageBacking | ImageDataFile | ImageFeature | ImageDirty
        | ImageLimit | DecompBomb | DecompCorrupt | DecompMem | CacheCorrupt | NotReproducible | Archive
        | UntrustedRoot => 3,
        Offline | NetDns | NetConnect | NetTls | NetStall | NetStatus | NetRedirect | NetProtocol | NetSize => 4,
        Io | NoSpace | CacheReadOnly | CacheVersion | CacheLock | CachePerm | OutputExists | Tool | Preflight => 5,
        Bug => 70,
        Interrupted => 130,
    }
}

/// Renders one problem as lines for a person, without a final line end.
///
/// Everything in it is made free of control characters; colours are added only when asked.
pub(crate) fn render(problem: &Diagnostic, severity: Severity, coloured: bool) -> String {
    let mut lines = vec![headline(problem, severity, coloured)];
    if let Some(place) = &problem.place {
        lines.push(snippet(place, coloured));
    }
    let rule = problem.rule.filter(|_| severity == Severity::Error).map(|rule| ("rule", rule.to_string()));
    let facts: Vec<_> = problem.facts.iter().cloned().chain(rule).collect();
    let width = facts.iter().map(|(label, _)| label.len()).max().unwrap_or(0) + 1;
    for (label, value) in &facts {
        lines.push(format!("  {:<width$} {}", format!("{label}:"), shown(value)));
    }
    lines.extend(problem.causes().map(|cause| format!("  because: {}", shown(cause))));
    lines.extend(problem.note.iter().map(|note| format!("  note: {}", shown(note))));
    lines.extend(problem.hint.iter().map(|hint| format!("{} {}", strong("hint:", "36", coloured), shown(hint))));
    lines.join("\n")
}

fn headline(problem: &Diagnostic, severity: Severity, coloured: bool) -> String {
    let (word, colour) = match severity {
        Severity::Error => ("error", "31"),
        Severity::Warning => ("warning", "33"),
        Severity::Note => ("note", "34"),
    };
    let (word, colour) = if problem.is_answer() { ("finding", "33") } else { (word, colour) };
    let label = match (severity, problem.rule) {
        (Severity::Error, _) => format!("{word}[{}]:", problem.code),
        (_, Some(rule)) => format!("{word}[{rule}]:"),
        (_, None) => format!("{word}:"),
    };
    format!("{} {}", strong(&label, colour, coloured), shown(&problem.headline))
}

fn strong(word: &str, colour: &str, coloured: bool) -> String {
    if coloured { format!("\u{1b}[1;{colour}m{word}\u{1b}[0m") } else { word.to_owned() }
}

fn shown(value: &str) -> String {
    text::sanitise(value).replace('\n', "\n    ")
}

/// Draws `--> file:line:column` and the offending line; the line is empty where it holds a secret.
fn snippet(place: &Location, coloured: bool) -> String {
    let path = text::one_line(&place.file, 200);
    if place.text.is_empty() {
        return format!(" --> {path}:{}:{}", place.line, place.column);
    }
    let line = text::sanitise(&place.text).replace('\t', " ");
    // Columns count characters of the line as written; an escaped control character before them only shifts the mark.
    let start = byte_of(&line, place.column.saturating_sub(1));
    let end = byte_of(&line, place.column.saturating_sub(1) + place.width.max(1)).max(start);
    let source = Snippet::source(line.clone())
        .line_start(place.line as usize)
        .path(path)
        .annotation(AnnotationKind::Primary.span(start..end.max((start + 1).min(line.len()))));
    let renderer = if coloured { Renderer::styled() } else { Renderer::plain() };
    let drawn = renderer.render(&[Group::with_level(Level::ERROR).element(source)]);
    drawn.trim_end().to_owned()
}

fn byte_of(line: &str, column: u32) -> usize {
    line.char_indices().nth(column as usize).map_or(line.len(), |(byte, _)| byte)
}

/// Renders what a rule noticed, as [`render`] does a problem.
pub(crate) fn render_finding(finding: &Finding, coloured: bool) -> String {
    render(&Diagnostic::from(finding.clone()), finding.severity, coloured)
}

/// Returns what a rule noticed as JSON.
pub(crate) fn finding_json(finding: &Finding) -> Value {
    json!({
        "rule": finding.rule,
        "severity": finding.severity,
        "text": finding.text,
        "place": finding.place,
        "fix": finding.fix(),
    })
}

/// Returns a problem as JSON.
///
/// `facts` maps each label to what it says: a text, or where a problem says it more than once, all the texts in a list.
pub(crate) fn to_json(problem: &Diagnostic) -> Value {
    json!({
        "code": problem.code,
        "exit": exit_code(problem.code),
        "rule": problem.rule,
        "headline": problem.headline,
        "place": problem.place,
        "facts": facts_json(problem),
        "causes": problem.causes().collect::<Vec<_>>(),
        "note": problem.note,
        "hint": problem.hint,
    })
}

fn facts_json(problem: &Diagnostic) -> Value {
    let mut facts = serde_json::Map::new();
    for (label, value) in &problem.facts {
        match facts.get_mut(*label) {
            None => drop(facts.insert((*label).to_owned(), json!(value))),
            Some(Value::Array(all)) => all.push(json!(value)),
            Some(one) => *one = json!([one.take(), value]),
        }
    }
    Value::Object(facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem() -> Diagnostic {
        Diagnostic::new(Code::Hash, "digest mismatch for input `base`")
            .fact("expected", "sha256:9f86")
            .url("https://example.org/\u{1b}[31m")
            .cause("the server sent something else")
            .note("nothing was added to the store")
            .hint("run `arca-build update nas.toml`")
    }

    #[test]
    fn a_problem_reads_what_where_why_and_the_way_out() {
        let text = render(&problem(), Severity::Error, false);
        assert_eq!(
            text,
            "error[E_HASH]: digest mismatch for input `base`\n  expected: sha256:9f86\n  from:     https://example.org/\\u{1b}[31m\n  because: the server sent something else\n  note: nothing was added to the store\nhint: run `arca-build update nas.toml`"
        );
    }

    #[test]
    fn json_keeps_every_fact_and_lists_those_of_one_label() {
        let facts = |labels: &[&'static str]| {
            let all = labels.iter().enumerate();
            let all = all.fold(Diagnostic::new(Code::Usage, "x"), |problem, (at, label)| problem.fact(label, at));
            to_json(&all)["facts"].clone()
        };
        assert_eq!(facts(&[]), json!({}));
        assert_eq!(facts(&["a", "b"]), json!({"a": "0", "b": "1"}));
        assert_eq!(facts(&["a", "b", "a", "a"]), json!({"a": ["0", "2", "3"], "b": "1"}));
    }

    #[test]
    fn the_offending_line_is_shown_and_marked() {
        let place =
            Location { file: "nas.toml".into(), line: 12, column: 1, width: 6, text: "memroy = \"2GiB\"".into() };
        let text = render(&Diagnostic::new(Code::Recipe, "unknown key `memroy`").at(place), Severity::Error, false);
        assert!(
            text.contains("nas.toml:12:1") && text.contains("12 | memroy = \"2GiB\"") && text.contains("^^^^^^"),
            "{text}"
        );
    }

    #[test]
    fn out_14_a_hostile_place_draws_nothing_raw_and_does_not_panic() {
        for column in [0, 1, 3, 9, 400] {
            let place =
                Location { file: "a\u{1b}b".into(), line: 0, column, width: 900, text: "é\u{9b}\u{202e}x".into() };
            let text = render(&Diagnostic::new(Code::Recipe, "x").at(place), Severity::Error, false);
            assert!(!text.chars().any(text::is_unsafe), "{text:?}");
        }
    }

    #[test]
    fn every_code_has_an_exit_class_of_the_table() {
        for word in Code::WORDS {
            let code = Code::parse(word).unwrap();
            assert!(EXIT_CODES.iter().any(|(exit, _)| *exit == exit_code(code)), "{word}");
        }
        let page = include_str!("../../docs/errors.md");
        for (exit, meaning) in EXIT_CODES {
            assert!(page.contains(&format!("\n| {exit} | {meaning}")), "docs/errors.md lacks {exit} {meaning}");
        }
        for word in Code::WORDS {
            let row = format!("\n| `{word}` | {} | ", exit_code(Code::parse(word).unwrap()));
            assert!(page.contains(&row), "docs/errors.md lacks {row:?}");
        }
        assert_eq!(page.matches("\n| `E_").count(), Code::WORDS.len(), "docs/errors.md has a code too many");
        assert_eq!(exit_code(Code::Unpinned), 2);
        assert_eq!(exit_code(Code::Offline), 4);
        assert_eq!(exit_code(Code::Locked), 1);
        let integrity = Code::WORDS.iter().filter(|word| word.starts_with("E_SIG_") || word.starts_with("E_DECOMP_"));
        let classes: Vec<_> = integrity.map(|word| exit_code(Code::parse(word).unwrap())).collect();
        assert_eq!(classes, [3; 12]);
    }
}
