//! What the head of an answer means for a transfer: take the body, begin anew, try again, or stop. Touches nothing.
//!
//! RFC 9110: §8.8.3 (ETag), §10.2.3 (Retry-After), §14 (range requests), §15 (status codes). A server may lie in every
//! field, so a part is continued only where its start is ours and its total is the pinned one.

use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderName};

use super::Bounds;
use super::failure::{Failure, PROXY_CREDENTIALS, Retry};
use crate::base::text::{decimal, one_line};
use crate::base::{Code, Diagnostic, Kind};

/// The most bytes of header lines that are taken for honest.
const HEAD_LIMIT: usize = 64 * 1024;

/// The parts of an answer's head that matter, read and bounded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub status: u16,
    /// The body's length as framed, where it is known.
    pub length: Option<u64>,
    pub range: Option<ContentRange>,
    /// The strong entity tag, quotes included.
    pub etag: Option<String>,
    pub content_type: Option<String>,
    pub content_encoding: Option<String>,
    pub retry_after: Option<Duration>,
}

/// `bytes first-last/total`, or `bytes */total` of a 416.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ContentRange {
    pub span: Option<(u64, u64)>,
    pub total: Option<u64>,
}

/// What was asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub offset: u64,
    pub validator: Option<&'a str>,
    pub bounds: &'a Bounds,
}

/// What to do with an answer.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The body begins at byte 0 and makes a file of so many bytes, where that is known.
    Whole { total: Option<u64> },
    /// The body continues at our offset.
    Part { total: u64 },
    /// There is nothing more to come.
    Complete,
    /// What we hold belongs to another file: forget it and ask for the whole.
    Anew,
}

impl Head {
    /// Reads a head; `length` is the body's length as the HTTP library framed it.
    pub(super) fn read(status: u16, headers: &HeaderMap, length: Option<u64>) -> Result<Self, Failure> {
        let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        if size > HEAD_LIMIT {
            return Err(Failure::passing(Code::NetProtocol, "the answer's head is larger than 64 KiB"));
        }
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let shown = |name: HeaderName| headers.get(name).map(|value| lossy(value.as_bytes()));
        Ok(Self {
            status,
            length,
            range: text(header::CONTENT_RANGE).and_then(ContentRange::parse),
            etag: text(header::ETAG).and_then(strong_etag).map(str::to_owned),
            content_type: shown(header::CONTENT_TYPE),
            content_encoding: shown(header::CONTENT_ENCODING).filter(|coding| !coding.eq_ignore_ascii_case("identity")),
            retry_after: text(header::RETRY_AFTER).and_then(|value| retry_after(value, text(header::DATE))),
        })
    }

    /// Decides what the answer to `asked` is good for.
    pub(super) fn judge(&self, asked: Asked<'_>) -> Result<Verdict, Failure> {
        match self.status {
            200 => self.judge_whole(asked.bounds),
            206 if asked.offset > 0 => Ok(self.judge_part(asked)),
            416 if asked.offset > 0 => Ok(self.judge_unsatisfiable(asked)),
            206 | 416 => Err(Failure::passing(Code::NetProtocol, "the server answered a range that was not asked for")),
            status => Err(self.refusal(status)),
        }
    }

    fn judge_whole(&self, bounds: &Bounds) -> Result<Verdict, Failure> {
        match (self.length, bounds.size) {
            (Some(length), Some(size)) if length != size => Err(self.other_size(size, length)),
            (Some(length), None) if length > bounds.cap => Err(too_large(bounds, length).into()),
            (length, size) => Ok(Verdict::Whole { total: size.or(length) }),
        }
    }

    fn other_size(&self, expected: u64, received: u64) -> Failure {
        let problem = Diagnostic::new(Code::NetSize, "the server offers a file of another size than the pinned one")
            .fact("expected", format!("{expected} bytes"))
            .fact("received", format!("{received} bytes announced"));
        match &self.content_type {
            Some(kind) => problem.fact("type", kind).into(),
            None => problem.into(),
        }
    }

