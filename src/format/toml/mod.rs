//! A TOML file on its way to values: where things stand, what may be shown, and every mistake told at once.
//!
//! Used for recipes, locks and the configuration file. Touches nothing. The grammar is the `toml` crate's; what TOML 1.1
//! adds is refused again by [`toml10`], so that a file reads the same for TOML 1.0 readers (Nix, Python's `tomllib`).
//! Read next: [`table`] (typed access), [`lines`] (places).

pub(crate) mod hidden;
pub(crate) mod lines;
pub(crate) mod table;
pub(crate) mod toml10;
pub(crate) mod value;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::DeTable;

use self::lines::Lines;
pub(crate) use self::table::Table;
pub(crate) use self::value::{Charset, Value};
use crate::base::text::{count, is_unsafe, one_line};
use crate::base::{ByteSize, Code, Diagnostic, Diagnostics, Kind};

/// The largest file that is parsed: a recipe is written by hand, and the parser's tree takes many times its text.
pub(crate) const FILE_LIMIT: ByteSize = ByteSize::mib(1);

/// The most that the values of one file may weigh, however short each is written; see [`weight`].
const WEIGHT_LIMIT: usize = 1 << 18;

/// The largest file of which every mistake of grammar is told, not only the first: the parser keeps a kilobyte for each.
const RECOVERED_LIMIT: usize = 64 << 10;

/// The most problems told at once; beyond it only their number is.
pub(crate) const TOLD_LIMIT: usize = 100;

/// How many lines that are not TOML are told; of more than that only their number is.
const SYNTAX_TOLD: usize = 5;

/// A parsed file and the problems found in it so far.
pub(crate) struct Document<'a> {
    pub(crate) lines: Lines<'a>,
    root: Spanned<DeTable<'a>>,
    problems: RefCell<Vec<Diagnostic>>,
    /// How many more there are than [`TOLD_LIMIT`].
    more: Cell<usize>,
    /// Says where a key belongs that stands in the wrong table.
    pub(crate) elsewhere: fn(&str) -> Option<String>,
    /// The text is not TOML, so what seems missing may only be unreadable.
    broken: bool,
    /// Most of it is not TOML, so what was made of the rest is not worth a word.
    foreign: bool,
}

/// Returns whether a character may stand nowhere in a file we read, however it is written: controls and direction marks,
/// a byte order mark, Unicode's own line ends, and the two characters that XML cannot carry (XML 1.0 §2.2).
pub(crate) const fn is_refused(c: char) -> bool {
    matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}')
}

/// Weighs what the parser may make of a text, in units of 200 bytes: a table takes about a kilobyte, any value a fifth.
fn weight(text: &str) -> usize {
    let weigh = |byte| match byte {
        b'[' | b'{' | b'.' => 5,
        b',' | b'=' => 1,
        _ => 0,
    };
    text.bytes().map(weigh).sum()
}

/// Parses; a large file with a mistake counts as empty.
fn parsed(text: &str) -> (Spanned<DeTable<'_>>, Vec<toml::de::Error>) {
    if text.len() <= RECOVERED_LIMIT {
        return DeTable::parse_recoverable(text);
    }
    match DeTable::parse(text) {
        Ok(root) => (root, vec![]),
        Err(error) => (Spanned::new(0..0, DeTable::new()), vec![error]),
    }
}

impl<'a> Document<'a> {
    /// Parses; only a file above [`FILE_LIMIT`] is refused here, every other mistake is kept to be told with the rest.
    pub(crate) fn open(text: &'a str, file: &str) -> Result<Self, Diagnostics> {
        if text.len() as u64 > FILE_LIMIT.0 {
            let shown = one_line(file, 200);
            let problem = Diagnostic::new(Code::Recipe, format!("`{shown}` is larger than {FILE_LIMIT}"))
                .fact("size", ByteSize(text.len() as u64))
                .hint("keep long content in files of its own and name them with `source`");
            return Err(problem.into());
        }
        if weight(text) > WEIGHT_LIMIT {
            let headline = format!("`{}` holds more values than are read", one_line(file, 200));
            return Err(Diagnostic::new(Code::Recipe, headline).hint("keep long content in files of its own").into());
        }
        let (root, errors) = parsed(text);
        let lines = Lines::new(text, file, &root);
        let broken = !errors.is_empty();
        let mut document = Self {
            lines,
            root,
            problems: RefCell::default(),
            more: Cell::new(0),
            elsewhere: |_| None,
            broken,
            foreign: false,
        };
        document.tell_characters();
        document.foreign = document.tell_syntax(&errors);
        if !broken {
            toml10::check(text, &mut |span, what| document.tell_toml_1_1(span, what));
        }
        Ok(document)
    }

