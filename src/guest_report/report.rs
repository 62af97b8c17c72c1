//! Reads what a guest reports: the last whole report of a stream, bounded. Touches nothing.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{BEGIN, END};

/// How much of a stream is looked at, from its end: a report of everything that a recipe can say takes a tenth of it.
pub(crate) const LIMIT: usize = 4 << 20;

/// The most lines of one report.
const LINES: usize = 20_000;

/// How far a stream has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReportState {
    /// No report, or only a part of one.
    Nothing,
    /// A whole report, after which the guest restarts by itself and reports again.
    Pending,
    /// A whole report, the last unless somebody restarts the guest.
    Final,
}

/// Returns how far a stream of reports has come; the last whole one counts.
pub(crate) fn heard(stream: &[u8]) -> ReportState {
    match last(&text(stream)).map(GuestReport::read) {
        None => ReportState::Nothing,
        Some(told) if told.is_final() => ReportState::Final,
        Some(_) => ReportState::Pending,
    }
}

/// Makes text of the end of a stream.
pub(crate) fn text(stream: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(&stream[stream.len().saturating_sub(LIMIT)..])
}

/// Finds the last whole report, without its first and last line.
pub(crate) fn last(text: &str) -> Option<&str> {
    let (end, _) = text.rmatch_indices(END).find(|(at, _)| is_line(text, *at, END))?;
    let before = &text[..end];
    let (begin, _) = before.rmatch_indices(BEGIN).find(|(at, _)| is_line(before, *at, BEGIN))?;
    Some(&before[begin + BEGIN.len()..])
}

/// Returns whether a mark is a line of its own.
fn is_line(text: &str, at: usize, mark: &str) -> bool {
    let (before, behind) = (&text[..at], &text[at + mark.len()..]);
    (before.is_empty() || before.ends_with('\n')) && (behind.is_empty() || behind.starts_with(['\n', '\r']))
}

/// Writes a text as the report does.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '\t' => escaped.push_str("\\t"),
            '\n' => escaped.push_str("\\n"),
            c if c.is_ascii_control() => escaped.push('?'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A report, nothing of it copied.
#[derive(Default)]
pub(crate) struct GuestReport<'t> {
    /// The facts of each line, by kind and subject.
    lines: BTreeMap<(&'t str, &'t str), &'t str>,
    pub failed: Vec<&'t str>,
    stage: Option<&'t str>,
    /// What is there twice: kind and subject.
    pub twice: Vec<(&'t str, &'t str)>,
    pub is_cut: bool,
}

impl<'t> GuestReport<'t> {
    /// Reads a report, without its first and last line.
    pub(crate) fn read(report: &'t str) -> Self {
        let mut told = Self::default();
        let mut lines = report.lines().filter(|line| !line.is_empty());
        for line in lines.by_ref().take(LINES) {
            told.line(line);
        }
        told.is_cut = lines.next().is_some();
        told
    }

    fn line(&mut self, line: &'t str) {
        let (kind, rest) = line.split_once('\t').unwrap_or((line, ""));
        let (subject, facts) = rest.split_once('\t').unwrap_or((rest, ""));
        let is_new = match kind {
            "failed" => {
                self.failed.push(subject);
                true
            }
            "stage" => self.stage.replace(subject).is_none(),
            _ => self.lines.insert((kind, subject), facts).is_none(),
        };
        if !is_new {
            self.twice.push((kind, subject));
        }
    }

    /// Returns whether the guest does not restart by itself any more.
    pub(crate) fn is_final(&self) -> bool {
        self.stage == Some("final")
    }

    /// Returns the stage as the guest calls it.
    pub(crate) fn stage(&self) -> &'t str {
        self.stage.unwrap_or("not told")
    }

    /// Finds a line's facts.
    pub(crate) fn facts(&self, kind: &str, subject: &str) -> Option<Facts<'t>> {
        self.lines.get(&(kind, escape(subject).as_str())).copied().map(Facts)
    }
}

/// The facts of a line.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'t>(&'t str);

impl<'t> Facts<'t> {
    /// Returns a fact by name; one that is told twice is as good as none.
    pub(crate) fn get(self, name: &str) -> Option<&'t str> {
        let mut values = self.0.split('\t').filter_map(|fact| fact.split_once('=').filter(|(key, _)| *key == name));
        let value = values.next().map(|(_, value)| value);
        if values.next().is_some() { None } else { value }
    }
}
