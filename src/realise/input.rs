//! How the bytes of a fixed-output derivation are brought: from the store, the plan, a file, or the network.

use std::collections::{BTreeSet, VecDeque};
use std::io::Read;

use super::context::{BuildContext, BuildStats, named};
use super::gate::gate;
use super::scheduler::Scheduler;
use crate::base::{BaseKind, ByteSize, Code, Diagnostic, Digest, Event, Kind, Url};
use crate::fetch::{Bounds, is_absent};
use crate::host::files;
use crate::plan::{Derivation, Origin};
use crate::recipe::Source;
use crate::store::{DownloadLock, Partial, StoreObject};
use crate::stream::{Progress, Sink, read_full};

const REUSED: BuildStats = BuildStats { reused: 1, built: 0, fetched: 0, fetched_bytes: 0 };

impl Scheduler<'_> {
    /// Brings a fixed output, unless the store has it.
    pub(super) fn bring(
        &self,
        derivation: &Derivation,
        digest: &Digest,
    ) -> Result<(StoreObject, BuildStats), Diagnostic> {
        let origin = self
            .plan
            .origins
            .get(&derivation.id)
            .ok_or_else(|| Diagnostic::new(Code::Bug, format!("`{}` has no origin", derivation.title)))?;
        let BuildContext { store, events, .. } = self.context;
        if let Origin::Text(content) = origin {
            // Also where the store has it: an object that turns out to hold provisioning becomes private.
            return Ok((store.put(content.expose(), self.privacy(&derivation.id))?, BuildStats::default()));
        }
        if let Some(object) = store.find(digest)? {
            length_again(&object, origin, derivation)?;
            gate_again(self.context, &object, origin)?;
            events(Event::Reused { what: derivation.title.clone(), digest: *digest });
            return Ok((object, REUSED));
        }
        match origin {
            Origin::Pinned { sources, size, gate, metalink } => {
                let job = Job { what: &derivation.title, digest, size: *size, gate: *gate };
                // Of several inputs the caller wants to know which; the base is the usual one.
                self.bring_pinned(&job, sources, metalink.as_ref()).map_err(|problem| match job.what {
                    "base" => problem,
                    title => problem.input(title),
                })
            }
            Origin::Beside { path, size } => {
                let mut writer = store.create(self.privacy(&derivation.id), Some(size.0))?;
                let mut reader = self.context.beside.reader(path.as_str())?;
                std::io::copy(&mut reader, &mut writer)
                    .map_err(|error| Diagnostic::io(format!("cannot read `{}`", path.as_str()), &error))?;
                Ok((writer.finish(Some((digest, Some(size.0))), None)?, BuildStats::default()))
            }
            Origin::Text(_) => Err(Diagnostic::new(Code::Bug, "text is put, not brought")),
        }
    }

    /// Tries one address after the other, at last the mirrors that the publisher lists.
    fn bring_pinned(
        &self,
        job: &Job<'_>,
        sources: &[Source],
        mut list: Option<&Url>,
    ) -> Result<(StoreObject, BuildStats), Diagnostic> {
        let mut failures: Vec<Diagnostic> = vec![];
        let mut tried = vec![];
        let mut places: VecDeque<_> = sources.iter().flat_map(|source| (self.context.rewrite)(source)).collect();
        while let Some(source) = places.pop_front() {
            let failure = match self.bring_from(job, &source) {
                Err(failure) if !is_final(&failure) => failure,
                ended => return ended,
            };
            tried.push(source);
            if places.is_empty()
                && let Some(list) = list.take()
            {
                places.extend(self.mirrors(job, sources, list).into_iter().filter(|place| !tried.contains(place)));
            }
            if !places.is_empty() && failure.kind != Some(Kind::Repeated) {
                let text = format!("{}{}; trying the next address", told(&failure, job), from(&failure));
                (self.context.events)(Event::Warning { text });
            }
            failures.push(failure);
        }
        Err(all_failed(failures, job))
    }

    /// Brings an input from one address; a kept part that turns out wrong gets one fresh try.
    fn bring_from(&self, job: &Job<'_>, source: &Source) -> Result<(StoreObject, BuildStats), Diagnostic> {
        match self.try_from(job, source) {
            Err((failure, true)) if failure.code == Code::Hash => {
                self.try_from(job, source).map_err(|(failure, _)| failure)
            }
            tried => tried.map_err(|(failure, _)| failure),
        }
    }

    /// Transfers, compares, gates and publishes; a failure comes with whether a part of an earlier run was in it.
    fn try_from(&self, job: &Job<'_>, source: &Source) -> Result<(StoreObject, BuildStats), (Diagnostic, bool)> {
        let fresh = |problem| (problem, false);
        let mut partial = match self.context.store.lock_download(job.digest, job.what).map_err(fresh)? {
            DownloadLock::Ready(object) => return Ok((object, REUSED)),
            DownloadLock::Ours(partial) => partial,
        };
        let resumed = partial.is_resumed();
        let told = |problem| (problem, resumed);
        partial.set_cap(job.cap(self.context)).map_err(told)?;
        if let Some(size) = job.size {
            partial.reserve(size.0).map_err(told)?;
        }
        let Brought { from, received, coding } = self.transfer(job, source, &mut partial).map_err(told)?;
        let mut gate = |file: &mut std::fs::File, _: u64| gate(file, job.gate);
        let finished = partial.finish(job.size.map(|size| size.0), Some(&mut gate));
        let object = finished.map_err(|problem| told(came(problem, job.what, &from, coding)))?;
        let size = ByteSize(object.size());
        (self.context.events)(Event::Fetched { what: job.what.to_owned(), from, size });
        Ok((object, BuildStats { fetched: 1, fetched_bytes: received, ..BuildStats::default() }))
    }

    /// Streams one source into the partial object.
    fn transfer(&self, job: &Job<'_>, source: &Source, partial: &mut Partial<'_, '_>) -> Result<Brought, Diagnostic> {
        match source {
            Source::Url(url) if url.is_remote() => {
                let bounds = Bounds { size: job.size.map(|size| size.0), cap: job.cap(self.context) };
                let arrived = self.context.fetch.download(job.what, url, &bounds, partial, self.context.events)?;
                let (from, coding) = (arrived.from.to_string(), arrived.content_encoding);
                Ok(Brought { from, received: arrived.received, coding })
            }
            Source::Url(url) => {
                let mut file = files::open(&file_path(url)?)?;
                self.copy(job, &mut file, partial, url.to_string())
            }
            Source::Path(path) => {
                let mut file = self.context.beside.reader(path.as_str())?;
                self.copy(job, &mut *file, partial, path.as_str().to_owned())
            }
        }
    }

    /// Copies a local file from its beginning; the cap of the sink bounds it.
    fn copy(
        &self,
        job: &Job<'_>,
        reader: &mut dyn Read,
        partial: &mut Partial<'_, '_>,
        from: String,
    ) -> Result<Brought, Diagnostic> {
        partial.restart()?;
        let progress = Progress::new(job.what, job.size.map(|size| size.0), self.context.events);
        let mut buffer = vec![0; 256 << 10];
        loop {
            let count = read_full(reader, &mut buffer)
                .map_err(|error| Diagnostic::io(format!("cannot read the source of `{}`", job.what), &error))?;
            if count == 0 {
                break;
            }
            partial.append(&buffer[..count]).map_err(|problem| problem.url(&from))?;
            progress.at(partial.position());
        }
        Ok(Brought { from, received: partial.position(), coding: None })
    }
}

