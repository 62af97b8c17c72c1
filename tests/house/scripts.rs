//! Does every shell script of this repository pass shellcheck? Starts shellcheck; writes nothing.

use crate::tests::support::{output, tool};
use std::process::Command;

#[test]
fn every_shell_script_passes_shellcheck() {
    let Some(shellcheck) = tool("shellcheck") else { return };
    let microos = ["bootable", "build", "combustion", "first-boot", "report", "update-ca-certificates"];
    let scripts = ["tests/run", ".ci/run", "benches/run", "benches/chunking", "tests/support/guest/init"];
    let microos = microos.map(|name| format!("tests/guest/microos/{name}"));
    let selfinstall = ["build", "common", "installer", "system"].map(|name| format!("tests/guest/selfinstall/{name}"));
    let scripts = scripts.map(str::to_owned).into_iter().chain(microos).chain(selfinstall);
    output(Command::new(shellcheck).args(scripts).current_dir(env!("CARGO_MANIFEST_DIR"))).success();
}
