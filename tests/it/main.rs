//! Integration tests: real PostgreSQL, real `ansible-playbook`, real `sshd`.

mod embedded;
mod golden;
mod ingest;
mod runner;
mod support;
mod worker;
