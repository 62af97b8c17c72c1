//! Does it boot and apply? See tests/README.md.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests touch the world, end loudly, and tell how long a boot took"
)]

#[path = "../support/libvirtd.rs"]
mod libvirtd;
#[path = "../support/mod.rs"]
mod support;

mod aarch64;
mod boot;
mod bootable;
mod contract;
mod demo;
mod doctor;
mod equivalence;
mod install;
mod kept;
mod kernel;
mod microos;
mod picture;
mod pool;
mod report;
mod run;
mod run_ends;
mod run_test;
mod selfinstall;
