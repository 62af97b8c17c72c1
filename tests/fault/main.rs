//! What if it breaks in the middle? A lying server, a full disk, a kill, two processes at once.

#[path = "../support/mod.rs"]
mod support;

mod store;
mod store_bundles;
mod store_collector;
mod store_processes;
