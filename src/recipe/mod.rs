//! TOML text → [`Recipe`] as written, every complaint with file, line and column.
//!
//! Parsing touches no file and no network. Read next: [`model`] (what a recipe can say), then `lock`.

pub mod model;

pub use model::*;
