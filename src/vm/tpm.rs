//! The TPM of a machine, emulated by swtpm beside QEMU. Starts processes.
//!
//! Its state lies among the disks, so that it is kept, copied and brought back with them. Source: swtpm(8).

use std::path::Path;
use std::time::{Duration, Instant};

use super::Program;
use super::disks::DISKS;
use super::qemu::Child;
use crate::base::{Code, Diagnostic};

/// Its socket in the instance's directory.
pub(crate) const SOCKET: &str = "tpm.sock";
/// How long it may take to make its socket.
const LIMIT: Duration = Duration::from_secs(30);

/// Starts it, and waits until it listens.
pub(crate) fn start(swtpm: &Program, directory: &Path) -> Result<Child, Diagnostic> {
    let socket = directory.join(SOCKET);
    // Of a run that was killed.
    let _ = std::fs::remove_file(&socket);
    let (state, control) = (format!("dir={DISKS}"), format!("type=unixio,path={SOCKET}"));
    let words = ["socket", "--tpm2", "--tpmstate", &state, "--ctrl", &control, "--terminate"].map(str::to_owned);
    let mut child = Child::start(swtpm, directory, &words)?;
    let begun = Instant::now();
    while !socket.exists() {
        if child.ended().is_some() || begun.elapsed() >= LIMIT {
            return Err(child.told(Diagnostic::new(Code::Tool, "swtpm does not start")));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(child)
}
