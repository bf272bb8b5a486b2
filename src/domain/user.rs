//! People who sign in.

use super::text_enum::text_enum;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

text_enum! {
    /// What a user may do.
    Role {
        /// Everything, users and settings included.
        Admin = "admin",
        /// Changes servers and keys; launches, cancels and retries deployments.
        Operator = "operator",
        /// Reads.
        Viewer = "viewer",
        /// Reads, the audit log included.
        Auditor = "auditor",
    }
}

/// Somebody who can sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// Identifies the user.
    pub id: Uuid,
    /// Unique; 1 to 64 of `a-z A-Z 0-9 . _ @ -`.
    pub username: String,
    /// What they may do.
    pub role: Role,
    /// Cannot sign in, and their tokens do not work.
    pub disabled: bool,
    /// When the account was made.
    pub created_at: DateTime<Utc>,
}

/// A bearer token as listed; the token itself is shown once, when made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApiToken {
    /// Identifies the token.
    pub id: Uuid,
    /// Given by its owner.
    pub name: String,
    /// Whose powers it has.
    pub user_id: Uuid,
    /// Their name.
    pub username: String,
    /// The highest role that it may act with. It never has more rights than its owner has at present.
    pub role: Role,
    /// The token that it was made with, if any. It is revoked together with that one.
    pub made_with: Option<Uuid>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it stops working; never when null.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A browser that is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserSession {
    /// Identifies the session.
    pub id: Uuid,
    /// The user who is signed in.
    pub user_id: Uuid,
    /// Their name.
    pub username: String,
    /// The address that they signed in from.
    pub address: Option<String>,
    /// The browser's `User-Agent` when they signed in.
    pub user_agent: Option<String>,
    /// When they signed in.
    pub created_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    pub last_seen_at: DateTime<Utc>,
    /// When it ends, unless it is used before.
    pub expires_at: DateTime<Utc>,
    /// Whether the request was made with this session.
    pub current: bool,
}
