//! One sync's use of `git`: its folders, its credentials, and each call with everything switched off that a repository could turn
//! against us.
//!
//! Repositories are bare and made here. Nothing is checked out, so hooks, filters, attributes and the configuration of what is fetched
//! have no effect; what remains of git's own surface is its transport, which is held to `https` and `ssh`.

use super::{GitError, url::GitUrl};
use crate::{
    domain::PackageId,
    playbooks::room,
    process::{self, CaptureLimits, Captured, ProcessError},
    runner::SecretsFolder,
};
use secrecy::{ExposeSecret, SecretString};
use std::{
    env,
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::time::Instant;

/// A sync that takes longer is ended.
const LIMIT: Duration = Duration::from_mins(5);
/// A repository that takes more room on the disk is not fetched to its end: 512 MiB.
const MAX_DISK: u64 = 512 * 1024 * 1024;
/// What git may answer where no content is asked for: 8 MiB.
pub(super) const ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// Seconds after which a host that does not answer is given up.
const CONNECT_SECONDS: u32 = 20;

/// Names the file that the credential helper prints.
pub(super) const CREDENTIAL_VARIABLE: &str = "ADMIRAL_GIT_CREDENTIAL";
/// git asks it to `get`, and tells it to `store` and to `erase`.
pub(super) const CREDENTIAL_HELPER: &str = "!f() { test \"$1\" = get && cat \"$ADMIRAL_GIT_CREDENTIAL\"; }; f";

/// Options of `ssh` that offer no key.
pub(super) const NO_IDENTITY: &str = "-o IdentityFile=none -o PubkeyAuthentication=no";

/// Settings of every call. Given as arguments they outrank whatever a file says.
const SETTINGS: &[&str] = &[
    "protocol.allow=never",
    "protocol.https.allow=always",
    "protocol.ssh.allow=always",
    "protocol.version=2",
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.symlinks=false",
    "core.askPass=",
    "core.bigFileThreshold=16m",
    "credential.helper=",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "fetch.unpackLimit=1",
    "transfer.bundleURI=false",
    "http.sslVerify=true",
    // A redirect to another host gets no credentials: they are bound to one below.
    "http.followRedirects=initial",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
    "gc.auto=0",
    "maintenance.auto=false",
    "pack.threads=1",
];

/// What a repository is read with.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    /// A private key as `ssh` takes it without asking.
    pub(super) key: Option<SecretString>,
    /// With the token.
    pub(super) username: String,
    /// For https.
    pub(super) token: Option<SecretString>,
    /// Host keys that are trusted, as a `known_hosts` file.
    pub(super) known_hosts: String,
}

/// One sync's use of git. Its folders go when it goes.
#[derive(Debug)]
pub(super) struct Session {
    program: PathBuf,
    /// Repositories, and a home with nothing in it.
    work: PathBuf,
    /// In memory where there is a place for that.
    secrets: PathBuf,
    ca_file: Option<PathBuf>,
    /// Whose credentials these are.
    origin: GitUrl,
    username: String,
    token: Option<SecretString>,
    has_key: bool,
    deadline: Instant,
}

impl Session {
    /// Makes the folders. `folder` is where this machine keeps those of all projects; what an earlier sync of this one left there is
    /// removed, so call with the project's turn.
    pub(super) fn open(
        folder: &Path,
        package: PackageId,
        ca_file: Option<PathBuf>,
        origin: GitUrl,
        credentials: Credentials,
    ) -> Result<Self, GitError> {
        let program = process::find_program("git", &[]).ok_or(GitError::Missing)?;
        let work = folder.join(package.to_string());
        // By the project's own id: what a process that died left there makes way for this one.
        let secrets = SecretsFolder::create(package).map_err(GitError::Folder)?;
        let session = Self {
            program,
            work,
            secrets,
            ca_file,
            origin,
            username: credentials.username,
            token: credentials.token,
            has_key: credentials.key.is_some(),
            deadline: Instant::now() + LIMIT,
        };
        session
            .lay_out(folder, credentials.key.as_ref(), &credentials.known_hosts)
            .map_err(GitError::Folder)?;
        Ok(session)
    }

