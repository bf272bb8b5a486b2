//! What the tests stand on.

pub mod app;
pub mod database;
pub mod library;
pub mod launchpad;
pub mod fleet;
