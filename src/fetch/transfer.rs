//! One transfer: attempts until the file is there, each continuing where the last one ended. Touches the network only.
//!
//! One pass: the socket's bytes go to the sink in large pieces, and the sink hashes. `answer` decides what a head means,
//! `pace` how long we are patient. Nothing a server says beside its body reaches the sink, error pages included.

use std::io::Read;
use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::{self, HeaderMap, HeaderValue};

use super::answer::{Asked, Verdict, too_large};
use super::client::{Answer, Http};
use super::failure::{Failure, Retry};
use super::pace::{Attempts, Floor, GATHER, Ticker};
use super::{Arrived, Bounds};
use crate::base::text::{looks_like, one_line};
use crate::base::{ByteSize, Code, Diagnostic, Event, Events, Url};
use crate::stream::Sink;

/// How much is collected before the sink sees it: few, large writes, and memory that no server controls.
const PIECE: usize = 256 * 1024;

/// A file on its way.
pub(super) struct Transfer<'a> {
    http: &'a Http,
    what: &'a str,
    url: &'a Url,
    bounds: Bounds,
    events: Events<'a>,
    resumes: bool,
    tells: bool,
    received: u64,
    looks_like: Option<&'static str>,
    ticker: Ticker,
}

/// Whether a body goes on.
enum Flow {
    More,
    End,
}

impl<'a> Transfer<'a> {
    /// Prepares a transfer that resumes and tells nothing but warnings.
    pub(super) fn new(http: &'a Http, what: &'a str, url: &'a Url, bounds: Bounds, events: Events<'a>) -> Self {
        let (received, looks_like, ticker) = (0, None, Ticker::new());
        Self { http, what, url, bounds, events, resumes: true, tells: false, received, looks_like, ticker }
    }

    /// Reports its progress.
    pub(super) fn told(mut self) -> Self {
        self.tells = true;
        self
    }

    /// Begins every attempt at byte 0: where no digest is known, two versions must not be spliced.
    pub(super) fn whole(mut self) -> Self {
        self.resumes = false;
        self
    }

    /// Runs to the end.
    pub(super) fn run(mut self, sink: &mut dyn Sink) -> Result<Arrived, Diagnostic> {
        let what = one_line(self.what, 200);
        self.tell(Event::Started { what: what.clone(), total: self.bounds.size.map(ByteSize) });
        let mut attempts = Attempts::new(&self.http.settings, sink.position());
        let result = loop {
            match self.attempt(sink) {
                Ok(arrived) => break Ok(arrived),
                Err(failure) => {
                    if failure.retry == Retry::Never || !attempts.allow_another(sink.position()) {
                        break Err(failure.finish(self.what, self.url, attempts.total.max(1)));
                    }
                    pause(&what, &failure, &attempts, self.events);
                }
            }
        };
        self.tell(Event::Finished { what });
        result
    }

    fn tell(&self, event: Event) {
        if self.tells {
            (self.events)(event);
        }
    }

    fn attempt(&mut self, sink: &mut dyn Sink) -> Result<Arrived, Failure> {
        if !self.resumes || !sink.may_continue() || sink.position() > self.bounds.limit() {
            forget(sink)?;
        }
        if sink.position() > 0 && Some(sink.position()) == self.bounds.size {
            return Ok(self.arrived(self.url.clone(), None));
        }
        if let Some(arrived) = self.ask(sink)? {
            return Ok(arrived);
        }
        // What is there belongs to another file. Now the whole is asked for, which cannot end here a second time.
        forget(sink)?;
        self.ask(sink)?
            .ok_or_else(|| Failure::passing(Code::NetProtocol, "the server answered a range that was not asked for"))
    }

    /// Asks for the rest and takes it; `None` when the kept part must be forgotten first.
    fn ask(&mut self, sink: &mut dyn Sink) -> Result<Option<Arrived>, Failure> {
        let (offset, validator) = (sink.position(), sink.validator());
        let answer = self.http.ask(&Method::GET, self.url, &request(offset, validator.as_deref())?)?;
        let asked = Asked { offset, validator: validator.as_deref(), bounds: &self.bounds };
        let total = match answer.head.judge(asked)? {
            Verdict::Anew => return Ok(None),
            Verdict::Complete => return Ok(Some(self.arrived(public(&answer.from, self.url), Some(&answer)))),
            Verdict::Part { total } => Some(total),
            Verdict::Whole { total } => {
                if offset > 0 {
                    sink.restart()?;
                }
                sink.set_validator(answer.head.etag.as_deref())?;
                total
            }
        };
        self.tell_total(total);
        self.pour(answer, total, sink).map(Some)
    }

    /// Reports how much there is to come where only the server says; a guess at most, which bounds nothing.
    fn tell_total(&self, total: Option<u64>) {
        if let (None, Some(total)) = (self.bounds.size, total) {
            self.tell(Event::Started { what: one_line(self.what, 200), total: Some(ByteSize(total)) });
        }
    }

