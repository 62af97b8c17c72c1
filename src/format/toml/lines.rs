//! Byte offsets → line, column and the line to show. Touches nothing.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeTable;

use super::hidden;
use crate::base::Location;
use crate::base::text::{is_unsafe, one_line};

/// Characters are counted up to every such offset once, so that a place costs the same in any line.
const BLOCK: usize = 1024;

/// A longer line is not shown: nobody finds a column in it, and every place would hold a copy.
const SHOWN_LIMIT: usize = 4096;

/// A text with its lines found.
pub(crate) struct Lines<'a> {
    text: &'a str,
    file: String,
    starts: Vec<usize>,
    blocks: Vec<usize>,
    hidden: Vec<bool>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(text: &'a str, file: &str, root: &Spanned<DeTable<'a>>) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let mut blocks = vec![0];
        for block in text.as_bytes().chunks(BLOCK) {
            let before = blocks.last().copied().unwrap_or_default();
            blocks.push(before + block.iter().filter(|byte| is_first_byte(**byte)).count());
        }
        let mut lines = Self { text, file: one_line(file, 200), starts, blocks, hidden: vec![] };
        lines.hidden = hidden::lines(&lines, root.get_ref());
        lines
    }

    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    /// Returns how many lines there are.
    pub(crate) fn count(&self) -> usize {
        self.starts.len()
    }

    /// Returns a part of the text, empty if there is no such part.
    pub(crate) fn slice(&self, span: Range<usize>) -> &'a str {
        self.text.get(span).unwrap_or_default()
    }

    /// Returns the line of an offset, counted from 1.
    pub(crate) fn line_of(&self, at: usize) -> u32 {
        u32::try_from(self.starts.partition_point(|start| *start <= at)).unwrap_or(u32::MAX)
    }

    /// Returns a line without its end, by its number from 1.
    pub(crate) fn line(&self, number: u32) -> &'a str {
        let index = (number as usize).saturating_sub(1);
        let start = self.starts.get(index).copied().unwrap_or(self.text.len());
        let end = self.starts.get(index + 1).map_or(self.text.len(), |next| next - 1);
        self.slice(start..end).trim_end_matches('\r')
    }

    /// Returns the place of a part of the text; a part of several lines is told by its first.
    pub(crate) fn place(&self, span: Range<usize>) -> Location {
        let number = self.line_of(span.start);
        let start = self.starts.get(number as usize - 1).copied().unwrap_or_default();
        let line = self.line(number);
        let end = span.end.min(start + line.len()).max(span.start);
        let count = |from: usize, to: usize| self.characters(to).saturating_sub(self.characters(from));
        Location {
            file: self.file.clone(),
            line: number,
            column: u32::try_from(count(start, span.start) + 1).unwrap_or(u32::MAX),
            width: u32::try_from(count(span.start, end)).unwrap_or(u32::MAX).max(1),
            text: self.shown(number, line),
        }
    }

    /// Nothing secret, nothing endless; an unsafe character is replaced by one other, so that columns hold.
    fn shown(&self, number: u32, line: &str) -> String {
        let hidden = self.hidden.get(number as usize - 1).copied().unwrap_or(false);
        if hidden || line.len() > SHOWN_LIMIT {
            return String::new();
        }
        line.chars().map(|c| if is_unsafe(c) { '\u{fffd}' } else { c }).collect()
    }

    /// Counts the characters before an offset.
    fn characters(&self, at: usize) -> usize {
        let at = at.min(self.text.len());
        let block = at / BLOCK;
        let rest = self.text.as_bytes().get(block * BLOCK..at).unwrap_or_default();
        self.blocks.get(block).copied().unwrap_or_default() + rest.iter().filter(|byte| is_first_byte(**byte)).count()
    }
}

/// Returns whether a byte of UTF-8 begins a character.
const fn is_first_byte(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, span: Range<usize>) -> (u32, u32, u32, String) {
        let (root, _) = DeTable::parse_recoverable(text);
        let place = Lines::new(text, "f", &root).place(span);
        (place.line, place.column, place.width, place.text)
    }

    #[test]
    fn columns_count_characters_not_bytes() {
        let text = "a = 1\nb = \"ää\" # x\r\n";
        let at = text.find('#').unwrap();
        assert_eq!(place(text, at..at + 1), (2, 10, 1, "b = \"ää\" # x".to_owned()));
        assert_eq!(place(text, 0..text.len()), (1, 1, 5, "a = 1".to_owned()));
        assert_eq!(place(text, text.len()..text.len()), (3, 1, 1, String::new()));
    }

    #[test]
    fn columns_hold_across_blocks() {
        let text = format!("a = \"{}\"\nb = 1", "ä".repeat(3000));
        let at = text.find("b =").unwrap();
        assert_eq!(place(&text, at..at + 1).0, 2);
        assert_eq!(place(&text, at - 2..at - 1).1, 3006);
    }

    #[test]
    fn out_14_a_shown_line_holds_no_escape_and_keeps_its_columns() {
        assert_eq!(place("# \u{1b}[31m\u{202e}x", 0..1).3, "# \u{fffd}[31m\u{fffd}x");
    }
}