/// What one pinned input is.
pub(super) struct Job<'a> {
    pub what: &'a str,
    pub digest: &'a Digest,
    pub size: Option<ByteSize>,
    pub gate: Option<BaseKind>,
}

/// What one transfer did.
struct Brought {
    /// Where the bytes came from, for people.
    from: String,
    /// How many came now.
    received: u64,
    /// The coding that the server claimed without being asked.
    coding: Option<String>,
}

/// Adds to a mismatch where the bytes came from, and the coding that may be why they are others.
fn came(mut problem: Diagnostic, what: &str, from: &str, coding: Option<String>) -> Diagnostic {
    if problem.code == Code::Hash {
        problem.headline = format!("`{what}` is not what was pinned");
        problem.input = Some(what.to_owned());
    }
    let problem = problem.url(from);
    match coding {
        Some(coding) => problem.cause(format!("the server says that it sent them encoded: {coding}")),
        None => problem,
    }
}

impl Job<'_> {
    fn cap(&self, context: &BuildContext<'_>) -> u64 {
        self.size.unwrap_or(context.largest).0
    }
}

/// Returns whether the pinned bytes came, and are not an image that may be used: everywhere else they are the same.
fn is_refused(failure: &Diagnostic) -> bool {
    matches!(
        failure.code,
        Code::ImageFormat
            | Code::ImageBacking
            | Code::ImageDataFile
            | Code::ImageFeature
            | Code::ImageDirty
            | Code::ImageLimit
    )
}

/// Returns whether another address cannot help.
fn is_final(failure: &Diagnostic) -> bool {
    matches!(
        failure.code,
        Code::NoSpace | Code::CacheReadOnly | Code::CachePerm | Code::CacheLock | Code::Interrupted | Code::Bug
    ) || is_refused(failure)
}

/// Returns the path a file URL names.
pub(super) fn file_path(url: &Url) -> Result<std::path::PathBuf, Diagnostic> {
    url.to_file_path().ok_or_else(|| {
        Diagnostic::new(Code::Recipe, format!("`{url}` names no file")).hint("write file:///absolute/path")
    })
}

