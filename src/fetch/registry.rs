//! Registries of container images: what a request to one needs besides. Touches the network, through its own door only.
//!
//! OCI distribution-spec 1.1, "Pull"; tokens: distribution, docs/content/spec/auth/token.md. A registry answers 401 and
//! names a service that gives anybody a token for one repository; the request is then repeated once. Told apart by the
//! address alone: `/v2/<repository>/manifests/…` or `/blobs/…`. A token goes to the registry's own origin only, never along a
//! redirect, is asked for with our own scope whatever the registry says, and shows nowhere.
//!
//! The crate `oci-client` is not used here: 0.18 takes a manifest, a token and an error page of whatever length into memory
//! before it looks at them, and makes an HTTP client of its own, which cannot be given ours with its rules for redirects,
//! stalls and proxies. tests/oracle/registry.rs shows the first, and asks it for a second opinion on what we pull.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Method, header::WWW_AUTHENTICATE};

use super::Bounds;
use super::client::{Answer, Http};
use super::failure::Failure;
use super::redirect::Route;
use super::transfer::{Memory, Transfer};
use crate::base::text::one_line;
use crate::base::{Code, Diagnostic, Secret, Url};

/// What we can read of manifests and indexes; without it a registry gives Docker's first schema.
const ACCEPT: HeaderValue = HeaderValue::from_static(
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json",
);

/// The most that the answer of a token service may hold.
const ANSWER_LIMIT: u64 = 64 << 10;
/// The longest token that is sent on.
const TOKEN_LIMIT: usize = 16 << 10;

/// Tokens by registry and repository; clones share them.
pub(super) type Tokens = Arc<Mutex<BTreeMap<(String, String), Secret<String>>>>;

/// One repository of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Repository {
    /// Scheme, host and port.
    origin: String,
    name: String,
    is_manifest: bool,
}

impl Repository {
    /// Recognises an address of the distribution API.
    pub(super) fn of(url: &url::Url) -> Option<Self> {
        let mut parts: Vec<_> = url.path().strip_prefix("/v2/")?.split('/').collect();
        let (reference, kind) = (parts.pop()?, parts.pop()?);
        let is_manifest = match kind {
            "manifests" => true,
            "blobs" => false,
            _ => return None,
        };
        let is_whole = !reference.is_empty() && !parts.is_empty() && parts.iter().all(|part| !part.is_empty());
        let origin = url.origin().ascii_serialization();
        is_whole.then(|| Self { origin, name: parts.join("/"), is_manifest })
    }

    fn key(&self) -> (String, String) {
        (self.origin.clone(), self.name.clone())
    }
}

impl Http {
    /// Asks a registry; with the token it wants, where it wants one. A second refusal is final.
    pub(super) fn ask_registry(
        &self,
        method: &Method,
        url: &Url,
        headers: &HeaderMap,
        repository: &Repository,
    ) -> Result<Answer, Failure> {
        let mut headers = headers.clone();
        if repository.is_manifest {
            headers.insert(header::ACCEPT, ACCEPT);
        }
        let token = self.tokens().get(&repository.key()).cloned();
        let answer = self.walk(method, url, &headers, token.as_ref())?;
        if !wants_token(&answer, repository) {
            return Ok(answer);
        }
        let challenge = Challenge::read(answer.body.headers())?;
        drop(answer);
        let token = self.token(url, repository, &challenge, token.as_ref())?;
        let answer = self.walk(method, url, &headers, Some(&token))?;
        if wants_token(&answer, repository) {
            Err(private("the registry refuses the token it sent us for"))
        } else {
            Ok(answer)
        }
    }

    fn tokens(&self) -> MutexGuard<'_, BTreeMap<(String, String), Secret<String>>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gets a token in place of the one that was refused. Whoever comes second waits, and takes what the first one got.
    fn token(
        &self,
        url: &Url,
        repository: &Repository,
        challenge: &Challenge,
        refused: Option<&Secret<String>>,
    ) -> Result<Secret<String>, Failure> {
        let mut tokens = self.tokens();
        if let Some(token) = tokens.get(&repository.key()).filter(|token| Some(*token) != refused) {
            return Ok(token.clone());
        }
        let service = self.service(url, repository, challenge)?;
        let mut memory = Memory::default();
        Transfer::new(self, "a token of the registry", &service, Bounds::at_most(ANSWER_LIMIT), &|_| ())
            .whole()
            .run(&mut memory)?;
        let token = read_token(&memory.into_bytes())?;
        tokens.insert(repository.key(), token.clone());
        Ok(token)
    }

