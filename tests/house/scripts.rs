//! Does every shell script of this repository pass shellcheck? Starts shellcheck; writes nothing.

use crate::support::{output, tool};
use std::process::Command;

#[test]
fn every_shell_script_passes_shellcheck() {
    let Some(shellcheck) = tool("shellcheck") else { return };
    let scripts = ["tests/run", ".ci/run", "benches/run", "benches/chunking", "tests/support/guest/init"];
    output(Command::new(shellcheck).args(scripts).current_dir(env!("CARGO_MANIFEST_DIR"))).success();
}
