//! Lines that differ, as `diff -U0` tells them. Touches nothing.

use similar::{DiffOp, TextDiff};

use super::what::{HIDDEN, What};
use crate::base::text::one_line;

/// Compares texts that anybody may read.
pub(crate) fn open(before: &[u8], after: &[u8]) -> Vec<What> {
    hunks(before, after, |line| {
        let shown = one_line(line.trim_end_matches('\n'), 400);
        if line.ends_with('\n') { shown } else { format!("{shown} (without a line end)") }
    })
}

/// Compares texts that may hold secrets: only the lines' numbers are told.
pub(crate) fn hidden(before: &[u8], after: &[u8]) -> Vec<What> {
    hunks(before, after, |_| HIDDEN.to_owned())
}

fn hunks(before: &[u8], after: &[u8], show: impl Fn(&str) -> String) -> Vec<What> {
    let (before, after) = (String::from_utf8_lossy(before), String::from_utf8_lossy(after));
    let (before, after): (Vec<_>, Vec<_>) =
        (before.split_inclusive('\n').collect(), after.split_inclusive('\n').collect());
    let shown = |lines: &[&str]| lines.iter().map(|line| show(line)).collect();
    let diff = TextDiff::from_slices(&before, &after);
    let differing = diff.ops().iter().filter(|op| !matches!(op, DiffOp::Equal { .. }));
    differing
        .map(|op| What::Lines {
            before_line: op.old_range().start + 1,
            before: shown(before.get(op.old_range()).unwrap_or_default()),
            after_line: op.new_range().start + 1,
            after: shown(after.get(op.new_range()).unwrap_or_default()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(found: Vec<What>) -> String {
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn lines_are_told_with_their_numbers() {
        for (before, after, expected) in [
            ("a\nb\nc\n", "a\nB\nc\n", "@@ -2,1 +2,1 @@\n-b\n+B\n"),
            ("a\nc\n", "a\nb\nc\n", "@@ -2,0 +2,1 @@\n+b\n"),
            ("a\nb\nc\nd\n", "b\nc\nD\n", "@@ -1,1 +1,0 @@\n-a\n@@ -4,1 +3,1 @@\n-d\n+D\n"),
            ("a\n", "a", "@@ -1,1 +1,1 @@\n-a\n+a (without a line end)\n"),
            ("a\n", "", "@@ -1,1 +1,0 @@\n-a\n"),
            ("a\n", "a\n", ""),
            ("a\n", "\u{1b}[31m\n", "@@ -1,1 +1,1 @@\n-a\n+\\u{1b}[31m\n"),
        ] {
            assert_eq!(shown(open(before.as_bytes(), after.as_bytes())), expected, "{before:?} {after:?}");
        }
    }

    #[test]
    fn sec_4_hidden_lines_show_their_numbers_only() {
        let found = hidden(b"#!/bin/sh\necho secret1\n", b"#!/bin/sh\necho secret2\n");
        assert_eq!(shown(found), "@@ -2,1 +2,1 @@\n-***\n+***\n");
    }
}
