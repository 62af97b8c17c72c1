//! The judgement: a report held to an expectation, check by check. Touches nothing.

use super::report::{Facts, GuestReport, escape, last, text};
use super::{Expectation, Expected, Matcher};
use crate::base::text::{count, one_line};

/// How much of a guest's word is shown.
const SHOWN: usize = 160;

/// One thing that was looked at. Every text is fit to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Check {
    /// What kind of thing: `report`, `units`, or a [`super::Kind`].
    pub kind: &'static str,
    /// Such as `/etc/motd`.
    pub subject: String,
    /// Such as `mode`.
    pub fact: String,
    pub passed: bool,
    pub expected: String,
    pub found: String,
}

/// All checks, in the order of the expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub checks: Vec<Check>,
}

/// Holds what a guest wrote to its port to what its bundle expects; of several reports the last whole one counts.
pub(crate) fn judge(expectation: &Expectation, stream: &[u8]) -> Verdict {
    let text = text(stream);
    let Some(report) = last(&text) else {
        let found = if text.contains(super::BEGIN) { "one that does not end" } else { "nothing" };
        return Verdict { checks: vec![Check::new("report", "", "there", false, "a whole report", found)] };
    };
    let told = GuestReport::read(report);
    let mut checks = form(&told);
    expectation.lines.iter().for_each(|line| self::line(line, &told, &mut checks));
    checks.push(failed(&told));
    Verdict { checks }
}

/// Judges the report itself.
fn form(told: &GuestReport<'_>) -> Vec<Check> {
    let check = |fact, passed, expected: &str, found: &str| Check::new("report", "", fact, passed, expected, found);
    let twice: Vec<String> = told.twice.iter().take(5).map(|(kind, subject)| format!("{kind} {subject}")).collect();
    let found = match (told.is_cut, twice.is_empty()) {
        (true, _) => "more lines than any recipe needs".to_owned(),
        (false, true) => "as expected".to_owned(),
        (false, false) => format!("again: {}", twice.join(", ")),
    };
    vec![
        check("there", true, "a whole report", "a whole report"),
        check("stage", told.is_final(), "final", told.stage()),
        check("form", twice.is_empty() && !told.is_cut, "each thing told once", &found),
    ]
}

/// Judges what is told of one thing; what is not there has no further facts.
fn line(line: &Expected, told: &GuestReport<'_>, checks: &mut Vec<Check>) {
    let Expected { kind, subject, facts: wishes } = line;
    let check = |fact: &str, passed, expected: &str, found: &str| {
        Check::new(kind.as_str(), subject, fact, passed, expected, found)
    };
    let Some(facts) = told.facts(kind.as_str(), subject) else {
        return checks.push(check("there", false, "to be there", "not in the report"));
    };
    if facts.get("present") != Some("yes") {
        return checks.push(check("there", false, "to be there", "it is not there"));
    }
    checks.push(check("there", true, "to be there", "it is there"));
    for (name, wish) in wishes {
        let (passed, expected, found) = wish.judge(name, facts);
        checks.push(check(name, passed, &expected, &found));
    }
}

fn failed(told: &GuestReport<'_>) -> Check {
    let first: Vec<&str> = told.failed.iter().take(10).copied().collect();
    let more = told.failed.len().saturating_sub(first.len());
    let found = match (first.is_empty(), more) {
        (true, _) => "none".to_owned(),
        (false, 0) => first.join(", "),
        (false, more) => format!("{} and {more} more", first.join(", ")),
    };
    Check::new("units", "", "failed", told.failed.is_empty(), "none", &found)
}

impl Matcher {
    /// Returns whether a fact is as wished; what was expected, what was found.
    fn judge(&self, name: &str, facts: Facts<'_>) -> (bool, String, String) {
        let Some(found) = facts.get(name) else { return (false, self.shown(), "not told".to_owned()) };
        let passed = match self {
            Self::Is(word) => escape(word) == found,
            Self::Has(words) => words.iter().all(|word| found.split(',').any(|other| other == escape(word))),
            Self::Any(words) => words.iter().any(|word| escape(word) == found),
            Self::Digest(digest) => {
                let passed = digest.to_string() == found;
                return (passed, self.shown(), if passed { self.shown() } else { "other bytes".to_owned() });
            }
        };
        (passed, self.shown(), found.to_owned())
    }

    fn shown(&self) -> String {
        match self {
            Self::Is(word) => escape(word),
            Self::Has(words) => format!("also {}", words.join(",")),
            Self::Any(words) => words.join(" or "),
            Self::Digest(_) => "the recipe's bytes".to_owned(),
        }
    }
}

impl Check {
    fn new(kind: &'static str, subject: &str, fact: &str, passed: bool, expected: &str, found: &str) -> Self {
        let show = |text: &str| one_line(text, SHOWN);
        let (subject, fact) = (one_line(subject, 4096), show(fact));
        Self { kind, subject, fact, passed, expected: show(expected), found: show(found) }
    }

    /// Returns what is looked at, without the fact.
    pub(crate) fn thing(&self) -> String {
        if self.subject.is_empty() { self.kind.to_owned() } else { format!("{} {}", self.kind, self.subject) }
    }

    /// Returns what is looked at.
    pub(crate) fn name(&self) -> String {
        format!("{}: {}", self.thing(), self.fact)
    }

    /// Returns what was expected and what was found.
    pub(crate) fn difference(&self) -> String {
        format!("expected {}, found {}", self.expected, self.found)
    }
}

impl Verdict {
    /// Returns whether everything is as expected.
    pub(crate) fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.passed)
    }

    /// Goes through what is not as expected.
    pub(crate) fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| !check.passed)
    }

    /// Writes it as a person reads it: a line for each thing that is as expected, one for each fact that is not, and the sum.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![];
        for checks in self.checks.chunk_by(|a, b| (a.kind, &a.subject) == (b.kind, &b.subject)) {
            let Some(first) = checks.first() else { continue };
            let good: Vec<&str> = checks.iter().filter(|check| check.passed).map(|check| check.fact.as_str()).collect();
            if !good.is_empty() {
                lines.push(format!("ok    {} ({})", first.thing(), good.join(", ")));
            }
            let bad = checks.iter().filter(|check| !check.passed);
            lines.extend(bad.map(|check| format!("FAIL  {}: {}", check.name(), check.difference())));
        }
        let failures = self.failures().count();
        let sum = format!("{} of {} as expected", self.checks.len() - failures, count(self.checks.len(), "fact"));
        lines.push(sum);
        lines
    }
}
