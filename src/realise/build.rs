//! One function for each builder: inputs from the store, bytes from `format`, a new object in the store.

use std::collections::BTreeMap;

use super::builders::{Builders, Inputs};
use super::context::BuildContext;
use super::unpack::Packed;
use crate::base::{ByteSize, Code, DerivationId, Diagnostic, DiskLabel};
use crate::format::{fat, gpt, qcow2};
use crate::plan::{Builder, Derivation};
use crate::store::{Privacy, StoreObject};

/// Runs a derivation's builder over its realised inputs.
pub(super) fn build(
    derivation: &Derivation,
    inputs: &Inputs,
    privacy: Privacy,
    context: &BuildContext<'_>,
) -> Result<StoreObject, Diagnostic> {
    let builders = Builders { inputs, privacy, context };
    let title = derivation.title.as_str();
    match &derivation.builder {
        Builder::Fixed { .. } => Err(Diagnostic::new(Code::Bug, "a fixed output is brought, not built")),
        Builder::Unpack { input, compression, kind, size } => {
            builders.unpack(&Packed { title, input, compression: *compression, size: *size }, *kind)
        }
        Builder::Qcow2FromDisk { input, compression, size } => {
            builders.qcow2_from_disk(&Packed { title, input, compression: *compression, size: *size })
        }
        Builder::FatVolume { label, epoch, files } => builders.fat_volume(&derivation.id, *label, *epoch, files),
        Builder::Qcow2FromRaw { raw } => {
            let raw = builders.read(raw)?;
            builders.put(&qcow2::from_raw(&raw)?)
        }
        Builder::GptDisk { volume, label } => builders.gpt_disk(&derivation.id, volume, *label),
        Builder::Overlay { base, backing_file, size } => {
            let size = at_least(*size, builders.gate(base)?.virtual_size())?;
            builders.put(&qcow2::overlay(backing_file, size)?)
        }
        Builder::Grow { base, size } => builders.grow(title, base, *size),
        Builder::Blank { size } => builders.put(&qcow2::blank(*size)?),
        Builder::Filled { pieces } => builders.filled(&derivation.title, pieces),
        Builder::PayloadTar { files } => builders.payload(&derivation.title, files),
        Builder::OciArchive { name, manifest, blobs } => builders.oci_archive(&derivation.title, name, manifest, blobs),
    }
}

/// Refuses a system disk that would cut the base off.
fn at_least(asked: Option<ByteSize>, base: ByteSize) -> Result<ByteSize, Diagnostic> {
    match asked {
        Some(asked) if asked < base => Err(Diagnostic::new(Code::Recipe, "the system disk is smaller than its base")
            .fact("machine.system.size", asked)
            .fact("base", base)
            .note("the guest's file systems would be cut off")
            .hint(format!("set `size = \"{}\"` or more in `[machine.system]`, or leave it out", base.exact()))),
        Some(asked) => Ok(asked),
        None => Ok(base),
    }
}

impl Builders<'_> {
    fn fat_volume(
        &self,
        id: &DerivationId,
        label: DiskLabel,
        epoch: u64,
        files: &BTreeMap<String, DerivationId>,
    ) -> Result<StoreObject, Diagnostic> {
        let contents: Vec<_> =
            files.iter().map(|(path, id)| Ok((path.clone(), self.read(id)?))).collect::<Result<_, Diagnostic>>()?;
        let files = contents.iter().map(|(path, bytes)| (path.clone(), bytes.as_slice())).collect();
        let volume = fat::Volume { label, volume_id: Builder::volume_id(id), epoch, files };
        self.put(&fat::write(&volume)?)
    }

    fn gpt_disk(&self, id: &DerivationId, volume: &DerivationId, label: DiskLabel) -> Result<StoreObject, Diagnostic> {
        let guid =
            |part: &str| uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, format!("arca-build {part} {id}").as_bytes());
        let volume = self.read(volume)?;
        self.put(&gpt::usb_image(&volume, label, guid("disk"), guid("partition"))?)
    }

    /// Reads the base's header by our own strict gate, before anything else does.
    fn gate(&self, base: &DerivationId) -> Result<qcow2::ImageInfo, Diagnostic> {
        let mut file = self.context.store.open_object(self.input(base)?)?;
        Ok(qcow2::gate(&mut file)?)
    }

    fn grow(&self, title: &str, base: &DerivationId, size: Option<ByteSize>) -> Result<StoreObject, Diagnostic> {
        let info = self.gate(base)?;
        let size = at_least(size, info.virtual_size())?;
        let object = self.input(base)?;
        let patches = qcow2::grow(&info, size)?;
        let mut writer = self.context.store.create(self.privacy, None)?;
        self.context.store.copy_verified(object, &mut writer, &patches, title)?;
        writer.finish(None, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_disk_is_never_smaller_than_its_base() {
        let (small, large) = (ByteSize::gib(1), ByteSize::gib(2));
        assert_eq!(at_least(None, large), Ok(large));
        assert_eq!(at_least(Some(large), small), Ok(large));
        let problem = at_least(Some(small), large).unwrap_err();
        assert!(problem.hint.unwrap().contains("2GiB"));
    }
}
