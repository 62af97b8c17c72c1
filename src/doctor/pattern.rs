//! The patterns of the knowledge: literal text with `{name}` where a line differs from machine to machine.
//!
//! The first literal may stand anywhere in the line, or at its beginning after `^`; each capture takes as little as it can, the
//! last one the rest of the line unless a literal follows; a final `$` demands the line's end. `{}` captures without a name.
//! Substrings are enough for what programs print by a format string, and cost one pass. Touches nothing.

/// A pattern, taken apart once.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    is_anchored: bool,
    is_whole: bool,
    first: &'static str,
    /// Captures, each with the literal behind it.
    rest: Vec<(&'static str, &'static str)>,
}

/// What captures took, by name.
pub(crate) type Captures<'t> = Vec<(&'static str, &'t str)>;

impl Pattern {
    /// Takes a pattern apart; a brace that is not closed is taken as it is.
    pub(crate) fn new(text: &'static str) -> Self {
        let (is_anchored, text) = text.strip_prefix('^').map_or((false, text), |text| (true, text));
        let (is_whole, text) = text.strip_suffix('$').map_or((false, text), |text| (true, text));
        let mut pieces = text.split('{');
        let first = pieces.next().unwrap_or_default();
        let rest = pieces.map(|piece| piece.split_once('}').unwrap_or(("", piece))).collect();
        Self { is_anchored, is_whole, first, rest }
    }

    /// Looks for the pattern in a line.
    pub(crate) fn find<'t>(&self, text: &'t str) -> Option<Captures<'t>> {
        let mut rest = if self.is_anchored {
            text.strip_prefix(self.first)?
        } else if self.is_whole && self.rest.is_empty() {
            text.strip_suffix(self.first).map(|_| "")?
        } else {
            &text[text.find(self.first)? + self.first.len()..]
        };
        let mut captures = vec![];
        for (index, (name, literal)) in self.rest.iter().enumerate() {
            let is_last = index + 1 == self.rest.len();
            let taken = match (literal.is_empty(), is_last && self.is_whole) {
                (true, _) => rest,
                (false, true) => rest.strip_suffix(literal)?,
                (false, false) => &rest[..rest.find(literal)?],
            };
            rest = rest.get(taken.len() + literal.len()..).unwrap_or_default();
            if !name.is_empty() {
                captures.push((*name, taken.trim()));
            }
        }
        (!self.is_whole || rest.is_empty()).then_some(captures)
    }

    /// The names of its captures.
    #[cfg(test)]
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.rest.iter().map(|(name, _)| *name).filter(|name| !name.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_take_as_little_as_they_can() {
        for (pattern, text, taken) in [
            (
                "error at line {line} col {column}: {error}",
                "x error at line 3 col 23: a: b",
                Some(vec![("line", "3"), ("column", "23"), ("error", "a: b")]),
            ),
            ("^Linux version ", "Linux version 6", Some(vec![])),
            ("^Linux version ", "a Linux version 6", None),
            (" login:$", "nas login:", Some(vec![])),
            (" login:$", "nas login: root", None),
            ("waiting {} - {device}", "waiting a - b - c", Some(vec![("device", "b - c")])),
            ("Unit {unit} failed.$", "Unit a.service failed.", Some(vec![("unit", "a.service")])),
            ("a{x}b", "ac", None),
            ("", "x", Some(vec![])),
        ] {
            assert_eq!(Pattern::new(pattern).find(text), taken, "{pattern} in {text}");
        }
    }
}
