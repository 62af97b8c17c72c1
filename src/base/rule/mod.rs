//! Rules that know MicroOS: their stable ids, how severe each is, why it is there and what to do. Touches nothing.
//!
//! The ids stand on the lowest floor because a recipe allows a rule by its id, `provision` finds what breaks one, and
//! `report` explains it. Nobody can make a finding of a rule that has no row. Read next: [`table`], the one table.

mod finding;
mod table;

pub(crate) use finding::Finding;
pub(crate) use table::{Rule, Severity};
