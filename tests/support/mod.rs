//! What the test binaries share: finding real tools, a private place to work in, running `arca-build` as a stranger
//! would, and booting a virtual machine under a time limit. Touches temporary directories and child processes only.
//! Read next: `guest.rs` (a real kernel that reports what it was given), tests/README.md.

pub mod gpg;
pub mod guest;
pub mod launch;
pub mod libvirtd;
pub mod machines;
pub mod nginx;
pub mod publisher;
pub mod registry;
pub mod relay;
pub mod server;
pub mod tls;
pub mod virsh;
pub mod xml;

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

/// How long a guest may take: some need two seconds on a free core and minutes on a busy one.
pub const BOOT_LIMIT: Duration = Duration::from_secs(420);

/// How long one run of `arca-build` may take in a test.
const RUN_LIMIT: Duration = Duration::from_secs(300);

/// Where Debian keeps what an ordinary user's `PATH` does not name.
const SYSTEM_DIRS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Finds a program on `PATH` or among the system's own; `None` after telling that the test is skipped.
///
/// # Panics
/// When `ARCA_REQUIRE_TOOLS=1`, as `.ci/run` sets it: there, a missing tool is a failure.
pub fn tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(SYSTEM_DIRS.iter().map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|path| is_executable(path));
    if found.is_none() {
        skip(name);
    }
    found
}

/// Tells whether every one of the named tools is there; names all that are not.
///
/// # Panics
/// As [`tool`].
pub fn tools(names: &[&str]) -> Option<()> {
    let found: Vec<_> = names.iter().map(|name| tool(name)).collect();
    found.iter().all(Option::is_some).then_some(())
}

/// Says on the terminal that the running test is skipped, and for want of what.
///
/// # Panics
/// As [`tool`].
pub fn skip(needs: &str) {
    let line = format!("SKIPPED {}: needs {needs}\n", test_name());
    if let Some(log) = std::env::var_os("ARCA_SKIP_LOG") {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(log);
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the log of skipped tests");
    }
    assert!(std::env::var_os("ARCA_REQUIRE_TOOLS").is_none_or(|value| value != "1"), "{line}");
    // Not eprintln!, which the test harness swallows when a test passes: a skipped test must be seen.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// The sentence that names the running test.
fn test_name() -> String {
    let thread = std::thread::current().name().unwrap_or("main").to_owned();
    if thread != "main" {
        return thread;
    }
    // Alone in its process (nextest), a test runs on the main thread and is named on the command line.
    std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or(thread)
}

/// Returns whether everything runs at full size: `tests/run --full` sets it.
pub fn is_full() -> bool {
    std::env::var_os("ARCA_FULL").is_some_and(|value| value == "1")
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The program of this build, beside the test binary.
///
/// # Panics
/// Where it is not there, or older than a source that it is made from: `cargo test --lib` does not build it. The list of sources
/// comes from `cargo build`; where only `cargo test` ran there is none, and nothing is compared.
pub fn program() -> &'static str {
    static PROGRAM: LazyLock<String> = LazyLock::new(|| {
        let tests = std::env::current_exe().expect("the test binary");
        let program = tests.parent().and_then(Path::parent).expect("target/<profile>").join("arca-build");
        let built = changed(&program).expect("the program; build it by `cargo build`");
        let newer = newer(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), built);
        assert!(newer.is_none(), "{newer:?} is newer than the program; build it by `cargo build`");
        program.into_os_string().into_string().expect("a path in UTF-8")
    });
    &PROGRAM
}

/// The words by which this test binary runs one of its own tests, in a process of its own; `module` is that test's `module_path!()`.
///
/// # Panics
/// Where it has no such test: the child would run none, and end well.
pub fn ourselves(module: &str, test: &str) -> Vec<String> {
    let binary = std::env::current_exe().expect("the test binary");
    let (_, module) = module.split_once("::").expect("a module of this crate");
    let name = format!("{module}::{test}");
    let words = ["--exact", &name, "--include-ignored"];
    let listed = output(Command::new(&binary).args(words).arg("--list")).success().stdout;
    assert!(listed.contains(&format!("{name}: test")), "there is no test `{name}`");
    let binary = binary.to_str().expect("a path in UTF-8");
    [&[binary], &words[..], &["--nocapture", "--test-threads=1"]].concat().into_iter().map(str::to_owned).collect()
}

