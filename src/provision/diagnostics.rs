//! Collects every diagnostic, so that all are reported at once. Touches nothing.

use crate::base::text::one_line;
use crate::base::{Code, Diagnostic, Diagnostics, Finding, Location, Rule, Severity};
use crate::recipe::Recipe;

/// Something a rule noticed that the recipe allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    pub finding: Finding,
    /// As the recipe gives it.
    pub reason: String,
}

/// What was found so far.
#[derive(Default)]
pub(crate) struct DiagnosticSink {
    pub problems: Vec<Diagnostic>,
    pub findings: Vec<Finding>,
}

impl DiagnosticSink {
    /// Adds a problem.
    pub(crate) fn refuse(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }

    /// Adds a problem of provisioning at a place.
    pub(crate) fn refuse_at(&mut self, place: &Location, headline: impl Into<String>, hint: &str) {
        let problem = Diagnostic::new(Code::Provision, headline).at(place.clone());
        self.refuse(if hint.is_empty() { problem } else { problem.hint(hint) });
    }

    /// Adds a problem about login data: the line it stands in is not shown.
    pub(crate) fn refuse_secret(&mut self, place: &Location, headline: impl Into<String>, hint: &str) {
        self.refuse(Diagnostic::new(Code::Secret, headline).at(redacted(place)).hint(hint));
    }

    /// Adds what a rule found, as severe as the table says; `place` is where the user can change it.
    pub(crate) fn warn(&mut self, rule: Rule, text: impl Into<String>, place: Option<Location>) {
        self.tell(Finding::new(rule, text).at(place));
    }

    /// Adds what a rule found where nothing is wrong.
    pub(crate) fn note(&mut self, rule: Rule, text: impl Into<String>, place: Option<Location>) {
        self.tell(Finding::new(rule, text).at(place).with_severity(Severity::Note));
    }

    /// Adds what a rule found.
    pub(crate) fn tell(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Refuses a name that occurs twice.
    pub(crate) fn unique<'n>(&mut self, what: &str, names: impl Iterator<Item = (&'n str, &'n Location)>) {
        let mut seen = std::collections::BTreeMap::new();
        for (name, place) in names {
            if let Some(first) = seen.insert(name, place) {
                let headline = format!("{what} `{}` is there twice, first in line {}", one_line(name, 80), first.line);
                self.refuse_at(place, headline, "join the two");
            }
        }
    }

    /// Returns what was made, unless something was refused or a rule found an error that the recipe does not allow; all
    /// that the rules found, and what of that the recipe allows.
    pub(crate) fn finish<T>(self, recipe: &Recipe, made: T) -> (Result<T, Diagnostics>, Vec<Finding>, Vec<Allowed>) {
        let (findings, allowed) = allow(recipe, self.findings);
        let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
        let errors = errors.cloned().map(Diagnostic::from);
        let problems: Vec<Diagnostic> = self.problems.into_iter().chain(errors).collect();
        (if problems.is_empty() { Ok(made) } else { Err(Diagnostics(problems)) }, findings, allowed)
    }
}

/// Parts what a recipe allows from the rest; an entry that allows nothing is reported in its turn.
fn allow(recipe: &Recipe, found: Vec<Finding>) -> (Vec<Finding>, Vec<Allowed>) {
    let mut findings = vec![];
    let mut allowed: Vec<Allowed> = vec![];
    for finding in found {
        match recipe.allows(finding.rule) {
            Some(entry) => allowed.push(Allowed { finding, reason: entry.value.reason.clone() }),
            None => findings.push(finding),
        }
    }
    for entry in &recipe.allow {
        if allowed.iter().all(|allowed| allowed.finding.rule != entry.value.rule) {
            let text = format!("nothing breaks the rule `{}` that is allowed here", entry.value.rule);
            findings.push(Finding::new(Rule::UnusedAllow, text).at(entry.place.clone()));
        }
    }
    (findings, allowed)
}

/// Returns the place without the text of its line, which may hold a secret.
pub(crate) fn redacted(place: &Location) -> Location {
    Location { text: String::new(), ..place.clone() }
}

/// Returns a place in a ready-made file; its line is never shown, for it may hold a secret.
pub(crate) fn place_in(file: &str, line: u32, column: u32) -> Location {
    Location { file: file.to_owned(), line, column, width: 1, text: String::new() }
}
