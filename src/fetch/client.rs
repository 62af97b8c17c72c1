//! One request with its redirects: the HTTP library set up our way. Touches the network and the CA files.
//!
//! Two clients, each made when first needed: the one for https reads the CA files, the one for http trusts nobody, so that
//! plain http works on a machine without any; unless the way to http leads through a proxy that itself speaks TLS. HTTP/1.1 only, no content decoding, no cookies, no referer.
//! Read next: `transfer`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use reqwest::blocking::{Client, ClientBuilder, Response};
use reqwest::header::{self, HeaderMap};
use reqwest::{Certificate, Method, redirect::Policy};

use super::answer::Head;
use super::failure::Failure;
use super::redirect::{self, Route, Rules};
use super::registry::{self, Repository, Tokens};
use super::{Proxy, Settings};
use crate::base::text::one_line;
use crate::base::{Code, Diagnostic, Kind, Secret, Url};

/// Fetches over HTTP and HTTPS.
///
/// A clone has the same clients, hence the same connections.
#[derive(Clone)]
pub(crate) struct Http {
    pub(super) settings: Settings,
    plain: Made,
    secure: Made,
    pub(super) tokens: Tokens,
    /// What was said of each host whose name could not be resolved: it is asked once a run.
    unknown: Arc<Mutex<BTreeMap<String, Diagnostic>>>,
}

/// A client, once it was needed.
type Made = Arc<OnceLock<Result<Client, Diagnostic>>>;

/// A head that was read and a body that was not.
pub(super) struct Answer {
    pub head: Head,
    pub body: Response,
    /// The last address, with whatever secret the redirect put into it.
    pub from: url::Url,
}

impl Http {
    /// Takes the limits; opens nothing and reads nothing yet.
    pub(crate) fn new(settings: Settings) -> Self {
        let (plain, secure) = <(Made, Made)>::default();
        Self { settings, plain, secure, tokens: Tokens::default(), unknown: Arc::default() }
    }

    /// Asks once, following redirects; the body is left unread.
    pub(super) fn ask(&self, method: &Method, url: &Url, headers: &HeaderMap) -> Result<Answer, Failure> {
        match url::Url::parse(url.expose()).ok().as_ref().and_then(Repository::of) {
            Some(repository) => self.ask_registry(method, url, headers, &repository),
            None => self.walk(method, url, headers, None),
        }
    }

    pub(super) fn rules(&self) -> Rules {
        Rules { hops: self.settings.redirects, lookup: redirect::lookup }
    }

