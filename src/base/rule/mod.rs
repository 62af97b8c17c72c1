//! Rules that know MicroOS: their stable ids, how severe each is, why it is there and what to do. Touches nothing.
//!
//! The ids stand on the lowest floor because a recipe allows a rule by its id, `provision` finds what breaks one, and
//! `report` explains it. Nobody can make a finding of a rule that has no row. Read next: [`table`], the one table.

mod table;

use std::fmt;

use super::{Diagnostic, Place, words::vocabulary};

pub(crate) use table::Rule;

vocabulary! {
    /// How severe something that is told is.
    Severity {
        /// The guest would not come up as the recipe says; nothing is built.
        Error = "error",
        /// It will work, but hardly as meant.
        Warning = "warning",
        /// Something was done without being asked, or could be better; nothing is wrong.
        Note = "note",
    }
}

/// What is known of a rule besides its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub rule: Rule,
    /// The usual one; a finding may be milder, or harder where more is known.
    pub severity: Severity,
    /// One line, lower case, without a full stop.
    pub summary: &'static str,
    /// A paragraph.
    pub reason: &'static str,
    /// Names and addresses of what the reason rests on; at least one.
    pub sources: &'static [(&'static str, &'static str)],
    /// What to do, one line without a full stop.
    pub fix: &'static str,
}

impl Rule {
    /// Returns the row of the table.
    pub(crate) fn row(self) -> &'static Row {
        // The table is written in the order of the ids, which a test holds it to; the first row is never meant.
        table::ROWS.iter().find(|row| row.rule == self).unwrap_or(&table::ROWS[0])
    }

    /// Lists every rule, in the order of the table.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        table::ROWS.iter().map(|row| row.rule)
    }
}

/// Something a rule noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub rule: Rule,
    pub severity: Severity,
    /// One sentence without a full stop; nothing in it is secret.
    pub text: String,
    pub place: Option<Place>,
    /// What to do here, where that is more exact than what the rule says.
    pub hint: Option<String>,
}

impl Finding {
    /// Begins a finding as severe as its rule usually is.
    pub(crate) fn new(rule: Rule, text: impl Into<String>) -> Self {
        Self { rule, severity: rule.row().severity, text: text.into(), place: None, hint: None }
    }

    /// Says where.
    #[must_use]
    pub(crate) fn at(mut self, place: impl Into<Option<Place>>) -> Self {
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
        let problem = Self::new(super::Code::Provision, finding.text).of(finding.rule).hint(hint);
        Self { place: finding.place, ..problem }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{}:{}:{}: ", place.file, place.line, place.column)?;
        }
        write!(f, "{} [{}]", self.text, self.rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_has_its_own_row_and_every_row_says_all_of_it() {
        assert_eq!(
            Rule::all().map(Rule::as_str).collect::<Vec<_>>(),
            Rule::WORDS,
            "the table is in the order of the ids"
        );
        for row in table::ROWS {
            assert_eq!(row.rule.row(), row);
            let id = row.rule.as_str();
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(id.chars().all(plain) && id.len() <= 40, "{id}");
            for line in [row.summary, row.fix] {
                assert!(
                    !line.is_empty() && !line.ends_with('.') && !line.contains('\n') && line.len() <= 130,
                    "{id}: {line}"
                );
            }
            assert!(
                row.reason.ends_with('.') && row.reason.len() > 80 && !row.reason.contains("  "),
                "{id}: {}",
                row.reason
            );
            assert!(!row.sources.is_empty(), "{id}");
            for (name, address) in row.sources {
                assert!(!name.is_empty() && crate::base::Url::parse(address).is_ok(), "{id}: {address}");
            }
        }
    }

    #[test]
    fn a_finding_is_with_severity_its_rule_unless_it_says_otherwise() {
        let finding = Finding::new(Rule::MovingUrl, "x");
        assert_eq!((finding.severity, finding.fix()), (Severity::Note, Rule::MovingUrl.row().fix));
        let finding = finding.with_severity(Severity::Error).hint("do y");
        let problem = Diagnostic::from(finding);
        assert_eq!((problem.rule, problem.hint.as_deref()), (Some(Rule::MovingUrl), Some("do y")));
    }
}
