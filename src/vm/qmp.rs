//! QMP, QEMU's own protocol: one JSON value per line, over a socket in the instance's directory.
//!
//! Source: QEMU, `docs/interop/qmp-spec.rst`. Touches that socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::base::text::one_line;
use crate::base::{Code, Diagnostic};

/// The most bytes of one line; QEMU's own lines are a few hundred.
const LINE: u64 = 1 << 20;
/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A conversation.
#[derive(Debug)]
pub(crate) struct Qmp {
    stream: UnixStream,
    answers: Receiver<Value>,
}

impl Qmp {
    /// Greets QEMU; `hear` gets every event's name and data, on a thread of its own.
    pub(crate) fn greet(stream: UnixStream, hear: impl Fn(&str, &Value) + Send + 'static) -> Result<Self, Diagnostic> {
        let reader = stream.try_clone().map_err(|error| Diagnostic::io("QEMU's monitor cannot be read", &error))?;
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(reader);
            while let Some(value) = next(&mut reader) {
                if let Some(event) = value.get("event").and_then(Value::as_str) {
                    hear(event, &value["data"]);
                } else if value.get("QMP").is_none() && sender.send(value).is_err() {
                    break;
                }
            }
        });
        let mut qmp = Self { stream, answers };
        qmp.execute("qmp_capabilities", &Value::Null)?;
        Ok(qmp)
    }

    /// Has QEMU do something.
    ///
    /// # Errors
    ///
    /// `E_TOOL` with QEMU's own words where it refuses, or says nothing in a minute.
    pub(crate) fn execute(&mut self, command: &str, arguments: &Value) -> Result<Value, Diagnostic> {
        let failed =
            |why: &str| Diagnostic::new(Code::Tool, format!("QEMU did not do `{command}`")).cause(one_line(why, 300));
        let mut line = json!({ "execute": command });
        if !arguments.is_null() {
            line["arguments"] = arguments.clone();
        }
        self.stream.write_all(format!("{line}\n").as_bytes()).map_err(|error| failed(&error.to_string()))?;
        let mut answer = self.answers.recv_timeout(PATIENCE).map_err(|_| failed("its monitor says nothing"))?;
        match answer.get("error") {
            Some(error) => Err(failed(error["desc"].as_str().unwrap_or("it does not say why"))),
            None => Ok(answer["return"].take()),
        }
    }

    /// Gives a command to the monitor for people, and returns what it says; nothing is success there.
    pub(crate) fn human(&mut self, line: &str) -> Result<String, Diagnostic> {
        let said = self.execute("human-monitor-command", &json!({ "command-line": line }))?;
        Ok(said.as_str().unwrap_or_default().trim().to_owned())
    }
}

fn next(reader: &mut impl BufRead) -> Option<Value> {
    let mut line = vec![];
    let count = reader.by_ref().take(LINE).read_until(b'\n', &mut line).ok()?;
    if count == 0 { None } else { serde_json::from_slice(&line).ok() }
}
