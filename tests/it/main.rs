//! Integration tests: real PostgreSQL, real `ansible-playbook`, real `sshd`.

mod cancel;
mod canary;
mod host_keys;
mod parity;
mod shell_inventory;
mod embedded;
mod runner;
mod inventory_render;
mod keeper;
mod support;
mod viewers;
