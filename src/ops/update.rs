//! `update`: ask the publisher what the moving names stand for today, and write the pins down.

use std::path::{Path, PathBuf};

use super::{Loaded, Session, metalink, recipe_file};
use crate::base::{ByteSize, Code, Digest, Event, Problem, Problems, Url};
use crate::fetch::Fetch;
use crate::host::files;
use crate::lock::{self, Lock, Mirrors, Pin, Question};
use crate::recipe::Source;

/// The most a `.sha256` file may hold.
const SIDECAR_LIMIT: u64 = 64 << 10;

/// How one input's pin came out.
#[derive(Debug)]
pub struct Updated {
    pub key: String,
    pub before: Option<Pin>,
    pub after: Pin,
}

/// What an update did.
#[derive(Debug)]
pub struct Outcome {
    pub pins: Vec<Updated>,
    /// Locks that were written, or would be.
    pub written: Vec<PathBuf>,
    /// Recipes that carry their own pin and were left alone.
    pub pinned_themselves: Vec<String>,
}

/// Asks for every input that the recipes leave to the lock, then writes each lock once, whole.
pub fn update(session: &Session<'_>, recipes: &[PathBuf], is_dry_run: bool) -> Result<Outcome, Problems> {
    let mirrors = session.mirrors()?;
    let fetch = session.fetcher();
    let mut outcome = Outcome { pins: vec![], written: vec![], pinned_themselves: vec![] };
    let mut locks: Vec<Learnt> = vec![];
    for path in recipes {
        let loaded = Loaded::read(session, path)?;
        let questions = lock::questions(&loaded.recipe);
        let Some(lock_path) = loaded.lock_path.clone().filter(|_| !questions.is_empty()) else {
            outcome.pinned_themselves.push(loaded.recipe.file.clone());
            continue;
        };
        let asked = Asker { session, fetch: fetch.as_ref(), mirrors: &mirrors, loaded: &loaded };
        let learnt = learnt(&mut locks, lock_path);
        for question in questions {
            outcome.pins.extend(learnt.ask(question, &asked)?);
        }
    }
    for learnt in &locks {
        if learnt.write(is_dry_run)? {
            outcome.written.push(learnt.path.clone());
        }
    }
    Ok(outcome)
}

/// What was learnt in this run for one lock, which several recipes may share.
struct Learnt {
    path: PathBuf,
    /// The same in its one spelling.
    place: PathBuf,
    /// With the recipe that asked.
    pins: Vec<(Pin, String)>,
}

/// Finds or begins what was learnt for a lock, however its path is spelt.
fn learnt(locks: &mut Vec<Learnt>, path: PathBuf) -> &mut Learnt {
    let place = files::one_spelling(&path);
    let index = locks.iter().position(|learnt| learnt.place == place).unwrap_or(locks.len());
    if index == locks.len() {
        locks.push(Learnt { path, place, pins: vec![] });
    }
    &mut locks[index]
}

impl Learnt {
    /// Asks, unless another recipe of this lock asked the same: twice might be told two answers.
    fn ask(&mut self, question: Question, asker: &Asker<'_>) -> Result<Option<Updated>, Problem> {
        let earlier = self.pins.iter().find(|(pin, _)| pin.url == question.key);
        if earlier.is_some() && matches!(question.source, Source::Url(_)) {
            return Ok(None);
        }
        let after = asker.ask(&question)?;
        let recipe = &asker.loaded.recipe.file;
        match earlier {
            Some((pin, _)) if *pin == after => return Ok(None),
            Some((_, first)) => return Err(two_files(&question.key, &self.path, first, recipe)),
            None => {}
        }
        let before = asker.loaded.lock.pins.get(&question.key).cloned();
        self.pins.push((after.clone(), recipe.clone()));
        Ok(Some(Updated { key: question.key, before, after }))
    }

    /// Adds the pins to the lock as it is now, so that what another process added meanwhile stays; tells of a change.
    fn write(&self, is_dry_run: bool) -> Result<bool, Problems> {
        let old = recipe_file::read_lock(&self.path)?;
        let mut new: Lock = old.clone();
        for (pin, _) in &self.pins {
            new.insert(pin.clone());
        }
        if new == old {
            return Ok(false);
        }
        if !is_dry_run {
            files::write_whole(&self.path, new.print().as_bytes())?;
        }
        Ok(true)
    }
}

/// A lock knows a file beside a recipe by its relative path, so it can serve one directory only.
fn two_files(key: &str, lock: &Path, first: &str, second: &str) -> Problem {
    Problem::new(Code::Usage, format!("`{key}` is two files for one lock"))
        .fact("lock", lock.display())
        .fact("first", first)
        .fact("second", second)
        .note("nothing was pinned")
        .hint("give each recipe a lock of its own, or write `sha256` into `[base]` of one")
}

/// Who asks, and where.
pub(super) struct Asker<'a> {
    pub(super) session: &'a Session<'a>,
    pub(super) fetch: &'a dyn Fetch,
    pub(super) mirrors: &'a Mirrors,
    pub(super) loaded: &'a Loaded,
}