    /// Returns the address of the token service; it must obey what a redirect of the registry would have to.
    fn service(&self, url: &Url, repository: &Repository, challenge: &Challenge) -> Result<Url, Failure> {
        let mut route = Route::begin(url, self.rules())?;
        route.follow(Some(challenge.realm.as_bytes())).map_err(|failure| {
            Diagnostic::new(failure.problem.code, "the registry sends us to a token service that is not allowed")
                .cause(failure.problem)
        })?;
        let mut service = route.here().clone();
        let pairs = [("service", challenge.service.as_deref()), ("scope", Some(&*repository.scope()))];
        for (name, value) in pairs {
            service.query_pairs_mut().extend_pairs(value.map(|value| (name, value)));
        }
        // It would be asked for a token itself, and so on.
        let service = if Repository::of(&service).is_some() { None } else { Url::parse(service.as_str()).ok() };
        service.ok_or_else(|| odd("the registry names no token service that can be asked"))
    }
}

impl Repository {
    fn scope(&self) -> String {
        format!("repository:{}:pull", self.name)
    }
}

/// Returns whether the registry itself asks for a token; what it redirects to has no say.
fn wants_token(answer: &Answer, repository: &Repository) -> bool {
    answer.head.status == 401 && answer.from.origin().ascii_serialization() == repository.origin
}

fn odd(headline: &str) -> Failure {
    Diagnostic::new(Code::NetProtocol, headline).into()
}

fn private(headline: &str) -> Failure {
    Diagnostic::new(Code::NetStatus, headline)
        .note("images are pulled without a name and password")
        .hint("check the name: many registries answer so where there is no such image; a private one cannot be pulled")
        .into()
}

/// What a registry says of its token service (RFC 6750 §3, RFC 9110 §11.6.1).
#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    realm: String,
    service: Option<String>,
}

impl Challenge {
    fn read(headers: &HeaderMap) -> Result<Self, Failure> {
        let lines = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let bearer = lines.filter_map(|line| {
            let (scheme, rest) = line.trim().split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(rest)
        });
        let mut bearer = bearer.peekable();
        if bearer.peek().is_none() {
            return Err(private("the registry wants a name and a password"));
        }
        let parameters =
            bearer.next().and_then(parameters).ok_or_else(|| odd("the registry's challenge cannot be read"))?;
        let mut parameters = BTreeMap::from_iter(parameters);
        let realm = parameters.remove("realm").ok_or_else(|| odd("the registry's challenge names no token service"))?;
        Ok(Self { realm, service: parameters.remove("service") })
    }
}

/// Reads `name="value", name=value`; none where it is anything else, or a name is there twice.
fn parameters(mut text: &str) -> Option<Vec<(String, String)>> {
    let mut found: Vec<(String, String)> = vec![];
    loop {
        text = text.trim_start_matches([' ', ',', '\t']);
        if text.is_empty() {
            return Some(found);
        }
        let (name, rest) = text.split_once('=')?;
        let name = name.trim().to_ascii_lowercase();
        let (value, rest) = match rest.strip_prefix('"') {
            Some(rest) => quoted(rest)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].trim().to_owned(), &rest[end..])
            }
        };
        if found.iter().any(|(other, _)| *other == name) || !name.chars().all(|c| c.is_ascii_graphic()) {
            return None;
        }
        found.push((name, value));
        text = rest;
    }
}

/// Reads to the closing quote, and returns what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            _ => value.push(c),
        }
    }
    None
}

