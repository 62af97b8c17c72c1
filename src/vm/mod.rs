//! Other programs (qemu, ssh) and the instances they run. No byte of a bundle comes from here.
//!
//! May start processes and touch the directories of instances. A program is found in `PATH`, started without a shell with
//! an argument list, and its output is bounded; where it is missing the error says which package brings it. Read next:
//! [`program`].
#![expect(clippy::disallowed_methods, reason = "this floor is the address of processes and instance directories")]

pub(crate) mod accel;
pub(crate) mod console;
pub(crate) mod copy;
pub(crate) mod directory;
pub(crate) mod disks;
pub(crate) mod medium;
pub(crate) mod program;
pub(crate) mod qemu;
pub(crate) mod qmp;
pub(crate) mod signals;
pub(crate) mod ssh;
pub(crate) mod tpm;
pub(crate) mod watch;

pub(crate) use program::Program;
