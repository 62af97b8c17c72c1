//! The table of the network matrix: what a server, a proxy or an address does, and how a download must end. Data only.
//!
//! One function a family, in the order of the NET rows of `SECURITY.md`. Read next: `net_matrix.rs`, which meets every
//! row in four ways.

use std::time::Duration;

use crate::base::Code;

use crate::tests::support::server::{Behaviour, Framing, HONEST, Head, Stop, etag};

/// How long the file is that everybody wants.
pub const SIZE: usize = 10_000;
/// How much of it an earlier run has kept where a download is resumed.
pub const KEPT: usize = 4000;

/// The file: the smallest qcow2 that passes the gate (version 2, clusters of 512 bytes), and noise behind it.
pub fn file() -> Vec<u8> {
    let mut bytes: Vec<u8> = noise(SIZE, 2_654_435_761);
    bytes[..1536].fill(0);
    for (at, field) in [
        (0, &b"QFI\xfb"[..]),
        (7, &[2]),         // version
        (23, &[9]),        // cluster_bits
        (24 + 6, &[2, 0]), // size: one sector
        (36 + 3, &[1]),    // l1_size
        (40 + 6, &[4, 0]), // l1_table_offset
        (48 + 6, &[2, 0]), // refcount_table_offset
        (56 + 3, &[1]),    // refcount_table_clusters
    ] {
        bytes[at..at + field.len()].copy_from_slice(field);
    }
    bytes
}

/// Other bytes of the same length.
fn falsehood() -> Vec<u8> {
    noise(SIZE, 40_503)
}

fn noise(count: usize, factor: usize) -> Vec<u8> {
    (0..count).map(|n| (n.wrapping_mul(factor) >> 13) as u8).collect()
}

/// How a download must end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ends {
    /// The object is in the store.
    Whole,
    With(Code),
}
use Ends::{Whole, With};

