//! A machine in the words of libvirt, virt-install and QEMU, as data that is read in both directions. Touches nothing.
//!
//! [`keys`]: one row for each key of the hardware, which `emit` writes and `import_config` reads back. [`standing`]: the elements
//! that every domain has. [`options`]: the keys of virt-install's options, and where in the domain each stands.
//!
//! To add a hardware key: its field in `recipe/hardware.rs`, with type, default and text, and its row in [`keys`]; where
//! virt-install has an option that [`options`] does not know yet, a row there too.

pub(crate) mod keys;
pub(crate) mod options;
pub(crate) mod standing;
