//! One encoder per target language, used on every value that reaches it and on nothing else. Touches nothing.
//!
//! * [`shell`]: a word of a POSIX shell script (POSIX.1-2024, XCU 2.2; the `shlex` crate does the work).
//! * [`virt_option`]: a value inside a virt-install option such as `--disk a=…,b=…` (virtinst/cli.py,
//!   `parse_optstr_tuples`: Python's `shlex` in POSIX mode with `,` for white space).
//! * [`qemu_option`]: a value inside an option of QEMU such as `-drive a=…,b=…` (util/qemu-option.c, `get_opt_value`). In
//!   scripts such values are paths that are known only when they run, so there the shell function `comma` in
//!   `run-qemu.sh.in` does the same.
//!
//! They nest: a virt-install option is encoded for virt-install first and for the shell second. `tests/oracle/encoders.rs`
//! puts 10,000 strings through each and reads them back with the real decoders. Read next: [`mod@super::script`], which
//! alone turns words into lines.

use std::borrow::Cow;

pub(crate) use crate::base::text::shell_word as shell;
use crate::base::{Code, Diagnostic, text};

/// Refuses a value that XML, a shell word and a terminal cannot all carry.
///
/// XML 1.0 (production 2) has no way to write most control characters, not even as references; a shell word cannot
/// hold NUL; the rest would reach a terminal. Had we gone on, `quick-xml` would have written them as they are.
pub(crate) fn printable<'a>(what: &str, value: &'a str) -> Result<&'a str, Diagnostic> {
    let bad = |c: char| c.is_control() || text::is_bidi(c) || matches!(c, '\u{fffe}' | '\u{ffff}');
    if !value.chars().any(bad) {
        return Ok(value);
    }
    Err(Diagnostic::new(Code::Recipe, format!("`{what}` holds a control or direction character"))
        .fact("value", text::one_line(value, 120))
        .note("libvirt's XML has no way to write it, and a terminal would obey it"))
}

/// Encodes one value for an option of virt-install.
///
/// Doubling a comma does not protect it there: `a,,entry1.name=z` adds an entry. Only `"…"` with `\"` and `\\` does.
pub(crate) fn virt_option(value: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '+' | '@' | '-' | ':');
    if !value.is_empty() && value.chars().all(plain) {
        return Cow::Borrowed(value);
    }
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('"');
    for c in value.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    Cow::Owned(quoted)
}

/// Encodes one value for an option of QEMU: a comma ends a value there, two are one in it, and nothing else is special.
pub(crate) fn qemu_option(value: &str) -> Cow<'_, str> {
    if value.contains(',') { Cow::Owned(value.replace(',', ",,")) } else { Cow::Borrowed(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Python's `shlex(posix=True, whitespace=",", whitespace_split=True, commenters="")` does, for the tests.
    fn virt_split(text: &str) -> Vec<String> {
        let (mut words, mut word, mut quote, mut chars) = (vec![], String::new(), None, text.chars());
        while let Some(c) = chars.next() {
            match (quote, c) {
                (None, ',') => words.push(std::mem::take(&mut word)),
                (None, '"' | '\'') => quote = Some(c),
                (Some(q), c) if c == q => quote = None,
                (None, '\\') => word.extend(chars.next()),
                (Some('"'), '\\') => match chars.next() {
                    Some(c @ ('"' | '\\')) => word.push(c),
                    Some(c) => word.extend(['\\', c]),
                    None => {}
                },
                (_, c) => word.push(c),
            }
        }
        words.push(word);
        words
    }

    pub(crate) const NASTY: [&str; 21] = [
        "",
        " ",
        "a b",
        "'",
        "\"",
        "''",
        "a'b\"c",
        "$(id)",
        "`id`",
        "$HOME",
        "~",
        "~root",
        "!",
        "-rf",
        "--help",
        "\\",
        "a\\",
        "a,b=c,,d",
        "*?[x]",
        "é…日本",
        "#x;&|<>(){}",
    ];

    #[test]
    fn out_1_every_nasty_word_is_one_word_again() {
        for value in NASTY {
            assert_eq!(shlex::split(&shell(value)), Some(vec![value.to_owned()]), "{value}");
        }
    }

    #[test]
    fn out_2_every_nasty_value_is_one_value_again() {
        for value in NASTY {
            let option = format!("type=x,description={},last=1", virt_option(value));
            let wanted = ["type=x".to_owned(), format!("description={value}"), "last=1".to_owned()];
            assert_eq!(virt_split(&option), wanted, "{option}");
        }
    }

    #[test]
    fn plain_values_stay_readable() {
        assert_eq!(shell("/var/lib/x.qcow2"), "/var/lib/x.qcow2");
        assert_eq!(virt_option("opt/com.coreos/config"), "opt/com.coreos/config");
    }

    #[test]
    fn out_6_control_and_direction_characters_are_refused() {
        for bad in ["\0", "a\u{1}", "\n", "\t", "\u{7f}", "\u{85}", "\u{202e}", "\u{fffe}"] {
            let problem = printable("description", bad).unwrap_err();
            assert_eq!(problem.code, Code::Recipe);
            assert!(!problem.facts[0].1.chars().any(text::is_unsafe), "{bad:?}");
        }
        assert_eq!(printable("description", "Ä <&>\"'"), Ok("Ä <&>\"'"));
    }
}
