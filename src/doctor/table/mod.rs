//! The knowledge: what is known to go wrong between power on and login, by what a console says of it. Touches nothing.
//!
//! A new ailment is a new row, in the words of the others, and a log in `tests/fixtures/doctor/ID.log`, which a test demands. A
//! row says by which lines it is known (`signs`, see [`super::pattern`]), what must and must not be in the same boot, what
//! it means and what to do. Rows in Rust and not in a file that is read: the compiler checks them, and nothing can be missing
//! at run time.

mod boot;
mod combustion;
mod ignition;
mod pool;
mod system;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// The machine is not as it was asked for.
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

    /// Tells whether something must be done.
    pub(crate) const fn is_wrong(self) -> bool {
        matches!(self, Self::Failure | Self::Waiting)
    }
}

/// One thing that is known to happen.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ailment {
    /// A stable name.
    pub id: &'static str,
    pub kind: Kind,
    /// What it is, lower case, without a full stop; `{name}` stands for what a sign captured.
    pub headline: &'static str,
    /// Patterns; one of them in a line is enough.
    pub signs: &'static [&'static str],
    /// Patterns; a line with one of them is no sign.
    pub except: &'static [&'static str],
    /// Patterns; where none of them is in the same boot, there is nothing. Empty: nothing is asked.
    pub needs: &'static [&'static str],
    /// Patterns; where one of them is in the same boot, there is nothing.
    pub unless: &'static [&'static str],
    /// Patterns; where one of them comes later in the same boot, it is over.
    pub until: &'static [&'static str],
    /// Whether it is what a failure before it leads to, when there is one.
    pub is_symptom: bool,
    /// How many lines that were said before the sign are shown with it.
    pub before: usize,
    /// A paragraph.
    pub why: &'static str,
    /// What to do, one line without a full stop.
    pub cure: &'static str,
    /// What the row rests on: name and address.
    pub sources: &'static [(&'static str, &'static str)],
}

/// What most rows leave as it is.
const PLAIN: Ailment = Ailment {
    id: "",
    kind: Kind::Failure,
    headline: "",
    signs: &[],
    except: &[],
    needs: &[],
    unless: &[],
    until: &[],
    is_symptom: false,
    before: 0,
    why: "",
    cure: "",
    sources: &[],
};

/// Lists every ailment, in the order in which a machine comes up.
pub(crate) fn all() -> impl Iterator<Item = &'static Ailment> {
    [boot::ROWS, ignition::ROWS, combustion::ROWS, system::ROWS, pool::ROWS].into_iter().flatten()
}

/// That a config reached one of the engines.
const CONFIGURED: &[&str] = &[
    "fetched user config from ",
    "Downloading config...",
    "URL provided, downloading config later",
    "transactional-update {} started",
    "New default snapshot is #",
    "Command failed, rolling back",
];

/// That neither engine found one.
const UNCONFIGURED: &[&str] = &[
    "not a config (empty): provider config was empty",
    "^No config source found$",
    "config provider was not online",
    "is not a valid platform",
];

/// That the boot ended in a shell.
const EMERGENCY: &[&str] = &[
    "Entering emergency mode.",
    "You are in emergency mode.",
    "Cannot open access to console, the root account is locked",
];

/// That somebody may log in.
pub(super) const LOGIN: &[&str] = &[" login:$"];

const IGNITION: &str = "https://github.com/coreos/ignition";
const COMBUSTION: (&str, &str) = ("openSUSE/combustion: combustion", "https://github.com/openSUSE/combustion");
const SYSTEMD: (&str, &str) = ("systemd: src/core/job.c", "https://github.com/systemd/systemd");
const PACKAGE: (&str, &str) =
    ("openSUSE: package ignition", "https://build.opensuse.org/package/show/openSUSE:Factory/ignition");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::pattern::Pattern;

    #[test]
    fn every_row_says_all_of_it_and_shows_only_what_each_sign_captures() {
        let mut ids = std::collections::BTreeSet::new();
        for row in all() {
            let id = row.id;
            assert!(ids.insert(id), "{id} twice");
            assert!(
                id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') && !id.is_empty(),
                "{id}"
            );
            assert!(!row.signs.is_empty() && !row.sources.is_empty(), "{id}");
            for line in [row.headline, row.cure] {
                assert!(
                    !line.is_empty() && !line.ends_with('.') && line.len() <= 200 && !line.contains("  "),
                    "{id}: {line}"
                );
            }
            assert!(row.why.ends_with('.') && row.why.len() > 60 && !row.why.contains("  "), "{id}: {}", row.why);
            for (name, address) in row.sources {
                assert!(!name.is_empty() && crate::base::Url::parse(address).is_ok(), "{id}: {address}");
            }
            for sign in row.signs {
                let pattern = Pattern::new(sign);
                for name in row.headline.split('{').skip(1).filter_map(|rest| rest.split_once('}')) {
                    assert!(pattern.names().any(|known| known == name.0), "{id}: `{sign}` does not capture {}", name.0);
                }
            }
        }
        assert!(ids.len() >= 50, "{}", ids.len());
    }
}
