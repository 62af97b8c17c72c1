//! What if it breaks in the middle? One module per topic; the rows are those of the fault list.

#[path = "../support/server.rs"]
mod server;

mod net;
mod net_tls;
