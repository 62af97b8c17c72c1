//! Does it boot and apply? See tests/README.md.

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
