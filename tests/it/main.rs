//! Integration tests: real PostgreSQL, real `ansible-playbook`, real `sshd`.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails, in its supporting functions too"
)]

mod api_document;
mod api_fleet;
mod api_roles;
mod api_server;
mod api_sign_in;
mod api_users;
mod deployments_api;
mod deployments_reading;
mod playbooks;
mod scheduler;
mod stream;
mod support;
