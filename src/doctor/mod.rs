//! What a serial log tells: the known failures of a first boot, by time, the cause before its consequences, with the fix.
//!
//! What is known is data ([`known`]), the log is hostile ([`log`]). Values in, values out; touches nothing. Read next:
//! `known_issues.toml`, then [`log`].

pub(crate) mod known;
pub(crate) mod log;
mod secret;
pub(crate) mod stage;
mod tell;

use std::collections::BTreeMap;

use known::Patterns;
pub(crate) use known::{KNOWN, Kind, KnownIssue};
pub(crate) use log::{Line, Log};
use stage::Stage;

use crate::base::text::one_line;

/// How many findings of one issue in one boot are shown; the others are counted.
const ALIKE: usize = 4;
/// The longest line that is shown: so much of its beginning and of its end, where Ignition quotes what a program said.
const SHOWN: (usize, usize) = (160, 260);

/// What a log tells.
#[derive(Debug)]
pub(crate) struct Diagnosis {
    /// By time.
    pub findings: Vec<Found>,
    /// Every boot in it, in order; none where not one step of a boot is told, and nothing known either.
    pub boots: Vec<Boot>,
    /// How many lines were read.
    pub lines: usize,
    /// Bytes of its middle that were not.
    pub skipped: u64,
    /// Whether it is no text, and was not looked through.
    pub is_binary: bool,
}

/// One boot of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Boot {
    /// Its first and its last line.
    pub first: usize,
    pub last: usize,
    /// How far it came.
    pub reached: Stage,
    /// What the lines before `first` are in the log's list of lines.
    #[serde(skip)]
    begin: usize,
}

/// A known issue that was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub issue: &'static KnownIssue,
    /// Which boot, from 0.
    pub boot: usize,
    pub line: usize,
    /// Milliseconds since the kernel began.
    pub at: Option<u64>,
    /// What differs from machine to machine.
    pub facts: Vec<(&'static str, String)>,
    /// The lines that say it, the one that matched last; nothing in them is secret or unsafe to show.
    pub said: Vec<String>,
    /// How often it is said.
    pub times: usize,
    /// Where it is what an earlier failure of the same boot leads to, or may be: that one's id.
    pub after: Option<&'static str>,
}

impl Diagnosis {
    /// Returns whether something must be done.
    pub(crate) fn is_wrong(&self) -> bool {
        self.findings.iter().any(|found| found.issue.kind.is_wrong())
    }

    /// Returns whether no boot is seen in it, so that nothing can be said.
    pub(crate) const fn is_blind(&self) -> bool {
        self.boots.is_empty()
    }

    /// Counts findings of a kind.
    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.findings.iter().filter(|found| found.issue.kind == kind).count()
    }
}

impl Found {
    /// Returns the headline, with what was captured in its place.
    pub(crate) fn headline(&self) -> String {
        let mut headline = self.issue.headline.clone();
        for (name, value) in &self.facts {
            headline = headline.replace(&format!("{{{name}}}"), value);
        }
        headline
    }
}

/// Looks through a log.
pub(crate) fn diagnose(log: &Log) -> Diagnosis {
    let mut boots = if log.is_binary { vec![] } else { boots(&log.lines) };
    let mut findings = vec![];
    for (number, boot) in boots.iter().enumerate() {
        let end = boots.get(number + 1).map_or(log.lines.len(), |next| next.begin);
        let lines = &log.lines[boot.begin..end];
        let mut found: Vec<_> = KNOWN.issues.iter().flat_map(|issue| issue.look(lines, number)).collect();
        found.sort_by_key(|found| (found.line, rank(found.issue)));
        lead(&mut found);
        findings.extend(found);
    }
    // Any text makes a boot to look for issues in; one that tells of nothing at all is none.
    if findings.is_empty() && boots.iter().all(|boot| boot.reached == Stage::Nowhere) {
        boots.clear();
    }
    let lines = log.lines.last().map_or(0, |line| line.number);
    Diagnosis { findings, boots, lines, skipped: log.skipped, is_binary: log.is_binary }
}

/// Of two in one line, the cause comes first.
fn rank(issue: &KnownIssue) -> bool {
    issue.symptom
}

/// Says of each failure which one came first; nothing follows from what is harmless.
fn lead(found: &mut [Found]) {
    let first =
        found.iter().find(|found| found.issue.kind.is_wrong()).map(|found| (found.issue.id.as_str(), found.line));
    let Some((first, _)) = first else { return };
    let mut is_past = false;
    for one in found {
        if is_past && (one.issue.kind.is_wrong()) {
            one.after = Some(first);
        }
        is_past |= one.issue.kind.is_wrong();
    }
}

