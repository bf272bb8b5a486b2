//! The playbook library: what can be launched, frozen to a [`Snapshot`] when it is.

pub mod acceleration;
pub mod adhoc;
pub mod ansible;
pub mod archive;
pub mod builtin;
pub mod check;
pub mod configuration;
mod folder;
pub mod form;
mod front_matter;
pub mod galaxy;
pub mod git;
mod library;
mod lint;
pub mod mitogen;
mod outline;
mod paths;
mod review;
mod room;
mod snapshot;
pub mod upload;
pub mod vault_ids;
pub mod versions;
mod watch;
mod yaml;

pub use ansible::{AnsibleError, AnsibleTools, SyntaxContext, SyntaxError};
pub use library::{Library, LibraryConfig, LibraryError, find_entry_points};
pub use outline::outline;
pub use review::{MAX_FINDINGS, review};
pub use snapshot::{MAX_FILES, MAX_TOTAL_BYTES, Snapshot};
pub use watch::watch;
