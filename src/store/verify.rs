//! `store verify`: hashes every object and every file of a bundle again, and reads every record. Touches `objects-v1`,
//! `bundles-v1`, `stamps-v1`, `quarantine`. Read next: `super::repair`, which mends what was found.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use super::bundle::BundleFile;
use super::fail;
use super::handle::Store;
use super::layout::{BUNDLES, OBJECTS, REALISATIONS, STAMPS, object_name};
use super::root::Root;
use crate::base::{ByteSize, Code, DerivationId, Diagnostic, Digest, Event, text::one_line};
use crate::fs::tree::{absent_is_empty, is_planted};
use crate::stream::HashingReader;

const WHAT: &str = "store";
/// How often progress is told.
const PACE: Duration = Duration::from_millis(250);

/// What [`Store::verify_and`] found, and what [`Repair::Yes`] did about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct VerifyReport {
    /// How many objects were hashed, the damaged ones too.
    pub objects: usize,
    /// What was hashed: the objects, and the files of bundles that are not links to them.
    #[serde(rename = "bytes")]
    pub size: ByteSize,
    /// Which objects were damaged, in order; they are in quarantine now.
    pub damaged: Vec<Digest>,
    /// Objects that a record names and that are not there, in order.
    pub lost: Vec<Digest>,
    /// How many bundles were looked through.
    pub bundles: usize,
    /// Which were damaged; they are in quarantine now.
    pub damaged_bundles: Vec<DamagedBundle>,
    /// Bundles whose record is lost, so that the store does not know what they shall hold.
    #[serde(skip)]
    pub unrecorded: Vec<String>,
    /// How many realisations and roots were read.
    pub records: usize,
    /// Those that are garbled, or name what is not there.
    pub bad_records: Vec<BadRecord>,
    /// What was mended.
    pub healed: Vec<RepairOutcome>,
    /// Roots that still lack something, which the next build, fetch or import brings.
    pub wanting: Vec<Root>,
}

/// A bundle that is not what was published.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub(crate) struct DamagedBundle {
    /// Its directory's name: `<plan id>-<name>`.
    pub name: String,
    /// The first file that is missing, new or wrong.
    pub file: String,
}

/// A small file of the store that says nothing, or nothing true.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub(crate) struct BadRecord {
    /// Its path beneath the store.
    pub name: String,
    #[serde(rename = "flaw")]
    pub what: Damage,
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Damage {
    Garbled,
    /// It names an object that is not there.
    #[serde(rename = "names what is not there")]
    Dangling,
    /// A root that cannot be read: nobody knows what it keeps, and nothing can be collected.
    #[serde(rename = "garbled root")]
    GarbledRoot,
}

/// One thing that was mended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RepairOutcome {
    /// An object has its name again, from a good copy in a bundle.
    Object(Digest),
    /// A bundle was put together again from what is good.
    Bundle(String),
    /// A record that was of no use is gone.
    Record(String),
}

/// Whether [`Store::verify_and`] mends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repair {
    No,
    Yes,
}

impl VerifyReport {
    /// Returns whether anything was found wrong.
    pub(crate) fn is_clean(&self) -> bool {
        self.damaged.is_empty()
            && self.lost.is_empty()
            && self.damaged_bundles.is_empty()
            && self.bad_records.is_empty()
            && self.wanting.is_empty()
    }

    /// Returns whether the store is in order now: nothing is wrong in it any more, and no root lacks anything.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_clean() || (self.wanting.is_empty() && self.unhealed().is_empty())
    }

    /// Lists what could not be mended here; where no root wants it, it is only missing.
    pub(crate) fn unhealed(&self) -> Vec<&BadRecord> {
        let gone =
            |name: &str| self.healed.iter().any(|healed| matches!(healed, RepairOutcome::Record(path) if path == name));
        self.bad_records.iter().filter(|record| !gone(&record.name)).collect()
    }
}

/// Where good bytes lie, beneath the store.
pub(super) type Good = BTreeMap<Digest, PathBuf>;

/// Bundles with a record, and what it says.
pub(super) type Recorded = Vec<(String, Vec<BundleFile>)>;

