//! The playbook library that the tests' servers have.

use admiral::{
    playbooks::{AnsibleTools, Library, LibraryConfig},
    runner::{IsolationMode, Seclusion},
};
use std::sync::Arc;

/// An empty one, without an Ansible.
pub fn library() -> Arc<Library> {
    let nowhere = std::path::Path::new("/nonexistent");
    Arc::new(Library::new(LibraryConfig {
        builtin_folder: nowhere.join("builtin"),
        galaxy_folder: nowhere.join("galaxy"),
        project_folder: nowhere.join("custom"),
        ansible: AnsibleTools {
            ansible_playbook: nowhere.join("ansible-playbook"),
            version: "2.19.0".to_owned(),
        },
        seclusion: Seclusion::new(IsolationMode::None, nowhere.to_owned()).expect("a folder"),
    }))
}
