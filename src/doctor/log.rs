//! A serial log as lines a person can read: bounded, without control sequences, each with the kernel's time where it has one.
//!
//! What a console carries is the guest's to choose, so nothing in it is trusted: not its length, its encoding, nor its escape
//! sequences (ECMA-48, 5.4 and 8.3). Touches nothing. Read next: `pattern`, which looks into the lines.

use std::collections::VecDeque;
use std::io::{self, Read};

/// How much of a log is read from its beginning, in bytes.
pub(crate) const HEAD: usize = 1 << 20;
/// How much of a log is read from its end, in bytes; what lies between is counted and skipped.
pub(crate) const TAIL: usize = 8 << 20;
/// The most lines that are kept of the beginning, and of the end.
const HEAD_LINES: usize = 50_000;
const TAIL_LINES: usize = 150_000;
/// The longest line; what goes beyond is cut.
const LONGEST: usize = 4096;

/// What is no text from here on: consoles stammer, and a firmware may say a few odd bytes, but not one in so many.
const ODD_ONE_IN: usize = 8;

/// A log, read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    pub lines: Vec<Line>,
    /// Bytes of its middle that were not looked at.
    pub skipped: u64,
    /// Whether so much of it is no text that it is no log.
    pub is_binary: bool,
}

/// A line, or a part of one that a carriage return or a moved cursor parts from the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Which line of the log it is, from 1; behind skipped bytes this is what it would be without them.
    pub number: usize,
    /// Milliseconds since the kernel began, where the line says so.
    pub at: Option<u64>,
    /// The program that said it, as the journal names it.
    pub speaker: Option<String>,
    /// What was said, without time, speaker and control characters.
    pub text: String,
}

impl Log {
    /// Reads a log to its end, in bounded memory.
    ///
    /// # Errors
    /// Those of the reader.
    pub(crate) fn read(mut source: impl Read) -> io::Result<Self> {
        let mut head = vec![];
        source.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
        let (tail, skipped) = tail(source)?;
        let mut keep = Keep::default();
        if skipped == 0 {
            head.extend(tail);
            keep.add(&head);
        } else {
            keep.add(&head);
            // What was cut in two is not a line of the log.
            let begin = tail.iter().position(|byte| *byte == b'\n').map_or(tail.len(), |at| at + 1);
            keep.add(&tail[begin..]);
        }
        let is_binary = keep.odd > keep.characters / ODD_ONE_IN;
        Ok(Self { lines: keep.lines.into_iter().chain(keep.newest).collect(), skipped, is_binary })
    }
}

/// Returns the last bytes, and how many came before them.
fn tail(mut source: impl Read) -> io::Result<(Vec<u8>, u64)> {
    let (mut tail, mut skipped, mut chunk) = (vec![], 0, vec![0; 64 << 10]);
    loop {
        let count = match source.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        tail.extend_from_slice(&chunk[..count]);
        if tail.len() > TAIL + TAIL / 8 {
            let over = tail.len() - TAIL;
            tail.drain(..over);
            skipped += over as u64;
        }
    }
    Ok((tail, skipped))
}

/// The first lines, and the newest.
#[derive(Default)]
struct Keep {
    lines: Vec<Line>,
    newest: VecDeque<Line>,
    /// Line ends so far.
    ends: usize,
    /// Characters so far, and how many of them no text holds.
    characters: usize,
    odd: usize,
}

impl Keep {
    fn add(&mut self, bytes: &[u8]) {
        for line in bytes.split(|byte| *byte == b'\n') {
            self.ends += 1;
            let line = &line[..line.len().min(4 * LONGEST)];
            let line = String::from_utf8_lossy(line);
            self.characters += line.chars().count();
            self.odd += line.chars().filter(|c| is_odd(*c)).count();
            for part in parts(&line) {
                self.push(Line::parse(self.ends, &part));
            }
        }
    }

