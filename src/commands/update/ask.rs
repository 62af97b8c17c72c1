//! What a publisher says an input is today: the checksums beside it, the name it redirects to, its first bytes.
//!
//! Each place (a mirror of the configuration, then the address itself) is asked as one: checksums and signature of two
//! places may be of two days. Read next: `sign`.

use super::metalink;
use super::sign::{Authenticity, PinPolicy, PublisherAnswer};
use crate::base::text::one_line;
use crate::base::{ByteSize, Code, Diagnostic, Kind, Url};
use crate::commands::context::{Context, LARGEST_INPUT};
use crate::commands::recipe_file::LoadedRecipe;
use crate::fetch::{self, Fetch};
use crate::host::files;
use crate::lock::{self, CHECKSUMS, Checksums, ImageFacts, Mirrors, Pin, Question, facts, provenance};
use crate::realise;
use crate::recipe::Source;

/// The most a checksum file or a signature may hold.
const SIDECAR_LIMIT: ByteSize = ByteSize(64 << 10);

/// Who asks, and where.
pub(in crate::commands) struct PublisherQuery<'a> {
    pub(in crate::commands) context: &'a Context<'a>,
    pub(in crate::commands) fetch: &'a dyn Fetch,
    pub(in crate::commands) mirrors: &'a Mirrors,
    pub(in crate::commands) loaded: &'a LoadedRecipe,
}

/// Why a place did not say what an input is.
enum QueryError {
    /// It has no such file.
    Absent(Diagnostic),
    /// It did not answer, or not in a way that can be believed.
    Failed(Diagnostic),
}

impl From<Diagnostic> for QueryError {
    fn from(problem: Diagnostic) -> Self {
        Self::Failed(problem)
    }
}

/// What a checksum file says of an input, and who signed it.
struct PublishedChecksums {
    answer: lock::Answer,
    signer: Option<provenance::Signer>,
    authenticity: Authenticity,
}

/// A small file of a publisher, and where it came from, for people.
pub(super) struct Text {
    pub(super) bytes: Vec<u8>,
    pub(super) from: String,
}

