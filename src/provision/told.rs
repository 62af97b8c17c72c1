//! Collects every complaint, so that all are told at once. Touches nothing.

use super::{Lowered, Warning};
use crate::base::{Code, Place, Problem, Problems};

/// What was found so far.
#[derive(Default)]
pub struct Told {
    pub problems: Vec<Problem>,
    pub warnings: Vec<Warning>,
}

impl Told {
    /// Adds a problem.
    pub fn refuse(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Adds a problem of provisioning at a place.
    pub fn refuse_at(&mut self, place: &Place, headline: impl Into<String>, hint: &str) {
        let problem = Problem::new(Code::Provision, headline).at(place.clone());
        self.refuse(if hint.is_empty() { problem } else { problem.hint(hint) });
    }

    /// Adds a problem about login data: the line it stands in is not shown.
    pub fn refuse_secret(&mut self, place: &Place, headline: impl Into<String>, hint: &str) {
        self.refuse(Problem::new(Code::Secret, headline).at(hushed(place)).hint(hint));
    }

    /// Adds a warning.
    pub fn warn(&mut self, id: &'static str, text: impl Into<String>, place: Option<Place>) {
        self.warnings.push(Warning { id, text: text.into(), place });
    }

    /// Hands over what was made, unless something was refused.
    pub fn finish(self, lowered: Lowered) -> Result<Lowered, Problems> {
        if self.problems.is_empty() {
            Ok(Lowered { warnings: self.warnings, ..lowered })
        } else {
            Err(Problems(self.problems))
        }
    }
}

/// Returns the place without the text of its line, which may hold a secret.
pub fn hushed(place: &Place) -> Place {
    Place { text: String::new(), ..place.clone() }
}
