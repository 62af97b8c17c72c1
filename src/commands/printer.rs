//! The two channels: data on stdout, talk on stderr; nothing raw from elsewhere reaches either.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::context::GlobalOptions;
use super::progress::Progress;
use crate::base::{Diagnostic, Diagnostics, Event, Finding, text};
use crate::host::Environment;
use crate::report::{self, Severity};

/// What a command returns: `Serialize` is its JSON document, `print` its text.
pub(crate) trait Output: Serialize {
    /// Prints it as text: data on stdout, what it means for a person on stderr.
    fn print(&self, printer: &Printer);
}

/// A path that a command prints; in JSON, which is Unicode, bytes that are not are replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShownPath(pub(crate) PathBuf);

impl Serialize for ShownPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.display())
    }
}

impl std::ops::Deref for ShownPath {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl<P: Into<PathBuf>> From<P> for ShownPath {
    fn from(path: P) -> Self {
        Self(path.into())
    }
}

/// Writes to stdout and stderr, and holds the progress bar.
pub(crate) struct Printer {
    is_quiet: bool,
    is_verbose: bool,
    is_json: bool,
    is_coloured: bool,
    progress: Progress,
    /// Why stdout did not take the data, where it did not.
    refused: Mutex<Option<std::io::Error>>,
    has_document: AtomicBool,
}

impl Printer {
    pub(crate) fn new(global: &GlobalOptions, environment: Option<&Environment>) -> Self {
        let set = |name: &str| environment.is_some_and(|environment| environment.variable(name).is_some());
        let is_terminal = std::io::stderr().is_terminal() && !set("CI");
        let is_dumb =
            environment.and_then(|environment| environment.variable("TERM")).is_some_and(|term| term == "dumb");
        let is_coloured = is_terminal && !set("NO_COLOR") && !is_dumb;
        let is_silent = global.quiet || global.json;
        Self {
            is_quiet: global.quiet,
            is_verbose: global.verbose,
            is_json: global.json,
            is_coloured,
            progress: Progress::new(is_silent, is_terminal && !is_dumb),
            refused: Mutex::new(None),
            has_document: AtomicBool::new(false),
        }
    }

    pub(crate) const fn is_json(&self) -> bool {
        self.is_json
    }

    pub(crate) const fn is_quiet(&self) -> bool {
        self.is_quiet
    }

    /// Writes data to stdout; a closed pipe is success, as it is for every filter.
    pub(crate) fn data(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => self.refuse(error),
            _ => {}
        }
    }

    /// Fails where data did not reach stdout: a full disk under a redirection must not end in success.
    pub(crate) fn delivered(&self) -> Result<(), Diagnostic> {
        match self.refused.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(Diagnostic::io("cannot write to stdout", &error)),
            None => Ok(()),
        }
    }

    /// Returns whether the one JSON document of this run is written.
    pub(crate) fn has_document(&self) -> bool {
        self.has_document.load(Ordering::Relaxed)
    }

    /// Prints what a rule noticed, unless asked to be quiet.
    pub(crate) fn finding(&self, finding: &Finding) {
        if !self.is_quiet {
            self.write(&report::render_finding(finding, self.is_coloured));
        }
    }

    /// Prints what a command returned: as the one JSON document, or as text.
    pub(crate) fn show(&self, output: &impl Output) -> Result<(), Diagnostics> {
        if self.is_json {
            self.json(output)
        } else {
            output.print(self)
        }
        Ok(self.delivered()?)
    }

    /// Writes one JSON document to stdout, its keys sorted.
    pub(crate) fn json(&self, value: &impl Serialize) {
        self.has_document.store(true, Ordering::Relaxed);
        match serde_json::to_value(value) {
            Ok(value) => self.data(&format!("{}\n", escaped(&format!("{value:#}")))),
            Err(error) => self.refuse(error.into()),
        }
    }

    fn refuse(&self, error: std::io::Error) {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    /// Writes a line of data to stdout.
    pub(crate) fn line(&self, text: impl Display) {
        self.data(&format!("{text}\n"));
    }

    /// Writes text from elsewhere to stdout, made safe for a terminal, with a line end.
    pub(crate) fn text(&self, text: &str) {
        let text = text::sanitise(text);
        self.data(&text);
        if !text.ends_with('\n') {
            self.data("\n");
        }
    }

    /// Prints lines on stderr, unless asked to be quiet.
    pub(crate) fn say(&self, lines: &str) {
        if !self.is_quiet {
            self.write(&text::sanitise(lines));
        }
    }

    /// Prints `label value` lines on stderr, aligned.
    pub(crate) fn say_aligned(&self, rows: &[(&str, String)]) {
        let width = rows.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
        let lines: Vec<_> = rows.iter().map(|(label, value)| format!("{label:<width$}  {value}")).collect();
        self.say(&lines.join("\n"));
    }

    /// Prints a problem; errors are printed even when quiet.
    pub(crate) fn problem(&self, problem: &Diagnostic, severity: Severity) {
        self.write(&report::render(problem, severity, self.is_coloured));
    }

    /// Writes lines that hold nothing raw from elsewhere any more; colours of our own are all that may be in them.
    fn write(&self, lines: &str) {
        self.progress.suspend(|| {
            let _ = writeln!(std::io::stderr().lock(), "{lines}");
        });
    }

    /// Prints an event.
    pub(crate) fn hear(&self, event: Event) {
        match event {
            Event::Warning { text } => {
                if !self.is_quiet {
                    self.write(&format!("warning: {}", crate::base::text::sanitise(&text)));
                }
            }
            Event::Reused { what, digest } if self.is_verbose => {
                self.say(&format!("reused   {what}  {}", digest.short()))
            }
            Event::Built { what, digest } if self.is_verbose => {
                self.say(&format!("built    {what}  {}", digest.short()))
            }
            Event::Fetched { what, from, size } if self.is_verbose => {
                self.say(&format!("fetched  {what}  {size} from {}", text::one_line(&from, 200)));
            }
            Event::Waiting { what } => self.say(&format!("waiting for another process that works on `{what}`")),
            Event::Told { text } => self.say(&text),
            Event::Reused { .. } | Event::Built { .. } | Event::Fetched { .. } => {}
            Event::Started { what, total } => self.progress.start(&what, total),
            Event::Progress { what, done } => self.progress.advance(&what, done),
            Event::Finished { .. } => self.progress.end(),
        }
    }

    pub(crate) fn end_progress(&self) {
        self.progress.end();
    }
}

/// Escapes what JSON allows to stand raw and a terminal obeys: DEL, C1 and direction marks.
fn escaped(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            // All of them stand in strings and in the basic plane, so one `\u` is enough (RFC 8259, section 7).
            c if text::is_unsafe(c) => shown.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_14_json_holds_no_character_that_a_terminal_obeys() {
        let value = serde_json::json!({ "said": "a\u{1b}b\u{9b}31mc\u{202e}d\u{7f}é" });
        let shown = escaped(&format!("{value:#}"));
        assert!(!shown.chars().any(text::is_unsafe), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }
}
