//! The playbook library: what can be launched, frozen to a [`Snapshot`] when it is.

pub mod acceleration;
pub mod ansible;
pub mod builtin;
pub mod configuration;
mod folder;
mod front_matter;
mod library;
pub mod mitogen;
mod outline;
mod snapshot;
pub mod vault_ids;
pub mod versions;
mod yaml;

pub use ansible::{AnsibleError, AnsibleTools, SyntaxContext, SyntaxError};
pub use library::{Library, LibraryConfig, LibraryError, find_entry_points};
pub use outline::outline;
pub use snapshot::{MAX_FILES, MAX_TOTAL_BYTES, Snapshot};
