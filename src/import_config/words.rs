//! Commands and words of shell text, by the rules of POSIX.1-2024, XCU 2.2 to 2.6. Touches nothing.
//!
//! Of expansions, variables are followed that the text itself sets, always to the same: by an assignment, as the elements of an
//! array, or by a default (`${NAME:-value}`). What is set twice, in a loop or by `read` is not known.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

use crate::format::combustion;

/// The most words that are kept.
const WORDS: usize = 20_000;
/// The most bytes of one word that holds variables.
const EXPANDED: usize = 64 << 10;
/// How often a variable may be set by way of another.
const DEPTH: usize = 6;

/// Programs and keywords that another command stands behind, and how many words of their own come first.
const BEFORE: [(&str, usize); 19] = [
    ("!", 0),
    ("do", 0),
    ("doas", 0),
    ("elif", 0),
    ("else", 0),
    ("env", 0),
    ("eval", 0),
    ("exec", 0),
    ("if", 0),
    ("nice", 0),
    ("nohup", 0),
    ("ssh", 1),
    ("sudo", 0),
    ("then", 0),
    ("time", 0),
    ("timeout", 1),
    ("until", 0),
    ("while", 0),
    ("{", 0),
];
/// Their options that have a value of their own.
const VALUED: [&str; 6] = ["-u", "-g", "-n", "-p", "-i", "-s"];
const DECLARES: [&str; 5] = ["declare", "export", "local", "readonly", "typeset"];
/// Commands that set variables to what the text does not say.
const SETS: [&str; 8] = ["for", "getopts", "let", "mapfile", "read", "readarray", "select", "unset"];

/// One word.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Word {
    /// Without its quotes; what the shell would expand and is not known stands as it was written.
    pub text: String,
    /// Whether the shell would have put something else in its place.
    pub expands: bool,
}

/// Why a text is not shell text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WordsError {
    /// The rest of the file would have been one word.
    #[error("the quote that begins in line {0} is never closed")]
    Quote(u32),
    #[error("it has more than {WORDS} words")]
    Many,
}

/// What a text is to a shell.
#[derive(Debug, Default)]
pub(crate) struct ShellText {
    pub commands: Vec<Vec<Word>>,
    /// Whether a comment of it speaks to Combustion.
    pub is_combustion: bool,
}

/// The elements of each variable, one where it is no array; `None` where they are not known.
type Variables = BTreeMap<String, Option<Vec<String>>>;

/// Splits a text into simple commands; operators, redirections and line ends part them, here documents are passed over.
pub(crate) fn read(text: &str) -> Result<ShellText, WordsError> {
    let text = text.replace("\r\n", "\n");
    let mut known = Variables::new();
    for _ in 0..DEPTH {
        let mut shell = Shell::new(&text, &known);
        shell.run()?;
        if shell.assigned == known {
            return Ok(shell.done);
        }
        known = shell.assigned;
    }
    let mut shell = Shell::new(&text, &known);
    shell.run()?;
    Ok(shell.done)
}