impl PublisherQuery<'_> {
    /// Finds out what an input is today by the word of its server alone: for a better message, never for a pin.
    pub(in crate::commands) fn ask(&self, question: &Question) -> Result<Pin, Diagnostic> {
        self.hear(question, None).map(|answer| answer.pin)
    }

    /// Reads a small file; `None` where it is one of this machine that is not there.
    pub(super) fn text(&self, what: &str, at: &Url, limit: ByteSize) -> Result<Option<Text>, Diagnostic> {
        if at.is_remote() {
            let text = self.fetch.text(what, at, limit.0, self.context.events)?;
            return Ok(Some(Text { bytes: text.body, from: text.from.to_string() }));
        }
        let found = files::read_small(&file_path(at)?, limit)?;
        Ok(found.map(|bytes| Text { bytes, from: at.to_string() }))
    }

    /// Finds out what an input is today, and who says so.
    pub(super) fn hear(
        &self,
        question: &Question,
        policy: Option<&PinPolicy<'_>>,
    ) -> Result<PublisherAnswer, Diagnostic> {
        match &question.source {
            Source::Path(path) => {
                let summary = self.loaded.beside.summarise(path.as_str(), self.context.events)?;
                Ok(local(self.pin(question, &question.source, summary.digest, Some(summary.size), &[])))
            }
            Source::Url(url) if !url.is_remote() => {
                let path = file_path(url)?;
                let summary = files::summarise(&path, self.context.events)?;
                let head = files::beginning(&path, facts::HEAD)?.0;
                let resolved = Source::Url(url.without_secrets());
                Ok(local(self.pin(question, &resolved, summary.digest, Some(summary.size), &head)))
            }
            Source::Url(url) => self.hear_publisher(question, url, policy),
        }
    }

    /// Asks each place in turn, and the first that can be believed counts.
    ///
    /// What a person wrote in `[mirrors]` is trusted as the publisher is, the public network only by https.
    fn hear_publisher(
        &self,
        question: &Question,
        url: &Url,
        policy: Option<&PinPolicy<'_>>,
    ) -> Result<PublisherAnswer, Diagnostic> {
        let (mut failures, mut absent) = (vec![], vec![]);
        for index in 0..self.mirrors.apply(url).len() {
            let place = Place { query: self, index };
            match place.hear(question, url, policy) {
                Ok(answer) => {
                    failures.iter().for_each(|failure| self.warn(url, failure));
                    return Ok(answer);
                }
                Err(QueryError::Absent(problem)) => absent.push(problem),
                Err(QueryError::Failed(problem)) => failures.push(problem),
            }
        }
        match policy {
            Some(policy) if failures.is_empty() => self.first_use(question, url, policy),
            _ => Err(together(failures, absent, url)),
        }
    }

    fn warn(&self, url: &Url, failure: &Diagnostic) {
        if failure.kind == Some(Kind::Repeated) {
            return;
        }
        let from = failure.url.as_ref().map(|url| format!(" ({url})")).unwrap_or_default();
        let name = one_line(url.file_name(), 200);
        let text = format!("`{name}`: {}{from}; the next address serves", failure.headline);
        self.context.warn(text);
    }

    /// Takes a file that nobody publishes a checksum of as it comes, once, and says so before it begins.
    fn first_use(&self, question: &Question, url: &Url, policy: &PinPolicy<'_>) -> Result<PublisherAnswer, Diagnostic> {
        let name = one_line(url.file_name(), 200);
        if !policy.takes_unsigned(url) {
            return Err(policy.unsigned(url, format!("nothing beside `{name}` says what it should be")));
        }
        let text = format!("`{name}`: its publisher has no checksum of it; it is fetched once and pinned as it comes");
        self.context.warn(text);
        let mut failures = vec![];
        for at in self.mirrors.apply(url) {
            match self.learn(question, url, &at, policy) {
                Ok(pin) => return Ok(PublisherAnswer { pin, signed_at: None, authenticity: Authenticity::Nobody }),
                Err(failure) => failures.push(failure),
            }
        }
        Err(together(failures, vec![], url))
    }

    fn learn(&self, question: &Question, url: &Url, at: &Url, policy: &PinPolicy<'_>) -> Result<Pin, Diagnostic> {
        if !at.is_remote() {
            let path = file_path(at)?;
            let summary = files::summarise(&path, self.context.events)?;
            let head = files::beginning(&path, facts::HEAD)?.0;
            return Ok(self.pin(question, &plain(url), summary.digest, Some(summary.size), &head));
        }
        let (store, name) = (policy.store()?, at.file_name());
        let (object, arrived) = realise::learn(name, at, LARGEST_INPUT, store, self.fetch, self.context.events)
            .map_err(|problem| unhelpful(problem).hint("check the address in the recipe"))?;
        if let Some(kind) = arrived.looks_like.filter(|_| self.is_base(question)) {
            return Err(Diagnostic::new(Code::ImageFormat, format!("`{}` is {kind}, no image", one_line(name, 200)))
                .url(&arrived.from)
                .note("nothing was pinned"));
        }
        let head = realise::head(store, &object, facts::HEAD)?;
        let resolved = lock::redirected(url, arrived.from.file_name()).unwrap_or_else(|| url.clone());
        Ok(self.pin(question, &plain(&resolved), object.digest(), Some(ByteSize(object.size())), &head))
    }

    fn is_base(&self, question: &Question) -> bool {
        question.source == self.loaded.recipe.base.source.value
    }

    /// Makes a pin of what was learnt; `head` is the beginning of the file, where it is known.
    fn pin(
        &self,
        question: &Question,
        resolved: &Source,
        sha256: crate::base::Digest,
        size: Option<ByteSize>,
        head: &[u8],
    ) -> Pin {
        let image = match resolved {
            Source::Url(url) if self.is_base(question) => ImageFacts::read(url, head),
            _ => ImageFacts::default(),
        };
        let (url, resolved) = (question.key.clone(), resolved.clone());
        Pin { url, resolved, sha256, size, signer: None, metalink: None, image }
    }
}

/// One of the places where an address may be found.
struct Place<'a> {
    query: &'a PublisherQuery<'a>,
    /// Which of those that [`Mirrors::apply`] gives.
    index: usize,
}