    fn push(&mut self, line: Line) {
        if self.lines.len() < HEAD_LINES {
            return self.lines.push(line);
        }
        if self.newest.len() == TAIL_LINES {
            self.newest.pop_front();
        }
        self.newest.push_back(line);
    }
}

/// Returns whether a character is of no text and of no control sequence: what was no UTF-8 is one too.
fn is_odd(c: char) -> bool {
    c == char::REPLACEMENT_CHARACTER
        || (c.is_ascii_control() && !matches!(c, '\t' | '\r' | '\u{7}' | '\u{8}' | '\u{1b}'))
}

/// Returns what a person sees of a line: what stands after the last move of the cursor, without control sequences.
pub(crate) fn plain(line: &str) -> Option<String> {
    parts(line).pop()
}

/// Splits a line where the terminal would go elsewhere, and takes out what no person sees; empty parts are left out.
fn parts(line: &str) -> Vec<String> {
    let (mut parts, mut part, mut rest) = (vec![], String::new(), line.chars());
    while let Some(c) = rest.next() {
        match c {
            '\r' => parts.push(std::mem::take(&mut part)),
            '\u{1b}' => match escape(&mut rest) {
                Escape::Nothing => {}
                Escape::Space => part.push(' '),
                Escape::Elsewhere => parts.push(std::mem::take(&mut part)),
            },
            '…' => {
                part.push(c);
                remnant(&mut rest);
            }
            '\t' => part.push(' '),
            '\u{8}' => drop(part.pop()),
            c if crate::base::text::is_unsafe(c) => {}
            c => part.push(c),
        }
    }
    parts.push(part);
    let shown = parts.iter().map(|part| part.trim_end()).filter(|part| !part.trim().is_empty());
    shown.map(|part| part.chars().take(LONGEST).collect()).collect()
}

/// Takes what a shortened line leaves of a sequence, whose ESC is lost: `…[0m`.
fn remnant(rest: &mut std::str::Chars<'_>) {
    let Some((numbers, after)) = rest.as_str().strip_prefix('[').and_then(|text| text.split_once('m')) else { return };
    if numbers.len() <= 20 && numbers.bytes().all(|byte| byte.is_ascii_digit() || byte == b';') {
        *rest = after.chars();
    }
}

/// What a control sequence does to the text around it.
enum Escape {
    Nothing,
    Space,
    /// The cursor moves: what follows stands elsewhere on the screen.
    Elsewhere,
}

/// Takes the rest of a control sequence, whose ESC was taken.
fn escape(rest: &mut std::str::Chars<'_>) -> Escape {
    match rest.next() {
        // CSI: parameters and intermediates, then one final byte (ECMA-48, 5.4).
        Some('[') => {
            while rest.clone().next().is_some_and(|c| matches!(c, ' '..='?')) {
                rest.next();
            }
            // systemd shortens a line in the midst of a sequence: what is no final byte belongs to the text.
            match rest.clone().next().filter(|c| matches!(c, '@'..='~')).and_then(|_| rest.next()) {
                Some('A' | 'B' | 'E' | 'F' | 'G' | 'H' | 'J' | 'd' | 'f') => Escape::Elsewhere,
                Some('C') => Escape::Space,
                _ => Escape::Nothing,
            }
        }
        // OSC, DCS, APC, PM, SOS: a string up to BEL or ST, such as a title or systemd's context marks.
        Some(']' | 'P' | '_' | '^' | 'X') => {
            let mut before = ' ';
            for c in rest.by_ref() {
                if c == '\u{7}' || c == '\u{9c}' || (before == '\u{1b}' && c == '\\') {
                    break;
                }
                before = c;
            }
            Escape::Nothing
        }
        // A character set: one byte more.
        Some('(' | ')' | '*' | '+' | '#' | '%') => {
            rest.next();
            Escape::Nothing
        }
        _ => Escape::Nothing,
    }
}

