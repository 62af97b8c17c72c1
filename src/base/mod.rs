//! The words everyone uses: digests, names, sizes, addresses, events and problems.
//!
//! Pure values with a rule each; whoever holds one holds a checked one. Touches nothing.
//! Read next: [`problem`] (how every failure is told), then `recipe`.

pub mod digest;
pub mod event;
pub mod name;
pub mod problem;
pub mod rule;
pub mod secret;
pub mod size;
pub mod text;
pub mod url;
pub mod words;

pub use digest::{DerivationId, Digest};
pub use event::{Event, Events};
pub use name::Name;
pub use problem::{Code, Place, Problem, Problems};
pub use rule::{Finding, Rule, Severity};
pub use secret::Secret;
pub use size::ByteSize;
pub use url::Url;
pub use words::{
    Arch, BaseKind, Compression, DiskLabel, DiskSerial, Engine, FwCfgName, MacAddress, StorageDir, Transport,
};
