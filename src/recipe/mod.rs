//! TOML text → [`Recipe`] as written, every complaint with file, line and column.
//!
//! Parsing touches no file and no network. Read next: [`model`] (what a recipe can say), then `lock`.

pub mod local;
pub mod model;

pub use local::{CONTENT_LIMIT, LocalFile, LocalFiles, Use};
pub use model::*;
