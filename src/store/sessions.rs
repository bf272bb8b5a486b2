//! Browser sessions. Tokens are stored as their SHA-256 only.

use super::{Connection, StoreError, users};
use crate::domain::{
    UserId,
    page::PageRequest,
    user::{User, UserSession},
};
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

impl TryFrom<Row> for LiveSession {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.session_id,
            user: row.user.try_into()?,
            created_at: row.session_created_at,
            last_seen_at: row.session_last_seen_at,
            expires_at: row.session_expires_at,
        })
    }
}

const LIVE: &str =
    "SELECT s.id AS session_id, s.created_at AS session_created_at, s.last_seen_at AS session_last_seen_at,
           s.expires_at AS session_expires_at, u.id, u.username, u.role, u.disabled_at, u.created_at
      FROM admiral.sessions s JOIN admiral.users u ON u.id = s.user_id
     WHERE s.expires_at > $2 AND u.disabled_at IS NULL";

/// The session with this token, if it has not ended at `now` and its user may sign in.
pub async fn find_session(
    connection: &mut Connection,
    token_hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<LiveSession>, StoreError> {
    let row: Option<Row> = sqlx::query_as(&format!("{LIVE} AND s.token_hash = $1"))
        .bind(token_hash)
        .bind(now)
        .fetch_optional(connection)
        .await?;
    row.map(LiveSession::try_from).transpose()
}

/// The session with this id, under the same conditions.
pub async fn find_session_by_id(
    connection: &mut Connection,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<LiveSession>, StoreError> {
    let row: Option<Row> = sqlx::query_as(&format!("{LIVE} AND s.id = $1"))
        .bind(id)
        .bind(now)
        .fetch_optional(connection)
        .await?;
    row.map(LiveSession::try_from).transpose()
}

#[derive(sqlx::FromRow)]
struct ListedRow {
    id: Uuid,
    user_id: Uuid,
    username: String,
    address: Option<String>,
    user_agent: Option<String>,
    created_at: DateTime<Utc>,
    last_seen_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

impl From<ListedRow> for UserSession {
    fn from(row: ListedRow) -> Self {
        Self {
            id: row.id,
            user_id: row.user_id,
            username: row.username,
            address: row.address,
            user_agent: row.user_agent,
            created_at: row.created_at,
            last_seen_at: row.last_seen_at,
            expires_at: row.expires_at,
            current: false,
        }
    }
}

const LISTED: &str =
    "SELECT s.id, s.user_id, u.username, s.address, s.user_agent, s.created_at, s.last_seen_at, s.expires_at
      FROM admiral.sessions s JOIN admiral.users u ON u.id = s.user_id";

/// One page of the sessions that have not ended at `now`, of one user or of all, the last used first; and the number of all pages' rows. No
/// session is marked as the current one.
pub async fn list_sessions(
    connection: &mut Connection,
    user_id: Option<UserId>,
    now: DateTime<Utc>,
    page: PageRequest,
) -> Result<(Vec<UserSession>, i64), StoreError> {
    const WHERE: &str = "WHERE s.expires_at > $2 AND ($1::uuid IS NULL OR s.user_id = $1)";
    let (total,): (i64,) = sqlx::query_as(&format!("SELECT count(*) FROM admiral.sessions s {WHERE}"))
        .bind(user_id)
        .bind(now)
        .fetch_one(&mut *connection)
        .await?;
    let rows: Vec<ListedRow> = sqlx::query_as(&format!(
        "{LISTED} {WHERE} ORDER BY s.last_seen_at DESC, s.id DESC LIMIT $3 OFFSET $4"
    ))
    .bind(user_id)
    .bind(now)
    .bind(page.per_page)
    .bind(page.offset())
    .fetch_all(connection)
    .await?;
    Ok((rows.into_iter().map(UserSession::from).collect(), total))
}

/// One session that has not ended at `now`.
pub async fn get_session(connection: &mut Connection, id: Uuid, now: DateTime<Utc>) -> Result<UserSession, StoreError> {
    let row: Option<ListedRow> = sqlx::query_as(&format!("{LISTED} WHERE s.id = $1 AND s.expires_at > $2"))
        .bind(id)
        .bind(now)
        .fetch_optional(connection)
        .await?;
    Ok(row.ok_or(StoreError::NotFound("session"))?.into())
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

/// Ends the session with this id; whether there was one.
pub async fn delete_session_by_id(connection: &mut Connection, id: Uuid) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM admiral.sessions WHERE id = $1")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends all sessions of a user except the one named; returns their number.
pub async fn delete_sessions_of_user(
    connection: &mut Connection,
    user_id: UserId,
    except: Option<Uuid>,
) -> Result<u64, StoreError> {
    let done = sqlx::query("DELETE FROM admiral.sessions WHERE user_id = $1 AND id IS DISTINCT FROM $2")
        .bind(user_id)
        .bind(except)
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