    fn pour(&mut self, mut answer: Answer, total: Option<u64>, sink: &mut dyn Sink) -> Result<Arrived, Failure> {
        let mut piece = vec![0; PIECE];
        let mut floor = Floor::new(&self.http.settings);
        loop {
            let (length, flow) = self.collect(&mut answer, &mut piece, &mut floor);
            self.keep(&piece[..length], sink)?;
            match flow.map_err(|failure| failure.with_amounts(sink.position(), total))? {
                Flow::More => {}
                Flow::End if total.is_some_and(|total| sink.position() < total) => {
                    let early = Failure::passing(Code::NetSize, "the server ended the file too early");
                    return Err(early.with_amounts(sink.position(), total));
                }
                Flow::End => return Ok(self.arrived(public(&answer.from, self.url), Some(&answer))),
            }
        }
    }

    /// Reads until the piece is full, some time has passed, or the body ends; what came before a failure counts.
    fn collect(&mut self, answer: &mut Answer, piece: &mut [u8], floor: &mut Floor) -> (usize, Result<Flow, Failure>) {
        let (mut length, begun) = (0, Instant::now());
        while length < piece.len() {
            let before = Instant::now();
            let count = match answer.body.read(&mut piece[length..]) {
                Ok(0) => return (length, Ok(Flow::End)),
                Ok(count) => count,
                Err(error) => {
                    let settings = &self.http.settings;
                    let proxy = settings.proxy.asked_for(&answer.from);
                    return (length, Err(Failure::of(&error, &answer.from, proxy.as_ref(), settings)));
                }
            };
            length += count;
            if !floor.keeps(count, before.elapsed()) {
                return (length, Err(self.too_slow()));
            }
            if begun.elapsed() >= GATHER {
                break;
            }
        }
        (length, Ok(Flow::More))
    }

    fn too_slow(&self) -> Failure {
        let (floor, stall) = (self.http.settings.floor, self.http.settings.stall.as_secs_f32());
        Failure::passing(Code::NetStall, format!("the server sent less than {floor} bytes a second for {stall} s"))
    }

    /// Hands bytes to the sink unless they would pass the bound; then the whole file is not what was asked for.
    fn keep(&mut self, bytes: &[u8], sink: &mut dyn Sink) -> Result<(), Failure> {
        self.received += bytes.len() as u64;
        let position = sink.position();
        let after = position.saturating_add(bytes.len() as u64);
        if after > self.bounds.limit() {
            forget(sink)?;
            return Err(too_large(&self.bounds, after).into());
        }
        if position == 0 && !bytes.is_empty() {
            self.looks_like = looks_like(bytes);
        }
        if !bytes.is_empty() {
            sink.append(bytes)?;
        }
        if self.ticker.is_due() {
            self.tell(Event::Progress { what: one_line(self.what, 200), done: ByteSize(sink.position()) });
        }
        Ok(())
    }

    fn arrived(&self, from: Url, answer: Option<&Answer>) -> Arrived {
        Arrived {
            from,
            received: self.received,
            content_encoding: answer.and_then(|answer| answer.head.content_encoding.clone()),
            looks_like: self.looks_like,
        }
    }
}

impl Failure {
    fn with_amounts(mut self, received: u64, total: Option<u64>) -> Self {
        if let Some(total) = total {
            self.problem = self.problem.fact("expected", format!("{total} bytes"));
        }
        self.problem = self.problem.fact("received", format!("{received} bytes"));
        self
    }
}

/// Forgets what is there and under which tag it came.
fn forget(sink: &mut dyn Sink) -> Result<(), Diagnostic> {
    if sink.position() > 0 {
        sink.restart()?;
    }
    sink.set_validator(None)
}

/// Returns the address as our own type; one too long for it (a signed one) is named by where we began.
pub(super) fn public(from: &url::Url, url: &Url) -> Url {
    Url::parse(from.as_str()).unwrap_or_else(|_| url.clone())
}

fn request(offset: u64, validator: Option<&str>) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if offset > 0 {
        let odd = |_| Failure::from(Diagnostic::new(Code::Bug, "the kept validator is not a header value"));
        headers.insert(header::RANGE, HeaderValue::try_from(format!("bytes={offset}-")).map_err(odd)?);
        if let Some(validator) = validator {
            headers.insert(header::IF_RANGE, HeaderValue::try_from(validator).map_err(odd)?);
        }
    }
    Ok(headers)
}

pub(super) fn pause(what: &str, failure: &Failure, attempts: &Attempts, events: Events<'_>) {
    let asked = if let Retry::After(asked) = failure.retry { Some(asked) } else { None };
    let pause = attempts.pause(asked);
    let (next, allowed) = attempts.next();
    let seconds = pause.as_secs_f32();
    let reason = &failure.problem.headline;
    (events)(Event::Warning { text: format!("`{what}`: {reason}; attempt {next} of {allowed} in {seconds:.1} s") });
    std::thread::sleep(pause.max(Duration::from_millis(1)));
}

/// A sink in memory, for small files.
#[derive(Default)]
pub(super) struct Memory {
    bytes: Vec<u8>,
}

impl Memory {
    /// Returns what came.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl Sink for Memory {
    fn position(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Diagnostic> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn restart(&mut self) -> Result<(), Diagnostic> {
        self.bytes.clear();
        Ok(())
    }
}
