//! What the tests stand on.

pub mod ansible;
pub mod database;
pub mod fleet;
pub mod stage;