impl Store<'_> {
    /// Hashes every object and bundle again, stamps notwithstanding, and quarantines what is damaged; on request repairs what can
    /// be repaired without bringing anything from outside.
    ///
    /// Nobody's origin is recorded in the store: what is gone for good comes back by the build, fetch or import that
    /// wants it.
    pub(crate) fn verify_and(&self, repair: Repair) -> Result<VerifyReport, Diagnostic> {
        if repair == Repair::Yes {
            self.check_writable()?;
        }
        self.tree.be_quiet();
        // What was hashed here once.
        let stamped = self.digests_in(STAMPS)?;
        let (bundles, unrecorded) = self.recorded_bundles()?;
        let (mut report, good) = self.hash_all(&bundles)?;
        report.unrecorded = unrecorded;
        report.bundles = bundles.len() + report.unrecorded.len();
        self.judge_records(&mut report)?;
        let lost = stamped.into_iter().filter(|digest| self.tree.look(object_name(digest)).is_err());
        let lost: BTreeSet<_> = lost.chain(report.lost.iter().copied()).collect();
        report.lost = lost.into_iter().filter(|digest| !report.damaged.contains(digest)).collect();
        self.settle(&bundles, good, repair, &mut report)?;
        report.wanting = self.wanting(&report)?;
        Ok(report)
    }

    fn recorded_bundles(&self) -> Result<(Recorded, Vec<String>), Diagnostic> {
        let (mut recorded, mut unrecorded) = (vec![], vec![]);
        for name in self.bundle_names()? {
            match self.bundle_record(&name) {
                Some(files) => recorded.push((name, files)),
                None => unrecorded.push(name),
            }
        }
        Ok((recorded, unrecorded))
    }

    fn hash_all(&self, bundles: &Recorded) -> Result<(VerifyReport, Good), Diagnostic> {
        let work = self.work(bundles)?;
        let total = work.iter().map(|item| item.size).sum();
        (self.events)(Event::Started { what: WHAT.into(), total: Some(ByteSize(total)) });
        let verifier = Verifier { store: self, state: Mutex::new(State::default()) };
        let result = verifier.run(&work);
        (self.events)(Event::Finished { what: WHAT.into() });
        result?;
        let State { mut report, good, right, .. } = verifier.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        report.damaged.sort();
        for (name, files) in bundles {
            if let Some(file) = self.first_wrong(name, files, &right) {
                report.damaged_bundles.push(DamagedBundle { name: name.clone(), file });
            }
        }
        Ok((report, good))
    }

    /// Lists what is to be hashed, the largest first, so that no core is left with it at the end.
    fn work(&self, bundles: &Recorded) -> Result<Vec<Item>, Diagnostic> {
        let mut work = vec![];
        let mut seen = BTreeSet::new();
        for digest in self.list_objects()? {
            let found = self.tree.look(object_name(&digest)).ok();
            if let Some(found) = &found {
                seen.insert((found.ino(), digest));
            }
            work.push(Item { digest, size: found.map_or(0, |found| found.len()), place: None });
        }
        for (name, files) in bundles {
            for file in files {
                let place = Path::new(BUNDLES).join(name).join(&file.file_name);
                // A hard link to an object is hashed with it.
                if let Ok(found) = self.tree.look(&place)
                    && found.is_file()
                    && found.len() == file.size
                    && seen.insert((found.ino(), file.digest))
                {
                    work.push(Item { digest: file.digest, size: file.size, place: Some(place) });
                }
            }
        }
        work.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.digest.cmp(&b.digest)));
        Ok(work)
    }

    /// Returns the first file of a bundle that is missing, new, or of other bytes than published.
    fn first_wrong(&self, name: &str, files: &[BundleFile], right: &BTreeSet<(u64, Digest)>) -> Option<String> {
        let Ok(dir) = self.tree.sub(Path::new(BUNDLES).join(name)) else { return Some(".".into()) };
        let names = dir.list(".").unwrap_or_default();
        let is_right = |file: &BundleFile| {
            dir.look(&file.file_name).is_ok_and(|found| found.is_file() && right.contains(&(found.ino(), file.digest)))
        };
        let wrong = files.iter().find(|file| !is_right(file)).map(|file| file.file_name.clone());
        let is_new = |name: &&std::ffi::OsString| !files.iter().any(|file| **name == *file.file_name);
        wrong.or_else(|| names.iter().find(is_new).map(|name| one_line(&name.to_string_lossy(), 100)))
    }

    /// Reads realisations and roots.
    fn judge_records(&self, report: &mut VerifyReport) -> Result<(), Diagnostic> {
        for id in self.digests_in(REALISATIONS)?.into_iter().map(DerivationId) {
            report.records += 1;
            let what = match self.recorded(&id) {
                None => Damage::Garbled,
                Some((digest, _)) if self.tree.look(object_name(&digest)).is_err() => {
                    report.lost.push(digest);
                    Damage::Dangling
                }
                Some(_) => continue,
            };
            report.bad_records.push(BadRecord { name: format!("{REALISATIONS}/{id}"), what });
        }
        for listed in self.list_roots()? {
            report.records += 1;
            if listed.root.is_none() {
                let name = format!("{}/{}", super::layout::ROOTS, listed.file_name);
                report.bad_records.push(BadRecord { name, what: Damage::GarbledRoot });
            }
        }
        Ok(())
    }

    /// Lists the roots whose bundle is not there, or that keep an object that is lost.
    fn wanting(&self, report: &VerifyReport) -> Result<Vec<Root>, Diagnostic> {
        let is_gone = |digest: &Digest| self.tree.look(object_name(digest)).is_err();
        let gone: BTreeSet<_> = report.lost.iter().chain(&report.damaged).filter(|digest| is_gone(digest)).collect();
        let lacks = |root: &Root| {
            let bundle = root.bundle.as_ref();
            let has_bundle = bundle.is_none_or(|name| self.tree.look(Path::new(BUNDLES).join(name)).is_ok());
            // A bundle that is whole needs its objects only to be built again.
            !has_bundle || root.objects.iter().any(|digest| gone.contains(digest))
        };
        let roots = self.list_roots()?.into_iter().filter(|listed| listed.state != super::root::State::Dead);
        Ok(roots.filter_map(|listed| listed.root).filter(lacks).collect())
    }

    /// Lists the digests under which files stand, in order; names that are none are passed over.
    pub(super) fn list_objects(&self) -> Result<Vec<Digest>, Diagnostic> {
        let told = |error: io::Error| fail::read("cannot list the store's objects", self.dir(), &error);
        let mut digests = Vec::new();
        for first in absent_is_empty(self.tree.list(OBJECTS)).map_err(told)? {
            let names = match self.tree.list(Path::new(OBJECTS).join(&first)) {
                Err(error) if is_planted(&error) => continue,
                other => absent_is_empty(other).map_err(told)?,
            };
            let whole = |rest: &std::ffi::OsString| Some(format!("{}{}", first.to_str()?, rest.to_str()?));
            let shown = names.iter().filter_map(whole).filter(|_| first.len() == 2);
            digests.extend(shown.filter_map(|digits| Digest::parse(&digits).ok()));
        }
        Ok(digests)
    }
}

