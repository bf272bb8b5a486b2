//! Integration tests: real PostgreSQL, real `ansible-playbook`, real `sshd`.

mod embedded;
mod ingest;
mod runner;
mod support;
mod worker;