impl KnownIssue {
    /// Looks for the issue in the lines of one boot; what is said several times with the same facts is one.
    fn look(&'static self, lines: &[Line], boot: usize) -> Vec<Found> {
        let mut signs =
            lines.iter().enumerate().filter_map(|(index, line)| Some((index, self.find(&line.text)?))).peekable();
        if signs.peek().is_none() || !self.applies(lines) {
            return vec![];
        }
        let mut found: Vec<Found> = vec![];
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        let mut last = 0;
        for (index, captures) in signs {
            last = index;
            let facts = facts(&captures);
            let key = format!("{facts:?}");
            match known.get(&key) {
                Some(at) => found[*at].times += 1,
                None if found.len() == ALIKE => found[ALIKE - 1].times += 1,
                None => {
                    known.insert(key, found.len());
                    found.push(self.found(lines, index, boot, facts));
                }
            }
        }
        let is_over = lines[last..].iter().skip(1).any(|line| self.until.is_in(&line.text));
        if is_over { vec![] } else { found }
    }

    /// Returns whether the boot has what must be there and nothing that must not.
    fn applies(&self, lines: &[Line]) -> bool {
        let is_there = |patterns: &Patterns| lines.iter().any(|line| patterns.is_in(&line.text));
        (self.needs.is_empty() || is_there(&self.needs)) && !is_there(&self.unless)
    }

    fn found(&'static self, lines: &[Line], index: usize, boot: usize, facts: Vec<(&'static str, String)>) -> Found {
        let sign = &lines[index];
        let mut said = before(&lines[..index], sign, self.context);
        said.push(shown(&sign.text));
        let at = sign.at;
        Found { issue: self, boot, line: sign.number, at, facts, said, times: 1, after: None }
    }
}

fn facts(captures: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    captures.iter().map(|(name, value)| (*name, one_line(&secret::hushed(value), 120))).collect()
}

fn shown(text: &str) -> String {
    let line = one_line(secret::hushed(text).trim(), usize::MAX);
    let (length, (head, tail)) = (line.chars().count(), SHOWN);
    if length <= head + tail + 3 {
        return line;
    }
    line.chars().take(head).chain(" … ".chars()).chain(line.chars().skip(length - tail)).collect()
}

/// Returns what was said before a sign: by who said that, or where systemd tells of it, by who spoke last.
fn before(lines: &[Line], sign: &Line, count: usize) -> Vec<String> {
    // What was said long before has nothing to do with it.
    let near = || lines.iter().rev().take(8 * count);
    let is_program = |speaker: &&str| !speaker.starts_with("systemd");
    let speaker = |line: &Line| line.speaker.as_deref().filter(is_program).map(str::to_owned);
    let speaker = speaker(sign).or_else(|| near().find_map(speaker));
    let is_meant = |line: &&Line| match &speaker {
        Some(_) => line.speaker == speaker,
        None => !is_status(line),
    };
    let mut said: Vec<_> = near().filter(is_meant).take(count).map(|line| shown(&line.text)).collect();
    said.reverse();
    said
}

/// Returns whether a line is one of systemd's on the console.
fn is_status(line: &Line) -> bool {
    let begins = ["[", "         ", "See 'systemctl "];
    line.speaker.is_some() || begins.iter().any(|begin| line.text.starts_with(begin))
}

/// Parts a log into boots: where a kernel or a firmware begins anew, or the kernel's clock goes back.
fn boots(lines: &[Line]) -> Vec<Boot> {
    let mut boots: Vec<Boot> = vec![];
    let mut clock = 0;
    for (index, line) in lines.iter().enumerate() {
        let reached = boots.last().map_or(Stage::Nowhere, |boot| boot.reached);
        let is_back = line.at.is_some_and(|at| at + 3000 < clock && at < 30_000);
        let is_begun = reached >= Stage::Kernel && clock > 0 && KNOWN.begins.is_in(&line.text);
        if boots.is_empty() || is_back || is_begun {
            boots.push(Boot { first: line.number, last: line.number, reached: Stage::Nowhere, begin: index });
            clock = 0;
        }
        clock = clock.max(line.at.unwrap_or(0));
        if let Some(boot) = boots.last_mut() {
            boot.last = line.number;
            let least = if line.at.is_some() { boot.reached.max(Stage::Kernel) } else { boot.reached };
            boot.reached = KNOWN.stage_after(least, &line.text).unwrap_or(least);
        }
    }
    boots
}

#[cfg(test)]
mod tests;
