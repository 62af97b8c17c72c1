//! (`Recipe`, `Lock`, `LocalFiles`) → [`Plan`]: derivations, canonical encoding, ids.

pub mod machine;

pub use machine::*;
