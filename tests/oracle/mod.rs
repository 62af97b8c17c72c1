//! Does the field agree? Real tools judge what we make; see tests/README.md.

mod archive;
mod bundle;
mod carried;
mod encoders;
mod formats;
mod import_config;
mod import_diff;
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
