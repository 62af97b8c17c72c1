//! What a recipe carries by address, as derivations: inputs, the config they go into, the payload disk. Touches nothing.

use std::collections::BTreeMap;

use super::make::Draft;
use super::{Builder, Origin, Piece, Role, file};
use crate::base::{Code, DerivationId, Digest, Problem};
use crate::lock::{self, PinnedInputs};
use crate::provision::Lowered;
use crate::provision::carried::{FOLDER, Remote, Vehicle};
use crate::provision::template::{Part, Template};

impl Draft {
    /// Adds an input whose bytes come by address.
    ///
    /// Provisioning was lowered from the same pins; that it was is checked, because the script names their digests.
    fn remote(&mut self, input: &Remote, inputs: &PinnedInputs) -> Result<DerivationId, Problem> {
        let pinned = inputs.others.get(&lock::key(&input.source)).filter(|pinned| pinned.digest == input.digest);
        let Some(pinned) = pinned else {
            return Err(Problem::new(Code::Bug, format!("`{}` was lowered from another pin", input.title)));
        };
        let origin = Origin::Pinned {
            sources: pinned.urls.clone(),
            size: pinned.size,
            metalink: pinned.metalink.clone(),
            gate: None,
        };
        Ok(self.fixed(&input.title, pinned.digest, origin))
    }

    /// Adds a text with places for bytes; its parts hold provisioning, so they are private.
    pub(super) fn filled(
        &mut self,
        title: &str,
        template: &Template,
        inputs: &PinnedInputs,
    ) -> Result<DerivationId, Problem> {
        let mut pieces = vec![];
        for part in &template.0 {
            pieces.push(match part {
                Part::Base64(input) => Piece::Base64(self.remote(input, inputs)?),
                Part::Text(text) => {
                    let title = format!("{title}, part {}", pieces.len() / 2 + 1);
                    let id = self.fixed(&title, Digest::of(text.expose()), Origin::Text(text.clone()));
                    self.private.insert(id);
                    Piece::Verbatim(id)
                }
            });
        }
        Ok(self.add(title, Builder::Filled { pieces }))
    }

    /// Adds what travels as it is; returns what of it belongs on the config disk.
    pub(super) fn loads(
        &mut self,
        lowered: &Lowered,
        inputs: &PinnedInputs,
    ) -> Result<BTreeMap<String, DerivationId>, Problem> {
        let mut files = BTreeMap::new();
        for load in &lowered.loads {
            files.insert(load.path.clone(), self.remote(&load.input, inputs)?);
        }
        if lowered.vehicle == Some(Vehicle::PayloadDisk) {
            let id = self.add(file::PAYLOAD, Builder::PayloadTar { files });
            self.output(file::PAYLOAD, id, Role::Payload);
            return Ok(BTreeMap::new());
        }
        Ok(files.into_iter().map(|(path, id)| (format!("combustion/{FOLDER}/{path}"), id)).collect())
    }
}
