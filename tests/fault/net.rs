//! Transport faults: what a lying server does against what a download must do. Touches loopback only.
//!
//! Every behaviour is met twice, by a fresh download and by one that resumes after 4000 of 10 000 bytes; each must end as
//! the table says, within its deadline, and never keep a byte that is no part of the file. TLS: `net_tls.rs`.
#![allow(clippy::unwrap_used, reason = "a test fails loudly")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a test of deadlines reads the clock")]

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use arca_build::base::{Code, Event, Problem, Url};
use arca_build::fetch::{Arrived, Bounds, Fetch, Http, Proxy, Settings};
use arca_build::stream::Sink;

use crate::server::{Behaviour, Framing, HONEST, Head, Server, Stop};

const KEPT: usize = 4000;
const DEADLINE: Duration = Duration::from_secs(15);

/// A sink in memory that remembers what it was told.
#[derive(Default, Clone)]
struct Memory {
    bytes: Vec<u8>,
    validator: Option<String>,
    restarts: usize,
    largest: usize,
}

impl Sink for Memory {
    fn position(&self) -> u64 {
        self.bytes.len() as u64
    }
    fn append(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        self.bytes.extend_from_slice(bytes);
        self.largest = self.largest.max(self.bytes.len());
        Ok(())
    }
    fn restart(&mut self) -> Result<(), Problem> {
        self.bytes.clear();
        self.restarts += 1;
        Ok(())
    }
    fn validator(&self) -> Option<String> {
        self.validator.clone()
    }
    fn set_validator(&mut self, validator: Option<&str>) -> Result<(), Problem> {
        self.validator = validator.map(str::to_owned);
        Ok(())
    }
}

fn quick() -> Settings {
    Settings {
        connect: Duration::from_secs(2),
        stall: Duration::from_millis(400),
        attempts: 3,
        backoff: Duration::from_millis(2),
        retry_cap: Duration::from_millis(50),
        proxy: Proxy::Never,
        ..Settings::default()
    }
}

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn download(server: &Server, bounds: Bounds, sink: &mut Memory) -> Result<Arrived, Problem> {
    download_as(&quick(), &server.url("/file"), bounds, sink)
}

fn download_as(settings: &Settings, url: &str, bounds: Bounds, sink: &mut Memory) -> Result<Arrived, Problem> {
    Http::new(settings.clone()).download("base", &Url::parse(url).unwrap(), &bounds, sink, &|_| ())
}

/// How a download must end.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ends {
    /// The file is there.
    Whole,
    /// As many bytes as pinned are there, and they are not the file: the digest decides.
    Other,
    With(Code),
}
use Ends::{Other, Whole, With};

struct Case {
    name: &'static str,
    does: Vec<Behaviour>,
    fresh: Ends,
    resumed: Ends,
}

fn both(name: &'static str, does: impl Into<Vec<Behaviour>>, ends: Ends) -> Case {
    Case { name, does: does.into(), fresh: ends, resumed: ends }
}

fn apart(name: &'static str, does: impl Into<Vec<Behaviour>>, fresh: Ends, resumed: Ends) -> Case {
    Case { name, does: does.into(), fresh, resumed }
}

fn framed(framing: Framing, stop: Stop) -> Behaviour {
    Behaviour { framing, stop, ..HONEST }
}

fn heading(head: Head) -> Behaviour {
    Behaviour { head, ..HONEST }
}

fn without_ranges(behaviour: Behaviour) -> Behaviour {
    Behaviour { ignores_range: true, ..behaviour }
}

