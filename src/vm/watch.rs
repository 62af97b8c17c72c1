//! A machine while it runs: started, looked after until what was waited for comes, and ended. Starts QEMU and threads.
//!
//! QEMU starts with its processors stopped; only when monitor, console and report are connected may it go on, so that
//! nothing the guest says is missed. Every source then tells a [`VmEvent`], and one loop hears them all.
//! Read next: [`super::qemu`], [`super::qmp`], [`super::console`].
#![expect(clippy::disallowed_types, reason = "asks on loopback whether the guest's ssh answers, and for a free port")]

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::Value;
use signal_hook::consts::SIGINT;

use super::Program;
use super::console::{self, LastLine, Terminal};
use super::directory::InstalledMarker;
use super::qemu::Child;
use super::qmp::Qmp;
use super::signals::Signals;
use crate::base::{Code, Diagnostic};
use crate::guest_report::{self, ReportState};

/// The longest line of a report that is read as one.
const LARGEST_LINE: u64 = 1 << 20;
/// How long QEMU may take to open its monitor on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long QEMU may take to end once it has begun to.
const LAST_BREATH: Duration = Duration::from_secs(20);
/// How long a guest that is asked to power off has for it before the plug is pulled.
pub(crate) const GRACE: Duration = Duration::from_secs(60);
/// How long a guest in an emergency shell is listened to: what it says of the cause comes about then.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// How often signals are looked at.
const TICK: Duration = Duration::from_millis(50);
/// How many ports are tried before it is an error.
const PORTS: usize = 8;

/// What one of the sources has to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum VmEvent {
    /// QEMU closed the console: it ends.
    ConsoleClosed,
    /// The text that was waited for was said.
    Pattern,
    /// The guest's whole report.
    Report(Vec<u8>),
    /// One that is not its last.
    Pending(Vec<u8>),
    /// An emergency shell waits on the console.
    Emergency,
    /// What the guest's ssh server says first.
    Ssh(String),
    /// The guest, or its QEMU, went off; the reason in QEMU's words.
    Shutdown(String),
    /// Somebody pressed the power button, from here or from outside.
    Button,
    /// The person at the keyboard asks for the end.
    Quit,
    /// They typed Ctrl-C while it was for us.
    Interrupt,
}

/// What ended a watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// What was waited for came.
    Reached(VmEvent),
    /// The machine is off: QEMU's reason, such as `guest-shutdown` or `guest-reset`.
    Off(String),
    /// A signal asked for the end, or Ctrl-C while it was for us.
    Interrupted(i32),
    /// The person at the keyboard did.
    Quit,
    /// The time is over.
    TimedOut,
    /// The guest waits in an emergency shell, and will not report.
    Emergency,
}

/// What a watch waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WaitFor {
    /// That the machine goes off.
    Off,
    /// That the guest has reported.
    Report,
    /// That a text was said on the console.
    Pattern(String),
    /// That the guest's ssh server answers.
    Ssh,
}

impl WaitFor {
    fn is(&self, notice: &VmEvent) -> bool {
        matches!(
            (self, notice),
            (Self::Report, VmEvent::Report(_)) | (Self::Pattern(_), VmEvent::Pattern) | (Self::Ssh, VmEvent::Ssh(_))
        )
    }
}

/// The options that lead console, monitor and report to sockets in QEMU's working directory.
///
/// The log is QEMU's own, so that it is whole whatever becomes of us.
pub(crate) fn console_options(log: &str) -> Vec<String> {
    let socket = |id: &str| format!("socket,id={id},path={id}.sock,server=on,wait=off");
    [
        ["-chardev".into(), format!("{},logfile={log},logappend=off", socket("console"))],
        ["-serial".into(), "chardev:console".into()],
        ["-chardev".into(), socket("monitor")],
        ["-mon".into(), "chardev=monitor,mode=control".into()],
        ["-chardev".into(), socket("stop")],
        ["-mon".into(), "chardev=stop,mode=control".into()],
    ]
    .concat()
}

