//! The serial console: what the guest says goes to where it is wanted, what is typed goes to the guest.
//!
//! Bytes pass as they are: it is the guest's own terminal, as `virsh console` and QEMU's `-serial stdio` show it. Touches the
//! socket of the console, and what it is given.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};

use super::watch::Notice;
use crate::base::text::one_line;

/// Where the console goes and what is typed comes from.
pub struct Terminal {
    pub out: Box<dyn Write + Send>,
    /// Typed keys, where somebody can type.
    pub keys: Option<Box<dyn Read + Send>>,
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").field("keys", &self.keys.is_some()).finish_non_exhaustive()
    }
}

/// The key that begins a command, as QEMU has it: Ctrl-A.
const ESCAPE: u8 = 1;
/// The longest line that is looked at as one.
const LINE: usize = 4096;

/// The line that was said last and is not empty.
#[derive(Clone, Debug, Default)]
pub struct LastLine(Arc<Mutex<String>>);

impl LastLine {
    /// Returns it, free of control characters.
    pub fn get(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        if !text.trim().is_empty() {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = one_line(text.trim(), 200);
        }
    }
}

/// Looks for a text in what passes, however it is cut.
#[derive(Debug)]
struct Finder {
    wanted: Vec<u8>,
    tail: Vec<u8>,
}

impl Finder {
    fn found(&mut self, bytes: &[u8]) -> bool {
        self.tail.extend_from_slice(bytes);
        let found = !self.wanted.is_empty() && self.tail.windows(self.wanted.len()).any(|part| part == self.wanted);
        let kept = self.wanted.len().saturating_sub(1).min(self.tail.len());
        self.tail.drain(..self.tail.len() - kept);
        found
    }
}

/// Passes the console on until QEMU closes it; tells when `pattern` was said.
pub fn pump(
    mut from: UnixStream,
    mut out: Box<dyn Write + Send>,
    pattern: Option<&str>,
    last: &LastLine,
    tell: &Sender<Notice>,
) {
    let mut finder = pattern.map(|text| Finder { wanted: text.as_bytes().to_vec(), tail: vec![] });
    let mut line = vec![];
    let mut buffer = [0; 1 << 14];
    loop {
        let bytes = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => &buffer[..count],
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        // Nobody may listen any more; the guest goes on, and what it says stands in the log.
        let _ = out.write_all(bytes).and_then(|()| out.flush());
        for &byte in bytes {
            match byte {
                b'\n' => last.set(&std::mem::take(&mut line)),
                _ if line.len() < LINE => line.push(byte),
                _ => {}
            }
        }
        last.set(&line);
        if finder.as_mut().is_some_and(|finder| finder.found(bytes)) {
            finder = None;
            let _ = tell.send(Notice::Pattern);
        }
    }
    let _ = tell.send(Notice::ConsoleClosed);
}

/// What typed bytes mean: what goes to the guest, and whether the person asks for the end.
#[derive(Debug, Default)]
struct Keys {
    escaped: bool,
}

impl Keys {
    fn read(&mut self, typed: &[u8]) -> (Vec<u8>, bool) {
        let (mut bytes, mut quit) = (vec![], false);
        for &byte in typed {
            match (std::mem::take(&mut self.escaped), byte) {
                (false, ESCAPE) => self.escaped = true,
                (false, _) | (true, ESCAPE) => bytes.push(byte),
                (true, b'x' | b'X') => quit = true,
                (true, _) => {}
            }
        }
        (bytes, quit)
    }
}

/// Passes keys on to the guest; Ctrl-A X asks for the end, Ctrl-A Ctrl-A is one Ctrl-A.
pub fn type_into(mut to: UnixStream, mut keys: Box<dyn Read + Send>, tell: &Sender<Notice>) {
    let (mut meaning, mut buffer) = (Keys::default(), [0; 256]);
    while let Ok(count @ 1..) = keys.read(&mut buffer) {
        let (bytes, quit) = meaning.read(&buffer[..count]);
        if quit {
            let _ = tell.send(Notice::Quit);
        }
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_however_it_is_cut() {
        for cut in 0..=12 {
            let mut finder = Finder { wanted: b"login:".to_vec(), tail: vec![] };
            let said = b"nas login: x";
            let found = [finder.found(&said[..cut]), finder.found(&said[cut..])];
            assert_eq!(found.iter().filter(|found| **found).count(), 1, "{cut}");
        }
        let mut finder = Finder { wanted: b"ab".to_vec(), tail: vec![] };
        assert!(![&b"a"[..], b"", b"a", b"c", b"b"].iter().any(|part| finder.found(part)));
    }

    #[test]
    fn ctrl_a_x_asks_for_the_end_and_all_else_goes_to_the_guest() {
        for (typed, bytes, quit) in [
            (&b"ls\r"[..], &b"ls\r"[..], false),
            (b"\x03", b"\x03", false),
            (b"\x01x", b"", true),
            (b"a\x01Xb", b"ab", true),
            (b"\x01\x01", b"\x01", false),
            (b"\x01c", b"", false),
        ] {
            assert_eq!(Keys::default().read(typed), (bytes.to_vec(), quit));
            let mut keys = Keys::default();
            let one_by_one: Vec<_> = typed.iter().map(|byte| keys.read(&[*byte])).collect();
            assert_eq!(one_by_one.iter().flat_map(|(bytes, _)| bytes.clone()).collect::<Vec<_>>(), bytes);
            assert_eq!(one_by_one.iter().any(|(_, quit)| *quit), quit);
        }
    }
}
