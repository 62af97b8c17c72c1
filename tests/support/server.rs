//! The lying test server: HTTP/1.1 on loopback, its lies given as data. Touches loopback sockets and threads only.
//!
//! Honest by default: keep-alive, strong ETags, single byte ranges, `If-Range`, HEAD. [`Server::tree`] stands in for a
//! publisher with exact paths; a [`Behaviour`] per request, in order, the last one repeated, changes what a path does.
//! `&[]` behaviours means honest for ever. Read next: `tests/fault/net.rs`.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How one answer differs from an honest one. Begin at [`HONEST`] and change what lies.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// The status line's code and reason, instead of 200, 206 or 416.
    pub status: Option<&'static str>,
    /// Headers set over the honest ones; an empty value removes one; a name twice sends it twice.
    pub headers: Vec<(&'static str, String)>,
    /// Answers 200 with everything, whatever range was asked.
    pub ignores_range: bool,
    /// Bytes instead of the file's.
    pub body: Option<Vec<u8>>,
    pub framing: Framing,
    pub stop: Stop,
    /// Sent before, or instead of, an honest head.
    pub head: Head,
    /// Sends one byte of the body at a time, with this pause after each.
    pub drip: Option<Duration>,
    /// Sends about so many bytes of the body in a second.
    pub rate: Option<usize>,
    /// Answers 401 with this challenge to whoever does not show this bearer token.
    pub guard: Option<(String, String)>,
}

/// How a body's end is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    Length,
    Chunked,
    /// By closing the connection.
    Close,
}

/// Where a body stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    Complete,
    /// Closes in order after so many bytes of the body.
    CloseAfter(usize),
    /// Resets the connection after so many bytes of the body.
    ResetAfter(usize),
    /// Falls silent after so many bytes of the body.
    HangAfter(usize),
    /// Sends zeros after the body until the client goes.
    Never,
}

/// What comes first on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    Honest,
    /// Accepts, reads the request, says nothing.
    Silent,
    /// Closes without a word.
    Close,
    /// One byte of the head at a time, with this pause after each.
    Slow(Duration),
    /// `102 Processing` for ever.
    Interim,
    /// Exactly these bytes, then closes.
    Raw(Vec<u8>),
}

/// An answer without a lie.
pub const HONEST: Behaviour = Behaviour {
    status: None,
    headers: vec![],
    ignores_range: false,
    body: None,
    framing: Framing::Length,
    stop: Stop::Complete,
    head: Head::Honest,
    drip: None,
    rate: None,
    guard: None,
};

impl Behaviour {
    /// Answers with a status and a short page.
    pub fn status(status: &'static str) -> Self {
        Self { status: Some(status), body: Some(b"<html>error page</html>".to_vec()), ignores_range: true, ..HONEST }
    }

    /// Redirects there.
    pub fn redirect(location: impl Into<String>) -> Self {
        Self::status("302 Found").with("Location", location)
    }

    /// Answers with raw bytes.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { head: Head::Raw(bytes.into()), ..HONEST }
    }

    /// Stops the body there.
    pub fn stopping(stop: Stop) -> Self {
        Self { stop, ..HONEST }
    }

    /// Sends about so many bytes of the body in a second.
    pub fn throttled(rate: usize) -> Self {
        Self { rate: Some(rate), ..HONEST }
    }

    /// Serves other bytes as the file.
    pub fn body(bytes: impl Into<Vec<u8>>) -> Self {
        Self { body: Some(bytes.into()), ..HONEST }
    }

    /// Answers only to whoever shows the token; others get the challenge.
    #[must_use]
    pub fn guarded(mut self, challenge: impl Into<String>, token: impl Into<String>) -> Self {
        self.guard = Some((challenge.into(), token.into()));
        self
    }

    /// Sets a header, or removes it when empty.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// The target as sent: a path, or a whole URL when we are taken for a proxy.
    pub target: String,
    /// Lower-case names.
    pub headers: BTreeMap<String, String>,
}

impl Request {
    fn path(&self) -> &str {
        let after_host = self.target.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
        after_host.unwrap_or(&self.target).split('?').next().unwrap_or_default()
    }
}

/// A file's honest bytes, and what is done with them.
type File = (Vec<u8>, Vec<Behaviour>);

#[derive(Default)]
struct Shared {
    files: Mutex<BTreeMap<String, File>>,
    requests: Mutex<Vec<Request>>,
    /// Requests so far by path; the next one's behaviour.
    turns: Mutex<BTreeMap<String, usize>>,
    connections: AtomicUsize,
    sent: AtomicUsize,
    stop: AtomicBool,
}