/// The options of the port that the guest reports on.
pub(crate) fn report_options() -> Vec<String> {
    [
        ["-device".into(), "virtio-serial-pci,id=report-bus".into()],
        ["-chardev".into(), "socket,id=report,path=report.sock,server=on,wait=off".into()],
        ["-device".into(), format!("virtserialport,bus=report-bus.0,chardev=report,name={}", guest_report::PORT)],
    ]
    .concat()
}

/// A drop-in that has the journal shown on the console. The guest's systemd takes it as a credential, from 256 on
/// (systemd.system-credentials(7), `systemd.unit-dropin.`); an older one passes over it.
const JOURNAL: &str = "[Service]\nExecStartPre=-/bin/sh -c 'mkdir -p /run/systemd/journald.conf.d && \
    printf \"[Journal]\\nForwardToConsole=yes\\nMaxLevelConsole=info\\n\" >/run/systemd/journald.conf.d/90-arca-build.conf'\n";

/// The options that have the guest show its journal on the console, so that the cause of a failure is heard.
pub(crate) fn journal_options() -> Vec<String> {
    let text = base64::engine::general_purpose::STANDARD.encode(JOURNAL);
    let name = "io.systemd.credential.binary:systemd.unit-dropin.systemd-journald.service";
    vec!["-smbios".into(), format!("type=11,value={name}={text}")]
}

/// A machine that runs.
#[derive(Debug)]
pub(crate) struct Running {
    qemu: Child,
    qmp: Qmp,
    notices: Receiver<VmEvent>,
    signals: Signals,
    last: LastLine,
    reason: String,
    /// What to note once the installed system is known to be there; `None` where it is noted, or nothing is installed.
    mark: Option<InstalledMarker>,
    /// Whether the power button was pressed.
    pressed: bool,
    /// Whether an emergency shell ends a wait for the report.
    ends_in_emergency: bool,
    /// The newest report that is not the last.
    pending: Option<Vec<u8>>,
    /// Set when the watching threads shall stop asking.
    over: Arc<AtomicBool>,
    /// Whether Ctrl-C on the guest's terminal is for us.
    ctrl_c: Arc<AtomicBool>,
    /// Where the guest's port 22 is, where it has a network.
    pub ssh_port: Option<u16>,
}

/// How to start.
#[derive(Debug)]
pub(crate) struct Start<'a> {
    pub qemu: &'a Program,
    /// Where the instance lies.
    pub directory: &'a Path,
    pub arguments: Vec<String>,
    pub terminal: Terminal,
    pub until: &'a WaitFor,
    /// Whether there is a network to forward ssh through.
    pub network: bool,
    /// Whether QEMU has the report's port.
    pub report: bool,
    /// Whether an emergency shell ends a wait for the report: nobody sits at it.
    pub ends_in_emergency: bool,
    /// What to note once an installer's new system is known to be there.
    pub mark: Option<InstalledMarker>,
    pub signals: Signals,
}

