//! The playbook library: what can be launched, frozen to a [`Snapshot`] when it is.

pub mod ansible;
pub mod builtin;
mod library;
mod outline;
mod snapshot;

pub use ansible::{AnsibleError, AnsibleTools, SyntaxError};
pub use library::{Library, LibraryConfig, LibraryError};
pub use snapshot::{MAX_FILES, MAX_TOTAL_BYTES, Snapshot};
