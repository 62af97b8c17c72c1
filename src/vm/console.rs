//! The serial console: what the guest says goes to where it is wanted, what is typed goes to the guest.
//!
//! Bytes pass as they are: it is the guest's own terminal, as `virsh console` and QEMU's `-serial stdio` show it. Touches the
//! socket of the console, and what it is given.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};

use super::watch::VmEvent;
use crate::base::text::one_line;
use crate::doctor::{KNOWN, log};

/// Where the console goes and what is typed comes from.
pub(crate) struct Terminal {
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
/// Ctrl-C.
const INTERRUPT: u8 = 3;
/// The longest line that is looked at as one.
const LINE: usize = 4096;

/// The line that was said last and is not empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastLine(Arc<Mutex<String>>);

impl LastLine {
    /// Returns it, free of control characters.
    pub(crate) fn get(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes a line, and returns what a person sees of it.
    fn set(&self, line: &[u8]) -> Option<String> {
        let text = log::plain(&String::from_utf8_lossy(line))?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = one_line(text.trim(), 200);
        Some(text)
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

/// Passes the console on until QEMU closes it; tells when `pattern` was said, and of an emergency shell.
pub(crate) fn pump(
    mut from: UnixStream,
    mut out: Box<dyn Write + Send>,
    pattern: Option<&str>,
    last: &LastLine,
    tell: &Sender<VmEvent>,
) {
    let mut finder = pattern.map(|text| Finder { wanted: text.as_bytes().to_vec(), tail: vec![] });
    let mut line = vec![];
    let mut is_emergency = false;
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
                b'\n' => {
                    let text = last.set(&std::mem::take(&mut line));
                    if !is_emergency && text.is_some_and(|text| KNOWN.is_emergency(&text)) {
                        is_emergency = true;
                        let _ = tell.send(VmEvent::Emergency);
                    }
                }
                _ if line.len() < LINE => line.push(byte),
                _ => {}
            }
        }
        last.set(&line);
        if finder.as_mut().is_some_and(|finder| finder.found(bytes)) {
            finder = None;
            let _ = tell.send(VmEvent::Pattern);
        }
    }
    let _ = tell.send(VmEvent::ConsoleClosed);
}

/// What typed bytes mean: what goes to the guest, and whether the person asks for the end.
#[derive(Debug, Default)]
struct Keys {
    escaped: bool,
}

impl Keys {
    /// Reads what was typed; `ours` tells whether Ctrl-C is for us.
    fn read(&mut self, typed: &[u8], ours: bool) -> (Vec<u8>, Option<VmEvent>) {
        let (mut bytes, mut asked) = (vec![], None);
        for &byte in typed {
            match (std::mem::take(&mut self.escaped), byte) {
                (false, ESCAPE) => self.escaped = true,
                (false, INTERRUPT) if ours => asked = Some(VmEvent::Interrupt),
                (false, _) | (true, ESCAPE) => bytes.push(byte),
                (true, b'x' | b'X') => asked = Some(VmEvent::Quit),
                (true, _) => {}
            }
        }
        (bytes, asked)
    }
}

/// Passes keys on to the guest; Ctrl-A X asks for the end, Ctrl-A Ctrl-A is one Ctrl-A. So does Ctrl-C as long as `ours` is set;
/// else it is the guest's like every key.
pub(crate) fn type_into(mut to: UnixStream, mut keys: Box<dyn Read + Send>, ours: &AtomicBool, tell: &Sender<VmEvent>) {
    let (mut meaning, mut buffer) = (Keys::default(), [0; 256]);
    while let Ok(count @ 1..) = keys.read(&mut buffer) {
        let (bytes, asked) = meaning.read(&buffer[..count], ours.load(Ordering::Relaxed));
        if let Some(asked) = asked {
            let _ = tell.send(asked);
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
    fn of_what_is_said_the_last_line_is_free_of_control_sequences_and_a_shell_is_heard_once() {
        for (said, shown, heard) in [
            ("a\n\x1b[0;1;31mFAILED\x1b[0m it\n", "FAILED it", 0),
            ("\x1b[2Kone\r\x1b[Ktwo\n\x1b[0m\n", "two", 0),
            ("\x1b[1mEntering emergency \x1b[0mmode.\nYou are in emergency mode.\n", "You are in emergency mode.", 1),
            ("[  \x1b[0;32mOK\x1b[0m  ] Started \x1b[0;1;39memergency.service\x1b[0m - Emergency Shell.\n#", "#", 1),
            ("an emergency\nlogin:", "login:", 0),
        ] {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            let (tell, told) = std::sync::mpsc::channel();
            theirs.write_all(said.as_bytes()).unwrap();
            drop(theirs);
            let last = LastLine::default();
            pump(ours, Box::new(std::io::sink()), None, &last, &tell);
            assert_eq!(last.get(), shown, "{said:?}");
            assert_eq!(told.try_iter().filter(|event| *event == VmEvent::Emergency).count(), heard, "{said:?}");
        }
    }

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
    fn ctrl_a_x_asks_for_the_end_and_all_else_goes_to_the_guest_but_a_ctrl_c_that_is_ours() {
        for (typed, ours, bytes, asked) in [
            (&b"ls\r"[..], true, &b"ls\r"[..], None),
            (b"\x03", false, b"\x03", None),
            (b"a\x03b", true, b"ab", Some(VmEvent::Interrupt)),
            (b"\x01x", false, b"", Some(VmEvent::Quit)),
            (b"a\x01Xb", true, b"ab", Some(VmEvent::Quit)),
            (b"\x01\x01", true, b"\x01", None),
            (b"\x01c", false, b"", None),
        ] {
            assert_eq!(Keys::default().read(typed, ours), (bytes.to_vec(), asked.clone()));
            let mut keys = Keys::default();
            let one_by_one: Vec<_> = typed.iter().map(|byte| keys.read(&[*byte], ours)).collect();
            assert_eq!(one_by_one.iter().flat_map(|(bytes, _)| bytes.clone()).collect::<Vec<_>>(), bytes);
            assert_eq!(one_by_one.into_iter().find_map(|(_, asked)| asked), asked);
        }
    }
}
