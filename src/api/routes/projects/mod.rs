//! Git projects, and the webhooks that have them synced. Tokens and secrets are taken and never sent.

mod create_project;
mod delete_project;
mod get_project;
mod list_projects;
mod receive_webhook;
mod sync_project;
mod update_project;

use crate::{
    api::{AppState, problem::Problem},
    domain::{
        PackageId, PrivateKeyId,
        project::{MAX_SYNC_INTERVAL, MIN_SYNC_INTERVAL, Project, WebhookKind},
        validation::Validator,
    },
    playbooks::git::{GitUrl, Reference},
    store::{
        Connection, StoreError, keys,
        projects::{self, ProjectSettings, StoredProject},
    },
    vault::{RowIdentity, ssh_key},
};
use secrecy::{ExposeSecret as _, SecretString};
use utoipa_axum::{router::OpenApiRouter, routes};

const MAX_USERNAME: usize = 200;
const MAX_TOKEN: usize = 4096;
const WEBHOOK_SECRET: std::ops::RangeInclusive<usize> = 8..=1000;

/// `/api/projects` and `/api/webhooks`.
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_projects::list_projects, create_project::create_project))
        .routes(routes!(
            get_project::get_project,
            update_project::update_project,
            delete_project::delete_project
        ))
        .routes(routes!(sync_project::sync_project))
        .routes(routes!(receive_webhook::receive_webhook))
}

/// A project as it may be shown.
fn shown(stored: StoredProject) -> Project {
    let settings = stored.settings;
    Project {
        id: stored.id,
        name: stored.name,
        url: settings.url,
        reference: settings.reference,
        private_key: stored.private_key,
        username: settings.username,
        has_token: settings.sealed_token.is_some(),
        submodules: settings.submodules,
        sync_before_launch: settings.sync_before_launch,
        sync_interval_seconds: settings.sync_interval_seconds,
        webhook_kind: settings.webhook_kind,
        webhook_path: format!("/api/webhooks/{}", stored.id),
        has_webhook_secret: settings.sealed_webhook_secret.is_some(),
        host_keys: fingerprints(&stored.host_keys),
        synced_at: stored.synced_at,
        commit_id: stored.commit_id,
        attempted_at: stored.attempted_at,
        error: stored.error,
        syncing: stored.syncing,
    }
}

/// Of the keys in a `known_hosts` file, each once.
fn fingerprints(known_hosts: &str) -> Vec<String> {
    let mut found: Vec<String> = known_hosts
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(_, key)| ssh_key::describe_public(key).ok())
        .map(|(_, fingerprint)| fingerprint)
        .collect();
    found.sort();
    found.dedup();
    found
}

async fn find(connection: &mut Connection, id: PackageId) -> Result<Project, StoreError> {
    projects::get_project(connection, id).await.map(shown)
}

/// What somebody wants a project to be. A secret that is not there stays as it is stored.
#[derive(Debug)]
struct Wanted {
    url: String,
    reference: String,
    private_key_id: Option<PrivateKeyId>,
    username: String,
    token: Secret,
    submodules: bool,
    sync_before_launch: bool,
    sync_interval_seconds: Option<i32>,
    webhook_kind: Option<WebhookKind>,
    webhook_secret: Secret,
}

/// A secret as it is to be from now on.
#[derive(Debug)]
enum Secret {
    None,
    Stored(Vec<u8>),
    New(SecretString),
}

impl Secret {
    /// What was sent (nothing, null or a text) for what is stored. An empty text is none.
    #[expect(
        clippy::option_option,
        reason = "null takes a value away, a field that is not there leaves it"
    )]
    fn of(sent: Option<Option<SecretString>>, stored: Option<Vec<u8>>) -> Self {
        match (sent, stored) {
            (Some(Some(secret)), _) if !secret.expose_secret().is_empty() => Self::New(secret),
            (Some(_), _) | (None, None) => Self::None,
            (None, Some(stored)) => Self::Stored(stored),
        }
    }

    fn is_some(&self) -> bool {
        !matches!(self, Self::None)
    }

    fn sealed(self, state: &AppState, row: RowIdentity) -> Result<Option<Vec<u8>>, Problem> {
        match self {
            Self::None => Ok(None),
            Self::Stored(sealed) => Ok(Some(sealed)),
            Self::New(secret) => {
                let sealed = state.vault.seal(secret.expose_secret().as_bytes(), row);
                Ok(Some(sealed.map_err(|error| Problem::internal(&error))?))
            }
        }
    }
}

impl Wanted {
    /// Notes what is wrong; the address when it is one.
    fn check(&self, validator: &mut Validator) -> Option<GitUrl> {
        let url = GitUrl::parse(&self.url)
            .map_err(|error| validator.error("url", error.to_string()))
            .ok();
        if let Err(error) = Reference::parse(&self.reference) {
            validator.error("reference", error.to_string());
        }
        let is_plain = |text: &str| !text.contains(|c: char| c.is_control() || c.is_whitespace());
        validator.check(
            self.username.chars().count() <= MAX_USERNAME && is_plain(&self.username),
            "username",
            "must have at most 200 characters and no blanks",
        );
        if let Secret::New(token) = &self.token {
            let token = token.expose_secret();
            validator.check(
                token.len() <= MAX_TOKEN && is_plain(token),
                "token",
                "must have at most 4096 characters and no blanks or line breaks",
            );
        }
        if let Secret::New(secret) = &self.webhook_secret {
            validator.check(
                WEBHOOK_SECRET.contains(&secret.expose_secret().chars().count())
                    && !secret.expose_secret().contains(char::is_control),
                "webhook_secret",
                "must have between 8 and 1000 characters and no control characters",
            );
        }
        validator.check(
            self.webhook_kind.is_none() || self.webhook_secret.is_some(),
            "webhook_secret",
            "is required: without one anybody could send webhooks",
        );
        if let Some(seconds) = self.sync_interval_seconds {
            validator.check(
                (MIN_SYNC_INTERVAL..=MAX_SYNC_INTERVAL).contains(&seconds),
                "sync_interval_seconds",
                "must be between 60 and 2592000 (30 days)",
            );
        }
        if url.as_ref().is_some_and(GitUrl::is_ssh) {
            validator.check(
                self.private_key_id.is_some(),
                "private_key_id",
                "is required with an ssh address: the key whose public half the host knows",
            );
        }
        url
    }

    /// Checks what only the database knows.
    async fn check_key(&self, connection: &mut Connection, validator: &mut Validator) -> Result<(), StoreError> {
        if let Some(id) = self.private_key_id {
            match keys::get_key(connection, id).await {
                Ok(_) => {}
                Err(StoreError::NotFound(_)) => validator.error("private_key_id", "names no key"),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn sealed(self, state: &AppState, id: PackageId, url: &GitUrl) -> Result<ProjectSettings, Problem> {
        Ok(ProjectSettings {
            url: url.to_string(),
            reference: self.reference,
            private_key_id: self.private_key_id,
            username: self.username,
            sealed_token: self.token.sealed(state, RowIdentity::git_token(id))?,
            submodules: self.submodules,
            sync_before_launch: self.sync_before_launch,
            sync_interval_seconds: self.sync_interval_seconds,
            webhook_kind: self.webhook_kind,
            sealed_webhook_secret: self.webhook_secret.sealed(state, RowIdentity::webhook_secret(id))?,
        })
    }
}
