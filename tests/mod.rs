//! The tests that are more than one function's: a folder a question, as tests/README.md says. They are a part of the library's test
//! binary, so that nothing of the library is public for their sake. Those that run the program find it beside this binary
//! (`support::program`).
#![allow(
    clippy::type_complexity,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests touch the world, end loudly, and tell how long a boot took"
)]

mod support;

mod cli;
mod fault;
mod golden;
mod guest;
mod house;
mod oracle;
