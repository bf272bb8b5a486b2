//! Integration tests: real PostgreSQL, real `ansible-playbook`, real `sshd`.

mod deployments_api;
mod playbooks;
mod stream;
mod support;
