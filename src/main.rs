//! The program: see `arca_build::cli`, and the map in `src/lib.rs`.

fn main() -> std::process::ExitCode {
    arca_build::cli::main()
}
