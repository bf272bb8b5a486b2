//! Users.

use super::{Connection, StoreError, word};
use crate::domain::{
    page::PageRequest,
    user::{Role, User},
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// What a password is checked against.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Whose they are.
    pub user: User,
    /// Argon2 in PHC form; `None` when the user signs in by link only.
    pub password_hash: Option<String>,
}

/// Changes to a user; `None` leaves as it is.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// The new role.
    pub role: Option<Role>,
    /// Argon2 in PHC form.
    pub password_hash: Option<String>,
    /// Whether the user may not sign in.
    pub disabled: Option<bool>,
}

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    id: Uuid,
    username: String,
    role: String,
    disabled_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl TryFrom<Row> for User {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            username: row.username,
            role: word(&row.role, "users.role")?,
            disabled: row.disabled_at.is_some(),
            created_at: row.created_at,
        })
    }
}

#[derive(sqlx::FromRow)]
struct CredentialsRow {
    password_hash: Option<String>,
    #[sqlx(flatten)]
    user: Row,
}

/// Whether any user exists.
pub async fn any_user(connection: &mut Connection) -> Result<bool, StoreError> {
    let (any,): (bool,) = sqlx::query_as("SELECT EXISTS (SELECT 1 FROM admiral.users)")
        .fetch_one(connection)
        .await?;
    Ok(any)
}

/// Keeps others from adding or demoting users until the transaction ends: "no user yet" and "not the last admin" stay true.
pub async fn lock_users(connection: &mut Connection) -> Result<(), StoreError> {
    sqlx::query("LOCK TABLE admiral.users IN SHARE ROW EXCLUSIVE MODE")
        .execute(connection)
        .await?;
    Ok(())
}

/// Admins who can sign in.
pub async fn count_admins(connection: &mut Connection) -> Result<i64, StoreError> {
    let (admins,): (i64,) =
        sqlx::query_as("SELECT count(*) FROM admiral.users WHERE role = 'admin' AND disabled_at IS NULL")
            .fetch_one(connection)
            .await?;
    Ok(admins)
}

/// One page of the users by name, and how many there are.
pub async fn list_users(
    connection: &mut Connection,
    search: Option<&str>,
    page: PageRequest,
) -> Result<(Vec<User>, i64), StoreError> {
    const WHERE: &str = "WHERE ($1::text IS NULL OR strpos(lower(username), lower($1)) > 0)";
    let (total,): (i64,) = sqlx::query_as(&format!("SELECT count(*) FROM admiral.users {WHERE}"))
        .bind(search)
        .fetch_one(&mut *connection)
        .await?;
    let rows: Vec<Row> = sqlx::query_as(&format!(
        "SELECT * FROM admiral.users {WHERE} ORDER BY username LIMIT $2 OFFSET $3"
    ))
    .bind(search)
    .bind(page.per_page)
    .bind(page.offset())
    .fetch_all(connection)
    .await?;
    Ok((rows.into_iter().map(User::try_from).collect::<Result<_, _>>()?, total))
}

/// One user.
pub async fn get_user(connection: &mut Connection, id: Uuid) -> Result<User, StoreError> {
    let row: Option<Row> = sqlx::query_as("SELECT * FROM admiral.users WHERE id = $1")
        .bind(id)
        .fetch_optional(connection)
        .await?;
    row.ok_or(StoreError::NotFound("user"))?.try_into()
}

/// The user of that name, disabled or not, with what their password is checked against.
pub async fn find_credentials(connection: &mut Connection, username: &str) -> Result<Option<Credentials>, StoreError> {
    let row: Option<CredentialsRow> = sqlx::query_as("SELECT * FROM admiral.users WHERE username = $1")
        .bind(username)
        .fetch_optional(connection)
        .await?;
    row.map(|row| {
        Ok(Credentials {
            user: row.user.try_into()?,
            password_hash: row.password_hash,
        })
    })
    .transpose()
}

/// Keeps the user from being changed until the transaction ends. A reset changes the user before it ends sessions and tokens, so it waits.
pub async fn hold_user(connection: &mut Connection, id: Uuid) -> Result<(), StoreError> {
    sqlx::query("SELECT FROM admiral.users WHERE id = $1 FOR SHARE")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}

/// As [`hold_user`]; returns whether the user still has this password and may sign in.
pub async fn hold_credentials(connection: &mut Connection, id: Uuid, password_hash: &str) -> Result<bool, StoreError> {
    let found =
        sqlx::query("SELECT FROM admiral.users WHERE id = $1 AND password_hash = $2 AND disabled_at IS NULL FOR SHARE")
            .bind(id)
            .bind(password_hash)
            .fetch_optional(connection)
            .await?;
    Ok(found.is_some())
}

/// The hash of the user's password, Argon2 in PHC form; `None` when they have no password.
pub async fn get_password_hash(connection: &mut Connection, id: Uuid) -> Result<Option<String>, StoreError> {
    let row: Option<(Option<String>,)> = sqlx::query_as("SELECT password_hash FROM admiral.users WHERE id = $1")
        .bind(id)
        .fetch_optional(connection)
        .await?;
    Ok(row.ok_or(StoreError::NotFound("user"))?.0)
}

/// Replaces the password hash `before` by `after`; returns whether the user still had the former.
pub async fn replace_password(
    connection: &mut Connection,
    id: Uuid,
    before: Option<&str>,
    after: &str,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE admiral.users SET password_hash = $3, updated_at = now()
          WHERE id = $1 AND password_hash IS NOT DISTINCT FROM $2",
    )
    .bind(id)
    .bind(before)
    .bind(after)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Adds a user.
pub async fn insert_user(
    connection: &mut Connection,
    id: Uuid,
    username: &str,
    role: Role,
    password_hash: Option<&str>,
) -> Result<User, StoreError> {
    let row: Row = sqlx::query_as(
        "INSERT INTO admiral.users (id, username, role, password_hash) VALUES ($1, $2, $3, $4) RETURNING *",
    )
    .bind(id)
    .bind(username)
    .bind(role.as_str())
    .bind(password_hash)
    .fetch_one(connection)
    .await?;
    row.try_into()
}

/// Changes a user.
pub async fn update_user(connection: &mut Connection, id: Uuid, change: &UserChange) -> Result<User, StoreError> {
    let row: Option<Row> = sqlx::query_as(
        "UPDATE admiral.users
            SET role = coalesce($2, role),
                password_hash = coalesce($3, password_hash),
                disabled_at = CASE $4::boolean WHEN true THEN coalesce(disabled_at, now()) WHEN false THEN NULL ELSE disabled_at END,
                updated_at = now()
          WHERE id = $1 RETURNING *",
    )
    .bind(id)
    .bind(change.role.map(Role::as_str))
    .bind(&change.password_hash)
    .bind(change.disabled)
    .fetch_optional(connection)
    .await?;
    row.ok_or(StoreError::NotFound("user"))?.try_into()
}

/// Deletes a user with their sessions, tokens and links.
pub async fn delete_user(connection: &mut Connection, id: Uuid) -> Result<(), StoreError> {
    let done = sqlx::query("DELETE FROM admiral.users WHERE id = $1")
        .bind(id)
        .execute(connection)
        .await?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(StoreError::NotFound("user"))
    }
}
