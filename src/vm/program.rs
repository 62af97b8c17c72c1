//! One program of the host: found, started with an argument list, waited for. Starts processes.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use super::signals::Signals;
use crate::base::text::one_line;
use crate::base::{Code, Diagnostic};

/// The most that is kept of what a program says, in bytes for each of its streams; the rest is read and dropped.
const KEPT: usize = 4 << 20;
/// How long a program may take: virsh's `start` waits for huge pages and firmware.
const LIMIT: Duration = Duration::from_secs(300);
/// How often we look whether it has ended.
const TICK: Duration = Duration::from_millis(2);
/// How long it is listened to after its end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A program that exists.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    name: String,
    path: PathBuf,
    limit: Duration,
    signals: Signals,
}

/// What a program said until it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finished {
    /// The exit status; `None` where a signal ended it.
    pub status: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Program {
    /// Finds a program in the directories of `search`, which is the value of `PATH`.
    ///
    /// # Errors
    ///
    /// `E_TOOL` where none of them has it; `hint` says how to get it.
    pub(crate) fn find(name: &str, search: Option<&OsStr>, hint: &str) -> Result<Self, Diagnostic> {
        let directories = search.map(std::env::split_paths).into_iter().flatten();
        let mut candidates = directories.filter(|directory| directory.is_absolute()).map(|dir| dir.join(name));
        match candidates.find(|path| is_executable(path)) {
            Some(path) => Ok(Self { name: name.to_owned(), path, limit: LIMIT, signals: Signals::default() }),
            None => Err(Diagnostic::new(Code::Tool, format!("there is no program `{name}`"))
                .cause("no directory of PATH has it")
                .hint(hint)),
        }
    }

    /// Has its runs end when one of the signals comes.
    pub(crate) fn heeding(self, signals: &Signals) -> Self {
        Self { signals: signals.clone(), ..self }
    }

    /// Has its runs end after a while: for who clears up and has no time to lose.
    pub(crate) fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Returns the name it was looked for by.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Begins a command line, for callers that keep the process.
    pub(crate) fn command(&self) -> Command {
        Command::new(&self.path)
    }

    /// Runs it to its end without input, messages in the untranslated language.
    ///
    /// # Errors
    ///
    /// `E_TOOL` where it cannot be started, or says nothing final for five minutes. What it returns is the caller's to judge.
    pub(crate) fn run(&self, arguments: &[OsString]) -> Result<Finished, Diagnostic> {
        let mut command = self.command();
        command.args(arguments).env("LC_ALL", "C");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| self.problem("cannot be started", &error))?;
        let (sender, heard) = mpsc::sync_channel(16);
        read(child.stdout.take(), false, &sender);
        read(child.stderr.take(), true, &sender);
        drop(sender);
        let (ended, stdout, stderr) = self.hear(&mut child, &heard);
        match ended.map_err(|error| self.problem("cannot be waited for", &error))? {
            End::Status(status) => Ok(Finished { status: status.code(), stdout, stderr }),
            End::Late => Err(Diagnostic::new(
                Code::Tool,
                format!("`{}` did not end within {} s", self.name, self.limit.as_secs()),
            )
            .fact("program", self.path.display())
            .note("it was ended")),
            End::Signal => Err(Diagnostic::new(Code::Interrupted, format!("interrupted while `{}` ran", self.name))),
        }
    }

    /// Listens until it has ended, and then for what is left to hear; a process that it left behind may hold the pipes.
    fn hear(&self, child: &mut Child, heard: &Receiver<Chunk>) -> (io::Result<End>, Vec<u8>, Vec<u8>) {
        let (mut stdout, mut stderr) = (vec![], vec![]);
        let begun = Instant::now();
        let mut ended = None;
        loop {
            match heard.recv_timeout(TICK) {
                Ok((false, bytes)) => keep(&mut stdout, &bytes),
                Ok((true, bytes)) => keep(&mut stderr, &bytes),
                Err(RecvTimeoutError::Disconnected) if ended.is_some() => break,
                // It closed them and goes on.
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(TICK),
                Err(RecvTimeoutError::Timeout) => {}
            }
            match ended {
                None => ended = self.end(child, begun.elapsed() >= self.limit).map(|end| (Instant::now(), end)),
                Some((since, _)) if since.elapsed() >= LAST_WORDS => break,
                Some(_) => {}
            }
        }
        (ended.map_or(Ok(End::Late), |(_, end)| end), stdout, stderr)
    }

    /// Returns how it ended, or ends it where that must be.
    fn end(&self, child: &mut Child, is_late: bool) -> Option<io::Result<End>> {
        let end = match child.try_wait() {
            Ok(Some(status)) => return Some(Ok(End::Status(status))),
            Err(error) => return Some(Err(error)),
            Ok(None) if self.signals.came() => End::Signal,
            Ok(None) if is_late => End::Late,
            Ok(None) => return None,
        };
        Some(child.kill().and_then(|()| child.wait()).map(|_| end))
    }

    /// As [`run`](Self::run); anything but success is an error that tells the program's last words.
    pub(crate) fn expect(&self, arguments: &[OsString]) -> Result<Finished, Diagnostic> {
        let finished = self.run(arguments)?;
        if finished.is_success() { Ok(finished) } else { Err(self.failed(arguments, &finished)) }
    }

    /// Reports that a run failed: which words it was given (the caller saw to it that none is secret) and what it said.
    fn failed(&self, arguments: &[OsString], finished: &Finished) -> Diagnostic {
        let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
        let status = finished.status.map_or("ended by a signal".to_owned(), |status| status.to_string());
        let problem = Diagnostic::new(Code::Tool, format!("`{}` failed", self.name))
            .fact("command", one_line(&format!("{} {}", self.name, words.join(" ")), 400))
            .fact("status", status);
        String::from_utf8_lossy(&finished.stderr)
            .lines()
            .filter(|line| !line.trim().is_empty())
            .take(6)
            // Most programs say so of each line (virsh does); here it stands below an error already.
            .map(|line| line.strip_prefix("error: ").unwrap_or(line))
            .fold(problem, |problem, line| problem.cause(one_line(line, 300)))
    }

    fn problem(&self, what: &str, error: &std::io::Error) -> Diagnostic {
        Diagnostic::new(Code::Tool, format!("`{}` {what}", self.name))
            .fact("program", self.path.display())
            .cause(error.to_string())
    }
}

