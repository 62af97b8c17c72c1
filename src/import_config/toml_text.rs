//! Texts as TOML writes them (TOML 1.0, strings and arrays). Touches nothing.

use std::fmt::Write as _;

use crate::base::text::is_unsafe;
use crate::format::toml::is_refused;

/// Writes a text in one line, in quotes.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    text.chars().for_each(|c| escape(c, &mut quoted));
    quoted.push('"');
    quoted
}

fn escape(c: char, to: &mut String) {
    match c {
        '"' => to.push_str("\\\""),
        '\\' => to.push_str("\\\\"),
        '\n' => to.push_str("\\n"),
        '\t' => to.push_str("\\t"),
        c if is_unsafe(c) || is_refused(c) => {
            let _ = write!(to, "\\u{:04X}", u32::from(c));
        }
        c => to.push(c),
    }
}

/// Writes a text in one line as it is, where its quotes allow that.
pub(crate) fn literal(text: &str) -> String {
    let plain = !text.chars().any(|c| is_unsafe(c) || is_refused(c) || matches!(c, '\'' | '\n' | '\t'));
    if plain { format!("'{text}'") } else { quoted(text) }
}

/// Writes a text of several lines as such; what needs escapes only for its backslashes and quotes goes without any.
pub(crate) fn lines(text: &str) -> String {
    if !text.trim_end_matches('\n').contains('\n') {
        return quoted(text);
    }
    let plain = !text.chars().any(|c| is_unsafe(c) || is_refused(c));
    if plain && text.contains(['\\', '"']) && !text.contains("'''") && !text.ends_with('\'') {
        return format!("'''\n{text}'''");
    }
    let mut written = String::from("\"\"\"\n");
    for c in text.chars() {
        if c == '\n' { written.push(c) } else { escape(c, &mut written) }
    }
    written.push_str("\"\"\"");
    written
}

pub(crate) fn list(texts: &[String]) -> String {
    let texts: Vec<_> = texts.iter().map(|text| quoted(text)).collect();
    let short = texts.iter().map(String::len).sum::<usize>() < 100 || texts.len() == 1;
    if short { format!("[{}]", texts.join(", ")) } else { format!("[\n  {},\n]", texts.join(",\n  ")) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(value: &str) -> String {
        let table: toml::Table = format!("x = {value}\n").parse().unwrap_or_else(|error| panic!("{value}\n{error}"));
        table["x"].as_str().unwrap().to_owned()
    }

    #[test]
    fn texts_stay_readable() {
        assert_eq!(lines("one\n"), "\"one\\n\"");
        assert_eq!(lines("a\nb\n"), "\"\"\"\na\nb\n\"\"\"");
        assert_eq!(lines("a\\d\n\"b\"\n"), "'''\na\\d\n\"b\"\n'''");
        assert_eq!(lines("'''\n\"\"\"\n\\"), "\"\"\"\n'''\n\\\"\\\"\\\"\n\\\\\"\"\"");
    }

    proptest! {
        #[test]
        fn every_text_reads_back(text in "(\\PC|[\\x00-\\x1f\"'\\\\\n\u{7f}\u{85}\u{feff}\u{202e}]){0,60}") {
            prop_assert_eq!(read(&quoted(&text)), text.clone());
            prop_assert_eq!(read(&lines(&text)), text);
        }
    }
}
