//! What every builder works with: inputs from the store, and the store for what it makes. Read next: `super::build`.

use std::collections::BTreeMap;

use super::context::BuildContext;
use crate::base::{Code, DerivationId, Diagnostic};
use crate::store::{Privacy, StoreObject};

/// The most that all files of a config disk may hold together.
const VOLUME_LIMIT: u64 = 64 << 20;

pub(super) type Inputs = BTreeMap<DerivationId, StoreObject>;

/// Inputs, and what a builder works with.
pub(super) struct Builders<'a> {
    pub(super) inputs: &'a Inputs,
    pub(super) privacy: Privacy,
    pub(super) context: &'a BuildContext<'a>,
}

impl Builders<'_> {
    pub(super) fn input(&self, id: &DerivationId) -> Result<&StoreObject, Diagnostic> {
        self.inputs.get(id).ok_or_else(|| Diagnostic::new(Code::Bug, format!("input {id} was not realised")))
    }

    /// Reads an input whole, its digest checked on the way.
    pub(super) fn read(&self, id: &DerivationId) -> Result<Vec<u8>, Diagnostic> {
        self.context.store.read(self.input(id)?, VOLUME_LIMIT + (4 << 20))
    }

    pub(super) fn put(&self, bytes: &[u8]) -> Result<StoreObject, Diagnostic> {
        self.context.store.put(bytes, self.privacy)
    }
}