impl Line {
    /// Takes the time and the speaker off a line, in the forms of the kernel's log, journald on a console, and `journalctl`.
    fn parse(number: usize, line: &str) -> Self {
        let (at, text) = stamp(line);
        let text = date(text).unwrap_or(text);
        let (speaker, text) = speaker(text);
        Self { number, at, speaker: speaker.map(str::to_owned), text: text.to_owned() }
    }
}

/// Takes `[   12.345678] ` off, also where something else stands before it in the line, as interleaving consoles leave it.
fn stamp(line: &str) -> (Option<u64>, &str) {
    let Some(rest) = line.trim_start().strip_prefix('[') else { return (None, line) };
    let Some((time, rest)) = rest.split_once(']') else { return (None, line) };
    let Some((seconds, fraction)) = time.trim_start().split_once('.') else { return (None, line) };
    let digits = |text: &str, most: usize| (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(seconds, 9) || !digits(fraction, 9) {
        return (None, line);
    }
    let milliseconds = format!("{fraction:0<3}")[..3].parse::<u64>().unwrap_or_default();
    let seconds: u64 = seconds.parse().unwrap_or_default();
    // printk may add the processor or the thread: `[    0.5][    T1] `.
    let rest = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((thread, rest)) if thread.len() <= 8 => rest,
        _ => rest,
    };
    (Some(seconds * 1000 + milliseconds), rest.strip_prefix(' ').unwrap_or(rest))
}

/// Takes `Nov 23 11:03:22 host ` or `2026-11-23T11:03:22+0000 host ` off.
fn date(text: &str) -> Option<&str> {
    let weekday = text.get(..4).filter(|day| ["Mon ", "Tue ", "Wed ", "Thu ", "Fri ", "Sat ", "Sun "].contains(day));
    // `journalctl -o short-full` writes `Mon 2026-11-23 11:03:22 UTC host `.
    if let Some((_, rest)) = weekday.and_then(|_| text.split_once(' ')) {
        let mut words = rest.splitn(5, ' ');
        let is_date = words.next().is_some_and(|date| date.len() == 10 && date.matches('-').count() == 2);
        return is_date.then(|| words.nth(3)).flatten();
    }
    let mut words = text.splitn(5, ' ').filter(|word| !word.is_empty());
    let first = words.next()?;
    let is_clock = |word: &str| word.len() >= 8 && word.bytes().filter(|byte| *byte == b':').count() >= 2;
    let begins = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
    let clock = match first {
        "Jan" | "Feb" | "Mar" | "Apr" | "May" | "Jun" | "Jul" | "Aug" | "Sep" | "Oct" | "Nov" | "Dec" => {
            words.next().filter(|day| begins(day))?;
            words.next()?
        }
        word if word.contains('T') => word,
        _ => return None,
    };
    let rest = is_clock(clock).then(|| text.split_once(clock))??.1.strip_prefix(' ')?;
    Some(rest.split_once(' ')?.1)
}