/// Returns where the program of a simple command stands: behind assignments, prompts, keywords and programs that run another.
pub(crate) fn program(words: &[Word]) -> Option<usize> {
    let mut at = 0;
    loop {
        let text = words.get(at)?.text.as_str();
        let before = BEFORE.iter().find(|(name, _)| text.rsplit('/').next() == Some(name));
        match before {
            Some((_, own)) => {
                at += 1;
                while let Some(option) = words.get(at).filter(|word| word.text.starts_with('-')) {
                    at += 1 + usize::from(VALUED.contains(&option.text.as_str()));
                }
                at += own;
            }
            // A prompt, as blogs show it.
            None if assignment(text).is_some() || at == 0 && text.ends_with(['$', '#', '%']) => at += 1,
            None => return Some(at),
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Splits `NAME=value`; for `NAME+=value` the name has its `+`.
fn assignment(text: &str) -> Option<(&str, &str)> {
    text.split_once('=').filter(|(name, _)| is_name(name.strip_suffix('+').unwrap_or(name)))
}

struct Shell<'a> {
    rest: Peekable<Chars<'a>>,
    line: u32,
    /// Whether a line begins here.
    begins: bool,
    done: ShellText,
    command: Vec<Word>,
    /// Delimiters of here documents that begin after this line, and whether tabs before them are dropped.
    documents: Vec<(String, bool)>,
    known: &'a Variables,
    assigned: Variables,
}

impl<'a> Shell<'a> {
    fn new(text: &'a str, known: &'a Variables) -> Self {
        Self {
            rest: text.chars().peekable(),
            line: 1,
            begins: true,
            done: ShellText::default(),
            command: vec![],
            documents: vec![],
            known,
            assigned: Variables::new(),
        }
    }

    fn run(&mut self) -> Result<(), WordsError> {
        let mut count = 0;
        while let Some(&c) = self.rest.peek() {
            match c {
                '\n' => {
                    self.next();
                    self.end();
                    self.pass_documents();
                }
                ' ' | '\t' | '\r' => drop(self.next()),
                '#' => self.comment(),
                ';' | '&' | '|' | '(' | ')' | '>' => {
                    self.next();
                    self.end();
                }
                '<' => self.redirect()?,
                _ => {
                    let words = self.word()?;
                    count += words.len().max(1);
                    if count > WORDS {
                        return Err(WordsError::Many);
                    }
                    let is_array = |word: &Word| assignment(&word.text).is_some_and(|(_, value)| value.is_empty());
                    match (words.as_slice(), self.rest.peek()) {
                        ([word], Some('(')) if is_array(word) => {
                            count += self.array(word.text.trim_end_matches('='))?
                        }
                        _ => self.command.extend(words),
                    }
                }
            }
        }
        self.end();
        Ok(())
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.next();
        self.begins = c == Some('\n');
        self.line += u32::from(self.begins);
        c
    }

    fn comment(&mut self) {
        let begins = self.begins;
        let text: String = std::iter::from_fn(|| self.rest.next_if(|c| *c != '\n')).collect();
        self.begins = false;
        self.done.is_combustion |= begins && combustion::is_magic(text.as_bytes());
    }

    /// Ends a simple command, and remembers what it sets.
    fn end(&mut self) {
        if self.command.is_empty() {
            return;
        }
        let command = std::mem::take(&mut self.command);
        let at = program(&command).unwrap_or(command.len());
        let first = command.get(at).map_or("", |word| word.text.as_str());
        // Before a program they are that program's alone.
        let assigns = if first.is_empty() { &command[..at] } else { &[] };
        let declared = if DECLARES.contains(&first) { &command[at + 1..] } else { &[] };
        for word in assigns.iter().chain(declared) {
            if let Some((name, value)) = assignment(&word.text) {
                self.assign(name, (!word.expands).then(|| vec![value.to_owned()]));
            }
        }
        if SETS.contains(&first) {
            for word in command[at + 1..].iter().filter(|word| is_name(&word.text)) {
                self.assign(&word.text, None);
            }
        }
        self.done.commands.push(command);
    }

    fn assign(&mut self, name: &str, elements: Option<Vec<String>>) {
        let (name, elements) = match name.strip_suffix('+') {
            Some(name) => (name, None),
            None => (name, elements),
        };
        let is_new = !self.assigned.contains_key(name);
        let slot = self.assigned.entry(name.to_owned()).or_default();
        // What is set to two things is known to be neither.
        *slot = elements.filter(|elements| is_new || slot.as_ref() == Some(elements));
    }

    /// Takes `NAME=(one two)`; returns how many words it had.
    fn array(&mut self, name: &str) -> Result<usize, WordsError> {
        let begun = self.line;
        self.next();
        let mut words = vec![];
        loop {
            match self.rest.peek().ok_or(WordsError::Quote(begun))? {
                ')' => break,
                '#' => self.comment(),
                ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '(' | '<' | '>' => drop(self.next()),
                _ => words.extend(self.word()?),
            }
        }
        self.next();
        let (count, is_known) = (words.len(), words.iter().all(|word| !word.expands));
        self.assign(name, is_known.then(|| words.into_iter().map(|word| word.text).collect()));
        Ok(count)
    }

    fn redirect(&mut self) -> Result<(), WordsError> {
        self.next();
        if self.rest.next_if_eq(&'<').is_none() || self.rest.next_if_eq(&'<').is_some() {
            self.end();
            return Ok(());
        }
        let tabs = self.rest.next_if_eq(&'-').is_some();
        while self.rest.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        let words = self.word()?;
        self.documents.extend(words.into_iter().map(|word| (word.text, tabs)));
        Ok(())
    }

    fn pass_documents(&mut self) {
        for (delimiter, tabs) in std::mem::take(&mut self.documents) {
            while self.rest.peek().is_some() {
                let mut line = String::new();
                while let Some(c) = self.next().filter(|c| *c != '\n') {
                    line.push(c);
                }
                if (if tabs { line.trim_start_matches('\t') } else { &line }) == delimiter {
                    break;
                }
            }
        }
    }

    /// Reads one word as it is written: none where a line only continues, several where a variable holds blanks.
    fn word(&mut self) -> Result<Vec<Word>, WordsError> {
        let (mut words, mut word, mut is_word) = (vec![], Word::default(), false);
        while let Some(&c) = self.rest.peek() {
            match c {
                ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>' => break,
                '\\' => {
                    self.next();
                    match self.next() {
                        Some('\n') => continue,
                        escaped => word.text.extend(escaped),
                    }
                }
                '\'' => self.single(&mut word)?,
                '"' => self.double(&mut words, &mut word)?,
                '$' => {
                    let is_split = assignment(&word.text).is_none() || self.command.iter().any(is_argument);
                    let Some(elements) = self.variable(&mut word)? else { continue };
                    let parts: Vec<_> = match is_split {
                        true => elements.iter().flat_map(|text| text.split_ascii_whitespace()).collect(),
                        false => elements.iter().map(String::as_str).collect(),
                    };
                    is_word |= !parts.is_empty();
                    push(&mut words, &mut word, parts);
                    continue;
                }
                '`' => self.substitution('`', &mut word)?,
                _ => {
                    self.next();
                    word.expands |= matches!(c, '*' | '?') || (c == '~' && !is_word);
                    word.text.push(c);
                }
            }
            is_word = true;
        }
        is_word |= word.expands || !word.text.is_empty();
        words.extend(is_word.then_some(word));
        Ok(words)
    }

    fn single(&mut self, word: &mut Word) -> Result<(), WordsError> {
        let begun = self.line;
        self.next();
        loop {
            match self.next().ok_or(WordsError::Quote(begun))? {
                '\'' => return Ok(()),
                c => word.text.push(c),
            }
        }
    }

    fn double(&mut self, words: &mut Vec<Word>, word: &mut Word) -> Result<(), WordsError> {
        let begun = self.line;
        self.next();
        loop {
            match self.rest.peek().ok_or(WordsError::Quote(begun))? {
                '$' => {
                    if let Some(elements) = self.variable(word)? {
                        push(words, word, elements.iter().map(String::as_str).collect());
                    }
                    continue;
                }
                '`' => {
                    self.substitution('`', word)?;
                    continue;
                }
                _ => {}
            }
            match self.next().ok_or(WordsError::Quote(begun))? {
                '"' => return Ok(()),
                '\\' => match self.next().ok_or(WordsError::Quote(begun))? {
                    '\n' => {}
                    c @ ('$' | '`' | '"' | '\\') => word.text.push(c),
                    c => word.text.extend(['\\', c]),
                },
                c => word.text.push(c),
            }
        }
    }

    /// Reads what begins with `$`: returns its elements where they are known, or leaves it in the word as it is written.
    fn variable(&mut self, word: &mut Word) -> Result<Option<Vec<String>>, WordsError> {
        let begun = self.line;
        self.next();
        let (elements, written) = match self.rest.peek() {
            Some('(') => {
                word.text.push('$');
                self.substitution('(', word)?;
                return Ok(None);
            }
            Some('{') => {
                self.next();
                let (mut body, mut depth) = (String::new(), 1);
                loop {
                    let c = self.next().ok_or(WordsError::Quote(begun))?;
                    depth = if c == '{' { depth + 1 } else { depth - i32::from(c == '}') };
                    if depth == 0 {
                        break;
                    }
                    body.push(c);
                }
                (self.braced(&body)?, format!("${{{body}}}"))
            }
            _ => {
                let name: String =
                    std::iter::from_fn(|| self.rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '_')).collect();
                (self.first(&name), format!("${name}"))
            }
        };
        let size = |elements: &Vec<String>| elements.iter().map(String::len).sum::<usize>() + word.text.len();
        let elements = elements.filter(|elements| size(elements) <= EXPANDED);
        if elements.is_none() {
            word.text.push_str(&written);
            word.expands = true;
        }
        Ok(elements)
    }

    /// What `$NAME` stands for.
    fn first(&self, name: &str) -> Option<Vec<String>> {
        let elements = self.known.get(name)?.as_ref()?;
        Some(elements.iter().take(1).cloned().collect())
    }

    /// What `${…}` stands for.
    fn braced(&mut self, body: &str) -> Result<Option<Vec<String>>, WordsError> {
        let end = body.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(body.len());
        let (name, operator) = body.split_at(end);
        let default = [":-", ":=", "-", "="].iter().find_map(|sign| Some((*sign, operator.strip_prefix(sign)?)));
        Ok(match (operator, default) {
            ("", _) => self.first(name),
            ("[@]" | "[*]", _) => self.known.get(name).cloned().flatten(),
            (_, Some((sign, text))) => {
                let elements = match self.known.contains_key(name) {
                    true => self.first(name),
                    false => {
                        let text = format!("\"{}\"", text.trim_matches('"'));
                        let word = Shell::new(&text, self.known).word()?.pop().unwrap_or_default();
                        (!word.expands).then(|| vec![word.text])
                    }
                };
                if sign.ends_with('=') {
                    self.assign(name, elements.clone());
                }
                elements
            }
            _ => None,
        })
    }

    /// Passes over the output of a command, which stays as it is written.
    fn substitution(&mut self, opens: char, word: &mut Word) -> Result<(), WordsError> {
        let (begun, mut depth, mut quote) = (self.line, 0, None);
        word.expands = true;
        loop {
            let c = self.next().ok_or(WordsError::Quote(begun))?;
            word.text.push(c);
            match (quote, c) {
                (_, '\\') => word.text.extend(self.next()),
                (Some(open), _) if open == c => quote = None,
                (None, '\'' | '"') if depth > 0 && opens == '(' => quote = Some(c),
                (Some('\''), _) => {}
                (_, '(') if opens == '(' => depth += 1,
                (_, ')') if opens == '(' => depth -= 1,
                (_, '`') if opens == '`' => depth = i32::from(depth == 0),
                _ => {}
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }
}

fn is_argument(word: &Word) -> bool {
    assignment(&word.text).is_none() && !DECLARES.contains(&word.text.as_str())
}

/// Adds the elements of a variable: the first to the word that is being read, the others as words behind it.
fn push(words: &mut Vec<Word>, word: &mut Word, elements: Vec<&str>) {
    for (index, element) in elements.into_iter().enumerate() {
        if index > 0 {
            words.push(std::mem::take(word));
        }
        word.text.push_str(element);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<Vec<String>> {
        let words = |command: Vec<Word>| command.into_iter().map(|word| word.text).collect();
        read(text).unwrap().commands.into_iter().map(words).collect()
    }

    #[test]
    fn words_are_those_of_the_shell() {
        for text in
            ["a 'b c' \"d e\" f\\ g", "a ''", "a \"\\$x \\z \\\\ \\\"\"", "a b'c'\"d\"\\'e", "a#b #c", "a 'x\ny'"]
        {
            assert_eq!(texts(text), [shlex::split(text).unwrap()], "{text}");
        }
        // Here the crate makes an empty word, which no shell does.
        assert_eq!(texts("a \\\n  b\\\nc # d"), [["a", "bc"]]);
    }

    #[test]
    fn commands_are_parted_and_here_documents_passed_over() {
        let text = "cat > x <<'END'\nit's \"\nvirt-install --no\nEND\ncd /x && a | b; c &\nd <<-E\n\t\tE\ne\r\nf";
        let expected = [&["cat"][..], &["x"], &["cd", "/x"], &["a"], &["b"], &["c"], &["d"], &["e"], &["f"]];
        assert_eq!(texts(text), expected.map(|words| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()));
    }

    #[test]
    fn what_the_shell_would_expand_is_marked() {
        let words = read("a $b \"x$y\" `c` *.q ~/x '$z' \\$w a~ \"~\"").unwrap().commands.remove(0);
        let marked: Vec<_> = words.iter().map(|word| word.expands).collect();
        assert_eq!(marked, [false, true, true, true, true, true, false, false, false, false]);
    }

    #[test]
    fn rec_14_an_open_quote_is_told_with_its_line() {
        assert_eq!(read("a\nb 'c\nd").err(), Some(WordsError::Quote(2)));
        assert_eq!(read("a \"b\\").err(), Some(WordsError::Quote(1)));
        assert_eq!(read(&"a ".repeat(20_001)).err(), Some(WordsError::Many));
    }

    /// Each with the words of its last command.
    #[test]
    fn a_variable_that_the_text_sets_once_is_followed() {
        for (text, expected) in [
            ("A=x\nb $A ${A} \"$A y\" '$A' \\$A", &["b", "x", "x", "x y", "$A", "$A"][..]),
            ("A='--a 1  --b'\nc $A \"$A\"", &["c", "--a", "1", "--b", "--a 1  --b"]),
            ("export A=1 B=$A\nc $B", &["c", "1"]),
            ("c $A\nA=x\nc $A.q", &["c", "x.q"]),
            ("A=x; A=x; c $A", &["c", "x"]),
            ("A=(--x 1 # one\n  \"y z\"\n)\nc \"${A[@]}\" $A", &["c", "--x", "1", "y z", "--x"]),
            ("N=${1:-vm}\nD=/i/${N}.img\nc $D", &["c", "/i/vm.img"]),
            ("N=${N:-a} ; c ${M:-${N}b} ${N:-no}", &["c", "ab", "a"]),
            (": ${N:=a}\nc $N", &["c", "a"]),
            ("E=\nc $E \"$E\" x", &["c", "", "x"]),
            ("A=x b $A", &["A=x", "b", "$A"]),
            ("A=x\nA=y\nb $A", &["b", "$A"]),
            ("A=x\nA+=y\nb $A", &["b", "$A"]),
            ("A=x\nfor A in 1 2; do\nb $A", &["b", "$A"]),
            ("A=x\nwhile read -r A; do true; done\nb $A", &["b", "$A"]),
            (
                "A=$(cat \"x y\" ')')\nb $A $(nproc) \"$(d \"$0\")/e\" `f g`",
                &["b", "$A", "$(nproc)", "$(d \"$0\")/e", "`f g`"],
            ),
            ("A=$A$A\nb $A ${A#x} $1 ${2} $@", &["b", "$A", "${A#x}", "$1", "${2}", "$@"]),
        ] {
            assert_eq!(texts(text).last().unwrap(), expected, "{text}");
        }
        // Doubled again and again, a variable soon is longer than any word.
        let doubled: String = (0..20).map(|n| format!("A{}=$A{n}$A{n}\n", n + 1)).collect();
        let words = read(&format!("A0={}\n{doubled}b $A5 $A20", "x".repeat(4096))).unwrap().commands.pop().unwrap();
        assert!(words.iter().all(|word| word.text.len() <= EXPANDED), "grows without end");
    }

    #[test]
    fn the_program_stands_behind_what_runs_it() {
        for (text, expected) in [
            ("v -x", Some("v")),
            ("A=b sudo -u root -E /usr/bin/v", Some("/usr/bin/v")),
            ("if ! sudo v; then", Some("v")),
            ("root@host:~# v", Some("v")),
            ("$ v", Some("v")),
            ("ssh host v", Some("v")),
            ("timeout 60 nice -n 5 v", Some("v")),
            ("zypper in v", Some("zypper")),
            ("A=b", None),
        ] {
            let words = read(text).unwrap().commands.remove(0);
            assert_eq!(program(&words).map(|at| words[at].text.as_str()), expected, "{text}");
        }
        assert!(read("#!/bin/sh\n# combustion: network\n").unwrap().is_combustion);
        assert!(!read("cat <<E\n# combustion: network\nE\n# a # combustion: x\n").unwrap().is_combustion);
    }
}
