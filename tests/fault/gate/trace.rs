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
    /// It may change what is on disk; see [`can_change_disk`].
    pub changes_disk: bool,
    /// The call and what it is asked of, without what differs from run to run and from object to object: [`site`].
    pub site: String,
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
    listed(&String::from_utf8_lossy(&std::fs::read(log).unwrap()))
}

fn listed(log: &str) -> Vec<Point> {
    let mut seen = BTreeMap::<(&str, &str), usize>::new();
    let mut reached = BTreeMap::<&str, Vec<usize>>::new();
    let mut points: Vec<Point> = vec![];
    // Rust's runtime asks for it first of all (std: sanitize_standard_fds).
    let mut is_loader = true;
    for line in log.lines() {
        let Some((thread, line)) = line.split_once(' ').map(|(thread, line)| (thread, line.trim_start())) else {
            continue;
        };
        let Some((call, arguments)) = line.split_once('(') else { continue };
        if call == "execve" || !call.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            continue;
        }
        is_loader &= call != "poll";
        let nth = seen.entry((thread, call)).or_default();
        *nth += 1;
        let changes_disk = can_change_disk(call, arguments);
        let met = reached.entry(call).or_default();
        // Another thread's second call is met where some thread makes its second.
        if let Some(index) = met.get(*nth - 1) {
            points[*index].changes_disk |= changes_disk;
            continue;
        }
        met.push(points.len());
        let (call, site) = (call.to_owned(), site(call, arguments));
        points.push(Point { call, nth: *nth, is_loader, is_inner: is_inner(line), changes_disk, site });
    }
    points
}

/// Calls that leave what is on disk as it is, whatever they are given; syncs and locks too, as a kill takes nothing from the
/// kernel's memory. A call that is not here may change it.
const CHANGE_NOTHING: &str = "accept4 access arch_prctl bind brk clock_gettime clock_nanosleep clone clone3 close connect dup dup2 \
    epoll_create1 epoll_ctl epoll_wait eventfd2 exit faccessat faccessat2 fcntl fdatasync flock fstat fstatfs fsync \
    futex getcwd getdents64 getegid geteuid getgid getpeername getpgrp getpid getppid getrandom getrlimit \
    getsockname getsockopt gettid getuid kill listen lseek lstat madvise mprotect mremap munmap newfstatat pipe2 \
    poll ppoll prctl pread64 prlimit64 read readlink readlinkat readv recvfrom recvmsg restart_syscall rseq \
    rt_sigaction rt_sigprocmask rt_sigreturn sched_getaffinity sched_yield sendmsg sendto set_robust_list \
    set_tid_address setsockopt shutdown sigaltstack socket socketpair stat statfs statx syncfs sysinfo tgkill umask \
    uname wait4 waitid";

/// Returns whether a call may change what is on disk. `exit_group` counts: a kill there shows what the last change left.
fn can_change_disk(call: &str, arguments: &str) -> bool {
    let has = |words: &[&str]| words.iter().any(|word| arguments.contains(word));
    match call {
        "open" | "openat" | "openat2" => has(&["O_CREAT", "O_TRUNC", "O_TMPFILE"]),
        // Into memory that is not shared, or to ask the terminal.
        "mmap" => has(&["MAP_SHARED"]) && has(&["PROT_WRITE"]),
        "ioctl" => !has(&["TCGETS", "TIOCGWINSZ", "FIONBIO"]),
        "write" | "writev" => {
            let (file, standard) = (first_descriptor(arguments), ["0<", "1<", "2<"]);
            let is_standard = standard.iter().any(|descriptor| arguments.starts_with(descriptor));
            !is_standard && !["socket:", "pipe:", "anon_inode:"].iter().any(|kind| file.starts_with(kind))
        }
        _ => CHANGE_NOTHING.split(' ').all(|known| known != call),
    }
}

/// What `-y` tells of the descriptor that is the first argument.
fn first_descriptor(arguments: &str) -> &str {
    let first = arguments.split([',', ')']).next().unwrap_or_default();
    first.split_once('<').map_or("", |(_, file)| file.trim_end_matches('>'))
}