impl Running {
    /// Starts QEMU and lets the guest go. Returns once it runs.
    pub(crate) fn start(start: Start<'_>) -> Result<Self, Diagnostic> {
        let mut arguments = start.arguments;
        arguments.push("-S".into());
        let mut qemu = Child::start(start.qemu, start.directory, &arguments)?;
        let directory = File::open(start.directory).map_err(|error| Diagnostic::unreadable(start.directory, &error))?;
        // Through the open directory, as the path of a socket may have no more than 107 bytes.
        let socket =
            |qemu: &mut Child, name: &str| connect(qemu, &format!("/proc/self/fd/{}/{name}", directory.as_raw_fd()));
        let (sender, notices) = channel();
        let monitor = socket(&mut qemu, "monitor.sock")?;
        let tell = sender.clone();
        let mut qmp = Qmp::greet(monitor, move |event, data| hear(event, data, &tell))?;
        let ssh_port = if start.network { Some(forward(&mut qmp)?) } else { None };
        let console = socket(&mut qemu, "console.sock")?;
        let report = if start.report { Some(socket(&mut qemu, "report.sock")?) } else { None };
        let last = LastLine::default();
        let ctrl_c = Arc::new(AtomicBool::new(*start.until != WaitFor::Off));
        type_into(&console, start.terminal.keys, &ctrl_c, &sender)?;
        listen(console, report, start.terminal.out, start.until, &last, &sender);
        let over = Arc::new(AtomicBool::new(false));
        // That a new system answers is worth knowing even where nobody waits for it.
        let is_asked = *start.until == WaitFor::Ssh || start.mark.is_some();
        if let (Some(port), true) = (ssh_port, is_asked) {
            let (tell, over) = (sender, Arc::clone(&over));
            std::thread::spawn(move || ask_ssh(port, &tell, &over));
        }
        qmp.execute("cont", &Value::Null)?;
        let (signals, mark, reason) = (start.signals, start.mark, String::new());
        let ends_in_emergency = start.ends_in_emergency;
        Ok(Self {
            qemu,
            qmp,
            notices,
            signals,
            last,
            reason,
            mark,
            pressed: false,
            ends_in_emergency,
            pending: None,
            over,
            ctrl_c,
            ssh_port,
        })
    }

    /// Hears everything until what is waited for comes, the machine goes off, the person asks for the end, or `limit` is over.
    pub(crate) fn watch(&mut self, until: &WaitFor, limit: Option<Duration>) -> Result<Outcome, Diagnostic> {
        let begun = Instant::now();
        let mut shell: Option<Instant> = None;
        loop {
            if shell.is_some_and(|since| since.elapsed() >= LAST_WORDS) {
                return Ok(Outcome::Emergency);
            }
            if let Some(signal) = self.signals.take() {
                return Ok(Outcome::Interrupted(signal));
            }
            if limit.is_some_and(|limit| begun.elapsed() >= limit) {
                return Ok(Outcome::TimedOut);
            }
            let heard = self.notices.recv_timeout(TICK);
            self.consider(heard.as_ref().ok());
            match heard {
                Ok(VmEvent::ConsoleClosed) => return self.off(until),
                Ok(VmEvent::Shutdown(reason)) => self.reason = reason,
                Ok(VmEvent::Emergency) if self.ends_in_emergency && *until == WaitFor::Report => {
                    shell = Some(Instant::now());
                }
                Ok(VmEvent::Pending(report)) => self.pending = Some(report),
                Ok(VmEvent::Quit) => return Ok(Outcome::Quit),
                Ok(VmEvent::Interrupt) => return Ok(Outcome::Interrupted(SIGINT)),
                Ok(notice) if until.is(&notice) => return Ok(Outcome::Reached(notice)),
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.off(until),
            }
        }
    }

    /// Returns the line that the guest said last.
    pub(crate) fn last_line(&self) -> String {
        self.last.get()
    }

    /// Returns the newest report that is not the last.
    pub(crate) fn pending(&self) -> Option<&[u8]> {
        self.pending.as_deref()
    }

    /// Gives Ctrl-C to the guest like every other key, once what was waited for is there.
    pub(crate) fn give_ctrl_c(&self) {
        self.ctrl_c.store(false, Ordering::Relaxed);
    }

    /// Asks the guest to power off, as by the button; where that takes longer than [`GRACE`], or a signal or Ctrl-C comes,
    /// pulls the plug. `asked` is called once it is asked.
    pub(crate) fn power_off(&mut self, asked: impl FnOnce()) -> Result<bool, Diagnostic> {
        if self.is_off() {
            return Ok(true);
        }
        self.ctrl_c.store(true, Ordering::Relaxed);
        self.qmp.execute("system_powerdown", &Value::Null)?;
        asked();
        match self.watch(&WaitFor::Off, Some(GRACE))? {
            Outcome::Off(_) => Ok(true),
            _ => self.quit().map(|()| false),
        }
    }

