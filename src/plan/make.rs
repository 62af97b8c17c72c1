//! Makes the plan: which derivations, under which names, for which machine. Touches nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::encode::Encoder;
use super::{Builder, Derivation, Machine, Origin, Output, Plan, Role, file};
use crate::base::image_name::is_rolling;
use crate::base::{
    BaseKind, ByteSize, Code, Compression, DerivationId, Diagnostic, Digest, FwCfgName, Secret, Transport,
};
use crate::lock::{Pinned, PinnedInputs};
use crate::provision::GuestConfig;
use crate::provision::guest::PayloadMedium;
use crate::recipe::{LocalFiles, Media, Recipe, Source, SystemMode};

/// Plans a bundle from values alone.
///
/// `lowered` is what `provision` made of the same recipe and files. Fails only where a side file was not read.
pub(crate) fn plan(
    recipe: &Recipe,
    inputs: &PinnedInputs,
    files: &LocalFiles,
    lowered: GuestConfig,
) -> Result<Plan, Diagnostic> {
    let mut draft = Draft::default();
    let base_id = draft.base(recipe, &inputs.base);
    draft.system(recipe, base_id);
    draft.data(recipe);
    draft.provisioning(recipe, inputs, files, &lowered)?;
    let machine = machine(recipe, &lowered);
    let id = plan_id(recipe, &draft.outputs, &machine);
    Ok(Plan {
        id,
        name: recipe.name.clone(),
        epoch: recipe.epoch,
        derivations: draft.derivations,
        origins: draft.origins,
        private: draft.private,
        outputs: draft.outputs,
        machine,
        warnings: lowered.warnings,
    })
}

/// The folders of the config disk, by the engine that reads each.
const IGNITION: &str = "ignition";
const COMBUSTION: &str = "combustion";

#[derive(Default)]
pub(super) struct Draft {
    derivations: Vec<Derivation>,
    origins: BTreeMap<DerivationId, Origin>,
    pub(super) private: BTreeSet<DerivationId>,
    outputs: BTreeMap<String, Output>,
}

impl Draft {
    pub(super) fn add(&mut self, title: &str, builder: Builder) -> DerivationId {
        let id = builder.id();
        if !self.derivations.iter().any(|derivation| derivation.id == id) {
            self.derivations.push(Derivation { id, title: title.to_owned(), builder });
        }
        id
    }

    pub(super) fn fixed(&mut self, title: &str, digest: Digest, origin: Origin) -> DerivationId {
        let id = self.add(title, Builder::Fixed { digest });
        self.origins.entry(id).or_insert(origin);
        id
    }

    pub(super) fn output(&mut self, file_name: impl Into<String>, derivation: DerivationId, role: Role) {
        self.outputs.insert(file_name.into(), Output { derivation, role });
        if role.is_private() {
            self.private.insert(derivation);
        }
    }

    /// Returns what the system disk is made from.
    fn base(&mut self, recipe: &Recipe, pinned: &Pinned) -> DerivationId {
        let (kind, compression) = (recipe.base.kind, recipe.base.compression);
        let origin = Origin::Pinned {
            sources: pinned.urls.clone(),
            size: pinned.size,
            metalink: pinned.metalink.clone(),
            // What a compressed file holds passes the gate when it is unpacked.
            gate: (compression == Compression::None).then_some(kind),
        };
        let input = self.fixed("base", pinned.digest, origin);
        let id = self.unpacked(recipe, input);
        match kind.bundled() {
            BaseKind::Iso => self.output(file::BASE_ISO, id, Role::Base),
            BaseKind::Qcow2 | BaseKind::Raw if recipe.machine.system_mode() == SystemMode::Overlay => {
                self.output(file::BASE_QCOW2, id, Role::Base);
            }
            BaseKind::Qcow2 | BaseKind::Raw => {}
        }
        id
    }

    /// Adds what makes the image out of the file that is pinned, where they are not the same.
    fn unpacked(&mut self, recipe: &Recipe, input: DerivationId) -> DerivationId {
        let crate::recipe::Base { kind, compression, unpacked_size: size, .. } = recipe.base;
        match (kind, compression) {
            (BaseKind::Raw, _) => self.add(file::BASE_QCOW2, Builder::Qcow2FromDisk { input, compression, size }),
            (_, Compression::None) => input,
            (BaseKind::Qcow2, _) => self.add(file::BASE_QCOW2, Builder::Unpack { input, compression, kind, size }),
            (BaseKind::Iso, _) => self.add(file::BASE_ISO, Builder::Unpack { input, compression, kind, size }),
        }
    }

