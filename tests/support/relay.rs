//! What stands between a client and the test server: an honest forward proxy, and TLS in front of any port. Touches
//! loopback sockets and threads, and the certificates of `tests/fixtures/tls`.
//!
//! RFC 9112 §3.2.2 (absolute-form), RFC 9110 §9.3.6 (CONNECT), §11.7 (Proxy-Authorization). The proxy passes answers on
//! byte by byte, so that what a server does reaches the client as it is. Read next: `server.rs`.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What every user of the proxy must say: `user:canary`.
pub const CREDENTIALS: &str = "user:canary";
const BASIC: &str = "Basic dXNlcjpjYW5hcnk=";

/// A port that is served until the value is dropped; each connection has a thread of its own.
pub struct Port {
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
}

impl Port {
    /// Opens a port; a failed connection is part of the game.
    pub fn open(serve: impl Fn(&TcpStream) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
        let (serve, ended) = (Arc::new(serve), Arc::clone(&stop));
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let serve = Arc::clone(&serve);
                thread::spawn(move || {
                    let _ = serve(&stream);
                    let _ = stream.shutdown(Shutdown::Both);
                });
            }
        });
        Self { address, stop }
    }

    /// Answers whatever a client says first with these bytes, and closes in order.
    pub fn saying(answer: &'static [u8]) -> Self {
        Self::open(move |mut stream| {
            let _ = stream.read(&mut [0; 16 << 10])?;
            stream.write_all(answer)?;
            stream.shutdown(Shutdown::Write)?;
            io::copy(&mut stream, &mut io::sink()).map(drop)
        })
    }

    /// Accepts and says nothing until the client goes.
    pub fn silent() -> Self {
        Self::open(|mut stream| io::copy(&mut stream, &mut io::sink()).map(drop))
    }

    /// Speaks TLS with a certificate of the fixtures and passes one request on to a port that closes behind its answer.
    ///
    /// `farewell` says whether TLS ends as it should, with `close_notify`.
    pub fn tls(certificate: &str, behind: SocketAddr, farewell: bool) -> Self {
        let config = tls_config(certificate);
        Self::open(move |stream| {
            let connection = ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
            let mut secure = StreamOwned::new(connection, stream);
            let Some(head) = read_head(&mut secure)? else { return Ok(()) };
            let mut upstream = TcpStream::connect(behind)?;
            upstream.write_all(&head)?;
            let answered = io::copy(&mut upstream, &mut secure);
            if farewell && answered.is_ok() {
                secure.conn.send_close_notify();
            }
            secure.flush()
        })
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address); // wakes `accept`
    }
}

/// Finds a certificate or key of the TLS tests.
pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name)
}

/// Sets TLS up with a certificate of the fixtures, and the one key that all of them share.
pub fn tls_config(certificate: &str) -> Arc<ServerConfig> {
    let chain = vec![CertificateDer::from_pem_file(fixture(certificate)).unwrap()];
    let key = PrivateKeyDer::from_pem_file(fixture("server.key")).unwrap();
    ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap()
        .into()
}

/// Who a proxy knows.
#[derive(Default)]
struct Phonebook {
    /// Names that only this proxy can resolve.
    names: BTreeMap<String, SocketAddr>,
    /// The next proxy, through which everything goes.
    parent: Option<SocketAddr>,
    /// The targets of all requests so far.
    targets: Mutex<Vec<String>>,
}

/// An honest forward proxy that wants credentials.
pub struct Relay {
    port: Port,
    phonebook: Arc<Phonebook>,
}

