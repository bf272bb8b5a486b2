//! Integration tests: real PostgreSQL, real `ansible-playbook`, real `sshd`.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails, in its supporting functions too"
)]

mod embedded;
mod golden;
mod ingest;
mod runner;
mod api_document;
mod api_fleet;
mod api_roles;
mod api_server;
mod api_sign_in;
mod api_users;
mod canary;
mod cancel;
mod deployments_api;
mod embedded;
mod golden;
mod host_keys;
mod ingest;
mod inventory_render;
mod keeper;
mod parity;
mod deployments_reading;
mod ingest;
mod inventory_render;
mod keeper;
mod playbooks;
mod runner;
mod scheduler;
mod shell_inventory;
mod stream;
mod inventory_render;
mod keeper;
mod support;
mod tidy;
mod viewers;
mod worker;
