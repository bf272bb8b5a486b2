//! Admiral: an Ansible-compatible orchestrator.
//!
//! Imports only point down; `src/ARCHITECTURE.md` draws the modules and `tests/it/tidy.rs` holds them to it.

pub mod api;
pub mod auth;
pub mod cli;
pub mod domain;
pub mod embedded;
pub mod events;
pub mod ingest;
pub mod inventory;
pub mod playbooks;
pub mod process;
pub mod runner;
pub mod scheduler;
pub mod store;
pub mod telemetry;
pub mod vault;
pub mod worker;
