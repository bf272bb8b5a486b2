//! Integration tests: real PostgreSQL, real `ansible-playbook`, real `sshd`.

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
