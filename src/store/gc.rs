//! The collector: removes what no root keeps. Touches everything in the store but `lock`, and looks at the roots' links.
//! Read next: `super::root`.
//!
//! It only ever deletes, and first decides, then acts, so a dry run is the same code less the act. It holds the exclusive
//! lock, so no build that could lock runs; before every removal it looks whether a root was added all the same. What it does
//! not understand it keeps: an unreadable root stops it altogether.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::Metadata;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::handle::Store;
use super::layout::{BUNDLES, QUARANTINE, REALISATIONS, ROOTS, STAMPS, TMP, object_name};
use super::links::LinkCounts;
use super::policy::{Age, EmptyRoots, Moment, Policy};
use super::root::{Root, State};
use super::usage::blocks;
use super::{fail, lock, partial, realisation};
use crate::base::{ByteSize, Code, DerivationId, Diagnostic, Digest, Event, text::one_line};
use crate::fs::temp;
use crate::fs::tree::{absent_is_empty, is_planted};

/// One thing that was removed, or would be.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Removed {
    /// Its path beneath the store.
    pub name: String,
    /// The space that its removal frees; 0 where another name still holds the bytes.
    pub size: ByteSize,
}

/// What [`Store::collect_garbage`] did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct GcReport {
    /// In the order of removal.
    pub removed: Vec<Removed>,
    /// The sizes together.
    pub freed: ByteSize,
    /// How many objects stay.
    #[serde(rename = "kept_objects")]
    pub kept: usize,
    /// Roots kept although their link's directory cannot be seen.
    #[serde(rename = "unknown_roots", serialize_with = "holders")]
    pub unknown: Vec<Root>,
    /// How many roots keep something.
    pub roots: usize,
    /// What the store occupies behind it, about.
    pub left: ByteSize,
    /// Of that, what roots keep.
    pub rooted: ByteSize,
    /// Whether `left` is more than [`Policy::max_size`], though nothing more may go.
    #[serde(skip)]
    pub is_too_large: bool,
}

fn holders<S: serde::Serializer>(roots: &[Root], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(roots.iter().map(|root| root.holder.to_string()))
}

/// Whether [`Store::collect_garbage`] removes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Collect {
    Remove,
    /// Only tell what would be removed.
    DryRun,
}

/// What roots keep, and how the directory of roots looked when they were read.
struct LiveSet {
    bundles: BTreeSet<String>,
    objects: BTreeSet<Digest>,
    dead: Vec<OsString>,
    unknown: Vec<Root>,
    /// How many keep something.
    live: usize,
    seen: (i64, i64, i64, i64),
}

/// What goes, with the space each frees, in order of removal; and how many objects stay.
struct Chosen {
    plan: Vec<(GcItem, u64)>,
    stay: usize,
}

/// Something to be removed.
enum GcItem {
    Root(OsString),
    Bundle(String),
    Realisation(DerivationId),
    Object(Digest),
    /// A validator, a kept download, a thing in quarantine, a stamp of nothing.
    Other(PathBuf),
}