    /// Pulls the plug: QEMU writes what it holds of the disks, and ends.
    pub(crate) fn quit(&mut self) -> Result<(), Diagnostic> {
        self.over.store(true, Ordering::Relaxed);
        // It may be ending already.
        let _ = self.qmp.execute("quit", &Value::Null);
        self.qemu.end_within(LAST_BREATH);
        Ok(())
    }

    /// Returns whether QEMU has ended.
    pub(crate) fn is_off(&mut self) -> bool {
        self.qemu.ended().is_some()
    }

    /// Hears what is left to hear: a guest may report with its last breath.
    fn off(&mut self, until: &WaitFor) -> Result<Outcome, Diagnostic> {
        self.over.store(true, Ordering::Relaxed);
        self.qemu.end_within(LAST_BREATH);
        let mut reached = None;
        while let Ok(notice) = self.notices.recv_timeout(4 * TICK) {
            self.consider(Some(&notice));
            match notice {
                VmEvent::Shutdown(reason) => self.reason = reason,
                VmEvent::Pending(report) => self.pending = Some(report),
                notice if until.is(&notice) => reached = Some(notice),
                _ => {}
            }
        }
        if self.qemu.ended().is_some_and(|status: ExitStatus| status.success()) {
            self.consider_end()?;
            return Ok(reached.map_or_else(|| Outcome::Off(self.reason.clone()), Outcome::Reached));
        }
        Err(self.qemu.told(Diagnostic::new(Code::Tool, "QEMU ended with an error")))
    }
}

impl Running {
    /// Notes that the installed system is there as soon as it speaks. Where that cannot be written, the end tries again.
    fn consider(&mut self, heard: Option<&VmEvent>) {
        match heard {
            Some(VmEvent::Button) => self.pressed = true,
            Some(VmEvent::Report(_) | VmEvent::Ssh(_)) => {
                self.mark = self.mark.take().filter(|mark| mark.write().is_err());
            }
            _ => {}
        }
    }

    /// Notes the same of a guest that ended by itself: an installer goes on to its system, or restarts, when it is done.
    /// At the button it may end in the middle of its work.
    fn consider_end(&mut self) -> Result<(), Diagnostic> {
        if self.pressed || !matches!(self.reason.as_str(), "guest-shutdown" | "guest-reset") {
            return Ok(());
        }
        self.mark.take().map_or(Ok(()), |mark| mark.write())
    }
}

/// Asks the machine of an instance's directory to power off, from outside; after [`GRACE`] the plug is pulled.
///
/// `asked` is called once it is asked. Returns whether it went off by itself.
pub(crate) fn stop(directory: &Path, asked: impl FnOnce()) -> Result<bool, Diagnostic> {
    let open = File::open(directory).map_err(|error| Diagnostic::unreadable(directory, &error))?;
    let path = format!("/proc/self/fd/{}/stop.sock", open.as_raw_fd());
    let stream = UnixStream::connect(path).map_err(|error| {
        Diagnostic::io("the machine's monitor does not answer", &error).hint("it may just be going off")
    })?;
    let (sender, notices) = channel();
    let mut qmp = Qmp::greet(stream, move |event, data| hear(event, data, &sender))?;
    qmp.execute("system_powerdown", &Value::Null)?;
    asked();
    let begun = Instant::now();
    while begun.elapsed() < GRACE {
        // The sender goes with QEMU.
        match notices.recv_timeout(TICK) {
            Ok(VmEvent::Shutdown(_)) | Err(RecvTimeoutError::Disconnected) => return Ok(true),
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
        }
    }
    qmp.execute("quit", &Value::Null).map(|_| false)
}