fn truncations() -> Vec<Case> {
    use Framing::{Chunked, Close, Length};
    use Stop::{CloseAfter, ResetAfter};
    vec![
        both("honest", [], Whole),
        both("net-1 closes early, once", [framed(Length, CloseAfter(3000)), HONEST], Whole),
        both("net-1 closes early, always, with progress", [framed(Length, CloseAfter(3000))], Whole),
        both("net-1 closes early, always, with next to none", [framed(Length, CloseAfter(10))], With(Code::NetConnect)),
        both("net-1 closes before the body", [framed(Length, CloseAfter(0))], With(Code::NetConnect)),
        both("net-1 chunked without a last chunk, once", [framed(Chunked, CloseAfter(3000)), HONEST], Whole),
        both("net-1 chunked without a last chunk, always", [framed(Chunked, CloseAfter(0))], With(Code::NetConnect)),
        both("net-1 no length, closes early, once", [framed(Close, CloseAfter(3000)), HONEST], Whole),
        both(
            "net-1 no length, no ranges, closes early",
            [without_ranges(framed(Close, CloseAfter(3000)))],
            With(Code::NetSize),
        ),
        both("net-1 closes before the head", [heading(Head::Close)], With(Code::NetConnect)),
        both("net-1 closes before the head, once", [heading(Head::Close), HONEST], Whole),
        both("net-16 resets in the body, once", [framed(Length, ResetAfter(3000)), HONEST], Whole),
        both("net-16 resets in the body, always", [framed(Length, ResetAfter(1))], With(Code::NetConnect)),
        both("chunked and whole", [framed(Chunked, Stop::Complete)], Whole),
        both("no length and whole", [framed(Close, Stop::Complete)], Whole),
    ]
}

fn lengths() -> Vec<Case> {
    let sized = |length: &str| HONEST.with("Content-Length", length);
    let double = HONEST.with("Content-Length", "10000").with("Content-Length", "6000");
    let mixed = framed(Framing::Chunked, Stop::Complete).with("Content-Length", "5");
    vec![
        both("net-2 length too small", [sized("5000")], With(Code::NetSize)),
        both("net-2 length too large", [sized("20000")], With(Code::NetSize)),
        both("net-2 length far too large", [sized("99999999999999")], With(Code::NetSize)),
        both("net-2 length negative", [sized("-1")], With(Code::NetProtocol)),
        both("net-2 length no number", [sized("ten")], With(Code::NetProtocol)),
        both("net-2 length beyond 64 bits", [sized("99999999999999999999999")], With(Code::NetProtocol)),
        both("net-2 two lengths", [double], With(Code::NetProtocol)),
        both("net-2 a length beside chunks", [mixed], Whole),
        both("net-2 sends more than announced", [framed(Framing::Length, Stop::Never)], Whole),
        both(
            "net-2 chunked and longer",
            [Behaviour { framing: Framing::Chunked, body: Some(bytes(10_001)), ..HONEST }],
            With(Code::NetSize),
        ),
        both(
            "net-2 chunked and shorter",
            [Behaviour { framing: Framing::Chunked, body: Some(bytes(9_999)), ..HONEST }],
            With(Code::NetSize),
        ),
    ]
}

fn ranges() -> Vec<Case> {
    let ranged = |range: &str| HONEST.with("Content-Range", range);
    let spliced = Behaviour { status: Some("206 Partial Content"), ..without_ranges(Behaviour::body(vec![0; 6000])) }
        .with("Content-Range", "bytes 4000-9999/10000")
        .with("ETag", "\"new\"");
    let earlier =
        Behaviour { status: Some("206 Partial Content"), ..without_ranges(Behaviour::body(&bytes(9000)[3000..])) }
            .with("Content-Range", "bytes 3000-8999/10000")
            .with("ETag", "");
    vec![
        both("net-3 ignores the range", [without_ranges(HONEST)], Whole),
        both("net-4 another start, as long", [earlier, HONEST], Whole),
        both("net-4 another start", [ranged("bytes 0-9999/10000")], Whole),
        both("net-4 another total", [ranged("bytes 4000-9999/99999")], Whole),
        both("net-4 unknown total", [ranged("bytes 4000-9999/*")], Whole),
        both("net-4 no content-range", [ranged("")], Whole),
        both("net-4 garbage content-range", [ranged("bytes=4000")], Whole),
        both("net-4 multipart", [ranged("").with("Content-Type", "multipart/byteranges; boundary=x")], Whole),
        apart(
            "net-4 206 to everything",
            [Behaviour { status: Some("206 Partial Content"), ..HONEST }],
            With(Code::NetProtocol),
            Whole,
        ),
        both("net-5 the tag changed", [HONEST.with("ETag", "\"new\"")], Whole),
        both("net-5 the tag changed, if-range ignored", [spliced, HONEST], Whole),
        both("net-5 a weak tag", [HONEST.with("ETag", "W/\"x\"")], Whole),
        both("net-5 no tag", [HONEST.with("ETag", "")], Whole),
        both("net-5 a hostile tag", [HONEST.with("ETag", "\"\u{9b}31m\"")], Whole),
        both("net-6 416 to everything", [Behaviour::status("416 Range Not Satisfiable")], With(Code::NetProtocol)),
        both("net-6 416 once", [Behaviour::status("416 Range Not Satisfiable"), HONEST], Whole),
        both("net-6 the file shrank", [Behaviour::body(bytes(1000))], With(Code::NetSize)),
    ]
}