/// One file to be hashed.
struct Item {
    digest: Digest,
    size: u64,
    /// Where it lies in a bundle; an object lies under its digest.
    place: Option<PathBuf>,
}

#[derive(Default)]
struct State {
    report: VerifyReport,
    good: Good,
    /// Inodes that hold these bytes.
    right: BTreeSet<(u64, Digest)>,
    told: Option<Instant>,
}

struct Verifier<'a, 'e> {
    store: &'a Store<'e>,
    state: Mutex<State>,
}

impl Verifier<'_, '_> {
    fn run(&self, work: &[Item]) -> Result<(), Diagnostic> {
        let next = AtomicUsize::new(0);
        let cores = std::thread::available_parallelism().map_or(1, usize::from).min(work.len());
        let results: Vec<_> = std::thread::scope(|scope| {
            let work = || {
                while let Some(item) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    self.check(item)?;
                }
                Ok(())
            };
            // This thread works too: a system that gives no other only takes longer.
            let begin = |_| std::thread::Builder::new().spawn_scoped(scope, work).ok();
            let threads: Vec<_> = (1..cores).filter_map(begin).collect();
            let mine = work();
            threads.into_iter().map(ScopedJoinHandle::join).chain([Ok(mine)]).collect()
        });
        let died = |_| Err(Diagnostic::new(Code::Bug, "a verifying thread panicked"));
        results.into_iter().try_for_each(|result| result.unwrap_or_else(died))
    }

    fn check(&self, item: &Item) -> Result<(), Diagnostic> {
        match &item.place {
            None => self.check_object(&item.digest),
            Some(place) => {
                // One that went away or was replaced since is simply not right.
                if let Ok((file, metadata)) = self.store.tree.regular(place)
                    && self.hash(&item.digest, file)? == (item.digest, item.size)
                {
                    self.with(|state| {
                        state.right.insert((metadata.ino(), item.digest));
                        state.good.entry(item.digest).or_insert_with(|| place.clone());
                    });
                }
                Ok(())
            }
        }
    }

    fn check_object(&self, digest: &Digest) -> Result<(), Diagnostic> {
        let Some((file, metadata)) = self.store.open_named(digest)? else {
            self.with(|state| state.report.damaged.push(*digest));
            self.with(|state| state.report.objects += 1);
            return Ok(());
        };
        let (found, size) = self.hash(digest, file)?;
        if found == *digest {
            self.store.stamp(digest, &metadata);
            self.with(|state| state.add(digest, &metadata));
        } else {
            self.store.quarantine_object(digest, Some(&metadata), &format!("sha256:{found}, {size} bytes"));
            self.with(|state| state.report.damaged.push(*digest));
        }
        self.with(|state| state.report.objects += 1);
        Ok(())
    }

    fn hash(&self, digest: &Digest, file: File) -> Result<(Digest, u64), Diagnostic> {
        let mut reader = HashingReader::new(file);
        let mut buffer = vec![0; 256 << 10];
        loop {
            match reader.read(&mut buffer).map_err(|error| self.store.unreadable(digest, &error))? {
                0 => break,
                count => self.progress(count as u64),
            }
        }
        let (_, found, size) = reader.finish();
        Ok((found, size))
    }

    fn progress(&self, count: u64) {
        let done = self.with(|state| {
            state.report.size.0 += count;
            let is_due = state.told.is_none_or(|told| told.elapsed() >= PACE);
            is_due.then(|| (state.told = Some(Instant::now()), state.report.size).1)
        });
        if let Some(done) = done {
            (self.store.events)(Event::Progress { what: WHAT.into(), done });
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn add(&mut self, digest: &Digest, metadata: &Metadata) {
        self.right.insert((metadata.ino(), *digest));
        self.good.insert(*digest, object_name(digest));
    }
}
