//! `[machine]`, read by hand. Touches nothing.

mod hardware;
pub(super) mod machine;
