//! One file for each command: its arguments, what it does, what it returns (a `Serialize` type) and how that prints.
//!
//! At the bottom stand [`context`] (the global options, and what they open), [`printer`] (stdout and stderr) and [`recipes`]
//! (read, plan, realise). Touches the world through the modules above. Read next: [`build`].

pub(crate) mod build;
pub(crate) mod check;
pub(crate) mod context;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod fetch;
pub(crate) mod import;
pub(crate) mod import_config;
pub(crate) mod inspect;
pub(crate) mod install;
mod kept_vms;
mod launch_source;
pub(crate) mod mirror;
mod moved;
pub(crate) mod new;
pub(crate) mod passwd;
pub(crate) mod plan;
pub(crate) mod printer;
mod progress;
mod rebuild;
mod recipe_file;
mod recipes;
mod roots;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod show;
pub(crate) mod snapshot;
pub(crate) mod ssh;
pub(crate) mod store;
mod terminal;
pub(crate) mod uninstall;
pub(crate) mod update;
pub(crate) mod verify;
pub(crate) mod vms;
