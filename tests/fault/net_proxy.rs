//! NET-15: which proxy is asked, for what, and that its password is never shown. Touches loopback, and starts
//! `arca-build` where the environment decides. Proxies that lie are rows of `net_table.rs`.

use crate::base::{Code, Digest, Url};
use crate::fetch::{Fetch, Http, Proxy, Settings, Text};
use crate::format::qcow2;

use crate::tests::fault::net_matrix::quick;
use crate::tests::support::relay::{CREDENTIALS, Port, Relay, fixture};
use crate::tests::support::server::{Behaviour, Framing, HONEST, Server};
use crate::tests::support::{Bin, Output, workdir};

fn through(scheme: &str, address: std::net::SocketAddr) -> Settings {
    quick(Proxy::Through(Url::parse(&format!("{scheme}://{CREDENTIALS}@{address}")).unwrap()))
}

fn read(settings: Settings, url: &str) -> Result<Text, crate::base::Diagnostic> {
    Http::new(settings).text("sums", &Url::parse(url).unwrap(), 100, &|_| ())
}

#[test]
fn net_15_a_proxy_is_used_and_its_password_is_never_shown() {
    let proxy = Server::start();
    proxy.put("/image", "hello", &[]);
    proxy.put("/denied", "", &[Behaviour::status("407 Proxy Authentication Required")]);
    proxy.put("/inside", "", &[Behaviour::redirect("http://169.254.169.254/latest/meta-data")]);
    let settings = || through("http", proxy.address());
    assert_eq!(read(settings(), "http://mirror.invalid/image").unwrap().body, b"hello");
    assert_eq!(proxy.requests()[0].target, "http://mirror.invalid/image");
    assert_eq!(proxy.requests()[0].headers["proxy-authorization"], "Basic dXNlcjpjYW5hcnk=");
    for (address, code) in [
        ("http://mirror.invalid/denied", Code::NetStatus),
        ("http://mirror.invalid/inside", Code::NetRedirect),
        ("https://mirror.invalid/tunnel", Code::NetConnect),
    ] {
        let problem = read(settings(), address).unwrap_err();
        assert_eq!(problem.code, code, "{problem:?}");
        assert!(!format!("{problem:?}").contains("canary"), "{problem:?}");
    }
}

#[test]
fn net_15_a_wrong_password_is_told_apart_from_a_server_that_refuses() {
    let (relay, server) = (Relay::knowing([]), Server::one("hello", &[]));
    let wrong = Url::parse(&format!("http://user:wrong@{}", relay.address())).unwrap();
    for url in [server.url("/file"), "https://127.0.0.1:1/".into()] {
        let problem = read(quick(Proxy::Through(wrong.clone())), &url).unwrap_err();
        assert!(problem.hint.as_ref().is_some_and(|hint| hint.contains("the proxy wants credentials")), "{problem:?}");
        assert!(!format!("{problem:?}").contains("wrong@"), "{problem:?}");
    }
    assert_eq!((relay.targets().len(), server.connections()), (2, 0), "asked again with the same password");
}

#[test]
fn net_15_a_proxy_that_itself_speaks_tls_is_verified_for_plain_http_too() {
    let server = Server::one("hello", &[Behaviour { framing: Framing::Close, ..HONEST }]);
    let relay = Relay::knowing([]);
    let secure = Port::tls("good.pem", relay.address(), true);
    assert_eq!(read(through("https", secure.address), &server.url("/file")).unwrap().body, b"hello");
    let stranger = Port::tls("unknown.pem", relay.address(), true);
    let problem = read(through("https", stranger.address), &server.url("/file")).unwrap_err();
    assert_eq!((problem.code, relay.targets().len()), (Code::NetTls, 1), "{problem:?}");
}

/// Fetches a recipe's base with the program itself, which knows a proxy by its environment alone.
fn fetch(base: &str, variables: &[(&str, &str)]) -> Output {
    let dir = workdir();
    let digest = Digest::of(&image());
    let recipe =
        format!("format = 1\nname = \"x\"\n[base]\nurl = \"{base}\"\nkind = \"qcow2\"\nsha256 = \"{digest}\"\n");
    std::fs::write(dir.path().join("x.toml"), recipe).unwrap();
    let bin = variables.iter().fold(Bin::new(dir.path()), |bin, (name, value)| bin.env(name, value));
    bin.args(["fetch", "x.toml"]).run()
}

fn image() -> Vec<u8> {
    qcow2::blank(crate::base::ByteSize::gib(1)).unwrap()
}

