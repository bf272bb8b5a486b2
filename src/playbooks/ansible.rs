//! The stock `ansible-playbook`: where it is, and what it says about a playbook's syntax.

use super::{
    configuration::{self, Ours, Terms},
    room,
    vault_ids::OpenedPassword,
};
use crate::{
    domain::playbook::PlaybookFile,
    process::{self, ProcessError},
    runner::{Look, PassingSecrets, ScratchFolder, Seclusion, SeclusionError},
};
use std::{
    env, fs, io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

/// The oldest ansible-core that is supported.
pub const OLDEST: (u32, u32) = (2, 16);

const PROGRAM: &str = "ansible-playbook";
const VERSION_TIMEOUT: Duration = Duration::from_mins(1);
const SYNTAX_TIMEOUT: Duration = Duration::from_mins(2);
/// A message longer than this, in characters, is cut.
const MAX_MESSAGE: usize = 4000;

/// The Ansible that Admiral wraps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnsibleTools {
    /// The program.
    pub ansible_playbook: PathBuf,
    /// The version of ansible-core, such as `2.19.14`.
    pub version: String,
}

/// Why there is no Ansible to wrap.
#[derive(Debug, thiserror::Error)]
pub enum AnsibleError {
    /// Nowhere to be found.
    #[error(
        "ansible-playbook was not found; install ansible-core 2.16 or later, or set ADMIRAL_ANSIBLE_BIN to its folder"
    )]
    Missing,
    /// It does not run.
    #[error("failed to run {}", path.display())]
    Run {
        /// The program.
        path: PathBuf,
        /// Why not.
        #[source]
        source: ProcessError,
    },
    /// It runs, but does not answer as Ansible does.
    #[error("{} does not tell its version: {answer}", path.display())]
    Unknown {
        /// The program.
        path: PathBuf,
        /// What it said.
        answer: String,
    },
    /// Older than [`OLDEST`].
    #[error("ansible-core {version} at {} is too old: 2.16 or later is needed", path.display())]
    TooOld {
        /// The program.
        path: PathBuf,
        /// Its version.
        version: String,
    },
}

