//! What a run waits for: how it comes, how it fails to come, and what happens then.
//!
//! Read next: `vm::watch` (the loop that hears the machine).

use std::path::Path;
use std::time::Duration;

use super::RunOutput;
use super::prepared::Prepared;
use crate::base::text::one_line;
use crate::base::{ByteSize, Code, Diagnostic};
use crate::commands::kept_vms::powering_off;
use crate::doctor::{Found, Log, diagnose};
use crate::guest_report;
use crate::host::files;
use crate::vm::watch::{Outcome, Running, VmEvent, WaitFor};

/// How many failures are told with what did not come.
const SHOWN: usize = 5;
/// The longest console log that is looked through when a run fails.
const LARGEST_LOG: ByteSize = ByteSize::mib(16);

impl Prepared<'_> {
    /// Waits for what is asked for, then for the machine's end, or ends it; `log` is what its console said.
    pub(super) fn look_after(&self, running: &mut Running, log: &Path, ran: &mut RunOutput) -> Result<(), Diagnostic> {
        if self.until != WaitFor::Off {
            let limit = Some(self.options.timeout());
            match running.watch(&self.until, limit)? {
                Outcome::Reached(notice) => self.reached(notice, ran),
                Outcome::Off(reason) => return Err(with_findings(self.too_early(running, &reason), log)),
                Outcome::Quit => return Err(running.quit().err().unwrap_or_else(|| self.given_up(running))),
                ended @ (Outcome::TimedOut | Outcome::Emergency) => {
                    let problem = match ended {
                        Outcome::Emergency => self.in_emergency(running),
                        _ => self.too_late(running, self.options.timeout()),
                    };
                    self.end(running, ran)?;
                    return Err(with_findings(problem, log));
                }
                Outcome::Interrupted(signal) => {
                    ran.missed = Some(self.awaited());
                    return self.interrupted(running, signal, ran);
                }
            }
            if !self.goes_on() {
                return self.end(running, ran);
            }
            running.give_ctrl_c();
        }
        match running.watch(&WaitFor::Off, None)? {
            Outcome::Off(reason) => ran.off = Some(reason),
            Outcome::Interrupted(signal) => return self.interrupted(running, signal, ran),
            // Ctrl-A X is the plug, as in QEMU.
            _ => return running.quit(),
        }
        Ok(())
    }

    /// Returns what is waited for, and how long; nothing where nothing is.
    pub(super) fn wait_line(&self) -> Option<String> {
        let limit = (self.until != WaitFor::Off).then(|| self.options.timeout())?.as_secs();
        Some(format!("wait     at most {limit} s for {} (`--timeout`)", self.awaited()))
    }

    /// Returns whom the keys are for, to somebody who sits at the console.
    pub(super) fn console_line(&self) -> String {
        match self.until {
            WaitFor::Off => "console  Ctrl-A X ends the machine; Ctrl-C goes to the guest".to_owned(),
            _ if self.goes_on() => {
                let awaited = self.awaited();
                format!(
                    "console  Ctrl-A X ends the machine; so does Ctrl-C until {awaited} came, then it goes to the guest"
                )
            }
            _ => "console  Ctrl-A X or Ctrl-C ends the machine".to_owned(),
        }
    }

    /// Returns whether somebody goes on to work with the machine when what was waited for is there.
    const fn goes_on(&self) -> bool {
        self.options.is_interactive && !self.options.test
    }

    fn reached(&self, notice: VmEvent, ran: &mut RunOutput) {
        let (word, mut told) = match notice {
            VmEvent::Report(stream) => {
                if let Some(expectation) = self.expectation.as_ref().filter(|_| self.options.test) {
                    ran.judge(guest_report::judge(expectation, &stream));
                }
                ("report", "the guest has reported: provisioning is done".to_owned())
            }
            VmEvent::Ssh(banner) => ("ssh", format!("the guest's ssh server answers: {banner}")),
            _ => ("text", format!("{} was said on the console", self.awaited())),
        };
        ran.reached = Some(word);
        if self.goes_on() {
            told += "; the machine goes on: Ctrl-A X ends it, Ctrl-C goes to the guest now";
        }
        self.context.tell(told);
    }

    fn interrupted(&self, running: &mut Running, signal: i32, ran: &mut RunOutput) -> Result<(), Diagnostic> {
        ran.signal = Some(signal);
        self.end(running, ran)
    }

    /// Ends the machine: what is thrown away need not be written properly, what is kept is asked first.
    fn end(&self, running: &mut Running, ran: &RunOutput) -> Result<(), Diagnostic> {
        if self.keep.is_none() {
            return running.quit();
        }
        let again = if ran.signal.is_some() { " again" } else { "" };
        let text = format!("{}; Ctrl-C{again} forces it off now", powering_off(&self.name));
        running.power_off(|| self.context.tell(text)).map(drop)
    }

    fn too_early(&self, running: &Running, reason: &str) -> Diagnostic {
        let problem = Diagnostic::new(Code::Guest, format!("`{}` went off before {} came", self.name, self.awaited()));
        let problem = self.with_pending(problem.fact("reason", in_words(reason)), running);
        self.with_last(problem, running, false)
    }

    fn too_late(&self, running: &Running, limit: Duration) -> Diagnostic {
        let (seconds, awaited) = (limit.as_secs(), self.awaited());
        let missing = if running.pending().is_some() { "its report is pending, and the last one" } else { &awaited };
        let headline = format!("`{}` is not done after {seconds} seconds: {missing} did not come", self.name);
        self.with_last(self.with_pending(Diagnostic::new(Code::Guest, headline), running), running, true)
    }

    /// Nobody sits at that shell, and the guest waits in it for ever.
    fn in_emergency(&self, running: &Running) -> Diagnostic {
        let headline = format!("`{}` ended in an emergency shell before {} came", self.name, self.awaited());
        self.with_last(self.with_pending(Diagnostic::new(Code::Guest, headline), running), running, false)
    }

    /// Adds what a report says that is not the last.
    fn with_pending(&self, problem: Diagnostic, running: &Running) -> Diagnostic {
        let Some(report) = running.pending() else { return problem };
        let problem = problem.cause("a report came by which the guest was yet to restart by itself");
        let Some(expectation) = &self.expectation else { return problem };
        let verdict = guest_report::judge(expectation, report);
        let failures = verdict.failures().filter(|check| check.kind != "report").take(SHOWN);
        failures.fold(problem, |problem, check| {
            problem.fact("not as asked", format!("{}: {}", check.name(), check.difference()))
        })
    }

    /// Whoever ends it must not learn from success that the machine is as asked.
    fn given_up(&self, running: &Running) -> Diagnostic {
        let headline = format!("`{}` was ended from the terminal before {} came", self.name, self.awaited());
        let problem = Diagnostic::new(Code::Guest, headline).cause("so nothing is known of how it came up");
        self.with_last(problem, running, false)
    }

    fn awaited(&self) -> String {
        match &self.until {
            WaitFor::Report => "its report".to_owned(),
            WaitFor::Ssh => "an answer of its ssh server".to_owned(),
            WaitFor::Pattern(text) => format!("`{}`", one_line(text, 80)),
            WaitFor::Off => "its end".to_owned(),
        }
    }

    /// Adds what the guest said last, and where to look further; more time helps only where it ran out.
    fn with_last(&self, problem: Diagnostic, running: &Running, is_late: bool) -> Diagnostic {
        let last = running.last_line();
        let problem = problem.fact("said last", if last.is_empty() { "nothing".into() } else { last });
        let longer = if is_late { "`--timeout SECONDS` gives it longer; " } else { "" };
        match &self.keep {
            Some((name, _)) => {
                let doctor = self.about(&format!("doctor {name}"));
                let hint = format!("{longer}`{doctor}` reads its console for known failures");
                problem.note("the instance is kept as it is").hint(hint)
            }
            None => {
                let hint = "`--console FILE` keeps what it says, for `arca-build doctor FILE`";
                problem.hint(format!("{longer}{hint}"))
            }
        }
    }
}

