//! Text of systemd units as Ignition takes it; touches nothing.
//!
//! Ignition parses the text of every unit and drop-in before it does anything, and a text its parser cannot read fails the
//! boot (config/v3_*/types/unit.go, `validateUnitContent`). That parser, coreos/go-systemd's `unit/deserialize.go`, is
//! stricter than systemd.syntax(7): it knows no comment inside a continued line and no option without `=`.

/// Lines of this length and more, line end excluded, are refused by that parser wherever its buffer happens to show them.
pub(crate) const LINE_LIMIT: usize = 2048;

/// Finds the first mistake: its line, from 1, and what it is.
pub(crate) fn fault(text: &str) -> Option<(usize, &'static str)> {
    let (mut rest, mut in_section) = (text, false);
    loop {
        // Before the first section anything goes.
        rest = if in_section { rest.trim_start() } else { rest.trim_start_matches(|c| !matches!(c, '[' | '#' | ';')) };
        let after = match rest.chars().next()? {
            '[' => section(rest),
            '#' | ';' => Ok(continued(rest, |line| line.strip_suffix(' ').unwrap_or(line).ends_with('\\'))),
            _ => option(rest),
        };
        match after {
            Ok(after) => (in_section, rest) = (in_section || rest.starts_with('['), after),
            Err(what) => return Some((text[..text.len() - rest.len()].matches('\n').count() + 1, what)),
        }
    }
}

fn section(text: &str) -> Result<&str, &'static str> {
    let (_, after) = text.split_once(']').ok_or("a section name has no `]`")?;
    let (behind, after) = line(after);
    if behind.trim().is_empty() { Ok(after) } else { Err("something follows a section name") }
}

fn option(text: &str) -> Result<&str, &'static str> {
    let end = text.find(['=', '\n', '\r']).filter(|end| text[*end..].starts_with('='));
    let end =
        end.ok_or("an option has no `=`; or a comment or an empty line stands inside a continued line before it")?;
    Ok(continued(&text[end + 1..], |line| !line.trim().is_empty() && line.ends_with('\\')))
}

/// Returns what follows a line and those that continue it.
fn continued(mut text: &str, goes_on: impl Fn(&str) -> bool) -> &str {
    loop {
        let (first, after) = line(text);
        text = after;
        if !goes_on(first) || text.is_empty() {
            return text;
        }
    }
}

fn line(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `tests/oracle/formats.rs` puts such texts to ignition-validate as well.
    #[test]
    fn out_12_a_unit_that_ignition_cannot_read_is_found_with_its_line() {
        for good in [
            "",
            "no section",
            "A=b\n",
            "[A]\n\n# c\n; d\n  B = c\n[D]\r\nE=f\r\n",
            "[A]\nB=c \\\n  d\nE=\n",
            "[A]\nB=c\\\n\n[D]",
            "# c \\ \nno option\n[A]\nB=c",
            "[A]\nB=c\\",
            "\u{feff}[A]\nB=c",
        ] {
            assert_eq!(fault(good), None, "{good:?}");
        }
        for (bad, at) in [
            ("[A", 1),
            ("[A] x\nB=c\n", 1),
            ("[A]\nB\n", 2),
            ("[A]\nB=c\nD", 3),
            ("[A]\nB=c \\\n# d\n  e\n", 4),
            ("[A]\r\nB=c\\\r\nd\r\n", 3),
        ] {
            assert_eq!(fault(bad).map(|(line, _)| line), Some(at), "{bad:?}");
        }
    }
}
