//! Walks a plan: reuses what the store holds, builds the rest in parallel, records it. Read next: `super::build`,
//! `super::input`.

use std::collections::BTreeMap;
use std::thread::ScopedJoinHandle;

use super::build;
use super::context::{BuildContext, BuildStats, Realised};
use crate::base::{Code, DerivationId, Diagnostic, Event};
use crate::plan::{Builder, Derivation, Origin, Plan};
use crate::store::{Privacy, Store, StoreObject};

/// Makes every output of the plan exist.
///
/// # Errors
/// The first failure in the plan's order ends the build; what was finished stays in the store and is reused next time.
pub(crate) fn realise(plan: &Plan, context: &BuildContext<'_>) -> Result<Realised, Diagnostic> {
    let mut scheduler = Scheduler::new(plan, context, CachePolicy::Use);
    let outputs: Vec<_> = plan.outputs.values().map(|output| output.derivation).collect();
    for id in &outputs {
        scheduler.rank(id)?;
    }
    scheduler.run()
}

/// Brings only the inputs that come from outside: what `fetch` does.
pub(crate) fn realise_inputs(plan: &Plan, context: &BuildContext<'_>) -> Result<Realised, Diagnostic> {
    let mut scheduler = Scheduler::new(plan, context, CachePolicy::Use);
    for (id, _) in plan.origins.iter().filter(|(_, origin)| !matches!(origin, Origin::Text(_))) {
        scheduler.rank(id)?;
    }
    scheduler.run()
}

/// How many derivations are made at once. They wait for the disk far more than for a processor, and a file system that
/// syncs several files together writes its journal once for all of them.
const AT_ONCE: usize = 8;

pub(super) struct Scheduler<'a> {
    pub(super) plan: &'a Plan,
    pub(super) context: &'a BuildContext<'a>,
    policy: CachePolicy,
    /// What is there.
    objects: BTreeMap<DerivationId, StoreObject>,
    /// What must be made: how many steps of making lie between it and the ground.
    ranks: BTreeMap<DerivationId, usize>,
    stats: BuildStats,
}

/// Whether earlier builds are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CachePolicy {
    /// What they recorded is taken, and what is made is recorded.
    Use,
    /// Nothing is taken but inputs, and those are hashed; nothing is recorded.
    Recheck,
}

impl<'a> Scheduler<'a> {
    pub(super) fn new(plan: &'a Plan, context: &'a BuildContext<'a>, policy: CachePolicy) -> Self {
        Self { plan, context, policy, objects: BTreeMap::new(), ranks: BTreeMap::new(), stats: BuildStats::default() }
    }

    fn derivation(&self, id: &DerivationId) -> Result<&'a Derivation, Diagnostic> {
        let found = self.plan.derivation(id);
        found.ok_or_else(|| Diagnostic::new(Code::Bug, format!("the plan names no derivation {id}")))
    }

    /// Decides whether a derivation is reused or made, and what it needs with it; returns the first rank behind it.
    pub(super) fn rank(&mut self, id: &DerivationId) -> Result<usize, Diagnostic> {
        if self.objects.contains_key(id) {
            return Ok(0);
        }
        if let Some(rank) = self.ranks.get(id) {
            return Ok(rank + 1);
        }
        let derivation = self.derivation(id)?;
        if !matches!(derivation.builder, Builder::Fixed { .. }) && self.reuse(derivation) {
            return Ok(0);
        }
        let mut rank = 0;
        for input in derivation.builder.inputs() {
            rank = rank.max(self.rank(&input)?);
        }
        self.ranks.insert(*id, rank);
        Ok(rank + 1)
    }

    fn reuse(&mut self, derivation: &Derivation) -> bool {
        if self.policy == CachePolicy::Recheck {
            return false;
        }
        let Some(object) = self.context.store.realisation(&derivation.id) else { return false };
        self.stats.reused += 1;
        (self.context.events)(Event::Reused { what: derivation.title.clone(), digest: object.digest() });
        self.objects.insert(derivation.id, object);
        true
    }

    /// Makes everything that was ranked, rank by rank.
    pub(super) fn run(mut self) -> Result<Realised, Diagnostic> {
        let last = self.ranks.values().max().copied();
        for rank in 0..last.map_or(0, |last| last + 1) {
            let due = self.plan.derivations.iter().filter(|one| self.ranks.get(&one.id) == Some(&rank));
            let due: Vec<_> = due.collect();
            for some in due.chunks(AT_ONCE) {
                self.make_together(some)?;
            }
        }
        Ok(Realised { objects: self.objects, stats: self.stats })
    }

    /// Makes some derivations at once; results are taken in the plan's order, so no thread order shows anywhere.
    fn make_together(&mut self, some: &[&Derivation]) -> Result<(), Diagnostic> {
        let scheduler = &*self;
        let made: Vec<_> = std::thread::scope(|scope| {
            // A system that gives no more threads gets the work done all the same, one after the other.
            let mut running = vec![];
            for one in some {
                running.push(
                    std::thread::Builder::new().spawn_scoped(scope, move || scheduler.make(one)).map_err(|_| one),
                );
            }
            running
                .into_iter()
                .map(|one| one.map_or_else(|one| Ok(scheduler.make(one)), ScopedJoinHandle::join))
                .collect()
        });
        for (derivation, made) in some.iter().zip(made) {
            let (object, stats) = made.map_err(|_| Diagnostic::new(Code::Bug, "a build thread panicked"))??;
            self.stats.add(&stats);
            self.objects.insert(derivation.id, object);
        }
        Ok(())
    }

    /// Makes one derivation whose inputs are there.
    fn make(&self, derivation: &Derivation) -> Result<(StoreObject, BuildStats), Diagnostic> {
        if let Builder::Fixed { digest } = &derivation.builder {
            let (object, stats) = self.bring(derivation, digest)?;
            if self.policy == CachePolicy::Recheck {
                hash(self.context.store, &object)?;
            }
            return Ok((object, stats));
        }
        let privacy = self.privacy(&derivation.id);
        let object = build::build(derivation, &self.objects, privacy, self.context)?;
        if self.policy == CachePolicy::Use {
            self.context.store.record(&derivation.id, &object, self.context.version)?;
        }
        (self.context.events)(Event::Built { what: derivation.title.clone(), digest: object.digest() });
        Ok((object, BuildStats { built: 1, ..BuildStats::default() }))
    }

    pub(super) fn privacy(&self, id: &DerivationId) -> Privacy {
        if self.plan.private.contains(id) { Privacy::Provisioning } else { Privacy::Public }
    }
}

/// Reads an object to its end, whatever its stamp says.
fn hash(store: &Store<'_>, object: &StoreObject) -> Result<(), Diagnostic> {
    let copied = std::io::copy(&mut store.reader(object)?, &mut std::io::sink());
    copied.map(drop).map_err(|error| store.told(&object.digest(), error))
}
