//! SQL and nothing else: the only user of `sqlx`. Functions take `&mut Connection`; row structs stay private.

pub mod database;

pub use database::{Connection, Database, StoreError};
