//! Does the person see the right thing? The real binary, a clean world, whole outputs. See tests/README.md.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests touch the world, and end loudly"
)]

#[path = "../support/mod.rs"]
mod support;
#[path = "../support/virsh.rs"]
mod virsh;

mod airgap;
mod build;
mod carry;
mod check;
mod completions;
mod determinism;
mod diff;
mod doctor;
mod documents;
mod explain;
mod import_config;
mod install;
mod mirror;
mod mistakes;
mod offline;
mod passwd;
mod progress;
mod registry;
mod rules;
mod run;
mod secrets;
mod shipped;
mod small;
mod store;
mod store_golden;
mod story;
mod update;
mod update_signed;