fn changed(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|meta| meta.modified()).ok()
}

/// Finds a source of the program that changed after `built`; files of tests alone are none.
fn newer(directory: &Path, built: SystemTime) -> Option<PathBuf> {
    let mut entries = std::fs::read_dir(directory).expect("the sources").flatten().map(|entry| entry.path());
    entries.find_map(|path| {
        let name = path.file_name()?.to_str()?;
        match path.is_dir() {
            _ if name == "tests" || name.ends_with("tests.rs") => None,
            true => newer(&path, built),
            false => (changed(&path)? > built).then_some(path),
        }
    })
}

/// A directory below `target/` that outlives a run: what is costly to make stays there.
pub fn target_tmp() -> &'static Path {
    static PLACE: LazyLock<PathBuf> = LazyLock::new(|| {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp");
        std::fs::create_dir_all(&place).expect("target/tmp");
        place
    });
    &PLACE
}

/// Makes an empty directory that goes away with the value.
///
/// Outside the checkout, because `arca-build` looks for a `cache/` above the directory that it runs in.
pub fn workdir() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("arca-test-").tempdir().expect("a temporary directory")
}

/// One run of the `arca-build` program in a world of its own: the environment holds nothing but `HOME` and
/// `ARCA_CACHE`, both inside the working directory, unless the test adds to it.
#[derive(Debug)]
pub struct Bin {
    command: Command,
    stdin: Vec<u8>,
}

impl Bin {
    /// Prepares a run in `cwd`, with `cwd/cache` as the store and `cwd/home` as home.
    pub fn new(cwd: &Path) -> Self {
        Self::of(Path::new(program()), cwd)
    }

    /// The same with another build of the program.
    pub fn of(program: &Path, cwd: &Path) -> Self {
        let mut command = Command::new(program);
        command.current_dir(cwd).env_clear();
        command.env("HOME", cwd.join("home")).env("ARCA_CACHE", cwd.join("cache"));
        Self { command, stdin: Vec::new() }
    }

    /// Adds one argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    pub fn args<I: IntoIterator<Item: AsRef<OsStr>>>(mut self, arguments: I) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets a variable of the otherwise empty environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Gives bytes to read on standard input.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Runs to the end.
    ///
    /// # Panics
    /// When the program takes longer than five minutes.
    #[track_caller]
    pub fn run(mut self) -> Output {
        let run = run(&mut self.command, &self.stdin, RUN_LIMIT);
        assert!(!run.timed_out, "arca-build did not end\n{}", run.output);
        run.output
    }

    /// Starts and leaves it running: for tests that kill it or run several at once. Its output goes nowhere.
    pub fn start(mut self) -> Running {
        Running::start(self.command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()))
    }

    /// Puts another program before this one, as in `strace -f -o log arca-build …`, in the same world.
    pub fn under(self, wrapper: &Path, options: &[impl AsRef<OsStr>]) -> Self {
        let words: Vec<_> = std::iter::once(self.command.get_program()).chain(self.command.get_args()).collect();
        let words: Vec<_> = words.into_iter().map(ToOwned::to_owned).collect();
        self.replaced_by(wrapper, options).args(words)
    }

    /// Runs another program in this one's world.
    pub fn replaced_by(self, program: &Path, arguments: &[impl AsRef<OsStr>]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).env_clear();
        command.envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if let Some(cwd) = self.command.get_current_dir() {
            command.current_dir(cwd);
        }
        Self { command, stdin: self.stdin }
    }

    /// Gives the command itself, for what this runner does not foresee.
    pub fn into_command(self) -> Command {
        self.command
    }
}

/// What a program wrote, and how it ended.
#[derive(Clone, Debug)]
pub struct Output {
    pub stdout: String,
    pub stderr: String,
    /// The exit code; `128 + n` when signal `n` ended it, as a shell tells it.
    pub code: i32,
}

impl Output {
    /// Demands exit code 0.
    #[track_caller]
    pub fn success(self) -> Self {
        self.ends_with(0)
    }