impl Place<'_> {
    /// Finds out what the place says of an input, and under which name it stays what it is.
    ///
    /// A checksum file that names the versioned file tells it; else a redirect of the moving name to that file does.
    fn hear(
        &self,
        question: &Question,
        url: &Url,
        policy: Option<&PinPolicy<'_>>,
    ) -> Result<PublisherAnswer, QueryError> {
        let published = match self.said(url, policy) {
            Err(QueryError::Failed(problem)) => return Err(QueryError::Failed(problem)),
            Ok(published) if published.answer.resolved != *url => Ok(published),
            published => match self.redirected(url) {
                None => published,
                Some(next) => match (self.said(&next, policy), published) {
                    (Ok(theirs), Ok(published)) if theirs.answer.digest != published.answer.digest => {
                        Err(QueryError::Failed(two_answers(url, &next)))
                    }
                    (Ok(theirs), _) => Ok(theirs),
                    (Err(QueryError::Absent(_)), Ok(published)) => Ok(PublishedChecksums {
                        answer: lock::Answer { resolved: next, ..published.answer },
                        ..published
                    }),
                    (Err(silence), _) => Err(silence),
                },
            },
        }?;
        let resolved = published.answer.resolved.clone();
        let mut answer = self.finish(question, published);
        if policy.is_some() {
            answer.pin.metalink = metalink::listed(self.query, &resolved, |list| self.at(list), &answer.pin);
        }
        Ok(answer)
    }

    /// Asks the place for the size and the first bytes; without an answer they stay open, which only loosens the cap.
    ///
    /// No other place is asked: one that holds a cut copy would pin a size that the right bytes never have.
    fn finish(&self, question: &Question, published: PublishedChecksums) -> PublisherAnswer {
        let (head, size) = self.beginning(&published.answer.resolved, facts::HEAD).unwrap_or_else(|failure| {
            self.query.context.warn(format!("the server does not say the size: {}", failure.headline));
            Default::default()
        });
        let mut pin =
            self.query.pin(question, &plain(&published.answer.resolved), published.answer.digest, size, &head);
        pin.signer = published.signer.as_ref().map(provenance::pinned_signer);
        PublisherAnswer {
            pin,
            signed_at: published.signer.map(|signer| signer.signed_at),
            authenticity: published.authenticity,
        }
    }

    /// Reads the first checksum file that there is beside `url`.
    fn said(&self, url: &Url, policy: Option<&PinPolicy<'_>>) -> Result<PublishedChecksums, QueryError> {
        let mut absent = None;
        for list in &CHECKSUMS {
            let at = sibling(url, &list.file_name(url))?;
            match self.read(&at) {
                Ok(text) => {
                    let from = text.from.clone();
                    let published = self.judged(list, url, &at, text, policy);
                    return published.map_err(|problem| QueryError::Failed(with_from(problem, &from)));
                }
                Err(QueryError::Absent(problem)) => absent = absent.or(Some(problem)),
                Err(failed) => return Err(failed),
            }
        }
        Err(QueryError::Absent(absent.unwrap_or_else(|| Diagnostic::new(Code::Bug, "no checksum file was asked for"))))
    }

    fn judged(
        &self,
        list: &Checksums,
        url: &Url,
        at: &Url,
        text: Text,
        policy: Option<&PinPolicy<'_>>,
    ) -> Result<PublishedChecksums, Diagnostic> {
        let unchecked = |text: Text, authenticity| {
            let answer = list.read(url, &provenance::unverified(text.bytes)?)?;
            Ok(PublishedChecksums { answer, signer: None, authenticity })
        };
        let insecure = (!text.from.starts_with("https://")).then(|| text.from.clone());
        let unsigned = || Authenticity::Unsigned(insecure.clone());
        let Some(policy) = policy else { return unchecked(text, unsigned()) };
        if policy.keyring.is_empty() {
            let within = provenance::is_cleartext(&text.bytes).then(|| at.clone());
            let beside = || self.signature(list, url).ok().flatten().map(|(_, at)| at);
            let authenticity = within.or_else(beside).map_or_else(unsigned, Authenticity::Unchecked);
            return unchecked(text, authenticity);
        }
        let signature = match provenance::is_cleartext(&text.bytes) {
            true => None,
            false => match self.signature(list, url)? {
                Some((signature, _)) => Some(signature),
                None if policy.takes_unsigned(url) => return unchecked(text, unsigned()),
                None => return Err(policy.unsigned(url, format!("`{}` is not signed", one_line(at.file_name(), 200)))),
            },
        };
        let (text, signer) = provenance::verify(&policy.keyring, text.bytes, signature.as_deref(), policy.now)?;
        let answer = provenance::read_signed(list, url, &text, &signer)?;
        Ok(PublishedChecksums { answer, signer: Some(signer), authenticity: Authenticity::Signed })
    }

    /// Looks for a signature beside the checksum file of `url`.
    fn signature(&self, list: &Checksums, url: &Url) -> Result<Option<(Vec<u8>, Url)>, Diagnostic> {
        for ending in list.signatures {
            let beside = sibling(url, &format!("{}{ending}", list.file_name(url)))?;
            match self.read(&beside) {
                Ok(text) => return Ok(Some((text.bytes, beside))),
                Err(QueryError::Absent(_)) => {}
                Err(QueryError::Failed(problem)) => return Err(problem),
            }
        }
        Ok(None)
    }

    /// Returns the immutable file that the moving name leads to, where the place redirects to it.
    fn redirected(&self, url: &Url) -> Option<Url> {
        let at = self.at(url).filter(|at| at.is_remote() && !facts::is_immutable(url))?;
        let begun = self.query.fetch.beginning(&at, 1).ok()?;
        lock::redirected(url, begun.from.file_name())
    }

    /// Returns where the place has an address.
    fn at(&self, url: &Url) -> Option<Url> {
        self.query.mirrors.apply(url).into_iter().nth(self.index)
    }

    fn read(&self, url: &Url) -> Result<Text, QueryError> {
        let Some(at) = self.at(url) else { return Err(QueryError::Absent(not_there(url))) };
        if at == *url && url.scheme() == "http" {
            return Err(QueryError::Failed(without_https(url)));
        }
        match self.query.text(at.file_name(), &at, SIDECAR_LIMIT) {
            Ok(text) => text.ok_or_else(|| QueryError::Absent(not_there(&at))),
            Err(problem) if fetch::is_absent(&problem) => Err(QueryError::Absent(unhelpful(problem))),
            Err(problem) => Err(QueryError::Failed(problem)),
        }
    }

    fn beginning(&self, url: &Url, count: usize) -> Result<(Vec<u8>, Option<ByteSize>), Diagnostic> {
        let Some(at) = self.at(url) else { return Ok(Default::default()) };
        if !at.is_remote() {
            let (head, length) = files::beginning(&file_path(&at)?, count)?;
            return Ok((head, Some(ByteSize(length))));
        }
        let begun = self.query.fetch.beginning(&at, count)?;
        Ok((begun.bytes, begun.size.map(ByteSize)))
    }
}

