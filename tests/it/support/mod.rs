//! What the tests stand on.

pub mod app;
pub mod ansible;
pub mod database;
pub mod fleet;
pub mod stage;
pub mod launchpad;
pub mod library;
