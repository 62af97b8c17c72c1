//! The known issues of a first boot and the steps of a boot: `known_issues.toml`, which is a part of the program. Touches nothing.
//! Read next: the head of that file, which says what its keys mean.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde::Deserialize;

use super::stage::Stage;

/// How bad an issue is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// The machine is not as it was asked for.
    #[default]
    Failure,
    /// It waits for a person, and would wait for ever.
    Waiting,
    /// It works, but hardly as meant.
    Warning,
    /// It looks bad and is not.
    Harmless,
}

impl Kind {
    /// Returns the word.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Waiting => "waiting",
            Self::Warning => "warning",
            Self::Harmless => "harmless",
        }
    }

    /// Returns whether something must be done.
    pub(crate) const fn is_wrong(self) -> bool {
        matches!(self, Self::Failure | Self::Waiting)
    }
}

/// One thing that is known to happen; the keys of an `[[issue]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KnownIssue {
    pub id: String,
    #[serde(default)]
    pub kind: Kind,
    #[serde(default = "yes")]
    pub seen: bool,
    #[serde(default)]
    pub symptom: bool,
    #[serde(default)]
    pub rest: bool,
    #[serde(default)]
    pub yields: Vec<String>,
    #[serde(default)]
    pub context: usize,
    pub headline: String,
    pub patterns: Patterns,
    #[serde(default)]
    pub except: Patterns,
    #[serde(default)]
    pub needs: Patterns,
    #[serde(default)]
    pub unless: Patterns,
    #[serde(default)]
    pub until: Patterns,
    pub why: String,
    pub fix: String,
    pub sources: Vec<(String, String)>,
}

const fn yes() -> bool {
    true
}

impl KnownIssue {
    /// Returns what a line captures, if it is one that shows the issue.
    pub(super) fn find<'t>(&self, line: &'t str) -> Option<Vec<(&str, &'t str)>> {
        let (pattern, captures) =
            self.patterns.compiled.iter().find_map(|pattern| Some((pattern, pattern.captures(line)?)))?;
        (!self.except.is_in(line)).then(|| named(pattern, &captures))
    }
}

fn named<'p, 't>(pattern: &'p Regex, captures: &Captures<'t>) -> Vec<(&'p str, &'t str)> {
    let names = pattern.capture_names().flatten();
    names.filter_map(|name| Some((name, captures.name(name)?.as_str().trim()))).collect()
}

/// One step of a boot; the keys of a `[[stage]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StageRow {
    pub name: Stage,
    #[serde(default)]
    pub patterns: Patterns,
    pub advice: String,
}

/// A list of regular expressions, each `@name` replaced by the list of that name.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Patterns {
    texts: Vec<String>,
    #[serde(skip)]
    compiled: Vec<Regex>,
}

impl Patterns {
    pub(super) const fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Returns whether one of them is in a line.
    pub(super) fn is_in(&self, line: &str) -> bool {
        self.compiled.iter().any(|pattern| pattern.is_match(line))
    }

    /// Returns what was compiled, as text.
    #[cfg(test)]
    pub(super) fn expressions(&self) -> impl Iterator<Item = &str> {
        self.compiled.iter().map(Regex::as_str)
    }

    fn compile(&mut self, lists: &BTreeMap<String, Vec<String>>) -> Result<(), String> {
        for text in &self.texts {
            let list = match text.strip_prefix('@') {
                Some(name) => lists.get(name).ok_or_else(|| format!("there is no list `{name}`"))?.as_slice(),
                None => std::slice::from_ref(text),
            };
            for text in list {
                self.compiled.push(Regex::new(text).map_err(|error| error.to_string())?);
            }
        }
        Ok(())
    }
}

/// All that is known.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Knowledge {
    lists: BTreeMap<String, Vec<String>>,
    /// What a kernel or a firmware that begins anew prints.
    pub(super) begins: Patterns,
    #[serde(default)]
    pub(super) initrd_begins: Patterns,
    #[serde(default)]
    pub(super) ends: Patterns,
    #[serde(default)]
    pub(super) initrd: Patterns,
    #[serde(default)]
    shell: Patterns,
    /// In the order of a boot.
    #[serde(rename = "stage")]
    pub(super) stages: Vec<StageRow>,
    /// In the order in which a machine comes up.
    #[serde(rename = "issue")]
    pub issues: Vec<KnownIssue>,
}

