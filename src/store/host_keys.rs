//! SSH host keys we trust.

use super::{Connection, StoreError};
use crate::domain::clock::new_id;
use uuid::Uuid;

/// A host key of a server.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct TrustedHostKey {
    /// Whose.
    pub server_id: Uuid,
    /// The algorithm's SSH name.
    pub key_type: String,
    /// `ssh-ed25519 AAAA…`.
    pub public_key: String,
    /// `SHA256:` and base64.
    pub fingerprint: String,
}

/// The host keys of these servers.
pub async fn list_for_servers(
    connection: &mut Connection,
    server_ids: &[Uuid],
) -> Result<Vec<TrustedHostKey>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT server_id, key_type, public_key, fingerprint FROM admiral.host_keys
          WHERE server_id = ANY($1) ORDER BY server_id, key_type",
    )
    .bind(server_ids)
    .fetch_all(connection)
    .await?)
}

/// Trusts keys that were seen for the first time: where a key of the same algorithm is already trusted, that one stays. A server
/// that was deleted meanwhile is passed over. How many are new.
pub async fn trust_on_first_use(connection: &mut Connection, keys: &[TrustedHostKey]) -> Result<u64, StoreError> {
    let ids: Vec<Uuid> = keys.iter().map(|_| new_id()).collect();
    let servers: Vec<Uuid> = keys.iter().map(|key| key.server_id).collect();
    let types: Vec<&str> = keys.iter().map(|key| key.key_type.as_str()).collect();
    let lines: Vec<&str> = keys.iter().map(|key| key.public_key.as_str()).collect();
    let fingerprints: Vec<&str> = keys.iter().map(|key| key.fingerprint.as_str()).collect();
    let done = sqlx::query(
        "INSERT INTO admiral.host_keys (id, server_id, key_type, public_key, fingerprint)
         SELECT n.* FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[])
                AS n (id, server_id, key_type, public_key, fingerprint)
           JOIN admiral.servers s ON s.id = n.server_id
         ON CONFLICT (server_id, key_type) DO NOTHING",
    )
    .bind(ids)
    .bind(servers)
    .bind(types)
    .bind(lines)
    .bind(fingerprints)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Forgets all host keys of a server, so that the next contact trusts anew; how many there were.
pub async fn forget(connection: &mut Connection, server_id: Uuid) -> Result<u64, StoreError> {
    let done = sqlx::query("DELETE FROM admiral.host_keys WHERE server_id = $1")
        .bind(server_id)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}
