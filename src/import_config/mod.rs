//! What people have already → a recipe: an Ignition config, a Combustion script, a virt-install command, a domain XML.
//!
//! What a file is, is told by its content. Nothing that a file names is ever opened: a stranger's XML would otherwise bring
//! any file of the user's into a recipe. What a recipe cannot say is listed, in the recipe's comments and in [`ImportedRecipe::skipped`],
//! by the name of the option or element and never by its value, which may be a password. The recipe written always parses.
//! Touches nothing. Read next: [`kind`], then a reader (`ignition`, `virt_install`, `domain`), then `write`.

mod disk;
mod domain;
mod edit;
mod extras;
mod found;
mod hardware;
mod ignition;
mod input;
mod join;
mod kind;
mod options;
mod provision;
pub(crate) mod same;
mod toml_text;
mod virt_device;
mod virt_install;
mod virt_machine;
mod words;
mod write;
mod xpath;

pub(crate) use input::{ImportOptions, ImportedRecipe, InputFile, LIMIT};
pub(crate) use join::import;

#[cfg(test)]
mod tests;
