//! What a recipe carries by address, as derivations: inputs, the config they go into, the payload disk. Touches nothing.

use std::collections::BTreeMap;

use super::make::Draft;
use super::{Builder, Origin, Piece, Role, file};
use crate::base::{Code, DerivationId, Diagnostic, Digest};
use crate::lock::{self, Pinned, PinnedInputs};
use crate::provision::GuestConfig;
use crate::provision::engines::template::{Segment, Template};
use crate::provision::guest::{PayloadFormat, PayloadMedium, Remote};
use crate::provision::ready::FOLDER;

impl Draft {
    /// Adds an input whose bytes come by address.
    ///
    /// Provisioning was lowered from the same pins; that it was is checked, because the script names their digests.
    fn remote(&mut self, input: &Remote, inputs: &PinnedInputs) -> Result<DerivationId, Diagnostic> {
        let pinned = inputs.others.get(&lock::key(&input.source)).filter(|pinned| pinned.digest == input.digest);
        let Some(pinned) = pinned else {
            return Err(Diagnostic::new(Code::Bug, format!("`{}` was lowered from another pin", input.title)));
        };
        Ok(self.pinned(&input.title, pinned))
    }

    fn pinned(&mut self, title: &str, pinned: &Pinned) -> DerivationId {
        let origin = Origin::Pinned {
            sources: pinned.urls.clone(),
            size: pinned.size,
            metalink: pinned.metalink.clone(),
            gate: None,
        };
        self.fixed(title, pinned.digest, origin)
    }

    /// Adds an image of a registry: every blob is an input of its own, and what travels is packed from them.
    fn image(
        &mut self,
        input: &Remote,
        reference: &str,
        name: &str,
        inputs: &PinnedInputs,
    ) -> Result<DerivationId, Diagnostic> {
        let title = &input.title;
        let image = inputs.images.get(reference).filter(|image| image.manifest.digest == input.digest);
        let Some(image) = image else {
            return Err(Diagnostic::new(Code::Bug, format!("`{title}` was lowered from another pin")));
        };
        let manifest = self.pinned(&format!("{title}, manifest"), &image.manifest);
        let part = |number: usize| if number == 0 { "config".to_owned() } else { format!("layer {number}") };
        let blobs = image.blobs.iter().enumerate();
        let blobs = blobs.map(|(number, blob)| self.pinned(&format!("{title}, {}", part(number)), blob)).collect();
        Ok(self.add(title, Builder::OciArchive { name: name.to_owned(), manifest, blobs }))
    }

    /// Adds a text with places for bytes; its parts hold provisioning, so they are private.
    pub(super) fn filled(
        &mut self,
        title: &str,
        template: &Template,
        inputs: &PinnedInputs,
    ) -> Result<DerivationId, Diagnostic> {
        let mut pieces = vec![];
        for part in &template.0 {
            pieces.push(match part {
                Segment::Base64(input) => Piece::Base64(self.remote(input, inputs)?),
                Segment::Text(text) => {
                    let title = format!("{title}, part {}", pieces.len() / 2 + 1);
                    let id = self.fixed(&title, Digest::of(text.expose()), Origin::Text(text.clone()));
                    self.private.insert(id);
                    Piece::Verbatim(id)
                }
            });
        }
        Ok(self.add(title, Builder::Filled { pieces }))
    }

    /// Adds what travels; returns what of it belongs on the config disk.
    pub(super) fn loads(
        &mut self,
        lowered: &GuestConfig,
        inputs: &PinnedInputs,
    ) -> Result<BTreeMap<String, DerivationId>, Diagnostic> {
        let mut files = BTreeMap::new();
        for load in &lowered.payload_files {
            let id = match &load.format {
                PayloadFormat::AsItIs => self.remote(&load.input, inputs)?,
                PayloadFormat::OciArchive { reference, name } => self.image(&load.input, reference, name, inputs)?,
            };
            files.insert(load.path.clone(), id);
        }
        if lowered.medium == Some(PayloadMedium::PayloadDisk) {
            let id = self.add(file::PAYLOAD, Builder::PayloadTar { files });
            self.output(file::PAYLOAD, id, Role::Payload);
            return Ok(BTreeMap::new());
        }
        Ok(files.into_iter().map(|(path, id)| (format!("combustion/{FOLDER}/{path}"), id)).collect())
    }
}