/// Who lies, or what.
#[derive(Clone, Debug)]
pub enum Liar {
    /// The server; `{honest}` in a header becomes the address of an honest one.
    Web(Vec<Behaviour>),
    /// The server, which a proxy gives a public name, as nobody has on loopback.
    Public(Vec<Behaviour>),
    /// What stands behind TLS that is in order.
    Secure { does: Vec<Behaviour>, farewell: bool },
    /// The certificate in front of an honest server.
    Certificate(&'static str),
    /// A port that should speak TLS: says these bytes.
    NoTls(&'static [u8]),
    /// A port that should speak TLS: says nothing.
    Mute,
    /// The proxy, asked for an `http` address.
    Proxy(Vec<Behaviour>),
    /// The proxy, asked for a tunnel.
    Tunnel(Vec<Behaviour>),
    /// An honest server under this host, whose port is put for `{port}`.
    Host(&'static str),
    /// An address where nobody is.
    Nobody(&'static str),
    /// A file address.
    Path(Leads),
}

/// What a file address leads to.
#[derive(Clone, Copy, Debug)]
pub enum Leads {
    File,
    Link,
    LinkToDevice,
    Dangling,
    Pipe,
    Device,
    Directory,
    Nowhere,
    Longer,
    Shorter,
    Other,
    /// Grows as long as the test runs, and begins a byte too long.
    Growing,
}

/// One behaviour and its end in each way; the second mirror must always end the matter well.
#[derive(Clone, Debug)]
pub struct Row {
    pub name: &'static str,
    pub liar: Liar,
    pub fresh: Ends,
    pub resumed: Ends,
    pub proxied: Ends,
    /// Whether bytes that are no part of the file may be kept for a while: only the digest can tell.
    pub poisons: bool,
    /// What a failure must say, where the code alone would not do.
    pub says: &'static str,
}

impl Row {
    const fn says(mut self, text: &'static str) -> Self {
        self.says = text;
        self
    }

    const fn resumed(mut self, ends: Ends) -> Self {
        self.resumed = ends;
        self
    }

    const fn proxied(mut self, ends: Ends) -> Self {
        self.proxied = ends;
        self
    }

    const fn poisons(mut self) -> Self {
        self.poisons = true;
        self
    }
}

fn row(name: &'static str, liar: Liar, ends: Ends) -> Row {
    Row { name, liar, fresh: ends, resumed: ends, proxied: ends, poisons: false, says: "" }
}

fn web(name: &'static str, does: impl Into<Vec<Behaviour>>, ends: Ends) -> Row {
    row(name, Liar::Web(does.into()), ends)
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

fn chunked(body: &str) -> Behaviour {
    Behaviour::raw(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}"))
}

/// NET-1 and NET-16.
pub fn truncations() -> Vec<Row> {
    use Framing::{Chunked, Close, Length};
    use Stop::{CloseAfter, ResetAfter};
    let connect = With(Code::NetConnect);
    vec![
        web("honest", [], Whole),
        web("chunked and whole", [framed(Chunked, Stop::Complete)], Whole),
        web("no length and whole", [framed(Close, Stop::Complete)], Whole),
        web("net-1 closes early, once", [framed(Length, CloseAfter(3000)), HONEST], Whole),
        web("net-1 closes early, always, with progress", [framed(Length, CloseAfter(3000))], Whole),
        web("net-1 closes early, always, with next to none", [framed(Length, CloseAfter(10))], connect),
        web("net-1 closes before the body", [framed(Length, CloseAfter(0))], connect),
        web("net-1 chunked without a last chunk, once", [framed(Chunked, CloseAfter(3000)), HONEST], Whole),
        web("net-1 chunked without a last chunk, always", [framed(Chunked, CloseAfter(0))], connect),
        web("net-1 no length, closes early, once", [framed(Close, CloseAfter(3000)), HONEST], Whole),
        web(
            "net-1 no length, no ranges, closes early",
            [without_ranges(framed(Close, CloseAfter(3000)))],
            With(Code::NetSize),
        ),
        web("net-1 closes before the head", [heading(Head::Close)], connect),
        web("net-1 closes before the head, once", [heading(Head::Close), HONEST], Whole),
        web("net-1 closes within the head, once", [Behaviour::raw("HTTP/1.1 200 OK\r\nContent-Le"), HONEST], Whole),
        web("net-16 resets before the body, once", [framed(Length, ResetAfter(0)), HONEST], Whole),
        web("net-16 resets in the body, once", [framed(Length, ResetAfter(3000)), HONEST], Whole),
        web("net-16 resets before the last byte, once", [framed(Length, ResetAfter(SIZE - 1)), HONEST], Whole),
        web("net-16 resets behind the last byte, once", [framed(Length, ResetAfter(SIZE)), HONEST], Whole),
        web("net-16 resets in the body, always", [framed(Length, ResetAfter(1))], connect),
    ]
}

/// NET-2.
pub fn lengths() -> Vec<Row> {
    let (size, protocol) = (With(Code::NetSize), With(Code::NetProtocol));
    let sized = |length: &str| [HONEST.with("Content-Length", length)];
    let double = HONEST.with("Content-Length", "10000").with("Content-Length", "6000");
    let mixed = framed(Framing::Chunked, Stop::Complete).with("Content-Length", "5");
    let longer = [file(), vec![1]].concat();
    let of = |body: Vec<u8>| Behaviour { framing: Framing::Chunked, body: Some(body), ..HONEST };
    vec![
        web("net-2 length too small", sized("5000"), size),
        web("net-2 length too large", sized("20000"), size),
        web("net-2 length far too large", sized("99999999999999"), size),
        web("net-2 length nought", sized("0"), size),
        web("net-2 length negative", sized("-1"), protocol),
        web("net-2 length with a plus", sized("+10000"), protocol),
        web("net-2 length no number", sized("ten"), protocol),
        web("net-2 length beyond 64 bits", sized("99999999999999999999999"), protocol),
        web("net-2 two lengths", [double], protocol),
        web("net-2 a length beside chunks", [mixed], Whole),
        web("net-2 sends more than announced", [framed(Framing::Length, Stop::Never)], Whole),
        web("net-2 chunked and longer", [of(longer)], size),
        web("net-2 chunked and shorter", [of(file()[..SIZE - 1].to_vec())], size),
        web("net-2 a chunk of 2^64 bytes", [chunked("FFFFFFFFFFFFFFFF\r\nQFI")], With(Code::NetConnect)),
        web("net-2 a chunk of 2^68 bytes", [chunked("FFFFFFFFFFFFFFFFF\r\nQFI")], protocol),
        web("net-2 a chunk of no size", [chunked("zz\r\nQFI")], protocol),
    ]
}

/// NET-3 to NET-6.
pub fn ranges() -> Vec<Row> {
    let ranged = |range: &str| HONEST.with("Content-Range", range);
    let partial =
        |body: &[u8]| Behaviour { status: Some("206 Partial Content"), ..without_ranges(Behaviour::body(body)) };
    let spliced = partial(&[0; 6000]).with("Content-Range", "bytes 4000-9999/10000").with("ETag", "\"new\"");
    let earlier = partial(&file()[3000..9000]).with("Content-Range", "bytes 3000-8999/10000").with("ETag", "");
    let cut = || framed(Framing::Length, Stop::CloseAfter(3000));
    let part = |range: &str, from: usize| partial(&file()[from..from + 7000]).with("Content-Range", range);
    let other = partial(&falsehood()[3000..]).with("Content-Range", "bytes 3000-9999/10000");
    let (protocol, hash) = (With(Code::NetProtocol), With(Code::Hash));
    let unsatisfiable = Behaviour::status("416 Range Not Satisfiable");
    let vouched = Behaviour::body(falsehood()).with("ETag", etag(&file()));
    vec![
        web("net-3 ignores the range", [without_ranges(HONEST)], Whole),
        web("net-4 another start, as long", [earlier, HONEST], Whole),
        web("net-4 another start", [ranged("bytes 0-9999/10000")], Whole),
        web("net-4 another total", [ranged("bytes 4000-9999/99999")], Whole),
        web("net-4 a total beyond 64 bits", [ranged("bytes 4000-9999/99999999999999999999999")], Whole),
        web("net-4 a start behind the end", [ranged("bytes 9999-4000/10000")], Whole),
        web("net-4 unknown total", [ranged("bytes 4000-9999/*")], Whole),
        web("net-4 no content-range", [ranged("")], Whole),
        web("net-4 garbage content-range", [ranged("bytes=4000")], Whole),
        web("net-4 multipart", [ranged("").with("Content-Type", "multipart/byteranges; boundary=x")], Whole),
        // Within one run no second try would heal a wrong splice, so here the check of the range stands alone.
        web(
            "net-4 cut, then an earlier range as long as the rest",
            [cut(), part("bytes 2000-8999/10000", 2000), HONEST],
            Whole,
        ),
        web("net-4 cut, then a part without a range", [cut(), part("", 0), HONEST], Whole),
        web("net-5 cut, then the rest of another file", [cut(), other, HONEST], Whole),
        web("net-4 206 to everything", [Behaviour { status: Some("206 Partial Content"), ..HONEST }], protocol)
            .resumed(Whole),
        web("net-5 the tag changed", [HONEST.with("ETag", "\"new\"")], Whole),
        web("net-5 the tag changed, if-range ignored", [spliced, HONEST], Whole),
        web("net-5 a weak tag", [HONEST.with("ETag", "W/\"x\"")], Whole),
        web("net-5 no tag", [HONEST.with("ETag", "")], Whole),
        web("net-5 a hostile tag", [HONEST.with("ETag", "\"\u{9b}31m\"")], Whole),
        web("net-5 other bytes under the old tag", [vouched.clone()], hash).poisons(),
        web("net-5 other bytes under the old tag, once", [vouched, HONEST], hash).resumed(Whole).poisons(),
        web("net-5 other bytes without a tag", [Behaviour::body(falsehood()).with("ETag", "")], hash).poisons(),
        web("net-6 416 to everything", [unsatisfiable.clone()], protocol),
        web("net-6 416 once", [unsatisfiable.clone(), HONEST], Whole),
        web("net-6 416 that calls a part whole", [unsatisfiable.with("Content-Range", "bytes */4000"), HONEST], Whole),
        web("net-6 the file shrank", [Behaviour::body(&file()[..1000])], With(Code::NetSize)),
    ]
}

/// NET-6, NET-10 to NET-12, NET-17: what pages, codings and names come to.
pub fn pages() -> Vec<Row> {
    let (status, size, hash) = (With(Code::NetStatus), With(Code::NetSize), With(Code::Hash));
    let page = |length: usize| format!("{:length$}", "<html>log in</html>").into_bytes();
    let long_error = Behaviour { body: Some(page(SIZE)), ..Behaviour::status("404 Not Found") };
    let coded = |coding: &str| [HONEST.with("Content-Encoding", coding)];
    let packed = Behaviour::body([&b"\x1f\x8b\x08\0"[..], &falsehood()[4..]].concat());
    let named = |name: &str| [HONEST.with("Content-Disposition", format!("attachment; filename=\"{name}\""))];
    vec![
        web("net-6 404 with a page", [Behaviour::status("404 Not Found")], status),
        web("net-6 404 with a page as long as the file", [long_error], status),
        web("net-6 403 with a page", [Behaviour::status("403 Forbidden")], status),
        web("net-10 labelled gzip", coded("gzip"), Whole),
        web("net-10 labelled br", coded("br"), Whole),
        web("net-10 labelled zstd, twice", coded("zstd, zstd"), Whole),
        web("net-10 labelled with nonsense", coded("\u{9b}31m"), Whole),
        web("net-10 gzip indeed", [packed.with("Content-Encoding", "gzip")], hash).poisons().says("encoded: gzip"),
        web("net-11 captive portal", [without_ranges(Behaviour::body(page(500)))], size),
        web("net-11 captive portal, as long", [without_ranges(Behaviour::body(page(SIZE)))], hash)
            .poisons()
            .says("like an HTML page"),
        web(
            "net-11 captive portal, chunked",
            [Behaviour { framing: Framing::Chunked, ..without_ranges(Behaviour::body(page(500))) }],
            size,
        )
        .poisons(),
        web("net-11 right size, wrong bytes", [Behaviour::body(falsehood())], hash).poisons(),
        web("net-11 nothing at all", [without_ranges(Behaviour::body(""))], size),
        web("net-12 the name means a larger image by now", [Behaviour::body([file(), file()].concat())], size),
        web(
            "net-13 wrong bytes, then none",
            [
                Behaviour {
                    body: Some(falsehood()),
                    ..without_ranges(framed(Framing::Length, Stop::CloseAfter(6000)))
                }
                .with("ETag", etag(&file())),
                Behaviour::status("404 Not Found"),
            ],
            status,
        )
        .poisons(),
        web("net-17 a hostile file name", named("../../etc/passwd"), Whole),
        web("net-17 a file name of 5000 characters", named(&"a".repeat(5000)), Whole),
        web("net-17 a file name with marks of direction", named("\u{202e}2wocq\u{9b}31m"), Whole),
        web(
            "net-17 a hostile content type on a page",
            [without_ranges(Behaviour::body(page(500))).with("Content-Type", "text/\u{9b}31m\u{202e}")],
            size,
        ),
        web("net-17 a hostile reason", [Behaviour::status("404 \u{9b}31m\u{202e}")], status),
    ]
}

/// NET-7 and NET-18.
pub fn silence() -> Vec<Row> {
    let (stall, protocol) = (With(Code::NetStall), With(Code::NetProtocol));
    let drip = Behaviour { drip: Some(Duration::from_millis(20)), ..HONEST };
    let lines = "X-Line: x\r\n".repeat(10_000);
    let trailer = format!("1\r\nQ\r\n0\r\nX-Pad: {}\r\n\r\n", "a".repeat(1 << 20));
    let answer = |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    // RFC 9113 §4.1, §6.8: SETTINGS, then GOAWAY.
    let frames = b"\0\0\0\x04\0\0\0\0\0\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0";
    vec![
        web("net-7 endless, chunked", [framed(Framing::Chunked, Stop::Never)], With(Code::NetSize)),
        web("net-7 endless, no length", [framed(Framing::Close, Stop::Never)], With(Code::NetSize)),
        web("net-7 drips", [drip.clone()], stall),
        web("net-7 drips once", [drip, HONEST], Whole),
        web("net-7 silent after accept", [heading(Head::Silent)], stall),
        web("net-7 silent once", [heading(Head::Silent), HONEST], Whole),
        web("net-7 silent in the body", [framed(Framing::Length, Stop::HangAfter(0))], stall),
        web("net-7 silent in the body, once", [framed(Framing::Length, Stop::HangAfter(2000)), HONEST], Whole),
        web("net-7 slow head", [heading(Head::Slow(Duration::from_millis(20)))], stall),
        web("net-7 1 MB header", [HONEST.with("X-Pad", "a".repeat(1 << 20))], protocol),
        web("net-7 70 KB header", [HONEST.with("X-Pad", "a".repeat(70_000))], protocol),
        web("net-7 10 000 header lines", [Behaviour::raw(format!("HTTP/1.1 200 OK\r\n{lines}\r\n"))], protocol),
        web("net-7 1 MB trailer", [chunked(&trailer)], protocol),
        web("net-7 endless 1xx", [heading(Head::Interim)], stall),
        web("garbage", [Behaviour::raw("SSH-2.0-OpenSSH_9.2\r\n")], protocol),
        web("no status code", [Behaviour::raw("HTTP/1.1 OK\r\n\r\n")], protocol),
        web("a NUL in the head", [Behaviour::raw("HTTP/1.1 200 OK\r\nX: \0\r\n\r\n")], protocol),
        web("an escape in the head", [HONEST.with("Content-Type", "text/\u{1b}[31m")], protocol),
        web("net-18 answers in frames of HTTP/2", [Behaviour::raw(&frames[..])], protocol),
        web(
            "net-18 a second answer nobody asked for",
            [Behaviour::raw(answer("x") + &answer("y"))],
            With(Code::NetSize),
        ),
    ]
}

/// NET-8.
pub fn refusals() -> Vec<Row> {
    let status = With(Code::NetStatus);
    let busy = |value: &str| Behaviour::status("503 Service Unavailable").with("Retry-After", value);
    let dated = |until| busy(until).with("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
    let mut rows = vec![
        web("net-8 503 for ever", [busy("0")], status),
        web("net-8 503, then 404", [busy("0"), Behaviour::status("404 Not Found"), HONEST], status),
        web("net-8 501 is final", [Behaviour::status("501 Not Implemented"), HONEST], status),
    ];
    for (name, first) in [
        ("net-8 retry-after seconds", busy("1")),
        ("net-8 retry-after a date", dated("Sun, 06 Nov 1994 08:49:38 GMT")),
        ("net-8 retry-after a date in eight thousand years", dated("Sun, 06 Nov 9994 08:49:38 GMT")),
        ("net-8 retry-after 10^9", busy("1000000000")),
        ("net-8 retry-after 10^30", busy(&"9".repeat(30))),
        ("net-8 retry-after garbage", busy("soon")),
        ("net-8 retry-after negative", busy("-1")),
        ("net-8 429 once", Behaviour::status("429 Too Many Requests")),
        ("net-8 500 once", Behaviour::status("500 Internal Server Error")),
        ("net-8 502 once", Behaviour::status("502 Bad Gateway")),
        ("net-8 504 once", Behaviour::status("504 Gateway Timeout")),
        ("net-8 408 once", Behaviour::status("408 Request Timeout")),
    ] {
        rows.push(web(name, [first, HONEST], Whole));
    }
    for (name, first) in [
        ("net-8 400 is final", "400 Bad Request"),
        ("net-8 401 is final", "401 Unauthorized"),
        ("net-8 410 is final", "410 Gone"),
        ("net-8 451 is final", "451 Unavailable For Legal Reasons"),
        ("net-8 204 is final", "204 No Content"),
        ("net-9 300 is no redirect", "300 Multiple Choices"),
        ("net-9 304 unasked", "304 Not Modified"),
    ] {
        rows.push(web(name, [Behaviour::status(first), HONEST], status));
    }
    rows
}

/// NET-9.
pub fn redirects() -> Vec<Row> {
    let redirect = |target: &str| Behaviour::redirect(target);
    let refused = With(Code::NetRedirect);
    let hops = |count| [vec![redirect("/file"); count], vec![HONEST]].concat();
    let private = |name, target: &str| row(name, Liar::Public(vec![redirect(target)]), refused);
    let mut rows = vec![
        web("net-9 redirects to itself once", [redirect("/file"), HONEST], Whole),
        web("net-9 relative", [redirect("file?x=1#y"), HONEST], Whole),
        web("net-9 to another server, without our credentials", [redirect("{honest}")], Whole),
        web("net-9 to another server whose address holds a secret", [redirect("{honest}?t=canary")], Whole),
        web("net-9 to another server under a name with escapes", [redirect("{honest}?\u{9b}31m\u{202e}")], Whole),
        web("net-9 no location", [Behaviour::status("302 Found")], refused),
        web("net-9 ten hops", hops(10), Whole),
        web("net-9 21 hops", hops(21), refused),
        row("net-9 from https to http", Liar::Secure { does: vec![redirect("{honest}")], farewell: true }, refused),
        private("net-9 into the cloud's metadata", "http://169.254.169.254/latest/meta-data"),
        private("net-9 to this machine", "{honest}"),
        private("net-9 to this machine by name", "http://localhost/x"),
        private("net-9 to this machine in another notation", "http://0x7f.1/x"),
        private("net-9 to this machine by IPv6", "http://[::1]/x"),
        private("net-9 to this machine by IPv6 around IPv4", "http://[::ffff:127.0.0.1]/x"),
        private("net-9 into a private network", "http://10.0.0.1/x"),
        row(
            "net-9 from a public server to a public one",
            Liar::Public(vec![redirect("http://other.invalid/file")]),
            Whole,
        ),
    ];
    for (name, target) in [
        ("net-9 loop", "/file"),
        ("net-9 file:", "file:///etc/passwd"),
        ("net-9 data:", "data:,x"),
        ("net-9 ftp:", "ftp://127.0.0.1/x"),
        ("net-9 javascript:", "javascript:1"),
        ("net-9 userinfo", "http://user:pass@127.0.0.1/x"),
        ("net-9 no URL", "http://"),
        ("net-9 a port of 10^6", "http://127.0.0.1:1000000/"),
        ("net-9 too long", &*format!("/{}", "a".repeat(9000)).leak()),
    ] {
        rows.push(web(name, [redirect(target)], refused));
    }
    rows
}

/// NET-14, with what may go wrong behind TLS that is in order.
pub fn tls() -> Vec<Row> {
    let wrong = With(Code::NetTls);
    let certificate = |name, file| row(name, Liar::Certificate(file), wrong);
    let says = |name, bytes, ends| row(name, Liar::NoTls(bytes), ends);
    let secure = |name, does: Vec<Behaviour>, farewell| row(name, Liar::Secure { does, farewell }, Whole);
    // The front before it serves one request a connection, so what stands behind closes.
    let plain = framed(Framing::Close, Stop::Complete);
    let cut = framed(Framing::Length, Stop::CloseAfter(3000));
    vec![
        row("net-14 good", Liar::Certificate("good.pem"), Whole),
        certificate("net-14 expired", "expired.pem").says("has expired"),
        certificate("net-14 not yet valid", "early.pem").says("not valid yet"),
        certificate("net-14 for another host", "elsewhere.pem").says("for another host"),
        certificate("net-14 by an unknown authority, as a proxy that looks inside has", "unknown.pem")
            .says("SSL_CERT_FILE"),
        certificate("net-14 by itself", "selfsigned.pem").says("authority unknown"),
        // RFC 8446 §6: a fatal alert, protocol_version.
        says("net-14 wants another version of TLS", b"\x15\x03\x01\0\x02\x02\x46", wrong),
        says("net-14 speaks TLS 1.0", &TLS_1_0, wrong).says("no TLS version we accept"),
        says("net-14 speaks no TLS", b"220 smtp ready\r\n", wrong).says("does not speak TLS"),
        says("net-14 speaks HTTP", b"HTTP/1.1 400 Bad Request\r\n\r\n", wrong),
        says("net-14 closes in the handshake", b"", With(Code::NetConnect)),
        row("net-14 silent in the handshake", Liar::Mute, With(Code::NetConnect)),
        secure("net-1 cut within TLS, once", vec![cut.clone(), plain.clone()], true),
        secure("net-1 cut with TLS, once", vec![cut, plain.clone()], false),
        secure("net-14 TLS without a farewell", vec![plain], false),
    ]
}

/// A ServerHello of RFC 2246 §7.4.1.3: version 3.1, no session, TLS_RSA_WITH_AES_128_CBC_SHA.
const TLS_1_0: [u8; 47] = {
    let mut hello = [7; 47];
    let head = [22, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1];
    let mut at = 0;
    while at < head.len() {
        hello[at] = head[at];
        at += 1;
    }
    (hello[43], hello[44], hello[45], hello[46]) = (0, 0, 0x2f, 0);
    hello
};

/// NET-15 and the addresses of NET-16.
pub fn proxies() -> Vec<Row> {
    let (status, connect) = (With(Code::NetStatus), With(Code::NetConnect));
    let proxy = |name, does: Vec<Behaviour>, ends| row(name, Liar::Proxy(does), ends);
    let tunnel = |name, does: Behaviour, ends| row(name, Liar::Tunnel(vec![does]), ends);
    let page = || Behaviour::status("200 OK");
    vec![
        proxy("net-15 honest", vec![], Whole),
        proxy("net-15 407", vec![Behaviour::status("407 Proxy Authentication Required")], status).says("HTTP_PROXY"),
        proxy("net-15 403 with a page", vec![Behaviour::status("403 Forbidden")], status),
        proxy("net-15 a page for everything", vec![page()], With(Code::NetSize)),
        proxy("net-15 502 once", vec![Behaviour::status("502 Bad Gateway"), HONEST], Whole),
        proxy("net-15 silent", vec![heading(Head::Silent)], With(Code::NetStall)),
        proxy(
            "net-15 to its own log-in page",
            vec![Behaviour::redirect("http://192.168.0.1/login")],
            With(Code::NetRedirect),
        ),
        tunnel("net-15 no tunnel: 403", Behaviour::status("403 Forbidden"), connect),
        tunnel("net-15 no tunnel: 407", Behaviour::status("407 Proxy Authentication Required"), connect)
            .says("HTTP_PROXY"),
        tunnel("net-15 no tunnel: 502", Behaviour::status("502 Bad Gateway"), connect),
        tunnel("net-15 no tunnel: closes", heading(Head::Close), connect),
        tunnel("net-15 no tunnel: silent", heading(Head::Silent), connect),
        tunnel("net-15 no tunnel: garbage", Behaviour::raw("SSH-2.0-OpenSSH_9.2\r\n"), connect),
        tunnel("net-15 no tunnel: endless 1xx", heading(Head::Interim), connect),
        tunnel(
            "net-15 a tunnel that leads to a page",
            Behaviour::raw("HTTP/1.1 200 OK\r\n\r\n<html>log in</html>"),
            connect,
        ),
        tunnel("net-15 a tunnel into silence", Behaviour { stop: Stop::HangAfter(0), ..page() }, connect),
        tunnel("net-15 a tunnel that ends", Behaviour::raw("HTTP/1.1 200 OK\r\n\r\n"), connect),
        row("net-16 one of the host's addresses is dead", Liar::Host("localhost"), Whole),
        row("net-16 no such host", Liar::Nobody("http://no-such-host.invalid/file"), With(Code::NetDns))
            .proxied(status),
        row("net-16 nobody listens", Liar::Nobody("http://127.0.0.1:{closed}/file"), connect).proxied(status),
        row("net-16 nobody listens for TLS", Liar::Nobody("https://127.0.0.1:{closed}/file"), connect),
    ]
}

/// NET-19.
pub fn paths() -> Vec<Row> {
    let path = |name, leads, ends| row(name, Liar::Path(leads), ends);
    let irregular = With(Code::Recipe);
    vec![
        path("net-19 a file", Leads::File, Whole),
        path("net-19 a link to a file", Leads::Link, Whole),
        path("net-19 a link to a device", Leads::LinkToDevice, irregular),
        path("net-19 a link to nothing", Leads::Dangling, With(Code::Usage)),
        path("net-19 a pipe", Leads::Pipe, irregular),
        path("net-19 an endless device", Leads::Device, irregular),
        path("net-19 a directory", Leads::Directory, irregular),
        path("net-19 nothing", Leads::Nowhere, With(Code::Usage)),
        path("net-19 a longer file", Leads::Longer, With(Code::NetSize)),
        path("net-19 a shorter file", Leads::Shorter, With(Code::Hash)),
        path("net-19 another file", Leads::Other, With(Code::Hash)),
        path("net-19 a file that grows while it is read", Leads::Growing, With(Code::NetSize)),
    ]
}

/// The whole table.
pub fn all() -> Vec<Row> {
    [truncations(), lengths(), ranges(), pages(), silence(), refusals(), redirects(), tls(), proxies(), paths()]
        .concat()
}
