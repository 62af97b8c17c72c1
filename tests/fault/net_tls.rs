//! Transport faults of TLS: a certificate that is wrong in one way each, and what the person is told. Loopback only.
//!
//! The certificates are made by `tests/fixtures/tls/make.sh`. Read next: `net.rs`.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::base::{Code, Diagnostic, Url};
use crate::fetch::{Fetch, Http, Proxy, Settings};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::tests::support::ourselves;
use crate::tests::support::relay::{Port, fixture, tls_config};
use crate::tests::support::server::Server;

/// Serves `hello` (or a redirect) to every request on a TLS port until the process ends; returns the address.
fn serve(certificate: &str, answer: String) -> String {
    let config = tls_config(certificate);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = speak(stream, Arc::clone(&config), &answer);
        }
    });
    format!("https://{address}/file")
}

fn speak(stream: TcpStream, config: Arc<ServerConfig>, answer: &str) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let _ = stream.read(&mut [0; 4096])?;
    stream.write_all(answer.as_bytes())?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn hello() -> String {
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello".into()
}

fn settings() -> Settings {
    Settings {
        connect: Duration::from_secs(5),
        stall: Duration::from_secs(2),
        attempts: 2,
        backoff: Duration::from_millis(2),
        ca_files: vec![fixture("authority.pem")],
        proxy: Proxy::Never,
        ..Settings::default()
    }
}

fn read(settings: Settings, url: &str) -> Result<Vec<u8>, Diagnostic> {
    Http::new(settings).text("sums", &Url::parse(url).unwrap(), 100, &|_| ()).map(|text| text.body)
}

#[test]
fn net_14_a_named_authority_is_trusted() {
    assert_eq!(read(settings(), &serve("good.pem", hello())).unwrap(), b"hello");
}

#[test]
fn net_14_every_wrong_certificate_is_refused_and_named() {
    for (certificate, word) in [
        ("expired.pem", "has expired"),
        ("early.pem", "not valid yet"),
        ("elsewhere.pem", "for another host"),
        ("unknown.pem", "an authority unknown"),
    ] {
        let problem = read(settings(), &serve(certificate, hello())).unwrap_err();
        assert_eq!(problem.code, Code::NetTls, "{certificate}: {problem:?}");
        assert!(problem.headline.contains(word), "{certificate}: {problem:?}");
    }
}

#[test]
fn net_14_an_authority_nobody_named_is_not_trusted() {
    // On a machine without CA files the client cannot even be set up; that is E_NET_TLS too.
    let problem = read(Settings { ca_files: vec![], ..settings() }, &serve("good.pem", hello())).unwrap_err();
    assert_eq!(problem.code, Code::NetTls, "{problem:?}");
    assert!(problem.hint.is_some_and(|hint| hint.contains("SSL_CERT_FILE")));
}

#[test]
fn net_18_http_2_is_never_offered_so_none_of_its_faults_can_be_met() {
    let (told, heard) = std::sync::mpsc::channel();
    let port = Port::open(move |mut stream| {
        let mut acceptor = rustls::server::Acceptor::default();
        while let Ok(None) = acceptor.accept().map(|accepted| {
            let offered = accepted.as_ref().map(|one| {
                let hello = one.client_hello();
                hello.alpn().map(|names| names.map(<[u8]>::to_vec).collect::<Vec<_>>()).unwrap_or_default()
            });
            offered.map(|names| told.send(names))
        }) {
            if acceptor.read_tls(&mut stream)? == 0 {
                break;
            }
        }
        Ok(())
    });
    let one = Settings { attempts: 1, ..settings() };
    read(one, &format!("https://{}/", port.address)).unwrap_err();
    let offered = heard.recv_timeout(Duration::from_secs(5)).unwrap();
    assert!(offered.iter().all(|name| name == b"http/1.1"), "{offered:?}");
    // Nor could it be spoken over a plain connection: the code is not in the program.
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock")).unwrap();
    assert!(lock.contains("name = \"hyper\"\n") && !lock.contains("name = \"h2\"\n"));
}

#[test]
fn net_14_a_server_without_tls_is_told_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        listener.incoming().flatten().for_each(|mut stream| drop(stream.write_all(b"220 smtp ready\r\n")))
    });
    assert_eq!(read(settings(), &url).unwrap_err().code, Code::NetTls);
}

#[test]
fn net_09_https_never_leads_to_http() {
    let plain = Server::one("hello", &[]);
    let location = plain.url("/file");
    let answer =
        format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let problem = read(settings(), &serve("good.pem", answer)).unwrap_err();
    assert_eq!((problem.code, plain.connections()), (Code::NetRedirect, 0));
}

#[test]
fn a_ca_file_that_holds_nothing_is_refused_and_http_never_reads_one() {
    let https = serve("good.pem", hello());
    for (file, code) in [("make.sh", Code::NetTls), ("none.pem", Code::Io)] {
        let wrong = Settings { ca_files: vec![fixture(file)], ..settings() };
        assert_eq!(read(wrong.clone(), &https).unwrap_err().code, code, "{file}");
        assert_eq!(read(wrong, &Server::one("hello", &[]).url("/file")).unwrap(), b"hello");
    }
}

/// What a child process of the test below asks for; unset in the parent.
const ASKED: &str = "ARCA_TEST_TLS_URL";

#[test]
fn net_14_ssl_cert_file_names_the_authorities() {
    if let Ok(url) = std::env::var(ASKED) {
        let outcome = read(Settings { ca_files: vec![], ..settings() }, &url);
        println!("outcome: {outcome:?}");
        return;
    }
    let url = serve("good.pem", hello());
    let ask = |file: &str| {
        let words = ourselves(module_path!(), "net_14_ssl_cert_file_names_the_authorities");
        let output = std::process::Command::new(&words[0])
            .args(&words[1..])
            .env_clear()
            .env("SSL_CERT_FILE", fixture(file))
            .env(ASKED, &url)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(ask("authority.pem").contains("outcome: Ok("), "{}", ask("authority.pem"));
    let none = ask("none.pem");
    assert!(none.contains("NetTls") && none.contains("ca-certificates"), "{none}");
}
