//! Other people's formats as pure bytes: one folder each. `Read`/`Write` in, values or bytes out; touches nothing.
//!
//! Whatever reads bytes that we did not make is bounded: checked arithmetic, no allocation sized by a field, no
//! panic. Read next: [`qcow2`] (the gate every base passes), [`fat`] (the config disk), [`magic`] (what a file is).

pub(crate) mod archive;
pub(crate) mod bytes;
pub(crate) mod checksums;
pub(crate) mod combustion;
pub(crate) mod fat;
pub(crate) mod gpt;
pub(crate) mod ignition;
pub(crate) mod iso;
pub(crate) mod magic;
pub(crate) mod metalink;
pub(crate) mod oci;
pub(crate) mod openpgp;
pub(crate) mod packed;
pub(crate) mod pem;
pub(crate) mod qcow2;
pub(crate) mod raw;
pub(crate) mod superblock;
pub(crate) mod toml;
pub(crate) mod xml;
