//! `[[provision.run]]` and `[[provision.timer]]`: scripts that run once, or ever again. Values only; touches nothing.

use super::Content;
use crate::base::Name;

/// One `[[provision.run]]`: a script that runs once, at the first boot, in the order written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub name: Name,
    pub content: Content,
    /// Whether it needs the network.
    pub network: bool,
}

/// One `[[provision.timer]]`: a script that runs by the calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Timer {
    pub name: Name,
    /// When, in the form of systemd.time(7), "Calendar Events".
    pub on_calendar: String,
    pub content: Content,
}

/// Tells whether a text holds only what a calendar event of systemd can; whether it means one is systemd's to judge.
pub(super) fn is_calendar(text: &str) -> bool {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | ':' | '*' | '/' | ',' | '.' | '~' | '-' | '_' | '+');
    let shorthand =
        ["minutely", "hourly", "daily", "weekly", "monthly", "quarterly", "semiannually", "yearly", "annually"];
    let first = text.split(' ').next().unwrap_or_default().to_ascii_lowercase();
    let dated = text.chars().any(|c| matches!(c, ':' | '-' | '*'));
    let day = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].iter().any(|day| first.starts_with(day));
    // Weekday, date, time, zone; more is the form of crontab(5).
    let parts = text.split(' ').count() <= 4;
    let known = dated || day || shorthand.contains(&first.as_str());
    text.len() <= 200 && text.trim() == text && text.chars().all(plain) && parts && known
}

/// Tells whether a text is what zypper takes for a package: a name, or `pattern:NAME`, maybe with `=VERSION`. None begins
/// with `-`, so none is ever an option, and none holds a `/` or ends in `.rpm`, so none is ever a file.
pub(super) fn is_package(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '~' | '^' | '-');
    let rest = ["pattern:", "package:", "product:"].iter().find_map(|kind| text.strip_prefix(kind)).unwrap_or(text);
    let (name, version) = rest.split_once('=').map_or((rest, None), |(name, version)| (name, Some(version)));
    let part = |part: &str| part.starts_with(|c: char| c.is_ascii_alphanumeric()) && part.chars().all(plain);
    text.len() <= 200 && part(name) && version.is_none_or(part) && !text.to_ascii_lowercase().ends_with(".rpm")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_1_names_of_packages_are_never_options_or_files() {
        for good in ["htop", "nfs-kernel-server", "gtk+", "libstdc++6", "pattern:microos_base", "vim=9.1-1.1", "389-ds"]
        {
            assert!(is_package(good), "{good}");
        }
        for bad in [
            "",
            "-y",
            "--root=/x",
            "a b",
            "a;b",
            "a/b",
            "./a",
            "a.rpm",
            "https://h/a",
            "a=",
            "=a",
            "a=-b",
            "pattern:",
            "other:a",
            "a*",
            "$(x)",
            "a\n",
        ] {
            assert!(!is_package(bad), "{bad}");
        }
    }

    #[test]
    fn calendars_are_told_from_other_text() {
        for good in
            ["daily", "Mon *-*-* 03:00:00", "*-*-01 04:00", "Mon..Fri 09:00", "hourly", "*:0/15", "03:30", "Sun"]
        {
            assert!(is_calendar(good), "{good}");
        }
        for bad in ["", "dialy", " daily", "5 minutes", "daily\n[Service]", "%i:00", "0 3 * * *", "15min"] {
            assert!(!is_calendar(bad), "{bad}");
        }
    }
}
