//! Other people's formats as pure bytes: one folder each. `Read`/`Write` in, values or bytes out; touches nothing.
//!
//! Whatever reads bytes that we did not make is bounded: checked arithmetic, no allocation sized by a field, no
//! panic. Read next: [`qcow2`] (the gate every base passes), [`fat`] (the config disk), [`magic`] (what a file is).

pub mod archive;
pub mod bytes;
pub mod checksums;
pub mod combustion;
pub mod fat;
pub mod gpt;
pub mod ignition;
pub mod iso;
pub mod magic;
pub mod metalink;
pub mod oci;
pub mod openpgp;
pub mod packed;
pub mod pem;
pub mod qcow2;
pub mod raw;
