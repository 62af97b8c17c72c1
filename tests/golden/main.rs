//! Did bytes or text change?

#[path = "../support/machines.rs"]
mod machines;

mod emit;