fn pages() -> Vec<Case> {
    let wrong = Behaviour::body(vec![7; 10_000]);
    vec![
        both("net-6 404 with a page", [Behaviour::status("404 Not Found")], With(Code::NetStatus)),
        both("net-6 403 with a page", [Behaviour::status("403 Forbidden")], With(Code::NetStatus)),
        both("net-8 501 is final", [Behaviour::status("501 Not Implemented"), HONEST], With(Code::NetStatus)),
        both("net-11 captive portal", [without_ranges(Behaviour::body("<html>log in</html>"))], With(Code::NetSize)),
        both("net-11 right size, wrong bytes", [wrong], Other),
        both("net-10 labelled gzip", [HONEST.with("Content-Encoding", "gzip")], Whole),
        both("net-17 a hostile file name", [HONEST.with("Content-Disposition", "attachment; filename=../../x")], Whole),
    ]
}

fn silence() -> Vec<Case> {
    let drip = Behaviour { drip: Some(Duration::from_millis(20)), ..HONEST };
    let padded = HONEST.with("X-Pad", "a".repeat(1 << 20));
    let lines = "X-Line: x\r\n".repeat(10_000);
    vec![
        both("net-7 endless, chunked", [framed(Framing::Chunked, Stop::Never)], With(Code::NetSize)),
        both("net-7 endless, no length", [framed(Framing::Close, Stop::Never)], With(Code::NetSize)),
        both("net-7 drips", [drip.clone()], With(Code::NetStall)),
        both("net-7 drips once", [drip, HONEST], Whole),
        both("net-7 silent after accept", [heading(Head::Silent)], With(Code::NetStall)),
        both("net-7 silent once", [heading(Head::Silent), HONEST], Whole),
        both("net-7 silent in the body", [framed(Framing::Length, Stop::HangAfter(0))], With(Code::NetStall)),
        both("net-7 silent in the body, once", [framed(Framing::Length, Stop::HangAfter(2000)), HONEST], Whole),
        both("net-7 slow head", [heading(Head::Slow(Duration::from_millis(20)))], With(Code::NetStall)),
        both("net-7 1 MB header", [padded], With(Code::NetProtocol)),
        both("net-7 70 KB header", [HONEST.with("X-Pad", "a".repeat(70_000))], With(Code::NetProtocol)),
        both(
            "net-7 10 000 header lines",
            [Behaviour::raw(format!("HTTP/1.1 200 OK\r\n{lines}\r\n"))],
            With(Code::NetProtocol),
        ),
        both("net-7 endless 1xx", [heading(Head::Interim)], With(Code::NetStall)),
        both("garbage", [Behaviour::raw("SSH-2.0-OpenSSH_9.2\r\n")], With(Code::NetProtocol)),
        both("no status code", [Behaviour::raw("HTTP/1.1 OK\r\n\r\n")], With(Code::NetProtocol)),
        both("a NUL in the head", [Behaviour::raw("HTTP/1.1 200 OK\r\nX: \0\r\n\r\n")], With(Code::NetProtocol)),
    ]
}

