//! Collects every complaint, so that all are told at once. Touches nothing.

use super::{Allowed, Judged, Lowered};
use crate::base::{Code, Diagnostic, Diagnostics, Finding, Location, Rule, Severity};
use crate::recipe::Recipe;

/// What was found so far.
#[derive(Default)]
pub(crate) struct Told {
    pub problems: Vec<Diagnostic>,
    pub findings: Vec<Finding>,
}

impl Told {
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
        self.refuse(Diagnostic::new(Code::Secret, headline).at(hushed(place)).hint(hint));
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

    /// Hands over what was made, unless something was refused or a rule found an error that the recipe does not allow.
    pub(crate) fn finish(self, recipe: &Recipe, lowered: Lowered) -> Judged {
        let Self { problems, findings } = self;
        let (findings, allowed) = allow(recipe, findings);
        let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
        let problems: Vec<Diagnostic> = problems.into_iter().chain(errors.cloned().map(Diagnostic::from)).collect();
        let lowered = if problems.is_empty() {
            Ok(Lowered { warnings: findings.clone(), ..lowered })
        } else {
            Err(Diagnostics(problems))
        };
        Judged { lowered, findings, allowed }
    }
}

/// Parts what a recipe allows from the rest; an entry that allows nothing is told in its turn.
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
pub(crate) fn hushed(place: &Location) -> Location {
    Location { text: String::new(), ..place.clone() }
}