/// Adds what is known of failures in a console's log, and how to mend the first.
fn with_findings(problem: Diagnostic, log: &Path) -> Diagnostic {
    let Ok(Some(bytes)) = files::read_small(log, LARGEST_LOG) else { return problem };
    let Ok(log) = Log::read(bytes.as_slice()) else { return problem };
    let diagnosis = diagnose(&log);
    let wrong = diagnosis.findings.iter().filter(|found| found.issue.kind.is_wrong() || found.issue.rest);
    let mut told = wrong.filter(|found| found.after.is_none() || !found.issue.symptom).take(SHOWN).peekable();
    let fix = told.peek().map(|found| found.issue.fix.clone());
    let tell = |problem: Diagnostic, found: &Found| {
        problem.fact("doctor", format!("{}[{}]: {}", found.issue.kind.as_str(), found.issue.id, found.headline()))
    };
    let problem = told.fold(problem, tell);
    fix.into_iter().fold(problem, |problem, fix| problem.fact("fix", fix))
}

/// Returns QEMU's reason in words (QEMU, `qapi/run-state.json`, `ShutdownCause`).
fn in_words(reason: &str) -> &str {
    match reason {
        "" => "unknown",
        "guest-shutdown" => "the guest switched itself off",
        "guest-reset" => "the guest restarted, which ends this run",
        "guest-panic" => "the guest's kernel panicked",
        "host-qmp-quit" => "it was forced off from outside",
        "host-signal" => "a signal ended its QEMU",
        "host-ui" => "its window was closed",
        "host-error" => "QEMU had an error",
        other => other,
    }
}
