//! Git projects: a repository's commit becomes a version of a package.
//!
//! A repository is somebody else's: its address, its references, its names and its contents are judged before they mean anything, git
//! is run with everything switched off that a repository could use, and nothing is checked out.

mod access;
mod error;
mod fetch;
mod projects;
mod push;
pub mod reference;
mod session;
mod submodules;
mod tree;
pub mod url;

pub use access::{AccessError, GitSource};
pub(super) use access::{GitAccess, environment};
pub use error::GitError;
pub use projects::{GitProjects, SyncError};
pub use push::Push;
pub use reference::{Reference, ReferenceError};
pub use url::{GitUrl, UrlError};
