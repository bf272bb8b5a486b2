//! API tokens. Stored as their SHA-256 only; revoked ones are kept, but never listed or accepted.

use super::{Connection, StoreError, users};
use crate::domain::{
    page::PageRequest,
    user::{ApiToken, User},
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A token to be stored.
#[derive(Debug)]
pub struct NewToken<'a> {
    /// Identifies it.
    pub id: Uuid,
    /// Whose powers it has.
    pub user_id: Uuid,
    /// Given by its owner.
    pub name: &'a str,
    /// SHA-256 of the token.
    pub token_hash: &'a [u8],
    /// Now.
    pub created_at: DateTime<Utc>,
    /// When it stops working.
    pub expires_at: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    name: String,
    user_id: Uuid,
    username: String,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
}

impl From<Row> for ApiToken {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            user_id: row.user_id,
            username: row.username,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
        }
    }
}

const COLUMNS: &str = "t.id, t.name, t.user_id, u.username, t.created_at, t.expires_at, t.last_used_at";

/// Stores a token.
pub async fn insert_token(connection: &mut Connection, token: &NewToken<'_>) -> Result<ApiToken, StoreError> {
    sqlx::query(
        "INSERT INTO admiral.api_tokens (id, user_id, name, token_hash, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(token.id)
    .bind(token.user_id)
    .bind(token.name)
    .bind(token.token_hash)
    .bind(token.created_at)
    .bind(token.expires_at)
    .execute(&mut *connection)
    .await?;
    get_token(connection, token.id).await
}

/// One token that was not revoked.
pub async fn get_token(connection: &mut Connection, id: Uuid) -> Result<ApiToken, StoreError> {
    let row: Option<Row> = sqlx::query_as(&format!(
        "SELECT {COLUMNS} FROM admiral.api_tokens t JOIN admiral.users u ON u.id = t.user_id
          WHERE t.id = $1 AND t.revoked_at IS NULL"
    ))
    .bind(id)
    .fetch_optional(connection)
    .await?;
    Ok(row.ok_or(StoreError::NotFound("token"))?.into())
}

/// One page of the tokens that were not revoked, newest first, of one user or of all; and how many there are.
pub async fn list_tokens(
    connection: &mut Connection,
    user_id: Option<Uuid>,
    page: PageRequest,
) -> Result<(Vec<ApiToken>, i64), StoreError> {
    const FROM: &str = "FROM admiral.api_tokens t JOIN admiral.users u ON u.id = t.user_id
        WHERE t.revoked_at IS NULL AND ($1::uuid IS NULL OR t.user_id = $1)";
    let (total,): (i64,) = sqlx::query_as(&format!("SELECT count(*) {FROM}"))
        .bind(user_id)
        .fetch_one(&mut *connection)
        .await?;
    let rows: Vec<Row> = sqlx::query_as(&format!(
        "SELECT {COLUMNS} {FROM} ORDER BY t.created_at DESC, t.id DESC LIMIT $2 OFFSET $3"
    ))
    .bind(user_id)
    .bind(page.per_page)
    .bind(page.offset())
    .fetch_all(connection)
    .await?;
    Ok((rows.into_iter().map(ApiToken::from).collect(), total))
}

/// Makes a token stop working.
pub async fn revoke_token(connection: &mut Connection, id: Uuid, now: DateTime<Utc>) -> Result<(), StoreError> {
    let done = sqlx::query("UPDATE admiral.api_tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
        .bind(id)
        .bind(now)
        .execute(connection)
        .await?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(StoreError::NotFound("token"))
    }
}

/// Whose powers the token gives, if it works at `now` and its user is not disabled. Notes the use, to the minute.
pub async fn use_token(
    connection: &mut Connection,
    token_hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<User>, StoreError> {
    let row: Option<users::Row> = sqlx::query_as(
        "SELECT u.* FROM admiral.api_tokens t JOIN admiral.users u ON u.id = t.user_id
          WHERE t.token_hash = $1 AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > $2)
            AND u.disabled_at IS NULL",
    )
    .bind(token_hash)
    .bind(now)
    .fetch_optional(&mut *connection)
    .await?;
    if row.is_some() {
        sqlx::query(
            "UPDATE admiral.api_tokens SET last_used_at = $2
              WHERE token_hash = $1 AND (last_used_at IS NULL OR last_used_at < $2 - interval '1 minute')",
        )
        .bind(token_hash)
        .bind(now)
        .execute(connection)
        .await?;
    }
    row.map(User::try_from).transpose()
}
