//! What the tests stand on.

pub mod accounts;
pub mod ansible;
pub mod app;
pub mod archives;
pub mod cluster;
pub mod database;
pub mod doors;
pub mod fleet;
pub mod gate;
pub mod git_hosts;
pub mod git_stage;
pub mod invariants;
pub mod launchpad;
pub mod library;
pub mod machine;
pub mod mounts;
pub mod outcome;
pub mod plain;
pub mod processes;
pub mod proxy;
pub mod server;
pub mod shell;
pub mod ssh_hosts;
pub mod stage;
pub mod workers;
