//! Walks a plan: reuses what the store holds, builds the rest, records it.
//!
//! The only place where effects meet: the store keeps, `fetch` brings what is remote, `host` reads what is local, the
//! pure floors make the bytes. Nothing here decides what to build. Read next: [`build`] (one function a builder),
//! [`input`] (how fixed-output bytes are brought), [`mirrors`] (where else they may be), [`unpack`] (compressed and
//! raw bases), [`check`](mod@check) (the same again, compared), then `bundle`.

mod build;
mod carry;
mod check;
mod input;
mod learn;
mod mirrors;
mod unpack;

use std::collections::BTreeMap;
use std::thread::ScopedJoinHandle;

use crate::base::{ByteSize, Code, DerivationId, Diagnostic, Event, Events};
use crate::fetch::Fetch;
use crate::host::Beside;
use crate::plan::{Builder, Derivation, Origin, Plan};
use crate::store::{Privacy, Store, StoreObject};
pub(crate) use check::{Difference, check};
pub(crate) use input::INPUT;
pub(crate) use learn::{head, learn};

/// Rewrites an address to the places to ask, in order; what a configuration's mirrors say.
pub(crate) type Rewrite<'a> = &'a (dyn Fn(&crate::recipe::Source) -> Vec<crate::recipe::Source> + Sync);

/// What a walk works with.
pub(crate) struct Workshop<'a> {
    pub store: &'a Store<'a>,
    pub fetch: &'a dyn Fetch,
    /// Where the recipe's side files are.
    pub beside: &'a Beside,
    pub rewrite: Rewrite<'a>,
    pub events: Events<'a>,
    /// Said in realisation records.
    pub version: &'a str,
    /// The largest input without a pinned size that is taken.
    pub largest: ByteSize,
}

impl std::fmt::Debug for Workshop<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workshop").field("store", &self.store.dir()).finish_non_exhaustive()
    }
}

/// A plan whose every output is in the store.
#[derive(Debug)]
pub(crate) struct Realised {
    /// By derivation: inputs that were looked at, and every output.
    pub objects: BTreeMap<DerivationId, StoreObject>,
    pub tally: Tally,
}

/// What a walk did.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Tally {
    pub reused: u32,
    pub built: u32,
    pub fetched: u32,
    /// Bytes that came from outside this time.
    pub fetched_bytes: u64,
}

impl Realised {
    /// Returns the object that a derivation made.
    pub(crate) fn object(&self, id: &DerivationId) -> Result<&StoreObject, Diagnostic> {
        self.objects.get(id).ok_or_else(|| Diagnostic::new(Code::Bug, format!("derivation {id} was not realised")))
    }
}

/// Makes every output of the plan exist.
///
/// # Errors
/// The first failure in the plan's order ends the walk; what was finished stays in the store and is reused next time.
pub(crate) fn realise(plan: &Plan, workshop: &Workshop<'_>) -> Result<Realised, Diagnostic> {
    let mut walk = Walk::new(plan, workshop, Habit::Trust);
    let outputs: Vec<_> = plan.outputs.values().map(|output| output.derivation).collect();
    for id in &outputs {
        walk.rank(id)?;
    }
    walk.run()
}

/// Brings only the inputs that come from outside: what `fetch` does.
pub(crate) fn realise_inputs(plan: &Plan, workshop: &Workshop<'_>) -> Result<Realised, Diagnostic> {
    let mut walk = Walk::new(plan, workshop, Habit::Trust);
    for (id, _) in plan.origins.iter().filter(|(_, origin)| !matches!(origin, Origin::Text(_))) {
        walk.rank(id)?;
    }
    walk.run()
}

/// How many derivations are made at once. They wait for the disk far more than for a processor, and a file system that
/// syncs several files together writes its journal once for all of them.
const AT_ONCE: usize = 8;

struct Walk<'a> {
    plan: &'a Plan,
    workshop: &'a Workshop<'a>,
    habit: Habit,
    /// What is there.
    objects: BTreeMap<DerivationId, StoreObject>,
    /// What must be made: how many steps of making lie between it and the ground.
    ranks: BTreeMap<DerivationId, usize>,
    tally: Tally,
}