fn refusals() -> Vec<Case> {
    let busy = |value: &str| Behaviour::status("503 Service Unavailable").with("Retry-After", value);
    let dated = busy("Sun, 06 Nov 1994 08:49:38 GMT").with("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
    let mut cases = vec![
        both("net-8 503 for ever", [busy("0")], With(Code::NetStatus)),
        both("net-8 retry-after seconds", [busy("1"), HONEST], Whole),
        both("net-8 retry-after a date", [dated, HONEST], Whole),
        both("net-8 retry-after 10^9", [busy("1000000000"), HONEST], Whole),
        both("net-8 retry-after 10^30", [busy(&"9".repeat(30)), HONEST], Whole),
        both("net-8 retry-after garbage", [busy("soon"), HONEST], Whole),
    ];
    for (name, status) in [
        ("net-8 429 once", "429 Too Many Requests"),
        ("net-8 500 once", "500 Internal Server Error"),
        ("net-8 502 once", "502 Bad Gateway"),
        ("net-8 504 once", "504 Gateway Timeout"),
        ("net-8 408 once", "408 Request Timeout"),
    ] {
        cases.push(both(name, [Behaviour::status(status), HONEST], Whole));
    }
    cases
}

fn redirects() -> Vec<Case> {
    let mut cases = vec![
        both("net-9 redirects to itself once", [Behaviour::redirect("/file"), HONEST], Whole),
        both("net-9 relative", [Behaviour::redirect("file?x=1#y"), HONEST], Whole),
        both("net-9 no location", [Behaviour::status("302 Found")], With(Code::NetRedirect)),
        both("net-9 ten hops", [vec![Behaviour::redirect("/file"); 10], vec![HONEST]].concat(), Whole),
        both("net-9 21 hops", [vec![Behaviour::redirect("/file"); 21], vec![HONEST]].concat(), With(Code::NetRedirect)),
        both("net-9 300 is no redirect", [Behaviour::status("300 Multiple Choices")], With(Code::NetStatus)),
        both("net-9 304 unasked", [Behaviour::status("304 Not Modified")], With(Code::NetStatus)),
    ];
    for (name, target) in [
        ("net-9 loop", "/file"),
        ("net-9 file:", "file:///etc/passwd"),
        ("net-9 data:", "data:,x"),
        ("net-9 ftp:", "ftp://127.0.0.1/x"),
        ("net-9 userinfo", "http://user:pass@127.0.0.1/x"),
        ("net-9 no URL", "http://"),
        ("net-9 too long", &*format!("/{}", "a".repeat(9000)).leak()),
    ] {
        cases.push(both(name, [Behaviour::redirect(target)], With(Code::NetRedirect)));
    }
    cases
}

/// Runs one case and returns what is wrong with its end.
fn judge(case: &Case, resumed: bool) -> Option<String> {
    let file = bytes(10_000);
    let server = Server::one(file.clone(), &case.does);
    let mut sink = Memory::default();
    if resumed {
        let honest = Server::one(
            file.clone(),
            &[framed(Framing::Length, Stop::CloseAfter(KEPT)), Behaviour::status("404 Gone")],
        );
        let _ = download(&honest, Bounds::exactly(10_000), &mut sink);
        assert_eq!((sink.bytes.len(), sink.validator.is_some()), (KEPT, true));
        sink.largest = KEPT;
    }
    let begun = Instant::now();
    let result = download(&server, Bounds::exactly(10_000), &mut sink);
    let expected = if resumed { case.resumed } else { case.fresh };
    let ended = match &result {
        Ok(_) if sink.bytes == file => Whole,
        Ok(_) if sink.bytes.len() == file.len() => Other,
        Ok(_) => return Some(format!("ended well with {} bytes", sink.bytes.len())),
        Err(problem) => With(problem.code),
    };
    if ended != expected {
        return Some(format!("ended {ended:?}, not {expected:?}: {result:?}"));
    }
    if begun.elapsed() > DEADLINE {
        return Some(format!("took {:?}", begun.elapsed()));
    }
    if sink.largest > file.len() {
        return Some(format!("kept {} bytes at once", sink.largest));
    }
    if ended != Other && !file.starts_with(&sink.bytes) {
        return Some("kept bytes that are no part of the file".into());
    }
    None
}

/// Judges all cases, eight at a time: they wait more than they work.
fn assert_all(cases: &[Case]) {
    let all: Vec<_> = cases.iter().flat_map(|case| [(case, false), (case, true)]).collect();
    let wrong = Mutex::new(vec![]);
    thread::scope(|scope| {
        for lane in 0..8 {
            let (all, wrong) = (&all, &wrong);
            scope.spawn(move || {
                for (case, resumed) in all.iter().skip(lane).step_by(8) {
                    let told = judge(case, *resumed).map(|why| format!("{} (resumed: {resumed}): {why}", case.name));
                    wrong.lock().unwrap().extend(told);
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn net_01_truncated_bodies_are_resumed_and_never_taken_for_whole() {
    assert_all(&truncations());
}

#[test]
fn net_02_false_lengths_are_told_and_capped() {
    assert_all(&lengths());
}

#[test]
fn net_03_to_net_06_only_a_fitting_range_is_continued() {
    assert_all(&ranges());
}

#[test]
fn net_06_net_10_and_net_11_pages_are_never_kept() {
    assert_all(&pages());
}

#[test]
fn net_07_endless_and_silent_servers_end_in_time() {
    assert_all(&silence());
}

#[test]
fn net_08_passing_refusals_are_waited_for() {
    assert_all(&refusals());
}

#[test]
fn net_09_redirects_are_bounded() {
    assert_all(&redirects());
}

#[test]
fn the_table_is_as_large_as_promised() {
    let all = [truncations(), lengths(), ranges(), pages(), silence(), refusals(), redirects()];
    assert!(all.iter().map(Vec::len).sum::<usize>() >= 40);
}

#[test]
fn net_01_a_resume_fetches_only_the_rest() {
    let file = bytes(10_000);
    let server = Server::one(file.clone(), &[framed(Framing::Length, Stop::CloseAfter(3000)), HONEST]);
    let mut sink = Memory::default();
    let arrived = download(&server, Bounds::exactly(10_000), &mut sink).unwrap();
    assert_eq!((arrived.received, server.sent(), sink.restarts), (10_000, 10_000, 0));
    let second = &server.requests()[1];
    assert_eq!(second.headers["range"], "bytes=3000-");
    assert_eq!(second.headers.get("if-range"), sink.validator.as_ref());
    assert_eq!(second.headers["accept-encoding"], "identity");
}

#[test]
fn net_06_a_complete_part_asks_nobody() {
    let server = Server::one(bytes(100), &[]);
    let mut sink = Memory { bytes: bytes(100), ..Memory::default() };
    assert_eq!(download(&server, Bounds::exactly(100), &mut sink).unwrap().received, 0);
    assert_eq!(server.connections(), 0);
    // Without a pinned size the server says whether it is complete.
    assert_eq!(download(&server, Bounds::at_most(1000), &mut sink).unwrap().received, 0);
    assert_eq!((server.hits("/file"), sink.bytes.len()), (1, 100));
}

#[test]
fn net_07_a_part_longer_than_the_file_begins_anew() {
    let server = Server::one(bytes(100), &[]);
    let mut sink = Memory { bytes: vec![1; 200], ..Memory::default() };
    download(&server, Bounds::exactly(100), &mut sink).unwrap();
    assert_eq!((sink.bytes, server.hits("/file")), (bytes(100), 1));
}

#[test]
fn net_07_without_a_pin_the_cap_holds() {
    for does in [HONEST, framed(Framing::Chunked, Stop::Complete), framed(Framing::Close, Stop::Never)] {
        let server = Server::one(bytes(10_000), &[does]);
        let mut sink = Memory::default();
        let problem = download(&server, Bounds::at_most(9_999), &mut sink).unwrap_err();
        assert_eq!((problem.code, sink.bytes.len()), (Code::NetSize, 0));
        assert!(problem.facts.contains(&("allowed", "9999 bytes".into())), "{problem:?}");
    }
}

#[test]
fn net_07_a_body_beyond_its_end_spoils_the_kept_part() {
    let server = Server::one(bytes(10_000), &[framed(Framing::Close, Stop::Never)]);
    let mut sink = Memory { bytes: bytes(KEPT), ..Memory::default() };
    let problem = download(&server, Bounds::exactly(10_000), &mut sink).unwrap_err();
    assert_eq!((problem.code, sink.bytes.len(), sink.restarts), (Code::NetSize, 0, 1));
    assert_eq!(server.requests()[0].headers["range"], "bytes=4000-");
}

#[test]
fn net_02_both_sizes_are_told_at_once() {
    let server = Server::one(bytes(5000), &[]);
    let problem = download(&server, Bounds::exactly(10_000), &mut Memory::default()).unwrap_err();
    assert_eq!(server.hits("/file"), 1);
    assert!(problem.facts.contains(&("expected", "10000 bytes".into())), "{problem:?}");
    assert!(
        problem.facts.iter().any(|(label, value)| *label == "received" && value.starts_with("5000 ")),
        "{problem:?}"
    );
}

#[test]
fn net_05_a_server_that_always_changes_its_mind_is_given_up() {
    let turn = |tag| Behaviour::stopping(Stop::CloseAfter(5000)).with("ETag", format!("\"{tag}\""));
    let server = Server::one(bytes(10_000), &(0..40).map(turn).collect::<Vec<_>>());
    let problem = download(&server, Bounds::exactly(10_000), &mut Memory::default()).unwrap_err();
    assert_eq!((problem.code, server.hits("/file") <= 5), (Code::NetConnect, true), "{}", server.hits("/file"));
}

#[test]
fn net_08_hopeless_answers_are_asked_for_once_and_hopeful_ones_thrice() {
    for (status, hits) in [("404 Not Found", 1), ("403 Forbidden", 1), ("410 Gone", 1), ("503 Busy", 3)] {
        let server = Server::one(bytes(10), &[Behaviour::status(status)]);
        let problem = download(&server, Bounds::exactly(10), &mut Memory::default()).unwrap_err();
        assert_eq!((problem.code, server.hits("/file")), (Code::NetStatus, hits), "{status}");
        let snapshot = problem.hint.unwrap_or_default().contains("snapshot");
        assert_eq!(snapshot, status.starts_with("404") || status.starts_with("410"), "{status}");
    }
}

#[test]
fn net_10_and_net_11_what_came_is_described() {
    let page = Behaviour::body("<!doctype html><p>Welcome to Hotel").with("Content-Type", "text/html\u{9b}");
    let server = Server::one(vec![], &[page.with("Content-Encoding", "gzip")]);
    let arrived = download(&server, Bounds::at_most(1000), &mut Memory::default()).unwrap();
    assert_eq!(arrived.looks_like, Some("an HTML page"));
    assert_eq!(arrived.content_encoding.as_deref(), Some("gzip"));
    assert!(arrived.content_type.is_some_and(|kind| kind.starts_with("text/html") && !kind.contains('\u{9b}')));
}

#[test]
fn net_16_a_reset_at_any_byte_of_a_small_file_is_survived() {
    let file = bytes(4096);
    let server = Server::start();
    let http = Http::new(Settings { backoff: Duration::ZERO, ..quick() });
    let survive = |k: usize| {
        let path = format!("/{k}");
        server.put(&path, file.clone(), &[Behaviour::stopping(Stop::ResetAfter(k)), HONEST]);
        let mut sink = Memory::default();
        let url = Url::parse(&server.url(&path)).unwrap();
        http.download("base", &url, &Bounds::exactly(4096), &mut sink, &|_| ()).unwrap();
        assert!(sink.bytes == file && sink.restarts == 0, "reset after {k}");
    };
    thread::scope(|scope| {
        for lane in 0..4 {
            let survive = &survive;
            scope.spawn(move || (lane..=4096).step_by(4).for_each(survive));
        }
    });
}

#[test]
fn net_16_dead_hosts_and_ports_are_told_apart() {
    let mut sink = Memory::default();
    let closed = Server::start().url("/file"); // dropped at once
    let problem = download_as(&quick(), &closed, Bounds::exactly(1), &mut sink).unwrap_err();
    assert_eq!(problem.code, Code::NetConnect, "{problem:?}");
    let problem = download_as(&quick(), "http://no-such-host.invalid/", Bounds::exactly(1), &mut sink).unwrap_err();
    assert_eq!(problem.code, Code::NetDns, "{problem:?}");
}

#[test]
fn small_files_are_read_whole_or_not_at_all() {
    let half = framed(Framing::Length, Stop::CloseAfter(50));
    let server = Server::one(bytes(100), &[half, HONEST.with("ETag", "\"new\"")]);
    let http = Http::new(quick());
    let url = Url::parse(&server.url("/file")).unwrap();
    assert_eq!(http.text("sums", &url, 100, &|_| ()).unwrap().body, bytes(100));
    assert!(server.requests().iter().all(|request| !request.headers.contains_key("range")));
    assert_eq!(http.text("sums", &url, 99, &|_| ()).unwrap_err().code, Code::NetSize);
    server.put("/file", "x", &[HONEST.with("Content-Encoding", "br")]);
    assert_eq!(http.text("sums", &url, 99, &|_| ()).unwrap_err().code, Code::NetProtocol);
}

#[test]
fn a_size_is_asked_without_a_body() {
    let server = Server::one(bytes(12_345), &[]);
    let http = Http::new(quick());
    let url = Url::parse(&server.url("/file")).unwrap();
    assert_eq!(http.size(&url).unwrap(), Some(12_345));
    assert_eq!((server.sent(), server.requests()[0].method.as_str()), (0, "HEAD"));
    server.put("/file", "", &[Behaviour::status("405 Method Not Allowed")]);
    assert_eq!(http.size(&url).unwrap(), None);
    assert_eq!(http.size(&Url::parse(&server.url("/none")).unwrap()).unwrap_err().code, Code::NetStatus);
}

#[test]
fn sec_5_credentials_reach_their_host_and_no_message() {
    let elsewhere = Server::one(bytes(10), &[]);
    let server =
        Server::one(bytes(10), &[HONEST, Behaviour::redirect(format!("{}?t=canary3", elsewhere.url("/file")))]);
    let url = server.url("/file?token=canary1").replace("http://", "http://user:canary2@");
    let told = Mutex::new(vec![]);
    let http = Http::new(quick());
    for _ in 0..2 {
        let mut sink = Memory::default();
        let listen = |event: Event| told.lock().unwrap().push(format!("{event:?}"));
        let arrived =
            http.download("base", &Url::parse(&url).unwrap(), &Bounds::exactly(10), &mut sink, &listen).unwrap();
        told.lock().unwrap().push(format!("{arrived:?} {}", arrived.from));
    }
    let basic = "Basic dXNlcjpjYW5hcnky"; // user:canary2
    assert!(server.requests().iter().all(|request| request.headers["authorization"] == basic));
    assert!(!elsewhere.requests()[0].headers.contains_key("authorization"));
    for does in [
        Behaviour::status("403 x"),
        heading(Head::Close),
        heading(Head::Silent),
        Behaviour::redirect("ftp://canary4@x/?canary5"),
    ] {
        server.put("/file", bytes(10), &[does]);
        let problem = download_as(&quick(), &url, Bounds::exactly(10), &mut Memory::default()).unwrap_err();
        told.lock().unwrap().push(format!("{problem:?} {problem}"));
    }
    let told = told.into_inner().unwrap().join("\n");
    assert!(!told.contains("canary") && !told.contains("dXNlcj"), "{told}");
}

#[test]
fn net_15_a_proxy_is_used_and_its_password_is_never_shown() {
    let proxy = Server::start();
    proxy.put("/image", bytes(10), &[]);
    proxy.put("/denied", "", &[Behaviour::status("407 Proxy Authentication Required")]);
    proxy.put("/inside", "", &[Behaviour::redirect("http://169.254.169.254/latest/meta-data")]);
    let through = Url::parse(&format!("http://user:canary2@{}", proxy.authority())).unwrap();
    let settings = Settings { proxy: Proxy::Through(through), ..quick() };
    let mut sink = Memory::default();
    download_as(&settings, "http://mirror.invalid/image", Bounds::exactly(10), &mut sink).unwrap();
    assert_eq!(proxy.requests()[0].target, "http://mirror.invalid/image");
    assert_eq!(proxy.requests()[0].headers["proxy-authorization"], "Basic dXNlcjpjYW5hcnky");
    for (address, code) in [
        ("http://mirror.invalid/denied", Code::NetStatus),
        ("http://mirror.invalid/inside", Code::NetRedirect),
        ("https://mirror.invalid/tunnel", Code::NetConnect),
    ] {
        let problem = download_as(&settings, address, Bounds::exactly(10), &mut Memory::default()).unwrap_err();
        assert_eq!(problem.code, code, "{problem:?}");
        assert!(!format!("{problem:?}").contains("canary"), "{problem:?}");
    }
}

#[test]
fn progress_is_told_a_few_times_a_second_and_counts_the_kept_part() {
    let slow = Behaviour { drip: Some(Duration::from_millis(1)), ..HONEST };
    let server = Server::one(bytes(2000), &[slow]);
    let mut sink = Memory { bytes: bytes(1000), ..Memory::default() };
    let told = Mutex::new(vec![]);
    let settings = Settings { stall: Duration::from_secs(5), floor: 1, ..quick() };
    let url = Url::parse(&server.url("/file")).unwrap();
    Http::new(settings)
        .download("base", &url, &Bounds::exactly(2000), &mut sink, &|event| told.lock().unwrap().push(event))
        .unwrap();
    let told = told.into_inner().unwrap();
    assert!(matches!(&told[0], Event::Started { total: Some(total), .. } if total.0 == 2000), "{told:?}");
    assert!(matches!(told.last(), Some(Event::Finished { .. })), "{told:?}");
    let done: Vec<u64> = told
        .iter()
        .filter_map(|event| if let Event::Progress { done, .. } = event { Some(done.0) } else { None })
        .collect();
    assert!((2..=12).contains(&done.len()) && done.is_sorted() && done[0] > 1000, "{done:?}");
}