impl Store<'_> {
    /// Removes bundles, objects, records, kept downloads and damaged things that neither a root nor the policy keeps at
    /// `now`.
    ///
    /// Waits a little for those who use the store, then gives up (`E_CACHE_LOCK`); without a working lock it refuses. When
    /// the roots, or one of them, cannot be read nothing is removed; nor when there is none (`E_USAGE`), unless told.
    pub(crate) fn collect_garbage(
        &self,
        collect: Collect,
        policy: &Policy,
        now: SystemTime,
    ) -> Result<GcReport, Diagnostic> {
        self.check_writable()?;
        self.tree.be_quiet();
        let excluded = lock::exclude(&self.tree, self.lock.as_ref(), self.patience.collector, self.events);
        let report = excluded.and_then(|()| self.collect(collect, policy, &Age { now, grace: policy.grace }));
        // Trying to exclude others may have cost the shared lock (flock(2)); whoever has it now will end.
        if let Some(file) = &self.lock {
            let _ = file.lock_shared();
        }
        report
    }

    fn collect(&self, collect: Collect, policy: &Policy, age: &Age) -> Result<GcReport, Diagnostic> {
        let mut kept = self.kept().map_err(|problem| problem.note("nothing was removed"))?;
        let used = self.usage()?.total;
        let Chosen { plan, stay } = self.choose(&kept, policy, age, used.0)?;
        self.refuse_empty_roots(&kept, &plan, policy, collect)?;
        let mut report =
            GcReport { kept: stay, unknown: kept.unknown.clone(), roots: kept.live, ..GcReport::default() };
        for (item, size) in plan {
            if collect == Collect::Remove {
                kept = self.kept_now(kept).map_err(|problem| problem.note("nothing more was removed"))?;
                if kept.spares(&item) || !self.remove_item(&item)? {
                    continue;
                }
            }
            report.freed.0 += size;
            report.removed.push(Removed { name: item.name(), size: ByteSize(size) });
        }
        report.left = ByteSize(used.0.saturating_sub(report.freed.0));
        report.rooted = self.rooted(&kept);
        report.is_too_large = policy.max_size.is_some_and(|most| report.left > most);
        Ok(report)
    }

    /// Stops where no root is recorded: perhaps they were lost, and then everything anybody built would go.
    fn refuse_empty_roots(
        &self,
        kept: &LiveSet,
        plan: &[(GcItem, u64)],
        policy: &Policy,
        collect: Collect,
    ) -> Result<(), Diagnostic> {
        let matters = |item: &GcItem| matches!(item, GcItem::Bundle(_) | GcItem::Object(_));
        let has_roots = kept.live > 0 || !kept.dead.is_empty();
        if has_roots || policy.empty_roots == EmptyRoots::Collect || !plan.iter().any(|(item, _)| matters(item)) {
            return Ok(());
        }
        if collect == Collect::DryRun {
            let text = "no root is recorded, so without `--without-roots` nothing will be removed".to_owned();
            (self.events)(Event::Warning { text });
            return Ok(());
        }
        Err(Diagnostic::new(Code::Usage, "no root is recorded in the store, so everything would go")
            .fact("store", fail::path(self.dir()))
            .note("nothing was removed")
            .hint("build with a `result-NAME` link, or add a root; if nothing is to stay, add `--without-roots`"))
    }

    /// Adds up what roots keep.
    fn rooted(&self, kept: &LiveSet) -> ByteSize {
        let mut inodes = BTreeMap::new();
        let mut add = |found: std::io::Result<Metadata>| {
            if let Ok(found) = found {
                inodes.insert(found.ino(), blocks(&found));
            }
        };
        kept.objects.iter().for_each(|digest| add(self.tree.look(object_name(digest))));
        for name in &kept.bundles {
            let place = Path::new(BUNDLES).join(name);
            for file in self.tree.list(&place).unwrap_or_default() {
                add(self.tree.look(place.join(file)));
            }
        }
        ByteSize(inodes.values().sum())
    }

    /// Reads the roots again if one came or went.
    fn kept_now(&self, kept: LiveSet) -> Result<LiveSet, Diagnostic> {
        if self.roots_seen()? == kept.seen { Ok(kept) } else { self.kept() }
    }

    /// Reads the roots; fails when one cannot be understood.
    fn kept(&self) -> Result<LiveSet, Diagnostic> {
        let seen = self.roots_seen()?;
        let (bundles, objects) = (BTreeSet::new(), BTreeSet::new());
        let mut kept = LiveSet { bundles, objects, dead: vec![], unknown: vec![], live: 0, seen };
        for (name, root) in self.read_roots()? {
            let Some(root) = root else { return Err(self.garbled(&name)) };
            match self.state_of(&root) {
                State::Dead => {
                    kept.dead.push(name);
                    continue;
                }
                State::Unknown => kept.unknown.push(root.clone()),
                State::Live => {}
            }
            kept.live += 1;
            kept.bundles.extend(root.bundle);
            kept.objects.extend(root.objects);
        }
        Ok(kept)
    }

    fn garbled(&self, name: &OsString) -> Diagnostic {
        let path = self.dir().join(ROOTS).join(name);
        Diagnostic::new(Code::CacheCorrupt, "a root record of the store is corrupt; what it keeps is unknown")
            .fact("root", fail::path(&path))
            .hint("build the recipe again whose result it kept, or remove the file, then collect")
    }

    fn roots_seen(&self) -> Result<(i64, i64, i64, i64), Diagnostic> {
        let told = |error| fail::read("cannot look at the roots of the store", self.dir(), &error);
        let found = self.tree.look(ROOTS).map_err(told)?;
        Ok((found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()))
    }

    /// Chooses what goes, with the space each frees, in order of removal.
    ///
    /// The order is: what names something goes before what it names.
    fn choose(&self, kept: &LiveSet, policy: &Policy, age: &Age, used: u64) -> Result<Chosen, Diagnostic> {
        let mut names = LinkCounts::default();
        let others = self.choose_others(age, &mut names)?;
        let objects = self.list_objects()?;
        let candidates = self.candidates(kept, policy, age, &objects)?;
        let most = policy.max_size.map_or(0, |size| size.0);
        let mut left = used.saturating_sub(others.iter().map(|(_, size)| size).sum());
        let (mut bundles, mut going) = (vec![], BTreeMap::new());
        for (_, candidate) in candidates {
            if policy.max_size.is_some() && left <= most {
                break;
            }
            let freed = match candidate {
                GcItem::Object(digest) => {
                    let Ok(found) = self.tree.look(object_name(&digest)) else { continue };
                    // Only where room is wanted: else a link that a broken run left would keep it for one collection more.
                    if policy.max_size.is_some() && !names.is_last(&found) {
                        continue;
                    }
                    let size = names.add_all(&self.tree, &object_name(&digest));
                    going.insert(digest, size);
                    size
                }
                GcItem::Bundle(name) => {
                    let size = names.add_all(&self.tree, &Path::new(BUNDLES).join(&name));
                    bundles.push((GcItem::Bundle(name), size));
                    size
                }
                _ => 0,
            };
            left = left.saturating_sub(freed);
        }
        let stay = objects.len() - going.len();
        // The last of them stay as long as any object does: they show that the roots were let go, not lost.
        let dead = kept.dead.iter().filter(|_| kept.live > 0 || stay == 0);
        let mut plan: Vec<_> = dead.map(|name| (GcItem::Root(name.clone()), 0)).collect();
        plan.extend(bundles);
        plan.extend(self.choose_realisations(&going, age)?);
        plan.extend(going.into_iter().map(|(digest, size)| (GcItem::Object(digest), size)));
        plan.extend(others);
        Ok(Chosen { plan, stay })
    }

    /// Lists the bundles and objects that may go, what was used longest ago first.
    ///
    /// An object was used whenever a bundle that holds it was, so it comes behind that bundle.
    fn candidates(
        &self,
        kept: &LiveSet,
        policy: &Policy,
        age: &Age,
        objects: &[Digest],
    ) -> Result<Vec<(Moment, GcItem)>, Diagnostic> {
        let bundles = self.bundle_names()?;
        let last = self.last_of_each_name(&bundles, policy.keep_last);
        let (mut candidates, mut wanted, mut used_by) =
            (vec![], kept.objects.clone(), BTreeMap::<Digest, Moment>::new());
        for name in bundles {
            let held = self.bundle_record(&name).into_iter().flatten().map(|file| file.digest);
            let stays = kept.bundles.contains(&name) || last.contains(&name);
            if stays || !self.is_old(&Path::new(BUNDLES).join(&name), age) {
                wanted.extend(held);
                continue;
            }
            let used = self.bundle_used(&name);
            held.for_each(|digest| {
                let moment = used_by.entry(digest).or_insert(used);
                *moment = used.max(*moment);
            });
            candidates.push((used, GcItem::Bundle(name)));
        }
        for digest in objects.iter().filter(|digest| !wanted.contains(digest)) {
            if self.is_old(&object_name(digest), age) {
                let used = self.object_used(digest).max(used_by.get(digest).copied().unwrap_or_default());
                candidates.push((used, GcItem::Object(*digest)));
            }
        }
        candidates.sort_by_key(|(used, item)| (*used, matches!(item, GcItem::Object(_))));
        Ok(candidates)
    }

    fn choose_realisations(&self, going: &BTreeMap<Digest, u64>, age: &Age) -> Result<Vec<(GcItem, u64)>, Diagnostic> {
        let mut plan = Vec::new();
        for id in self.digests_in(REALISATIONS)?.into_iter().map(DerivationId) {
            let record = Path::new(REALISATIONS).join(id.to_string());
            let output = match self.tree.read_small(&record, realisation::CAP) {
                Ok(bytes) => realisation::parse(&bytes, &id).map(|(digest, _)| digest),
                Err(error) if is_planted(&error) || error.kind() == ErrorKind::NotFound => None,
                // One that cannot be read just now may well be right.
                Err(_) => continue,
            };
            let goes = output.is_some_and(|digest| going.contains_key(&digest));
            let is_gone = |error: io::Error| error.kind() == ErrorKind::NotFound;
            let absent = output.is_none_or(|digest| self.tree.look(object_name(&digest)).is_err_and(is_gone));
            if goes || (absent && self.is_old(&record, age)) {
                plan.push((GcItem::Realisation(id), 0));
            }
        }
        Ok(plan)
    }

    /// Chooses kept downloads, things in quarantine and stamps of nothing.
    fn choose_others(&self, age: &Age, names: &mut LinkCounts) -> Result<Vec<(GcItem, u64)>, Diagnostic> {
        let mut plan = Vec::new();
        for name in self.names(TMP)?.into_iter().filter(|name| partial::is_partial(name)) {
            let path = Path::new(TMP).join(name);
            if self.is_old(&path, age) {
                let size = names.add_all(&self.tree, &path);
                plan.push((GcItem::Other(path), size));
            }
        }
        for name in self.names(QUARANTINE)? {
            let path = Path::new(QUARANTINE).join(name);
            // Not mtime, which is that of the object it once was; a rename sets ctime.
            if let Ok(found) = self.tree.look(&path)
                && age.is_old(found.ctime())
            {
                let size = names.add_all(&self.tree, &path);
                plan.push((GcItem::Other(path), size));
            }
        }
        for name in self.names(STAMPS)? {
            let object = name.to_str().and_then(|name| Digest::parse(name).ok()).map(|digest| object_name(&digest));
            let of = object.unwrap_or_else(|| Path::new(BUNDLES).join(&name));
            if self.tree.look(of).is_err() && self.is_old(&Path::new(STAMPS).join(&name), age) {
                plan.push((GcItem::Other(Path::new(STAMPS).join(name)), 0));
            }
        }
        Ok(plan)
    }

    pub(super) fn names(&self, directory: &str) -> Result<Vec<OsString>, Diagnostic> {
        absent_is_empty(self.tree.list(directory))
            .map_err(|error| fail::read(format!("cannot list `{directory}` of the store"), self.dir(), &error))
    }

    /// Lists the digests that files of a directory are named by, in order.
    pub(super) fn digests_in(&self, directory: &str) -> Result<Vec<Digest>, Diagnostic> {
        Ok(self.names(directory)?.iter().filter_map(|name| Digest::parse(name.to_str()?).ok()).collect())
    }

    fn is_old(&self, name: &Path, age: &Age) -> bool {
        self.tree.look(name).is_ok_and(|found| age.is_old(found.mtime()))
    }

    /// Removes one thing; `false` when it turned out to be in use.
    fn remove_item(&self, item: &GcItem) -> Result<bool, Diagnostic> {
        let told = |error| fail::write(format!("cannot remove `{}`", item.name()), self.dir(), &error);
        match item {
            GcItem::Root(name) => self.tree.remove(Path::new(ROOTS).join(name)).map_err(told)?,
            GcItem::Realisation(id) => {
                self.tree.remove(Path::new(REALISATIONS).join(id.to_string())).map_err(told)?;
            }
            GcItem::Object(digest) => {
                self.unstamp(digest);
                self.tree.remove_all(object_name(digest)).map_err(told)?;
            }
            GcItem::Bundle(name) => self.remove_bundle(name).map_err(told)?,
            GcItem::Other(path) if path.starts_with(TMP) => return Ok(temp::sweep_one(&self.tree, path)),
            GcItem::Other(path) => self.tree.remove_all(path).map_err(told)?,
        }
        Ok(true)
    }

    /// Takes a bundle's final name away in one step, so that a kill leaves no half of it under that name.
    fn remove_bundle(&self, name: &str) -> std::io::Result<()> {
        let (place, dead) = (Path::new(BUNDLES).join(name), Path::new(TMP).join(format!("dead-{name}")));
        self.tree.remove(Path::new(STAMPS).join(name))?;
        self.tree.make_dir(TMP)?;
        match self.tree.sub(&place) {
            Ok(dir) => dir.set_mode(0o700)?,
            Err(_) => return self.tree.remove_all(&place),
        }
        self.tree.remove_all(&dead)?;
        self.tree.rename_new(&place, &self.tree, &dead)?;
        self.tree.remove_all(&dead)
    }
}

impl LiveSet {
    fn spares(&self, item: &GcItem) -> bool {
        match item {
            GcItem::Root(name) => !self.dead.contains(name),
            GcItem::Bundle(name) => self.bundles.contains(name),
            GcItem::Object(digest) => self.objects.contains(digest),
            GcItem::Realisation(_) | GcItem::Other(_) => false,
        }
    }
}

impl GcItem {
    fn name(&self) -> String {
        let path = match self {
            Self::Root(name) => Path::new(ROOTS).join(name),
            Self::Bundle(name) => Path::new(BUNDLES).join(name),
            Self::Realisation(id) => Path::new(REALISATIONS).join(id.to_string()),
            Self::Object(digest) => object_name(digest),
            Self::Other(path) => path.clone(),
        };
        one_line(&path.to_string_lossy(), 300)
    }
}
