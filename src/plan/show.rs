//! A plan as people and programs read it; provisioned content shows as its digest and size only. Touches nothing.

use std::fmt;

use serde_json::{Value, json};

use super::{Builder, Derivation, Origin, Piece, Plan};
use crate::base::{ByteSize, text};
use crate::recipe::Source;

impl Plan {
    /// Returns the plan as JSON; no secret, no credential, no place of this machine.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "format": 1,
            "plan": self.id,
            "name": self.name.as_str(),
            "epoch": self.epoch,
            "machine": self.machine,
            "outputs": self.outputs,
            "derivations": self.derivations.iter().map(|derivation| self.derivation_json(derivation)).collect::<Vec<_>>(),
            "warnings": self.warnings,
        })
    }

    fn derivation_json(&self, derivation: &Derivation) -> Value {
        let (builder, revision) = derivation.builder.name_and_revision();
        let (id, title, inputs) = (derivation.id, &derivation.title, derivation.builder.inputs());
        let mut value = json!({"id": id, "title": title, "builder": builder, "revision": revision, "inputs": inputs});
        for (key, argument) in arguments(&derivation.builder) {
            value[key] = argument;
        }
        match self.origins.get(&derivation.id) {
            Some(Origin::Pinned { sources, size, .. }) => {
                value["from"] = sources.iter().map(show_source).collect();
                value["size"] = json!(size);
            }
            Some(Origin::Beside { path, size }) => {
                value["from"] = json!([path.as_str()]);
                value["size"] = json!(size);
            }
            Some(Origin::Text(content)) => {
                value["content"] = json!("***");
                value["size"] = json!(content.expose().len());
            }
            None => {}
        }
        value
    }
}

fn arguments(builder: &Builder) -> Vec<(&'static str, Value)> {
    match builder {
        Builder::Fixed { digest } => vec![("sha256", json!(digest))],
        Builder::FatVolume { label, epoch, files } => {
            vec![("label", json!(label)), ("epoch", json!(epoch)), ("files", json!(files))]
        }
        Builder::Unpack { compression, kind, size, .. } => {
            vec![("compression", json!(compression)), ("kind", json!(kind)), ("unpacked_size", json!(size))]
        }
        Builder::Qcow2FromDisk { compression, size, .. } => {
            vec![("compression", json!(compression)), ("unpacked_size", json!(size))]
        }
        Builder::Qcow2FromRaw { .. } => vec![],
        Builder::GptDisk { label, .. } => vec![("label", json!(label))],
        Builder::Overlay { backing_file, size, .. } => {
            vec![("backing_file", json!(backing_file)), ("virtual_size", json!(size))]
        }
        Builder::Grow { size, .. } => vec![("virtual_size", json!(size))],
        Builder::Blank { size } => vec![("virtual_size", json!(size))],
        Builder::Filled { pieces } => vec![("pieces", pieces.iter().map(Piece::form).collect())],
        Builder::PayloadTar { files } => vec![("files", json!(files))],
        Builder::OciArchive { name, .. } => vec![("image_name", json!(name))],
    }
}

fn show_source(source: &Source) -> String {
    match source {
        Source::Url(url) => url.to_string(),
        Source::Path(path) => path.as_str().to_owned(),
    }
}

/// One line for each thing that will be made.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "plan {} for `{}`", self.id, self.name)?;
        for derivation in &self.derivations {
            let (builder, _) = derivation.builder.name_and_revision();
            let title = text::one_line(&derivation.title, 40);
            writeln!(f, "  {}  {:<15}  {title}{}", derivation.id.0.short(), builder, self.detail(derivation))?;
        }
        writeln!(f, "bundle")?;
        for (name, output) in &self.outputs {
            writeln!(f, "  {:<24}  from {}", name, output.derivation.0.short())?;
        }
        writeln!(f, "  + launch files, manifest.json, SHA256SUMS")
    }
}

impl Plan {
    fn detail(&self, derivation: &Derivation) -> String {
        let sized = |size: &Option<ByteSize>| size.map_or_else(|| "as the base".to_owned(), |size| size.to_string());
        match (&derivation.builder, self.origins.get(&derivation.id)) {
            (Builder::Fixed { digest }, Some(Origin::Pinned { sources, .. })) => {
                let from = sources.first().map(show_source).unwrap_or_default();
                format!("  sha256:{} from {}", digest.short(), text::one_line(&from, 120))
            }
            (Builder::Fixed { digest }, Some(Origin::Text(content))) => {
                format!("  sha256:{} ({}, content ***)", digest.short(), ByteSize(content.expose().len() as u64))
            }
            (Builder::Fixed { digest }, _) => format!("  sha256:{}", digest.short()),
            (Builder::FatVolume { label, files, .. }, _) => {
                format!("  label `{label}`, {}", text::count(files.len(), "file"))
            }
            (Builder::Overlay { size, backing_file, .. }, _) => format!("  {} on {backing_file}", sized(size)),
            (Builder::Grow { size, .. }, _) => format!("  {}", sized(size)),
            (Builder::Blank { size }, _) => format!("  {size}"),
            (Builder::Unpack { compression, size, .. } | Builder::Qcow2FromDisk { compression, size, .. }, _) => {
                let exact = size.map(|size| format!(", {size}")).unwrap_or_default();
                format!("  compression {compression}{exact}")
            }
            (Builder::Filled { pieces }, _) => format!("  {}", text::count(pieces.len(), "piece")),
            (Builder::PayloadTar { files }, _) => format!("  {}", text::count(files.len(), "file")),
            (Builder::OciArchive { name, blobs, .. }, _) => {
                format!("  {}, {}", text::one_line(name, 120), text::count(blobs.len() + 1, "blob"))
            }
            (Builder::Qcow2FromRaw { .. } | Builder::GptDisk { .. }, _) => String::new(),
        }
    }
}
