//! SQL and nothing else: the only user of `sqlx`. Functions take `&mut Connection`; row structs stay private.

pub mod audit;
mod availability;
pub mod claims;
pub mod copy_rows;
pub mod database;
pub mod deployment_servers;
pub mod deployments;
pub mod environments;
pub mod events;
pub mod folds;
pub mod galaxy_servers;
pub mod host_keys;
pub mod ingest;
pub mod keys;
pub mod links;
pub mod notifications;
pub mod output;
pub mod packages;
pub mod partitions;
pub mod playbooks;
pub mod presets;
pub mod projects;
pub mod recordings;
pub mod retention;
pub mod run_ends;
pub mod run_targets;
pub mod runs;
pub mod servers;
pub mod sessions;
pub mod settings;
pub mod statistics;
pub mod syntax;
pub mod tokens;
pub mod users;
pub mod vault_keys;
pub mod vault_passwords;
pub mod webhooks;
pub mod workers;

pub use database::{Connection, Database, Schema, StoreError};

/// A stored word back as its enum; `what` names the column in the error.
pub(in crate::store) fn word<T: std::str::FromStr>(text: &str, what: &'static str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Corrupt(what))
}