    /// Demands this exit code.
    #[track_caller]
    pub fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code\n{self}");
        self
    }

    /// Demands that standard error holds this text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "stderr lacks {text:?}\n{self}");
        self
    }

    /// Returns the one line of standard output, without its end.
    #[track_caller]
    pub fn line(&self) -> &str {
        let line = self.stdout.strip_suffix('\n').unwrap_or(&self.stdout);
        assert!(!line.is_empty() && !line.contains('\n'), "stdout is not one line\n{self}");
        line
    }

    /// Reads standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("stdout is not JSON: {error}\n{self}"))
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit code {}\n--- stdout\n{}\n--- stderr\n{}\n---", self.code, self.stdout, self.stderr)
    }
}

/// Runs any program to the end, without input.
///
/// # Panics
/// When it cannot be started or takes longer than five minutes.
pub fn output(command: &mut Command) -> Output {
    let run = run(command, &[], RUN_LIMIT);
    assert!(!run.timed_out, "{command:?} did not end\n{}", run.output);
    run.output
}

/// Runs a command that boots a virtual machine whose serial port is its standard output (`-serial stdio`), waits until
/// it powers off, and returns what the guest said, with `\r` taken out. The command may be a script: the limit ends its
/// whole process group.
///
/// # Panics
/// When the guest does not power off in time, or the command fails; both show the end of the serial log.
pub fn boot(command: &mut Command, limit: Duration) -> String {
    let run = run(command, &[], limit);
    let serial = run.output.stdout.replace('\r', "");
    let told = format!("{command:?}\n--- serial\n{}\n--- stderr\n{}\n---", tail(&serial), run.output.stderr);
    assert!(!run.timed_out, "the guest did not power off within {limit:?}: {told}");
    assert_eq!(run.output.code, 0, "the virtual machine failed: {told}");
    serial
}

/// The last lines of a long text.
fn tail(text: &str) -> &str {
    let from = text.char_indices().rev().nth(4000).map_or(0, |(index, _)| index);
    text.get(from..).unwrap_or(text)
}

/// A finished run.
struct Finished {
    output: Output,
    timed_out: bool,
}

fn run(command: &mut Command, stdin: &[u8], limit: Duration) -> Finished {
    let input = if stdin.is_empty() { Stdio::null() } else { Stdio::piped() };
    let mut running = Running::start(command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()));
    let stdout = drain(running.child.stdout.take());
    let stderr = drain(running.child.stderr.take());
    if let Some(mut pipe) = running.child.stdin.take() {
        // A program that ends early without reading is judged by how it ended.
        let _ = pipe.write_all(stdin);
    }
    let ended = running.wait_for(limit);
    // Before the pipes are read to their end: a grandchild that lives on would hold them open.
    let status = running.kill();
    let text = |reader: JoinHandle<Vec<u8>>| String::from_utf8_lossy(&reader.join().unwrap()).into_owned();
    let output = Output { stdout: text(stdout), stderr: text(stderr), code: exit_code(status) };
    Finished { output, timed_out: !ended }
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

fn exit_code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

/// A child in a process group of its own, which is killed whole when the value goes.
#[derive(Debug)]
pub struct Running {
    child: Child,
    killed: bool,
}

impl Running {
    /// Starts a command.
    pub fn start(command: &mut Command) -> Self {
        let child = command.process_group(0).spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, killed: false }
    }

    /// The process id, which is the group's too.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the child ends, at most this long; tells whether it did. It is left to be collected by [`kill`].
    ///
    /// [`kill`]: Self::kill
    pub fn wait_for(&mut self, limit: Duration) -> bool {
        let begun = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            if self.has_ended() {
                return true;
            }
            if begun.elapsed() >= limit {
                return false;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    fn has_ended(&self) -> bool {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        // NOWAIT: while the child is not collected, its number cannot be given to a stranger whom `kill` would hit.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.killed || waitid(WaitId::Pid(self.pid()), options).expect("waitid").is_some()
    }

    /// Ends what still runs of the group with SIGKILL, and tells how the child ended.
    pub fn kill(&mut self) -> ExitStatus {
        if !std::mem::replace(&mut self.killed, true) {
            let _ = rustix::process::kill_process_group(self.pid(), rustix::process::Signal::KILL);
        }
        self.child.wait().expect("wait")
    }

    fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}
