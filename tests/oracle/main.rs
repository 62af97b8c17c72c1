//! Does the field agree? Real tools judge what we make; see tests/README.md.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests touch the world, and end loudly"
)]

#[path = "../support/launch.rs"]
mod launch;
#[path = "../support/libvirtd.rs"]
mod libvirtd;
#[path = "../support/machines.rs"]
mod machines;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/xml.rs"]
mod xml;

mod archive;
mod bundle;
mod carried;
mod encoders;
mod formats;
mod import_config;
mod libraries;
mod libvirt;
mod nix;
mod packed;
mod passwd;
mod provision;
mod qemu_argv;
mod registry;
mod report;
mod schema;
mod scripts;
mod settings;
mod signatures;
mod steps;
mod storage;
mod virt_install;