/// A server that ends when it is dropped.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Server {
    /// Serves nothing yet.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, shared) = (listener.local_addr().unwrap(), Arc::new(Shared::default()));
        let server = Self { address, shared: Arc::clone(&shared) };
        thread::spawn(move || accept(&listener, &shared));
        server
    }

    /// Serves one file at `/file` with these behaviours.
    pub fn one(bytes: impl Into<Vec<u8>>, behaviours: &[Behaviour]) -> Self {
        let server = Self::start();
        server.put("/file", bytes, behaviours);
        server
    }

    /// Puts a file at a path, or replaces it and what it does, beginning with the first behaviour.
    pub fn put(&self, path: &str, bytes: impl Into<Vec<u8>>, behaviours: &[Behaviour]) {
        self.shared.turns.lock().unwrap().remove(path);
        self.shared.files.lock().unwrap().insert(path.to_owned(), (bytes.into(), behaviours.to_vec()));
    }

    /// Returns the address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns the address of the port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns `127.0.0.1:port`.
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    /// Counts the requests for a path.
    pub fn hits(&self, path: &str) -> usize {
        self.requests().iter().filter(|request| request.path() == path).count()
    }

    /// Returns every request so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// Counts the connections.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Counts the bytes of bodies handed to the network.
    pub fn sent(&self) -> usize {
        self.shared.sent.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address); // wakes `accept`
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept() {
        if shared.stop.load(Ordering::SeqCst) {
            return;
        }
        shared.connections.fetch_add(1, Ordering::SeqCst);
        let shared = Arc::clone(shared);
        // A client that goes away in the middle is part of the game.
        thread::spawn(move || while serve(&stream, &shared).unwrap_or(false) {});
    }
}

/// Serves one request; tells whether the connection lives on.
fn serve(stream: &TcpStream, shared: &Shared) -> io::Result<bool> {
    let Some(head) = peek_head(stream)? else { return Ok(false) };
    let request = parse(&head);
    let behaviour = choose(&request, shared);
    shared.requests.lock().unwrap().push(request.clone());
    // Unread bytes make the kernel answer `close` with a reset: so the last byte stays unread where one is wanted.
    let keep_unread = usize::from(matches!(behaviour.1.stop, Stop::ResetAfter(_)));
    (&*stream).read_exact(&mut vec![0; head.len() - keep_unread])?;
    answer(stream, shared, &request, behaviour)
}

