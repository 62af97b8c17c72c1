//! One part of a file, asked for once: what pieces from several mirrors are made of. Touches the network only.
//!
//! RFC 9110 §14.2 (Range), §15.3.7 (206). Only our own range of a file of the known size is taken, and never a byte more
//! than was asked for. The asking thread never waits for a silent server longer than for the next look at `stop`: the
//! socket is read by a thread of its own, which ends by itself at the latest when the time limits say so.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use std::io::Read;

use reqwest::Method;
use reqwest::header::{self, HeaderMap, HeaderValue};

use super::client::{Answer, Http};
use super::failure::{Failure, Retry};
use super::pace::Floor;
use super::{Missed, Span};
use crate::base::{Code, Diagnostic, Url};

/// How much is handed over at once.
const CHUNK: usize = 128 * 1024;
/// How many of them wait at most; with [`CHUNK`] this bounds the memory of one transfer to 1 MiB.
const WAITING: usize = 6;
/// How long nothing may come before the caller is asked whether it still wants anything.
const LOOK: Duration = Duration::from_millis(50);

/// What the reading thread says.
enum Said {
    Bytes(Vec<u8>),
    Failed(Failure),
}

/// Takes the bytes of a span in order; see `Fetch::range`.
pub(super) fn range(
    http: &Http,
    url: &Url,
    span: Span,
    stop: &dyn Fn() -> bool,
    take: &mut dyn FnMut(&[u8]) -> Result<(), Diagnostic>,
) -> Result<(), Missed> {
    let missed = |failure: Failure| missed(http, url, failure);
    let (sender, receiver) = sync_channel(WAITING);
    let (http, from) = (http.clone(), url.clone());
    let spawned = std::thread::Builder::new().name("range".into()).spawn(move || read(&http, &from, span, &sender));
    spawned.map_err(|error| missed(Diagnostic::io("cannot start a thread", &error).into()))?;
    let mut received = 0;
    while let Some(bytes) = next(&receiver, stop).map_err(missed)? {
        received += bytes.len() as u64;
        take(&bytes).map_err(|problem| Missed { problem, pause: None, ours: true })?;
    }
    if received < span.length && !stop() {
        return Err(missed(Failure::passing(Code::NetSize, "the server ended the piece too early")));
    }
    Ok(())
}

/// Waits for the next bytes; `None` at the end, or when nobody wants more.
fn next(receiver: &Receiver<Said>, stop: &dyn Fn() -> bool) -> Result<Option<Vec<u8>>, Failure> {
    loop {
        if stop() {
            return Ok(None);
        }
        match receiver.recv_timeout(LOOK) {
            Ok(Said::Bytes(bytes)) => return Ok(Some(bytes)),
            Ok(Said::Failed(failure)) => return Err(failure),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
        }
    }
}

fn missed(http: &Http, url: &Url, failure: Failure) -> Missed {
    let pause = match failure.retry {
        Retry::Never => None,
        Retry::Soon => Some(http.settings.backoff),
        Retry::After(asked) => Some(asked.min(http.settings.retry_cap)),
    };
    Missed { problem: failure.problem.fact("from", url), pause, ours: false }
}

/// Reads the span and hands it over; a receiver that is gone ends it.
fn read(http: &Http, url: &Url, span: Span, to: &SyncSender<Said>) {
    if let Err(failure) = ask(http, url, span).and_then(|answer| pour(http, answer, span, to)) {
        let _ = to.send(Said::Failed(failure));
    }
}

fn ask(http: &Http, url: &Url, span: Span) -> Result<Answer, Failure> {
    let last = span.from.saturating_add(span.length).saturating_sub(1);
    let odd = |_| Failure::from(Diagnostic::new(Code::Bug, "a range is no header value"));
    let range = HeaderValue::try_from(format!("bytes={}-{last}", span.from)).map_err(odd)?;
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(header::RANGE, range);
    let answer = http.ask(&Method::GET, url, &headers)?;
    answer.head.judge_span(span)?;
    Ok(answer)
}

fn pour(http: &Http, mut answer: Answer, span: Span, to: &SyncSender<Said>) -> Result<(), Failure> {
    let mut floor = Floor::new(&http.settings);
    let mut missing = span.length;
    while missing > 0 {
        let mut bytes = vec![0; CHUNK.min(usize::try_from(missing).unwrap_or(CHUNK))];
        let (length, ended) = collect(http, &mut answer, &mut bytes, &mut floor)?;
        bytes.truncate(length);
        missing -= length as u64;
        if !bytes.is_empty() && to.send(Said::Bytes(bytes)).is_err() {
            return Ok(());
        }
        if ended {
            break;
        }
    }
    Ok(())
}

/// Fills the buffer, or as much of it as comes within a tick; tells whether the body ended.
fn collect(http: &Http, answer: &mut Answer, bytes: &mut [u8], floor: &mut Floor) -> Result<(usize, bool), Failure> {
    let (mut length, begun) = (0, Instant::now());
    while length < bytes.len() && begun.elapsed() < LOOK {
        let before = Instant::now();
        let count = match answer.body.read(&mut bytes[length..]) {
            Ok(0) => return Ok((length, true)),
            Ok(count) => count,
            // What came before the failure counts; the next read fails again.
            Err(_) if length > 0 => return Ok((length, false)),
            Err(error) => return Err(Failure::of(&error, &answer.from, &http.settings)),
        };
        length += count;
        if !floor.keeps(count, before.elapsed()) {
            let (least, stall) = (http.settings.floor, http.settings.stall.as_secs_f32());
            let slow = format!("the server sent less than {least} bytes a second for {stall} s");
            return Err(Failure::passing(Code::NetStall, slow));
        }
    }
    Ok((length, false))
}
