//! Integration tests: real PostgreSQL, real `ansible-playbook`, real `sshd`.

mod embedded;
mod golden;
mod ingest;
mod runner;
mod inventory_render;
mod keeper;
mod support;
mod worker;
