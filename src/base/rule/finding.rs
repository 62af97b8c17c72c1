//! What a rule noticed, with its severity here and what to do. Touches nothing.

use std::fmt;

use super::table::{Rule, Severity};
use crate::base::{Code, Diagnostic, Location};

/// Something a rule noticed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Finding {
    pub rule: Rule,
    pub severity: Severity,
    /// One sentence without a full stop; nothing in it is secret.
    pub text: String,
    #[serde(skip)]
    pub place: Option<Location>,
    /// What to do here, where that is more exact than what the rule says.
    #[serde(skip)]
    pub hint: Option<String>,
}

impl Finding {
    /// Begins a finding as severe as its rule usually is.
    pub(crate) fn new(rule: Rule, text: impl Into<String>) -> Self {
        Self { rule, severity: rule.row().severity, text: text.into(), place: None, hint: None }
    }

    /// Says where.
    #[must_use]
    pub(crate) fn at(mut self, place: impl Into<Option<Location>>) -> Self {
        self.place = place.into();
        self
    }

    /// Says how severe it is here.
    #[must_use]
    pub(crate) const fn with_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Says what to do here.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Returns what to do.
    pub(crate) fn fix(&self) -> &str {
        self.hint.as_deref().unwrap_or(self.rule.row().fix)
    }
}

impl From<Finding> for Diagnostic {
    /// Makes the failure of a finding that is an error.
    fn from(finding: Finding) -> Self {
        let hint = finding.fix().to_owned();
        let problem = Self::new(Code::Provision, finding.text).of(finding.rule).hint(hint);
        Self { place: finding.place, ..problem }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{} [{}]", self.text, self.rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_with_severity_its_rule_unless_it_says_otherwise() {
        let finding = Finding::new(Rule::MovingUrl, "x");
        assert_eq!((finding.severity, finding.fix()), (Severity::Note, Rule::MovingUrl.row().fix));
        let finding = finding.with_severity(Severity::Error).hint("do y");
        let problem = Diagnostic::from(finding);
        assert_eq!((problem.rule, problem.hint.as_deref()), (Some(Rule::MovingUrl), Some("do y")));
    }
}