fn peek_head(stream: &TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut seen = vec![0; 64 * 1024];
    loop {
        let count = stream.peek(&mut seen)?;
        if count == 0 {
            return Ok(None);
        }
        if let Some(end) = seen[..count].windows(4).position(|four| four == b"\r\n\r\n") {
            seen.truncate(end + 4);
            return Ok(Some(seen));
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn parse(head: &[u8]) -> Request {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.lines();
    let mut first = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let pairs = lines.filter_map(|line| line.split_once(": "));
    let headers = pairs.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    Request { method: first.next().unwrap_or_default(), target: first.next().unwrap_or_default(), headers }
}

fn choose(request: &Request, shared: &Shared) -> (Vec<u8>, Behaviour) {
    let mut turns = shared.turns.lock().unwrap();
    let turn = turns.entry(request.path().to_owned()).or_default();
    let Some((bytes, behaviours)) = shared.files.lock().unwrap().get(request.path()).cloned() else {
        return (vec![], Behaviour::status("404 Not Found"));
    };
    let chosen = behaviours.get(*turn).or(behaviours.last()).cloned().unwrap_or(HONEST);
    let shown = request.headers.get("authorization");
    match &chosen.guard {
        // Who is not let in takes no turn.
        Some((challenge, token)) if shown != Some(&format!("Bearer {token}")) => {
            (vec![], Behaviour::status("401 Unauthorized").with("WWW-Authenticate", challenge))
        }
        _ => {
            *turn += 1;
            (bytes, chosen)
        }
    }
}

fn answer(
    stream: &TcpStream,
    shared: &Shared,
    request: &Request,
    (file, how): (Vec<u8>, Behaviour),
) -> io::Result<bool> {
    let file = how.body.clone().unwrap_or(file);
    let (head, body) = compose(request, &file, &how);
    match &how.head {
        Head::Honest => (&*stream).write_all(&head)?,
        Head::Close => return Ok(false),
        Head::Silent => return hang(shared),
        Head::Raw(bytes) => return (&*stream).write_all(bytes).map(|()| false),
        Head::Interim => loop {
            (&*stream).write_all(b"HTTP/1.1 102 Processing\r\n\r\n")?;
            rest(shared, Duration::from_millis(1))?;
        },
        Head::Slow(pause) => trickle(stream, shared, &head, *pause)?,
    }
    if request.method == "HEAD" {
        return Ok(true);
    }
    send_body(stream, shared, &body, &how)
}

/// Returns the strong tag an honest server gives these bytes.
pub fn etag(file: &[u8]) -> String {
    // Not a loop of ours, which takes half a second for a large file in a test's own code.
    format!("\"{:x}-{}\"", file.len(), crate::base::Digest::of(file).short())
}

/// Makes the head and the body an honest server would send, then lets the behaviour change them.
fn compose(request: &Request, file: &[u8], how: &Behaviour) -> (Vec<u8>, Vec<u8>) {
    let mut lines = vec![
        ("ETag", etag(file)),
        ("Accept-Ranges", "bytes".into()),
        ("Content-Type", "application/octet-stream".into()),
    ];
    lines.retain(|(name, _)| how.headers.iter().all(|(other, _)| other != name));
    let told_etag = how.headers.iter().chain(&lines).find(|(name, _)| *name == "ETag").map(|(_, value)| value.as_str());
    let fresh = request.headers.get("if-range").is_none_or(|ours| told_etag == Some(ours));
    let (mut status, mut body) = ("200 OK", file);
    if let (Some((start, end)), true, false) = (range(request), fresh, how.ignores_range) {
        if start < file.len() {
            let end = end.min(file.len());
            (status, body) = ("206 Partial Content", &file[start..end]);
            lines.push(("Content-Range", format!("bytes {start}-{}/{}", end - 1, file.len())));
        } else {
            (status, body) = ("416 Range Not Satisfiable", &[]);
            lines.push(("Content-Range", format!("bytes */{}", file.len())));
        }
    }
    match how.framing {
        Framing::Length => lines.push(("Content-Length", body.len().to_string())),
        Framing::Chunked => lines.push(("Transfer-Encoding", "chunked".into())),
        Framing::Close => lines.push(("Connection", "close".into())),
    }
    lines.retain(|(name, _)| how.headers.iter().all(|(other, _)| other != name));
    lines.extend(how.headers.iter().filter(|(_, value)| !value.is_empty()).cloned());
    let lines: String = lines.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    (format!("HTTP/1.1 {}\r\n{lines}\r\n", how.status.unwrap_or(status)).into_bytes(), body.to_vec())
}

/// Reads `bytes=first-` or `bytes=first-last` as a half-open range.
fn range(request: &Request) -> Option<(usize, usize)> {
    let (first, last) = request.headers.get("range")?.strip_prefix("bytes=")?.split_once('-')?;
    let first = first.parse().ok()?;
    let end = if last.is_empty() { usize::MAX } else { last.parse::<usize>().ok()?.checked_add(1)? };
    (first < end).then_some((first, end))
}

/// How often a throttled body gets its next piece.
const RATE_TICK: Duration = Duration::from_millis(50);

fn send_body(stream: &TcpStream, shared: &Shared, body: &[u8], how: &Behaviour) -> io::Result<bool> {
    let end = match how.stop {
        Stop::CloseAfter(count) | Stop::ResetAfter(count) | Stop::HangAfter(count) => count.min(body.len()),
        Stop::Complete | Stop::Never => body.len(),
    };
    let (pieces, pause) = match (how.drip, how.rate) {
        (Some(pause), _) => (1, Some(pause)),
        (None, Some(rate)) => (rate.div_ceil(1000 / RATE_TICK.as_millis() as usize), Some(RATE_TICK)),
        (None, None) => (64 * 1024, None),
    };
    for piece in body[..end].chunks(pieces) {
        send_piece(stream, shared, piece, how.framing)?;
        if let Some(pause) = pause {
            rest(shared, pause)?;
        }
    }
    match how.stop {
        Stop::HangAfter(_) => hang(shared),
        Stop::CloseAfter(_) | Stop::ResetAfter(_) => Ok(false),
        Stop::Never => loop {
            send_piece(stream, shared, &[0; 64 * 1024], how.framing)?;
        },
        Stop::Complete if how.framing == Framing::Chunked => (&*stream).write_all(b"0\r\n\r\n").map(|()| true),
        Stop::Complete => Ok(how.framing == Framing::Length),
    }
}

fn send_piece(mut stream: &TcpStream, shared: &Shared, piece: &[u8], framing: Framing) -> io::Result<()> {
    shared.sent.fetch_add(piece.len(), Ordering::SeqCst);
    if framing != Framing::Chunked {
        return stream.write_all(piece);
    }
    let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
    stream.write_all(&chunk)
}

fn trickle(mut stream: &TcpStream, shared: &Shared, bytes: &[u8], pause: Duration) -> io::Result<()> {
    bytes.iter().try_for_each(|byte| {
        stream.write_all(&[*byte])?;
        rest(shared, pause)
    })
}

/// Says nothing until the server is dropped.
fn hang(shared: &Shared) -> io::Result<bool> {
    loop {
        rest(shared, Duration::from_millis(20))?;
    }
}

fn rest(shared: &Shared, pause: Duration) -> io::Result<()> {
    thread::sleep(pause);
    if shared.stop.load(Ordering::SeqCst) { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
}
