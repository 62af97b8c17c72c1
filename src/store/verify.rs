//! `store verify`: hashes every object again. Touches `objects-v1`, `stamps-v1`, `quarantine`. Read next: `super::gc`.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use super::{OBJECTS, Store, fail};
use crate::base::{ByteSize, Digest, Event, Problem};
use crate::stream::HashingReader;

const WHAT: &str = "store";
/// How often progress is told.
const PACE: Duration = Duration::from_millis(250);

/// What [`Store::verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// How many objects were hashed, the damaged ones too.
    pub objects: usize,
    /// Their size together.
    pub size: ByteSize,
    /// Which were damaged, in order; they are in quarantine now.
    pub damaged: Vec<Digest>,
}

struct Tally<'a, 'e> {
    store: &'a Store<'e>,
    report: Mutex<(VerifyReport, Instant)>,
}

impl Store<'_> {
    /// Hashes every object again, stamps notwithstanding, on all cores; what is damaged goes to quarantine.
    pub fn verify(&self) -> Result<VerifyReport, Problem> {
        let objects = self.list_objects()?;
        (self.events)(Event::Started { what: WHAT.into(), total: None });
        let tally = Tally { store: self, report: Mutex::new((VerifyReport::default(), Instant::now())) };
        let next = AtomicUsize::new(0);
        let cores = std::thread::available_parallelism().map_or(1, usize::from).min(objects.len());
        let results: Vec<_> = std::thread::scope(|scope| {
            let work = || {
                while let Some(digest) = objects.get(next.fetch_add(1, Ordering::Relaxed)) {
                    tally.check(digest)?;
                }
                Ok(())
            };
            // This thread works too: a system that gives no other only takes longer.
            let begin = |_| std::thread::Builder::new().spawn_scoped(scope, work).ok();
            let threads: Vec<_> = (1..cores).filter_map(begin).collect();
            let mine = work();
            threads.into_iter().map(ScopedJoinHandle::join).chain([Ok(mine)]).collect()
        });
        (self.events)(Event::Finished { what: WHAT.into() });
        for result in results {
            result.unwrap_or_else(|_| Err(Problem::new(crate::base::Code::Bug, "a verifying thread died")))?;
        }
        let mut report = tally.report.into_inner().map(|(report, _)| report).unwrap_or_default();
        report.damaged.sort();
        Ok(report)
    }

    /// Lists the digests under which files stand, in order; names that are none are passed over.
    pub(super) fn list_objects(&self) -> Result<Vec<Digest>, Problem> {
        let told = |error: io::Error| fail::read("cannot list the store's objects", self.dir(), &error);
        let mut digests = Vec::new();
        for first in absent_is_empty(self.tree.list(OBJECTS)).map_err(told)? {
            let names = match self.tree.list(Path::new(OBJECTS).join(&first)) {
                Err(error) if super::object::is_planted(&error) => continue,
                other => absent_is_empty(other).map_err(told)?,
            };
            let whole = |rest: &std::ffi::OsString| Some(format!("{}{}", first.to_str()?, rest.to_str()?));
            let shown = names.iter().filter_map(whole).filter(|_| first.len() == 2);
            digests.extend(shown.filter_map(|digits| Digest::parse(&digits).ok()));
        }
        Ok(digests)
    }
}

/// Takes a directory that is not there for an empty one.
pub(super) fn absent_is_empty<T>(listed: io::Result<Vec<T>>) -> io::Result<Vec<T>> {
    match listed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other,
    }
}

impl Tally<'_, '_> {
    fn check(&self, digest: &Digest) -> Result<(), Problem> {
        let found = self.store.open_named(digest)?;
        let Some((file, metadata)) = found else {
            self.count(Some(digest));
            return Ok(());
        };
        let mut reader = HashingReader::new(file);
        let mut buffer = vec![0; 256 << 10];
        loop {
            match reader.read(&mut buffer).map_err(|error| self.store.unreadable(digest, &error))? {
                0 => break,
                count => self.progress(count as u64),
            }
        }
        let (_, found, size) = reader.finish();
        let is_right = found == *digest;
        if is_right {
            self.store.stamp(digest, &metadata);
        } else {
            self.store.condemn(digest, Some(&metadata), &format!("sha256:{found}, {size} bytes"));
        }
        self.count((!is_right).then_some(digest));
        Ok(())
    }

    fn progress(&self, count: u64) {
        let Ok(mut report) = self.report.lock() else { return };
        report.0.size.0 += count;
        if report.1.elapsed() >= PACE {
            report.1 = Instant::now();
            (self.store.events)(Event::Progress { what: WHAT.into(), done: report.0.size });
        }
    }

    fn count(&self, damaged: Option<&Digest>) {
        if let Ok(mut report) = self.report.lock() {
            report.0.objects += 1;
            report.0.damaged.extend(damaged);
        }
    }
}