    fn lay_out(&self, folder: &Path, key: Option<&SecretString>, known_hosts: &str) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        remove(&self.work)?;
        // Not recursive: one that is there now is not ours.
        DirBuilder::new().mode(0o700).create(&self.work)?;
        DirBuilder::new().mode(0o700).create(self.work.join("home"))?;
        write_private(&self.known_hosts_path(), known_hosts.as_bytes())?;
        if let Some(key) = key {
            write_private(&self.key_path(), key.expose_secret().as_bytes())?;
        }
        if let Some(token) = &self.token {
            let answer = credential_answer(&self.username, token);
            write_private(&self.credential_path(), answer.expose_secret().as_bytes())?;
        }
        Ok(())
    }

    /// The time that is left.
    fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    fn known_hosts_path(&self) -> PathBuf {
        self.secrets.join("known_hosts")
    }

    fn key_path(&self) -> PathBuf {
        self.secrets.join("key")
    }

    fn credential_path(&self) -> PathBuf {
        self.secrets.join("credential")
    }

    /// The host keys that are trusted now.
    pub(super) fn known_hosts(&self) -> String {
        fs::read_to_string(self.known_hosts_path()).unwrap_or_default()
    }

    /// What must not be in any message.
    pub(super) fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if let Some(token) = self
            .token
            .as_ref()
            .map(ExposeSecret::expose_secret)
            .filter(|token| !token.is_empty())
        {
            text = text.replace(token, "********");
        }
        for folder in [&self.work, &self.secrets] {
            text = text.replace(&*folder.to_string_lossy(), "…");
        }
        text
    }

    /// An empty repository for a commit of this id: their lengths tell the two kinds of repositories apart.
    pub(super) async fn init(&self, name: &str, commit: &str) -> Result<PathBuf, GitError> {
        let format = if commit.len() == 64 { "sha256" } else { "sha1" };
        let repository = self.work.join(name);
        let mut arguments: Vec<OsString> = ["init", "--quiet", "--bare", "--template=", "--initial-branch=admiral"]
            .map(Into::into)
            .to_vec();
        arguments.push(format!("--object-format={format}").into());
        arguments.push("--".into());
        arguments.push(repository.clone().into());
        self.call(None, None, &arguments, None, ANSWER_BYTES).await?;
        Ok(repository)
    }

    /// Asks a remote something. `operands` come behind the address.
    pub(super) async fn ask_remote(
        &self,
        repository: Option<&Path>,
        url: &GitUrl,
        options: &[&str],
        operands: &[String],
    ) -> Result<Captured, GitError> {
        let mut arguments: Vec<OsString> = options.iter().map(Into::into).collect();
        arguments.push("--".into());
        arguments.push(url.to_string().into());
        arguments.extend(operands.iter().map(Into::into));
        self.call(repository, Some(url), &arguments, None, ANSWER_BYTES).await
    }

    /// Asks a repository something, which is fed `input`.
    pub(super) async fn ask(
        &self,
        repository: &Path,
        arguments: &[&str],
        input: Option<&str>,
        stdout_bytes: usize,
    ) -> Result<Captured, GitError> {
        let arguments: Vec<OsString> = arguments.iter().map(Into::into).collect();
        self.call(Some(repository), None, &arguments, input, stdout_bytes).await
    }

    async fn call(
        &self,
        repository: Option<&Path>,
        remote: Option<&GitUrl>,
        arguments: &[OsString],
        input: Option<&str>,
        stdout_bytes: usize,
    ) -> Result<Captured, GitError> {
        let mut command = process::command(&self.program);
        command.envs(process::base_environment(&self.work.join("home")));
        command.envs([
            ("LANG", "C.UTF-8"),
            ("LC_ALL", "C.UTF-8"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_SYSTEM", "/dev/null"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_ATTR_NOSYSTEM", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_ASKPASS", ""),
            ("SSH_ASKPASS", ""),
            ("GIT_ALLOW_PROTOCOL", "https:ssh"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("GIT_PAGER", "cat"),
        ]);
        // The data directory may lie inside somebody's repository.
        command.env("GIT_CEILING_DIRECTORIES", &self.work);
        command.current_dir(self.work.join("home"));
        for setting in SETTINGS {
            command.arg("-c").arg(setting);
        }
        if let Some(url) = remote {
            self.set_credentials(&mut command, url);
        }
        if let Some(repository) = repository {
            let mut option = OsString::from("--git-dir=");
            option.push(repository);
            command.arg(option);
        }
        command.args(arguments);
        if let Some(input) = input {
            let path = self.work.join("input");
            fs::write(&path, input).map_err(GitError::Folder)?;
            command.stdin(Stdio::from(File::open(path).map_err(GitError::Folder)?));
        }
        let limits = CaptureLimits {
            timeout: self.time_left(),
            stdout_bytes,
        };
        let captured = process::run_limited(command, limits, room::used_up(self.work.clone(), MAX_DISK)).await;
        let captured = captured.map_err(|error| match error {
            ProcessError::TimedOut { .. } => GitError::TimedOut,
            ProcessError::Stopped { .. } => GitError::TooLarge,
            ProcessError::TooMuchOutput { .. } => GitError::TooMuch,
            other => GitError::Process(other),
        })?;
        if captured.status.success() {
            return Ok(captured);
        }
        Err(GitError::refused(&self.clean(&captured.stderr_text())))
    }

    /// Nobody but the host that they were given for gets to see them.
    fn set_credentials(&self, command: &mut tokio::process::Command, url: &GitUrl) {
        let is_meant = self.origin.shares_credentials_with(url);
        if let (true, Some(_), Some(origin)) = (is_meant, &self.token, url.https_origin()) {
            command
                .arg("-c")
                .arg(format!("credential.{origin}.helper={CREDENTIAL_HELPER}"))
                .env(CREDENTIAL_VARIABLE, self.credential_path());
        }
        if let Some(file) = &self.ca_file {
            command.env("GIT_SSL_CAINFO", file);
        }
        // Where there is no other way out of the server's network.
        for name in ["https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"] {
            if let Some(value) = env::var_os(name) {
                command.env(name, value);
            }
        }
        let identity = if is_meant && self.has_key {
            format!("-i {}", quote(&self.key_path()))
        } else {
            NO_IDENTITY.to_owned()
        };
        command.env("GIT_SSH_VARIANT", "ssh").env(
            "GIT_SSH_COMMAND",
            ssh_command(Path::new("/dev/null"), &identity, &self.known_hosts_path()),
        );
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Err(error) = SecretsFolder::remove(&self.secrets) {
            tracing::error!(%error, folder = %self.secrets.display(), "the credentials of a sync could not be removed");
        }
        if let Err(error) = remove(&self.work) {
            tracing::warn!(%error, folder = %self.work.display(), "a repository could not be removed; the next sync tries again");
        }
    }
}

/// What the credential helper prints.
pub(super) fn credential_answer(username: &str, token: &SecretString) -> SecretString {
    // Without a name GitHub and GitLab take any; the others ask for one in the settings.
    let username = if username.is_empty() {
        "x-access-token"
    } else {
        username
    };
    SecretString::from(format!("username={username}\npassword={}\n", token.expose_secret()))
}

/// How git calls `ssh`: without whatever the user of this process has set up for himself. `settings` is a file of settings.
pub(super) fn ssh_command(settings: &Path, options: &str, known_hosts: &Path) -> String {
    format!(
        "ssh -F {} {options} -o IdentitiesOnly=yes -o IdentityAgent=none -o BatchMode=yes \
         -o PasswordAuthentication=no -o KbdInteractiveAuthentication=no -o StrictHostKeyChecking=accept-new \
         -o UserKnownHostsFile={} -o GlobalKnownHostsFile=/dev/null -o HashKnownHosts=no -o UpdateHostKeys=no \
         -o CheckHostIP=no -o ForwardAgent=no -o ClearAllForwardings=yes -o PermitLocalCommand=no \
         -o ControlMaster=no -o ControlPath=none -o ConnectTimeout={CONNECT_SECONDS} -o ServerAliveInterval=15 \
         -o ServerAliveCountMax=4 -o LogLevel=ERROR",
        quote(settings),
        // Within the shell's quotes those of ssh, which takes blanks apart.
        quote(Path::new(&format!("\"{}\"", known_hosts.display()))),
    )
}

/// A word of a command that a shell reads.
fn quote(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"))
}

fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?
        .write_all(content)
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}
