//! Integration tests: real PostgreSQL, real `ansible-playbook`, real `sshd`.

mod inventory_render;
mod keeper;
mod support;
