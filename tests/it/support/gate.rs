//! A gate that a playbook waits at until a test opens it: a port, because files of the machine may not be there for an isolated run.

use super::ssh_hosts::free_port;
use std::net::{Ipv4Addr, TcpListener};

/// Shut at first.
pub struct Gate {
    port: u16,
    open: Option<TcpListener>,
}

impl Gate {
    pub fn new() -> Self {
        Self {
            port: free_port(),
            open: None,
        }
    }

    /// What a task with `ansible.builtin.wait_for` waits for.
    pub fn condition(&self) -> String {
        format!("host: 127.0.0.1, port: {}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn open(&mut self) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).expect("the port was free a moment ago");
        self.open = Some(listener);
    }
}
