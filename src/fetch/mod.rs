//! The only door to the network: HTTP and HTTPS downloads that resume, are bounded in size, time and hops, and tell
//! what went wrong; and [`Offline`], which refuses.
//!
//! Touches the network, the CA files it is given, and the proxy variables that `reqwest` reads. Knows nothing of digests: the
//! caller's [`Sink`] hashes, and whoever names the bytes decides whether they are right. `file` URLs belong to `host`.
//! Read next: `transfer` (the loop over attempts), `answer` (what a server's head means), `redirect`, `registry`, `failure`.
#![expect(clippy::disallowed_methods, reason = "the network, its clock and its pauses have their one address here")]

mod answer;
mod beginning;
mod client;
mod failure;
mod http;
mod pace;
mod redirect;
mod registry;
mod transfer;

use std::path::PathBuf;
use std::time::Duration;

pub(crate) use answer::is_absent;
pub(crate) use client::Http;

use crate::base::text::one_line;
use crate::base::{Code, Diagnostic, Events, Url};
use crate::stream::Sink;

/// The limits of every transfer; the defaults are for people, tests shorten them.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// How long name lookup, TCP and TLS may take together.
    pub connect: Duration,
    /// How long a server may stay silent (before its head or within the body), and the window of the rate floor.
    pub stall: Duration,
    /// Bytes a second below which a whole window counts as a stall.
    pub floor: u64,
    /// How many attempts in a row may fail without progress, per URL.
    pub attempts: u32,
    /// The pause before the second attempt; doubled each time, and jittered.
    pub backoff: Duration,
    /// The longest pause, whatever `Retry-After` asks.
    pub retry_cap: Duration,
    /// How many redirects one request may take.
    pub redirects: usize,
    /// PEM files whose certificates are trusted besides the system's (or besides `SSL_CERT_FILE`).
    pub ca_files: Vec<PathBuf>,
    /// Which proxy to go through.
    pub proxy: Proxy,
}

/// Which proxy requests go through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Proxy {
    /// As `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    #[default]
    Environment,
    /// None, whatever the environment says.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests say it"))]
    Never,
    /// This one for everything; its credentials are never shown.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests say it"))]
    Through(Url),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            floor: 1024,
            attempts: 5,
            backoff: Duration::from_millis(500),
            retry_cap: Duration::from_secs(60),
            redirects: 10,
            ca_files: vec![],
            proxy: Proxy::Environment,
        }
    }
}

/// How much may arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// The pinned size: exactly so many bytes, where the recipe or the lock says it.
    pub size: Option<u64>,
    /// The most bytes that are taken where no size is pinned.
    pub cap: u64,
}

impl Bounds {
    /// Takes at most `cap` bytes.
    pub(crate) const fn at_most(cap: u64) -> Self {
        Self { size: None, cap }
    }

    /// Returns the most bytes that may be there in the end.
    const fn limit(&self) -> u64 {
        match self.size {
            Some(size) => size,
            None => self.cap,
        }
    }
}

/// What a finished transfer says of itself; the caller puts it beside a digest that does not match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrived {
    /// The address the last bytes came from, after redirects.
    pub from: Url,
    /// Body bytes over the wire this time, those received and thrown away included.
    pub received: u64,
    /// A coding the server claims although `identity` was asked for; the bytes are taken as they came.
    pub content_encoding: Option<String>,
    /// What the first bytes look like where they cannot be an image, as `an HTML page`.
    pub looks_like: Option<&'static str>,
}

/// A small file held in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    pub body: Vec<u8>,
    /// The address it came from, after redirects.
    pub from: Url,
}

/// The first bytes of a file, and what its server says of the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Beginning {
    /// At most as many as were asked for; fewer where the file is shorter.
    pub bytes: Vec<u8>,
    /// The whole file's length; none where the server does not say.
    pub size: Option<u64>,
    /// The address it came from, after redirects.
    pub from: Url,
}

/// Brings bytes from an address.
pub(crate) trait Fetch: Sync {
    /// Downloads `url` into `sink`, resuming what is there, until it is complete or hope is lost.
    ///
    /// On return the sink holds exactly the pinned size, or at most the cap. Whether the bytes are right is the caller's
    /// business. What an attempt brought stays in the sink when it fails, unless it cannot belong to the file.
    ///
    /// # Errors
    /// `E_NET_*`, `E_OFFLINE`, or what the sink said.
    fn download(
        &self,
        what: &str,
        url: &Url,
        bounds: &Bounds,
        sink: &mut dyn Sink,
        events: Events<'_>,
    ) -> Result<Arrived, Diagnostic>;

    /// Reads a small file, as a published checksum, of at most `cap` bytes.
    ///
    /// # Errors
    /// `E_NET_*` or `E_OFFLINE`.
    fn text(&self, what: &str, url: &Url, cap: u64, events: Events<'_>) -> Result<Text, Diagnostic>;

    /// Reads the first `count` bytes of `url`, which nobody has verified, and leaves the rest.
    ///
    /// # Errors
    /// `E_NET_*` or `E_OFFLINE`.
    fn beginning(&self, url: &Url, count: usize) -> Result<Beginning, Diagnostic>;
}

/// Opens no socket: every request is refused with the name of what is missing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Offline;

impl Offline {
    fn refuse(what: &str, url: &Url) -> Diagnostic {
        Diagnostic::new(Code::Offline, format!("`{what}` is not in the store, and `--offline` forbids fetching it"))
            .url(url)
            .hint("run once without `--offline` while connected; later runs find it in the store")
    }

    /// What is asked anew each time no store ever holds.
    fn refuse_to_ask(what: &str, url: &Url) -> Diagnostic {
        Diagnostic::new(
            Code::Offline,
            format!("`{}` must be asked for, and `--offline` forbids it", one_line(what, 200)),
        )
        .url(url)
        .hint("run it without `--offline` while connected, or name a mirror on this machine in the configuration file")
    }
}

impl Fetch for Offline {
    fn download(
        &self,
        what: &str,
        url: &Url,
        _: &Bounds,
        _: &mut dyn Sink,
        _: Events<'_>,
    ) -> Result<Arrived, Diagnostic> {
        Err(Self::refuse(what, url))
    }

    fn text(&self, what: &str, url: &Url, _: u64, _: Events<'_>) -> Result<Text, Diagnostic> {
        Err(Self::refuse_to_ask(what, url))
    }

    fn beginning(&self, url: &Url, _: usize) -> Result<Beginning, Diagnostic> {
        Err(Self::refuse(url.file_name(), url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offline_names_what_is_missing_and_the_way_out() {
        let url = Url::parse("https://user:hunter2@example.org/base.qcow2").unwrap();
        let bounds = Bounds::at_most(1);
        let kept = Offline.download("base", &url, &bounds, &mut transfer::Memory::default(), &|_| ()).unwrap_err();
        let asked = Offline.text("base", &url, 10, &|_| ()).unwrap_err();
        for (problem, word) in [(kept, "find it in the store"), (asked, "a mirror on this machine")] {
            assert_eq!(problem.code, Code::Offline);
            assert!(
                problem.headline.contains("`base`") && problem.hint.as_ref().is_some_and(|hint| hint.contains(word))
            );
            assert!(!format!("{problem:?}").contains("hunter2"));
        }
    }
}
