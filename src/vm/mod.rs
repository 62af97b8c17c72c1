//! Other programs (qemu, virsh, ssh) and the instances they run. No byte of a bundle comes from here.
//!
//! May start processes and touch the directories of instances. A program is found in `PATH`, started without a shell with
//! an argument list, and its output is bounded; where it is missing the error says which package brings it. Read next:
//! [`program`].
#![expect(clippy::disallowed_methods, reason = "this floor is the address of processes and instance directories")]

pub mod accel;
pub mod console;
pub mod copy;
pub mod directory;
pub mod disks;
pub mod instance;
pub mod medium;
pub mod preflight;
pub mod program;
pub mod qemu;
pub mod qmp;
pub mod signals;
pub mod ssh;
pub mod tpm;
pub mod virsh;
pub mod watch;

pub use program::{Finished, Program};
