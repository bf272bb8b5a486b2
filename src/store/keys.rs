//! SSH private keys. The sealed parts leave this file in [`SealedKey`] only.

use super::{Connection, StoreError};
use crate::domain::{key::PrivateKey, page::PageRequest};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A key to be stored.
#[derive(Debug)]
pub struct NewKey<'a> {
    /// Identifies it; the sealed parts are bound to it.
    pub id: Uuid,
    /// Unique.
    pub name: &'a str,
    /// The algorithm's SSH name.
    pub key_type: &'a str,
    /// Key length, where the algorithm does not settle it.
    pub bits: Option<i32>,
    /// `SHA256:` and base64.
    pub fingerprint: &'a str,
    /// One line as in `authorized_keys`.
    pub public_key: &'a str,
    /// The private key, sealed.
    pub sealed_key: &'a [u8],
    /// Its passphrase, sealed.
    pub sealed_passphrase: Option<&'a [u8]>,
}

/// The sealed parts of a key.
#[derive(Clone, sqlx::FromRow)]
pub struct SealedKey {
    /// Identifies the key.
    pub id: Uuid,
    /// Its name, for messages.
    pub name: String,
    /// The private key, sealed.
    pub sealed_key: Vec<u8>,
    /// Its passphrase, sealed.
    pub sealed_passphrase: Option<Vec<u8>>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    name: String,
    key_type: String,
    bits: Option<i32>,
    fingerprint: String,
    public_key: String,
    has_passphrase: bool,
    servers: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for PrivateKey {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            key_type: row.key_type,
            bits: row.bits,
            fingerprint: row.fingerprint,
            public_key: row.public_key,
            has_passphrase: row.has_passphrase,
            servers: row.servers,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

const SELECT: &str = "SELECT k.id, k.name, k.key_type, k.bits, k.fingerprint, k.public_key,
        k.sealed_passphrase IS NOT NULL AS has_passphrase, k.created_at, k.updated_at,
        (SELECT count(*) FROM admiral.server_private_keys s WHERE s.private_key_id = k.id) AS servers
   FROM admiral.private_keys k";

/// Stores a key.
pub async fn insert_key(connection: &mut Connection, key: &NewKey<'_>) -> Result<PrivateKey, StoreError> {
    sqlx::query(
        "INSERT INTO admiral.private_keys
            (id, name, key_type, bits, fingerprint, public_key, sealed_key, sealed_passphrase)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(key.id)
    .bind(key.name)
    .bind(key.key_type)
    .bind(key.bits)
    .bind(key.fingerprint)
    .bind(key.public_key)
    .bind(key.sealed_key)
    .bind(key.sealed_passphrase)
    .execute(&mut *connection)
    .await?;
    get_key(connection, key.id).await
}

/// One page of the keys by name, and how many there are. `search` is part of a name, a fingerprint or a type.
pub async fn list_keys(
    connection: &mut Connection,
    search: Option<&str>,
    page: PageRequest,
) -> Result<(Vec<PrivateKey>, i64), StoreError> {
    const WHERE: &str =
        "WHERE ($1::text IS NULL OR strpos(lower(concat_ws(' ', k.name, k.fingerprint, k.key_type)), lower($1)) > 0)";
    let (total,): (i64,) = sqlx::query_as(&format!("SELECT count(*) FROM admiral.private_keys k {WHERE}"))
        .bind(search)
        .fetch_one(&mut *connection)
        .await?;
    let rows: Vec<Row> = sqlx::query_as(&format!("{SELECT} {WHERE} ORDER BY k.name, k.id LIMIT $2 OFFSET $3"))
        .bind(search)
        .bind(page.per_page)
        .bind(page.offset())
        .fetch_all(connection)
        .await?;
    Ok((rows.into_iter().map(PrivateKey::from).collect(), total))
}

/// One key.
pub async fn get_key(connection: &mut Connection, id: Uuid) -> Result<PrivateKey, StoreError> {
    let row: Option<Row> = sqlx::query_as(&format!("{SELECT} WHERE k.id = $1"))
        .bind(id)
        .fetch_optional(connection)
        .await?;
    Ok(row.ok_or(StoreError::NotFound("key"))?.into())
}

/// The key with this fingerprint, the oldest of several.
pub async fn find_by_fingerprint(
    connection: &mut Connection,
    fingerprint: &str,
) -> Result<Option<PrivateKey>, StoreError> {
    let row: Option<Row> = sqlx::query_as(&format!(
        "{SELECT} WHERE k.fingerprint = $1 ORDER BY k.created_at, k.id LIMIT 1"
    ))
    .bind(fingerprint)
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Into::into))
}

/// `name`, or `name-2`, `name-3` … when it is taken.
pub async fn free_name(connection: &mut Connection, name: &str) -> Result<String, StoreError> {
    let taken: Vec<String> =
        sqlx::query_scalar("SELECT name FROM admiral.private_keys WHERE name = $1 OR starts_with(name, $1 || '-')")
            .bind(name)
            .fetch_all(connection)
            .await?;
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    Ok(std::iter::once(name.to_owned())
        .chain(numbered)
        .find(|name| !taken.contains(name))
        .unwrap_or_else(|| name.to_owned()))
}

/// Gives a key another name.
pub async fn rename_key(connection: &mut Connection, id: Uuid, name: &str) -> Result<PrivateKey, StoreError> {
    let done = sqlx::query("UPDATE admiral.private_keys SET name = $2, updated_at = now() WHERE id = $1")
        .bind(id)
        .bind(name)
        .execute(&mut *connection)
        .await?;
    if done.rows_affected() != 1 {
        return Err(StoreError::NotFound("key"));
    }
    get_key(connection, id).await
}

/// Deletes a key; [`StoreError::InUse`] while a server uses it.
pub async fn delete_key(connection: &mut Connection, id: Uuid) -> Result<(), StoreError> {
    let done = sqlx::query("DELETE FROM admiral.private_keys WHERE id = $1")
        .bind(id)
        .execute(connection)
        .await?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(StoreError::NotFound("key"))
    }
}

/// The sealed parts of these keys.
pub async fn get_sealed_keys(connection: &mut Connection, ids: &[Uuid]) -> Result<Vec<SealedKey>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT id, name, sealed_key, sealed_passphrase FROM admiral.private_keys WHERE id = ANY($1) ORDER BY id",
    )
    .bind(ids)
    .fetch_all(connection)
    .await?)
}