/// What a walk thinks of earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    /// What they recorded is taken, and what is made is recorded.
    Trust,
    /// Nothing is taken but inputs, and those are hashed; nothing is recorded.
    Doubt,
}

impl<'a> Walk<'a> {
    fn new(plan: &'a Plan, workshop: &'a Workshop<'a>, habit: Habit) -> Self {
        Self { plan, workshop, habit, objects: BTreeMap::new(), ranks: BTreeMap::new(), tally: Tally::default() }
    }

    fn derivation(&self, id: &DerivationId) -> Result<&'a Derivation, Diagnostic> {
        let found = self.plan.derivation(id);
        found.ok_or_else(|| Diagnostic::new(Code::Bug, format!("the plan names no derivation {id}")))
    }

    /// Decides whether a derivation is reused or made, and what it needs with it; returns the first rank behind it.
    fn rank(&mut self, id: &DerivationId) -> Result<usize, Diagnostic> {
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
        if self.habit == Habit::Doubt {
            return false;
        }
        let Some(object) = self.workshop.store.realisation(&derivation.id) else { return false };
        self.tally.reused += 1;
        (self.workshop.events)(Event::Reused { what: derivation.title.clone(), digest: object.digest() });
        self.objects.insert(derivation.id, object);
        true
    }

    /// Makes everything that was ranked, rank by rank.
    fn run(mut self) -> Result<Realised, Diagnostic> {
        let last = self.ranks.values().max().copied();
        for rank in 0..last.map_or(0, |last| last + 1) {
            let due = self.plan.derivations.iter().filter(|one| self.ranks.get(&one.id) == Some(&rank));
            let due: Vec<_> = due.collect();
            for some in due.chunks(AT_ONCE) {
                self.make_together(some)?;
            }
        }
        Ok(Realised { objects: self.objects, tally: self.tally })
    }

    /// Makes some derivations at once; results are taken in the plan's order, so no thread order shows anywhere.
    fn make_together(&mut self, some: &[&Derivation]) -> Result<(), Diagnostic> {
        let walk = &*self;
        let made: Vec<_> = std::thread::scope(|scope| {
            // A system that gives no more threads gets the work done all the same, one after the other.
            let mut running = vec![];
            for one in some {
                running.push(std::thread::Builder::new().spawn_scoped(scope, move || walk.make(one)).map_err(|_| one));
            }
            running.into_iter().map(|one| one.map_or_else(|one| Ok(walk.make(one)), ScopedJoinHandle::join)).collect()
        });
        for (derivation, made) in some.iter().zip(made) {
            let (object, tally) = made.map_err(|_| Diagnostic::new(Code::Bug, "a thread of the build died"))??;
            self.tally.add(&tally);
            self.objects.insert(derivation.id, object);
        }
        Ok(())
    }

    /// Makes one derivation whose inputs are there.
    fn make(&self, derivation: &Derivation) -> Result<(StoreObject, Tally), Diagnostic> {
        if let Builder::Fixed { digest } = &derivation.builder {
            let (object, tally) = self.bring(derivation, digest)?;
            if self.habit == Habit::Doubt {
                check::hash(self.workshop.store, &object)?;
            }
            return Ok((object, tally));
        }
        let privacy = self.privacy(&derivation.id);
        let object = build::build(derivation, &self.objects, privacy, self.workshop)?;
        if self.habit == Habit::Trust {
            self.workshop.store.record(&derivation.id, &object, self.workshop.version)?;
        }
        (self.workshop.events)(Event::Built { what: derivation.title.clone(), digest: object.digest() });
        Ok((object, Tally { built: 1, ..Tally::default() }))
    }

    fn privacy(&self, id: &DerivationId) -> Privacy {
        if self.plan.private.contains(id) { Privacy::Provisioning } else { Privacy::Public }
    }
}

impl Tally {
    /// Adds what another part of the walk did.
    pub(crate) fn add(&mut self, other: &Self) {
        self.reused += other.reused;
        self.built += other.built;
        self.fetched += other.fetched;
        self.fetched_bytes += other.fetched_bytes;
    }
}
