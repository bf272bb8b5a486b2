//! Mitogen, the accelerator: whether the Ansible that Admiral wraps has it, and whether the two go together.

use super::ansible::{self, AnsibleError};
use crate::process::{self, ProcessError};
use std::{
    collections::HashMap,
    env,
    path::{Path, PathBuf},
    sync::{LazyLock, Mutex, PoisonError},
    time::Duration,
};

/// Which version of Mitogen was the first to support a version of ansible-core: the number after `2.`, and Mitogen's version.
/// From Mitogen's changelog.
const SUPPORT: [(u32, [u32; 3]); 6] = [
    (16, [0, 3, 7]),
    (17, [0, 3, 9]),
    (18, [0, 3, 19]),
    (19, [0, 3, 25]),
    (20, [0, 3, 33]),
    (21, [0, 3, 49]),
];

/// Prints the version when both packages are there.
const PROBE: &str = "import ansible_mitogen, mitogen; print('.'.join(map(str, mitogen.__version__)))";
const PROBE_TIMEOUT: Duration = Duration::from_mins(1);

/// The Mitogen that belongs to an Ansible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mitogen {
    /// Its version, such as `0.3.54`.
    pub version: String,
    /// The Python that runs Ansible, in which it is installed.
    pub python: PathBuf,
}

/// Why an Ansible cannot be accelerated.
#[derive(Debug, thiserror::Error)]
pub enum MitogenError {
    /// Ansible itself does not answer.
    #[error(transparent)]
    Ansible(#[from] AnsibleError),
    /// Ansible does not say which Python runs it.
    #[error("{} does not say which Python runs it", .0.display())]
    NoPython(PathBuf),
    /// Python does not run.
    #[error("failed to run {}", python.display())]
    Run {
        /// The program.
        python: PathBuf,
        /// Why not.
        #[source]
        source: ProcessError,
    },
    /// It is not installed there.
    #[error(
        "Mitogen is not installed for the Ansible at {}; `{} -m pip install mitogen` installs it",
        ansible_playbook.display(),
        python.display()
    )]
    Missing {
        /// Ansible.
        ansible_playbook: PathBuf,
        /// The Python that runs it.
        python: PathBuf,
    },
    /// The two are not known to go together.
    #[error(
        "Mitogen {mitogen} is not known to work with ansible-core {ansible}{}",
        older_hint(ansible)
    )]
    Unsupported {
        /// Mitogen's version.
        mitogen: String,
        /// The version of ansible-core.
        ansible: String,
    },
}

/// What was found, by the path of `ansible-playbook`. A failure is not kept: installing Mitogen mends it while Admiral runs.
static FOUND: LazyLock<Mutex<HashMap<PathBuf, Mitogen>>> = LazyLock::new(Mutex::default);

/// The Mitogen of this `ansible-playbook`. Runs two programs the first time, a second's work; then it is known.
pub async fn find(ansible_playbook: &Path) -> Result<Mitogen, MitogenError> {
    let known = || FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(mitogen) = known().get(ansible_playbook) {
        return Ok(mitogen.clone());
    }
    let mitogen = look(ansible_playbook).await?;
    known().insert(ansible_playbook.to_owned(), mitogen.clone());
    Ok(mitogen)
}

async fn look(ansible_playbook: &Path) -> Result<Mitogen, MitogenError> {
    let text = ansible::version_text(ansible_playbook).await?;
    let python = parse_python(&text).ok_or_else(|| MitogenError::NoPython(ansible_playbook.to_owned()))?;
    // The home that a run has: a package may be installed for its user alone.
    let home = env::home_dir().unwrap_or_else(|| "/".into());
    let mut command = process::command(&python);
    command
        .envs(process::base_environment(&home))
        .current_dir("/")
        .args(["-c", PROBE]);
    let answer = process::run_captured(command, PROBE_TIMEOUT)
        .await
        .map_err(|source| MitogenError::Run {
            python: python.clone(),
            source,
        })?;
    let version = answer.stdout_text().trim().to_owned();
    if !answer.status.success() || version.is_empty() {
        return Err(MitogenError::Missing {
            ansible_playbook: ansible_playbook.to_owned(),
            python,
        });
    }
    let ansible = ansible::parse_version(&text).unwrap_or_default();
    if !go_together(ansible, &version) {
        return Err(MitogenError::Unsupported {
            mitogen: version,
            ansible: ansible.to_owned(),
        });
    }
    Ok(Mitogen { version, python })
}

/// `  python version = 3.11.2 (main, …) [GCC 12.2.0] (/srv/venv/bin/python)`.
fn parse_python(text: &str) -> Option<PathBuf> {
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("python version = "))?;
    let (_, path) = line.trim_end().strip_suffix(')')?.rsplit_once(" (")?;
    path.starts_with('/').then(|| path.into())
}

fn go_together(ansible: &str, mitogen: &str) -> bool {
    let ansible = numbers(ansible);
    let [major, minor, ..] = ansible.as_slice() else {
        return false;
    };
    SUPPORT
        .iter()
        .find(|(supported, _)| *major == 2 && supported == minor)
        .is_some_and(|(_, oldest)| numbers(mitogen).as_slice() >= oldest.as_slice())
}

fn older_hint(ansible: &str) -> String {
    let minor = numbers(ansible).get(1).copied();
    match SUPPORT.iter().find(|(supported, _)| Some(*supported) == minor) {
        Some((_, [major, minor, patch])) => format!(": {major}.{minor}.{patch} or later is needed"),
        None => String::new(),
    }
}

/// The leading numbers of a version: `2.20.0rc1` is 2, 20.
fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_python_is_read() {
        let text = "ansible-playbook [core 2.19.14]\n  config file = None\n  \
                    python version = 3.11.2 (main, Sep 1 2026, 00:00:00) [GCC 12.2.0] (/srv/a b/bin/python)\n  jinja version = 3.1.6\n";
        assert_eq!(parse_python(text), Some("/srv/a b/bin/python".into()));
        for text in ["", "python version = 3.11", "python version = 3.11 (x)"] {
            assert_eq!(parse_python(text), None, "{text:?}");
        }
    }

    #[test]
    fn versions_go_together_or_do_not() {
        for (ansible, mitogen, expected) in [
            ("2.19.14", "0.3.54", true),
            ("2.16.19", "0.3.54", true),
            ("2.16.19", "0.3.6", false),
            ("2.19.0", "0.3.24", false),
            ("2.19.0", "0.3.25", true),
            ("2.20.0rc1", "0.3.54.dev.0", true),
            ("2.15.3", "0.3.54", false),
            ("2.22.0", "0.3.54", false),
            ("3.0.0", "1.0.0", false),
            ("", "", false),
        ] {
            assert_eq!(go_together(ansible, mitogen), expected, "{ansible} {mitogen}");
        }
        let error = MitogenError::Unsupported {
            mitogen: "0.3.20".to_owned(),
            ansible: "2.19.14".to_owned(),
        };
        assert_eq!(
            error.to_string(),
            "Mitogen 0.3.20 is not known to work with ansible-core 2.19.14: 0.3.25 or later is needed"
        );
    }
}
