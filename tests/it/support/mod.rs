//! What the tests stand on.

pub mod ansible;
pub mod database;
pub mod processes;
pub mod server;
pub mod ssh_hosts;
