//! What a failed attempt means: which code, whether another attempt can help, and words without secrets.
//!
//! Touches nothing. The HTTP library's own text is not used as a headline: it names URLs with their queries.

use std::error::Error;
use std::io;
use std::time::Duration;

use rustls::CertificateError;

use super::Settings;
use crate::base::text::one_line;
use crate::base::{Code, Diagnostic, Url};

/// Whether and when another attempt is sensible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    Never,
    /// After our own growing pause.
    Soon,
    /// After the pause the server asked for.
    After(Duration),
}

/// One failed attempt. The problem's headline is the bare reason until [`Failure::finish`] says what it was for.
#[derive(Debug)]
pub(super) struct Failure {
    pub problem: Diagnostic,
    pub retry: Retry,
}

/// The way out of 407.
pub(super) const PROXY_CREDENTIALS: &str =
    "the proxy wants credentials: give them in HTTP_PROXY or HTTPS_PROXY as `http://user:password@host:port`";

impl From<Diagnostic> for Failure {
    fn from(problem: Diagnostic) -> Self {
        Self { problem, retry: Retry::Never }
    }
}

impl Failure {
    /// Makes a failure that another attempt may heal.
    pub(super) fn passing(code: Code, reason: impl Into<String>) -> Self {
        Self { problem: Diagnostic::new(code, reason), retry: Retry::Soon }
    }

    /// Reads an error of the HTTP library, met while asking `url` or reading its body.
    pub(super) fn of(
        error: &(dyn Error + 'static),
        url: &url::Url,
        proxy: Option<&url::Url>,
        settings: &Settings,
    ) -> Self {
        let host = one_line(url.host_str().unwrap_or_default(), 100);
        if let Some(tls) = find::<rustls::Error>(error) {
            return of_tls(tls, &host).into();
        }
        let cause = one_line(&deepest(error).to_string(), 200);
        let (code, reason) = match proxy {
            Some(proxy) => classify_proxied(error, &cause, &host, &named(proxy), settings),
            None => classify(error, &host, settings),
        };
        // A proxy's 407 to CONNECT is not an answer to us; of it there is but the library's text.
        if cause.ends_with("proxy authorization required") {
            let problem = Diagnostic::new(code, reason).cause(cause).hint(PROXY_CREDENTIALS);
            return Self { problem, retry: Retry::Never };
        }
        // The resolver asked more than once already.
        let retry = if code == Code::NetDns { Retry::Never } else { Retry::Soon };
        Self { problem: Diagnostic::new(code, reason).cause(cause), retry }
    }

    /// Reports what a proxy answered to plain http in its own name, where only it may: that it wants credentials, or reached nobody.
    pub(super) fn of_proxy(status: u16, proxy: &url::Url) -> Option<Self> {
        let proxy = named(proxy);
        match status {
            407 => {
                let problem = Diagnostic::new(Code::NetStatus, format!("the proxy `{proxy}` answered 407"));
                Some(problem.hint(PROXY_CREDENTIALS).into())
            }
            502 | 504 => {
                let headline = format!(
                    "the proxy `{proxy}` answered {status}: it does not reach the server, or that one does not reach another"
                );
                Some(Self::passing(Code::NetStatus, headline))
            }
            _ => None,
        }
    }

    /// Reports to the person: what could not be fetched, from where, after how many attempts.
    pub(super) fn finish(self, what: &str, url: &Url, attempts: u32) -> Diagnostic {
        let mut problem = self.problem;
        if problem.code.as_str().starts_with("E_NET") {
            problem.headline = format!("cannot fetch `{}`: {}", one_line(what, 200), problem.headline);
            problem.input = Some(what.to_owned());
            problem = problem.url(url);
        }
        if attempts > 1 { problem.fact("attempts", attempts) } else { problem }
    }
}

fn classify(error: &(dyn Error + 'static), host: &str, settings: &Settings) -> (Code, String) {
    let http = |test: fn(&reqwest::Error) -> bool| {
        links(error).any(|link| link.downcast_ref::<reqwest::Error>().is_some_and(test))
    };
    let timeout = http(reqwest::Error::is_timeout);
    if http(reqwest::Error::is_dns) {
        (Code::NetDns, format!("the host `{host}` cannot be found"))
    } else if timeout && http(reqwest::Error::is_connect) {
        (Code::NetConnect, format!("no connection to `{host}` within {} s", settings.connect.as_secs_f32()))
    } else if timeout {
        (Code::NetStall, format!("`{host}` sent nothing for {} s", settings.stall.as_secs_f32()))
    } else if http(reqwest::Error::is_connect) {
        (Code::NetConnect, format!("cannot connect to `{host}`"))
    } else if links(error).any(is_break) {
        (Code::NetConnect, format!("the connection to `{host}` broke"))
    } else {
        (Code::NetProtocol, format!("`{host}` does not answer in proper HTTP"))
    }
}

/// Names a proxy without its credentials.
fn named(proxy: &url::Url) -> String {
    let port = proxy.port().map(|port| format!(":{port}")).unwrap_or_default();
    one_line(&format!("{}{port}", proxy.host_str().unwrap_or_default()), 100)
}

/// As [`classify`], where a proxy stands between: until it has the tunnel open, whatever fails is its matter.
fn classify_proxied(
    error: &(dyn Error + 'static),
    cause: &str,
    host: &str,
    proxy: &str,
    settings: &Settings,
) -> (Code, String) {
    let is_tunnel = links(error).any(|link| link.to_string().contains("tunnel"));
    let (code, reason) = classify(error, &format!("the proxy {proxy}"), settings);
    match code {
        // The library has but these texts for what a proxy answers to CONNECT.
        Code::NetConnect if is_tunnel || cause.ends_with("proxy authorization required") => {
            (code, format!("the proxy `{proxy}` does not connect to `{host}`"))
        }
        Code::NetDns => (code, format!("the host of the proxy `{proxy}` cannot be found")),
        Code::NetConnect if reason.starts_with("cannot connect") => {
            (code, format!("cannot connect to the proxy `{proxy}`, which stands before `{host}`"))
        }
        Code::NetConnect => (code, reason.replace(&format!("`the proxy {proxy}`"), &format!("the proxy `{proxy}`"))),
        _ => classify(error, host, settings),
    }
}

/// Returns whether a link of the chain is a connection that ended too early.
fn is_break(link: &(dyn Error + 'static)) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    let kind = link.downcast_ref::<io::Error>().map(io::Error::kind);
    matches!(kind, Some(BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof))
        // hyper's own error type is not ours to name; it is one of its documented texts.
        || link.to_string().contains("closed before message completed")
}

fn of_tls(error: &rustls::Error, host: &str) -> Diagnostic {
    let (reason, hint) = tls_reason(error);
    let problem =
        Diagnostic::new(Code::NetTls, format!("{reason} (`{host}`)")).cause(one_line(&error.to_string(), 200));
    match hint {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

const CLOCK: &str = "check this machine's clock; else only the server's owner can mend it";

fn tls_reason(error: &rustls::Error) -> (&'static str, Option<&'static str>) {
    use CertificateError::*;
    let rustls::Error::InvalidCertificate(certificate) = error else {
        return match error {
            rustls::Error::InvalidMessage(_) => ("the server does not speak TLS", None),
            rustls::Error::PeerIncompatible(_) => ("the server offers no TLS version we accept", None),
            _ => ("the TLS handshake failed", None),
        };
    };
    match certificate {
        Expired | ExpiredContext { .. } => ("the server's certificate has expired", Some(CLOCK)),
        NotValidYet | NotValidYetContext { .. } => ("the server's certificate is not valid yet", Some(CLOCK)),
        NotValidForName | NotValidForNameContext { .. } => ("the server's certificate is for another host", None),
        UnknownIssuer => (
            "the server's certificate comes from an authority unknown to this machine",
            Some("where a proxy inspects TLS, name a PEM file with its certificate in SSL_CERT_FILE"),
        ),
        Revoked => ("the server's certificate is revoked", None),
        _ => ("the server's certificate is not acceptable", None),
    }
}

/// Walks an error and its causes; an `io::Error` hides the error it wraps from `source`, so it is opened here.
fn links<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |link: &&'a (dyn Error + 'static)| {
        let link: &'a (dyn Error + 'static) = *link;
        match link.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => link.source(),
        }
    })
}

fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    links(error).find_map(|link| link.downcast_ref::<T>())
}