/// A plan is made from the pinned size, so a wrong one must not pass only because the bytes were there already.
fn length_again(object: &StoreObject, origin: &Origin, derivation: &Derivation) -> Result<(), Diagnostic> {
    match origin {
        Origin::Pinned { size: Some(size), gate: None, .. } if size.0 != object.size() => {
            Err(Diagnostic::new(Code::Hash, format!("`{}` is not as long as its pin says", derivation.title))
                .fact("expected", size.exact())
                .fact("received", ByteSize(object.size()).exact())
                .input(&derivation.title)
                .note("the digest is right, so `size` is wrong"))
        }
        _ => Ok(()),
    }
}

/// An object may have come into the store as something else; as a base it passes the gate each time.
fn gate_again(context: &BuildContext<'_>, object: &StoreObject, origin: &Origin) -> Result<(), Diagnostic> {
    match origin {
        Origin::Pinned { gate: kind, .. } => gate(&mut context.store.open_object(object)?, *kind),
        Origin::Beside { .. } | Origin::Text(_) => Ok(()),
    }
}

/// Reports one failure as it is, several together under the worst of them.
fn all_failed(mut failures: Vec<Diagnostic>, job: &Job<'_>) -> Diagnostic {
    if failures.len() == 1 {
        return failures.remove(0);
    }
    // A file that a mirror directory lacks is the least that can be wrong.
    let worst = failures.iter().find(|failure| failure.code == Code::Hash);
    let is_least = |failure: &&Diagnostic| matches!(failure.code, Code::Io | Code::Usage);
    let worst = worst.or_else(|| failures.iter().find(|failure| !is_least(failure))).or(failures.first());
    let Some(worst) = worst else {
        return Diagnostic::new(Code::Bug, format!("`{}` has no address", job.what));
    };
    let mut problem = Diagnostic::new(worst.code, format!("no address gave the pinned bytes of `{}`", job.what))
        .fact("expected", named(job.digest))
        .fact("received", received(&failures));
    // That a place has lost the file is worth the help, whatever keeps the others from saying so.
    let helpful = failures.iter().find(|failure| is_absent(failure)).unwrap_or(worst);
    problem.kind = helpful.kind;
    problem.hint.clone_from(&helpful.hint);
    let problem =
        failures.iter().fold(problem, |problem, failure| problem.cause(format!("{failure}{}", from(failure))));
    problem.note("nothing was added to the store")
}

/// Tells what came in place of the pinned bytes, each once.
fn received(failures: &[Diagnostic]) -> String {
    let facts = failures.iter().flat_map(|failure| &failure.facts).filter(|(label, _)| *label == "received");
    let values: BTreeSet<_> = facts.map(|(_, value)| value.as_str()).collect();
    if values.is_empty() { "nothing".to_owned() } else { values.into_iter().collect::<Vec<_>>().join("; ") }
}

/// Words a failure by its headline, with what it was about where that is not in it.
fn told(failure: &Diagnostic, job: &Job<'_>) -> String {
    match &failure.input {
        Some(_) => failure.headline.clone(),
        None => format!("`{}`: {}", job.what, failure.headline),
    }
}

/// Shows where a failure came from, in brackets.
fn from(failure: &Diagnostic) -> String {
    failure.url.as_ref().map(|url| format!(" ({url})")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_failures_of_several_places_are_told_with_all_that_helps() {
        let of = |code, facts: &[(&'static str, &str)]| {
            facts.iter().fold(Diagnostic::new(code, "x"), |problem, (label, value)| problem.fact(label, value))
        };
        let absent = || of(Code::NetStatus, &[]).kind(Kind::AbsentOnServer).hint("pins the current one");
        let (dead, nowhere) = (|| of(Code::NetConnect, &[]).hint("connect"), || of(Code::NetDns, &[]));
        let wrong = |bytes| of(Code::Hash, &[("expected", "a"), ("received", bytes)]);
        let digest = Digest::of(b"a");
        let job = Job { what: "base", digest: &digest, size: None, gate: None };
        for (failures, code, is_absent, received) in [
            (vec![absent(), dead()], Code::NetStatus, true, "nothing"),
            (vec![dead(), absent()], Code::NetConnect, true, "nothing"),
            (vec![nowhere(), absent(), dead()], Code::NetDns, true, "nothing"),
            (vec![of(Code::Usage, &[]), nowhere()], Code::NetDns, false, "nothing"),
            (vec![nowhere(), wrong("b"), absent()], Code::Hash, true, "b"),
            (vec![wrong("b"), wrong("c"), wrong("b")], Code::Hash, false, "b; c"),
        ] {
            let shown = format!("{failures:?}");
            let problem = all_failed(failures, &job);
            assert_eq!((problem.code, problem.kind == Some(Kind::AbsentOnServer)), (code, is_absent), "{shown}");
            assert_eq!(problem.hint.as_deref() == Some("pins the current one"), is_absent, "{shown}");
            let told: Vec<_> = problem.facts.iter().map(|(label, value)| (*label, value.as_str())).collect();
            assert_eq!(told, [("expected", named(&digest).as_str()), ("received", received)], "{shown}");
        }
    }
}