/// Takes `ignition[812]: ` off, and the host's name where `journalctl -o short-monotonic` writes it before.
fn speaker(text: &str) -> (Option<&str>, &str) {
    let Some((before, said)) = text.split_once(": ") else { return (None, text) };
    let Some((name, pid)) = before.strip_suffix(']').and_then(|before| before.rsplit_once('[')) else {
        return (None, text);
    };
    let name = name.rsplit(' ').next().unwrap_or(name);
    let is_word = |c: char| c.is_ascii_alphanumeric() || "-_.@()/+".contains(c);
    let is_pid = !pid.is_empty() && pid.len() <= 10 && pid.bytes().all(|byte| byte.is_ascii_digit());
    if !is_pid || name.is_empty() || name.len() > 40 || !name.chars().all(is_word) {
        return (None, text);
    }
    (Some(name), said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Line> {
        Log::read(text.as_bytes()).unwrap().lines
    }

    #[test]
    fn time_and_speaker_are_told_in_every_form_a_console_or_the_journal_writes() {
        for (line, at, speaker, text) in [
            ("[   13.890734] ignition[102]: Stage: disks", Some(13_890), Some("ignition"), "Stage: disks"),
            ("[    0.000000] Linux version 6.1", Some(0), None, "Linux version 6.1"),
            ("[    0.500000][    T1] pci: x", Some(500), None, "pci: x"),
            ("Nov 23 11:03:22 nas ignition[1]: INFO : x", None, Some("ignition"), "INFO : x"),
            ("Nov  3 11:03:22 nas systemd[1]: y: z", None, Some("systemd"), "y: z"),
            ("2026-11-23T11:03:22+0000 nas kernel: y", None, None, "kernel: y"),
            ("Mon 2026-11-23 11:03:22 UTC nas sshd[5]: y", None, Some("sshd"), "y"),
            ("Mon Nov 23 begins", None, None, "Mon Nov 23 begins"),
            ("Sun 2026-11-23 x", None, None, "Sun 2026-11-23 x"),
            ("[    5.100000] nas ignition[812]: x", Some(5100), Some("ignition"), "x"),
            ("[  OK  ] Started a.service.", None, None, "[  OK  ] Started a.service."),
            ("[99999999999.1] x", None, None, "[99999999999.1] x"),
            ("INFO     : Ignition 2.14.0", None, None, "INFO     : Ignition 2.14.0"),
        ] {
            let found = Line::parse(1, line);
            assert_eq!((found.at, found.speaker.as_deref(), found.text.as_str()), (at, speaker, text), "{line}");
        }
    }

    #[test]
    fn out_14_control_sequences_leave_the_text_and_nothing_else() {
        for (raw, shown) in [
            ("\u{1b}[K[\u{1b}[0;1;31m TIME \u{1b}[0m] Timed out", "[ TIME ] Timed out"),
            ("\u{1b}]0;title\u{7}a\u{1b}(Bb\u{1b}Mc", "abc"),
            ("\u{1b}]3008;start=x\u{1b}\\login:", "login:"),
            ("ab\u{8}c", "ac"),
            ("a\u{202e}b\u{9b}31mc\u{0}", "ab31mc"),
            ("a\u{1b}[3Cb", "a b"),
            ("device \u{1b}[0;1;…[0m - /dev/x", "device … - /dev/x"),
            ("…[no]", "…[no]"),
            ("a\u{1b}[", "a"),
            ("a\u{1b}", "a"),
        ] {
            let lines = read(raw);
            assert_eq!(lines.len(), 1, "{raw:?}");
            assert_eq!(lines[0].text, shown);
        }
        let moved: Vec<_> =
            read("one\rtwo\u{1b}[7;20Hthree\r\n\r\nfour").into_iter().map(|l| (l.number, l.text)).collect();
        assert_eq!(moved, [(1, "one".into()), (1, "two".into()), (1, "three".into()), (3, "four".to_owned())]);
    }

    #[test]
    fn a_log_of_any_length_costs_bounded_memory_and_says_what_was_skipped() {
        let line = b"0123456789 abcdef\n";
        let endless = std::iter::repeat_n(line, (HEAD + 3 * TAIL) / line.len()).flatten().copied();
        struct Bytes<I>(I);
        impl<I: Iterator<Item = u8>> Read for Bytes<I> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                Ok(buffer.iter_mut().zip(&mut self.0).map(|(to, byte)| *to = byte).count())
            }
        }
        let log = Log::read(Bytes(endless)).unwrap();
        assert!(log.skipped as usize >= TAIL, "{}", log.skipped);
        assert!(log.lines.len() <= HEAD_LINES + TAIL_LINES);
        assert!(log.lines.iter().all(|line| line.text == "0123456789 abcdef"));
        let long = Log::read(std::io::repeat(b'x').take(1 << 20)).unwrap();
        assert_eq!((long.lines.len(), long.lines[0].text.len()), (1, LONGEST));
    }
}
