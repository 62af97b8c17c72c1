//! Transport faults, single questions: what exactly is asked, kept, told and shown. Touches loopback only.
//!
//! What a lying server may do at all is the table of `net_table.rs`, met by `net_matrix.rs`. TLS: `net_tls.rs`.

use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use crate::base::{Code, Diagnostic, Event, Url};
use crate::fetch::{Arrived, Bounds, Fetch, Http, Proxy, Settings};
use crate::stream::Sink;

use crate::tests::support::server::{Behaviour, Framing, HONEST, Head, Server, Stop};

/// Demands exactly so many bytes.
fn exactly(size: u64) -> Bounds {
    Bounds { size: Some(size), cap: size }
}

const KEPT: usize = 4000;

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
    fn append(&mut self, bytes: &[u8]) -> Result<(), Diagnostic> {
        self.bytes.extend_from_slice(bytes);
        self.largest = self.largest.max(self.bytes.len());
        Ok(())
    }
    fn restart(&mut self) -> Result<(), Diagnostic> {
        self.bytes.clear();
        self.restarts += 1;
        Ok(())
    }
    fn validator(&self) -> Option<String> {
        self.validator.clone()
    }
    fn set_validator(&mut self, validator: Option<&str>) -> Result<(), Diagnostic> {
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

fn download(server: &Server, bounds: Bounds, sink: &mut Memory) -> Result<Arrived, Diagnostic> {
    download_as(&quick(), &server.url("/file"), bounds, sink)
}

fn download_as(settings: &Settings, url: &str, bounds: Bounds, sink: &mut Memory) -> Result<Arrived, Diagnostic> {
    Http::new(settings.clone()).download("base", &Url::parse(url).unwrap(), &bounds, sink, &|_| ())
}

fn framed(framing: Framing, stop: Stop) -> Behaviour {
    Behaviour { framing, stop, ..HONEST }
}

fn heading(head: Head) -> Behaviour {
    Behaviour { head, ..HONEST }
}

#[test]
fn net_01_a_resume_fetches_only_the_rest() {
    let file = bytes(10_000);
    let server = Server::one(file.clone(), &[framed(Framing::Length, Stop::CloseAfter(3000)), HONEST]);
    let mut sink = Memory::default();
    let arrived = download(&server, exactly(10_000), &mut sink).unwrap();
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
    assert_eq!(download(&server, exactly(100), &mut sink).unwrap().received, 0);
    assert_eq!(server.connections(), 0);
    // Without a pinned size the server says whether it is complete.
    assert_eq!(download(&server, Bounds::at_most(1000), &mut sink).unwrap().received, 0);
    assert_eq!((server.hits("/file"), sink.bytes.len()), (1, 100));
}

#[test]
fn net_07_a_part_longer_than_the_file_begins_anew() {
    let server = Server::one(bytes(100), &[]);
    let mut sink = Memory { bytes: vec![1; 200], ..Memory::default() };
    download(&server, exactly(100), &mut sink).unwrap();
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
    let problem = download(&server, exactly(10_000), &mut sink).unwrap_err();
    assert_eq!((problem.code, sink.bytes.len(), sink.restarts), (Code::NetSize, 0, 1));
    assert_eq!(server.requests()[0].headers["range"], "bytes=4000-");
}

#[test]
fn net_02_both_sizes_are_told_at_once() {
    let server = Server::one(bytes(5000), &[]);
    let problem = download(&server, exactly(10_000), &mut Memory::default()).unwrap_err();
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
    let problem = download(&server, exactly(10_000), &mut Memory::default()).unwrap_err();
    assert_eq!((problem.code, server.hits("/file") <= 5), (Code::NetConnect, true), "{}", server.hits("/file"));
}

#[test]
fn net_08_hopeless_answers_are_asked_for_once_and_hopeful_ones_thrice() {
    for (status, hits) in [("404 Not Found", 1), ("403 Forbidden", 1), ("410 Gone", 1), ("503 Busy", 3)] {
        let server = Server::one(bytes(10), &[Behaviour::status(status)]);
        let problem = download(&server, exactly(10), &mut Memory::default()).unwrap_err();
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
        http.download("base", &url, &exactly(4096), &mut sink, &|_| ()).unwrap();
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
    let problem = download_as(&quick(), &closed, exactly(1), &mut sink).unwrap_err();
    assert_eq!(problem.code, Code::NetConnect, "{problem:?}");
    let problem = download_as(&quick(), "http://no-such-host.invalid/", exactly(1), &mut sink).unwrap_err();
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
        let arrived = http.download("base", &Url::parse(&url).unwrap(), &exactly(10), &mut sink, &listen).unwrap();
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
        let problem = download_as(&quick(), &url, exactly(10), &mut Memory::default()).unwrap_err();
        told.lock().unwrap().push(format!("{problem:?} {problem}"));
    }
    let told = told.into_inner().unwrap().join("\n");
    assert!(!told.contains("canary") && !told.contains("dXNlcj"), "{told}");
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
        .download("base", &url, &exactly(2000), &mut sink, &|event| told.lock().unwrap().push(event))
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

#[test]
fn where_only_the_server_knows_the_size_it_is_told_as_the_total() {
    let totals = |behaviour: Behaviour, bounds: Bounds| {
        let server = Server::one(bytes(2000), &[behaviour]);
        let (mut sink, told) = (Memory::default(), Mutex::new(vec![]));
        let url = Url::parse(&server.url("/file")).unwrap();
        let tell = |event| told.lock().unwrap().push(event);
        Http::new(quick()).download("base", &url, &bounds, &mut sink, &tell).unwrap();
        let total =
            |event| if let Event::Started { total, .. } = event { Some(total.map(|total| total.0)) } else { None };
        told.into_inner().unwrap().into_iter().filter_map(total).collect::<Vec<_>>()
    };
    assert_eq!(totals(HONEST, Bounds::at_most(5000)), [None, Some(2000)]);
    assert_eq!(totals(HONEST, exactly(2000)), [Some(2000)]);
    assert_eq!(totals(framed(Framing::Chunked, Stop::Complete), Bounds::at_most(5000)), [None]);
}
