//! Text from elsewhere made fit to show: no control or direction characters ever reach a terminal. Touches nothing.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

/// What is percent-encoded in the path of a URI: all but the unreserved characters of RFC 3986 and `/`.
pub(crate) const URI_PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Returns whether a character changes the direction of the text around it.
pub(crate) fn is_bidi(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns whether a character may not reach a terminal: C0, DEL, C1 and direction marks; `\n` and `\t` may.
pub(crate) fn is_unsafe(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t') || is_bidi(c)
}

/// Writes every unsafe character as `\u{…}`.
pub(crate) fn sanitise(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_unsafe(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// Like [`sanitise`], and in one line of at most `limit` characters.
pub(crate) fn one_line(text: &str, limit: usize) -> String {
    let flat: String = text.chars().map(|c| if c == '\n' || c == '\t' { ' ' } else { c }).collect();
    let shown = sanitise(&flat);
    if shown.chars().count() <= limit {
        return shown.into_owned();
    }
    shown.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
}

/// Counts things: `1 file`, `2 files`.
pub(crate) fn count(many: impl std::fmt::Display, noun: &str) -> String {
    let many = many.to_string();
    let ending = if many == "1" { "" } else { "s" };
    format!("{many} {noun}{ending}")
}

/// Names what the first bytes of a file are where they are a page or document that a server sends in place of it.
pub(crate) fn looks_like(first: &[u8]) -> Option<&'static str> {
    let text = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first).trim_ascii_start();
    let begins = |with: &str| text.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with.as_bytes()));
    match text {
        _ if ["<!doctype html", "<html", "<head", "<body", "<script"].into_iter().any(begins) => Some("an HTML page"),
        _ if begins("<?xml") => Some("an XML document"),
        [b'{', ..] => Some("a JSON document"),
        [] if !first.is_empty() => Some("blank text"),
        _ => None,
    }
}

/// Reads decimal digits only: `str::parse` would take a sign.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Quotes a word for a POSIX shell; NUL, which no word can hold, is dropped.
pub(crate) fn shell_word(word: &str) -> String {
    shlex::try_quote(&word.replace('\0', "")).map(Cow::into_owned).unwrap_or_default()
}

/// Breaks a paragraph into lines of at most `width` characters; a longer word stays whole.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(last) = lines.last_mut() else { continue };
        if !last.is_empty() && last.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
            continue;
        }
        if !last.is_empty() {
            last.push(' ');
        }
        last.push_str(word);
    }
    lines
}

/// Finds the candidate nearest to a misspelt word, if one is near enough to suggest.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_14_escapes_never_survive() {
        let hostile = "a\u{1b}[31mb\r\u{9b}c\u{202e}d\u{7f}";
        assert!(!sanitise(hostile).chars().any(is_unsafe));
        assert_eq!(sanitise("plain\ntext"), "plain\ntext");
        assert_eq!(one_line("a\nb\u{1b}", 40), "a b\\u{1b}");
        assert_eq!(one_line("abcdef", 4), "abc…");
    }

    #[test]
    fn one_is_singular() {
        let counted = [count(0, "file"), count(1_u64, "file"), count(11, "file")];
        assert_eq!(counted, ["0 files", "1 file", "11 files"]);
    }

    #[test]
    fn a_paragraph_is_broken_between_words_only() {
        assert_eq!(wrapped("a bc def", 4), ["a bc", "def"]);
        assert_eq!(wrapped("", 4), [""]);
        assert_eq!(wrapped("longer a", 4), ["longer", "a"]);
    }

    #[test]
    fn a_near_word_is_suggested_and_a_far_one_is_not() {
        assert_eq!(nearest("memroy", ["memory", "vcpus"]), Some("memory"));
        assert_eq!(nearest("zebra", ["memory", "vcpus"]), None);
    }

    #[test]
    fn net_11_pages_are_recognised() {
        for (bytes, kind) in [
            (&b"\n <!DOCTYPE HTML><p>"[..], Some("an HTML page")),
            (b"\xef\xbb\xbf<html>", Some("an HTML page")),
            (b"{\"error\":1}", Some("a JSON document")),
            (b"<?xml version", Some("an XML document")),
            (b"QFI\xfb", None),
            (b"", None),
            (b"  \n", Some("blank text")),
        ] {
            assert_eq!(looks_like(bytes), kind);
        }
    }
}
