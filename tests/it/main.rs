//! Integration tests: real PostgreSQL, real `ansible-playbook`, real `sshd`.

#![expect(clippy::unwrap_used, reason = "a test ends where it is surprised")]

mod api_document;
mod api_fleet;
mod api_roles;
mod api_server;
mod api_sign_in;
mod api_users;
mod canary;
mod cancel;
mod deployments_api;
mod deployments_reading;
mod embedded;
mod golden;
mod host_keys;
mod ingest;
mod inventory_render;
mod keeper;
mod parity;
mod playbooks;
mod retention;
mod runner;
mod scheduler;
mod settings;
mod shell_inventory;
mod stream;
mod support;
mod telemetry;
mod tidy;
mod viewers;
mod worker;
