//! A project's `ansible.cfg`, honoured but for what Admiral must own. Pure.
//!
//! Relative paths in a configuration are relative to its folder, so the merged text takes the place of the project's own file.

mod ini;
mod merge;
mod owned;

pub use ini::ConfigurationError;
pub use merge::{Merged, Ours, Terms, merge};

use crate::domain::playbook::PlaybookFile;

/// Where a package has its configuration: at its root, which is the working directory of a run.
pub const FILE_NAME: &str = "ansible.cfg";

/// The configuration among a package's files.
pub fn find(files: &[PlaybookFile]) -> Option<&PlaybookFile> {
    files.iter().find(|file| file.path == FILE_NAME)
}