    /// Follows redirects to an answer; a token goes to the origin that it is for, and to nobody it redirects to.
    pub(super) fn walk(
        &self,
        method: &Method,
        url: &Url,
        headers: &HeaderMap,
        token: Option<&Secret<String>>,
    ) -> Result<Answer, Failure> {
        let mut route = Route::begin(url, self.rules())?;
        let origin = route.here().origin();
        let with_token = token.map(|token| {
            let mut headers = headers.clone();
            headers.insert(header::AUTHORIZATION, registry::bearer(token)?);
            Ok::<_, Failure>(headers)
        });
        let with_token = with_token.transpose()?;
        loop {
            let headers = with_token.as_ref().filter(|_| route.here().origin() == origin).unwrap_or(headers);
            let response = self.send(method, route.here(), headers)?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                let length = body_length(method, &response);
                let head = Head::read(response.status().as_u16(), response.headers(), length)?;
                return Ok(Answer { head, body: response, from: route.here().clone() });
            }
            route.follow(response.headers().get(header::LOCATION).map(header::HeaderValue::as_bytes))?;
        }
    }

    fn send(&self, method: &Method, url: &url::Url, headers: &HeaderMap) -> Result<Response, Failure> {
        let proxy = self.settings.proxy.asked_for(url);
        let host = proxy.as_ref().unwrap_or(url).host_str().unwrap_or_default();
        let unknown = || self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(said) = unknown().get(host) {
            return Err(said.clone().kind(Kind::Repeated).into());
        }
        let client = self.client(url.scheme())?;
        let request = client.request(method.clone(), url.clone()).headers(headers.clone());
        let response = request.send().map_err(|error| {
            let failure = Failure::of(&error, url, proxy.as_ref(), &self.settings);
            if failure.problem.code == Code::NetDns {
                unknown().insert(host.to_owned(), failure.problem.clone());
            }
            failure
        })?;
        match proxy.filter(|_| url.scheme() == "http") {
            Some(proxy) => Failure::of_proxy(response.status().as_u16(), &proxy).map_or(Ok(response), Err),
            None => Ok(response),
        }
    }

    fn client(&self, scheme: &str) -> Result<&Client, Diagnostic> {
        let slot = match scheme {
            "https" => self.secure.get_or_init(|| self.secure_client()),
            "http" if self.settings.proxy.speaks_tls() => self.secure.get_or_init(|| self.secure_client()),
            "http" => self.plain.get_or_init(|| self.plain_client()),
            other => {
                return Err(Diagnostic::new(Code::Bug, format!("`{other}` URLs are not fetched over the network")));
            }
        };
        slot.as_ref().map_err(Clone::clone)
    }

    fn plain_client(&self) -> Result<Client, Diagnostic> {
        let nobody = rustls::ClientConfig::builder_with_provider(provider().into())
            .with_safe_default_protocol_versions()
            .map_err(|error| Diagnostic::new(Code::NetTls, "TLS cannot be set up").cause(error))?
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        build(self.builder()?.tls_backend_preconfigured(nobody))
    }

    fn secure_client(&self) -> Result<Client, Diagnostic> {
        // The HTTP library takes its provider from the process; one that somebody else installed is as good.
        let _ = provider().install_default();
        let mut extra = vec![];
        for file in &self.settings.ca_files {
            let shown = one_line(&file.display().to_string(), 200);
            let pem = std::fs::read(file)
                .map_err(|error| Diagnostic::io(format!("cannot read the CA file `{shown}`"), &error))?;
            let found = Certificate::from_pem_bundle(&pem).unwrap_or_default();
            if found.is_empty() {
                return Err(Diagnostic::new(Code::NetTls, format!("the CA file `{shown}` holds no PEM certificate")));
            }
            extra.extend(found);
        }
        build(self.builder()?.tls_certs_merge(extra)).map_err(|problem| {
            problem.hint("install your system's CA certificates (package `ca-certificates`), or name a PEM file in SSL_CERT_FILE")
        })
    }

    fn builder(&self) -> Result<ClientBuilder, Diagnostic> {
        let builder = ClientBuilder::new()
            .user_agent(concat!("arca-build/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(self.settings.connect)
            .timeout(self.settings.stall); // of the head, then of each read: the blocking client has no total
        Ok(match &self.settings.proxy {
            Proxy::Environment if exempts_all() => builder.no_proxy(),
            Proxy::Environment => builder,
            Proxy::Never => builder.no_proxy(),
            Proxy::Through(url) => {
                let proxy = reqwest::Proxy::all(url.expose());
                builder.proxy(
                    proxy
                        .map_err(|_| Diagnostic::new(Code::Usage, format!("`{url}` is not the address of a proxy")))?,
                )
            }
        })
    }
}

impl Proxy {
    /// Returns whether plain http may be asked of a proxy that is itself reached by TLS, and so must be verified.
    fn speaks_tls(&self) -> bool {
        // Those that the HTTP library reads for http.
        let variables = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
        let is_https = |text: &str| text.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("https:"));
        match self {
            Self::Never => false,
            Self::Through(url) => url.scheme() == "https",
            Self::Environment => variables.iter().any(|name| std::env::var(name).is_ok_and(|text| is_https(&text))),
        }
    }
}

impl Proxy {
    /// Returns which proxy is asked for an address, as the HTTP library chooses it, to name it where it is at fault.
    pub(super) fn asked_for(&self, url: &url::Url) -> Option<url::Url> {
        let variable = |name: &str| std::env::var(name).ok().filter(|text| !text.trim().is_empty());
        self.chosen(url, &variable)
    }

    fn chosen(&self, url: &url::Url, variable: &dyn Fn(&str) -> Option<String>) -> Option<url::Url> {
        let text = match self {
            Self::Never => return None,
            Self::Through(proxy) => return url::Url::parse(proxy.expose()).ok(),
            Self::Environment if url.scheme() == "https" => ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
            Self::Environment => ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
        };
        let text = text.into_iter().find_map(variable)?;
        let exempt = ["no_proxy", "NO_PROXY"].into_iter().find_map(variable).unwrap_or_default();
        if exempt.split(',').any(|item| is_exempt(url, item.trim())) {
            return None;
        }
        let text = if text.contains("://") { text } else { format!("http://{text}") };
        url::Url::parse(text.trim()).ok()
    }
}