impl Asker<'_> {
    /// Finds out what an input is today.
    pub(super) fn ask(&self, question: &Question) -> Result<Pin, Problem> {
        match &question.source {
            Source::Path(path) => {
                let summary = self.loaded.beside.summarise(path.as_str(), self.session.events)?;
                Ok(pin(question, &question.source, summary.digest, Some(summary.size)))
            }
            Source::Url(url) if !url.is_remote() => {
                let path =
                    url.to_file_path().ok_or_else(|| Problem::new(Code::Recipe, format!("`{url}` names no file")))?;
                let summary = files::summarise(&path, self.session.events)?;
                Ok(pin(question, &Source::Url(url.without_secrets()), summary.digest, Some(summary.size)))
            }
            Source::Url(url) => self.ask_publisher(question, url),
        }
    }

    /// Reads the `.sha256` beside the image; the name in it is the immutable one.
    fn ask_publisher(&self, question: &Question, url: &Url) -> Result<Pin, Problem> {
        let sidecar = self.sibling(url, &format!("{}.sha256", url.file_name()))?;
        let (text, from, place) = self.first_text(&sidecar)?;
        let answer = lock::read_answer(url, &text).map_err(|problem| problem.fact("from", from))?;
        let size = self.size_at(&answer.resolved, place);
        let mut pin = pin(question, &Source::Url(answer.resolved.without_secrets()), answer.digest, size);
        let at = |list: &Url| Session::candidates(self.mirrors, &Source::Url(list.clone())).into_iter().nth(place);
        pin.metalink = metalink::listed(self.fetch, self.session.events, &answer.resolved, at, &pin);
        Ok(pin)
    }

    fn sibling(&self, url: &Url, name: &str) -> Result<Url, Problem> {
        url.sibling(name)
            .map_err(|error| Problem::new(Code::Recipe, format!("`{url}` has no sibling `{name}`")).cause(error))
    }

    /// Asks each place in turn; what a person wrote in `[mirrors]` is trusted as such, the public network only by https.
    ///
    /// Returns the text, where it came from, and which of the places gave it.
    fn first_text(&self, url: &Url) -> Result<(Vec<u8>, String, usize), Problem> {
        let mut failures = vec![];
        for (place, candidate) in Session::candidates(self.mirrors, &Source::Url(url.clone())).iter().enumerate() {
            let answer = match candidate {
                Source::Url(at) if at.is_remote() => self.text(at, at == url),
                Source::Url(at) => read_local(at),
                Source::Path(_) => continue,
            };
            match answer {
                Ok((text, from)) => return Ok((text, from, place)),
                Err(failure) => failures.push(failure),
            }
        }
        // A file that a mirror directory lacks is the least that can be wrong, so it comes last.
        failures.sort_by_key(|failure| failure.code == Code::Io);
        Err(failures
            .into_iter()
            .reduce(|first, next| first.cause(next))
            .unwrap_or_else(|| Problem::new(Code::Bug, format!("no place to ask for `{url}`"))))
    }

    fn text(&self, url: &Url, is_original: bool) -> Result<(Vec<u8>, String), Problem> {
        if is_original && url.scheme() != "https" {
            return Err(Problem::new(Code::Usage, format!("`{url}` is asked without https"))
                .note("whoever sits on the way could name any image; nothing was pinned")
                .hint("write the https address, or pin the digest in the recipe: `sha256 = \"…\"` in `[base]`"));
        }
        let text = self.fetch.text(url.file_name(), url, SIDECAR_LIMIT, self.session.events)?;
        Ok((text.body, text.from.to_string()))
    }

    /// Asks the place that gave the digest for the size; without an answer it stays open, which only loosens the cap.
    ///
    /// No other place is asked: one that holds a cut copy would pin a size that the right bytes never have.
    fn size_at(&self, url: &Url, place: usize) -> Option<ByteSize> {
        let candidates = Session::candidates(self.mirrors, &Source::Url(url.clone()));
        let Some(Source::Url(at)) = candidates.get(place) else { return None };
        if !at.is_remote() {
            return files::open(&at.to_file_path()?).and_then(|file| files::length(&file)).ok().map(ByteSize);
        }
        let told = self.fetch.size(at).unwrap_or_else(|failure| {
            (self.session.events)(Event::Warning { text: format!("the size was not told: {}", failure.headline) });
            None
        });
        told.map(ByteSize)
    }
}

fn read_local(url: &Url) -> Result<(Vec<u8>, String), Problem> {
    let missing = || Problem::new(Code::Io, format!("`{url}` is not there"));
    let path = url.to_file_path().ok_or_else(missing)?;
    let text = files::read_text(Path::new(&path))?.ok_or_else(missing)?;
    Ok((text.into_bytes(), url.to_string()))
}

fn pin(question: &Question, resolved: &Source, sha256: Digest, size: Option<ByteSize>) -> Pin {
    Pin {
        url: question.key.clone(),
        resolved: resolved.clone(),
        sha256,
        size,
        signer: None,
        metalink: None,
        image: lock::ImageFacts::default(),
    }
}