impl Drop for Running {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// Connects to a socket that QEMU is about to open.
fn connect(qemu: &mut Child, path: &str) -> Result<UnixStream, Diagnostic> {
    let begun = Instant::now();
    loop {
        match UnixStream::connect(path) {
            Ok(stream) => return Ok(stream),
            Err(_) if qemu.ended().is_some() => {
                return Err(qemu.told(Diagnostic::new(Code::Tool, "QEMU did not start")));
            }
            Err(error) if begun.elapsed() >= START_LIMIT => {
                return Err(qemu.told(Diagnostic::new(Code::Tool, "QEMU did not open its sockets").cause(error)));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// Hears an event (QEMU, `qapi/run-state.json`).
fn hear(event: &str, data: &Value, tell: &Sender<VmEvent>) {
    let reason = || crate::base::text::one_line(data["reason"].as_str().unwrap_or_default(), 40);
    let notice = match event {
        "SHUTDOWN" => VmEvent::Shutdown(reason()),
        "POWERDOWN" => VmEvent::Button,
        _ => return,
    };
    let _ = tell.send(notice);
}

/// Forwards a free port of loopback to the guest's port 22.
///
/// Between asking the kernel for a free port and QEMU's taking it, another process may be quicker; then another is tried.
fn forward(qmp: &mut Qmp) -> Result<u16, Diagnostic> {
    let mut why = String::new();
    for _ in 0..PORTS {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let port = free.map_err(|error| Diagnostic::io("no port of loopback is free", &error))?.port();
        why = qmp.human(&format!("hostfwd_add net0 tcp:127.0.0.1:{port}-:22"))?;
        if why.is_empty() {
            return Ok(port);
        }
    }
    Err(Diagnostic::new(Code::Tool, "QEMU cannot forward a port to the guest")
        .cause(crate::base::text::one_line(&why, 200)))
}

/// Begins to pass typed keys on, where somebody can type.
fn type_into(
    console: &UnixStream,
    keys: Option<Box<dyn Read + Send>>,
    ctrl_c: &Arc<AtomicBool>,
    sender: &Sender<VmEvent>,
) -> Result<(), Diagnostic> {
    let Some(keys) = keys else { return Ok(()) };
    let keyboard = console.try_clone().map_err(|error| Diagnostic::io("the console cannot be written", &error))?;
    let (ours, tell) = (Arc::clone(ctrl_c), sender.clone());
    std::thread::spawn(move || console::type_into(keyboard, keys, &ours, &tell));
    Ok(())
}

fn listen(
    console: UnixStream,
    report: Option<UnixStream>,
    out: Box<dyn Write + Send>,
    until: &WaitFor,
    last: &LastLine,
    sender: &Sender<VmEvent>,
) {
    let pattern = if let WaitFor::Pattern(text) = until { Some(text.clone()) } else { None };
    let (last, tell) = (last.clone(), sender.clone());
    std::thread::spawn(move || console::pump(console, out, pattern.as_deref(), &last, &tell));
    if let Some(stream) = report {
        let tell = sender.clone();
        std::thread::spawn(move || {
            let pending = |report: &[u8]| drop(tell.send(VmEvent::Pending(report.to_vec())));
            if let Some(text) = read_report(BufReader::new(stream), pending) {
                let _ = tell.send(VmEvent::Report(text));
            }
        });
    }
}

/// Reads until a final report is whole, and returns what came; `None` where the stream ends before. What came until one that is
/// not the last goes to `pending`. Of an endless one the end is kept, as much as is judged.
fn read_report(mut stream: impl BufRead, mut pending: impl FnMut(&[u8])) -> Option<Vec<u8>> {
    let mut said = vec![];
    loop {
        let line = said.len();
        // A line has a limit too: what is longer is no line of a report.
        if (&mut stream).take(LARGEST_LINE).read_until(b'\n', &mut said).ok()? == 0 {
            return None;
        }
        if said[line..].starts_with(guest_report::END.as_bytes()) {
            match guest_report::heard(&said) {
                ReportState::Final => return Some(said),
                ReportState::Pending => pending(&said),
                ReportState::Nothing => {}
            }
        }
        if said.len() > 2 * guest_report::LIMIT {
            said.drain(..said.len() - guest_report::LIMIT);
        }
    }
}

/// Asks once a second whether an ssh server answers; QEMU takes the connection before the guest can.
fn ask_ssh(port: u16, tell: &Sender<VmEvent>, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        if let Some(banner) = ssh_banner(port) {
            let _ = tell.send(VmEvent::Ssh(banner));
            return;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn ssh_banner(port: u16) -> Option<String> {
    let limit = Duration::from_secs(10);
    let stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), limit).ok()?;
    stream.set_read_timeout(Some(limit)).ok()?;
    let mut line = vec![];
    BufReader::new(stream.take(256)).read_until(b'\n', &mut line).ok()?;
    let banner = crate::base::text::one_line(String::from_utf8_lossy(&line).trim(), 100);
    banner.starts_with("SSH-").then_some(banner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_there_when_a_final_one_is_whole() {
        let report = |stage: &str| format!("{}\nstage\t{stage}\n{}\n", guest_report::BEGIN, guest_report::END);
        let (pending, whole) = (report("pending"), report("final"));
        let cut = whole[..whole.len() - 8].to_owned();
        for (said, is_there) in [
            (whole.clone(), true),
            (format!("noise\n{whole}more"), true),
            (whole.replace('\n', "\r\n"), true),
            // The guest restarts by itself and reports again; what was cut by that does not count.
            (format!("{pending}{}", whole.clone()), true),
            (format!("{cut}\n{whole}"), true),
            (pending.clone(), false),
            (cut, false),
            (String::new(), false),
        ] {
            let mut heard = 0;
            let read = read_report(said.as_bytes(), |_| heard += 1);
            assert_eq!(read.is_some(), is_there, "{said:?}");
            assert_eq!(heard, usize::from(said.starts_with(&pending)), "{said:?}");
            assert!(read.is_none_or(|read| read.starts_with(said.as_bytes()) || said.as_bytes().starts_with(&read)));
        }
    }

    #[test]
    fn an_ssh_server_that_answers_is_heard_and_what_is_none_is_not() {
        for (said, heard) in [
            (&b"SSH-2.0-OpenSSH_9.6\r\n"[..], Some("SSH-2.0-OpenSSH_9.6")),
            (b"SSH-2.0-\x1b[2Jx\n", Some("SSH-2.0-\\u{1b}[2Jx")),
            (b"HTTP/1.1 400\r\n", None),
            // QEMU takes the connection and closes it, as long as nobody listens in the guest.
            (b"", None),
        ] {
            let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let port = server.local_addr().unwrap().port();
            let answers = std::thread::spawn(move || {
                let (mut stream, _) = server.accept().unwrap();
                std::io::Write::write_all(&mut stream, said).unwrap();
            });
            let banner = ssh_banner(port);
            answers.join().unwrap();
            assert_eq!(banner.is_some(), heard.is_some(), "{said:?}");
            if let (Some(banner), Some(heard)) = (banner, heard) {
                assert!(!banner.contains('\u{1b}') && banner.starts_with(&heard[..8]), "{banner:?}");
            }
        }
    }

    #[test]
    fn run_4_an_endless_report_takes_bounded_memory_and_its_end_counts() {
        let flood = BufReader::new(std::io::repeat(b'x').take(64 << 20));
        let whole = format!("\n{}\nstage\tfinal\n{}\n", guest_report::BEGIN, guest_report::END);
        let read = read_report(flood.chain(whole.as_bytes()), |_| ()).unwrap();
        assert!(read.len() <= 2 * guest_report::LIMIT + LARGEST_LINE as usize && read.ends_with(whole.as_bytes()));
    }
}
