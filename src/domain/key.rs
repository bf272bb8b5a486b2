//! SSH private keys, as far as they may be shown.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A private key as listed. The private part is never shown again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PrivateKey {
    /// Identifies the key.
    pub id: Uuid,
    /// Unique.
    pub name: String,
    /// The algorithm's SSH name: `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa`.
    pub key_type: String,
    /// Key length, where the algorithm does not settle it.
    pub bits: Option<i32>,
    /// `SHA256:` and base64, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// One line as in `authorized_keys`.
    pub public_key: String,
    /// Whether the stored key is encrypted under a (stored) passphrase of its own.
    pub has_passphrase: bool,
    /// How many servers use it.
    pub servers: i64,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}
