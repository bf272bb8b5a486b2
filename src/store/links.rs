//! Links that work once. Tokens are stored as their SHA-256 only.

use super::{Connection, StoreError};
use crate::domain::{UserId, text_enum::text_enum};
use chrono::{DateTime, Utc};
use uuid::Uuid;

text_enum! {
    /// What a link is for.
    LinkPurpose {
        /// Makes the first admin.
        Setup = "setup",
        /// Signs a user in.
        SignIn = "sign_in",
    }
}

/// Stores a link, and makes those before it for the same purpose and user stop working.
pub async fn replace_link(
    connection: &mut Connection,
    token_hash: &[u8],
    purpose: LinkPurpose,
    user_id: Option<Uuid>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM admiral.one_time_links
          WHERE purpose = $1 AND user_id IS NOT DISTINCT FROM $2 AND used_at IS NULL",
    )
    .bind(purpose.as_str())
    .bind(user_id)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO admiral.one_time_links (token_hash, purpose, user_id, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(token_hash)
    .bind(purpose.as_str())
    .bind(user_id)
    .bind(created_at)
    .bind(expires_at)
    .execute(connection)
    .await?;
    Ok(())
}

/// The token's hash and the expiry of a link that is for no particular user and works at `now`.
pub async fn find_link(
    connection: &mut Connection,
    purpose: LinkPurpose,
    now: DateTime<Utc>,
) -> Result<Option<(Vec<u8>, DateTime<Utc>)>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT token_hash, expires_at FROM admiral.one_time_links
          WHERE purpose = $1 AND user_id IS NULL AND used_at IS NULL AND expires_at > $2",
    )
    .bind(purpose.as_str())
    .bind(now)
    .fetch_optional(connection)
    .await?)
}

/// Uses a link up: `None` when there is none that works at `now`, else whom it is for.
pub async fn use_link(
    connection: &mut Connection,
    token_hash: &[u8],
    purpose: LinkPurpose,
    now: DateTime<Utc>,
) -> Result<Option<Option<Uuid>>, StoreError> {
    let row: Option<(Option<Uuid>,)> = sqlx::query_as(
        "UPDATE admiral.one_time_links SET used_at = $3
          WHERE token_hash = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3 RETURNING user_id",
    )
    .bind(token_hash)
    .bind(purpose.as_str())
    .bind(now)
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|(user_id,)| user_id))
}

/// Keeps the user of a link from being changed until the transaction ends. Call it before [`use_link`]: a reset locks the user first and the
/// links after that, and in another order the two would wait for each other.
pub async fn hold_user_of_link(connection: &mut Connection, token_hash: &[u8]) -> Result<(), StoreError> {
    sqlx::query(
        "SELECT FROM admiral.users
          WHERE id = (SELECT user_id FROM admiral.one_time_links WHERE token_hash = $1) FOR SHARE",
    )
    .bind(token_hash)
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes the unused links of a user.
pub async fn delete_sign_in_links(connection: &mut Connection, user_id: UserId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM admiral.one_time_links WHERE user_id = $1 AND used_at IS NULL")
        .bind(user_id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Deletes links that ended before `now`; how many there were.
pub async fn purge_links(connection: &mut Connection, now: DateTime<Utc>) -> Result<u64, StoreError> {
    let done = sqlx::query("DELETE FROM admiral.one_time_links WHERE expires_at <= $1")
        .bind(now)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}
