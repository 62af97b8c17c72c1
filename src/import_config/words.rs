//! Commands and words of shell text, by the rules of POSIX.1-2024, XCU 2.2 to 2.4, without any expansion. Touches nothing.

use std::iter::Peekable;
use std::str::Chars;

/// The most words that are kept.
const WORDS: usize = 20_000;

/// One word.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Word {
    /// Without its quotes; what the shell would expand stands as it was written.
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

/// Splits a text into simple commands; operators, redirections and line ends part them, here documents are passed over.
pub(crate) fn commands(text: &str) -> Result<Vec<Vec<Word>>, WordsError> {
    let text = text.replace("\r\n", "\n");
    let mut shell = Shell { rest: text.chars().peekable(), line: 1, done: vec![], command: vec![], documents: vec![] };
    shell.run()?;
    Ok(shell.done)
}

struct Shell<'a> {
    rest: Peekable<Chars<'a>>,
    line: u32,
    done: Vec<Vec<Word>>,
    command: Vec<Word>,
    /// Delimiters of here documents that begin after this line, and whether tabs before them are dropped.
    documents: Vec<(String, bool)>,
}

impl Shell<'_> {
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
                '#' => while self.rest.next_if(|c| *c != '\n').is_some() {},
                ';' | '&' | '|' | '(' | ')' | '>' => {
                    self.next();
                    self.end();
                }
                '<' => self.redirect()?,
                _ => {
                    count += 1;
                    if count > WORDS {
                        return Err(WordsError::Many);
                    }
                    // A line that only continues gives an empty text that nobody wrote.
                    if let Some(word) = self.word()? {
                        self.command.push(word);
                    }
                }
            }
        }
        self.end();
        Ok(())
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.next();
        self.line += u32::from(c == Some('\n'));
        c
    }

    fn end(&mut self) {
        if !self.command.is_empty() {
            self.done.push(std::mem::take(&mut self.command));
        }
    }

    fn redirect(&mut self) -> Result<(), WordsError> {
        self.next();
        if self.rest.next_if_eq(&'<').is_none() || self.rest.next_if_eq(&'<').is_some() {
            self.end();
            return Ok(());
        }
        let tabs = self.rest.next_if_eq(&'-').is_some();
        while self.rest.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        if let Some(word) = self.word()? {
            self.documents.push((word.text, tabs));
        }
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

    fn word(&mut self) -> Result<Option<Word>, WordsError> {
        let (mut word, mut is_word) = (Word::default(), false);
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
                '"' => self.double(&mut word)?,
                _ => {
                    self.next();
                    word.expands |= matches!(c, '$' | '`' | '*' | '?') || (c == '~' && !is_word);
                    word.text.push(c);
                }
            }
            is_word = true;
        }
        Ok(is_word.then_some(word))
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

    fn double(&mut self, word: &mut Word) -> Result<(), WordsError> {
        let begun = self.line;
        self.next();
        loop {
            match self.next().ok_or(WordsError::Quote(begun))? {
                '"' => return Ok(()),
                '\\' => match self.next().ok_or(WordsError::Quote(begun))? {
                    '\n' => {}
                    c @ ('$' | '`' | '"' | '\\') => word.text.push(c),
                    c => word.text.extend(['\\', c]),
                },
                c => {
                    word.expands |= matches!(c, '$' | '`');
                    word.text.push(c);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<Vec<String>> {
        let words = |command: Vec<Word>| command.into_iter().map(|word| word.text).collect();
        commands(text).unwrap().into_iter().map(words).collect()
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
        let words = commands("a $b \"x$y\" `c` *.q ~/x '$z' \\$w a~ \"~\"").unwrap().remove(0);
        let marked: Vec<_> = words.iter().map(|word| word.expands).collect();
        assert_eq!(marked, [false, true, true, true, true, true, false, false, false, false]);
    }

    #[test]
    fn rec_14_an_open_quote_is_told_with_its_line() {
        assert_eq!(commands("a\nb 'c\nd"), Err(WordsError::Quote(2)));
        assert_eq!(commands("a \"b\\"), Err(WordsError::Quote(1)));
        assert_eq!(commands(&"a ".repeat(20_001)), Err(WordsError::Many));
    }
}
