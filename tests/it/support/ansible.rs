//! The real Ansible, in the oldest and the newest version we support.

use std::path::{Path, PathBuf};

/// The `bin` folders of the Ansible versions to test with.
///
/// `ADMIRAL_TEST_ANSIBLE_BINS` names them, separated by colons; else `.venv/bin` and `.venv-oldest/bin` of the repository.
pub fn ansible_bins() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let bins: Vec<PathBuf> = match std::env::var("ADMIRAL_TEST_ANSIBLE_BINS") {
        Ok(list) => list
            .split(':')
            .filter(|bin| !bin.is_empty())
            .map(PathBuf::from)
            .collect(),
        Err(_) => [".venv/bin", ".venv-oldest/bin"].map(|bin| root.join(bin)).to_vec(),
    };
    assert!(!bins.is_empty(), "ADMIRAL_TEST_ANSIBLE_BINS names no folder");
    for bin in &bins {
        assert!(
            bin.join("ansible-playbook").exists(),
            "there is no ansible-playbook in {}; make the virtual environments, or name others in ADMIRAL_TEST_ANSIBLE_BINS",
            bin.display()
        );
    }
    bins
}

/// The `bin` folder that holds `ansible-lint`: `ADMIRAL_TEST_LINT_BIN`, or `.venv-lint/bin` of the repository.
pub fn lint_bin() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv-lint/bin");
    let bin = std::env::var_os("ADMIRAL_TEST_LINT_BIN").map_or(own, PathBuf::from);
    assert!(
        bin.join("ansible-lint").exists(),
        "there is no ansible-lint in {}",
        bin.display()
    );
    bin
}