    fn system(&mut self, recipe: &Recipe, base: DerivationId) {
        let size = recipe.machine.system_size().map(|size| *size.value);
        let builder = match (recipe.base.kind, recipe.machine.system_mode()) {
            // A recipe on an ISO states the size; `recipe` refuses one that does not.
            (BaseKind::Iso, _) => Builder::Blank { size: size.unwrap_or(ByteSize::gib(24)) },
            (_, SystemMode::Overlay) => Builder::Overlay { base, backing_file: file::BASE_QCOW2, size },
            (_, SystemMode::Standalone) => Builder::Grow { base, size },
        };
        let id = self.add(file::SYSTEM, builder);
        self.output(file::SYSTEM, id, Role::System);
    }

    fn data(&mut self, recipe: &Recipe) {
        for disk in &recipe.machine.disks {
            let name = file::data(&disk.serial);
            let id = self.add(&name, Builder::Blank { size: disk.size });
            self.output(name, id, Role::Data);
        }
    }

    fn text(&mut self, name: &str, content: &Secret<Vec<u8>>, role: Role) -> DerivationId {
        let id = self.fixed(name, Digest::of(content.expose()), Origin::Text(content.clone()));
        self.output(name, id, role);
        id
    }

    fn provisioning(
        &mut self,
        recipe: &Recipe,
        inputs: &PinnedInputs,
        local: &LocalFiles,
        lowered: &GuestConfig,
    ) -> Result<(), Diagnostic> {
        let Some(label) = lowered.label else { return Ok(()) };
        if let Some(report) = &lowered.report {
            self.text(file::REPORT, &Secret::new(report.to_json()?), Role::Report);
        }
        let mut files = BTreeMap::new();
        if let Some(config) = &lowered.config {
            let id = self.text(file::CONFIG_IGN, config, Role::IgnitionConfig);
            files.insert(format!("{IGNITION}/{}", file::CONFIG_IGN), id);
        }
        if let Some(script) = &lowered.script {
            let id = self.text(file::SCRIPT, script, Role::CombustionScript);
            files.insert(format!("{COMBUSTION}/{}", file::SCRIPT), id);
        }
        if let Some(template) = &lowered.template {
            let id = self.filled(file::CONFIG_IGN, template, inputs)?;
            self.output(file::CONFIG_IGN, id, Role::IgnitionConfig);
            files.insert(format!("{IGNITION}/{}", file::CONFIG_IGN), id);
        }
        files.extend(self.loads(lowered, inputs)?);
        for (name, path) in &lowered.side_files {
            let read = local.0.get(path).ok_or_else(|| {
                Diagnostic::new(Code::Bug, format!("the side file `{}` was never read", path.as_str()))
            })?;
            let origin = match &read.content {
                Some(content) => Origin::Text(content.clone()),
                None => Origin::Beside { path: path.clone(), size: read.size },
            };
            let id = self.fixed(path.as_str(), read.digest, origin);
            self.private.insert(id);
            files.insert(format!("{COMBUSTION}/{name}"), id);
        }
        if lowered.is_mixed {
            // Each engine finds its configuration once: Ignition would take the disk's, Combustion that of fw_cfg.
            let folder = if lowered.transports.ignition == Transport::Disk { IGNITION } else { COMBUSTION };
            files.retain(|path, _| path.split('/').next() == Some(folder));
        }
        let raw = self.add(file::CONFIG_RAW, Builder::FatVolume { label, epoch: recipe.epoch, files });
        self.output(file::CONFIG_RAW, raw, Role::ConfigDisk);
        let qcow2 = self.add(file::CONFIG_QCOW2, Builder::Qcow2FromRaw { raw });
        self.output(file::CONFIG_QCOW2, qcow2, Role::ConfigDisk);
        if recipe.provision.media == Some(Media::Gpt) {
            let usb = self.add(file::CONFIG_USB, Builder::GptDisk { volume: raw, label });
            self.output(file::CONFIG_USB, usb, Role::ConfigUsb);
        }
        Ok(())
    }
}

