//! Programs and the environment they are given.

use super::open_files::restore_in_child;
use std::{
    collections::BTreeMap,
    env,
    ffi::OsStr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
};

const STANDARD_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A command with an empty environment and a closed standard input, killed when dropped.
pub fn command(program: impl AsRef<OsStr>) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(program);
    restore_in_child(command.as_std_mut());
    command.env_clear().stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// All that a child may know of our own environment: `PATH`, `TZ` when set, `LANG=C.UTF-8`, and the given `HOME`.
pub fn base_environment(home: &Path) -> BTreeMap<String, String> {
    let path = env::var("PATH")
        .ok()
        .filter(|path| !path.is_empty())
        .unwrap_or_else(|| STANDARD_PATH.to_owned());
    let mut environment = BTreeMap::from([
        ("HOME".to_owned(), home.to_string_lossy().into_owned()),
        ("LANG".to_owned(), "C.UTF-8".to_owned()),
        ("PATH".to_owned(), path),
    ]);
    if let Ok(zone) = env::var("TZ") {
        environment.insert("TZ".to_owned(), zone);
    }
    environment
}

/// The first executable file of that name in `extra_dirs`, then in `PATH`. A name with a slash is taken as it is.
pub fn find_program(name: &str, extra_dirs: &[PathBuf]) -> Option<PathBuf> {
    if name.contains('/') {
        return is_executable(Path::new(name)).then(|| PathBuf::from(name));
    }
    let path = env::var_os("PATH").unwrap_or_else(|| STANDARD_PATH.into());
    extra_dirs
        .iter()
        .cloned()
        .chain(env::split_paths(&path).filter(|folder| folder.is_absolute()))
        .map(|folder| folder.join(name))
        .find(|candidate| is_executable(candidate))
}

fn is_executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_the_allowed_names_is_passed_on() {
        let environment = base_environment(Path::new("/somewhere"));
        for name in environment.keys() {
            assert!(["HOME", "LANG", "PATH", "TZ"].contains(&name.as_str()), "{name}");
        }
        assert_eq!(environment["HOME"], "/somewhere");
        assert!(
            env::vars().count() > environment.len(),
            "the test has an environment to leak"
        );
    }

    #[test]
    fn a_program_is_found_by_name_in_extra_folders_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let own = folder.path().join("sh");
        std::fs::write(&own, "").expect("a file");
        let folders = [folder.path().to_owned()];
        assert_ne!(find_program("sh", &folders), Some(own.clone()), "not executable");
        std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o755)).expect("made executable");
        assert_eq!(find_program("sh", &folders), Some(own));
        assert!(find_program("sh", &[]).is_some());
        assert_eq!(find_program("/no/such/program", &[]), None);
        assert_eq!(find_program("no-such-program-anywhere", &[]), None);
    }
}
