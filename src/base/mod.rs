//! The words everyone uses: digests, names, sizes, addresses, events and diagnostics.
//!
//! Pure values with a rule each; whoever holds one holds a checked one. Touches nothing.
//! Read next: [`diagnostic`] (how every failure is told), then `recipe`.

pub(crate) mod diagnostic;
pub(crate) mod digest;
pub(crate) mod event;
pub(crate) mod image_name;
pub(crate) mod location;
pub(crate) mod rule;
pub(crate) mod secret;
pub(crate) mod size;
pub(crate) mod text;
pub(crate) mod url;
pub(crate) mod words;

pub(crate) use diagnostic::{Code, Diagnostic, Diagnostics, Kind};
pub(crate) use digest::{DerivationId, Digest};
pub(crate) use event::{Event, Events};
pub(crate) use location::{Location, Spanned};
pub(crate) use rule::{Finding, Rule, Severity};
pub(crate) use secret::Secret;
pub(crate) use size::ByteSize;
pub(crate) use url::Url;
pub(crate) use words::{
    Arch, BaseKind, Compression, DiskLabel, DiskSerial, Engine, FwCfgName, MacAddress, Name, StorageDir, Transport,
};