impl Knowledge {
    fn read(text: &str) -> Result<Self, String> {
        let mut read: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        let Self { lists, begins, initrd_begins, ends, initrd, shell, stages, issues } = &mut read;
        for patterns in [begins, initrd_begins, ends, initrd, shell] {
            patterns.compile(lists)?;
        }
        for stage in stages {
            stage.patterns.compile(lists)?;
        }
        for issue in issues {
            for patterns in
                [&mut issue.patterns, &mut issue.except, &mut issue.needs, &mut issue.unless, &mut issue.until]
            {
                patterns.compile(lists).map_err(|error| format!("{}: {error}", issue.id))?;
            }
        }
        Ok(read)
    }

    /// Returns the step that a line belongs to, if it comes after `before`.
    pub(super) fn stage_after(&self, before: Stage, line: &str) -> Option<Stage> {
        let mut later = self.stages.iter().rev().take_while(|stage| stage.name > before);
        later.find(|stage| stage.patterns.is_in(line)).map(|stage| stage.name)
    }

    /// Returns whether a line tells of an emergency shell.
    pub(crate) fn is_emergency(&self, line: &str) -> bool {
        self.shell.is_in(line)
    }

    /// Returns what to look at where a boot ended at a step and nothing known is found.
    pub(super) fn advice(&self, stage: Stage) -> &str {
        self.stages.iter().find(|row| row.name == stage).map_or("", |row| &row.advice)
    }
}

/// What is known, read once.
#[expect(clippy::expect_used, reason = "the file is a part of the program, and a test reads it")]
pub(crate) static KNOWN: LazyLock<Knowledge> =
    LazyLock::new(|| Knowledge::read(include_str!("known_issues.toml")).expect("known_issues.toml"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_issue_says_all_of_it_and_shows_only_what_each_pattern_captures() {
        let mut ids = std::collections::BTreeSet::new();
        for issue in &KNOWN.issues {
            let id = issue.id.as_str();
            assert!(ids.insert(id), "{id} twice");
            assert!(
                id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') && !id.is_empty(),
                "{id}"
            );
            assert!(!issue.patterns.is_empty() && !issue.sources.is_empty(), "{id}");
            let is_one = |begin: &String| KNOWN.issues.iter().any(|issue| issue.id.starts_with(begin));
            assert!(issue.yields.iter().all(is_one), "{id}: {:?}", issue.yields);
            for line in [&issue.headline, &issue.fix] {
                assert!(
                    !line.is_empty() && !line.ends_with('.') && line.len() <= 200 && !line.contains("  "),
                    "{id}: {line}"
                );
            }
            assert!(
                issue.why.ends_with('.') && issue.why.len() > 60 && !issue.why.contains("  "),
                "{id}: {}",
                issue.why
            );
            for (name, address) in &issue.sources {
                assert!(!name.is_empty() && crate::base::Url::parse(address).is_ok(), "{id}: {address}");
            }
            for pattern in &issue.patterns.compiled {
                for (name, _) in issue.headline.split('{').skip(1).filter_map(|rest| rest.split_once('}')) {
                    assert!(
                        pattern.capture_names().flatten().any(|known| known == name),
                        "{id}: `{pattern}` does not capture {name}"
                    );
                }
            }
        }
        assert!(ids.len() >= 50, "{}", ids.len());
    }

    #[test]
    fn every_stage_is_there_in_order_and_what_is_wrong_with_the_file_is_said() {
        assert!(KNOWN.stages.is_sorted_by(|one, next| one.name < next.name));
        assert_eq!(KNOWN.stages.len(), Stage::WORDS.len());
        for (text, why) in [
            (
                "lists = {}\nbegins = []\nissue = []\n[[stage]]\nname = \"kernel\"\nadvice = \"a\"\npatterns = ['@x']",
                "no list `x`",
            ),
            (
                "lists = {}\nbegins = []\nissue = []\n[[stage]]\nname = \"kernel\"\nadvice = \"a\"\npatterns = ['(']",
                "unclosed group",
            ),
            (
                "lists = {}\nbegins = []\nissue = []\n[[stage]]\nname = \"kernel\"\nadvise = \"a\"",
                "unknown field `advise`",
            ),
        ] {
            let error = Knowledge::read(text).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn captures_are_named_and_trimmed_in_the_order_of_their_pattern() {
        let pattern = Regex::new(r"error at line (?<line>.*?) col (?<column>.*?): (?<error>.*)").unwrap();
        let captures = pattern.captures("x error at line 3 col  23: a: b ").unwrap();
        assert_eq!(named(&pattern, &captures), [("line", "3"), ("column", "23"), ("error", "a: b")]);
    }
}
