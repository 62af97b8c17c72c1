//! Walks a plan: reuses what the store holds, builds the rest, records it.
//!
//! The only place where effects meet: the store keeps, `fetch` brings what is remote, `host` reads what is local, the
//! pure floors make the bytes. Nothing here decides what to build. Read next: [`build`] (one function a builder),
//! [`input`] (how fixed-output bytes are brought), then `bundle`.

mod build;
mod input;

use std::collections::{BTreeMap, BTreeSet};

use crate::base::{ByteSize, Code, DerivationId, Digest, Event, Events, Problem};
use crate::fetch::Fetch;
use crate::host::Beside;
use crate::plan::{Builder, Derivation, Origin, Plan};
use crate::store::{Privacy, Store, StoreObject};

/// Rewrites an address to the places to ask, in order; what a configuration's mirrors say.
pub type Rewrite<'a> = &'a (dyn Fn(&crate::recipe::Source) -> Vec<crate::recipe::Source> + Sync);

/// What a walk works with.
pub struct Workshop<'a> {
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
pub struct Realised {
    /// By derivation: inputs that were looked at, and every output.
    pub objects: BTreeMap<DerivationId, StoreObject>,
    pub tally: Tally,
}

/// What a walk did.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tally {
    pub reused: u32,
    pub built: u32,
    pub fetched: u32,
    /// Bytes that came from outside this time.
    pub fetched_bytes: u64,
}

impl Realised {
    /// Returns the object that a derivation made.
    pub fn object(&self, id: &DerivationId) -> Result<&StoreObject, Problem> {
        self.objects.get(id).ok_or_else(|| Problem::new(Code::Bug, format!("derivation {id} was not realised")))
    }

    /// Lists the digests of everything the bundle came from and holds.
    pub fn digests(&self) -> BTreeSet<Digest> {
        self.objects.values().map(|object| object.digest()).collect()
    }
}

/// Makes every output of the plan exist.
///
/// # Errors
/// The first failure ends the walk; what was finished before stays in the store and is reused next time.
pub fn realise(plan: &Plan, workshop: &Workshop<'_>) -> Result<Realised, Problem> {
    let mut walk = Walk { plan, workshop, objects: BTreeMap::new(), tally: Tally::default() };
    for output in plan.outputs.values() {
        walk.ensure(&output.derivation)?;
    }
    Ok(Realised { objects: walk.objects, tally: walk.tally })
}

/// Brings only the inputs that come from outside: what `fetch` does.
pub fn realise_inputs(plan: &Plan, workshop: &Workshop<'_>) -> Result<Realised, Problem> {
    let mut walk = Walk { plan, workshop, objects: BTreeMap::new(), tally: Tally::default() };
    for (id, _) in plan.origins.iter().filter(|(_, origin)| !matches!(origin, Origin::Text(_))) {
        walk.ensure(id)?;
    }
    Ok(Realised { objects: walk.objects, tally: walk.tally })
}

struct Walk<'a> {
    plan: &'a Plan,
    workshop: &'a Workshop<'a>,
    objects: BTreeMap<DerivationId, StoreObject>,
    tally: Tally,
}

impl Walk<'_> {
    /// Makes one derivation's result exist, its inputs first where they are needed.
    fn ensure(&mut self, id: &DerivationId) -> Result<StoreObject, Problem> {
        if let Some(object) = self.objects.get(id) {
            return Ok(object.clone());
        }
        let derivation = self
            .plan
            .derivation(id)
            .ok_or_else(|| Problem::new(Code::Bug, format!("the plan names no derivation {id}")))?;
        let object = match &derivation.builder {
            Builder::Fixed { digest } => self.bring(derivation, digest)?,
            _ => self.build(derivation)?,
        };
        self.objects.insert(*id, object.clone());
        Ok(object)
    }

    fn build(&mut self, derivation: &Derivation) -> Result<StoreObject, Problem> {
        let Workshop { store, events, version, .. } = self.workshop;
        if let Some(object) = store.realisation(&derivation.id) {
            self.tally.reused += 1;
            events(Event::Reused { what: derivation.title.clone(), digest: object.digest() });
            return Ok(object);
        }
        let inputs = derivation.builder.inputs();
        let inputs = inputs.iter().map(|id| Ok((*id, self.ensure(id)?))).collect::<Result<_, Problem>>()?;
        let object = build::build(derivation, &inputs, self.privacy(&derivation.id), self.workshop)?;
        store.record(&derivation.id, &object, version)?;
        self.tally.built += 1;
        events(Event::Built { what: derivation.title.clone(), digest: object.digest() });
        Ok(object)
    }

    fn privacy(&self, id: &DerivationId) -> Privacy {
        if self.plan.private.contains(id) { Privacy::Provisioning } else { Privacy::Public }
    }
}
