//! The real Ansible, in the oldest and the newest version we support.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

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

/// A `bin` folder in `folder` with an `ansible-playbook` that accounts other than ours can run too: our Python may lie in our home.
pub fn ansible_for_all(folder: &Path) -> PathBuf {
    let environment = ansible_bins()[0].parent().expect("a virtual environment").to_owned();
    let libraries = std::fs::read_dir(environment.join("lib"))
        .expect("a virtual environment")
        .flatten();
    let libraries = libraries
        .map(|entry| entry.path().join("site-packages"))
        .next()
        .expect("a Python");
    let bin = folder.join("ansible/bin");
    std::fs::create_dir_all(&bin).expect("the folder is writable");
    for program in ["ansible-playbook", "ansible-galaxy"] {
        let script = format!(
            "#!/bin/sh\nPYTHONPATH='{}' exec /usr/bin/python3 '{}' \"$@\"\n",
            libraries.display(),
            environment.join("bin").join(program).display()
        );
        let path = bin.join(program);
        std::fs::write(&path, script).expect("the folder is writable");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("the folder is ours");
    }
    let answer = std::process::Command::new(bin.join("ansible-playbook"))
        .arg("--version")
        .output();
    assert!(
        answer.as_ref().is_ok_and(|answer| answer.status.success()),
        "the system's Python does not run Ansible: {answer:?}"
    );
    bin
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
