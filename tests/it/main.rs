//! Integration tests: real PostgreSQL, real `ansible-playbook`, real `sshd`.

mod api_document;
mod api_fleet;
mod api_roles;
mod api_server;
mod api_sign_in;
mod api_users;
mod deployments_api;
mod embedded;
mod golden;
mod ingest;
mod inventory_render;
mod keeper;
mod playbooks;
mod runner;
mod scheduler;
mod stream;
mod support;
mod worker;
