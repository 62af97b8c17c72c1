//! THE MAP (being written).

pub mod base;
pub mod bundle;
pub mod cli;
pub mod emit;
pub mod fetch;
pub mod format;
pub mod host;
pub mod inspect;
pub mod lock;
pub mod ops;
pub mod plan;
pub mod provision;
pub mod realise;
pub mod recipe;
pub mod report;
pub mod store;
pub mod stream;
