//! Credentials of git projects: opened for a sync, and for what else a project names on the same host.

use super::{
    GitError,
    session::{CREDENTIAL_HELPER, CREDENTIAL_VARIABLE, Credentials, NO_IDENTITY, credential_answer, ssh_command},
    url::GitUrl,
};
use crate::{
    domain::PackageId,
    runner::PassingSecrets,
    store::{
        Database, StoreError, keys,
        projects::{self, StoredProject},
    },
    vault::{RowIdentity, Vault, ssh_key},
};
use secrecy::{ExposeSecret as _, SecretString};
use std::{env, ffi::OsString, io, path::Path};

/// The package whose credentials are wanted when it comes to that.
#[derive(Debug, Clone, Copy)]
pub struct GitSource<'a> {
    /// Holds them.
    pub database: &'a Database,
    /// Opens them.
    pub vault: &'a Vault,
    /// The package; one that does not come from git has none.
    pub package: PackageId,
}

/// Why they cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The database said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// They do not open.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl GitSource<'_> {
    /// Opens them.
    pub(in crate::playbooks) async fn open(self) -> Result<Option<GitAccess>, AccessError> {
        let project = projects::get_project(&mut *self.database.acquire().await?, self.package).await;
        let project = match project {
            Err(StoreError::NotFound(_)) => return Ok(None),
            project => project?,
        };
        Ok(Some(GitAccess {
            url: GitUrl::parse(&project.settings.url).map_err(GitError::Url)?,
            credentials: open_credentials(self.vault, self.database, &project).await??,
        }))
    }
}

/// What repositories on one host are read with.
#[derive(Debug)]
pub(in crate::playbooks) struct GitAccess {
    url: GitUrl,
    credentials: Credentials,
}

impl GitAccess {
    /// What must not be in any message.
    pub(in crate::playbooks) fn token(&self) -> Option<&SecretString> {
        self.credentials.token.as_ref()
    }
}

/// The environment for a program that calls `git` by itself: without whatever the user of this process has set up for himself, and
/// with the credentials for their own host alone. They are written among the secrets.
pub(in crate::playbooks) fn environment(
    access: Option<&GitAccess>,
    secrets: &PassingSecrets,
    known_hosts: &Path,
) -> io::Result<Vec<(&'static str, OsString)>> {
    let nothing = Path::new("/dev/null").to_owned();
    let (mut git, mut ssh) = (nothing.clone(), ssh_command(&nothing, NO_IDENTITY, known_hosts));
    let mut environment: Vec<(&'static str, OsString)> = Vec::new();
    if let Some(GitAccess { url, credentials }) = access {
        if let (Some(origin), Some(token)) = (url.https_origin(), &credentials.token) {
            let path = secrets.write("git-credential", &credential_answer(&credentials.username, token))?;
            environment.push((CREDENTIAL_VARIABLE, path.into()));
            let helper = CREDENTIAL_HELPER.replace('"', "\\\"");
            let settings = format!("[credential \"{origin}\"]\n\thelper = \"{helper}\"\n");
            git = secrets.write("git-settings", &settings.into())?;
        }
        if let (true, Some(key)) = (url.is_ssh(), &credentials.key) {
            let key = secrets.write("git-key", &key.expose_secret().into())?;
            let host = url.host().trim_matches(['[', ']']);
            let settings = format!(
                "Host {host}\n\tIdentityFile {}\n\tPubkeyAuthentication yes\nHost *\n\tPubkeyAuthentication no\n",
                key.display()
            );
            ssh = ssh_command(&secrets.write("ssh-settings", &settings.into())?, "", known_hosts);
        }
    }
    if let Some(file) = env::var_os("ADMIRAL_GIT_CA_FILE").filter(|file| !file.is_empty()) {
        environment.push(("GIT_SSL_CAINFO", file));
    }
    environment.extend([
        ("GIT_CONFIG_GLOBAL", git.into()),
        ("GIT_CONFIG_NOSYSTEM", "1".into()),
        ("GIT_ALLOW_PROTOCOL", "https:ssh".into()),
        ("GIT_TERMINAL_PROMPT", "0".into()),
        ("GIT_SSH_VARIANT", "ssh".into()),
        ("GIT_SSH_COMMAND", ssh.into()),
    ]);
    Ok(environment)
}

/// What a project's repository is read with.
pub(super) async fn open_credentials(
    vault: &Vault,
    database: &Database,
    project: &StoredProject,
) -> Result<Result<Credentials, GitError>, StoreError> {
    let settings = &project.settings;
    let mut credentials = Credentials {
        username: settings.username.clone(),
        known_hosts: project.host_keys.clone(),
        ..Credentials::default()
    };
    if let Some(sealed) = &settings.sealed_token {
        match vault.open_text(sealed, RowIdentity::git_token(project.id)) {
            Ok(token) => credentials.token = Some(token),
            Err(error) => {
                tracing::error!(%error, project = project.name, "the token of a git project does not open");
                return Ok(Err(GitError::Secret("the token")));
            }
        }
    }
    let ids: Vec<_> = settings.private_key_id.into_iter().collect();
    let sealed = keys::get_sealed_keys(&mut *database.acquire().await?, &ids)
        .await?
        .pop();
    let Some(sealed) = sealed else {
        return Ok(Ok(credentials));
    };
    let opened = vault
        .open_text(&sealed.sealed_key, RowIdentity::private_key(sealed.id))
        .and_then(|key| {
            let passphrase = sealed
                .sealed_passphrase
                .as_deref()
                .map(|sealed_passphrase| vault.open_text(sealed_passphrase, RowIdentity::passphrase(sealed.id)))
                .transpose()?;
            Ok((key, passphrase))
        });
    let (key, passphrase) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            tracing::error!(%error, project = project.name, "the private key of a git project does not open");
            return Ok(Err(GitError::Secret("the private key")));
        }
    };
    // Opening a key under a passphrase is made slow on purpose.
    let plain = tokio::task::spawn_blocking(move || ssh_key::open_for_ansible(&key, passphrase.as_ref())).await;
    Ok(match plain {
        Ok(Ok(plain)) => {
            credentials.key = Some(plain);
            Ok(credentials)
        }
        Ok(Err(error)) => Err(GitError::Key(error.to_string())),
        Err(_) => Err(GitError::Key("reading it was interrupted".to_owned())),
    })
}
