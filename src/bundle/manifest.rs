//! `manifest.json`: every file of a bundle with its digest, size, mode and role. Touches nothing.
//!
//! The format is versioned; the text is canonical (sorted, two-space indented, one final line end), so its digest
//! stands for the bundle.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::{Code, Diagnostic, Digest};
use crate::plan::{Plan, Role};

/// The version of this format.
pub(crate) const FORMAT: u32 = 1;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// The file's name in the bundle; a bundle has no directories.
    pub path: String,
    pub sha256: Digest,
    /// Bytes.
    pub size: u64,
    /// Permission bits, four octal digits.
    pub mode: String,
    pub role: Role,
}

impl Entry {
    pub(super) fn new(path: &str, sha256: Digest, size: u64, mode: u32, role: Role) -> Self {
        Self { path: path.to_owned(), sha256, size, mode: format!("{mode:04o}"), role }
    }
}

/// What a bundle says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub format: u32,
    pub name: String,
    /// The plan's id.
    pub plan: Digest,
    /// Seconds since 1970 that stand for every time stamp inside.
    pub epoch: u64,
    /// The revision of each builder that took part.
    pub builders: BTreeMap<String, u64>,
    pub files: Vec<Entry>,
}

impl Manifest {
    pub(super) fn new(plan: &Plan, files: Vec<Entry>) -> Self {
        let revisions = plan.derivations.iter().map(|derivation| derivation.builder.name_and_revision());
        let mut builders: BTreeMap<_, _> = revisions.map(|(name, revision)| (name.to_owned(), revision)).collect();
        builders.insert("launch".to_owned(), crate::plan::LAUNCH_REVISION);
        Self { format: FORMAT, name: plan.name.to_string(), plan: plan.id, epoch: plan.epoch, builders, files }
    }

    /// Writes the canonical text.
    pub(crate) fn to_text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Returns the digest that stands for the bundle.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(self.to_text().as_bytes())
    }

    /// Reads a manifest; unknown keys, a newer format and file names with a `/` are refused.
    pub(crate) fn parse(text: &str) -> Result<Self, Diagnostic> {
        let refuse = |why: String| Diagnostic::new(Code::CacheCorrupt, "`manifest.json` is not one of ours").cause(why);
        let manifest: Self = serde_json::from_str(text).map_err(|error| refuse(error.to_string()))?;
        if manifest.format != FORMAT {
            return Err(refuse(format!(
                "format {} is not known to this version, which knows {FORMAT}",
                manifest.format
            )));
        }
        let odd = |path: &str| path.is_empty() || path.contains('/') || path == "." || path == "..";
        match manifest.files.iter().find(|entry| odd(&entry.path)) {
            Some(entry) => Err(refuse(format!("{:?} is not a file name", entry.path))),
            None => Ok(manifest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let entry = Entry::new("config.raw", Digest::of(b""), 0, 0o400, Role::ConfigDisk);
        let builders = BTreeMap::from([("fat-volume".to_owned(), 1)]);
        Manifest { format: 1, name: "nas".into(), plan: Digest::of(b"plan"), epoch: 0, builders, files: vec![entry] }
    }

    #[test]
    fn printing_and_parsing_are_inverse() {
        assert_eq!(Manifest::parse(&manifest().to_text()), Ok(manifest()));
        assert!(manifest().to_text().ends_with("}\n"));
        assert!(
            manifest().to_text().contains("\"mode\": \"0400\"") && manifest().to_text().contains("\"config-disk\"")
        );
    }

    #[test]
    fn a_hostile_or_newer_manifest_is_refused() {
        let text = manifest().to_text();
        for (from, to) in [
            ("config.raw", "../etc/passwd"),
            ("\"format\": 1", "\"format\": 2"),
            ("\"epoch\"", "\"epoc\""),
            ("\"config.raw\"", "\"..\""),
        ] {
            assert!(Manifest::parse(&text.replace(from, to)).is_err(), "{to}");
        }
    }
}
