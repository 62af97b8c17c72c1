//! The process QEMU: started so that it ends with us, whatever ends us. Starts processes.
//!
//! A child outlives a parent that is killed, and `unsafe` code between fork and exec is none of ours. So this program starts
//! itself once more, with [`WORD`] as its first argument; that copy asks the kernel for SIGTERM at its parent's death
//! (prctl(2), `PR_SET_PDEATHSIG`, which lasts through execve(2)), looks that the parent still lives, and becomes QEMU. SIGTERM
//! is what QEMU shuts down properly at. Read next: [`super::qmp`], by which we talk to it.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use super::Program;
use crate::base::text::one_line;
use crate::base::{Code, Diagnostic};

/// The first argument of the copy that becomes QEMU; what follows is the parent's process id, the program, its arguments.
pub(crate) const WORD: &str = "--become-qemu";
/// How many of QEMU's last lines are kept.
const LINES: usize = 8;
/// The longest line that is read as one.
const LINE: u64 = 4096;

/// QEMU, or what it needs beside it, while it runs.
#[derive(Debug)]
pub(crate) struct Child {
    child: std::process::Child,
    /// The last lines that it said on stderr, each free of control characters.
    said: Arc<Mutex<Vec<String>>>,
    listener: Option<JoinHandle<()>>,
}

impl Child {
    /// Starts it in `directory`, out of the terminal's reach: Ctrl-C is for us.
    ///
    /// Must be called on a thread that lives as long as QEMU shall: the kernel takes that thread for the parent.
    pub(crate) fn start(program: &Program, directory: &Path, arguments: &[String]) -> Result<Self, Diagnostic> {
        let mut command = Command::new("/proc/self/exe");
        command.arg(WORD).arg(std::process::id().to_string()).arg(program.path()).args(arguments);
        command.current_dir(directory).env("LC_ALL", "C").process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| {
            Diagnostic::new(Code::Tool, format!("`{}` cannot be started", program.name())).cause(error)
        })?;
        let said = Arc::<Mutex<Vec<String>>>::default();
        let kept = Arc::clone(&said);
        // To its end on a thread, so that the program never waits for us.
        let stderr = child.stderr.take();
        let listener = stderr.map(|stream| std::thread::spawn(move || listen(BufReader::new(stream), &kept)));
        Ok(Self { child, said, listener })
    }

    /// Returns how it ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for its end; where it takes longer than `limit`, it is killed.
    pub(crate) fn end_within(&mut self, limit: Duration) {
        let begun = Instant::now();
        while self.ended().is_none() {
            if begun.elapsed() >= limit {
                let _ = self.child.kill().and_then(|()| self.child.wait());
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Adds to a problem what it said last, or how it ended.
    pub(crate) fn told(&mut self, problem: Diagnostic) -> Diagnostic {
        // The last words come by a thread of their own.
        let _ = self.listener.take().map(JoinHandle::join);
        let lines = self.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if !lines.is_empty() {
            return lines.into_iter().fold(problem, Diagnostic::cause);
        }
        problem.cause(self.ended().map_or("it runs".to_owned(), |status| match status.signal() {
            Some(signal) => format!("signal {signal} ended it"),
            None => format!("it ended with status {}", status.code().unwrap_or_default()),
        }))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.ended().is_none() {
            let _ = self.child.kill().and_then(|()| self.child.wait());
        }
    }
}

fn listen(mut stream: impl BufRead, kept: &Mutex<Vec<String>>) {
    let mut line = vec![];
    while stream.by_ref().take(LINE).read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
        let text = String::from_utf8_lossy(&line);
        if !text.trim().is_empty() {
            let mut lines = kept.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push(one_line(text.trim_end(), 300));
            let more = lines.len().saturating_sub(LINES);
            lines.drain(..more);
        }
        line.clear();
    }
}

/// Becomes QEMU; returns only where that fails. `words` are the process's own, from [`WORD`] on.
pub(crate) fn become_qemu(words: &[OsString]) -> Diagnostic {
    let bug = || Diagnostic::new(Code::Usage, format!("`{WORD}` is for this program's own use"));
    let [_, parent, program, arguments @ ..] = words else { return bug() };
    if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
        return Diagnostic::io("the kernel does not tell of a parent's death", &error.into());
    }
    let parent = parent.to_str().and_then(|text| text.parse().ok());
    // It may have died before we asked to be told.
    if getppid().map(rustix::process::Pid::as_raw_nonzero).map(std::num::NonZero::get) != parent {
        return bug();
    }
    let error = Command::new(program).args(arguments).exec();
    Diagnostic::io(format!("`{}` cannot be started", program.to_string_lossy()), &error)
}