fn deepest<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    links(error).last().unwrap_or(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(error: io::Error) -> Failure {
        let url = url::Url::parse("https://user:hunter2@h.example/x?token=hunter3").unwrap();
        Failure::of(&error, &url, None, &Settings::default())
    }

    #[test]
    fn net_14_tls_failures_say_which() {
        let tls = |error| of(io::Error::other(rustls::Error::InvalidCertificate(error)));
        for (error, word) in [
            (CertificateError::Expired, "expired"),
            (CertificateError::NotValidYet, "not valid yet"),
            (CertificateError::NotValidForName, "another host"),
            (CertificateError::UnknownIssuer, "authority"),
            (CertificateError::Revoked, "revoked"),
        ] {
            let failure = tls(error);
            assert_eq!((failure.problem.code, failure.retry), (Code::NetTls, Retry::Never));
            assert!(failure.problem.headline.contains(word), "{word}");
        }
    }

    #[test]
    fn a_broken_connection_is_worth_another_attempt() {
        let failure = of(io::Error::from(io::ErrorKind::ConnectionReset));
        assert_eq!((failure.problem.code, failure.retry), (Code::NetConnect, Retry::Soon));
        let failure = of(io::Error::other("odd \u{1b}[31m"));
        assert_eq!(failure.problem.code, Code::NetProtocol);
        assert!(!format!("{}", failure.problem).contains('\u{1b}'));
    }

    #[test]
    fn sec_5_a_finished_problem_shows_no_secret() {
        let url = Url::parse("https://user:hunter2@h.example/x?token=hunter3").unwrap();
        let problem = of(io::Error::from(io::ErrorKind::ConnectionReset)).finish("base", &url, 3);
        assert!(!format!("{problem:?}").contains("hunter"), "{problem:?}");
        assert_eq!(problem.headline, "cannot fetch `base`: the connection to `h.example` broke");
    }
}
