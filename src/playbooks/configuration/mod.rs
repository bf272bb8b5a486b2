//! A project's `ansible.cfg`, honoured but for what Admiral must own. Pure.
//!
//! Relative paths in a configuration are relative to its folder, so the merged text takes the place of the project's own file.

mod ini;
mod merge;
mod owned;

pub use ini::ConfigurationError;
pub use merge::{Merged, Ours, Terms, file_of, merge};

use crate::domain::playbook::PlaybookFile;
use ini::Ini;

/// Where a package has its configuration: at its root, which is the working directory of a run.
pub const FILE_NAME: &str = "ansible.cfg";

/// The project's settings for `ansible-galaxy`: section, key and value.
pub fn galaxy_settings(files: &[PlaybookFile]) -> Result<Vec<(String, String, String)>, ConfigurationError> {
    let Some(file) = find(files) else {
        return Ok(Vec::new());
    };
    let ini = Ini::parse(&file.content)?;
    Ok(ini
        .entries()
        .filter(|(section, ..)| *section == "galaxy" || section.starts_with("galaxy_server."))
        .map(|(section, key, value)| (section.to_owned(), key.to_owned(), value.to_owned()))
        .collect())
}

/// The configuration among a package's files.
pub fn find(files: &[PlaybookFile]) -> Option<&PlaybookFile> {
    files.iter().find(|file| file.path == FILE_NAME)
}
