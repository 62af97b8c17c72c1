//! The first bytes of a file: one ranged request, of whose answer no more is read than was asked for. Touches the network.
//!
//! RFC 9110 §14.2: a server may ignore a range and send everything; then the connection is dropped after the first bytes.

use std::io::Read;
use std::time::Instant;

use reqwest::Method;
use reqwest::header::{self, HeaderMap, HeaderValue};

use super::Beginning;
use super::Bounds;
use super::answer::{Asked, ContentRange, Head};
use super::client::{Answer, Http};
use super::failure::{Failure, Retry};
use super::pace::{Attempts, Floor};
use super::transfer::{pause, public};
use crate::base::{Code, Diagnostic, Url};

/// Asks until an answer comes or hope is lost.
pub(super) fn beginning(http: &Http, url: &Url, count: usize) -> Result<Beginning, Diagnostic> {
    let mut attempts = Attempts::new(&http.settings, 0);
    loop {
        match ask(http, url, count) {
            Ok(beginning) => return Ok(beginning),
            Err(failure) if failure.retry == Retry::Never || !attempts.allow_another(0) => {
                return Err(failure.finish(url.file_name(), url, attempts.total.max(1)));
            }
            Err(failure) => pause(url.file_name(), &failure, &attempts, &|_| ()),
        }
    }
}

fn ask(http: &Http, url: &Url, count: usize) -> Result<Beginning, Failure> {
    let mut answer = http.ask(&Method::GET, url, &request(count)?)?;
    let size = whole(&answer.head, count)?;
    if answer.head.content_encoding.is_some() {
        return Err(Diagnostic::new(Code::NetProtocol, "it came encoded").into());
    }
    let bytes = read(http, &mut answer, count.min(usize::try_from(size.unwrap_or(u64::MAX)).unwrap_or(usize::MAX)))?;
    Ok(Beginning { bytes, size, from: public(&answer.from, url) })
}

fn request(count: usize) -> Result<HeaderMap, Failure> {
    let range = HeaderValue::try_from(format!("bytes=0-{}", count.saturating_sub(1)));
    let range = range.map_err(|_| Failure::from(Diagnostic::new(Code::Bug, "a range is not a header value")))?;
    let identity = HeaderValue::from_static("identity");
    Ok([(header::ACCEPT_ENCODING, identity), (header::RANGE, range)].into_iter().collect())
}

/// Returns the whole file's length; an answer that does not begin at its first byte is refused.
fn whole(head: &Head, count: usize) -> Result<Option<u64>, Failure> {
    match (head.status, head.range) {
        (206, Some(ContentRange { span: Some((0, last)), total })) if last < count as u64 => Ok(total),
        (416, Some(ContentRange { total: Some(0), .. })) => Ok(Some(0)),
        _ => {
            let anything = Bounds::at_most(u64::MAX);
            head.judge(Asked { offset: 0, validator: None, bounds: &anything })?;
            Ok(head.length)
        }
    }
}

fn read(http: &Http, answer: &mut Answer, count: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = vec![0; count];
    let (mut length, mut floor) = (0, Floor::new(&http.settings));
    while length < count {
        let before = Instant::now();
        match answer.body.read(&mut bytes[length..]) {
            Ok(0) => break,
            Ok(more) if floor.keeps(more, before.elapsed()) => length += more,
            Ok(_) => return Err(Failure::passing(Code::NetStall, "the server sends too slowly")),
            Err(error) => {
                return Err(Failure::of(
                    &error,
                    &answer.from,
                    http.settings.proxy.asked_for(&answer.from).as_ref(),
                    &http.settings,
                ));
            }
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}
