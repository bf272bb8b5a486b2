//! Integration tests: real PostgreSQL, real `ansible-playbook`, real `sshd`.

mod support;
