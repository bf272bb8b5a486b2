//! The playbook library.

/// The playbooks that can be launched.
#[derive(Debug)]
pub struct Library {}
