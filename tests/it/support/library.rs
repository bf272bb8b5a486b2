//! The playbook library that the tests' servers have.

use admiral::playbooks::Library;
use std::sync::Arc;

/// An empty one.
pub fn library() -> Arc<Library> {
    Arc::new(Library {})
}