/// Names a place in the program as a trace shows it: the call, the folder of the file that it is asked of, and flags; every word
/// with a digit in it, so digests, random names and sizes, is the same word here. A file's own name is left out: one place in the
/// program writes all files of a folder. So are the bytes that are read or written.
fn site(call: &str, arguments: &str) -> String {
    let is_of_a_name = call.starts_with("open") || call.ends_with("at") || call.ends_with("at2");
    let asked = if is_of_a_name {
        let asked = arguments.rsplit_once(" = ").map_or(arguments, |(asked, _)| asked);
        // Every second piece is a name.
        let pieces = asked.split('"').enumerate();
        pieces.map(|(index, piece)| if index % 2 == 1 { folder(piece) } else { piece }).collect::<Vec<_>>().join("\"")
    } else {
        folder(first_descriptor(arguments)).to_owned()
    };
    let mut site = format!("{call} ");
    let is_end = |c: char| !c.is_ascii_alphanumeric();
    for word in asked.split_inclusive(is_end) {
        let (word, end) = word.split_at(word.trim_end_matches(is_end).len());
        site.push_str(if word.contains(|c: char| c.is_ascii_digit()) { "#" } else { word });
        site.push_str(end);
    }
    site
}

/// Returns a path up to its last slash.
fn folder(path: &str) -> &str {
    path.rfind('/').map_or("", |end| &path[..=end])
}

/// Returns whether a line of a log made with `-y` is about an eventfd.
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

#[test]
fn a_call_can_change_the_disk_unless_it_is_known_that_it_cannot() {
    for (line, expected) in [
        ("openat(AT_FDCWD</w>, \"a\", O_RDONLY|O_CLOEXEC) = 3</w/a>", false),
        ("openat2(3</w>, \"a\", {flags=O_WRONLY|O_CREAT|O_EXCL, mode=0600}, 24) = 4", true),
        ("write(2</dev/pts/0>, \"x\", 1) = 1", false),
        ("write(12</w/a>, \"x\", 1) = 1", true),
        ("write(5<socket:[77]>, \"x\", 1) = 1", false),
        ("write(9<anon_inode:[eventfd]>, \"x\", 8) = 8", false),
        ("mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7", false),
        ("mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 3</w/a>, 0) = 0x7", true),
        ("fsync(3</w/a>) = 0", false),
        ("renameat2(3</w>, \"a\", 3</w>, \"b\", RENAME_NOREPLACE) = 0", true),
        ("a_call_of_tomorrow(3</w/a>) = 0", true),
        ("exit_group(0) = ?", true),
    ] {
        let points = listed(&format!("7 {line}\n"));
        assert_eq!(points[0].changes_disk, expected, "{line}");
    }
    // The second `write` of either thread is one point.
    let log = "7 write(2</t>, \"\", 1) = 1\n8 write(4</w/a>, \"\", 1) = 1\n";
    assert_eq!(listed(log).iter().map(|point| point.changes_disk).collect::<Vec<_>>(), [true]);
}

#[test]
fn a_site_is_the_same_for_every_file_of_a_folder_and_another_for_another_folder() {
    let of = |line: &str| listed(&format!("7 {line}\n"))[0].site.clone();
    let make = "openat2(3</w/cache/tmp>, \"file-4f2a\", {flags=O_WRONLY|O_CREAT}, 24) = 4";
    assert_eq!(of(make), "openat2 #</w/cache/tmp>, \"\", {flags=O_WRONLY|O_CREAT}, #)");
    assert_eq!(of(make), of(&make.replace("file-4f2a", "stamp").replace("3<", "17<")));
    assert_ne!(of(make), of(&make.replace("file-4f2a", "files/4f2a")));
    assert_ne!(of(make), of(&make.replace("cache/tmp", "cache/stamps-v1")));
    assert_ne!(of(make), of(&make.replace("O_WRONLY|O_CREAT", "O_RDONLY")));
    let write = "write(4</w/cache/tmp/file-4f2a>, \"some bytes, <more>\", 18) = 18";
    assert_eq!(of(write), "write /w/cache/tmp/");
    assert_ne!(of(write), of(&write.replace("tmp/", "objects/")));
}