/// Reads the answer of a token service.
fn read_token(answer: &[u8]) -> Result<Secret<String>, Failure> {
    #[derive(serde::Deserialize)]
    struct Raw {
        token: Option<String>,
        access_token: Option<String>,
    }
    let raw: Raw = serde_json::from_slice(answer).map_err(|error| {
        // The library's words could hold what the service sent.
        let at = format!("line {}, column {}", error.line(), error.column());
        Diagnostic::new(Code::NetProtocol, "the token service's answer cannot be read").cause(one_line(&at, 100))
    })?;
    let token = raw.token.or(raw.access_token).filter(|token| !token.is_empty() && token.len() <= TOKEN_LIMIT);
    let token = token.filter(|token| token.chars().all(|c| c.is_ascii_graphic()));
    token.map(Secret::new).ok_or_else(|| odd("the token service's answer holds no token"))
}

/// Makes the header line that shows a token.
pub(super) fn bearer(token: &Secret<String>) -> Result<HeaderValue, Failure> {
    let value = HeaderValue::try_from(format!("Bearer {}", token.expose()));
    let mut value = value.map_err(|_| odd("the token service's answer holds no token"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_known_by_its_addresses() {
        for (url, name) in [
            ("https://h/v2/a/manifests/latest", Some("a")),
            ("https://h:5000/v2/a/b/c/blobs/sha256:00", Some("a/b/c")),
            ("https://h/v2/manifests/blobs/x", Some("manifests")),
            ("https://h/v2/manifests/x", None),
            ("https://h/v2/a/tags/list", None),
            ("https://h/v2//blobs/x", None),
            ("https://h/v2/a/blobs/", None),
            ("https://h/mirror/v2/a/blobs/x", None),
        ] {
            let found = Repository::of(&url::Url::parse(url).unwrap()).map(|repository| repository.name);
            assert_eq!(found.as_deref(), name, "{url}");
        }
    }

    #[test]
    fn net_20_a_challenge_is_read_or_refused() {
        let read = |lines: &[&str]| {
            let lines = lines.iter().map(|line| (WWW_AUTHENTICATE, line.parse().unwrap()));
            Challenge::read(&lines.collect()).map_err(|failure| failure.problem.headline)
        };
        let expected = |service: Option<&str>| {
            Ok(Challenge { realm: "https://auth/t".into(), service: service.map(str::to_owned) })
        };
        for (line, service) in [
            (
                r#"Bearer realm="https://auth/t",service="registry, \"x\"",scope="repository:other:push""#,
                Some("registry, \"x\""),
            ),
            ("bearer service=reg , realm=https://auth/t", Some("reg")),
            (r#"BEARER realm="https://auth/t""#, None),
        ] {
            assert_eq!(read(&[line]), expected(service), "{line}");
        }
        assert_eq!(read(&["Basic realm=\"x\"", "Bearer realm=\"https://auth/t\""]), expected(None));
        for (lines, words) in [
            (&[][..], "a name and a password"),
            (&["Basic realm=\"x\""], "a name and a password"),
            (&["Bearer realm=\"x"], "cannot be read"),
            (&["Bearer realm"], "cannot be read"),
            (&["Bearer realm=\"a\",realm=\"b\""], "cannot be read"),
            (&["Bearer service=\"a\""], "no token service"),
        ] {
            let told = read(lines).unwrap_err();
            assert!(told.contains(words), "{lines:?}: {told}");
        }
    }

    #[test]
    fn sec_5_an_answer_that_holds_no_token_is_refused_without_showing_it() {
        assert_eq!(read_token(br#"{"token":"a.b-c"}"#).unwrap().expose(), "a.b-c");
        assert_eq!(read_token(br#"{"access_token":"x","expires_in":60}"#).unwrap().expose(), "x");
        let long = format!(r#"{{"token":"{}"}}"#, "a".repeat(TOKEN_LIMIT + 1));
        for answer in
            [&br#"{"token":"hunter2\r\nX: y"}"#[..], b"{\"token\":\"\"}", b"{}", b"\"hunter2\"", long.as_bytes()]
        {
            let told = format!("{:?}", read_token(answer).unwrap_err());
            assert!(told.contains("NetProtocol") && !told.contains("hunter2"), "{told}");
        }
    }
}
