//! Integration tests: real PostgreSQL, real `ansible-playbook`, real `sshd`.

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
mod deployments_api;
mod playbooks;
mod scheduler;
mod stream;
mod inventory_render;
mod keeper;
mod support;
mod tidy;
mod worker;
