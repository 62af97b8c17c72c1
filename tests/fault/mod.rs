//! What if it breaks in the middle? One module per topic; the rows are those of `SECURITY.md`. See tests/README.md.

mod archive;
mod base_images;
mod concurrent;
mod gate;
mod gate_crowd;
mod gate_errors;
mod gate_fuzz;
mod gate_kill;
mod gate_limits;

mod gate_power;
mod gate_rot;
mod input_changes;
mod install;
mod interrupt;
mod kill;
mod net;
mod net_matrix;
mod net_proxy;
mod net_table;
mod net_tls;
mod packed;
mod pieces;
mod pool;
mod registry;
mod store;
mod store_bundles;
mod store_collector;
mod store_processes;