/// Returns whether an item of `NO_PROXY` means an address: `*`, a domain with all below it, an address, or a network of them.
fn is_exempt(url: &url::Url, item: &str) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
    let item = item.to_ascii_lowercase();
    let domain = item.trim_start_matches('.');
    let below = host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let bits = |address: std::net::IpAddr| match address {
        std::net::IpAddr::V4(four) => (32, u128::from(u32::from(four))),
        std::net::IpAddr::V6(six) => (128, u128::from(six)),
    };
    let network = || {
        let (network, length) = item.split_once('/')?;
        let ((width, address), (same, network)) = (bits(host.parse().ok()?), bits(network.parse().ok()?));
        let shift = u32::checked_sub(width, length.parse().ok()?).filter(|_| width == same)?;
        Some(address.checked_shr(shift) == network.checked_shr(shift))
    };
    item == "*" || (!domain.is_empty() && below) || network().unwrap_or(false)
}

/// Returns whether `NO_PROXY` names everybody: the HTTP library takes `*` for names, but not for addresses.
fn exempts_all() -> bool {
    let exempt = ["NO_PROXY", "no_proxy"].iter().find_map(|name| std::env::var(name).ok());
    exempt.is_some_and(|list| list.split(',').any(|item| item.trim() == "*"))
}

fn provider() -> rustls::crypto::CryptoProvider {
    rustls::crypto::ring::default_provider()
}

/// How many descriptors a client and its first connection need, with some to spare.
const DESCRIPTORS: usize = 16;

/// Asks for descriptors and gives them back: the HTTP library panics where its event loop gets none.
fn check_descriptors() -> Result<(), Diagnostic> {
    let held: Result<Vec<_>, _> = (0..DESCRIPTORS).map(|_| rustix::io::dup(std::io::stdin())).collect();
    held.map(drop).map_err(|errno| {
        Diagnostic::io("cannot set up the network", &errno.into())
            .hint("raise the limit of open files (`ulimit -n`), or end what holds them")
    })
}

fn build(builder: ClientBuilder) -> Result<Client, Diagnostic> {
    check_descriptors()?;
    builder.build().map_err(|error| {
        let cause = std::error::Error::source(&error).map_or_else(|| "unknown".into(), ToString::to_string);
        Diagnostic::new(Code::NetTls, "cannot set up HTTPS").cause(one_line(&cause, 200))
    })
}

/// Returns the length as framed; an answer to HEAD has no body, so there the field itself is read.
fn body_length(method: &Method, response: &Response) -> Option<u64> {
    if method != Method::HEAD {
        return response.content_length();
    }
    response.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proxy_of_an_address_is_known_as_the_library_chooses_it() {
        let all: &[(&str, &str)] = &[
            ("HTTP_PROXY", "http://u:p@plain.example:3128"),
            ("https_proxy", "secure.example:8080"),
            ("NO_PROXY", "quiet.example, .below.example,10.0.0.0/8,fd00::/8,::1"),
        ];
        for (variables, url, want) in [
            (all, "http://h.example/x", Some("plain.example:3128")),
            (all, "https://h.example/x", Some("secure.example:8080")),
            (all, "https://quiet.example/x", None),
            (all, "https://a.quiet.example/x", None),
            (all, "https://notquiet.example/x", Some("secure.example:8080")),
            (all, "http://a.below.example/x", None),
            (all, "http://10.2.3.4/x", None),
            (all, "http://11.2.3.4/x", Some("plain.example:3128")),
            (all, "http://[fd12::1]/x", None),
            (all, "http://[::1]/x", None),
            (all, "http://[fe80::1]/x", Some("plain.example:3128")),
            (&[("all_proxy", "http://a.example:1"), ("no_proxy", "*")], "https://h.example/x", None),
            (&[("all_proxy", "http://a.example:1")], "https://h.example/x", Some("a.example:1")),
            (
                &[("all_proxy", "http://a.example:1"), ("no_proxy", "1.2.3.4/99,/8,x/y")],
                "http://1.2.3.4/",
                Some("a.example:1"),
            ),
            (&[], "http://h.example/x", None),
        ] {
            let variable =
                |name: &str| variables.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
            let chosen = Proxy::Environment.chosen(&url::Url::parse(url).unwrap(), &variable);
            let shown = chosen.map(|proxy| format!("{}:{}", proxy.host_str().unwrap(), proxy.port().unwrap()));
            assert_eq!(shown.as_deref(), want, "{url} {variables:?}");
        }
    }
}