fn machine(recipe: &Recipe, lowered: &GuestConfig) -> Machine {
    let spec = &recipe.machine;
    let ways = lowered.transports;
    let config = lowered.has_config().then_some((FwCfgName::Ignition, file::CONFIG_IGN, ways.ignition));
    let script = lowered.script.is_some().then_some((FwCfgName::Combustion, file::SCRIPT, ways.combustion));
    let entries: Vec<_> = config.into_iter().chain(script).collect();
    let by_fw_cfg = entries.iter().filter(|(.., way)| lowered.is_mixed && *way == Transport::FwCfg);
    let mixed: Vec<_> = by_fw_cfg.map(|(name, file, _)| (*name, *file)).collect();
    let common = entries.first().map_or(ways.ignition, |(.., way)| *way);
    Machine {
        name: recipe.name.clone(),
        description: recipe.description.clone(),
        arch: spec.arch,
        memory: *spec.memory,
        vcpus: spec.vcpus(),
        firmware: spec.firmware(),
        accel: spec.accel,
        network: spec.network.clone(),
        graphics: spec.graphics,
        osinfo: spec.osinfo.as_ref().map_or_else(|| osinfo(&recipe.base.source.value).into(), ToString::to_string),
        storage: spec.storage.value.clone(),
        base: recipe.base.kind.bundled(),
        mode: spec.system_mode(),
        data: spec.disks.clone(),
        config_disk: lowered.label,
        payload: lowered.medium == Some(PayloadMedium::PayloadDisk),
        report: lowered.report.is_some(),
        fw_cfg: entries.iter().map(|(name, file, _)| (*name, *file)).collect(),
        transport: if lowered.is_mixed { Transport::Disk } else { common },
        mixed,
        hardware: spec.hardware.clone(),
    }
}

/// Chooses a libosinfo id by the image's name.
fn osinfo(source: &Source) -> &'static str {
    let [tumbleweed, other] = super::machine::OSINFO;
    if is_rolling(source.file_name()) { tumbleweed } else { other }
}

/// Hashes all that reaches a byte: outputs, the machine, the revision of the launch files.
fn plan_id(recipe: &Recipe, outputs: &BTreeMap<String, Output>, machine: &Machine) -> Digest {
    let mut encoder = Encoder::new("plan");
    encoder.text(recipe.name.as_str()).number(recipe.epoch).number(super::machine::LAUNCH_REVISION);
    encoder.number(outputs.len() as u64);
    for (name, output) in outputs {
        encoder.text(name).digest(&output.derivation.0);
    }
    encode_machine(&mut encoder, machine);
    encoder.finish()
}

fn encode_machine(encoder: &mut Encoder, machine: &Machine) {
    encoder.text(machine.name.as_str()).text(machine.arch.as_str()).number(machine.memory.0);
    match &machine.description {
        Some(description) => encoder.number(1).text(description),
        None => encoder.number(0),
    };
    encoder.number(u64::from(machine.vcpus)).text(machine.firmware.as_str()).text(machine.accel.as_str());
    encoder.text(&machine.network.to_string()).text(machine.graphics.as_str()).text(&machine.osinfo);
    encoder.text(machine.storage.as_str()).text(machine.base.as_str()).text(machine.mode.as_str());
    encoder.number(machine.data.len() as u64);
    for disk in &machine.data {
        encoder.text(disk.serial.as_str()).number(disk.size.0);
    }
    encoder.text(machine.config_disk.map_or("", |label| label.as_str())).number(machine.fw_cfg.len() as u64);
    for (name, file) in &machine.fw_cfg {
        encoder.text(name.as_str()).text(file);
    }
    encoder.text(machine.transport.as_str());
    // Only where there is one: machines without keep the ids they had.
    if machine.payload {
        encoder.text("payload");
    }
    if machine.report {
        encoder.text("report");
    }
    for (name, _) in &machine.mixed {
        encoder.text("mixed").text(name.as_str());
    }
    if !machine.hardware.is_plain() {
        // Its fields in the order of the type, those that are set: one text for one value.
        encoder.text("hardware").text(&serde_json::to_string(&machine.hardware).unwrap_or_default());
    }
}