    fn judge_part(&self, asked: Asked<'_>) -> Verdict {
        let Some(ContentRange { span: Some((first, last)), total: Some(total) }) = self.range else {
            return Verdict::Anew; // no or odd Content-Range, `*` as total, or multipart/byteranges
        };
        let known = asked.bounds.size.is_none_or(|size| size == total) && total <= asked.bounds.limit();
        let framed = self.length.is_none_or(|length| length == last - first + 1);
        let changed = matches!((asked.validator, &self.etag), (Some(ours), Some(theirs)) if ours != theirs);
        if first == asked.offset && known && framed && !changed { Verdict::Part { total } } else { Verdict::Anew }
    }

    fn judge_unsatisfiable(&self, asked: Asked<'_>) -> Verdict {
        let total = asked.bounds.size.or(self.range.and_then(|range| range.total));
        if total == Some(asked.offset) { Verdict::Complete } else { Verdict::Anew }
    }

    fn refusal(&self, status: u16) -> Failure {
        let name = reqwest::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        let problem =
            Diagnostic::new(Code::NetStatus, format!("the server answered {status} {}", name.unwrap_or("")).trim_end());
        let retry = match (status, self.retry_after) {
            (408 | 429 | 500 | 502 | 503 | 504, Some(pause)) => Retry::After(pause),
            (408 | 429 | 500 | 502 | 503 | 504, None) => Retry::Soon,
            _ => Retry::Never,
        };
        let problem = match status {
            401 | 403 => problem.hint("the address may need credentials: write `https://user:password@host/…`"),
            404 | 410 => problem.kind(Kind::AbsentOnServer).hint(ABSENT),
            407 => problem.hint(PROXY_CREDENTIALS),
            _ => problem,
        };
        Failure { problem, retry }
    }
}

/// The way out where there is no such file; whoever knows the recipe says it better.
const ABSENT: &str = "the publisher may have deleted this snapshot: `arca-build update` pins the current one";

/// Returns whether a failure says that there is no such file (404, 410), rather than that it was not given.
pub(crate) fn is_absent(problem: &Diagnostic) -> bool {
    problem.kind == Some(Kind::AbsentOnServer)
}

/// Reports that more came, or is announced, than may.
pub(super) fn too_large(bounds: &Bounds, received: u64) -> Diagnostic {
    let (headline, label) = match bounds.size {
        Some(_) => ("the server sends more than the pinned size", "expected"),
        None => ("the server sends more than is allowed", "allowed"),
    };
    Diagnostic::new(Code::NetSize, headline)
        .fact(label, format!("{} bytes", bounds.limit()))
        .fact("received", format!("{received} bytes or more"))
}

impl ContentRange {
    fn parse(text: &str) -> Option<Self> {
        let (unit, rest) = text.split_once(' ')?;
        let (span, total) = rest.trim().split_once('/')?;
        let total = if total == "*" { None } else { Some(decimal(total)?) };
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        if span == "*" {
            return Some(Self { span: None, total });
        }
        let (first, last) = span.split_once('-')?;
        let (first, last) = (decimal(first)?, decimal(last)?);
        let sound = first <= last && last < total.unwrap_or(u64::MAX);
        sound.then_some(Self { span: Some((first, last)), total })
    }
}

/// Takes a strong entity tag of a sane length; a weak one does not promise equal bytes.
fn strong_etag(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let plain = !inner.is_empty() && inner.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    (plain && text.len() <= 256).then_some(text)
}

fn lossy(bytes: &[u8]) -> String {
    one_line(&String::from_utf8_lossy(bytes), 80)
}

/// Reads seconds, or a date as its distance from the answer's own `Date`, so that no clock of ours is asked.
fn retry_after(value: &str, date: Option<&str>) -> Option<Duration> {
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let wait = http_date(value)?.saturating_sub(http_date(date?)?);
    Some(Duration::from_secs(u64::try_from(wait).unwrap_or(0)))
}