fn local(pin: Pin) -> PublisherAnswer {
    PublisherAnswer { pin, signed_at: None, authenticity: Authenticity::Local }
}

/// What a lock keeps of an address: the publisher's own, without secrets, whichever place answered.
fn plain(url: &Url) -> Source {
    Source::Url(url.without_secrets())
}

/// Reports that a file of this machine is not there.
pub(super) fn not_there(at: &Url) -> Diagnostic {
    Diagnostic::new(Code::Io, format!("`{at}` is not there"))
}

fn file_path(url: &Url) -> Result<std::path::PathBuf, Diagnostic> {
    url.to_file_path().ok_or_else(|| Diagnostic::new(Code::Recipe, format!("`{url}` names no file")))
}

fn sibling(url: &Url, name: &str) -> Result<Url, Diagnostic> {
    url.sibling(name)
        .map_err(|error| Diagnostic::new(Code::Recipe, format!("`{url}` has no sibling `{name}`")).cause(error))
}

fn without_https(url: &Url) -> Diagnostic {
    Diagnostic::new(Code::Usage, format!("`{url}` is asked without https"))
        .note("whoever sits on the way could name any image; nothing was pinned")
        .hint("write the https address, or pin the digest in the recipe: `sha256 = \"…\"` in `[base]`")
}

/// A redirect, which nobody signs and whose last hop is some mirror's, chooses no other bytes than the checksums do.
fn two_answers(url: &Url, next: &Url) -> Diagnostic {
    Diagnostic::new(Code::NetProtocol, format!("the checksums of `{url}` are not those of the file it redirects to"))
        .fact("redirect", next)
        .note("nothing was pinned")
        .hint("the publisher may be changing it just now: try again later, or name the immutable file in the recipe")
}

/// Takes away the hint of a failed build: here, `update` is what runs.
fn unhelpful(mut problem: Diagnostic) -> Diagnostic {
    if fetch::is_absent(&problem) {
        problem.hint = None;
    }
    problem
}

fn with_from(problem: Diagnostic, from: &str) -> Diagnostic {
    if problem.url.is_some() { problem } else { problem.url(from) }
}

/// Reports several failures under the one that weighs most; a file that a place lacks is the least that can be wrong.
fn together(mut failures: Vec<Diagnostic>, absent: Vec<Diagnostic>, url: &Url) -> Diagnostic {
    failures.sort_by_key(|failure| (failure.code == Code::Io, !failure.code.as_str().starts_with("E_SIG_")));
    let all = failures.into_iter().chain(absent);
    let problem = all
        .reduce(|first, next| first.cause(next))
        .unwrap_or_else(|| Diagnostic::new(Code::Bug, format!("no place to ask for `{url}`")));
    if problem.code == Code::Offline { offline(problem, url) } else { problem }
}

/// To ask is to go online; the hint of a build, that later runs find it in the store, would be no help.
fn offline(mut problem: Diagnostic, url: &Url) -> Diagnostic {
    let name = one_line(url.file_name(), 200);
    problem.headline = format!("`{name}` is asked from its publisher, and `--offline` forbids it");
    problem.note("no lock was changed; a build needs only what is pinned").hint("update without `--offline`")
}