/// What came of a syntax check that did not pass.
#[derive(Debug, thiserror::Error)]
pub enum SyntaxError {
    /// Ansible refused the playbook; its own words.
    #[error("{0}")]
    Refused(String),
    /// The files could not be written.
    #[error("failed to lay out the playbook's files")]
    Files(#[source] io::Error),
    /// Ansible itself is broken: this says nothing about the playbook.
    #[error("ansible-playbook does not work: {0}")]
    Broken(String),
    /// Ansible could not be run to its end: this says nothing about the playbook.
    #[error("failed to run the syntax check")]
    Process(#[from] ProcessError),
    /// It could not be isolated, and so was not run: this says nothing about the playbook.
    #[error("isolation is required and does not work here: {0}")]
    Unavailable(String),
}

impl From<SeclusionError> for SyntaxError {
    fn from(error: SeclusionError) -> Self {
        match error {
            SeclusionError::Unavailable(reason) => Self::Unavailable(reason),
            SeclusionError::Files(source) => Self::Files(source),
        }
    }
}

/// Finds Ansible: `explicit` (a program, or the folder it is in), `ADMIRAL_ANSIBLE_BIN` (a folder), `.venv/bin` in the working
/// directory or beside the repository that our own binary was built in, `PATH`.
pub async fn discover(explicit: Option<&Path>) -> Result<AnsibleTools, AnsibleError> {
    let path = find(explicit).ok_or(AnsibleError::Missing)?;
    let version = read_version(&path).await?;
    Ok(AnsibleTools {
        ansible_playbook: path,
        version,
    })
}

/// Where a program of Ansible's is, such as `ansible`: the first in `PATH`, else where [`discover`] looks.
pub fn find_for_user(name: &str) -> Option<PathBuf> {
    // Relative folders too, as a shell looks: it is what the user would start.
    let path = env::var_os("PATH").unwrap_or_default();
    let of_shell: Vec<PathBuf> = env::split_paths(&path)
        .map(|folder| absolute(&Path::new(".").join(folder)))
        .collect();
    process::find_program(name, &of_shell).or_else(|| process::find_program(name, &folders()))
}

fn find(explicit: Option<&Path>) -> Option<PathBuf> {
    if let Some(explicit) = explicit {
        let path = if explicit.is_dir() {
            explicit.join(PROGRAM)
        } else {
            explicit.to_owned()
        };
        return process::find_program(&absolute(&path).to_string_lossy(), &[]);
    }
    process::find_program(PROGRAM, &folders())
}

/// Where Ansible is looked for before `PATH`.
fn folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Some(folder) = env::var_os("ADMIRAL_ANSIBLE_BIN").filter(|folder| !folder.is_empty()) {
        folders.push(absolute(Path::new(&folder)));
    }
    if let Ok(folder) = env::current_dir() {
        folders.push(folder.join(".venv/bin"));
    }
    if let Ok(binary) = env::current_exe() {
        let repository = binary.ancestors().find(|folder| folder.join("Cargo.toml").is_file());
        folders.extend(repository.map(|folder| folder.join(".venv/bin")));
    }
    folders
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

async fn read_version(path: &Path) -> Result<String, AnsibleError> {
    let text = version_text(path).await?;
    let Some(version) = parse_version(&text) else {
        let answer = text.lines().next().unwrap_or_default().chars().take(200).collect();
        return Err(AnsibleError::Unknown {
            path: path.to_owned(),
            answer,
        });
    };
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    if (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < OLDEST {
        return Err(AnsibleError::TooOld {
            path: path.to_owned(),
            version: version.to_owned(),
        });
    }
    Ok(version.to_owned())
}

/// What `ansible-playbook --version` says.
pub(super) async fn version_text(path: &Path) -> Result<String, AnsibleError> {
    let home = tempfile::tempdir().map_err(|source| AnsibleError::Run {
        path: path.to_owned(),
        source: ProcessError::Start {
            program: path.to_string_lossy().into_owned(),
            source,
        },
    })?;
    let mut command = process::command(path);
    // Names a configuration so that none is looked for elsewhere; Ansible passes over a file that is not there.
    command
        .envs(process::base_environment(home.path()))
        .env("ANSIBLE_CONFIG", home.path().join("ansible.cfg"))
        .arg("--version");
    command.current_dir(home.path());
    let answer = process::run_captured(command, VERSION_TIMEOUT)
        .await
        .map_err(|source| AnsibleError::Run {
            path: path.to_owned(),
            source,
        })?;
    let text = answer.stdout_text();
    Ok(if text.trim().is_empty() {
        answer.stderr_text()
    } else {
        text
    })
}

/// `ansible-playbook [core 2.19.14]` on the first line.
pub(super) fn parse_version(text: &str) -> Option<&str> {
    let (_, rest) = text.lines().next()?.split_once("[core ")?;
    let version = rest.split([']', ' ']).next()?;
    version
        .starts_with(|first: char| first.is_ascii_digit())
        .then_some(version)
}

/// What a playbook may need besides its files to be read.
#[derive(Debug, Clone, Copy, Default)]
pub struct SyntaxContext<'a> {
    /// The text of an extra-vars file.
    pub extra_vars: Option<&'a str>,
    /// Passwords of `ansible-vault`.
    pub vault_passwords: &'a [OpenedPassword],
    /// The folder with the roles and collections that `ansible-galaxy` fetched.
    pub galaxy: Option<&'a Path>,
    /// It ships with Admiral, and is looked at even where nothing can be isolated.
    pub is_builtin: bool,
}

/// Runs `ansible-playbook --syntax-check` on the files in a temporary folder, with nothing of our own environment. Ansible still runs
/// lookups in the names of files, and passwords that are scripts, so it runs in seclusion.
pub(super) async fn syntax_check(
    tools: &AnsibleTools,
    seclusion: &Seclusion,
    files: &[PlaybookFile],
    entry_path: &str,
    context: SyntaxContext<'_>,
) -> Result<(), SyntaxError> {
    let folder = ScratchFolder::create("admiral-syntax-", None).map_err(SyntaxError::Files)?;
    let (project, home) = (folder.path().join("project"), folder.path().join("home"));
    let (owned, layout) = (files.to_vec(), project.clone());
    tokio::task::spawn_blocking(move || lay_out(&layout, &owned))
        .await
        .unwrap_or_else(|_| Err(io::Error::other("interrupted")))
        .and_then(|()| {
            fs::DirBuilder::new()
                .mode(0o700)
                .recursive(true)
                .create(home.join("tmp"))
        })
        .map_err(SyntaxError::Files)?;
    // Everything is looked for where a run looks for it.
    let ours = Ours {
        project: project.clone(),
        galaxy: context.galaxy.map(Path::to_owned),
        ..Ours::default()
    };
    let merged = configuration::merge(files, Terms::default(), &ours);
    let text = merged.map_err(|error| SyntaxError::Refused(error.to_string()))?.text;
    let configuration = match configuration::find(files) {
        Some(_) => {
            let path = project.join(configuration::FILE_NAME);
            fs::remove_file(&path).map_err(SyntaxError::Files)?;
            path
        }
        None => folder.path().join(configuration::FILE_NAME),
    };
    write_file(&configuration, 0o600, text.as_bytes()).map_err(SyntaxError::Files)?;
    // Kept until the check has ended.
    let secrets = match context.vault_passwords {
        [] => None,
        _ => Some(PassingSecrets::create().map_err(SyntaxError::Files)?),
    };
    // Written before they are given to the program's account.
    let mut arguments: Vec<String> = Vec::new();
    if let Some(secrets) = &secrets {
        for (number, opened) in context.vault_passwords.iter().enumerate() {
            let path = secrets
                .write(&format!("vault-{number}"), &opened.password)
                .map_err(SyntaxError::Files)?;
            arguments.push(vault_id_argument(&opened.vault_id, &path));
        }
    }
    if let Some(text) = context.extra_vars {
        let path = folder.path().join("extra-vars.yml");
        write_file(&path, 0o600, text.as_bytes()).map_err(SyntaxError::Files)?;
        arguments.push(format!("--extra-vars=@{}", path.display()));
    }
    let seclusion = if context.is_builtin {
        &seclusion.for_builtin()
    } else {
        seclusion
    };
    let mut command = seclusion.command(Look {
        program: &tools.ansible_playbook,
        folder: &project,
        readable: context.galaxy.as_slice(),
        own: secrets.as_ref().map(PassingSecrets::path).as_slice(),
        writable: &[folder.path()],
    })?;
    command
        .envs(process::base_environment(&home))
        .env("ANSIBLE_CONFIG", &configuration)
        .env("ANSIBLE_HOME", home.join(".ansible"))
        .env("ANSIBLE_NOCOLOR", "1")
        .env("ANSIBLE_DEPRECATION_WARNINGS", "0")
        .env("ANSIBLE_LOCALHOST_WARNING", "0")
        .env("TMPDIR", home.join("tmp"))
        .args(["--syntax-check", "--inventory", "localhost,"]);
    command.args(arguments);
    // The leading `./` keeps a name that begins with `-` from being read as an option.
    command.arg(format!("./{entry_path}"));
    let captured = tokio::select! {
        captured = process::run_captured(command, SYNTAX_TIMEOUT) => captured?,
        () = room::used_up(folder.path().to_owned(), room::MAX_SCRATCH) => {
            return Err(SyntaxError::Refused(room::SCRATCH_FULL.to_owned()));
        }
    };
    if captured.status.success() {
        return Ok(());
    }
    let (errors, output) = (captured.stderr_text(), captured.stdout_text());
    let said = if errors.trim().is_empty() { output } else { errors };
    let message = clean_message(&said, folder.path());
    // 1 and 4 are what it answers for a playbook it cannot read. 5 is for options, 250 for an exception, none for a signal. And
    // bubblewrap ends with 1 where it cannot do its work.
    if !matches!(captured.status.code(), Some(1..=4)) || message.starts_with("bwrap: ") {
        return Err(SyntaxError::Broken(format!(
            "it ended with {}: {message}",
            captured.status
        )));
    }
    if message.is_empty() {
        return Err(SyntaxError::Refused(format!(
            "ansible-playbook ended with {} and said nothing",
            captured.status
        )));
    }
    Err(SyntaxError::Refused(message))
}

/// Tells Ansible where the password of a vault id is.
pub fn vault_id_argument(vault_id: &str, path: &Path) -> String {
    format!("--vault-id={vault_id}@{}", path.display())
}

/// Writes a package's files into a new folder that only we can read.
pub(super) fn lay_out(project: &Path, files: &[PlaybookFile]) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.mode(0o700).recursive(true).create(project)?;
    for file in files {
        let path = project.join(&file.path);
        if let Some(parent) = path.parent() {
            builder.create(parent)?;
        }
        write_file(&path, file.mode & 0o700, &file.content)?;
    }
    Ok(())
}

pub(super) fn write_file(path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    io::Write::write_all(&mut file, content)
}

/// Ansible's message from the first error on, with paths as the author of the playbook knows them.
fn clean_message(said: &str, folder: &Path) -> String {
    let is_error =
        |line: &&str| line.starts_with("ERROR!") || line.starts_with("[ERROR]") || line.starts_with("fatal:");
    let lines: Vec<&str> = said.lines().collect();
    let start = lines.iter().position(is_error).unwrap_or(0);
    let mut text = lines[start..].join("\n");
    for folder in [
        folder.canonicalize().unwrap_or_else(|_| folder.to_owned()),
        folder.to_owned(),
    ] {
        let folder = folder.to_string_lossy();
        for (found, shown) in [
            (format!("{folder}/project/./"), ""),
            (format!("{folder}/project/"), ""),
            (format!("{folder}/project"), "."),
            (format!("{folder}/home/"), "~/"),
            (format!("{folder}/"), ""),
        ] {
            text = text.replace(&found, shown);
        }
    }
    let text = text.trim();
    let text = text
        .strip_prefix("ERROR!")
        .or_else(|| text.strip_prefix("[ERROR]:"))
        .unwrap_or(text)
        .trim_start();
    if text.chars().count() <= MAX_MESSAGE {
        return text.to_owned();
    }
    text.chars().take(MAX_MESSAGE).chain("…".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(
            parse_version("ansible-playbook [core 2.19.14]\n  config file = None\n"),
            Some("2.19.14")
        );
        assert_eq!(
            parse_version("ansible-playbook [core 2.20.0rc1] (x)\n"),
            Some("2.20.0rc1")
        );
        for text in ["", "ansible-playbook 2.9.27\n", "[core x]\n"] {
            assert_eq!(parse_version(text), None, "{text:?}");
        }
    }

    #[test]
    fn messages_name_the_authors_own_files() {
        let folder = Path::new("/tmp/admiral-syntax-x");
        let said = "[WARNING]: something\n[ERROR]: YAML parsing failed.\nOrigin: /tmp/admiral-syntax-x/project/site/a.yml:5:5\n\n5 x\n";
        assert_eq!(
            clean_message(said, folder),
            "YAML parsing failed.\nOrigin: site/a.yml:5:5\n\n5 x"
        );
        let said = "ERROR! the role 'nope' was not found in /tmp/admiral-syntax-x/project/roles:/tmp/admiral-syntax-x/home/.ansible/roles:/tmp/admiral-syntax-x/project\n";
        assert_eq!(
            clean_message(said, folder),
            "the role 'nope' was not found in roles:~/.ansible/roles:."
        );
        assert!(clean_message(&"x".repeat(5000), folder).chars().count() <= MAX_MESSAGE + 1);
    }
}
