//! API tokens. Stored as their SHA-256 only; revoked ones are kept, but never listed or accepted.

use super::{Connection, StoreError, users, word};
use crate::domain::{
    UserId,
    page::PageRequest,
    user::{ApiToken, Role, User},
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
    /// The highest role that it may act with.
    pub role: Role,
    /// The token that it is made with, if any.
    pub made_with: Option<Uuid>,
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
    role: String,
    made_with: Option<Uuid>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for ApiToken {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            role: word(&row.role, "api_tokens.role")?,
            made_with: row.made_with,
            id: row.id,
            name: row.name,
            user_id: row.user_id,
            username: row.username,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
        })
    }
}

const COLUMNS: &str =
    "t.id, t.name, t.user_id, u.username, t.role, t.made_with, t.created_at, t.expires_at, t.last_used_at";

/// Stores a token.
pub async fn insert_token(connection: &mut Connection, token: &NewToken<'_>) -> Result<ApiToken, StoreError> {
    sqlx::query(
        "INSERT INTO admiral.api_tokens (id, user_id, name, token_hash, role, made_with, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(token.id)
    .bind(token.user_id)
    .bind(token.name)
    .bind(token.token_hash)
    .bind(token.role.as_str())
    .bind(token.made_with)
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
    row.ok_or(StoreError::NotFound("token"))?.try_into()
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
    let tokens: Result<_, _> = rows.into_iter().map(ApiToken::try_from).collect();
    Ok((tokens?, total))
}

/// Revokes a token, all tokens that were made with it, all that were made with those, and so on; returns the number of the others.
pub async fn revoke_token(connection: &mut Connection, id: Uuid, now: DateTime<Utc>) -> Result<u64, StoreError> {
    // If another token is being made with this one, that transaction holds a lock on this one (`hold_token`). The update waits for it, and
    // the next statement finds the new token.
    let done = sqlx::query("UPDATE admiral.api_tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
        .bind(id)
        .bind(now)
        .execute(&mut *connection)
        .await?;
    if done.rows_affected() != 1 {
        return Err(StoreError::NotFound("token"));
    }
    let mut revoked = 0;
    let mut makers = vec![id];
    while !makers.is_empty() {
        makers = sqlx::query_scalar(
            "UPDATE admiral.api_tokens SET revoked_at = $2 WHERE made_with = ANY($1) AND revoked_at IS NULL RETURNING id",
        )
        .bind(&makers)
        .bind(now)
        .fetch_all(&mut *connection)
        .await?;
        revoked += makers.len() as u64;
    }
    Ok(revoked)
}

/// Revokes all tokens of a user except the one named; returns their number.
pub async fn revoke_tokens_of_user(
    connection: &mut Connection,
    user_id: UserId,
    except: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "UPDATE admiral.api_tokens SET revoked_at = $3 WHERE user_id = $1 AND id IS DISTINCT FROM $2 AND revoked_at IS NULL",
    )
    .bind(user_id)
    .bind(except)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// A token that works, with its owner.
#[derive(Debug, Clone)]
pub struct LiveToken {
    /// Identifies it.
    pub id: Uuid,
    /// Its owner.
    pub user: User,
    /// The highest role that it may act with.
    pub role: Role,
    /// When it stops working.
    pub expires_at: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct LiveRow {
    token_id: Uuid,
    token_role: String,
    token_expires_at: Option<DateTime<Utc>>,
    #[sqlx(flatten)]
    user: users::Row,
}

impl TryFrom<LiveRow> for LiveToken {
    type Error = StoreError;

    fn try_from(row: LiveRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.token_id,
            user: row.user.try_into()?,
            role: word(&row.token_role, "api_tokens.role")?,
            expires_at: row.token_expires_at,
        })
    }
}

const LIVE: &str = "SELECT t.id AS token_id, t.role AS token_role, t.expires_at AS token_expires_at, u.*
      FROM admiral.api_tokens t JOIN admiral.users u ON u.id = t.user_id
     WHERE t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > $2) AND u.disabled_at IS NULL";

/// The token, if it works at `now` and its user is not disabled. Notes the use, to the minute.
pub async fn use_token(
    connection: &mut Connection,
    token_hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<LiveToken>, StoreError> {
    let row: Option<LiveRow> = sqlx::query_as(&format!("{LIVE} AND t.token_hash = $1"))
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
    row.map(LiveToken::try_from).transpose()
}

/// The token with this id, under the same conditions. This does not count as a use.
pub async fn find_token(
    connection: &mut Connection,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<LiveToken>, StoreError> {
    let row: Option<LiveRow> = sqlx::query_as(&format!("{LIVE} AND t.id = $1"))
        .bind(id)
        .bind(now)
        .fetch_optional(connection)
        .await?;
    row.map(LiveToken::try_from).transpose()
}

/// Keeps the token from being revoked until the transaction ends.
pub async fn hold_token(connection: &mut Connection, id: Uuid) -> Result<(), StoreError> {
    sqlx::query("SELECT FROM admiral.api_tokens WHERE id = $1 FOR SHARE")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}
