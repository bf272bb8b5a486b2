//! Browser sessions. Tokens are stored as their SHA-256 only.

use super::{Connection, StoreError, users};
use crate::domain::user::User;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A session to be stored.
#[derive(Debug)]
pub struct NewSession<'a> {
    /// Identifies it.
    pub id: Uuid,
    /// SHA-256 of the token.
    pub token_hash: &'a [u8],
    /// Who signed in.
    pub user_id: Uuid,
    /// From where.
    pub address: Option<&'a str>,
    /// With which browser.
    pub user_agent: Option<&'a str>,
    /// Now.
    pub created_at: DateTime<Utc>,
    /// When it ends unless used before.
    pub expires_at: DateTime<Utc>,
}

/// A session that holds, and whose it is.
#[derive(Debug, Clone)]
pub struct LiveSession {
    /// Identifies it.
    pub id: Uuid,
    /// Whose it is.
    pub user: User,
    /// When they signed in.
    pub created_at: DateTime<Utc>,
    /// When it was last used (to the minute).
    pub last_seen_at: DateTime<Utc>,
    /// When it ends unless used before.
    pub expires_at: DateTime<Utc>,
}

/// Stores a session.
pub async fn insert_session(connection: &mut Connection, session: &NewSession<'_>) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO admiral.sessions (id, token_hash, user_id, address, user_agent, created_at, last_seen_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6, $7)",
    )
    .bind(session.id)
    .bind(session.token_hash)
    .bind(session.user_id)
    .bind(session.address)
    .bind(session.user_agent)
    .bind(session.created_at)
    .bind(session.expires_at)
    .execute(connection)
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    session_id: Uuid,
    session_created_at: DateTime<Utc>,
    session_last_seen_at: DateTime<Utc>,
    session_expires_at: DateTime<Utc>,
    #[sqlx(flatten)]
    user: users::Row,
}

/// The session with this token, if it has not ended at `now` and its user may sign in.
pub async fn find_session(
    connection: &mut Connection,
    token_hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<LiveSession>, StoreError> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT s.id AS session_id, s.created_at AS session_created_at, s.last_seen_at AS session_last_seen_at,
                s.expires_at AS session_expires_at, u.id, u.username, u.role, u.disabled_at, u.created_at
           FROM admiral.sessions s JOIN admiral.users u ON u.id = s.user_id
          WHERE s.token_hash = $1 AND s.expires_at > $2 AND u.disabled_at IS NULL",
    )
    .bind(token_hash)
    .bind(now)
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        Ok(LiveSession {
            id: row.session_id,
            user: row.user.try_into()?,
            created_at: row.session_created_at,
            last_seen_at: row.session_last_seen_at,
            expires_at: row.session_expires_at,
        })
    })
    .transpose()
}

/// Notes that a session was used, and moves its end.
pub async fn touch_session(
    connection: &mut Connection,
    id: Uuid,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE admiral.sessions SET last_seen_at = $2, expires_at = $3 WHERE id = $1")
        .bind(id)
        .bind(now)
        .bind(expires_at)
        .execute(connection)
        .await?;
    Ok(())
}

/// Ends the session with this token; whether there was one.
pub async fn delete_session(connection: &mut Connection, token_hash: &[u8]) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM admiral.sessions WHERE token_hash = $1")
        .bind(token_hash)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends all sessions of a user, as after a new password; how many there were.
pub async fn delete_sessions_of_user(connection: &mut Connection, user_id: Uuid) -> Result<u64, StoreError> {
    let done = sqlx::query("DELETE FROM admiral.sessions WHERE user_id = $1")
        .bind(user_id)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

/// Deletes sessions that ended before `now`; how many there were.
pub async fn purge_sessions(connection: &mut Connection, now: DateTime<Utc>) -> Result<u64, StoreError> {
    let done = sqlx::query("DELETE FROM admiral.sessions WHERE expires_at <= $1")
        .bind(now)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}
