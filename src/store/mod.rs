//! SQL and nothing else: the only user of `sqlx`. Functions take `&mut Connection`; row structs stay private.

pub mod database;
pub mod deployment_servers;
pub mod deployments;
pub mod events;
pub mod notifications;
pub mod output;
pub mod playbooks;

pub use database::{Connection, Database, StoreError};
