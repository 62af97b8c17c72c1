//! What a serial log tells: the known failures of a first boot, by time, the cause before its consequences, with the fix.
//!
//! What is known is data ([`known`]), the log is hostile ([`log`]). Values in, values out; touches nothing. Read next:
//! `known_issues.toml`, then [`log`].

pub(crate) mod known;
pub(crate) mod log;
mod secret;
pub(crate) mod stage;
mod tell;

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
        let wrong: Vec<&KnownIssue> = found.iter().map(|found| found.issue).filter(|one| one.kind.is_wrong()).collect();
        found.retain(|found| !wrong.iter().any(|other| found.issue.yields_to(other)));
        lead(&mut found);
        findings.extend(found);
    }
    // Any text makes a boot to look for issues in; one that tells of nothing at all is none, unless it is a journal's.
    let is_journal = log.lines.iter().any(|line| line.speaker.is_some());
    if findings.is_empty() && !is_journal && boots.iter().all(|boot| boot.reached == Stage::Nowhere) {
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
        let signs = lines.iter().enumerate().filter_map(|(index, line)| Some((index, self.find(&line.text)?)));
        let mut signs = signs.filter(|(index, _)| !self.is_known_better(&lines[*index].text)).peekable();
        if signs.peek().is_none() || !self.applies(lines) {
            return vec![];
        }
        // Each with the index of its last line.
        let mut found: Vec<(Found, usize)> = vec![];
        for (index, captures) in signs {
            let facts = facts(&captures);
            let known = found.iter_mut().rposition(|(one, _)| is_same(&one.facts, &facts));
            match known.or_else(|| (found.len() == ALIKE).then_some(ALIKE - 1)) {
                Some(at) => {
                    found[at].0.times += 1;
                    found[at].1 = index;
                }
                None => found.push((self.found(lines, index, boot, facts), index)),
            }
        }
        let is_over = |last: usize| lines[last..].iter().skip(1).any(|line| self.until.is_in(&line.text));
        found.into_iter().filter(|(_, last)| self.until.is_empty() || !is_over(*last)).map(|(found, _)| found).collect()
    }

    /// Returns whether a line counts for other issues only.
    fn is_known_better(&self, line: &str) -> bool {
        self.rest && KNOWN.issues.iter().any(|other| !other.rest && other.find(line).is_some())
    }

    /// Returns whether another one says more of the same.
    fn yields_to(&self, other: &Self) -> bool {
        self.id != other.id && self.yields.iter().any(|begin| other.id.starts_with(begin))
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

/// Returns whether two findings are of the same thing: systemd shortens what does not fit into a line of the console.
fn is_same(one: &[(&'static str, String)], other: &[(&'static str, String)]) -> bool {
    let is_same = |(one, other): (&(_, String), &(_, String))| {
        let begins = |short: &str, long: &str| short.split_once('…').is_some_and(|(head, _)| long.starts_with(head));
        one.1 == other.1 || begins(&one.1, &other.1) || begins(&other.1, &one.1)
    };
    one.len() == other.len() && one.iter().zip(other).all(is_same)
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

/// Parts a log into boots: where a kernel, an initrd or a firmware begins anew, the kernel's clock goes back, or the last
/// thing is said.
fn boots(lines: &[Line]) -> Vec<Boot> {
    let mut boots: Vec<Boot> = vec![];
    let (mut clock, mut is_ended, mut is_initrd, mut welcome) = (0, false, false, None);
    for (index, line) in lines.iter().enumerate() {
        let reached = boots.last().map_or(Stage::Nowhere, |boot| boot.reached);
        let is_back = line.at.is_some_and(|at| at + 3000 < clock && at < 30_000);
        let is_begun = reached >= Stage::Kernel && clock > 0 && KNOWN.begins.is_in(&line.text)
            || welcome.is_some_and(|at| at + 1 < index) && KNOWN.initrd_begins.is_in(&line.text);
        // The old kernel may say more than one thing at its end.
        let is_after = is_ended && line.at.is_none_or(|at| at < clock) && !line.text.contains("reboot: ");
        if boots.is_empty() || is_back || is_begun || is_after {
            boots.push(Boot { first: line.number, last: line.number, reached: Stage::Nowhere, begin: index });
            (clock, is_ended, is_initrd, welcome) = (0, false, false, None);
        }
        clock = clock.max(line.at.unwrap_or(0));
        is_ended |= KNOWN.ends.is_in(&line.text);
        is_initrd |= KNOWN.initrd.is_in(&line.text);
        // Console and journal may both say it.
        welcome = if KNOWN.initrd_begins.is_in(&line.text) { Some(index) } else { welcome };
        if let Some(boot) = boots.last_mut() {
            boot.last = line.number;
            let least = if line.at.is_some() { boot.reached.max(Stage::Kernel) } else { boot.reached };
            let stage = KNOWN.stage_after(least, &line.text).unwrap_or(least);
            // An initrd reaches targets of the same names.
            let is_initrds = stage == Stage::System && is_initrd && boot.reached < Stage::SwitchRoot;
            boot.reached = if is_initrds { least } else { stage };
        }
    }
    boots
}

#[cfg(test)]
mod tests;
