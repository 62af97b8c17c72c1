//! A machine in the words of libvirt, virt-install and QEMU, as data that is read in both directions. Touches nothing.
//!
//! [`keys`]: one row for each key of the hardware, which `emit` writes and `import_config` reads back. [`standing`]: the elements
//! that every domain has. [`options`]: the keys of virt-install's options, and where in the domain each stands.
//!
//! To add a hardware key: its field, type and parser in `recipe/hardware.rs` and `recipe/parse/hardware.rs`, and its row in
//! [`keys`]; where virt-install has an option of its own for it, a row in [`options`] too.

pub(crate) mod keys;
pub(crate) mod options;
pub(crate) mod standing;