impl Finished {
    /// Returns whether the program ended with status 0.
    pub(crate) fn is_success(&self) -> bool {
        self.status == Some(0)
    }

    /// Returns the last line of the errors that is more than a warning.
    pub(crate) fn last_error(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.stderr);
        let lines = || text.lines().filter(|line| !line.trim().is_empty());
        lines().rfind(|line| !line.contains("warning:")).or(lines().next_back()).map(|line| one_line(line, 300))
    }

    /// Returns what stood on standard output, as far as it is text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// How a run ended.
enum End {
    Status(ExitStatus),
    Late,
    Signal,
}

/// Bytes of a stream, and whether it is that of errors.
type Chunk = (bool, Vec<u8>);

/// Reads a stream to its end, so that the program never waits for us.
fn read(stream: Option<impl Read + Send + 'static>, is_error: bool, to: &SyncSender<Chunk>) {
    let Some(mut stream) = stream else { return };
    let to = to.clone();
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            if to.send((is_error, buffer.get(..count).unwrap_or_default().to_vec())).is_err() {
                return;
            }
        }
    });
}

/// Keeps the beginning of a stream.
fn keep(kept: &mut Vec<u8>, bytes: &[u8]) {
    let room = KEPT.saturating_sub(kept.len());
    kept.extend(bytes.iter().take(room));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell() -> Program {
        Program::find("sh", std::env::var_os("PATH").as_deref(), "").unwrap()
    }

    fn words(script: &str) -> Vec<OsString> {
        ["-c", script].map(OsString::from).to_vec()
    }

    #[test]
    fn what_a_program_says_and_returns_is_told() {
        let finished = shell().run(&words("cat; echo out; echo err >&2; exit 3")).unwrap();
        assert_eq!(finished, Finished { status: Some(3), stdout: b"out\n".to_vec(), stderr: b"err\n".to_vec() });
        assert_eq!(shell().run(&words("kill -9 $$")).unwrap().status, None);
    }

    #[test]
    fn a_program_that_says_too_much_is_cut() {
        let finished = shell().run(&words("head -c 9000000 /dev/zero")).unwrap();
        assert_eq!((finished.stdout.len(), finished.status), (KEPT, Some(0)));
    }

    #[test]
    fn a_program_that_never_ends_is_ended_and_that_is_told() {
        let problem = shell().within(Duration::from_millis(50)).run(&words("exec sleep 600")).unwrap_err();
        assert_eq!((problem.code, problem.headline.as_str()), (Code::Tool, "`sh` did not end within 0 s"));
    }

    #[test]
    fn a_signal_ends_the_program_that_is_waited_for() {
        let problem = shell().heeding(&Signals::of(15)).run(&words("exec sleep 600")).unwrap_err();
        assert_eq!(problem.code, Code::Interrupted);
    }

    #[test]
    fn what_a_program_leaves_behind_is_not_waited_for() {
        let begun = Instant::now();
        let finished = shell().run(&words("sleep 60 & echo done")).unwrap();
        assert_eq!((finished.stdout, finished.status), (b"done\n".to_vec(), Some(0)));
        let problem = shell().within(Duration::from_millis(50)).run(&words("sleep 60")).unwrap_err();
        assert_eq!(problem.code, Code::Tool);
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    }

    #[test]
    fn a_failure_tells_the_words_and_no_control_character() {
        let problem =
            shell().expect(&words("printf 'a\\033[31mb\\nerror: no such domain\\n' >&2; exit 1")).unwrap_err();
        assert_eq!(problem.code, Code::Tool);
        assert_eq!(problem.headline, "`sh` failed");
        let causes: Vec<_> = problem.causes().collect();
        assert!(causes[0].starts_with('a') && !causes[0].contains('\u{1b}'));
        assert_eq!(causes[1], "no such domain", "that it is an error stands above it");
    }

    #[test]
    fn a_missing_program_tells_how_to_get_it() {
        let problem = Program::find("no-such-program", Some(OsStr::new("/bin:bin")), "install it").unwrap_err();
        assert_eq!((problem.code, problem.hint.as_deref()), (Code::Tool, Some("install it")));
        assert!(Program::find("sh", None, "").is_err(), "an empty PATH is not the working directory");
    }
}