impl Relay {
    /// A proxy that also knows these names.
    pub fn knowing(names: impl IntoIterator<Item = (&'static str, SocketAddr)>) -> Self {
        let names = names.into_iter().map(|(name, address)| (name.to_owned(), address)).collect();
        Self::with(Phonebook { names, ..Phonebook::default() })
    }

    /// A proxy that knows nobody but the next proxy.
    pub fn before(parent: SocketAddr) -> Self {
        Self::with(Phonebook { parent: Some(parent), ..Phonebook::default() })
    }

    fn with(phonebook: Phonebook) -> Self {
        let phonebook = Arc::new(phonebook);
        let shared = Arc::clone(&phonebook);
        Self { port: Port::open(move |client| relay(client, &shared)), phonebook }
    }

    /// Returns the proxy's address.
    pub fn address(&self) -> SocketAddr {
        self.port.address
    }

    /// Returns the targets asked for so far.
    pub fn targets(&self) -> Vec<String> {
        self.phonebook.targets.lock().unwrap().clone()
    }
}

fn read_head(stream: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut head = vec![];
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(0) => return Ok(None),
            Ok(_) => head.push(byte[0]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some(head))
}

/// Serves one client: a tunnel, or requests for one server after the other on one connection each.
fn relay(mut client: &TcpStream, phonebook: &Phonebook) -> io::Result<()> {
    let mut upstream: Option<(String, TcpStream)> = None;
    while let Some(head) = read_head(&mut client)? {
        let head = String::from_utf8(head).map_err(io::Error::other)?;
        let (method, rest) = head.split_once(' ').ok_or(ErrorKind::InvalidData)?;
        let (target, lines) = rest.split_once(' ').ok_or(ErrorKind::InvalidData)?;
        phonebook.targets.lock().unwrap().push(target.to_owned());
        if !head.contains(BASIC) {
            return refuse(client, "407 Proxy Authentication Required");
        }
        let authority = target.strip_prefix("http://").unwrap_or(target).split('/').next().unwrap_or_default();
        if upstream.as_ref().is_none_or(|(other, _)| other != authority) {
            let Ok(server) = connect(authority, phonebook) else { return refuse(client, "502 Bad Gateway") };
            upstream = Some((authority.to_owned(), server));
            if method == "CONNECT" && phonebook.parent.is_none() {
                client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
                return pump_both(client, &upstream.unwrap().1);
            }
            let (from, to) = (upstream.as_ref().unwrap().1.try_clone()?, client.try_clone()?);
            thread::spawn(move || pump(&from, &to));
        }
        let Some((_, server)) = &mut upstream else { return Ok(()) };
        if phonebook.parent.is_some() {
            server.write_all(head.as_bytes())?;
            if method == "CONNECT" {
                pump(client, server);
                return Ok(());
            }
            continue;
        }
        let path = target.strip_prefix("http://").and_then(|rest| rest.find('/').map(|at| &rest[at..]));
        let lines: String =
            lines.split_inclusive("\r\n").filter(|line| !line.to_lowercase().starts_with("proxy-")).collect();
        server.write_all(format!("{method} {} {lines}", path.unwrap_or("/")).as_bytes())?;
    }
    if let Some((_, server)) = upstream {
        let _ = server.shutdown(Shutdown::Both);
    }
    Ok(())
}

fn refuse(mut client: &TcpStream, status: &str) -> io::Result<()> {
    client.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes())
}

fn connect(authority: &str, phonebook: &Phonebook) -> io::Result<TcpStream> {
    if let Some(parent) = phonebook.parent {
        return TcpStream::connect(parent);
    }
    let name = authority.split(':').next().unwrap_or_default();
    match phonebook.names.get(name) {
        Some(address) => TcpStream::connect(address),
        None if authority.contains(':') => TcpStream::connect(authority),
        None => TcpStream::connect((authority, 80)),
    }
}

fn pump_both(client: &TcpStream, server: &TcpStream) -> io::Result<()> {
    let (from, to) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || pump(&from, &to));
    pump(client, server);
    Ok(())
}

/// Copies until the end, then ends both sides.
fn pump(mut from: &TcpStream, mut to: &TcpStream) {
    let _ = to.set_write_timeout(Some(Duration::from_secs(30)));
    let _ = io::copy(&mut from, &mut to);
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
