//! Refuses what TOML 1.1 adds to TOML 1.0 (toml.io, change log of 1.1.0). Touches nothing.
//!
//! The parser accepts 1.1; Nix 2.8 and Python's `tomllib` do not. Found here: line ends, comments and a trailing comma in
//! inline tables, and the escapes `\e` and `\x`. Times without seconds need no search: no key takes a time.

use std::ops::Range;

/// Looks through a text that the parser has accepted and reports each thing with its place.
pub(crate) fn check(text: &str, report: &mut dyn FnMut(Range<usize>, &str)) {
    let mut scan = Scan { text, at: 0, open: vec![], comma: None };
    while let Some(c) = scan.rest().chars().next() {
        scan.step(c, report);
    }
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
    /// The brackets open here; `false` once an inline table was reported.
    open: Vec<(char, bool)>,
    /// The comma that nothing has followed yet.
    comma: Option<usize>,
}

impl<'a> Scan<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn step(&mut self, c: char, report: &mut dyn FnMut(Range<usize>, &str)) {
        let start = self.at;
        self.at += c.len_utf8();
        match c {
            '#' => self.at = start + self.text[start..].find('\n').unwrap_or(self.text.len() - start),
            '\n' => self.line_end(start, report),
            '"' | '\'' => self.string(start, c, report),
            '{' | '[' => self.open.push((c, true)),
            '}' => {
                if let Some(comma) = self.comma {
                    report(comma..comma + 1, "a comma before `}`");
                }
                self.open.pop();
            }
            ']' => drop(self.open.pop()),
            _ => {}
        }
        match c {
            ',' => self.comma = Some(start),
            '#' | ' ' | '\t' | '\r' | '\n' => {}
            _ => self.comma = None,
        }
    }

    fn line_end(&mut self, at: usize, report: &mut dyn FnMut(Range<usize>, &str)) {
        if let Some(('{', new @ true)) = self.open.last_mut() {
            *new = false;
            report(at..at + 1, "a line end inside `{ }`");
        }
    }

    /// Passes over a string of any of the four kinds; `start` is its first quote.
    fn string(&mut self, start: usize, quote: char, report: &mut dyn FnMut(Range<usize>, &str)) {
        let long = [quote; 3].iter().collect::<String>();
        let mark = if self.text[start..].starts_with(&long) { long.as_str() } else { &long[..1] };
        self.at = start + mark.len();
        while !self.rest().is_empty() && !self.rest().starts_with(mark) {
            let escape = quote == '"' && self.rest().starts_with('\\');
            if escape && matches!(self.rest().as_bytes().get(1), Some(b'e' | b'x')) {
                report(self.at..self.at + 2, &format!("the escape `{}`", &self.rest()[..2]));
            }
            let skip = if escape { 2 } else { 1 };
            self.at += self.rest().chars().take(skip).map(char::len_utf8).sum::<usize>();
        }
        self.at += mark.len();
        // Up to two quotes may stand right before the closing three.
        while mark.len() == 3 && self.rest().starts_with(quote) {
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(usize, String)> {
        let mut found = vec![];
        check(text, &mut |span, what| found.push((span.start, what.to_owned())));
        found
    }

    #[test]
    fn toml_1_0_passes() {
        for text in [
            "a = { b = 1, c = [\n1,\n2,\n] }\n",
            "a = [{ b = 1 },\n{ b = 2 },\n]\n",
            "a = '\\e\\x' # { \n",
            "a = \"\\\\e\"\n",
            "a = '''\n{,}\\x'''''\nb = \"\"\"x\"\"\"\"\n[c]\n[[d]]\n",
            "'{' = 1\n\"\\\"{\" = 2\n",
        ] {
            assert_eq!(found(text), vec![], "{text}");
            assert!(toml::de::DeTable::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn rec_4_what_only_toml_1_1_allows_is_found() {
        for (text, at, what) in [
            ("a = { b = 1,\n c = 2 }\n", 12, "a line end inside `{ }`"),
            ("a = { b = 1, }\n", 11, "a comma before `}`"),
            ("a = \"\\e[1m\"\n", 5, "the escape `\\e`"),
            ("a = \"\"\"\n\\x41\"\"\"\n", 8, "the escape `\\x`"),
        ] {
            assert!(toml::de::DeTable::parse(text).is_ok(), "the parser refuses it by itself now: {text}");
            assert_eq!(found(text), vec![(at, what.to_owned())], "{text}");
        }
    }
}