#[test]
fn net_15_the_environment_says_which_proxy_and_for_whom_not() {
    let server = Server::one(image(), &[]);
    let port = server.address().port();
    let named = format!("localhost:{port}");
    for (variable, exempt, host, is_proxied) in [
        ("http_proxy", "", "127.0.0.1", true),
        ("HTTP_PROXY", "", "127.0.0.1", true),
        ("all_proxy", "", "127.0.0.1", true),
        ("ALL_PROXY", "", "127.0.0.1", true),
        ("https_proxy", "", "127.0.0.1", false),
        ("http_proxy", "127.0.0.1", "127.0.0.1", false),
        ("http_proxy", "127.0.0.0/8", "127.0.0.1", false),
        ("http_proxy", "10.0.0.0/8", "127.0.0.1", true),
        ("http_proxy", "10.0.0.0/8, 127.0.0.0/24", "127.0.0.1", false),
        ("http_proxy", "127.0.1.0/24", "127.0.0.1", true),
        ("http_proxy", "*", "127.0.0.1", false),
        ("http_proxy", "localhost", "localhost", false),
        ("http_proxy", "host,localhost", "localhost", false),
        ("http_proxy", "otherhost", "localhost", true),
        ("http_proxy", "calhost", "localhost", true),
    ] {
        let relay = Relay::knowing([]);
        let proxy = format!("http://{CREDENTIALS}@{}", relay.address());
        let told = format!("{variable} {exempt:?} {host}");
        for no_proxy in ["NO_PROXY", "no_proxy"] {
            let before = relay.targets().len();
            let run = fetch(&format!("http://{host}:{port}/file"), &[(variable, &proxy), (no_proxy, exempt)]);
            assert_eq!(run.code, 0, "{told}\n{run}");
            assert_eq!(relay.targets().len() > before, is_proxied, "{told} {no_proxy}\n{run}");
            assert!(!format!("{run}").contains("canary"), "{run}");
        }
    }
    assert!(server.requests().iter().any(|request| request.headers["host"] == named));
    assert!(server.requests().iter().all(|request| !request.headers.contains_key("proxy-authorization")));
}

#[test]
fn net_15_a_dead_proxy_is_a_failure_and_never_a_reason_to_go_around_it() {
    let server = Server::one(image(), &[]);
    let closed = Server::start().address(); // dropped at once
    let problem = read(through("http", closed), &server.url("/file")).unwrap_err();
    assert_eq!((problem.code, server.connections()), (Code::NetConnect, 0), "{problem:?}");
    assert!(!format!("{problem:?}").contains("canary"), "{problem:?}");
}

/// Whoever reads the message must know whom to ask: not the server, which nobody reached.
#[test]
fn net_15_what_a_proxy_does_wrong_is_told_with_its_name() {
    let proxy = Server::start();
    for (path, status) in [
        ("/denied", "407 Proxy Authentication Required"),
        ("/gateway", "502 Bad Gateway"),
        ("/late", "504 Gateway Timeout"),
        ("/busy", "503 Service Unavailable"),
    ] {
        proxy.put(path, "", &[Behaviour::status(status)]);
    }
    let closed = Server::start().address(); // dropped at once
    let (here, closed) = (format!("{CREDENTIALS}@{}", proxy.address()), format!("{CREDENTIALS}@{closed}"));
    let relay = Relay::knowing([]);
    let refusing = format!("user:wrong@{}", relay.address());
    for (proxy, url, code, names) in [
        (&here, "http://mirror.invalid/denied", Code::NetStatus, true),
        (&here, "http://mirror.invalid/gateway", Code::NetStatus, true),
        (&here, "http://mirror.invalid/late", Code::NetStatus, true),
        (&here, "http://mirror.invalid/busy", Code::NetStatus, false),
        (&here, "https://mirror.invalid/tunnel", Code::NetConnect, true),
        (&closed, "http://mirror.invalid/x", Code::NetConnect, true),
        (&closed, "https://mirror.invalid/x", Code::NetConnect, true),
        (&refusing, "https://127.0.0.1:1/", Code::NetConnect, true),
        (&"proxy.invalid:3128".to_owned(), "http://mirror.invalid/x", Code::NetDns, true),
        (&"proxy.invalid:3128".to_owned(), "https://mirror.invalid/x", Code::NetDns, true),
    ] {
        let settings = quick(Proxy::Through(Url::parse(&format!("http://{proxy}")).unwrap()));
        let problem = read(settings, url).unwrap_err();
        let name = proxy.rsplit('@').next().unwrap();
        assert_eq!(
            (problem.code, problem.headline.contains(&format!("proxy `{name}`"))),
            (code, names),
            "{url} {problem:?}"
        );
        assert!(
            !format!("{problem:?}").contains("wrong@") && !format!("{problem:?}").contains("canary"),
            "{problem:?}"
        );
    }
}

/// A name that does not resolve is looked up once, whoever is asked through it, and whoever tells it again says so.
#[test]
fn net_15_a_proxy_without_an_address_is_asked_once_a_run() {
    let http = Http::new(quick(Proxy::Through(Url::parse("http://proxy.invalid:3128").unwrap())));
    let ask = |url: &str| http.text("sums", &Url::parse(url).unwrap(), 100, &|_| ()).unwrap_err();
    assert_eq!(ask("http://a.invalid/x").kind, None);
    for url in ["http://b.invalid/x", "https://c.invalid/x", "http://a.invalid/y"] {
        assert_eq!(ask(url).kind, Some(crate::base::Kind::Repeated), "{url}");
    }
}

#[test]
fn net_15_a_proxy_variable_that_speaks_tls_is_understood_for_plain_http() {
    let server = Server::one(image(), &[Behaviour { framing: Framing::Close, ..HONEST }]);
    let relay = Relay::knowing([]);
    let secure = Port::tls("good.pem", relay.address(), true);
    let proxy = format!("https://{CREDENTIALS}@{}", secure.address);
    let authority = fixture("authority.pem").display().to_string();
    let run = fetch(&server.url("/file"), &[("http_proxy", &proxy), ("SSL_CERT_FILE", &authority)]);
    assert_eq!((run.code, relay.targets().len()), (0, 1), "{run}");
}
