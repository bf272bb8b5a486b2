//! Servers: what we know of a managed machine.

use super::text_enum::text_enum;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

text_enum! {
    /// Whether deployments may target a server.
    ServerStatus {
        /// Can be targeted.
        Active = "active",
        /// Kept, but left out of every selection.
        Inactive = "inactive",
    }
}

/// A managed machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Server {
    /// Identifies the server.
    pub id: Uuid,
    /// A short number for people and for `ANSIBLE_SERVER_IDS`.
    pub number: i64,
    /// The name in Ansible's inventory; unique.
    pub hostname: String,
    /// A name for people.
    pub name: String,
    /// Address or DNS name SSH connects to.
    pub ssh_host: String,
    /// 1 to 65535.
    pub ssh_port: i32,
    /// The user SSH signs in as.
    pub ssh_username: String,
    /// Free labels; each makes an inventory group `tag_…`.
    pub tags: Vec<String>,
    /// Such as `Ubuntu 22.04`; makes an inventory group.
    pub distro: Option<String>,
    /// Such as `x86_64`.
    pub architecture: Option<String>,
    /// Whether deployments may target it.
    pub status: ServerStatus,
    /// Host variables of this server.
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
    /// The key SSH uses.
    pub private_key: Option<KeyReference>,
    /// SSH host keys we trust.
    pub host_keys: Vec<HostKey>,
    /// When a run last reached it.
    pub last_seen_at: Option<DateTime<Utc>>,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// Names the key a server uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyReference {
    /// Identifies the key.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its fingerprint.
    pub fingerprint: String,
}

/// An SSH host key we trust.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostKey {
    /// Identifies the row.
    pub id: Uuid,
    /// The algorithm's SSH name.
    pub key_type: String,
    /// `SHA256:` and base64.
    pub fingerprint: String,
    /// When it was first trusted.
    pub first_seen_at: DateTime<Utc>,
}
