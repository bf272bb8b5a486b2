//! What the tests stand on.

pub mod ansible;
pub mod database;
