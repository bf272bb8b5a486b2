//! Integration tests: real PostgreSQL, real `ansible-playbook`, real `sshd`.

mod embedded;
mod runner;
mod support;
mod tidy;
