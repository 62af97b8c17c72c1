//! strace as the hand that breaks things: lists a run's system calls, then kills or fails one. Touches child processes.
//! Read next: `../gate_kill.rs`.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long one run may take before it counts as hanging.
const LIMIT: Duration = Duration::from_secs(60);

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `128 + n` for signal `n`.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit code {}\n{}{}", self.code, self.stdout, self.stderr)
    }
}

/// Runs to the end; what takes a minute is ended, and `Err`.
///
/// What the programs here print fits in a pipe, so it is read when they are done.
pub fn run(command: &mut Command) -> Result<Ended, String> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > LIMIT {
            let _ = child.kill();
            let output = child.wait_with_output().unwrap();
            return Err(format!("hangs: {command:?}\n{}", String::from_utf8_lossy(&output.stderr)));
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    let output = child.wait_with_output().unwrap();
    let code = output.status.code().or(output.status.signal().map(|signal| 128 + signal)).unwrap_or(-1);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Ended { code, stdout: text(&output.stdout), stderr: text(&output.stderr) })
}

/// A system call by name, and which of them in its thread: strace counts so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    pub call: String,
    pub nth: usize,
    /// The dynamic loader asks for it, before the program itself runs.
    pub is_loader: bool,
    /// On something that has no other end than this process and cannot fail so: eventfd(2), as event loops wake with.
    pub is_inner: bool,
}

/// Puts strace before a command, following its threads; `options` name the calls that it shall see.
pub fn under(strace: &Path, options: &[&str], command: &Command) -> Command {
    let mut traced = Command::new(strace);
    // Not `--seccomp-bpf`, which is faster: with it strace 6.1 injects no signals.
    traced.args(["-f", "-qq"]).args(options).arg(command.get_program()).args(command.get_args());
    traced.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    traced.current_dir(command.get_current_dir().unwrap());
    traced
}

/// Runs a command once, undisturbed, and lists every system call of it after `execve`, in order.
pub fn points(strace: &Path, log: &Path, also: &[&str], command: &Command) -> Vec<Point> {
    let options = [&["-o", log.to_str().unwrap(), "-y", "-e", "trace=all"], also].concat();
    run(&mut under(strace, &options, command)).unwrap();
    listed(&std::fs::read_to_string(log).unwrap())
}

fn listed(log: &str) -> Vec<Point> {
    let mut seen = BTreeMap::<(&str, &str), usize>::new();
    let mut reached = BTreeMap::<&str, usize>::new();
    let mut points = vec![];
    // Rust's runtime asks for it first of all (std: sanitize_standard_fds).
    let mut is_loader = true;
    for line in log.lines() {
        let Some((thread, call)) = line.split_once(' ').map(|(thread, call)| (thread, call.trim_start())) else {
            continue;
        };
        let Some((call, _)) = call.split_once('(') else { continue };
        if call == "execve" || !call.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            continue;
        }
        is_loader &= call != "poll";
        let nth = seen.entry((thread, call)).or_default();
        *nth += 1;
        let most = reached.entry(call).or_default();
        // Another thread's second call is met where some thread makes its second.
        if *nth > *most {
            *most = *nth;
            points.push(Point { call: call.to_owned(), nth: *nth, is_loader, is_inner: is_inner(line) });
        }
    }
    points
}

/// Tells whether a line of a log made with `-y` is about an eventfd.
pub fn is_inner(line: &str) -> bool {
    line.split_once('(').is_some_and(|(_, rest)| rest.split(',').next().is_some_and(|fd| fd.contains("eventfd")))
}

/// Lists the injected calls of a log made with `-f -y`, each whole: where another thread spoke in the middle of one, strace
/// writes its beginning and its end on lines of their own.
pub fn injected(log: &str) -> Vec<String> {
    let mut begun: Vec<(&str, &str)> = vec![];
    let mut found = vec![];
    for line in log.lines() {
        let Some((thread, call)) = line.split_once(' ').map(|(thread, call)| (thread, call.trim_start())) else {
            continue;
        };
        if let Some(beginning) = call.strip_suffix("<unfinished ...>") {
            begun.push((thread, beginning));
        } else if call.starts_with("<... ") {
            let at = begun.iter().position(|(other, _)| *other == thread);
            let beginning = at.map_or("", |at| begun.remove(at).1);
            let end = call.split_once("resumed>").map_or(call, |(_, end)| end);
            found.push(format!("{beginning}{end}"));
        } else {
            found.push(call.to_owned());
        }
    }
    found.retain(|call| call.ends_with("(INJECTED)"));
    found
}

#[test]
fn an_injected_call_is_known_though_another_thread_spoke_in_its_middle() {
    let log = "7 write(9<anon_inode:[eventfd]>, \"1\", 8 <unfinished ...>\n8 write(4</a>, \"x\", 1) = 1\n\
               7 <... write resumed>) = -1 ENOSPC (No space left on device) (INJECTED)\n\
               8 write(2</dev/pts/0>, \"y\", 1) = -1 ENOSPC (No space left on device) (INJECTED)\n";
    let found = injected(log);
    assert_eq!(found.iter().map(|call| is_inner(call)).collect::<Vec<_>>(), [true, false]);
    assert!(found[1].starts_with("write(2<"), "{found:?}");
}

#[test]
fn the_points_of_a_log_are_every_call_that_some_thread_reaches_first() {
    let log = "7 execve(\"x\") = 0\n7 read(3) = 1\n7 poll() = 0\n7 read(3 <unfinished ...>\n8 read(4) = 1\n\
               7 <... read resumed>\"\") = 1\n8 read(4) = 1\n8 read(4) = 1\n7 +++ exited with 0 +++\n";
    let found: Vec<_> = listed(log).into_iter().map(|point| (point.call, point.nth, point.is_loader)).collect();
    let expected = [("read", 1, true), ("poll", 1, false), ("read", 2, false), ("read", 3, false)];
    assert_eq!(found, expected.map(|(call, nth, is_loader)| (call.to_owned(), nth, is_loader)));
}
