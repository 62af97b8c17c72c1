//! That there is a test of the program's own makes cargo build it for `cargo test`, whose tests (`tests/mod.rs`) run it.

#[test]
#[allow(clippy::disallowed_methods, reason = "a test runs the program")]
fn the_program_says_its_name_and_version() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_arca-build")).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    assert_eq!(text.ok().as_deref(), Some(concat!("arca-build ", env!("CARGO_PKG_VERSION"), "\n")));
}
