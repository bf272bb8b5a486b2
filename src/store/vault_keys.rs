//! Which master keys this database was sealed with.

use super::{Connection, StoreError};

/// A master key's id and a known text sealed with it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct VaultKey {
    /// The id in the key ring.
    pub key_id: String,
    /// The sealed text.
    pub check_value: Vec<u8>,
}

/// Lets one process at a time look at the keys and note its own. Must run inside a transaction.
pub async fn lock_vault_keys(connection: &mut Connection) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('admiral.vault_keys'))")
        .execute(connection)
        .await?;
    Ok(())
}

/// All of them, oldest first.
pub async fn list_vault_keys(connection: &mut Connection) -> Result<Vec<VaultKey>, StoreError> {
    Ok(
        sqlx::query_as("SELECT key_id, check_value FROM admiral.vault_keys ORDER BY created_at, key_id")
            .fetch_all(connection)
            .await?,
    )
}

/// Notes a master key; one already noted stays as it is.
pub async fn insert_vault_key(connection: &mut Connection, key_id: &str, check_value: &[u8]) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO admiral.vault_keys (key_id, check_value) VALUES ($1, $2) ON CONFLICT (key_id) DO NOTHING")
        .bind(key_id)
        .bind(check_value)
        .execute(connection)
        .await?;
    Ok(())
}
