//! Which lines of a file are never shown, because a password, its hash, a token or provisioned content stands in them.
//!
//! The parsed tree tells most; the raw text is searched too, because a file that is not TOML must not leak either, nor a
//! hash under a misspelt key. Rather a line too many than one too few. Touches nothing.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::lines::Lines;
use crate::base::text::nearest;

/// Returns for each line whether it stays unseen.
pub(crate) fn lines(lines: &Lines<'_>, root: &DeTable<'_>) -> Vec<bool> {
    let mut hidden = by_text(lines.text());
    hidden.resize(lines.count(), false);
    by_tree(lines, root, &mut hidden);
    hidden
}

fn by_tree(lines: &Lines<'_>, table: &DeTable<'_>, hidden: &mut [bool]) {
    for (key, value) in table {
        if is_secret_key(key.get_ref()) {
            hide(lines, value, hidden);
        }
        each_table(value, &mut |table| by_tree(lines, table, hidden));
    }
}

fn each_table(value: &Spanned<DeValue<'_>>, visit: &mut impl FnMut(&DeTable<'_>)) {
    match value.get_ref() {
        DeValue::Table(table) => visit(table),
        DeValue::Array(array) => array.iter().for_each(|value| each_table(value, visit)),
        _ => {}
    }
}

fn hide(lines: &Lines<'_>, value: &Spanned<DeValue<'_>>, hidden: &mut [bool]) {
    let (first, last) = (lines.line_of(value.span().start), lines.line_of(value.span().end));
    if let Some(part) = hidden.get_mut(first as usize - 1..last as usize) {
        part.fill(true);
    }
}

/// Returns whether what stands under a key may be secret; misspelt keys count.
fn is_secret_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let word = ["pass", "pwd", "secret", "token", "hash"].iter().any(|word| key.contains(word));
    let content = matches!(key.as_str(), "text" | "content" | "contents" | "data" | "environment");
    // Their addresses may carry a password, and a mistaken one is not known as an address.
    let proxy = matches!(key.as_str(), "http" | "https");
    word || content || proxy || (key.len() <= 32 && nearest(&key, ["password", "password_hash"]).is_some())
}

/// Finds secrets line by line, without a parser: key words, crypt hashes, addresses with credentials or a query, and the
/// rest of a multi-line string that began under a secret key.
fn by_text(text: &str) -> Vec<bool> {
    let mut open: Option<&str> = None;
    let mut hidden = Vec::new();
    for line in text.split('\n') {
        let secret = line.split_once('=').is_some_and(|(key, _)| key.len() < 80 && key.split('.').any(is_secret_word));
        hidden.push(open.is_some() || secret || has_secret_value(line));
        open = match open {
            Some(mark) if line.contains(mark) => None,
            Some(mark) => Some(mark),
            None if secret => ["\"\"\"", "'''"].into_iter().find(|mark| line.matches(mark).count() == 1),
            None => None,
        };
    }
    hidden
}

fn is_secret_word(part: &str) -> bool {
    let word = part.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '{'));
    word == "proxy" || is_secret_key(word)
}

fn has_secret_value(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    let address = lower.split("://").skip(1).any(|rest| {
        let rest = rest.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '#')).next().unwrap_or_default();
        rest.contains('?') || rest.split('/').next().is_some_and(|host| host.contains('@'))
    });
    address || lower.contains("password") || has_crypt_hash(line)
}

/// Finds `$id$`, the beginning of a hash in crypt form (crypt(5)).
fn has_crypt_hash(line: &str) -> bool {
    let parts: Vec<&str> = line.split('$').collect();
    let id = |part: &&str| (1..=10).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric());
    parts.len() > 2 && parts.iter().skip(1).take(parts.len() - 2).any(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(text: &str) -> Vec<u32> {
        let (root, _) = DeTable::parse_recoverable(text);
        let lines = Lines::new(text, "f", &root);
        (1u32..).zip(super::lines(&lines, root.get_ref())).filter(|(_, hidden)| *hidden).map(|(line, _)| line).collect()
    }

    #[test]
    fn sec_4_lines_with_secrets_are_hidden() {
        let cases: [(&str, &str, &[u32]); 15] = [
            ("plain", "name = \"x\"", &[]),
            ("hash", "a = 1\npassword_hash = \"x\"", &[2]),
            ("misspelt", "pasword = \"x\"", &[1]),
            ("dotted", "root.password_hash = \"x\"", &[1]),
            ("inline", "root = { password_hash = \"x\", foo = 1 }", &[1]),
            ("hash under any key", "foo = \"$6$salt$hash\"", &[1]),
            ("environment", "a = 1\nenvironment = [\n\"A=x\",\n]", &[2, 3, 4]),
            ("multi-line", "text = '''\nkey\n'''\na = 1", &[1, 2, 3]),
            ("multi-line, unterminated", "text = \"\"\"\nkey\nkey", &[1, 2, 3]),
            ("unterminated", "password_hash = \"$6$\nb = 1", &[1]),
            ("credentials", "url = \"https://u:p@h/x\"", &[1]),
            ("proxy", "[proxy]\nhttp = \"u:p@h\"", &[2]),
            ("inline proxy", "proxy = { http = \"u:p@h\" }", &[1]),
            ("query", "url = \"https://h/x?t=1\" # why", &[1]),
            ("question elsewhere", "url = \"https://h/x\" # why? a@b", &[]),
        ];
        for (name, text, expected) in cases {
            assert_eq!(hidden(text), expected, "{name}");
        }
    }
}
