//! Domains that libvirt runs: what must hold before one is installed, what was installed, and virsh. No byte of a bundle
//! comes from here.
//!
//! May start virsh (by `crate::vm::program`) and touch the storage directories of instances. Read next: [`preflight`],
//! [`instance`], [`virsh`].
#![expect(clippy::disallowed_methods, reason = "this floor is the address of installed instances")]

pub(crate) mod instance;
pub(crate) mod preflight;
pub(crate) mod virsh;
