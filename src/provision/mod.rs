//! What a recipe wants in the guest → Ignition config and Combustion script; the rules that know MicroOS. Touches nothing.
//!
//! `guest` is the plain data at the bottom; `items` fill it from the recipe, one file a topic; `engines` write it; `report`
//! and `explain` follow from it. Read next: `guest`, then `compile`, which puts them together.

mod checks;
mod compile;
pub(crate) mod crypt;
mod diagnostics;
pub(crate) mod engines;
pub(crate) mod explain;
pub(crate) mod facts;
pub(crate) mod guest;
mod hash;
mod items;
mod keys;
mod lints;
mod outputs;
mod path;
mod payload;
pub(crate) mod pins;
pub(crate) mod ready;
mod report;
pub(crate) mod rules;
mod subvolume;

pub(crate) use compile::{Checked, GuestConfig, check, compile};
pub(crate) use diagnostics::Allowed;

#[cfg(test)]
mod tests;
