//! Integration tests: real PostgreSQL, real `ansible-playbook`, real `sshd`.

#![expect(clippy::unwrap_used, reason = "a test ends where it is surprised")]

mod accelerator;
mod api_document;
mod api_fleet;
mod api_roles;
mod api_server;
mod api_sign_in;
mod api_users;
mod canary;
mod cancel;
mod claims;
mod clock_jumps;
mod deaf;
mod deployments_api;
mod deployments_reading;
mod drain;
mod embedded;
mod full_disk;
mod golden;
mod graceful_stop;
mod host_keys;
mod ingest;
mod inventory_render;
mod keeper;
mod kill_points;
mod lost_machine;
mod lost_processes;
mod many_workers;
mod outage;
mod package_versions;
mod parity;
mod playbooks;
mod retention;
mod roles;
mod runner;
mod scheduler;
mod settings;
mod shell_inventory;
mod soak;
mod stream;
mod support;
mod telemetry;
mod tidy;
mod viewers;
mod worker;
