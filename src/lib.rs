//! THE MAP (being written).

pub mod base;
pub mod plan;
pub mod recipe;