    /// Returns the whole file as a table.
    pub(crate) fn root(&self) -> Table<'_> {
        Table::root(self, self.root.get_ref())
    }

    /// Keeps a problem, up to [`TOLD_LIMIT`].
    pub(crate) fn tell(&self, problem: Diagnostic) {
        if !self.foreign && !self.is_full() {
            self.problems.borrow_mut().push(problem);
        }
    }

    /// Counts a problem that is no longer worth wording, and tells whether that is so.
    pub(crate) fn is_full(&self) -> bool {
        let full = self.problems.borrow().len() >= TOLD_LIMIT;
        self.more.update(|more| more + usize::from(full));
        full
    }

    /// Begins a problem about a part of the text.
    pub(crate) fn problem(&self, span: Range<usize>, headline: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Code::Recipe, headline).at(self.lines.place(span))
    }

    /// Returns whether the text was no TOML.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Gives `value` if nothing was told; else all problems, in the order of the file.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Diagnostics> {
        let (mut problems, more) = (self.problems.into_inner(), self.more.get());
        problems.sort_by_key(|problem| problem.place.as_ref().map(|place| (place.line, place.column)));
        if let (Some(last), true) = (problems.last_mut(), more > 0) {
            last.note = Some(format!("{more} more problems are not shown"));
        }
        match value {
            Some(value) if problems.is_empty() => Ok(value),
            None if problems.is_empty() => {
                Err(Diagnostic::new(Code::Bug, "a file was refused without a reason").into())
            }
            _ => Err(Diagnostics(problems)),
        }
    }

    /// Direction marks and control characters hide what a file says from who reviews it, in comments too.
    fn tell_characters(&self) {
        let text = self.lines.text();
        let line_end = |at: usize| text[at..].starts_with("\r\n");
        let bad = |(at, c): &(usize, char)| (is_unsafe(*c) || is_refused(*c)) && !(*c == '\r' && line_end(*at));
        let mut lines = BTreeSet::new();
        for (at, c) in text.char_indices().filter(bad) {
            if !lines.insert(self.lines.line_of(at)) || self.is_full() {
                continue;
            }
            let headline = format!("the character U+{:04X} may not stand in this file", u32::from(c));
            let hint = match c {
                '\u{feff}' if at == 0 => "save the file as UTF-8 without a byte order mark",
                _ => "remove it: it is invisible, or changes how the text around it is shown",
            };
            self.tell(self.problem(at..at + c.len_utf8(), headline).hint(hint));
        }
    }

    /// One complaint a line: what follows the first is mostly its echo. Tells whether more than half of the lines fail.
    fn tell_syntax(&self, errors: &[toml::de::Error]) -> bool {
        let mut lines: BTreeSet<u32> = self.told_lines();
        let is_new = |error: &&toml::de::Error| lines.insert(self.lines.line_of(error.span().unwrap_or(0..0).start));
        let errors: Vec<_> = errors.iter().filter(is_new).collect();
        let mut problems: Vec<_> = errors.iter().take(SYNTAX_TOLD).map(|error| self.syntax(error)).collect();
        let foreign = errors.len() > SYNTAX_TOLD && errors.len() * 2 > self.written_lines();
        if let (Some(last), 1..) = (problems.last_mut(), errors.len().saturating_sub(SYNTAX_TOLD)) {
            let more = count(errors.len() - SYNTAX_TOLD, "more line");
            last.note =
                Some(format!("… and {more} that {} not TOML", if more.starts_with("1 ") { "is" } else { "are" }));
            last.hint =
                foreign.then(|| "this does not look like a recipe: more than half of its lines are not TOML".into());
        }
        problems.into_iter().for_each(|problem| self.tell(problem));
        foreign
    }

    fn syntax(&self, error: &toml::de::Error) -> Diagnostic {
        let span = error.span().unwrap_or(0..0);
        match error.message() {
            "duplicate key" => {
                let twice = one_line(self.lines.slice(span.clone()), 60);
                self.problem(span, format!("`{twice}` is written twice"))
            }
            message => self.problem(span, format!("not TOML: {}", one_line(message, 200))).kind(Kind::NotToml),
        }
    }

    /// Counts the lines that hold something.
    fn written_lines(&self) -> usize {
        self.lines.text().lines().filter(|line| !line.trim().is_empty()).count()
    }

    fn tell_toml_1_1(&self, span: Range<usize>, what: &str) {
        if !self.is_full() {
            let problem = self.problem(span, format!("{what} is TOML 1.1, this file is read as TOML 1.0"));
            self.tell(problem.hint("other readers of this file (Nix, Python) would refuse it"));
        }
    }

    /// Returns the lines something is told about already.
    pub(crate) fn told_lines(&self) -> BTreeSet<u32> {
        self.problems.borrow().iter().filter_map(|problem| problem.place.as_ref()).map(|place| place.line).collect()
    }
}
