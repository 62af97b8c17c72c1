//! A diagnosis as a person reads it. Touches nothing.

use std::fmt;

use super::stage::Stage;
use super::{Boot, Diagnosis, Found, KNOWN, Kind};
use crate::base::ByteSize;
use crate::base::text::{count, wrapped};

/// How wide paragraphs are.
const WIDTH: usize = 92;
/// How many of the last boots are told besides the first: a machine that begins anew for ever fills a log with them.
const LAST_BOOTS: usize = 4;

/// What to look at where it is a journal in which nothing is wrong.
const JOURNAL: &str =
    "it is the journal of single units, and tells of no boot; `journalctl -b` in the guest has all of it";

/// What to look at where the log is no text.
const NO_TEXT: &str = "is it the text of the guest's console, and not an image, a program, or a log that is packed? `xz -dc LOG.xz | \
    arca-build doctor -` unpacks one";

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head(f)?;
        for found in self.findings.iter().filter(|found| self.is_told(found.boot)) {
            writeln!(f)?;
            self.found(f, found)?;
        }
        match (self.boots.last(), self.is_wrong()) {
            (Some(_), false) if self.boots.iter().all(|boot| boot.reached == Stage::Nowhere) => {
                paragraph(f, "\nlook at", JOURNAL)
            }
            (Some(boot), false) => paragraph(f, "\nlook at", KNOWN.advice(boot.reached)),
            (None, _) if self.is_binary => paragraph(f, "\nlook at", NO_TEXT),
            (None, _) => paragraph(f, "\nlook at", KNOWN.advice(Stage::Nowhere)),
            _ => Ok(()),
        }
    }
}

impl Diagnosis {
    fn head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, {}", count(self.lines, "line"), count(self.boots.len(), "boot"))?;
        if self.skipped > 0 {
            writeln!(f, "not looked at: {} in its middle", ByteSize(self.skipped))?;
        }
        let between = (0..self.boots.len()).filter(|boot| !self.is_told(*boot)).count();
        for (number, Boot { first, last, reached, .. }) in
            (1..).zip(&self.boots).filter(|(number, _)| self.is_told(number - 1))
        {
            if between > 0 && number + LAST_BOOTS == self.boots.len() + 1 {
                writeln!(f, "not told: {} between", count(between, "boot"))?;
            }
            let which =
                if self.boots.len() > 1 { format!("boot {number}, lines {first} to {last}: ") } else { String::new() };
            match reached {
                Stage::Nowhere => writeln!(f, "{which}no step of a boot is told")?,
                reached => writeln!(f, "{which}came as far as: {reached}")?,
            }
        }
        match (self.is_blind(), self.is_wrong()) {
            (true, _) => writeln!(f, "{}", self.blindness()),
            (false, false) => writeln!(f, "nothing known is wrong"),
            (false, true) => Ok(()),
        }
    }

    /// Returns why nothing can be said, where no boot is seen.
    pub(crate) const fn blindness(&self) -> &'static str {
        match self.is_binary {
            true => "this is no text: no boot is seen in it, so nothing can be said",
            false => "no boot is seen in it, so nothing can be said",
        }
    }

    fn is_told(&self, boot: usize) -> bool {
        boot == 0 || boot + LAST_BOOTS >= self.boots.len()
    }

    fn found(&self, f: &mut fmt::Formatter<'_>, found: &Found) -> fmt::Result {
        let issue = found.issue;
        writeln!(f, "{}[{}]: {}", issue.kind.as_str(), issue.id, found.headline())?;
        writeln!(f, "  {}{}", self.place(found), order(found, self))?;
        for (index, line) in found.said.iter().enumerate() {
            let mark = if index + 1 == found.said.len() { '>' } else { '|' };
            writeln!(f, "  {mark} {line}")?;
        }
        // Told in full where it began; what follows from it is not the place to fix.
        if found.after.is_some() && issue.symptom {
            return Ok(());
        }
        if issue.kind == Kind::Harmless {
            return paragraph(f, "  fix", &issue.fix);
        }
        paragraph(f, "  why", &issue.why)?;
        paragraph(f, "  fix", &issue.fix)?;
        let sources: Vec<_> = issue.sources.iter().map(|(name, _)| name.as_str()).collect();
        let unseen = if issue.seen { "" } else { " (not yet seen in a real log)" };
        paragraph(f, "  by", &format!("{}{unseen}", sources.join("; ")))
    }

    fn place(&self, found: &Found) -> String {
        let boot = if self.boots.len() > 1 { format!("boot {}, ", found.boot + 1) } else { String::new() };
        let time = found
            .at
            .map(|at| format!(", {}.{} s after the kernel began", at / 1000, at % 1000 / 100))
            .unwrap_or_default();
        let times = if found.times > 1 { format!(", said {} times", found.times) } else { String::new() };
        format!("{boot}line {}{time}{times}", found.line)
    }
}

/// Says whether it is the first failure, or comes after one.
fn order(found: &Found, all: &Diagnosis) -> String {
    let later =
        all.findings.iter().any(|other| other.boot == found.boot && other.after == Some(found.issue.id.as_str()));
    match found.after {
        Some(first) if found.issue.symptom => format!("; it follows from {first}"),
        Some(first) => format!("; after {first}, from which it may follow"),
        None if later && found.issue.kind.is_wrong() => {
            "; the first failure: what comes after may follow from it".to_owned()
        }
        None => String::new(),
    }
}

fn paragraph(f: &mut fmt::Formatter<'_>, label: &str, text: &str) -> fmt::Result {
    let indent = label.trim_start_matches('\n').len() + 2;
    let lines = wrapped(text, WIDTH - indent);
    writeln!(f, "{label}: {}", lines.join(&format!("\n{:indent$}", "")))
}

impl Kind {
    /// Returns the kinds in the order in which a summary counts them.
    pub(crate) const fn all() -> [Self; 4] {
        [Self::Failure, Self::Waiting, Self::Warning, Self::Harmless]
    }
}