/// Reads an IMF-fixdate (RFC 9110 §5.6.7), as `Sun, 06 Nov 1994 08:49:37 GMT`, to seconds since 1970.
fn http_date(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let fields: Vec<&str> = text.split_once(", ")?.1.split([' ', ':']).collect();
    let [day, month, year, hour, minute, second, "GMT"] = fields[..] else { return None };
    let month = MONTHS.iter().position(|name| *name == month)? as i64 + 1;
    let small = |text: &str, most: i64| decimal(text).and_then(|n| i64::try_from(n).ok()).filter(|n| *n <= most);
    let (day, year) = (small(day, 31)?, small(year, 9999)?);
    let (hour, minute, second) = (small(hour, 23)?, small(minute, 59)?, small(second, 60)?);
    Some(days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Counts days from 1970-01-01 in the proleptic Gregorian calendar, with the year begun in March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXACT: Bounds = Bounds { size: Some(100), cap: 100 };

    fn head(status: u16, lines: &[(&'static str, &str)], length: Option<u64>) -> Head {
        let lines = lines.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        Head::read(status, &lines.collect(), length).unwrap()
    }

    fn judge(head: &Head, offset: u64, bounds: Bounds) -> String {
        match head.judge(Asked { offset, validator: Some("\"a\""), bounds: &bounds }) {
            Ok(verdict) => format!("{verdict:?}"),
            Err(failure) => format!("{} {:?}", failure.problem.code, failure.retry),
        }
    }

    #[test]
    fn net_02_an_announced_length_must_be_the_pinned_one() {
        let pinned = EXACT;
        for (length, told) in [
            (Some(100), "Whole { total: Some(100) }"),
            (Some(99), "E_NET_SIZE Never"),
            (Some(101), "E_NET_SIZE Never"),
            (None, "Whole { total: Some(100) }"),
        ] {
            assert_eq!(judge(&head(200, &[], length), 0, pinned), told);
        }
        assert_eq!(judge(&head(200, &[], Some(100)), 0, Bounds::at_most(100)), "Whole { total: Some(100) }");
        assert_eq!(judge(&head(200, &[], Some(101)), 0, Bounds::at_most(100)), "E_NET_SIZE Never");
    }

    #[test]
    fn net_04_only_our_own_range_of_the_known_total_is_continued() {
        let part = |range: &str, length| judge(&head(206, &[("content-range", range)], length), 40, EXACT);
        assert_eq!(part("bytes 40-99/100", Some(60)), "Part { total: 100 }");
        assert_eq!(part("bytes 40-69/100", Some(30)), "Part { total: 100 }");
        for range in [
            "bytes 0-99/100",
            "bytes 0-59/100",
            "bytes 41-99/100",
            "bytes 40-99/101",
            "bytes 40-99/*",
            "bytes 40-100/100",
            "bytes 99-40/100",
            "bytes +40-99/100",
            "items 40-99/100",
            "bytes */100",
            "bytes 40-99",
            "",
            "bytes 40-18446744073709551616/100",
        ] {
            assert_eq!(part(range, Some(60)), "Anew", "{range}");
        }
        assert_eq!(part("bytes 40-99/100", Some(61)), "Anew");
        let multipart = head(206, &[("content-type", "multipart/byteranges; boundary=x")], Some(80));
        assert_eq!(judge(&multipart, 40, EXACT), "Anew");
        assert_eq!(judge(&head(206, &[("content-range", "bytes 40-199/200")], None), 40, Bounds::at_most(150)), "Anew");
        assert_eq!(judge(&head(206, &[], None), 0, EXACT), "E_NET_PROTOCOL Soon");
    }

    #[test]
    fn net_05_another_strong_tag_begins_anew_and_weak_tags_are_no_tags() {
        let part = |etag: &str| {
            let lines = [("content-range", "bytes 40-99/100"), ("etag", etag)];
            judge(&head(206, &lines, Some(60)), 40, EXACT)
        };
        assert_eq!(part("\"a\""), "Part { total: 100 }");
        assert_eq!(part("\"b\""), "Anew");
        for weak in ["W/\"a\"", "a", "\"\"", "\"a", "\"a\"b\"", "\"a b\""] {
            assert_eq!(head(200, &[("etag", weak)], None).etag, None, "{weak}");
        }
        assert_eq!(head(200, &[("etag", &format!("\"{}\"", "a".repeat(300)))], None).etag, None);
    }

    #[test]
    fn net_06_unsatisfiable_means_complete_or_another_file() {
        let lines = |total| head(416, &[("content-range", total)], None);
        assert_eq!(judge(&lines("bytes */40"), 40, Bounds::at_most(100)), "Complete");
        assert_eq!(judge(&lines("bytes */39"), 40, Bounds::at_most(100)), "Anew");
        assert_eq!(judge(&lines("bytes */40"), 40, EXACT), "Anew");
        assert_eq!(judge(&lines("odd"), 40, Bounds::at_most(100)), "Anew");
        assert_eq!(judge(&lines("bytes */40"), 0, Bounds::at_most(100)), "E_NET_PROTOCOL Soon");
    }

    #[test]
    fn net_08_only_passing_troubles_are_tried_again() {
        for status in [408, 429, 500, 502, 503, 504] {
            assert_eq!(judge(&head(status, &[], None), 0, Bounds::at_most(1)), "E_NET_STATUS Soon");
        }
        for status in [204, 304, 400, 401, 403, 404, 407, 410, 451, 501, 505] {
            assert_eq!(judge(&head(status, &[], None), 0, Bounds::at_most(1)), "E_NET_STATUS Never");
        }
    }

    #[test]
    fn only_404_and_410_mean_that_there_is_no_such_file() {
        for status in [400, 401, 403, 404, 405, 410, 429, 500, 503] {
            let failure = head(status, &[], None)
                .judge(Asked { offset: 0, validator: None, bounds: &Bounds::at_most(1) })
                .unwrap_err();
            let url = crate::base::Url::parse("https://h/x").unwrap();
            assert_eq!(is_absent(&failure.finish("x", &url, 1)), matches!(status, 404 | 410), "{status}");
        }
    }

    #[test]
    fn net_08_retry_after_is_read_in_seconds_and_dates() {
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        for (value, date, seconds) in [
            ("7", None, Some(7)),
            ("99999999999999999999999", None, Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", date, Some(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", date, Some(0)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", None, None),
            ("-1", None, None),
            ("soon", date, None),
            ("", date, None),
            ("Sun, 99 Nov 1994 08:50:07 GMT", date, None),
        ] {
            assert_eq!(retry_after(value, date), seconds.map(Duration::from_secs), "{value}");
        }
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(http_date("Thu, 29 Feb 2024 00:00:00 GMT"), Some(1_709_164_800));
        assert_eq!(http_date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
    }

    #[test]
    fn net_07_a_head_over_64_kib_is_refused() {
        let lines = [(HeaderName::from_static("x-pad"), "a".repeat(70_000).parse().unwrap())];
        assert_eq!(Head::read(200, &lines.into_iter().collect(), None).unwrap_err().problem.code, Code::NetProtocol);
    }

    #[test]
    fn net_10_and_net_17_what_a_server_says_is_made_fit_to_show() {
        let mut lines = HeaderMap::new();
        lines.insert(header::CONTENT_TYPE, header::HeaderValue::from_bytes(b"text/\x9b31m\xe2\x80\xae").unwrap());
        lines.insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
        let head = Head::read(200, &lines, None).unwrap();
        assert!(!head.content_type.unwrap().chars().any(crate::base::text::is_unsafe));
        assert_eq!(head.content_encoding.as_deref(), Some("gzip"));
    }
}
