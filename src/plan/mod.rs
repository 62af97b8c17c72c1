//! (`Recipe`, pinned base, `LocalFiles`, lowered provisioning) → [`Plan`]: derivations, canonical encoding, ids.
//!
//! All deciding happens here, on values; the same three inputs give the same plan on any machine. Touches nothing.
//! Read next: [`machine`] (what launch files are written from), then `realise`, which makes a plan exist.

mod carry;
pub(crate) mod derivation;
mod encode;
pub(crate) mod machine;
mod make;
mod show;

use std::collections::BTreeMap;

pub(crate) use derivation::{Builder, Derivation, Piece};
pub(crate) use machine::*;
pub(crate) use make::plan;

use crate::base::{BaseKind, ByteSize, DerivationId, Digest, Finding, Name, Secret, Url};
use crate::recipe::{RecipePath, Source};

/// Where the bytes of a fixed-output derivation come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Any of these addresses, tried in order.
    Pinned {
        sources: Vec<Source>,
        size: Option<ByteSize>,
        /// Where the publisher lists further mirrors.
        metalink: Option<Url>,
        /// As what the bytes must pass the gate before they get a final name; none where any bytes will do.
        gate: Option<BaseKind>,
    },
    /// A file beside the recipe.
    Beside { path: RecipePath, size: ByteSize },
    /// Text that the plan itself holds; it may hold secrets.
    Text(Secret<Vec<u8>>),
}

/// What a bundle file is for; stands in the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    Base,
    System,
    Data,
    ConfigDisk,
    ConfigUsb,
    IgnitionConfig,
    CombustionScript,
    /// What is carried for the guest on a disk of its own.
    Payload,
    /// What the guest should report.
    Report,
    Launch,
}

impl Role {
    /// Returns whether the file holds provisioning, which others on the host must not read.
    pub(crate) const fn is_private(self) -> bool {
        matches!(
            self,
            Self::ConfigDisk
                | Self::ConfigUsb
                | Self::IgnitionConfig
                | Self::CombustionScript
                | Self::Payload
                | Self::Report
        )
    }
}

/// One file of the bundle that a derivation makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Output {
    pub derivation: DerivationId,
    pub role: Role,
}

/// Everything that a build will do, as a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The digest of all that reaches a byte of the bundle.
    pub id: Digest,
    pub name: Name,
    pub epoch: u64,
    /// Inputs before what reads them.
    pub derivations: Vec<Derivation>,
    /// One for every fixed-output derivation.
    pub origins: BTreeMap<DerivationId, Origin>,
    /// Which of them hold provisioning.
    pub private: std::collections::BTreeSet<DerivationId>,
    /// By file name in the bundle.
    pub outputs: BTreeMap<String, Output>,
    pub machine: Machine,
    /// What the rules noticed; no part of the id.
    pub warnings: Vec<Finding>,
}

impl Plan {
    /// Finds a derivation by id.
    pub(crate) fn derivation(&self, id: &DerivationId) -> Option<&Derivation> {
        self.derivations.iter().find(|derivation| derivation.id == *id)
    }

    /// Returns the pinned inputs, the base first: each derivation and where it comes from.
    pub(crate) fn pinned(&self) -> impl Iterator<Item = (&Derivation, &Origin)> {
        self.derivations.iter().filter_map(|derivation| {
            let origin = self.origins.get(&derivation.id)?;
            matches!(origin, Origin::Pinned { .. }).then_some((derivation, origin))
        })
    }
}
