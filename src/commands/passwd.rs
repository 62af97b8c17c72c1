//! `passwd`: a password's hash, for a recipe: asks twice without echo, or reads a line from a pipe.
//!
//! Sources: termios(3). Echo is off, and so are the line editor and the signals of the keyboard, so that Ctrl-C is a byte
//! that ends the question here, after which the terminal is as it was: a signal would leave it without echo.

use std::io::{IsTerminal, Read, Write};

use clap::Args;
use rustix::termios::{LocalModes, OptionalActions};
use serde::Serialize;

use super::context::Context;
use super::printer::{Output, Printer};
use super::terminal::TerminalMode;
use crate::base::{Code, Diagnostic, Diagnostics, Secret};
use crate::host::entropy;
use crate::provision::crypt::{self, LONGEST, ROUNDS, ROUNDS_RANGE};

/// Make a password hash for a recipe: asks without echo, or reads one line from a pipe
#[derive(Debug, Args)]
pub(crate) struct PasswdOptions {
    /// How often the password is hashed; more make guessing slower, and logging in
    #[arg(long, value_name = "N", default_value_t = ROUNDS, value_parser = rounds())]
    rounds: u32,
}

fn rounds() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(i64::from(*ROUNDS_RANGE.start())..=i64::from(*ROUNDS_RANGE.end()))
}

#[derive(Serialize)]
struct PasswdOutput {
    password_hash: String,
}

impl PasswdOptions {
    /// Hashes a password with a salt of its own.
    pub(crate) fn run(self, _: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        let hash = crypt::hash(&password()?, entropy::random()?, self.rounds)
            .map_err(|error| Diagnostic::new(Code::Secret, error.to_string()))?;
        printer.show(&PasswdOutput { password_hash: hash.expose().clone() })
    }
}

impl Output for PasswdOutput {
    fn print(&self, printer: &Printer) {
        printer.line(&self.password_hash);
    }
}

fn password() -> Result<Secret<Vec<u8>>, Diagnostic> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return piped(&mut stdin.lock());
    }
    let once = ask("password: ")?;
    // What is refused anyway need not be typed again.
    if once.expose().is_empty() || ask("again: ")? == once {
        return Ok(once);
    }
    Err(Diagnostic::new(Code::Secret, "the two passwords differ").hint("run it again"))
}

/// Reads one line; what follows it would be a mistake that nobody sees.
fn piped(input: &mut impl Read) -> Result<Secret<Vec<u8>>, Diagnostic> {
    let mut bytes = vec![];
    // A password, its line end, and a byte more to see that there is more.
    let limit = LONGEST as u64 + 2;
    input.take(limit).read_to_end(&mut bytes).map_err(|error| Diagnostic::io("cannot read stdin", &error))?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    if bytes.contains(&b'\n') {
        return Err(Diagnostic::new(Code::Secret, "stdin holds more than one line").hint("give the password alone"));
    }
    Ok(Secret::new(bytes))
}

/// Asks on the terminal; what is typed is not shown.
fn ask(prompt: &str) -> Result<Secret<Vec<u8>>, Diagnostic> {
    // What was typed before the question is no answer to it.
    let silence = TerminalMode::change(OptionalActions::Flush, |mode| {
        mode.local_modes -= LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG;
    })?;
    // Asked only once nothing typed is shown any more.
    show(prompt);
    let typed = typed(&mut std::io::stdin().lock());
    drop(silence);
    show("\n");
    typed
}

fn show(text: &str) {
    let mut error = std::io::stderr().lock();
    let _ = error.write_all(text.as_bytes()).and_then(|()| error.flush());
}

/// Reads until the line ends, with the keys that everybody uses to correct it.
fn typed(input: &mut impl Read) -> Result<Secret<Vec<u8>>, Diagnostic> {
    let mut line = vec![];
    let mut byte = [0];
    loop {
        let count = input.read(&mut byte).map_err(|error| Diagnostic::io("cannot read the terminal", &error))?;
        match byte[0] {
            _ if count == 0 => break,
            b'\n' | b'\r' => break,
            // Ctrl-C and Ctrl-\; Ctrl-D where nothing is typed.
            3 | 28 => return Err(Diagnostic::new(Code::Interrupted, "interrupted")),
            4 if line.is_empty() => return Err(Diagnostic::new(Code::Interrupted, "interrupted")),
            4 => break,
            // Backspace and delete, a character of UTF-8 at once.
            8 | 127 => while line.pop().is_some_and(|byte: u8| byte & 0xc0 == 0x80) {},
            // Ctrl-U.
            21 => line.clear(),
            // One more than can be used is kept, so that too long a line is told.
            byte if line.len() <= LONGEST => line.push(byte),
            _ => {}
        }
    }
    Ok(Secret::new(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(keys: &[u8]) -> Result<Vec<u8>, Code> {
        typed(&mut &keys[..]).map(|secret| secret.expose().clone()).map_err(|problem| problem.code)
    }

    #[test]
    fn a_line_is_typed_corrected_and_ended() {
        for (keys, typed) in [
            (&b"abc\n"[..], Ok(&b"abc"[..])),
            (b"abc\rd", Ok(b"abc")),
            (b"ab\x7fc\x08d\n", Ok(b"ad")),
            (b"\x7fa\n", Ok(b"a")),
            ("a\u{e9}\x7fb\n".as_bytes(), Ok(b"ab")),
            (b"wrong\x15right\n", Ok(b"right")),
            (b"a\x04", Ok(b"a")),
            (b"a", Ok(b"a")),
            (b"\x04", Err(Code::Interrupted)),
            (b"ab\x03c\n", Err(Code::Interrupted)),
            (b"\x1c", Err(Code::Interrupted)),
        ] {
            assert_eq!(line(keys).as_deref(), typed.as_ref().copied(), "{keys:?}");
        }
        assert_eq!(line(&[b'a'; 10_000]).unwrap().len(), LONGEST + 1, "a line is not kept without end");
    }

    #[test]
    fn sec_4_a_pipe_gives_one_line_and_nothing_of_it_is_told() {
        let read = |bytes: &[u8]| piped(&mut &bytes[..]).map(|secret| secret.expose().clone());
        assert_eq!(read(b"a b\n").unwrap(), b"a b");
        assert_eq!(read(b"a b").unwrap(), b"a b");
        assert_eq!(read(b"").unwrap(), b"");
        let refused = read(b"canary\nmore\n").unwrap_err();
        assert!(!format!("{refused:?}").contains("canary"));
        assert!(read(&[b'a'; 10_000]).unwrap().len() > LONGEST);
    }
}
