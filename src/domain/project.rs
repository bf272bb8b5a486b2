//! Git projects: packages whose files come from a git repository.

use super::text_enum::text_enum;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// The shortest time between two syncs by schedule, in seconds.
pub const MIN_SYNC_INTERVAL: i32 = 60;
/// The longest one: 30 days.
pub const MAX_SYNC_INTERVAL: i32 = 30 * 24 * 60 * 60;

text_enum! {
    /// How a webhook proves where it comes from.
    WebhookKind {
        /// `X-Admiral-Signature: sha256=…`, the HMAC-SHA256 of the body under the secret.
        Generic = "generic",
        /// As GitHub signs: `X-Hub-Signature-256`.
        GitHub = "github",
        /// As GitLab does: the secret itself in `X-Gitlab-Token`.
        GitLab = "gitlab",
    }
}

/// A package whose files come from a git repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Project {
    /// Identifies it, and its package.
    pub id: Uuid,
    /// The package's name: its playbooks are `project/NAME/…`.
    pub name: String,
    /// Where the repository is.
    pub url: String,
    /// Branch, tag or commit; empty for the repository's default branch.
    pub reference: String,
    /// What an `ssh` address is read with.
    pub private_key: Option<ProjectKey>,
    /// The user name that goes with the token; empty for one that the large hosts take.
    pub username: String,
    /// Whether there is a token for an `https` address.
    pub has_token: bool,
    /// Whether the files of submodules are taken too.
    pub submodules: bool,
    /// Whether each launch begins with a sync.
    pub sync_before_launch: bool,
    /// Seconds between syncs by schedule; null for none.
    pub sync_interval_seconds: Option<i32>,
    /// How webhooks prove where they come from; null: none is taken.
    pub webhook_kind: Option<WebhookKind>,
    /// Where webhooks are to be sent, below this server's address.
    pub webhook_path: String,
    /// Whether there is a secret for webhooks.
    pub has_webhook_secret: bool,
    /// Fingerprints of the host keys that were trusted when they were first seen.
    pub host_keys: Vec<String>,
    /// When a sync last worked.
    pub synced_at: Option<DateTime<Utc>>,
    /// The commit that it took; null before the first one, and since the address or the reference was changed.
    pub commit_id: Option<String>,
    /// When a sync was last tried.
    pub attempted_at: Option<DateTime<Utc>>,
    /// Why the last sync failed. What an earlier one took can still be launched.
    pub error: Option<String>,
    /// Whether a sync is under way, or asked for.
    pub syncing: bool,
}

/// A private key, as a project names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProjectKey {
    /// Identifies the key.
    pub id: Uuid,
    /// Its name.
    pub name: String,
}
